// One decoded item of a message: what the decoders write and the engine reads.
import { ITEM_BYTES } from "./layout";

/** Kinds of an order event. */
export const ORDER: u8 = 0;
export const REFUND: u8 = 1;
export const CANCEL: u8 = 2;

/** Verdict of the decoder: 0 fine, below 32 a reason + 1 (order of REASONS), above an outcome. */
export const FINE: u8 = 0;
export const TEST: u8 = 32;
export const SKIPPED: u8 = 33;
export const ANONYMOUS: u8 = 34;
/** No item: a message that can't be read, and one without items. They stand in the block in their place. */
export const UNREADABLE: u8 = 35;
export const EMPTY: u8 = 36;

/** Reasons, numbered as in `REASONS` of runtime/record.ts. */
export const UNDECODABLE: u8 = 0;
export const MISSING_FIELD: u8 = 1;
export const WRONG_TYPE: u8 = 2;
export const OVER_LIMIT: u8 = 3;
export const FRACTION: u8 = 4;
export const TIME_TOO_OLD: u8 = 5;
export const TOO_FAR_AHEAD: u8 = 6;
export const NO_MODEL: u8 = 7;
export const FOREIGN_PARTITION: u8 = 8;
export const OVERFLOW: u8 = 9;
export const CONFLICT: u8 = 10;
export const UNMATCHED: u8 = 11;
export const PARKED_FULL: u8 = 12;
export const UNSUPPORTED: u8 = 13;

@unmanaged export class Item {
  id: usize; // UTF-8 in the input or the scratch region
  idLength: u32;
  customer: usize; // 0 where it could not be read
  customerLength: u32;
  order: usize; // of a refund or cancel; 0 for none
  orderLength: u32;
  channel: usize; // never 0: the source's own where the event names none
  channelLength: u32;
  start: usize; // first byte of the item in its message
  length: u32;
  time: i64; // ms since 1970; 0 where it could not be read
  amount: i64; // minor units, 0 to 10^13
  version: i64; // 0 for none
  currency: u16; // resolved (see channels.ts); 0: each model's own
  kind: u8;
  verdict: u8;
  isVoid: u8; // 1: an order whose status says that it does not count
  // Found ahead for the whole block, and valid where `channelNumber` is a channel's (see ahead.ts):
  channelNumber: u8;
  pad0: u16;
  customerHash: u64;
  hash: u64; // of the event's identity
  number: u32; // the customer's, most likely; 0 for none
  // Of the message:
  header: usize;
  place: u32; // in it
}
if (offsetof<Item>() > ITEM_BYTES) ERROR("Item outgrew its place");
