// What falls due by time alone. At one instant of one customer everything that leaves then leaves, in every model,
// and the bands are compared once; so the unit of firing is a pair (instant, customer).
import { Customer, IN_DUE, armedOf, customerAt, notePast, rowAt } from "./customers";
import { nextOf } from "./forecast";
import {
  countEntries,
  forgetEvent,
  freeEntry,
  orderAt,
  reversalAt,
  reversedAt,
  timeAt,
  unlink,
} from "./log";
import { leave, modelAt } from "./models";
import { UNMATCHED } from "./item";
import { firstParked, nextExpiry, ownExpiry, ownParked, rejectParked } from "./parked";
import { counts, depart, exit, takesEntry } from "./rows";
import { BY_TIME, capture, settle } from "./settle";
import { S } from "./status";
import { NEVER, arm, dropDue, firstDue, gatherDue, isQuiet } from "./timers";

/** When a customer's rows change next with no new event, NEVER for never. */
export function nextChange(customer: Customer): i64 {
  let instant = NEVER;
  if (customer.oldest != 0) instant = leave(timeAt(customer.oldest), S.horizon);
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
  const number = customer.oldest;
  for (let m: u32 = 0; m < S.models; m++) {
    const model = modelAt(m);
    if (!takesEntry(model, m, number)) continue;
    const row = rowAt(customer, m);
    if (counts(model, number)) notePast(row, timeAt(number));
    exit(row, model, m, number);
  }
  unlink(customer, number);
  forgetOrder(customer, number);
}

/** Fires what is due for a customer at exactly `instant`. At most one migration a model. */
function fireAt(customer: Customer, instant: i64): void {
  for (let m: u32 = 0; m < S.models; m++) {
    const model = modelAt(m);
    const row = rowAt(customer, m);
    capture(row, model, m);
    depart(row, model, m, instant);
    settle(customer, m, instant, BY_TIME);
  }
  while (customer.oldest != 0 && leave(timeAt(customer.oldest), S.horizon) <= instant) retire(customer);
  S.fired++;
}

/** May anything of this customer be due up to `now`? Its timer is never later than what comes next. */
@inline export function isOwnDue(number: u32, now: i64): bool {
  const customer = customerAt(number);
  const armed = armedOf(customer);
  return (armed != 0 && armed <= now) || ownExpiry(customer) <= now;
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
  fireAt(customer, change);
  // What comes next may be earlier than the timer that is armed only where none is.
  arm(number, nextChange(customer));
  return true;
}

/** Fires the next thing that is due up to `now` for anyone, by instant and customer number. One step of output. */
export function fireNext(now: i64): bool {
  while (true) {
    const expiry = nextExpiry();
    const some = gatherDue(now);
    if (expiry <= now && (!some || expiry <= S.dueInstant)) {
      rejectParked(firstParked(), UNMATCHED, expiry);
      return true;
    }
    if (!some) return false;
    const number = firstDue();
    const customer = customerAt(number);
    const instant = S.dueInstant;
    assert((customer.flags & IN_DUE) != 0 && armedOf(customer) == instant, "it is in the bitmap");
    dropDue(number);
    const change = nextChange(customer);
    if (change != instant) {
      assert(change > instant, "nothing is due before the instant under way");
      S.spurious++;
      arm(number, change);
      continue;
    }
    fireAt(customer, instant);
    arm(number, nextChange(customer));
    return true;
  }
}

/** The earliest instant up to `now` that has not fired, NEVER where the rows are exact at `now`. */
export function overdue(now: i64): i64 {
  while (gatherDue(now)) {
    const number = firstDue();
    const change = nextChange(customerAt(number));
    if (change == S.dueInstant) break;
    dropDue(number);
    S.spurious++;
    arm(number, change);
  }
  const expiry = nextExpiry();
  const instant = S.dueCount != 0 ? S.dueInstant : NEVER;
  const first = expiry < instant ? expiry : instant;
  return first <= now ? first : NEVER;
}
