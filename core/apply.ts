// What an event does to the log and to the rows of its customer, once it is judged. Every function here finds the
// room seen for, and the judgement made; none can fail.
import * as underWay from "./cause";
import { UNLISTED, addChannel } from "./channels";
import { Customer, HAS_ROWS, addCustomer, armedOf, coldRowAt, customerAt, notePast, numberOf, rowAt } from "./customers";
import { noteChanged } from "./digest";
import { forgetOrder, nextChange } from "./fire";
import * as ITEM from "./item";
import { Item } from "./item";
import * as judged from "./judge";

import {
  CANCEL,
  FINAL,
  KIND,
  LOOSE,
  NO_VERSION,
  ORDER,
  REFUND,
  REVERSED,
  VOID,
  amountAt,
  countEntries,
  enterEvent,
  findEvent,
  forgetEvent,
  freeEntry,
  kindAt,
  link,
  linkNewest,
  orderAt,
  replaceEvent,
  reversalAt,
  Reversed,
  reversedAt,
  setContent,
  takeEntry,
  timeAt,
  unlink,
} from "./log";
import { leave, modelAt } from "./models";
import { BY_AMEND, BY_CANCEL, BY_ORDER, BY_REFUND, hasRoom } from "./output";
import { forgetReversal, park, rejectParked, unpark } from "./parked";
import { adds, counts, enter, enterNewest, exit, keepsBandsWith, subtract, takes, takesEntry } from "./rows";
import { capture, captureHot, noteMoved, settle } from "./settle";
import { APPLIED, CLOCK_BROKER, S, SCENE, STALE, countEvent } from "./status";
import { arm } from "./timers";

/**
 * Before an order is applied: rejects one of the reversals that waited for it and speak of another currency.
 * False where there is none (left). One step of output.
 */
export function rejectUnfit(item: Item): bool {
  if (judged.action != judged.NEW_ORDER || judged.waiting == 0) return false;
  // It may have gone since.
  const waiting = findEvent(judged.hash, judged.customer);
  if (waiting == 0) return false;
  for (let reversal = reversedAt(waiting).first; reversal != 0; reversal = reversalAt(reversal).next) {
    const currency = reversalAt(reversal).currency;
    if (currency == 0 || currency == item.currency) continue;
    rejectParked(reversal, ITEM.CONFLICT, S.clock);
    return true;
  }
  return false;
}

/** Applies the event as it was judged. One step of output: at most one migration a model. */
export function apply(item: Item): void {
  const action = judged.action;
  if (action == judged.IGNORE) return;
  const channel = judged.channel == 255 ? addChannel(item.channel, item.channelLength) : judged.channel;
  underWay.nameChannel(channel);
  S.amountsEver += item.amount;
  const number =
    judged.customer != 0 ? judged.customer : addCustomer(judged.customerHash, item.customer, item.customerLength);
  const customer = customerAt(number);
  noteChanged(number);
  if (action == judged.NEW_ORDER) {
    giveRows(customer);
    newOrder(item, channel, number, customer);
    return;
  }
  if (action != judged.PARK) giveRows(customer);
  for (let m: u32 = 0; m < S.models; m++) capture(rowAt(customer, m), modelAt(m), m);
  let cause: u8 = item.kind == ITEM.CANCEL ? BY_CANCEL : item.kind == ITEM.REFUND ? BY_REFUND : BY_ORDER;
  if (judged.known != 0) {
    cause = BY_AMEND;
    if (action != judged.AMEND_ORDER) takeOut(customer, judged.known);
  }
  if (action == judged.AMEND_ORDER) amendOrder(item, customer);
  else if (action == judged.LATE_ORDER) lateOrder(item, channel, customer);
  else if (action == judged.NEW_LOOSE) newLoose(item, channel, number, customer);
  else if (action == judged.ATTACH) attach(item, channel, customer);
  else if (action == judged.PARK) parkReversal(item, channel, number, customer);
  for (let m: u32 = 0; m < S.models; m++) settle(customer, m, S.clock, cause);
  noteMoved(0, 0);
  arm(number, nextChange(customer));
}

