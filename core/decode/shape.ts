// Shapes of items. A producer writes the same keys in the same order and spacing, again and again: what stands
// between two values of an item (separators, a key, the head of a map) is the same bytes as in the item before.
// Each such run of bytes is a step, with what the value behind it is for. An item that known steps lead through
// needs no other look at its keys, which were checked when the steps were learnt; any other is read key by key,
// and its steps are learnt. What an item means never depends on what is known.
//
//   SHAPES      for each source its first steps in JSON and in MessagePack: without bytes, they only lead on
//   (behind)    steps, as they are learnt; where there is no place for another, all are forgotten
//
// Steps form a trie: `next` is the first that may follow, `other` the next that may stand instead of one.
import { SHAPES, SHAPES_BYTES, SOURCES_MAX } from "../layout";
import { NO_PLACE, placeOf } from "./found";
import { Entry } from "./table";

@unmanaged export class Step {
  head: u64; // the first 16 of its bytes, zero behind fewer
  head2: u64;
  mask: u64; // set where one of these is
  mask2: u64;
  tail: u64; // of more than 16: the last 16
  tail2: u64;
  next: usize; // 0: none
  other: usize; // 0: none
  bit: u16; // of the slot of its value; 0: no field asks for it
  place: u16; // of its value among the findings
  length: u8; // at most STEP_MAX
  depth: u8; // so deep may its value nest
  isEnd: u8; // behind it the item ends, without another value
  pad0: u8;
}
if (offsetof<Step>() != 64) ERROR("Step must stay 64 bytes");
const MASK_AT: usize = offsetof<Step>("mask");
const TAIL_AT: usize = offsetof<Step>("tail");

const STEP_MAX: usize = 32;
/** Steps that may follow one; where there would be more, they begin anew. */
const NEXT_MAX: u32 = 8;
const LEARNT: usize = SHAPES + <usize>SOURCES_MAX * 2 * offsetof<Step>();
const SHAPES_END: usize = SHAPES + SHAPES_BYTES;

/** The step before the first of all items of a source in a format. */
@inline export function firstStep(source: u32, isMsgpack: bool): Step {
  return changetype<Step>(SHAPES + <usize>((source << 1) | <u32>isMsgpack) * offsetof<Step>());
}

/** Bytes that can be read from where a step may be: its own and, of its value, its first byte and two vectors. */
export const AHEAD: usize = STEP_MAX + 48;

/** Are the step's bytes at `p`? */
@inline export function isAt(step: Step, p: usize): bool {
  const at = changetype<usize>(step);
  if (v128.any_true(v128.and(v128.xor(v128.load(p), v128.load(at)), v128.load(at + MASK_AT)))) return false;
  const length = <usize>step.length;
  return length <= 16 || !v128.any_true(v128.xor(v128.load(p + length - 16), v128.load(at + TAIL_AT)));
}

// What is learnt of the item that is being read key by key.
let free: usize = LEARNT; // where the next step is written
let last: usize = 0; // the step learnt last; 0: nothing more is learnt of this item
let from: usize = 0; // where the next one's bytes begin
let learnt: u32 = 0; // slots at and under the keys passed

/** Begins to learn from the item at `p`. */
export function beginLearning(first: Step, p: usize): void {
  last = changetype<usize>(first);
  from = p;
  learnt = 0;
}

/** Learns the way to the value from `at` to `behind`, of a key that is not mapped. It may nest `depth` deep. */
export function learnOther(at: usize, behind: usize, depth: i32): void {
  if (last) learn(at, behind, 0, NO_PLACE, depth, false);
}

/** The same of a mapped key. Where paths lead on from it, the next item may have a map there: that can't be learnt. */
export function learnValue(entry: Entry, at: usize, behind: usize, depth: i32): void {
  if (entry.child) last = 0;
  learnt |= entry.beneath;
  if (last) learn(at, behind, entry.bit, placeOf(entry.slot), depth, false);
}

/** Learns that paths lead into the map of a key: unless it counts as a value, too, or replaces one that did. */
export function learnMap(entry: Entry): void {
  if (entry.bit || learnt & entry.beneath) last = 0;
}

/** Learns that the item ends at `end`. */
export function learnEnd(end: usize): void {
  if (last) learn(end, end, 0, NO_PLACE, 0, true);
}

function learn(to: usize, behind: usize, bit: u32, place: u32, depth: i32, isEnd: bool): void {
  const length = to - from;
  const canRead = from <= (<usize>memory.size() << 16) - 16;
  const step = changetype<Step>(length <= STEP_MAX && canRead ? stepOf(length) : 0);
  last = changetype<usize>(step);
  from = behind;
  if (last == 0) return;
  step.bit = <u16>bit;
  step.place = <u16>place;
  step.depth = <u8>depth;
  step.isEnd = <u8>isEnd;
}

/** From the n-th byte on, 16 - n bytes are set and n are not. */
const MASKS: usize = memory.data<u64>([~0, ~0, 0, 0], 16);

/** The step of the next `length` bytes that follows the one learnt last; 0 where there is no place for it. */
function stepOf(length: usize): usize {
  const before = changetype<Step>(last);
  const mask = v128.load(MASKS + 16 - min<usize>(length, 16));
  const head = v128.and(v128.load(from), mask);
  const tail = length > 16 ? v128.load(from + length - 16) : i64x2.splat(0);
  let count: u32 = 0;
  let behind: usize = 0;
  for (let at = before.next; at != 0; at = changetype<Step>(at).other, count++) {
    const others = v128.or(v128.xor(v128.load(at), head), v128.xor(v128.load(at + TAIL_AT), tail));
    if (changetype<Step>(at).length == length && !v128.any_true(others)) return at;
    behind = at;
  }
  if (free == SHAPES_END) {
    forgetAll();
    return 0;
  }
  const at = free;
  free += offsetof<Step>();
  v128.store(at, head);
  v128.store(at + MASK_AT, mask);
  v128.store(at + TAIL_AT, tail);
  const step = changetype<Step>(at);
  step.next = 0;
  step.other = 0;
  step.length = <u8>length;
  // As one of too many it takes the place of them all: keys that never come again would be passed for ever.
  if (behind == 0 || count == NEXT_MAX) before.next = at;
  else changetype<Step>(behind).other = at;
  return at;
}

function forgetAll(): void {
  for (let at = SHAPES; at < LEARNT; at += offsetof<Step>()) changetype<Step>(at).next = 0;
  free = LEARNT;
}
