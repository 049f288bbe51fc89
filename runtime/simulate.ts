/**
 * A simulated shop: who buys when by the BG/NBD model (Fader, Hardie and Lee 2005), for how much by the gamma-gamma
 * model (Fader and Hardie 2013), with their parameters for CDNOW; and what goes wrong between a shop and a stream.
 * Pure: the same options give the same events.
 */
import { Random } from "./random.js";
import type { Kind } from "./record.js";

/** BG/NBD for CDNOW, in weeks: orders while alive ~ gamma(r, α); a chance to leave after each order ~ beta(a, b). */
export const PURCHASE = { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 } as const;
/** Gamma-gamma for CDNOW, in the currency's major unit: an order ~ gamma(p, ν), ν ~ gamma(q, γ). */
export const SPEND = { p: 6.25, q: 3.74, gamma: 15.44 } as const;

/** Shares of orders to which each thing happens. */
export const MISHAPS = {
  /** Refunded, half of them in full, 1 to 21 days later. */
  refund: 0.04,
  /** Of the refunds: the refund does not name its order. */
  refundWithoutOrder: 0.15,
  /** Cancelled within 48 hours. */
  cancel: 0.015,
  /** Sent as version 1 with another amount within 48 hours. */
  amend: 0.02,
  /** Sent again, the same, within 10 minutes. */
  duplicate: 0.01,
  /** Arrives up to 3 days late (a till that was offline); what reverses it can then come first. */
  late: 0.02,
  /** A test order beside it. */
  test: 0.001,
} as const;

export interface ShopOptions {
  /** Any whole number up to 2^53. */
  readonly seed: number;
  readonly customers: number;
  /** Start of the shop, ms. */
  readonly start: number;
  /** Events that arrive before this are given, ms. */
  readonly end: number;
  /** Channels with their share of the orders. Default web 0.8, store 0.2. */
  readonly channels?: readonly { readonly name: string; readonly share: number }[];
  /** Instants of newsletters: some customers order within the half hour after each. */
  readonly newsletters?: readonly number[];
}

/** Share of the customers known by then who answer a newsletter. */
export const NEWSLETTER_SHARE = 0.04;
const NEWSLETTER_MS = 30 * 60_000;

export interface ShopEvent {
  readonly id: string;
  readonly customer: string;
  readonly time: number;
  readonly amount?: number;
  readonly channel: string;
  readonly kind?: Kind;
  readonly order?: string;
  readonly version?: number;
  readonly test?: boolean;
}

export interface Arrival {
  /** When the stream gets it, ms; never before the event's time. */
  readonly at: number;
  readonly event: ShopEvent;
}

const WEEK = 7 * 86_400_000;
const DAY = 86_400_000;
const HOUR = 3_600_000;
const MINUTE = 60_000;
const CHANNELS = [
  { name: "web", share: 0.8 },
  { name: "store", share: 0.2 },
] as const;

/**
 * Events in order of arrival. Customers make their first order at a steady rate over the whole time. Memory grows
 * with the customers, not with the events.
 */
export function* simulateShop(options: ShopOptions): Generator<Arrival, void, undefined> {
  const queue = new Queue();
  const span = Math.max(0, options.end - options.start);
  for (let number = 0; number < options.customers; number++) {
    const first = options.start + Math.floor(new Random(options.seed, number + 1).uniform() * span);
    queue.push({ at: first, customer: shopper(number, options, first) });
  }
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (next.at >= options.end) continue;
    if (next.event !== undefined) {
      yield { at: next.at, event: next.event };
      continue;
    }
    for (const arrival of next.customer.order(next.at)) queue.push({ ...arrival, customer: next.customer });
    const following = next.customer.next(next.at);
    if (following < options.end) queue.push({ at: following, customer: next.customer });
  }
}

/**
 * Orders of a shop's customers now, for ever, at `rate` a second with exponential gaps: busier than its history, so
 * that there is something to see. Who bought often buys again soon; the rest of the mishaps are as above, in minutes.
 */
export function* simulateTraffic(
  options: ShopOptions & { readonly rate: number },
): Generator<Arrival, never, undefined> {
  const random = new Random(options.seed, 0);
  const queue = new Queue();
  const regulars = Math.max(1, Math.ceil(options.customers / 10));
  let newcomers = options.customers;
  // Ids of another start must not be taken for these orders.
  const run = options.end.toString(36);
  let at = options.end;
  for (let orders = 0; ; orders++) {
    at += random.exponential(1000 / options.rate);
    for (let due = queue.peek(); due !== undefined && due.at <= at; due = queue.peek()) {
      queue.pop();
      if (due.event !== undefined) yield { at: Math.floor(due.at), event: due.event };
    }
    // One order in ten is a newcomer's, four are of a tenth of the customers, the rest of anyone.
    const pick = random.uniform();
    const number =
      pick < 0.1 ? newcomers++ : pick < 0.5 ? random.below(regulars) : random.below(Math.max(1, options.customers));
    const customer = shopper(number, options, at, new Random(options.seed + 1, orders), `${run}-${orders}-`);
    for (const arrival of customer.order(Math.floor(at), 1 / 240)) queue.push({ ...arrival, customer });
  }
}

/** The customer of this number: the same nature whoever asks, and its own or other numbers for what it then does. */
function shopper(number: number, options: ShopOptions, first: number, random?: Random, prefix?: string): Shopper {
  const own = new Random(options.seed, number + 1);
  own.uniform(); // its first order's
  return new Shopper(number, options, first, own, random ?? own, prefix ?? "");
}

