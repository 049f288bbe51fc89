// What is to become of an event, found before anything is written: an event applies whole or not at all. Everything
// is judged as of `now`, the clock to which the event will bring the partition: what leaves up to then is gone.
import { UNLISTED, findChannel, hashOfChannel } from "./channels";
import { coldAt, customerAt, findCustomer, hasId, hashOfId, idUnitsOf, rowAt } from "./customers";
import * as ITEM from "./item";
import { Item } from "./item";
import { CHANNELS_MAX, customerMax, idBytesMax } from "./layout";
import {
  CANCEL,
  LOOSE,
  ORDER,
  Order,
  REVERSED,
  VOID,
  amountAt,
  entriesFree,
  findEvent,
  hashOfEvent,
  identityOf,
  kindAt,
  orderAt,
  reversalAt,
  reversedAt,
  timeAt,
} from "./log";
import { Model, leave, modelAt } from "./models";
import { chunksFor, expiryOf, hasPlace, ownExpired } from "./parked";
import { adds, counts, takes, worth } from "./rows";
import {
  AMENDED,
  ANONYMOUS,
  APPLIED,
  CLOCK_BROKER,
  CLOCK_EVENT,
  DUPLICATE,
  LATE,
  PARKED,
  REJECTED,
  S,
  SKIPPED,
  STALE,
  TESTED,
} from "./status";

/** What is done with an event. */
export const IGNORE: u8 = 0;
export const NEW_ORDER: u8 = 1;
export const LATE_ORDER: u8 = 2;
export const AMEND_ORDER: u8 = 3;
export const NEW_LOOSE: u8 = 4; // a refund without order
export const LATE_LOOSE: u8 = 5;
export const ATTACH: u8 = 6; // a reversal to its order
export const PARK: u8 = 7;

/** No reason: the event is not dead-lettered. */
export const NO_REASON: u8 = 255;
/** Largest sum that is exact on the other side of the border. */
export const SUM_MAX: i64 = 1 << 53;

// The judgement.
export let action: u8 = IGNORE;
export let outcome: u32 = 0;
export let reason: u8 = NO_REASON;
/** The customer's number, 0 where it has none yet; its id's hash. */
export let customer: u32 = 0;
export let customerHash: u64 = 0;
export let channel: u8 = UNLISTED;
/** Hash of the event's identity, and its entry where it is known. */
export let hash: u64 = 0;
export let known: u32 = 0;
/** Of an order that is new: the Reversed that waited for it when it was judged, 0 for none. */
export let waiting: u32 = 0;
/** Of a reversal: hash of its order's identity, and the order's entry where it is known. */
export let orderHash: u64 = 0;
export let order: u32 = 0;

function reject(why: u8): void {
  action = IGNORE;
  outcome = REJECTED;
  reason = why;
}

function ignore(as: u32): void {
  action = IGNORE;
  outcome = as;
}

function act(what: u8, as: u32): void {
  action = what;
  outcome = as;
}

/** Is there room for whatever this event may bring? A full partition takes no more. */
export function hasCapacity(item: Item, subjectLength: u32): bool {
  const entries: u32 = item.kind == ITEM.ORDER ? 2 : 4 + chunksFor(item.length, subjectLength);
  return (
    entriesFree() >= entries &&
    S.customers < customerMax &&
    (S.idUnits + idUnitsOf(item.customerLength)) << 1 <= idBytesMax
  );
}

/** The clock once this event is applied. */
@inline export function clockWith(item: Item): i64 {
  return S.clockKind == CLOCK_EVENT && item.time > S.clock ? item.time : S.clock;
}

/** Number of an event's customer, 0 if it never came. Nearly always the one that was found ahead. */
@inline export function findOwner(item: Item): u32 {
  const number = item.number;
  if (number != 0 && hasId(customerAt(number), item.customer, item.customerLength)) return number;
  return findCustomer(item.customerHash, item.customer, item.customerLength);
}

/** Judges an event as of `now`. */
export function judge(item: Item, now: i64): void {
  reason = NO_REASON;
  customer = 0;
  known = 0;
  waiting = 0;
  order = 0;
  channel = UNLISTED;
  const verdict = item.verdict;
  if (verdict != ITEM.FINE) {
    if (verdict == ITEM.TEST) ignore(TESTED);
    else if (verdict == ITEM.SKIPPED) ignore(SKIPPED);
    else if (verdict == ITEM.ANONYMOUS) ignore(ANONYMOUS);
    else reject(verdict - 1);
    return;
  }
  // Another event of the block may have numbered its channel meanwhile.
  if (item.channelNumber == UNLISTED) identify(item);
  customerHash = item.customerHash;
  const number = findOwner(item);
  // Who is known here belongs here.
  if (number == 0 && S.partitions != 0 && partitionOf(item.customer, item.customerLength) != S.partition)
    return reject(ITEM.FOREIGN_PARTITION);
  if (S.clockKind == CLOCK_BROKER && item.time > now + S.tolerance) return reject(ITEM.TOO_FAR_AHEAD);
  channel = item.channelNumber;
  if (!anyTakes(item, channel)) return reject(ITEM.NO_MODEL);
  if (channel == UNLISTED && S.channels == CHANNELS_MAX - 1) return reject(ITEM.OVER_LIMIT);
  customer = number;
  hash = item.hash;
  if (customer != 0) known = findEvent(hash, customer);
  if (item.kind == ITEM.ORDER) judgeOrder(item, now);
  else judgeReversal(item, now);
}

