// What falls due by time alone. At one instant of one customer everything that leaves then leaves, in every model,
// and the bands are compared once; so the unit of firing is a pair (instant, customer).
import { writeOut } from "./checkpoint";
import {
  Customer,
  HAS_PARKED,
  armedOf,
  coldAt,
  coldOf,
  coldRowOf,
  cursorOf,
  customerAt,
  idAt,
  notePast,
  rowAt,
} from "./customers";
import { noteChanged } from "./digest";
import { nextOf } from "./forecast";
import {
  countEntries,
  entryAddress,
  forgetEvent,
  freeEntry,
  orderAt,
  ownerOf,
  reversalAt,
  reversedAt,
  timeAt,
  unlink,
} from "./log";
import { homeOf, lineAt, tagOf } from "./lookup";
import { leave, modelAt, windowAt } from "./models";
import { eventLineCount, eventSlots } from "./layout";
import { UNMATCHED } from "./item";
import { firstParked, nextExpiry, ownExpiry, ownParked, rejectParked } from "./parked";
import { counts, depart, exit, takesEntry } from "./rows";
import { BY_TIME, captureHot, settle } from "./settle";
import { S } from "./status";
import { NEVER, arm, blockAt, hasBlock, isQuiet, takeBlock, takeDue } from "./timers";

/** When a customer's rows change next with no new event, NEVER for never. */
export function nextChange(customer: Customer): i64 {
  let instant = NEVER;
  const oldest = coldOf(customer).oldest;
  if (oldest != 0) instant = leave(timeAt(oldest), S.horizon);
  for (let m: u32 = 0; m < S.models; m++) {
    const row = rowAt(customer, m);
    const at = nextOf(row, modelAt(m), row.bands);
    if (at < instant) instant = at;
  }
  return instant;
}

/** Forgets everything of an order or refund without order that is out of the chain. */
export function forgetOrder(customer: Customer, number: u32): void {
  const list = orderAt(number).reversed;
  if (list != 0) {
    for (let reversal = reversedAt(list).first; reversal != 0; ) {
      const next = reversalAt(reversal).next;
      forgetEvent(reversal);
      freeEntry(reversal);
      countEntries(customer, -1);
      reversal = next;
    }
    freeEntry(list);
  }
  forgetEvent(number);
  freeEntry(number);
  countEntries(customer, -1);
}

/** Lets the customer's oldest entry leave the horizon: what counted is told in the figures ever and their first and last. */
export function retire(customer: Customer): void {
  const number = coldOf(customer).oldest;
  for (let m: u32 = 0; m < S.models; m++) {
    const model = modelAt(m);
    if (!takesEntry(model, m, number)) continue;
    const row = rowAt(customer, m);
    if (counts(model, number)) notePast(coldRowOf(row), timeAt(number));
    exit(row, model, m, number);
  }
  unlink(customer, number);
  forgetOrder(customer, number);
}

/**
 * Fires what is due for a customer at exactly `instant`, at most one migration a model, and arms its timer for what
 * comes next. False where nothing is due then.
 */
function fireAt(number: u32, customer: Customer, instant: i64): bool {
  let next = NEVER;
  let fires = false;
  for (let m: u32 = 0; m < S.models; m++) {
    const model = modelAt(m);
    const row = rowAt(customer, m);
    let change = nextOf(row, model, row.bands);
    assert(change >= instant, "nothing is due before the instant under way");
    if (change == instant) {
      fires = true;
      captureHot(row, model, m);
      depart(row, model, m, instant);
      settle(customer, m, instant, BY_TIME);
      change = nextOf(row, model, row.bands);
    }
    if (change < next) next = change;
  }
  const cold = coldAt(number);
  while (cold.oldest != 0) {
    const leaves = leave(timeAt(cold.oldest), S.horizon);
    if (leaves > instant) {
      if (leaves < next) next = leaves;
      break;
    }
    fires = true;
    // What has left the horizon has left every window before, and the times of the first and last order stay.
    retire(customer);
  }
  arm(number, next);
  if (fires) {
    noteChanged(number);
    S.fired++;
  }
  return fires;
}

