// The values found in an item, one a slot of the field table: what both decoders write and the fields are read
// from. They are kept for the first FOUND_MAX items of a message, which are so read but once; an item further
// back is checked with the message and read again when its turn comes.
import { FOUND, FOUND_BYTES, FOUND_MAX } from "../layout";

/** Types of a value. Null is none: a value that is null was not found. */
export const ABSENT: u32 = 0;
/** UTF-8 bytes in the message. */
export const TEXT: u32 = 1;
/** The same between the quotes of a JSON string with escapes. */
export const ESCAPED: u32 = 2;
/** The text of a JSON number. */
export const NUMBER: u32 = 3;
/** An integer of 64 bits, signed. */
export const INTEGER: u32 = 4;
/** One of 2^63 or more. */
export const UNSIGNED: u32 = 5;
/** The bits of a float64. */
export const FLOAT: u32 = 6;
export const TRUE: u32 = 7;
export const FALSE: u32 = 8;
/** A map, a list, bytes or an extension: no field is of such a type. */
export const OTHER: u32 = 9;

@unmanaged export class Found {
  type: u32;
  length: u32; // of a text
  bits: u64; // of a number; where a text begins
}
if (offsetof<Found>() != 16) ERROR("Found must stay 16 bytes");

@unmanaged export class Findings {
  start: usize; // first byte of the item
  length: u32;
  seen: u32; // bit set of the slots that have a value
  isMap: u32; // 0: it has no fields at all
  // a Found for each slot follows
}
const SLOTS_AT: usize = 16;
const SLOTS_MAX: u32 = 12;
if (offsetof<Findings>() != SLOTS_AT) ERROR("Findings must stay 16 bytes");
if (SLOTS_AT + SLOTS_MAX * offsetof<Found>() != FOUND_BYTES) ERROR("Findings outgrew their place");

/** Stands in for every slot that nothing was found for; never written. */
const NOTHING: usize = memory.data(16, 8);

/** The findings under way: `placeOf` fills them, `foundAt` reads them. */
let current: Findings = changetype<Findings>(FOUND);

/** Turns to item number `item` of the message; all that are further back share the last place. */
@inline export function findingsOf(item: u32): Findings {
  current = changetype<Findings>(FOUND + <usize>min(item, FOUND_MAX) * FOUND_BYTES);
  return current;
}

/** Of repeated keys the last counts: what was found under an earlier one is forgotten. */
@inline export function forget(slots: u32): void {
  current.seen &= ~slots;
}

@inline function slotAt(slot: u32): usize {
  return changetype<usize>(current) + SLOTS_AT + <usize>slot * offsetof<Found>();
}

/** The place for a slot's value, to be filled. */
@inline export function placeOf(slot: u32): Found {
  current.seen |= 1 << slot;
  return changetype<Found>(slotAt(slot));
}

/** The value of a slot; its type is ABSENT where none was found. */
@inline export function foundAt(slot: u32): Found {
  return changetype<Found>(current.seen & (1 << slot) ? slotAt(slot) : NOTHING);
}