/** Finds an event's channel, and hashes its customer and its identity. */
function identify(item: Item): void {
  identifyOn(item, findChannel(item.channel, item.channelLength));
}

/** Hashes an event's customer and its identity; it is on channel `channel`, UNLISTED for one without a number. */
@inline export function identifyOn(item: Item, channel: u8): void {
  item.channelNumber = channel;
  item.customerHash = hashOfId(item.customer, item.customerLength);
  item.hash = hashOfEvent(item.customerHash, channelHashOf(item), item.kind, item.id, item.idLength);
}

@inline function channelHashOf(item: Item): u64 {
  return hashOfChannel(item.channelNumber, item.channel, item.channelLength);
}

/** FNV-1a (32 bits) of the customer as a subject token, modulo the partitions: as the broker's own mapping has it. */
export function partitionOf(bytes: usize, length: u32): u32 {
  let h: u32 = 0x811c9dc5;
  for (let i: u32 = 0; i < length; i++) {
    const c: u32 = load<u8>(bytes + i);
    if ((c | 32) - 97 < 26 || c - 48 < 10 || c == 45 || c == 95) {
      h = (h ^ c) * 0x01000193;
    } else {
      h = (h ^ 61) * 0x01000193; // "="
      h = (h ^ hexDigit(c >> 4)) * 0x01000193;
      h = (h ^ hexDigit(c & 15)) * 0x01000193;
    }
  }
  return h % S.partitions;
}

@inline function hexDigit(value: u32): u32 {
  return value < 10 ? 48 + value : 55 + value;
}

/** Does any model take an event on this channel? */
@inline export function anyTakes(item: Item, channel: u8): bool {
  // A reversal of an order has its order's currency where it names none.
  for (let m: u32 = 0; m < S.models; m++) if (takes(modelAt(m), m, channel, item.currency)) return true;
  return false;
}

@inline function hasLeft(entry: u32, now: i64): bool {
  return leave(timeAt(entry), S.horizon) <= now;
}

/** Would `more` of this customer's entries be too many once those that leave up to `now` have left? */
function isTooLong(now: i64, more: u32): bool {
  if (customer == 0) return false;
  const owner = customerAt(customer);
  let entries = owner.entries + more;
  if (entries <= S.entriesPerCustomerMax) return false;
  for (let e = coldAt(customer).oldest; e != 0 && hasLeft(e, now); e = orderAt(e).next) entries--;
  return entries > S.entriesPerCustomerMax;
}

/** Would `by` more take a sum ever of the customer past what is exact? */
@inline function overflows(item: Item, by: i64, instead: u32): bool {
  return S.amountsEver > SUM_MAX - abs(by) && customer != 0 && overflowsFor(item, by, instead);
}

function overflowsFor(item: Item, by: i64, instead: u32): bool {
  for (let m: u32 = 0; m < S.models; m++) {
    const model = modelAt(m);
    if (!takes(model, m, channel, item.currency) || !adds(model, item.currency)) continue;
    let sum = rowAt(customerAt(customer), m).spendEver + by;
    if (instead != 0 && isInSum(model, instead)) sum -= worth(model, instead);
    if (sum > SUM_MAX || sum < -SUM_MAX) return true;
  }
  return false;
}

@inline function isInSum(model: Model, entry: u32): bool {
  return kindAt(entry) == LOOSE || counts(model, entry);
}

/** By how much a known reversal's going could raise a sum, at most. */
function heldDown(reversal: u32): i64 {
  if (kindAt(reversal) == LOOSE) return amountAt(reversal);
  const order = reversedAt(reversalAt(reversal).reversed).order;
  return order == 0 ? 0 : amountAt(kindAt(reversal) == CANCEL ? order : reversal);
}

function judgeOrder(item: Item, now: i64): void {
  if (known != 0 && kindAt(known) == REVERSED) {
    waiting = known;
    known = 0;
  }
  if (known != 0 && hasLeft(known, now)) known = 0;
  if (known == 0) {
    if (leave(item.time, S.horizon) <= now) return act(LATE_ORDER, LATE);
    if (isTooLong(now, 1)) return reject(ITEM.OVER_LIMIT);
    if (overflows(item, item.amount, 0)) return reject(ITEM.OVERFLOW);
    return act(NEW_ORDER, APPLIED);
  }
  const entry = orderAt(known);
  if (item.version < highOf(entry)) return ignore(STALE);
  if (item.version == entry.version) {
    const same =
      item.time == timeAt(known) &&
      item.amount == amountAt(known) &&
      item.currency == entry.currency &&
      (item.isVoid != 0) == ((entry.flags & VOID) != 0);
    if (same) return ignore(DUPLICATE);
    if (item.version == 0) return reject(ITEM.CONFLICT);
  }
  if (overflows(item, item.amount, known)) return reject(ITEM.OVERFLOW);
  act(AMEND_ORDER, AMENDED);
}

