// Timers: one a customer, the leaves of a tree of minima over the customers by number, sixteen to a node (a
// tournament: Knuth, TAOCP 5.4.1). The root is the earliest instant of all, and the way down to its first leaf leads
// to the customer that is next by (instant, number). Setting a timer and taking it out walk up one path, so nothing
// is ever done for many customers at once: a million that fall due at one instant are a million short walks.
//
//   timers: | root | 16 below it | 256 | … | one for each customer |     parent of i: (i − 1) / 16
//
// A key is an f64: its instant less NEVER, so that memory as it was reserved says that no timer is armed, and so that
// minima are found two at a time (i64x2 has none).
//
// Those that are next come out a block at a time, so that what they will touch can be read ahead.
import { timerLeaf, timers } from "./layout";
import { armedOf, customerAt, setArmed } from "./customers";
import { DUE, S } from "./status";

/** Later than every instant. A timer that far away is none. */
export const NEVER: i64 = 0xffff_ffff_ffff;

/** Customers of a block. */
const DUE_MAX: u32 = 32;

@inline function keyOf(instant: i64): f64 {
  return <f64>(instant - NEVER);
}

@inline function instantOf(key: f64): i64 {
  return <i64>key + NEVER;
}

@inline function keyAt(index: u32): usize {
  return timers + (<usize>index << 3);
}

@inline function leafOf(number: u32): u32 {
  return timerLeaf + number;
}

/** First of the sixteen that `index` is one of. */
@inline function nodeOf(index: u32): u32 {
  return ((index - 1) & ~15) + 1;
}

@inline function pairAt(node: usize, pair: usize): v128 {
  return v128.load(node + (pair << 4));
}

/** Least key of a node. */
function leastOf(node: usize): f64 {
  const low = f64x2.pmin(f64x2.pmin(pairAt(node, 0), pairAt(node, 1)), f64x2.pmin(pairAt(node, 2), pairAt(node, 3)));
  const high = f64x2.pmin(f64x2.pmin(pairAt(node, 4), pairAt(node, 5)), f64x2.pmin(pairAt(node, 6), pairAt(node, 7)));
  const least = f64x2.pmin(low, high);
  const first = f64x2.extract_lane(least, 0);
  const second = f64x2.extract_lane(least, 1);
  return second < first ? second : first;
}

@inline function equalIn(node: usize, pair: usize, key: v128): u32 {
  return <u32>i64x2.bitmask(f64x2.eq(pairAt(node, pair), key)) << <u32>(pair << 1);
}

/** A bit for each of the node's sixteen that has this key. */
function equals(node: usize, key: f64): u32 {
  const keys = f64x2.splat(key);
  return (
    equalIn(node, 0, keys) |
    equalIn(node, 1, keys) |
    equalIn(node, 2, keys) |
    equalIn(node, 3, keys) |
    equalIn(node, 4, keys) |
    equalIn(node, 5, keys) |
    equalIn(node, 6, keys) |
    equalIn(node, 7, keys)
  );
}

/** Sets a key that is not later than what it was. */
function lower(index: u32, key: f64): void {
  store<f64>(keyAt(index), key);
  while (index != 0) {
    index = (index - 1) >> 4;
    if (load<f64>(keyAt(index)) <= key) return;
    store<f64>(keyAt(index), key);
  }
}

/** Lets what stands above the node of `index` follow keys that have grown. */
function raise(index: u32): void {
  while (index != 0) {
    const least = leastOf(keyAt(nodeOf(index)));
    index = (index - 1) >> 4;
    if (load<f64>(keyAt(index)) == least) return;
    store<f64>(keyAt(index), least);
  }
}

/**
 * Sees to it that the customer is looked at no later than at `instant`, which is after everything fired. An armed
 * timer that is earlier stays: it will fire early, look, and arm anew.
 */
export function arm(number: u32, instant: i64): void {
  if (instant >= NEVER) return;
  const customer = customerAt(number);
  const armed = armedOf(customer);
  if (armed == 0) S.timers++;
  else if (armed <= instant) return;
  setArmed(customer, instant);
  lower(leafOf(number), keyOf(instant));
  if (instant <= S.dueLast) returnBlock();
}

/** True where no timer is due up to `now`. */
@inline export function isQuiet(now: i64): bool {
  return S.dueAt == S.dueCount && load<f64>(timers) > keyOf(now);
}

/** May the customer's rows be due up to `now`? Also true of one in the block. */
export function mayBeDue(number: u32, now: i64): bool {
  const key = load<f64>(keyAt(leafOf(number)));
  if (key != 0) return key <= keyOf(now);
  const armed = armedOf(customerAt(number));
  return armed != 0 && armed <= now;
}

/** No timer is armed before this instant; NEVER where there is none. */
export function nextArmed(): i64 {
  return S.dueAt == S.dueCount ? instantOf(load<f64>(timers)) : armedOf(customerAt(blockAt(S.dueAt)));
}

/** The customer at this place of the block: after `dueAt`, before `dueCount`. */
@inline export function blockAt(place: u32): u32 {
  return load<u32>(DUE + (<usize>place << 2));
}

/** Is there a block? Its first customer is the next of all, by instant and number. */
@inline export function hasBlock(): bool {
  return S.dueAt != S.dueCount;
}

/** Takes those that come next and are due up to `until` out of the tree; there is at least one. */
export function takeBlock(until: i64): void {
  const last = keyOf(until);
  let count: u32 = 0;
  let key = load<f64>(timers);
  while (key <= last && count < DUE_MAX) {
    let index: u32 = 0;
    while (index < timerLeaf) {
      const node = (index << 4) + 1;
      index = node + ctz(equals(keyAt(node), key));
    }
    const node = keyAt(nodeOf(index));
    const number = nodeOf(index) - timerLeaf;
    let due = equals(node, key);
    do {
      const place = ctz(due);
      due &= due - 1;
      store<f64>(node + (<usize>place << 3), 0);
      store<u32>(DUE + (<usize>count << 2), number + place);
      count++;
    } while (due != 0 && count < DUE_MAX);
    if (due == 0) raise(index);
    S.dueLast = instantOf(key);
    key = load<f64>(timers);
  }
  assert(count != 0, "one is due");
  S.dueAt = 0;
  S.dueCount = count;
}

/** Takes the first customer out of the block; it has no timer then. */
export function takeDue(): u32 {
  const number = blockAt(S.dueAt++);
  setArmed(customerAt(number), 0);
  S.timers--;
  if (S.dueAt == S.dueCount) S.dueLast = 0;
  return number;
}

/** Puts the block back into the tree: one that was armed since comes before its last. */
function returnBlock(): void {
  for (let place = S.dueAt; place < S.dueCount; place++) {
    const number = blockAt(place);
    lower(leafOf(number), keyOf(armedOf(customerAt(number))));
  }
  forgetBlock();
}

export function forgetBlock(): void {
  S.dueAt = 0;
  S.dueCount = 0;
  S.dueLast = 0;
}