@inline function giveRows(customer: Customer): void {
  if ((customer.flags & HAS_ROWS) != 0) return;
  customer.flags |= HAS_ROWS;
  S.applied++;
}

@inline function newOrder(item: Item, channel: u8, number: u32, customer: Customer): void {
  const entry = takeEntry();
  setContent(
    entry,
    item.isVoid != 0 ? ORDER | VOID : ORDER,
    channel,
    item.time,
    item.amount,
    item.currency,
    item.version,
  );
  const order = orderAt(entry);
  order.hash = judged.hash;
  order.customer = number;
  order.reversed = 0;
  const waiting = judged.waiting == 0 ? 0 : findEvent(judged.hash, number);
  if (waiting != 0) {
    replaceEvent(waiting, entry);
    meet(customer, entry, waiting);
  } else {
    enterEvent(entry);
  }
  const isNewest = link(customer, entry);
  countEntries(customer, 1);
  for (let m: u32 = 0; m < S.models; m++)
    if (takes(modelAt(m), m, channel, item.currency)) enterOrder(customer, m, entry, isNewest);
  armFor(number, customer, item.time);
}

/** Brings a new order into one row; a migration where that changes its bands. */
function enterOrder(customer: Customer, number: u32, entry: u32, isNewest: bool): void {
  const model = modelAt(number);
  const row = rowAt(customer, number);
  // A later order leaves alone which was the first.
  if (isNewest && row.newest != 0) captureHot(row, model, number);
  else capture(row, model, number);
  enter(row, model, entry, isNewest, S.clock);
  settle(customer, number, S.clock, BY_ORDER);
}

/** Arms the customer's timer anew where an order of time `time` may bring a change that is earlier: most do not. */
@inline function armFor(number: u32, customer: Customer, time: i64): void {
  const armed = armedOf(customer);
  if (armed == 0 || armed > leave(time, S.soonest)) arm(number, nextChange(customer));
}

/**
 * The short way of an order of a customer who is known and has ordered before, which is not older than the newest one,
 * with nothing due or parked for it before: nearly all orders are like that. What `judgeOrder` and `newOrder` would do
 * with one is done in a straight line, and rows whose bands stay as they are get no more than their figures. All is
 * looked at before the first write: false, and nothing is written, where anything is otherwise. One step of output.
 */
export function applyInTime(item: Item): bool {
  if ((item.verdict | item.kind | item.isVoid) != 0) return false;
  const channel = item.channelNumber;
  if (channel == UNLISTED) return false;
  const number = judged.findOwner(item);
  if (number == 0) return false;
  const customer = customerAt(number);
  if (customer.flags != HAS_ROWS) return false;
  // A checkpoint writes it out first, as it was.
  if (S.saving != 0 && customer.epoch != S.epoch) return false;
  const now = judged.clockWith(item);
  const time = item.time;
  const armed = armedOf(customer);
  // Nothing is due, so all its rows are exact.
  if (armed <= now && armed != 0) return false;
  // It counts in every window and puts recency into its first band: none of these is as short as S.soonest.
  if (leave(time, S.soonest) <= now) return false;
  if (S.clockKind == CLOCK_BROKER && time > now + S.tolerance) return false;
  const newest = customer.newest;
  if (newest == 0) return false;
  if (timeAt(newest) > time) return false;
  if (customer.entries >= S.entriesPerCustomerMax) return false;
  const amount = item.amount;
  if (S.amountsEver > judged.SUM_MAX - amount) return false;
  if (!judged.anyTakes(item, channel)) return false;
  if (!judged.hasCapacity(item, 0) || !hasRoom()) return false;
  if (findEvent(item.hash, number) != 0) return false;

  if (now > S.clock) S.clock = now;
  countEvent(ITEM.ORDER, APPLIED);
  S.amountsEver += amount;
  noteChanged(number);
  const entry = takeEntry();
  setContent(entry, ORDER, channel, time, amount, item.currency, item.version);
  const order = orderAt(entry);
  order.hash = item.hash;
  order.customer = number;
  order.reversed = 0;
  enterEvent(entry);
  linkNewest(customer, entry);
  countEntries(customer, 1);
  for (let m: u32 = 0; m < S.models; m++) {
    const model = modelAt(m);
    if (!takes(model, m, channel, item.currency)) continue;
    const row = rowAt(customer, m);
    const sum = adds(model, item.currency) ? amount : 0;
    if (keepsBandsWith(row, model, sum)) {
      enterNewest(row, model, entry, sum);
    } else {
      underWay.openEvent(item, item.place);
      underWay.nameChannel(channel);
      enterOrder(customer, m, entry, true);
      underWay.closeEvent();
    }
  }
  armFor(number, customer, time);
  return true;
}

