// The values found in one item, one a slot of the field table: what both decoders write and the fields are read from.

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
  text: usize;
  length: u32;
  pad0: u32;
  bits: u64;
}
if (offsetof<Found>() != 24) ERROR("Found must stay 24 bytes");

const SLOTS_MAX: i32 = 12;
const FOUND: usize = memory.data(SLOTS_MAX * 24, 8);
/** Stands in for every slot that nothing was found for; never written. */
const NOTHING: usize = memory.data(24, 8);

/** Bit set of the slots whose value was found in the item under way. */
let seen: u32 = 0;

@inline export function forgetAll(): void {
  seen = 0;
}

/** Of repeated keys the last counts: what was found under an earlier one is forgotten. */
@inline export function forget(slots: u32): void {
  seen &= ~slots;
}

/** The place for a slot's value, to be filled. */
@inline export function placeOf(slot: u32): Found {
  seen |= 1 << slot;
  return changetype<Found>(FOUND + <usize>slot * offsetof<Found>());
}

/** The value of a slot; its type is ABSENT where none was found. */
@inline export function foundAt(slot: u32): Found {
  return changetype<Found>(seen & (1 << slot) ? FOUND + <usize>slot * offsetof<Found>() : NOTHING);
}
