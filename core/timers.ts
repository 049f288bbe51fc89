// Timers: one a customer, in a hierarchical timing wheel (Varghese and Lauck, "Hashed and hierarchical timing
// wheels", 1987) of six levels of 256 slots, one ms to a slot at the lowest. A timer lies at the level of the
// highest byte in which its instant differs from the wheel's, and moves down when the wheel comes to its slot.
//
// All customers of the instant under way lie in a bitmap over their numbers instead, 64 bits a word and a bit for a
// word of the level below, so that they come out in the order of their numbers, whatever order they went in.
//
//   wheel: | level 0: 256 heads (u32), 256 bits | level 1 | … | level 5 |
import { DUE_LEVELS, WHEEL, customerMax, dueBits, dueWords } from "./layout";
import { Customer, IN_DUE, armedOf, customerAt, setArmed } from "./customers";
import { S } from "./status";

const LEVELS: u32 = 6;
const SLOTS: u32 = 256;
const LEVEL_BYTES: usize = 256 * 4 + 32;

/** Later than every instant. A timer that far away is none. */
export const NEVER: i64 = 0xffff_ffff_ffff;

@inline function headAddress(level: u32, slot: u32): usize {
  return WHEEL + <usize>level * LEVEL_BYTES + (<usize>slot << 2);
}

@inline function bitAddress(level: u32, slot: u32): usize {
  return WHEEL + <usize>level * LEVEL_BYTES + SLOTS * 4 + (<usize>(slot >> 6) << 3);
}

@inline function levelOf(instant: i64): u32 {
  const differing = <u64>(instant ^ S.wheelNow);
  return differing == 0 ? 0 : (63 - <u32>clz(differing)) >> 3;
}

@inline function slotAt(instant: i64, level: u32): u32 {
  return <u32>(instant >> <i64>(level << 3)) & 255;
}

function place(number: u32, customer: Customer, instant: i64): void {
  const level = levelOf(instant);
  const slot = slotAt(instant, level);
  const head = headAddress(level, slot);
  const next = load<u32>(head);
  customer.timerNext = next;
  customer.timerPrevious = 0;
  if (next != 0) customerAt(next).timerPrevious = number;
  store<u32>(head, number);
  const bits = bitAddress(level, slot);
  store<u64>(bits, load<u64>(bits) | (<u64>1 << (slot & 63)));
}

function take(customer: Customer, instant: i64): void {
  const next = customer.timerNext;
  if (next != 0) customerAt(next).timerPrevious = customer.timerPrevious;
  if (customer.timerPrevious != 0) {
    customerAt(customer.timerPrevious).timerNext = next;
  } else {
    const level = levelOf(instant);
    const slot = slotAt(instant, level);
    store<u32>(headAddress(level, slot), next);
    if (next == 0) clearSlot(level, slot);
  }
  customer.timerNext = 0;
  customer.timerPrevious = 0;
}

@inline function clearSlot(level: u32, slot: u32): void {
  const bits = bitAddress(level, slot);
  store<u64>(bits, load<u64>(bits) & ~(<u64>1 << (slot & 63)));
}

/**
 * Sees to it that the customer is looked at no later than at `instant`, which is after everything fired. An armed
 * timer that is earlier stays: it will fire early, look, and arm anew.
 */
export function arm(number: u32, instant: i64): void {
  if (instant >= NEVER) return;
  const customer = customerAt(number);
  const armed = armedOf(customer);
  if (armed != 0) {
    if (armed <= instant) return;
    assert((customer.flags & IN_DUE) == 0, "nothing is due before the instant under way");
    take(customer, armed);
  } else {
    S.timers++;
  }
  setArmed(customer, instant);
  place(number, customer, instant);
  if (instant < S.quietUntil) S.quietUntil = instant;
}

/** True where no timer is due up to `now`; false where one may be. */
@inline export function isQuiet(now: i64): bool {
  return now < S.quietUntil && S.dueCount == 0;
}

/** First used slot of a level from `slot` on, 256 for none. */
function usedSlot(level: u32, slot: u32): u32 {
  while (slot < SLOTS) {
    const word = load<u64>(bitAddress(level, slot)) >> (slot & 63);
    if (word != 0) return slot + <u32>ctz(word);
    slot = (slot & ~63) + 64;
  }
  return SLOTS;
}

