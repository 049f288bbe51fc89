/** What is to become of an event, found before anything is written. */
import type { Reason } from "../../runtime/record.js";
import type { Customer, Order, Reversal } from "./customer.js";
import type { Item } from "./item.js";
import { adds, type Plan, takes } from "./plan.js";
import { counts, highVersion, worth } from "./row.js";

export type Verdict =
  | { readonly does: "refuse"; readonly reason: Reason }
  | { readonly does: "ignore"; readonly as: "duplicate" | "stale" }
  | { readonly does: "order" }
  | { readonly does: "late" }
  | { readonly does: "amend"; readonly known: Order }
  | { readonly does: "loose"; readonly known: Order | Reversal | undefined }
  | { readonly does: "lateLoose"; readonly known: Order | Reversal | undefined }
  | { readonly does: "attach"; readonly to: Order; readonly known: Order | Reversal | undefined }
  | { readonly does: "park"; readonly known: Order | Reversal | undefined };

const DUPLICATE: Verdict = { does: "ignore", as: "duplicate" };
const STALE: Verdict = { does: "ignore", as: "stale" };
const NEW: Verdict = { does: "order" };
const LATE: Verdict = { does: "late" };
const CONFLICT: Verdict = { does: "refuse", reason: "conflict" };
const OVERFLOW: Verdict = { does: "refuse", reason: "overflow" };
const PARKED_FULL: Verdict = { does: "refuse", reason: "parkedFull" };
const SUM_MAX = 2 ** 53;

export interface Rules {
  readonly plans: readonly Plan[];
  readonly horizonMs: number;
  readonly parkedMax: number;
}

/** Judges an order as of `now`. */
export function judgeOrder(
  item: Item,
  currency: string | null,
  customer: Customer | undefined,
  now: number,
  rules: Rules,
): Verdict {
  let known = customer?.findOrder(true, item.channel, item.id);
  if (known !== undefined && known.time + rules.horizonMs <= now) known = undefined;
  if (known === undefined) {
    if (item.time + rules.horizonMs <= now) return LATE;
    return overflows(customer, item.channel, currency, item.amount, undefined, rules.plans) ? OVERFLOW : NEW;
  }
  if (item.version < highVersion(known)) return STALE;
  if (item.version === known.version) {
    if (item.time === known.time && item.amount === known.amount && currency === known.currency) return DUPLICATE;
    if (item.version === 0) return CONFLICT;
  }
  if (overflows(customer, item.channel, currency, item.amount, known, rules.plans)) return OVERFLOW;
  return { does: "amend", known };
}

/** Judges a refund or cancel as of `now`. `parked`: how many wait in all. */
export function judgeReversal(
  item: Item,
  currency: string | null,
  customer: Customer | undefined,
  now: number,
  parked: number,
  rules: Rules,
): Verdict {
  const hasLeft = (order: Order) => order.time + rules.horizonMs <= now;
  let target = item.order === null ? undefined : customer?.findOrder(true, item.channel, item.order);
  if (target !== undefined && hasLeft(target)) target = undefined;

  const known = customer === undefined ? undefined : knownReversal(item, customer, now, hasLeft);
  if (known !== undefined) {
    const met = known.isOrder !== undefined ? undefined : known.order;
    if (item.kind === "cancel" && item.version > 0 && met !== undefined && item.version < highVersion(met))
      return STALE;
    if (item.version < known.version) return STALE;
    if (item.version === known.version) {
      if (isSame(item, currency, known)) return DUPLICATE;
      if (item.version === 0) return CONFLICT;
    }
  }
  if (item.order === null) {
    if (item.time + rules.horizonMs <= now) return { does: "lateLoose", known };
    const instead = known !== undefined && known.isOrder !== undefined ? known : undefined;
    if (overflows(customer, item.channel, currency, -item.amount, instead, rules.plans)) return OVERFLOW;
    return { does: "loose", known };
  }
  if (target === undefined) {
    const leaving = customer?.waiting?.filter((it) => it.waitsUntil <= now).length ?? 0;
    const own = known !== undefined && known.isOrder === undefined && known.order === undefined ? 1 : 0;
    return parked - leaving - own >= rules.parkedMax ? PARKED_FULL : { does: "park", known };
  }
  if (currency !== null && currency !== target.currency) return CONFLICT;
  if (item.kind === "cancel" && item.version > 0 && item.version < highVersion(target)) return STALE;
  return { does: "attach", to: target, known };
}

function knownReversal(
  item: Item,
  customer: Customer,
  now: number,
  hasLeft: (order: Order) => boolean,
): Order | Reversal | undefined {
  if (item.kind === "order") return undefined;
  if (item.kind === "refund") {
    const loose = customer.findOrder(false, item.channel, item.id);
    if (loose !== undefined && !hasLeft(loose)) return loose;
  }
  const known = customer.findReversal(item.kind, item.channel, item.id);
  if (known === undefined) return undefined;
  const isGone = known.order === undefined ? known.waitsUntil <= now : hasLeft(known.order);
  return isGone ? undefined : known;
}

/** Does the event say what is known already? */
function isSame(item: Item, currency: string | null, known: Order | Reversal): boolean {
  if (item.time !== known.time || item.amount !== known.amount) return false;
  if (known.isOrder !== undefined) return item.order === null && currency === known.currency;
  if (item.order !== known.orderId) return false;
  if (currency === known.currency) return true;
  // Without a currency it has its order's, which is not known while it waits.
  if (currency !== null && known.currency !== null) return false;
  return known.order === undefined || (currency ?? known.currency) === known.order.currency;
}

/** Would `by` more take a sum ever past what is exact? */
function overflows(
  customer: Customer | undefined,
  channel: string,
  currency: string | null,
  by: number,
  instead: Order | undefined,
  plans: readonly Plan[],
): boolean {
  if (customer === undefined) return false;
  for (const plan of plans) {
    if (!takes(plan, channel, currency) || !adds(plan, currency)) continue;
    let sum = (customer.rows[plan.index]?.spendEver ?? 0) + by;
    if (instead !== undefined && (!instead.isOrder || counts(plan, instead))) sum -= worth(plan, instead);
    if (sum > SUM_MAX || sum < -SUM_MAX) return true;
  }
  return false;
}