/** Gives an order the reversals that waited for it. */
function meet(customer: Customer, entry: u32, waiting: u32): void {
  const order = orderAt(entry);
  const reversed = reversedAt(waiting);
  order.reversed = waiting;
  reversed.order = entry;
  reversed.hash = 0;
  let previous: u32 = 0;
  for (let number = reversed.first; number != 0; ) {
    const reversal = reversalAt(number);
    const next = reversal.next;
    unpark(customer, number);
    const isCancel = (reversal.flags & KIND) == CANCEL;
    if (isCancel && reversal.version != 0 && reversal.version < judged.highOf(order)) {
      if (previous == 0) reversed.first = next;
      else reversalAt(previous).next = next;
      if (next == 0) reversed.last = previous;
      forgetEvent(number);
      freeEntry(number);
      countEntries(customer, -1);
      countEvent(ITEM.CANCEL, STALE);
    } else {
      bring(reversed, number);
      previous = number;
    }
    number = next;
  }
}

/** Adds what a reversal says to what its order's come to. */
export function bring(reversed: Reversed, number: u32): void {
  const reversal = reversalAt(number);
  if ((reversal.flags & KIND) == REFUND) reversed.refunded += amountAt(number);
  else if (reversal.version == 0) reversed.flags |= FINAL;
  else reversed.cancelVersion = max(reversed.cancelVersion, reversal.version);
}

/** A Reversed of customer `number`; with `hash`, the identity of the order that it waits for. */
export function newReversed(number: u32, hash: u64): u32 {
  const entry = takeEntry();
  const reversed = reversedAt(entry);
  reversed.hash = hash;
  reversed.refunded = 0;
  reversed.pad0 = 0;
  reversed.pad1 = 0;
  reversed.pad2 = 0;
  reversed.flags = REVERSED;
  reversed.cancelVersion = NO_VERSION;
  reversed.customer = number;
  reversed.order = 0;
  reversed.first = 0;
  reversed.last = 0;
  return entry;
}

function newReversal(item: Item, channel: u8, customer: Customer, list: u32): u32 {
  const entry = takeEntry();
  const kind = item.kind == ITEM.CANCEL ? CANCEL : REFUND;
  // A cancel's amount is ignored.
  setContent(entry, kind, channel, item.time, kind == CANCEL ? 0 : item.amount, item.currency, item.version);
  const reversal = reversalAt(entry);
  reversal.hash = judged.hash;
  reversal.reversed = list;
  reversal.next = 0;
  reversal.parked = 0;
  reversal.pad0 = 0;
  const reversed = reversedAt(list);
  if (reversed.last == 0) reversed.first = entry;
  else reversalAt(reversed.last).next = entry;
  reversed.last = entry;
  enterEvent(entry);
  countEntries(customer, 1);
  return entry;
}