/** No timer is armed before this instant; NEVER where there is none. Exact to the ms only within 256 ms. */
export function nextArmed(): i64 {
  if (S.dueCount != 0) return S.dueInstant;
  const level = lowestUsed();
  return level == LEVELS ? NEVER : startOf(level, usedSlot(level, slotAt(S.wheelNow, level)));
}

/** First instant of a slot at or after the wheel's own. */
@inline function startOf(level: u32, slot: u32): i64 {
  const shift = <i64>(level << 3);
  return (((S.wheelNow >> shift) & ~255) | <i64>slot) << shift;
}

/** Brings the customers of the earliest armed instant up to `until` into the bitmap. False where there are none. */
export function gatherDue(until: i64): bool {
  if (S.dueCount != 0) return S.dueInstant <= until;
  if (until < S.quietUntil) return false;
  while (true) {
    const level = lowestUsed();
    const slot = level == LEVELS ? 0 : usedSlot(level, slotAt(S.wheelNow, level));
    const start = level == LEVELS ? NEVER : startOf(level, slot);
    if (start > until) {
      S.quietUntil = start;
      return false;
    }
    if (start > S.wheelNow) S.wheelNow = start;
    if (level == 0) {
      emptyIntoDue(slot, start);
      return true;
    }
    cascade(level, slot);
  }
}

/** Level of the earliest used slot, LEVELS for none: a lower level's timers are all earlier. */
function lowestUsed(): u32 {
  for (let level: u32 = 0; level < LEVELS; level++)
    if (usedSlot(level, slotAt(S.wheelNow, level)) < SLOTS) return level;
  return LEVELS;
}

function cascade(level: u32, slot: u32): void {
  const head = headAddress(level, slot);
  let number = load<u32>(head);
  store<u32>(head, 0);
  clearSlot(level, slot);
  while (number != 0) {
    const customer = customerAt(number);
    const next = customer.timerNext;
    place(number, customer, armedOf(customer));
    number = next;
  }
}

function emptyIntoDue(slot: u32, instant: i64): void {
  const head = headAddress(0, slot);
  let number = load<u32>(head);
  store<u32>(head, 0);
  clearSlot(0, slot);
  S.dueInstant = instant;
  while (number != 0) {
    const customer = customerAt(number);
    const next = customer.timerNext;
    customer.timerNext = 0;
    customer.timerPrevious = 0;
    customer.flags |= IN_DUE;
    markDue(number);
    S.dueCount++;
    number = next;
  }
}

@inline function levelAddress(level: u32): usize {
  let at = dueBits;
  for (let below: u32 = 0; below < level; below++) at += <usize>dueWords(customerMax + 1, below) << 3;
  return at;
}

function markDue(number: u32): void {
  let bit = number;
  for (let level: u32 = 0; level < DUE_LEVELS; level++) {
    const word = levelAddress(level) + (<usize>(bit >> 6) << 3);
    const before = load<u64>(word);
    store<u64>(word, before | (<u64>1 << (bit & 63)));
    if (before != 0) return;
    bit >>= 6;
  }
}

/** The lowest number in the bitmap, which is not empty. */
export function firstDue(): u32 {
  let at: u32 = 0;
  // The highest level has few words: 64^4 customers fit into one.
  const top = levelAddress(DUE_LEVELS - 1);
  while (load<u64>(top + (<usize>at << 3)) == 0) at++;
  for (let level: i32 = <i32>DUE_LEVELS - 1; level >= 0; level--)
    at = (at << 6) + <u32>ctz(load<u64>(levelAddress(level) + (<usize>at << 3)));
  return at;
}

/** Takes a customer out of the bitmap; it has no timer then. */
export function dropDue(number: u32): void {
  let bit = number;
  for (let level: u32 = 0; level < DUE_LEVELS; level++) {
    const word = levelAddress(level) + (<usize>(bit >> 6) << 3);
    const rest = load<u64>(word) & ~(<u64>1 << (bit & 63));
    store<u64>(word, rest);
    if (rest != 0) break;
    bit >>= 6;
  }
  const customer = customerAt(number);
  customer.flags &= ~IN_DUE;
  setArmed(customer, 0);
  S.dueCount--;
  S.timers--;
}
