// The order log: entries of 48 bytes with a free list. Everything that is kept of an event, and what hangs on it,
// is an entry, told apart by the kind in its flags (byte 23):
//
//   order      an order, or a refund without order: in its customer's chain in event-time order
//   reversal   a refund or cancel of an order: in the list of its Reversed
//   reversed   what an order's reversals come to; one without order waits for it under the order's identity.
//              One order in LANE_EVERY has one anyway: it links the customer's lane, on which the place of a late
//              order is found without looking at every entry of a long chain
//   parked     until when a reversal waits, and the bytes to dead-letter then
//   chunk      44 of those bytes
import { ENTRY_BYTES, entryMax, eventLineCount, eventSlots, log } from "./layout";
import { Customer, coldOf, customerAt } from "./customers";
import { sipHash } from "./hash";
import {
  homeOf,
  insertKey,
  isFull,
  lineAt,
  nextLine,
  numberIn,
  removeKey,
  replaceKey,
  tagOf,
  tagged,
} from "./lookup";
import { S } from "./status";

export const KIND: u8 = 7; // of the flags
export const ORDER: u8 = 1;
export const LOOSE: u8 = 2; // a refund without order
export const REFUND: u8 = 3;
export const CANCEL: u8 = 4;
export const REVERSED: u8 = 5;
export const VOID: u8 = 8; // an order whose status says that it does not count

export const FINAL: u8 = 16; // a Reversed that a cancel without version met
export const LANE: u8 = 32; // an order whose Reversed links the lane

/** One entry of a chain in so many lies on the lane, chosen by its hash. */
const LANE_EVERY: u64 = 128;
/** Entries looked at from the ends of a chain before the lane is taken. */
const ENDS_MAX: u32 = 128;

export const NO_VERSION: i64 = -1;

@unmanaged export class Order {
  hash: u64; // of its identity
  timeLow: u32; // 48 bits
  timeHigh: u16;
  currency: u16;
  amountLow: u32; // 48 bits
  amountHigh: u16;
  channel: u8;
  flags: u8;
  // Near the time: a newer order reads the one and writes the other, most often in one cache line.
  next: u32; // newer
  previous: u32; // older
  version: i64;
  customer: u32;
  reversed: u32; // its Reversed, 0 for none
}

@unmanaged export class Reversal {
  hash: u64;
  timeLow: u32;
  timeHigh: u16;
  currency: u16; // as it came: 0 for its order's
  amountLow: u32;
  amountHigh: u16;
  channel: u8;
  flags: u8;
  reversed: u32; // its Reversed
  next: u32; // that arrived later
  version: i64;
  parked: u32; // its Parked, 0 when it has met its order
  pad0: u32;
}

@unmanaged export class Reversed {
  hash: u64; // of the order's identity while it is waited for, then the lane: newer (low) and older order (high)
  refunded: i64; // by the refunds that met their order
  pad0: u32;
  pad1: u16;
  pad2: u8;
  flags: u8;
  order: u32; // 0: still waited for
  first: u32; // in order of arrival
  cancelVersion: i64; // highest of the cancels that met their order, NO_VERSION for none
  customer: u32;
  last: u32;
}

@unmanaged export class Parked {
  expiry: i64;
  sequence: f64; // of the message it came with
  index: u32; // in that message
  pad0: u32;
  fifoNext: u32; // in order of arrival in the partition
  fifoPrevious: u32;
  ownNext: u32; // and of its customer
  ownPrevious: u32; // of the first: the last
  bytes: u32; // first chunk
  reversal: u32;
}
if (offsetof<Order>() != ENTRY_BYTES) ERROR("Order must stay 48 bytes");
if (offsetof<Reversal>() != ENTRY_BYTES) ERROR("Reversal must stay 48 bytes");
if (offsetof<Reversed>() != ENTRY_BYTES) ERROR("Reversed must stay 48 bytes");
if (offsetof<Parked>() != ENTRY_BYTES) ERROR("Parked must stay 48 bytes");
// The words of time and currency, and of amount, channel and flags.
const TIME_AT: usize = 8;
const AMOUNT_AT: usize = 16;
if (offsetof<Order>("timeLow") != TIME_AT || offsetof<Order>("currency") != TIME_AT + 6) ERROR("setContent writes one word");
if (offsetof<Order>("amountLow") != AMOUNT_AT || offsetof<Order>("channel") != AMOUNT_AT + 6)
  ERROR("setContent writes one word");
if (offsetof<Order>("flags") != 23 || offsetof<Reversal>("flags") != 23 || offsetof<Reversed>("flags") != 23)
  ERROR("flags must stay byte 23 of every entry that has an identity");