/** One customer: what remains of its random numbers, and how many orders it made. */
class Shopper {
  readonly #name: string;
  readonly #prefix: string;
  readonly #random: Random;
  readonly #options: ShopOptions;
  /** Mean gap between orders, ms. */
  readonly #gap: number;
  readonly #leaves: number;
  /** ν of the gamma-gamma model, per minor unit. */
  readonly #scale: number;
  readonly #newsletters: number[];
  #orders = 0;
  #gone = false;

  constructor(number: number, options: ShopOptions, first: number, own: Random, random: Random, prefix: string) {
    this.#name = `c${String(number).padStart(6, "0")}`;
    this.#prefix = prefix;
    this.#random = random;
    this.#options = options;
    this.#gap = WEEK / Math.max(own.gamma(PURCHASE.r, PURCHASE.alpha), 1e-12);
    this.#leaves = own.beta(PURCHASE.a, PURCHASE.b);
    this.#scale = own.gamma(SPEND.q, SPEND.gamma) / 100;
    this.#newsletters = (options.newsletters ?? [])
      .filter((sent) => sent > first && random.chance(NEWSLETTER_SHARE))
      .map((sent) => sent + random.below(NEWSLETTER_MS))
      .sort((a, b) => a - b);
  }

  /** When the customer orders next after an order at `at`; Infinity for never. */
  next(at: number): number {
    while ((this.#newsletters[0] ?? Number.POSITIVE_INFINITY) <= at) this.#newsletters.shift();
    const prompted = this.#newsletters[0] ?? Number.POSITIVE_INFINITY;
    // In BG/NBD no one leaves after the first order.
    this.#gone ||= this.#orders > 1 && this.#random.chance(this.#leaves);
    if (this.#gone) return prompted;
    return Math.min(at + Math.max(1, Math.ceil(this.#random.exponential(this.#gap))), prompted);
  }

  /** An order at `time` and all that comes of it. `pace` shortens the delays. */
  order(time: number, pace = 1): { at: number; event: ShopEvent }[] {
    const random = this.#random;
    const id = `${this.#prefix}${this.#name.slice(1)}-${++this.#orders}`;
    const customer = this.#name;
    const channel = this.#channel();
    const amount = Math.max(1, Math.round(random.gamma(SPEND.p, this.#scale)));
    const event: ShopEvent = { id, customer, time, amount, channel };
    const after = (from: number, to: number) => time + Math.ceil((from + random.uniform() * (to - from)) * pace);
    const at = random.chance(MISHAPS.late) ? after(MINUTE, 3 * DAY) : time;
    const all = [{ at, event }];
    if (random.chance(MISHAPS.duplicate))
      all.push({ at: at + Math.ceil(random.uniform() * 10 * MINUTE * pace), event });
    if (random.chance(MISHAPS.test)) all.push({ at: time, event: { ...event, id: `${id}-test`, test: true } });
    if (random.chance(MISHAPS.amend)) {
      const changed = Math.max(1, Math.round(amount * (0.5 + random.uniform())));
      all.push({ at: after(MINUTE, 48 * HOUR), event: { ...event, amount: changed, version: 1 } });
    }
    if (random.chance(MISHAPS.cancel)) {
      const when = after(MINUTE, 48 * HOUR);
      all.push({ at: when, event: { id: `${id}-c`, customer, time: when, channel, kind: "cancel", order: id } });
    } else if (random.chance(MISHAPS.refund)) {
      const when = after(DAY, 21 * DAY);
      const back = random.chance(0.5) ? amount : Math.max(1, Math.round(amount * random.uniform()));
      const refund: ShopEvent = { id: `${id}-r`, customer, time: when, amount: back, channel, kind: "refund" };
      all.push({ at: when, event: random.chance(MISHAPS.refundWithoutOrder) ? refund : { ...refund, order: id } });
    }
    return all;
  }

  #channel(): string {
    const channels = this.#options.channels ?? CHANNELS;
    let left = this.#random.uniform() * channels.reduce((sum, { share }) => sum + share, 0);
    for (const { name, share } of channels) {
      if (left < share) return name;
      left -= share;
    }
    return channels.at(-1)?.name ?? "web";
  }
}

interface Entry {
  readonly at: number;
  readonly customer: Shopper;
  /** What arrives; absent: the customer orders. */
  readonly event?: ShopEvent;
}

/** A binary heap by instant; of equal instants the one put in first comes first. */
class Queue {
  readonly #heap: { entry: Entry; order: number }[] = [];
  #pushed = 0;

  push(entry: Entry): void {
    const heap = this.#heap;
    const added = { entry, order: this.#pushed++ };
    let at = heap.length;
    heap.push(added);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as { entry: Entry; order: number };
      if (!precedes(added, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = added;
  }

  peek(): Entry | undefined {
    return this.#heap[0]?.entry;
  }

  pop(): Entry | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined || heap.length === 0) return top?.entry;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      const least = right !== undefined && precedes(right, left) ? right : left;
      if (least === right) child++;
      if (!precedes(least, last)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = last;
    return top.entry;
  }
}

function precedes(a: { entry: Entry; order: number }, b: { entry: Entry; order: number }): boolean {
  return a.entry.at !== b.entry.at ? a.entry.at < b.entry.at : a.order < b.order;
}
