/** What an entry brings into a row and takes out of it, and the bands that follow. */
import type { Order, Row } from "./customer.js";
import { adds, ageBand, type Plan, type Scale, takes, valueBand } from "./plan.js";

export function takesOrder(plan: Plan, order: Order): boolean {
  return takes(plan, order.channel, order.currency);
}

/** Highest version of an order and of its cancels that have one. */
export function highVersion(order: Order): number {
  return Math.max(order.version, order.cancelVersion);
}

/** Does an entry that the model takes count as an order? */
export function counts(plan: Plan, order: Order): boolean {
  if (!order.isOrder) return false;
  if (order.reversals === undefined) return true;
  if (order.isFinal || order.cancelVersion >= order.version) return false;
  return plan.keepsRefunded || order.refunded === 0 || order.refunded < order.amount;
}

/** What a counting order, or a refund without order, adds to the sums. */
export function worth(plan: Plan, order: Order): number {
  if (!adds(plan, order.currency)) return 0;
  return order.isOrder ? Math.max(0, order.amount - order.refunded) : -order.amount;
}

/** What an entry that the model takes has in the monetary window. */
export function share(plan: Plan, order: Order): number {
  return order.isOrder && !counts(plan, order) ? 0 : worth(plan, order);
}

/** Adds (+1) an entry to a row's figures at `now`, or takes it out (−1). */
export function add(row: Row, plan: Plan, order: Order, sign: 1 | -1, now: number): void {
  let orders = 0;
  if (order.isOrder) {
    if (!counts(plan, order)) return;
    orders = sign;
  }
  const sum = sign * worth(plan, order);
  row.ordersEver += orders;
  row.spendEver += sum;
  if (order.time + plan.frequencyMs > now) row.orders += orders;
  if (order.time + plan.monetaryMs > now) row.spend += sum;
}

/** Takes note of an entry that was linked. */
export function enter(row: Row, plan: Plan, order: Order, now: number): void {
  const { time } = order;
  if (plan.frequencyMs !== Number.POSITIVE_INFINITY && time + plan.frequencyMs > now) {
    if (row.countFrom === undefined || time < row.countFrom.time) row.countFrom = order;
  }
  if (plan.monetaryMs !== Number.POSITIVE_INFINITY && time + plan.monetaryMs > now) {
    if (row.sumFrom === undefined || time < row.sumFrom.time) row.sumFrom = order;
  }
  if (!counts(plan, order)) return;
  if (row.newest === undefined || time >= row.newest.time) {
    row.newest = order;
    row.lastTime = time;
  }
  if (row.first === undefined || time < row.first.time) {
    row.first = order;
    if (row.pastFirst === 0) row.firstTime = time;
  }
}

/** Takes leave of an entry that is about to be unlinked. */
export function exit(row: Row, plan: Plan, order: Order): void {
  if (row.countFrom === order) row.countFrom = nextTaken(plan, order);
  if (row.sumFrom === order) row.sumFrom = nextTaken(plan, order);
  if (row.newest === order) {
    let back = order.previous;
    while (back !== undefined && !(takesOrder(plan, back) && counts(plan, back))) back = back.previous;
    row.newest = back;
    row.lastTime = back === undefined ? row.pastLast : back.time;
  }
  if (row.first === order) {
    let on = order.next;
    while (on !== undefined && !(takesOrder(plan, on) && counts(plan, on))) on = on.next;
    row.first = on;
    if (row.pastFirst === 0) row.firstTime = on === undefined ? 0 : on.time;
  }
}

/** Notes a counting order that is not known any more. */
export function notePast(row: Row, time: number): void {
  if (row.pastFirst === 0 || time < row.pastFirst) row.pastFirst = time;
  if (time > row.pastLast) row.pastLast = time;
  row.firstTime = row.pastFirst;
  if (row.newest === undefined) row.lastTime = row.pastLast;
}

/** The next entry that the model takes. */
export function nextTaken(plan: Plan, order: Order): Order | undefined {
  let next = order.next;
  while (next !== undefined && !takesOrder(plan, next)) next = next.next;
  return next;
}

/** Lets leave what has left the row's windows at `now`. */
export function depart(row: Row, plan: Plan, now: number): void {
  let order = row.countFrom;
  while (order !== undefined && order.time + plan.frequencyMs <= now) {
    if (counts(plan, order)) row.orders--;
    order = nextTaken(plan, order);
  }
  row.countFrom = order;
  order = row.sumFrom;
  while (order !== undefined && order.time + plan.monetaryMs <= now) {
    row.spend -= share(plan, order);
    order = nextTaken(plan, order);
  }
  row.sumFrom = order;
}

/** When a row changes next with no new event, under the bands given; Infinity for never. */
export function nextChange(row: Row, plan: Plan): number {
  let at = boundary(row, plan, row.recency, row.tenure);
  if (row.countFrom !== undefined) at = Math.min(at, row.countFrom.time + plan.frequencyMs);
  if (row.sumFrom !== undefined) at = Math.min(at, row.sumFrom.time + plan.monetaryMs);
  return at;
}

/** When the recency or tenure band ends. */
export function boundary(row: Row, plan: Plan, recency: number, tenure: number): number {
  if (row.lastTime === 0) return Number.POSITIVE_INFINITY;
  const at = recency === 0 ? Number.POSITIVE_INFINITY : row.lastTime + (plan.recency.limits[recency - 1] as number);
  if (plan.tenure === undefined || tenure === 0) return at;
  return Math.min(at, row.firstTime + (plan.tenure.limits[tenure - 1] as number));
}

/** Bands of one row at one instant; all 0 in no segment. */
export interface Bands {
  recency: number;
  frequency: number;
  monetary: number;
  tenure: number;
}

/** Works out the bands at `now` of a row whose windows hold `orders` and `spend`. */
export function readBands(into: Bands, row: Row, plan: Plan, orders: number, spend: number, now: number): void {
  if (row.lastTime === 0) {
    into.recency = into.frequency = into.monetary = into.tenure = 0;
    return;
  }
  into.recency = ageBand(plan.recency, now - row.lastTime);
  into.frequency = valueBand(plan.frequency, orders);
  into.monetary = valueBand(plan.monetary, spend);
  into.tenure = plan.tenure === undefined ? 0 : ageBand(plan.tenure, now - row.firstTime);
}

/** Segment of a row with these bands, −1 for none. */
export function segmentOf(row: Row, plan: Plan, { recency, frequency, monetary, tenure }: Bands): number {
  if (row.lastTime === 0) return -1;
  const [r = 0, f = 0, m = 0, t = 0] = plan.strides;
  return plan.cells[recency * r + frequency * f + monetary * m + tenure * t] as number;
}

/** Sum of the points of the bands; `none` has none. */
export function pointsOf(plan: Plan, { recency, frequency, monetary, tenure }: Bands): number {
  const tenurePoints = plan.tenure === undefined ? 0 : pointsIn(plan.tenure, tenure);
  return (
    pointsIn(plan.recency, recency) +
    pointsIn(plan.frequency, frequency) +
    pointsIn(plan.monetary, monetary) +
    tenurePoints
  );
}

function pointsIn({ points }: Scale, band: number): number {
  return band === 0 ? 0 : (points[band - 1] as number);
}