@inline export function entryAddress(number: u32): usize {
  return log + <usize>number * ENTRY_BYTES;
}

@inline export function orderAt(number: u32): Order {
  return changetype<Order>(entryAddress(number));
}

@inline export function reversalAt(number: u32): Reversal {
  return changetype<Reversal>(entryAddress(number));
}

@inline export function reversedAt(number: u32): Reversed {
  return changetype<Reversed>(entryAddress(number));
}

@inline export function parkedAt(number: u32): Parked {
  return changetype<Parked>(entryAddress(number));
}

@inline export function kindAt(number: u32): u8 {
  return orderAt(number).flags & KIND;
}

/** Event time of an order or reversal. */
@inline export function timeAt(number: u32): i64 {
  return <i64>(load<u64>(entryAddress(number), TIME_AT) & 0xffff_ffff_ffff);
}

@inline export function amountAt(number: u32): i64 {
  return <i64>(load<u64>(entryAddress(number), AMOUNT_AT) & 0xffff_ffff_ffff);
}

/** Writes what an order and a reversal have in common. */
@inline export function setContent(number: u32, kind: u8, channel: u8, time: i64, amount: i64, currency: u16, version: i64): void {
  // Whole words, as `timeAt` and `amountAt` read them: a word that was written in parts can't be read before all that
  // was written before it has reached the cache.
  const at = entryAddress(number);
  store<u64>(at, <u64>time | ((<u64>currency) << 48), TIME_AT);
  store<u64>(at, <u64>amount | ((<u64>channel) << 48) | ((<u64>kind) << 56), AMOUNT_AT);
  orderAt(number).version = version;
}

@inline export function entriesFree(): u32 {
  return entryMax - S.entries;
}

/** Takes an entry, all zero. The caller has seen that there is one. */
@inline export function takeEntry(): u32 {
  S.entries++;
  const free = S.entryFree;
  if (free == 0) {
    assert(S.entryTop < entryMax, "room was seen before the event");
    return ++S.entryTop;
  }
  S.entryFree = load<u32>(entryAddress(free));
  store<u32>(entryAddress(free), 0);
  return free;
}

export function freeEntry(number: u32): void {
  S.entries--;
  // Cleared, so that the bytes of a partition depend on its input alone.
  memory.fill(entryAddress(number), 0, ENTRY_BYTES);
  store<u32>(entryAddress(number), S.entryFree);
  S.entryFree = number;
}

/** Hash of an event's identity: customer and channel (their hashes), kind and id. */
export function hashOfEvent(customerHash: u64, channelHash: u64, kind: u32, id: usize, length: u32): u64 {
  return sipHash(S.key0, S.key1, customerHash ^ channelHash ^ (<u64>kind + 1), id, length);
}

/** Entry with this identity of this customer, 0 for none. */
@inline export function findEvent(hash: u64, customer: u32): u32 {
  const tag = tagOf(hash);
  let line = homeOf(tag, eventLineCount);
  while (true) {
    const at = lineAt(eventSlots, line);
    for (let found = tagged(at, tag); found != 0; found &= found - 1) {
      const number = numberIn(at, ctz(found));
      if (number != 0 && orderAt(number).hash == hash && ownerOf(number) == customer) return number;
    }
    if (!isFull(at)) return 0;
    line = nextLine(line, eventLineCount);
  }
}

/** Customer of an entry that has an identity. */
export function ownerOf(number: u32): u32 {
  const kind = kindAt(number);
  if (kind == REFUND || kind == CANCEL) return reversedAt(reversalAt(number).reversed).customer;
  return orderAt(number).customer;
}
if (offsetof<Order>("customer") != offsetof<Reversed>("customer")) ERROR("ownerOf reads both as one");
if (offsetof<Order>("version") != offsetof<Reversal>("version")) ERROR("setContent writes both as one");

@inline export function enterEvent(number: u32): void {
  insertKey(eventSlots, eventLineCount, orderAt(number).hash, number);
}

export function forgetEvent(number: u32): void {
  removeKey(eventSlots, eventLineCount, orderAt(number).hash, number);
}

/** Lets an order take the place in the index of the Reversed that waited for it. */
export function replaceEvent(waiting: u32, order: u32): void {
  const hash = orderAt(order).hash;
  replaceKey(eventSlots, eventLineCount, hash, waiting, order);
}

@inline function isOnLane(number: u32): bool {
  return (orderAt(number).flags & LANE) != 0;
}

@inline function laneAddress(number: u32): usize {
  return entryAddress(orderAt(number).reversed);
}

