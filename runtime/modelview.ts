/**
 * What a model makes of one customer's orders, by the rules of the design in plain form: whether each counts and why,
 * what it is worth, when it leaves. The kernel holds the same rules in flat memory; `explain` compares the two.
 */
import { CANCELLED, type CustomerHistory, ORDER, type OrderColumns } from "./history.js";
import { takesChannel } from "./modeltable.js";
import type { Dimension, Model } from "./settings.js";

/** Why an order counts in a model, or does not. */
export const WHYS = [
  /** It counts, for what is left of its amount. */
  "counts",
  /** Its currency is another: it counts for recency and frequency alone. */
  "otherCurrency",
  /** Refunded in full, and the model keeps it for recency and frequency. */
  "kept",
  /** A refund without order: a negative amount. */
  "refundAlone",
  "refunded",
  "cancelled",
  /** Its own status says that it does not count. */
  "voided",
  /** The model does not take its channel, or its currency. */
  "channel",
  "currency",
] as const;
export type Why = (typeof WHYS)[number];

export interface OrderView {
  readonly why: Why;
  /** As an order: 1 or 0. */
  readonly count: number;
  /** Minor units, in the sums. */
  readonly worth: number;
}

/** What the model makes of order `n`. */
export function viewOf(model: Model, orders: OrderColumns, n: number): OrderView {
  const none = (why: Why): OrderView => ({ why, count: 0, worth: 0 });
  const currency = orders.currencies[orders.currency[n] as number] as string;
  const adds = currency === "" || currency === model.currency;
  if (!takesChannel(model, orders.channels[orders.channel[n] as number])) return none("channel");
  if (!adds && model.otherCurrency !== "count") return none("currency");
  const amount = orders.amount[n] as number;
  if (orders.kind[n] !== ORDER) return adds ? { why: "refundAlone", count: 0, worth: -amount } : none("currency");
  const cancelled = CANCELLED[orders.cancelled[n] as number];
  if (cancelled === "cancelled" || cancelled === "voided") return none(cancelled);
  const refunded = orders.refunded[n] as number;
  const isRefunded = refunded > 0 && refunded >= amount;
  if (isRefunded && model.fullRefund !== "keep") return none("refunded");
  if (!adds) return { why: "otherCurrency", count: 1, worth: 0 };
  return { why: isRefunded ? "kept" : "counts", count: 1, worth: Math.max(0, amount - refunded) };
}

/** The orders that a model takes, oldest first, with the figures of the instant. */
export class ModelView {
  readonly #model: Model;
  readonly #times: number[] = [];
  readonly #counts: number[] = [];
  readonly #worths: number[] = [];
  /** First and last time of the orders known that count, ms; null: in no segment. */
  readonly first: number | null;
  readonly last: number | null;
  /** Of the orders in the log. */
  readonly orders: number;
  readonly spend: number;
  /** By dimension: count or sum at the instant; 0 for ages. */
  readonly values: readonly number[];
  /** By dimension: the first order taken that has not left its window. */
  readonly #from: readonly number[];
  readonly #at: number;
  readonly #ordersEver: number;
  readonly #spendEver: number;

