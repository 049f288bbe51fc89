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
/** An integer of 64 bits, signed; of a JSON number its text, too: nothing but its digits. */
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
  length: u32; // of a text, else 0
  at: usize; // where a text begins
  pad0: u32;
  bits: u64; // of a number that is no text
}
if (offsetof<Found>() != 24) ERROR("Found must stay 24 bytes");

@unmanaged export class Findings {
  start: usize; // first byte of the item
  length: u32;
  seen: u32; // bit set of the slots that have a value
  isMap: u32; // 0: it has no fields at all
  // a Found for each slot follows, and one more for what no field asks for
}
const SLOTS_AT: usize = 16;
const SLOTS_MAX: u32 = 12;
if (offsetof<Findings>() != SLOTS_AT) ERROR("Findings must stay 16 bytes");
if (SLOTS_AT + (SLOTS_MAX + 1) * offsetof<Found>() > FOUND_BYTES) ERROR("Findings outgrew their place");

/** Place, as of `placeOf`, of values that no field asks for. */
export const NO_PLACE: u32 = SLOTS_AT + SLOTS_MAX * offsetof<Found>();

/** Stands in for every slot that nothing was found for; never written. */
const NOTHING: usize = memory.data(24, 8);

/** The findings of item number `item` of the message; all that are further back share the last place. */
@inline export function findingsOf(item: u32): Findings {
  return changetype<Findings>(FOUND + <usize>min(item, FOUND_MAX) * FOUND_BYTES);
}

/** Where in findings a slot's value is. */
@inline export function placeOf(slot: u32): u32 {
  return SLOTS_AT + slot * offsetof<Found>();
}

@inline export function foundIn(findings: Findings, place: u32): Found {
  return changetype<Found>(changetype<usize>(findings) + place);
}

/** The value of a slot; its type is ABSENT where none was found. */
@inline export function foundAt(findings: Findings, slot: u32): Found {
  return (findings.seen >> slot) & 1 ? foundIn(findings, placeOf(slot)) : changetype<Found>(NOTHING);
}

@inline export function keepText(found: Found, type: u32, from: usize, to: usize): void {
  found.type = type;
  found.at = from;
  found.length = <u32>(to - from);
}

@inline export function keepNumber(found: Found, type: u32, bits: u64): void {
  found.type = type;
  found.length = 0;
  found.bits = bits;
}

@inline export function keepDigits(found: Found, at: usize, length: u32, value: u64): void {
  found.type = INTEGER;
  found.at = at;
  found.length = length;
  found.bits = value;
}
