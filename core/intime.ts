// The short way of an order: of a customer that is known and has ordered before, not older than its newest one, with
// nothing due or parked for it, and so small or so far from a limit that no band changes. Nearly all orders are like
// that. What the general way would do with one is done here in a straight line: see `judgeOrder` and `newOrder`, which
// it must agree with. All is looked at before the first write; where anything is otherwise, the general way decides.
import { UNLISTED } from "./channels";
import { HAS_ROWS, armedOf, customerAt, rowAt } from "./customers";
import { noteChanged } from "./digest";
import * as ITEM from "./item";
import { Item } from "./item";
import { SUM_MAX, clockWith, findOwner, hasCapacity } from "./judge";
import { ORDER, countEntries, enterEvent, findEvent, linkNewest, orderAt, setContent, takeEntry, timeAt } from "./log";
import { leave, modelAt } from "./models";
import { adds, enterNewest, keepsBandsWith, takes } from "./rows";
import { APPLIED, CLOCK_BROKER, S, countEvent } from "./status";

/** Applies the item if it is such an order. False, and nothing is written, where it is not or the partition is full. */
export function applyInTime(item: Item): bool {
  if ((item.verdict | item.kind | item.isVoid) != 0 || item.channelNumber == UNLISTED) return false;
  const number = findOwner(item);
  if (number == 0 || !hasCapacity(item, 0)) return false;
  const customer = customerAt(number);
  // It has parked nothing, either.
  if (customer.flags != HAS_ROWS) return false;
  // The general way writes it out as it was.
  if (S.saving != 0 && customer.epoch != S.epoch) return false;
  const now = clockWith(item);
  const time = item.time;
  const armed = armedOf(customer);
  // Nothing of it is due up to now, so all its rows are exact; nor does this order bring anything due before that. It
  // counts in every window and puts recency into its first band: neither is as short as S.soonest.
  if (armed <= now || armed > leave(time, S.soonest)) return false;
  if (S.clockKind == CLOCK_BROKER && time > now + S.tolerance) return false;
  const newest = customer.newest;
  if (newest == 0 || timeAt(newest) > time) return false;
  const amount = item.amount;
  if (customer.entries >= S.entriesPerCustomerMax || S.amountsEver > SUM_MAX - amount) return false;
  const channel = item.channelNumber;
  const currency = item.currency;
  let isTaken = false;
  for (let m: u32 = 0; m < S.models; m++) {
    const model = modelAt(m);
    if (!takes(model, m, channel, currency)) continue;
    isTaken = true;
    if (!keepsBandsWith(rowAt(customer, m), model, adds(model, currency) ? amount : 0)) return false;
  }
  if (!isTaken || findEvent(item.hash, number) != 0) return false;

  if (now > S.clock) S.clock = now;
  countEvent(ITEM.ORDER, APPLIED);
  S.amountsEver += amount;
  noteChanged(number);
  const entry = takeEntry();
  setContent(entry, ORDER, channel, time, amount, currency, item.version);
  const order = orderAt(entry);
  order.hash = item.hash;
  order.customer = number;
  order.reversed = 0;
  enterEvent(entry);
  linkNewest(customer, entry);
  countEntries(customer, 1);
  for (let m: u32 = 0; m < S.models; m++) {
    const model = modelAt(m);
    if (takes(model, m, channel, currency))
      enterNewest(rowAt(customer, m), model, entry, adds(model, currency) ? amount : 0);
  }
  return true;
}