/** Highest version of an order and of its cancels that have one. */
export function highOf(entry: Order): i64 {
  if (entry.reversed == 0) return entry.version;
  return max(entry.version, reversedAt(entry.reversed).cancelVersion);
}

function judgeReversal(item: Item, now: i64): void {
  if (item.order != 0) {
    orderHash = hashOfEvent(customerHash, channelHashOf(item), ITEM.ORDER, item.order, item.orderLength);
    if (customer != 0) order = findEvent(orderHash, customer);
    if (order != 0 && (kindAt(order) != ORDER || hasLeft(order, now))) order = 0;
  }
  if (known != 0 && isGone(known, now)) known = 0;
  if (known != 0 && !isNews(item)) return;
  if (item.order == 0) return judgeLoose(item, now);
  if (known != 0 && overflows(item, heldDown(known), 0)) return reject(ITEM.OVERFLOW);
  if (order == 0) {
    // What it takes the place of leaves its own.
    const waits: u32 = known != 0 && kindAt(known) != LOOSE ? reversalAt(known).parked : 0;
    let leaving: u32 = waits != 0 ? 1 : 0;
    if (S.parked - leaving >= S.parkedMax && customer != 0) leaving += ownExpired(customerAt(customer), now);
    if (!hasPlace(chunksFor(item.length, 0), leaving, waits)) return reject(ITEM.PARKED_FULL);
    if (isTooLong(now, known == 0 ? 2 : waits != 0 ? 0 : 1)) return reject(ITEM.OVER_LIMIT);
    return act(PARK, known != 0 ? AMENDED : PARKED);
  }
  const target = orderAt(order);
  if (item.currency != 0 && item.currency != target.currency) return reject(ITEM.CONFLICT);
  if (item.kind == ITEM.CANCEL && item.version != 0 && item.version < highOf(target)) return ignore(STALE);
  if (known == 0 && isTooLong(now, 1)) return reject(ITEM.OVER_LIMIT);
  act(ATTACH, known != 0 ? AMENDED : APPLIED);
}

function judgeLoose(item: Item, now: i64): void {
  if (leave(item.time, S.horizon) <= now) return act(LATE_LOOSE, known != 0 ? AMENDED : APPLIED);
  if (known == 0 && isTooLong(now, 1)) return reject(ITEM.OVER_LIMIT);
  if (overflows(item, -item.amount, known != 0 && kindAt(known) == LOOSE ? known : 0)) return reject(ITEM.OVERFLOW);
  act(NEW_LOOSE, known != 0 ? AMENDED : APPLIED);
}

/** Is a known reversal gone at `now`: its waiting over, or its order (or itself, without one) past the horizon? */
function isGone(entry: u32, now: i64): bool {
  if (kindAt(entry) == LOOSE) return hasLeft(entry, now);
  const reversal = reversalAt(entry);
  if (reversal.parked != 0) return expiryOf(reversal.parked) <= now;
  return hasLeft(reversedAt(reversal.reversed).order, now);
}

/** Does this reversal say something that the known one does not? Else it is ignored or rejected here. */
function isNews(item: Item): bool {
  const version = reversalAt(known).version;
  const metOrder = kindAt(known) == LOOSE ? 0 : reversedAt(reversalAt(known).reversed).order;
  if (item.kind == ITEM.CANCEL && item.version != 0 && metOrder != 0 && item.version < highOf(orderAt(metOrder))) {
    ignore(STALE);
    return false;
  }
  if (item.version > version) return true;
  if (item.version < version) {
    ignore(STALE);
    return false;
  }
  if (isSameReversal(item, metOrder)) {
    ignore(DUPLICATE);
    return false;
  }
  if (item.version != 0) return true;
  reject(ITEM.CONFLICT);
  return false;
}

function isSameReversal(item: Item, metOrder: u32): bool {
  if (item.time != timeAt(known)) return false;
  if (item.kind != ITEM.CANCEL && item.amount != amountAt(known)) return false;
  const currency = reversalAt(known).currency;
  if (kindAt(known) == LOOSE) return item.order == 0 && item.currency == currency;
  if (item.order == 0 || identityOf(reversedAt(reversalAt(known).reversed)) != orderHash) return false;
  if (item.currency == currency) return true;
  // Without a currency it has its order's, which is not known while it waits.
  if (item.currency != 0 && currency != 0) return false;
  return metOrder == 0 || item.currency + currency == orderAt(metOrder).currency;
}