  constructor(model: Model, number: number, { orders, rows, clock }: CustomerHistory) {
    this.#model = model;
    this.#at = clock;
    const { pastFirst = null, pastLast = null, row } = rows[number] ?? {};
    this.#ordersEver = row?.ordersEver ?? 0;
    this.#spendEver = row?.spendEver ?? 0;
    let first: number | null = pastFirst;
    let last: number | null = pastLast;
    let [count, sum] = [0, 0];
    for (let n = 0; n < orders.count; n++) {
      const view = viewOf(model, orders, n);
      if (view.count === 0 && view.worth === 0) continue;
      const time = orders.time[n] as number;
      this.#times.push(time);
      this.#counts.push(view.count);
      this.#worths.push(view.worth);
      count += view.count;
      sum += view.worth;
      if (view.count === 0) continue;
      first ??= time;
      last = time; // those past the horizon are older than all others
    }
    [this.first, this.last, this.orders, this.spend] = [first, last, count, sum];
    this.#from = model.dimensions.map(({ windowMs }) => {
      const from = this.#times.findIndex((time) => time + windowMs > clock);
      return from < 0 ? this.#times.length : from;
    });
    this.values = model.dimensions.map((dimension, d) => {
      const shares = this.#sharesOf(dimension);
      if (shares === undefined) return 0;
      if (!Number.isFinite(dimension.windowMs))
        return dimension.measure === "count" ? this.#ordersEver : this.#spendEver;
      return shares.slice(this.#from[d]).reduce((all, share) => all + share, 0);
    });
  }

  #sharesOf({ measure }: Dimension): readonly number[] | undefined {
    return measure === "count" ? this.#counts : measure === "sum" ? this.#worths : undefined;
  }

  /** Band numbers at `at` with these values; `orders` more, of `amount` in all, are placed at the clock. */
  bandsAt(at: number, values: readonly number[], orders = 0, amount = 0): number[] {
    const last = orders > 0 ? Math.max(this.last ?? 0, this.#at) : this.last;
    const first = this.first ?? (orders > 0 ? this.#at : null);
    if (last === null || first === null) return this.#model.dimensions.map(() => 0);
    return this.#model.dimensions.map((dimension, d) => {
      const value = values[d] as number;
      if (dimension.measure === "newest") return bandOfAge(dimension, at - last);
      if (dimension.measure === "oldest") return bandOfAge(dimension, at - first);
      return bandOfValue(dimension, value + (dimension.measure === "count" ? orders : amount));
    });
  }

  /** Bands if so many orders, worth `amount` in all, were placed at the clock. */
  bandsNow(orders: number, amount: number): number[] {
    return this.bandsAt(this.#at, this.values, orders, amount);
  }

  /** Null where all bands are 0 because no order counts. */
  segmentOf(bands: readonly number[], isKnown = this.last !== null): string | null {
    if (!isKnown) return null;
    const cell = bands.reduce((sum, band, d) => sum + band * (this.#model.strides[d] as number), 0);
    return this.#model.segments[this.#model.cells[cell] as number] as string;
  }

  /**
   * What time alone changes, in order: each instant with the bands behind it. Pulled: a reader that has seen enough
   * stops. Cost: the orders in the windows.
   */
  *ahead(): Generator<{ readonly at: number; readonly bands: readonly number[] }> {
    const { dimensions } = this.#model;
    if (this.last === null || this.first === null) return;
    const values = [...this.values];
    const from = [...this.#from];
    let bands = this.bandsAt(this.#at, values);
    for (;;) {
      let at = Number.POSITIVE_INFINITY;
      for (const [d, dimension] of dimensions.entries()) {
        const time = this.#sharesOf(dimension) === undefined ? undefined : this.#times[from[d] as number];
        if (time !== undefined) at = Math.min(at, time + dimension.windowMs);
        const band = dimension.bands[(bands[d] as number) - 1];
        if (band === undefined) continue;
        if (dimension.measure === "newest") at = Math.min(at, this.last + band.limit);
        if (dimension.measure === "oldest") at = Math.min(at, this.first + band.limit);
      }
      if (at === Number.POSITIVE_INFINITY) return;
      for (const [d, dimension] of dimensions.entries()) {
        const shares = this.#sharesOf(dimension);
        if (shares === undefined) continue;
        let n = from[d] as number;
        for (; n < shares.length && (this.#times[n] as number) + dimension.windowMs <= at; n++)
          values[d] = (values[d] as number) - (shares[n] as number);
        from[d] = n;
      }
      const then = this.bandsAt(at, values);
      if (then.some((band, d) => band !== bands[d])) yield { at, bands: then };
      bands = then;
    }
  }

  /** When the value of dimension `d` first falls below what it is, if nothing is bought; null for never. */
  fallsAt(d: number): number | null {
    const dimension = this.#model.dimensions[d] as Dimension;
    const shares = this.#sharesOf(dimension);
    if (shares === undefined || !Number.isFinite(dimension.windowMs)) return null;
    let gone = 0;
    for (let n = this.#from[d] as number; n < shares.length; n++) {
      gone += shares[n] as number;
      // What leaves at one instant leaves together.
      if (gone > 0 && this.#times[n + 1] !== this.#times[n]) return (this.#times[n] as number) + dimension.windowMs;
    }
    return null;
  }
}

/** Band number of an age in ms, 0 for none. */
function bandOfAge({ bands }: Dimension, age: number): number {
  return bands.findIndex(({ limit }) => age < limit) + 1;
}

/** Band number of a count or sum, 0 for none. */
function bandOfValue({ bands }: Dimension, value: number): number {
  return bands.findIndex(({ limit }) => value >= limit) + 1;
}