/** May anything of this customer be due up to `now`? Its timer is never later than what comes next. */
@inline export function isOwnDue(number: u32, now: i64): bool {
  const customer = customerAt(number);
  const armed = armedOf(customer);
  return (armed != 0 && armed <= now) || ((customer.flags & HAS_PARKED) != 0 && ownExpiry(customer) <= now);
}

/** May anything of anyone be due up to `now`? */
@inline export function isAnyDue(now: i64): bool {
  return !isQuiet(now) || nextExpiry() <= now;
}

/** Fires the next thing that is due up to `now` for this one customer. False where there is none. One step of output. */
export function fireOwn(number: u32, now: i64): bool {
  const customer = customerAt(number);
  const expiry = ownExpiry(customer);
  const change = nextChange(customer);
  if (expiry <= now && expiry <= change) {
    rejectParked(ownParked(customer), UNMATCHED, expiry);
    return true;
  }
  if (change > now) return false;
  // What comes next may be earlier than the timer that is armed only where none is.
  return fireAt(number, customer, change);
}

/** The customer whose timer is next of those due up to `now`, 0 for none. */
function firstDue(now: i64): u32 {
  if (!hasBlock()) {
    if (isQuiet(now)) return 0;
    takeBlock(now);
    readAhead();
  }
  return blockAt(S.dueAt);
}

/** What `fireNext` returns. */
export const FIRED: u8 = 0;
export const NONE_DUE: u8 = 1;
/** The checkpoint under way has no room for the customer as it was. */
export const NO_ROOM: u8 = 2;

/** Fires the next thing that is due up to `now` for anyone, by instant and customer number. One step of output. */
export function fireNext(now: i64): u8 {
  while (true) {
    const expiry = nextExpiry();
    const number = firstDue(now);
    const customer = customerAt(number);
    const instant = number != 0 ? armedOf(customer) : NEVER;
    if (expiry <= now && expiry <= instant) {
      if (S.saving != 0 && !writeOut(ownerOf(firstParked()))) return NO_ROOM;
      rejectParked(firstParked(), UNMATCHED, expiry);
      return FIRED;
    }
    if (number == 0) return NONE_DUE;
    if (S.saving != 0 && !writeOut(number)) return NO_ROOM;
    takeDue();
    if (fireAt(number, customer, instant)) return FIRED;
    S.spurious++;
  }
}

/** The earliest instant up to `now` that has not fired, NEVER where the rows are exact at `now`. */
export function overdue(now: i64): i64 {
  let instant = NEVER;
  for (let number = firstDue(now); number != 0; number = firstDue(now)) {
    const customer = customerAt(number);
    const armed = armedOf(customer);
    const change = nextChange(customer);
    if (change == armed) {
      instant = armed;
      break;
    }
    takeDue();
    S.spurious++;
    arm(number, change);
  }
  const expiry = nextExpiry();
  const first = expiry < instant ? expiry : instant;
  return first <= now ? first : NEVER;
}

/** Of the words read, so that no compiler leaves the reading out. */
let touched: u32 = 0;

/** Reads what firing the block will touch, in passes whose cache misses overlap. Nothing is decided here. */
function readAhead(): void {
  let sum: u32 = 0;
  const count = S.dueCount;
  for (let place: u32 = 0; place < count; place++) {
    sum += customerAt(blockAt(place)).newest + coldAt(blockAt(place)).oldest;
  }
  for (let place: u32 = 0; place < count; place++) {
    const customer = customerAt(blockAt(place));
    sum += load<u8>(idAt(customer));
    sum += load<u32>(entryAddress(coldAt(blockAt(place)).oldest), 8) + load<u32>(entryAddress(customer.newest), 8);
    for (let m: u32 = 0; m < S.models; m++) {
      const row = rowAt(customer, m);
      const model = modelAt(m);
      sum += load<u32>(entryAddress(row.newest), 8);
      for (let slot: u32 = 0; slot < model.windows; slot++)
        sum += load<u32>(entryAddress(cursorOf(row, windowAt(model, slot))), 8);
    }
  }
  for (let place: u32 = 0; place < count; place++) {
    const oldest = coldAt(blockAt(place)).oldest;
    if (oldest != 0 && leave(timeAt(oldest), S.horizon) <= S.dueLast)
      sum += load<u32>(lineAt(eventSlots, homeOf(tagOf(orderAt(oldest).hash), eventLineCount)));
  }
  touched = sum;
}