function attach(item: Item, channel: u8, customer: Customer): void {
  const entry = judged.order;
  const order = orderAt(entry);
  dropFromChain(customer, entry);
  if (order.reversed == 0) {
    order.reversed = newReversed(order.customer, 0);
    reversedAt(order.reversed).order = entry;
  }
  bring(reversedAt(order.reversed), newReversal(item, channel, customer, order.reversed));
  enterChain(customer, entry);
}

function parkReversal(item: Item, channel: u8, number: u32, customer: Customer): void {
  let waiting = findEvent(judged.orderHash, number);
  if (waiting == 0) {
    waiting = newReversed(number, judged.orderHash);
    enterEvent(waiting);
  }
  const reversal = newReversal(item, channel, customer, waiting);
  park(
    customer,
    reversal,
    leave(S.clock, S.parkFor),
    underWay.sequence,
    underWay.index,
    underWay.subject,
    underWay.subjectLength,
    item.start,
    item.length,
    SCENE,
  );
}

/** Takes a known reversal out, as if it had never come. */
function takeOut(customer: Customer, entry: u32): void {
  if (kindAt(entry) == LOOSE) {
    dropFromChain(customer, entry);
    forgetOrder(customer, entry);
    return;
  }
  const reversal = reversalAt(entry);
  const list = reversal.reversed;
  const order = reversedAt(list).order;
  if (order == 0) {
    forgetReversal(customer, entry);
    return;
  }
  dropFromChain(customer, order);
  forgetReversal(customer, entry);
  const reversed = reversedAt(list);
  reversed.refunded = 0;
  reversed.cancelVersion = NO_VERSION;
  reversed.flags = REVERSED;
  for (let r = reversed.first; r != 0; r = reversalAt(r).next) bring(reversed, r);
  enterChain(customer, order);
}

// What changes whether or how much an order counts takes it out of the chain and puts it back: so the newest and first
// of a row are always the last and the first of the chain that count, also among orders of one time.
function dropFromChain(customer: Customer, entry: u32): void {
  for (let m: u32 = 0; m < S.models; m++) {
    const model = modelAt(m);
    if (!takesEntry(model, m, entry)) continue;
    subtract(rowAt(customer, m), model, entry, S.clock);
    exit(rowAt(customer, m), model, m, entry);
  }
  unlink(customer, entry);
}

function enterChain(customer: Customer, entry: u32): void {
  const isNewest = link(customer, entry);
  for (let m: u32 = 0; m < S.models; m++)
    if (takesEntry(modelAt(m), m, entry)) enter(rowAt(customer, m), modelAt(m), entry, isNewest, S.clock);
}

function newLoose(item: Item, channel: u8, number: u32, customer: Customer): void {
  const entry = takeEntry();
  setContent(entry, LOOSE, channel, item.time, item.amount, item.currency, item.version);
  const order = orderAt(entry);
  order.hash = judged.hash;
  order.customer = number;
  order.reversed = 0;
  enterEvent(entry);
  countEntries(customer, 1);
  enterChain(customer, entry);
}

function lateOrder(item: Item, channel: u8, customer: Customer): void {
  if (item.isVoid != 0) return;
  for (let m: u32 = 0; m < S.models; m++)
    if (takes(modelAt(m), m, channel, item.currency)) notePast(coldRowAt(numberOf(customer), m), item.time);
}

function amendOrder(item: Item, customer: Customer): void {
  const entry = judged.known;
  const order = orderAt(entry);
  noteMoved(entry, timeAt(entry));
  dropFromChain(customer, entry);
  const flags: u8 = (order.flags & ~VOID) | (item.isVoid != 0 ? VOID : 0);
  setContent(entry, flags, order.channel, item.time, item.amount, item.currency, item.version);
  if (leave(item.time, S.horizon) > S.clock) {
    enterChain(customer, entry);
  } else {
    for (let m: u32 = 0; m < S.models; m++) {
      const model = modelAt(m);
      if (takesEntry(model, m, entry) && counts(model, entry)) notePast(coldRowAt(numberOf(customer), m), item.time);
    }
    forgetOrder(customer, entry);
  }
}