@inline function laneNewer(number: u32): u32 {
  return load<u32>(laneAddress(number));
}

@inline function laneOlder(number: u32): u32 {
  return load<u32>(laneAddress(number), 4);
}

function joinLane(older: u32, newer: u32): void {
  if (older != 0) store<u32>(laneAddress(older), newer);
  if (newer != 0) store<u32>(laneAddress(newer), older, 4);
}

/** The entry behind which one of time `time` belongs, 0 for the front; it is not the end of the chain. */
function placeOf(customer: Customer, time: i64): u32 {
  let older = customer.newest;
  let newer = coldOf(customer).oldest;
  for (let step: u32 = 0; step < ENDS_MAX; step++) {
    S.chainSteps++;
    if (timeAt(newer) > time) return orderAt(newer).previous;
    newer = orderAt(newer).next;
    older = orderAt(older).previous;
    if (timeAt(older) <= time) return older;
  }
  while (timeAt(older) > time) {
    S.chainSteps++;
    const hop = isOnLane(older) ? laneOlder(older) : 0;
    older = hop != 0 && timeAt(hop) > time ? hop : orderAt(older).previous;
  }
  return older;
}

/** The next entry of the lane behind `number` in the chain, 0 for none. */
function laneBehind(number: u32): u32 {
  let older = orderAt(number).previous;
  while (older != 0 && !isOnLane(older)) {
    S.chainSteps++;
    older = orderAt(older).previous;
  }
  return older;
}

function laneBefore(number: u32): u32 {
  let newer = orderAt(number).next;
  while (newer != 0 && !isOnLane(newer)) {
    S.chainSteps++;
    newer = orderAt(newer).next;
  }
  return newer;
}

function linkLane(number: u32): void {
  const order = orderAt(number);
  if (order.reversed == 0) {
    order.reversed = takeEntry();
    const reversed = reversedAt(order.reversed);
    reversed.flags = REVERSED;
    reversed.cancelVersion = NO_VERSION;
    reversed.customer = order.customer;
    reversed.order = number;
  }
  const older = laneBehind(number);
  const newer = older != 0 ? laneNewer(older) : laneBefore(number);
  order.flags |= LANE;
  joinLane(older, number);
  joinLane(number, newer);
}

/**
 * Puts an order into its customer's chain, behind those of the same time. Most belong at an end; the place of
 * another is looked for from both ends at once, and then along the lane. Returns whether it is the newest now.
 */
@inline export function link(customer: Customer, number: u32): bool {
  const order = orderAt(number);
  const time = timeAt(number);
  const newest = customer.newest;
  const older = newest == 0 || timeAt(newest) <= time ? newest : placeOf(customer, time);
  const newer = newest == 0 ? 0 : older == 0 ? coldOf(customer).oldest : orderAt(older).next;
  order.previous = older;
  order.next = newer;
  if (older == 0) coldOf(customer).oldest = number;
  else orderAt(older).next = number;
  if (newer == 0) customer.newest = number;
  else orderAt(newer).previous = number;
  if (order.hash % LANE_EVERY == 0) linkLane(number);
  return newer == 0;
}

/** The same for one that is not older than the customer's newest, which there is. */
@inline export function linkNewest(customer: Customer, number: u32): void {
  const order = orderAt(number);
  const newest = customer.newest;
  order.previous = newest;
  order.next = 0;
  orderAt(newest).next = number;
  customer.newest = number;
  if (order.hash % LANE_EVERY == 0) linkLane(number);
}

export function unlink(customer: Customer, number: u32): void {
  const order = orderAt(number);
  if (isOnLane(number)) {
    joinLane(laneOlder(number), laneNewer(number));
    store<u64>(laneAddress(number), 0);
    order.flags &= ~LANE;
  }
  if (order.previous == 0) coldOf(customer).oldest = order.next;
  else orderAt(order.previous).next = order.next;
  if (order.next == 0) customer.newest = order.previous;
  else orderAt(order.next).previous = order.previous;
  order.next = 0;
  order.previous = 0;
}

/** Hash of the identity of a reversal's order. */
export function identityOf(reversed: Reversed): u64 {
  return reversed.order != 0 ? orderAt(reversed.order).hash : reversed.hash;
}

/** Notes that a customer has `by` entries more: orders and reversals, parked ones twice. */
@inline export function countEntries(customer: Customer, by: i32): void {
  customer.entries += by;
  if (customer.entries > S.chainLongest) S.chainLongest = customer.entries;
}

/** Customer number → its record, for entries. */
@inline export function customerOf(number: u32): Customer {
  return customerAt(ownerOf(number));
}
