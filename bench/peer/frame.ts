/** Messages in a file, each behind its head: f64 stamp (ms), u32 bytes, little-endian; and what they are to be about. */

/** Orders of a message. */
export const PER_MESSAGE = 100;
export const HEAD_BYTES = 12;

export interface StreamSpec {
  readonly file: string;
  readonly customers: number;
  /** Orders before the measured ones, in all; each customer has one at least. */
  readonly history: number;
  /** Messages that are measured. */
  readonly messages: number;
  /** What is measured: the shop's own mix of live orders, or orders of customers drawn evenly, all in time. */
  readonly mix: "shop" | "intime";
  /** Orders a second of the measured stream's own time. */
  readonly rate: number;
}
