/** What an audit finds: where a row is not what its customer's orders come to. */

/** What may differ. */
export const AUDITED = [
  /** The customer that the index has for the id: its number. */
  "id",
  /** Its orders, one after the other: the entry at which that ends, and the one before. */
  "chain",
  /** How many entries of the log are its own. */
  "entries",
  /** The entry that the index has for one of its events. */
  "event",
  /** Count or sum of a dimension's window, in minor units. */
  "value",
  /** Times in ms, 0 for none: of the oldest entry in a dimension's window, of the newest and the first counting order. */
  "oldest",
  "lastOrder",
  "firstOrder",
  /** Fewer orders ever than the log holds. */
  "ordersEver",
  /** Four bits a dimension; and the segment's number, 255 for none. */
  "bands",
  "segment",
  /** When it is looked at next, and when it would have to be, ms. */
  "timer",
] as const;
export type Audited = (typeof AUDITED)[number];

export interface AuditDifference {
  readonly customer: string;
  /** Null where it is no model's. */
  readonly model: string | null;
  readonly what: Audited;
  /** Of `value` and `oldest`: the dimension. */
  readonly dimension: string | null;
  readonly kept: number;
  readonly recounted: number;
}

export interface Audit {
  /** Rows recounted: one a customer and model. */
  readonly rows: number;
  /** At most 256 a customer. */
  readonly differences: readonly AuditDifference[];
}

/** What of these is a model's row. */
const OF_A_ROW: ReadonlySet<Audited> = new Set([
  "value",
  "oldest",
  "lastOrder",
  "firstOrder",
  "ordersEver",
  "bands",
  "segment",
]);
const OF_A_DIMENSION: ReadonlySet<Audited> = new Set(["value", "oldest"]);

export function hasModel(what: Audited): boolean {
  return OF_A_ROW.has(what);
}

export function hasDimension(what: Audited): boolean {
  return OF_A_DIMENSION.has(what);
}

/** A line for the log. */
export function auditLine({ customer, model, what, dimension, kept, recounted }: AuditDifference): string {
  const row = [model, dimension].filter((name) => name !== null).join(" ");
  return `customer ${customer}: ${what}${row === "" ? "" : ` of ${row}`} is ${kept}, its orders come to ${recounted}`;
}
