/** One item of an NDJSON or MessagePack file: its very bytes, and its value where it can be read. */
export interface RawItem {
  readonly bytes: Uint8Array;
  readonly form: "json" | "msgpack";
  /**
   * The value, with integers beyond 2^53 as their digits; undefined where the bytes can't be read. For finding
   * an item's customer and time, and for mapping: what goes to the kernel is made from `bytes`.
   */
  readonly value: unknown;
  /**
   * False where the item is not surely readable in the kernel's strict sense: it then travels as a message of
   * its own, so that what is wrong with it never takes others with it.
   */
  readonly plain: boolean;
}
