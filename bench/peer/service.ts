/**
 * What a team would write by hand in place of Tidemark: one Node process, a Map of customers, the order events of each
 * as objects, `@msgpack/msgpack`. Windows are kept up incrementally, timers in a heap; the configuration is Tidemark's
 * own, compiled. Not here, because such a service deploys anew for it: a change of models, sources with other fields,
 * partitions.
 */
import { Decoder, encode } from "@msgpack/msgpack";
import type { Cause } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import { Customer, Order, type Reversal, Row } from "./customer.js";
import { forecast } from "./forecast.js";
import { type Item, type Reading, Refused, readable, readItem, readingOf } from "./item.js";
import { judgeOrder, judgeReversal, type Rules, type Verdict } from "./judge.js";
import { encodeDead, encodeMigration, type Origin, type Output, type Snapshot } from "./migration.js";
import { Parking } from "./parking.js";
import { type Plan, plansOf, takes } from "./plan.js";
import {
  add,
  boundary,
  counts,
  depart,
  enter,
  exit,
  highVersion,
  nextChange,
  notePast,
  pointsOf,
  readBands,
  segmentOf,
  takesOrder,
} from "./row.js";
import { Timers } from "./timers.js";

export interface Message {
  readonly sequence: number;
  /** The broker's timestamp, ms. */
  readonly stamp: number;
  readonly silent: boolean;
  readonly body: Uint8Array;
}

export const COUNTED = ["applied", "amended", "duplicate", "stale", "parked", "late", "test", "anonymous"] as const;
export type Counted = (typeof COUNTED)[number];

/** More due customers that fire with an event, and with a tick. */
const FIRE_EVENT = 8;
const FIRE_TICK = 1024;

const TIME: Origin = { kind: "recency", event: null, order: null, channel: null, time: 0 };

export class Service {
  readonly #settings: Settings;
  readonly #plans: readonly Plan[];
  readonly #rules: Rules;
  readonly #reading: Reading;
  readonly #isEventClock: boolean;
  /** Currency of the events that name none: their channel's, or else the one that all models share. */
  readonly #channelCurrency: ReadonlyMap<string, string>;
  readonly #sharedCurrency: string | null;
  readonly #decoder = new Decoder();
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true });

  readonly #customers = new Map<string, Customer>();
  readonly #timers = new Timers();
  readonly #parking = new Parking();
  /** Of each model, as they were before the event at hand. */
  readonly #before: Snapshot[];
  readonly #after = newSnapshot();
  readonly #tally: number[][];
  readonly counts: Record<Counted, number>;

  #out: Output[] = [];
  #clock = 0;
  #live: boolean;
  #sequence = 0;
  #silent = false;

  constructor(settings: Settings, live: boolean) {
    this.#settings = settings;
    this.#live = live;
    this.#plans = plansOf(settings);
    this.#rules = { plans: this.#plans, horizonMs: settings.horizonMs, parkedMax: settings.parkedMax };
    this.#reading = readingOf(settings);
    this.#isEventClock = settings.clock === "event";
    this.#channelCurrency = new Map(
      settings.channels.flatMap(({ name, currency }) => (currency === undefined ? [] : [[name, currency]])),
    );
    const currencies = new Set(settings.models.map(({ currency }) => currency));
    this.#sharedCurrency = currencies.size === 1 ? ([...currencies][0] as string) : null;
    this.#before = this.#plans.map(newSnapshot);
    this.#tally = this.#plans.map(({ segments }) => segments.map(() => 0));
    this.counts = Object.fromEntries(COUNTED.map((name) => [name, 0])) as Record<Counted, number>;
  }

  get clock(): number {
    return this.#clock;
  }

  /** Customers in each segment of each model. */
  tally(): readonly (readonly number[])[] {
    return this.#tally;
  }

  /** Applies one message: an order event or an array of them. Returns what it makes known. */
  handle(message: Message): Output[] {
    this.#out = [];
    this.#sequence = message.sequence;
    this.#silent = message.silent;
    if (!this.#isEventClock && message.stamp > this.#clock) this.#clock = message.stamp;
    let value: unknown;
    try {
      value = this.#decode(message.body);
    } catch {
      this.#refuse({ reason: "undecodable", customer: null, index: 0, clock: this.#clock }, message.body);
      this.#fire(FIRE_EVENT);
      return this.#out;
    }
    if (Array.isArray(value)) for (let n = 0; n < value.length; n++) this.#take(value[n], n);
    else this.#take(value, 0);
    return this.#out;
  }

  /** Moves the clock and fires what is due, up to a thousand customers. Returns what it makes known. */
  tick(instant: number): Output[] {
    this.#out = [];
    if (instant > this.#clock) this.#clock = instant;
    this.#fire(FIRE_TICK);
    return this.#out;
  }

  /** What was due up to now was history, too. */
  goLive(): Output[] {
    this.#out = [];
    this.#fire(Number.POSITIVE_INFINITY);
    this.#live = true;
    return this.#out;
  }

  /** True where something is due up to the clock that has not fired; false may take a tick to be found. */
  get isBehind(): boolean {
    return Math.min(this.#timers.first, this.#parking.first()?.waitsUntil ?? Number.POSITIVE_INFINITY) <= this.#clock;
  }

  /** Every customer in every model. */
  *rows(): Generator<{ readonly plan: Plan; readonly customer: string; readonly row: Row; readonly points: number }> {
    for (const { id, hasRows, rows } of this.#customers.values()) {
      if (!hasRows) continue;
      for (const plan of this.#plans) {
        const row = rows[plan.index] as Row;
        yield { plan, customer: id, row, points: pointsOf(plan, row) };
      }
    }
  }

  #decode(body: Uint8Array): unknown {
    // MessagePack of an array or map begins with 0x80 or above.
    return (body[0] ?? 0) < 0x80 ? JSON.parse(this.#utf8.decode(body)) : this.#decoder.decode(body);
  }

  #take(value: unknown, index: number): void {
    let item: ReturnType<typeof readItem>;
    try {
      item = readItem(value, this.#reading);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const customer = readable(value, "customer");
      this.#refuse({ reason: error.reason, customer, index, clock: this.#clock }, encode(value));
      this.#fire(FIRE_EVENT);
      return;
    }
    if (item.kind === "test" || item.kind === "anonymous") {
      if (this.#isEventClock && item.time > this.#clock) this.#clock = item.time;
      this.counts[item.kind]++;
    } else {
      this.#event(item, value, index);
    }
    this.#fire(FIRE_EVENT);
  }

  #event(item: Item, value: unknown, index: number): void {
    const now = this.#isEventClock && item.time > this.#clock ? item.time : this.#clock;
    const currency =
      item.currency ?? (item.order === null ? (this.#channelCurrency.get(item.channel) ?? this.#sharedCurrency) : null);
    const customer = this.#customers.get(item.customer);
    const verdict = this.#judge(item, currency, customer, now);
    if (verdict.does !== "refuse") this.#clock = now;
    if (customer !== undefined) this.#fireOwn(customer);
    switch (verdict.does) {
      case "refuse":
        this.#refuse({ reason: verdict.reason, customer: item.customer, index, clock: this.#clock }, encode(value));
        break;
      case "ignore":
        this.counts[verdict.as]++;
        break;
      case "order":
        this.#newOrder(item, currency, customer ?? this.#newCustomer(item.customer));
        break;
      default:
        this.#change(item, currency, customer ?? this.#newCustomer(item.customer), verdict, value, index);
    }
  }

  #judge(item: Item, currency: string | null, customer: Customer | undefined, now: number): Verdict {
    if (!this.#isEventClock && item.time > now + this.#settings.futureToleranceMs) {
      return { does: "refuse", reason: "tooFarAhead" };
    }
    let isTaken = false;
    for (const plan of this.#plans) isTaken ||= takes(plan, item.channel, currency);
    if (!isTaken) return { does: "refuse", reason: "noModel" };
    return item.kind === "order"
      ? judgeOrder(item, currency, customer, now, this.#rules)
      : judgeReversal(item, currency, customer, now, this.#parking.size, this.#rules);
  }

  #newCustomer(id: string): Customer {
    const customer = new Customer(
      id,
      this.#customers.size,
      this.#plans.map(() => new Row()),
    );
    this.#customers.set(id, customer);
    return customer;
  }

  /** An order that was not known, with the reversals that waited for it: one step. */
  #newOrder(item: Item, currency: string | null, customer: Customer): void {
    this.counts.applied++;
    const { channel, time } = item;
    const order = new Order(true, item.id, channel, time, item.amount, currency, item.version);
    if (customer.waiting !== undefined) this.#meet(customer, order);
    customer.hasRows = true;
    customer.keep(order);
    customer.link(order);
    const clock = this.#clock;
    const origin = originOf(item, "order");
    // Of an order that is new only its own boundaries can be earlier than what is armed already.
    let next = customer.oldest === order ? time + this.#settings.horizonMs : Number.POSITIVE_INFINITY;
    for (const plan of this.#plans) {
      if (!takes(plan, channel, currency)) continue;
      const row = customer.rows[plan.index] as Row;
      const before = this.#before[plan.index] as Snapshot;
      capture(before, row);
      add(row, plan, order, 1, clock);
      enter(row, plan, order, clock);
      this.#settle(customer, row, plan, clock, origin);
      if (row.newest === order || row.first === order) {
        next = Math.min(next, boundary(row, plan, row.recency, row.tenure));
      }
      if (row.countFrom === order) next = Math.min(next, time + plan.frequencyMs);
      if (row.sumFrom === order) next = Math.min(next, time + plan.monetaryMs);
    }
    this.#arm(customer, next);
  }

  /** Gives an order the reversals that waited for it. */
  #meet(customer: Customer, order: Order): void {
    for (const reversal of customer.waiting ?? []) {
      if (reversal.orderId !== order.id || reversal.channel !== order.channel) continue;
      this.#parking.unpark(reversal);
      if (reversal.currency !== null && reversal.currency !== order.currency) {
        this.#refuseReversal(reversal, "conflict", this.#clock);
      } else if (reversal.kind === "cancel" && reversal.version !== 0 && reversal.version < highVersion(order)) {
        this.counts.stale++;
      } else {
        attach(order, reversal);
      }
    }
  }

  /** Everything but a new order: amendments, reversals, orders past the horizon. */
  #change(
    item: Item,
    currency: string | null,
    customer: Customer,
    verdict: Exclude<Verdict, { does: "refuse" | "ignore" | "order" }>,
    value: unknown,
    index: number,
  ): void {
    if (verdict.does !== "park") customer.hasRows = true;
    for (const plan of this.#plans) capture(this.#before[plan.index] as Snapshot, customer.rows[plan.index] as Row);
    let cause: Cause = item.kind;
    if (verdict.does === "amend") {
      cause = "amend";
      this.counts.amended++;
      this.#amend(customer, verdict.known, item, currency);
    } else if (verdict.does === "late") {
      this.counts.late++;
      for (const plan of this.#plans) {
        if (takes(plan, item.channel, currency)) notePast(customer.rows[plan.index] as Row, item.time);
      }
    } else {
      if (verdict.known === undefined) this.counts[verdict.does === "park" ? "parked" : "applied"]++;
      else {
        cause = "amend";
        this.counts.amended++;
        this.#takeOut(customer, verdict.known);
      }
      if (verdict.does === "loose") {
        const loose = new Order(false, item.id, item.channel, item.time, item.amount, currency, item.version);
        customer.keep(loose);
        this.#enter(customer, loose);
      } else if (verdict.does !== "lateLoose") {
        const reversal = reversalOf(item, customer, value, index);
        if (verdict.does === "park") this.#parking.park(reversal, this.#clock + this.#settings.parkForMs);
        else {
          this.#leave(customer, verdict.to);
          attach(verdict.to, reversal);
          this.#enter(customer, verdict.to);
        }
      }
    }
    const origin = originOf(item, cause);
    for (const plan of this.#plans) {
      this.#settle(customer, customer.rows[plan.index] as Row, plan, this.#clock, origin);
    }
    this.#arm(customer, this.#nextChange(customer));
  }

  #amend(customer: Customer, order: Order, item: Item, currency: string | null): void {
    this.#leave(customer, order);
    order.time = item.time;
    order.amount = item.amount;
    order.currency = currency;
    order.version = item.version;
    if (item.time + this.#settings.horizonMs > this.#clock) {
      this.#enter(customer, order);
      return;
    }
    customer.forget(order);
    for (const plan of this.#plans) {
      if (takesOrder(plan, order) && counts(plan, order)) notePast(customer.rows[plan.index] as Row, order.time);
    }
  }

  /** Takes a known reversal, or refund without order, out as if it had never come. */
  #takeOut(customer: Customer, known: Order | Reversal): void {
    if (known.isOrder !== undefined) {
      this.#leave(customer, known);
      customer.forget(known);
    } else if (known.order === undefined) {
      this.#parking.unpark(known);
    } else {
      const { order } = known;
      this.#leave(customer, order);
      const left = order.reversals?.filter((it) => it !== known) ?? [];
      order.reversals = undefined;
      order.refunded = 0;
      order.cancelVersion = -1;
      order.isFinal = false;
      for (const reversal of left) attach(order, reversal);
      this.#enter(customer, order);
    }
  }

  // What changes whether or how much an order counts is unlinked and linked anew: so the newest and first of a row are
  // the last and the first of the list that count, also among orders of one time.
  #leave(customer: Customer, order: Order): void {
    for (const plan of this.#plans) {
      if (!takesOrder(plan, order)) continue;
      const row = customer.rows[plan.index] as Row;
      add(row, plan, order, -1, this.#clock);
      exit(row, plan, order);
    }
    customer.unlink(order);
  }

  #enter(customer: Customer, order: Order): void {
    customer.link(order);
    for (const plan of this.#plans) {
      if (!takesOrder(plan, order)) continue;
      const row = customer.rows[plan.index] as Row;
      enter(row, plan, order, this.#clock);
      add(row, plan, order, 1, this.#clock);
    }
  }

  #refuse(dead: Omit<Parameters<typeof encodeDead>[0], "name" | "sequence">, body: Uint8Array): void {
    this.#out.push(encodeDead({ ...dead, name: this.#settings.name, sequence: this.#sequence }, body));
  }

  #refuseReversal({ customer, index, value }: Reversal, reason: "conflict" | "unmatched", clock: number): void {
    this.#refuse({ reason, customer: customer.id, index, clock }, encode(value));
  }

  // ---- time

  #arm(customer: Customer, instant: number): void {
    // A later one leaves the timer: it fires early, looks, and is armed anew.
    if (instant >= customer.armed) return;
    customer.armed = instant;
    this.#timers.push(instant, customer);
  }

  #nextChange(customer: Customer): number {
    const { oldest, rows } = customer;
    let next = oldest === undefined ? Number.POSITIVE_INFINITY : oldest.time + this.#settings.horizonMs;
    for (const plan of this.#plans) next = Math.min(next, nextChange(rows[plan.index] as Row, plan));
    return next;
  }

  /** Fires all that is due for one customer up to the clock. */
  #fireOwn(customer: Customer): void {
    // A timer is never later than the next change.
    while (customer.armed <= this.#clock || customer.waiting !== undefined) {
      const change = customer.armed <= this.#clock ? this.#nextChange(customer) : Number.POSITIVE_INFINITY;
      const waiting = customer.waiting?.[0];
      if (waiting !== undefined && waiting.waitsUntil <= this.#clock && waiting.waitsUntil <= change) {
        this.#expire(waiting);
        continue;
      }
      if (change > this.#clock) {
        if (customer.armed > this.#clock) return;
        customer.armed = Number.POSITIVE_INFINITY;
        this.#arm(customer, change);
        return;
      }
      this.#fireAt(customer, change);
    }
  }

  /** Fires for up to `most` customers what is due up to the clock, by instant. */
  #fire(most: number): void {
    for (let left = most; left > 0; ) {
      const instant = this.#timers.first;
      const waiting = this.#parking.first();
      if (waiting !== undefined && waiting.waitsUntil <= this.#clock && waiting.waitsUntil <= instant) {
        this.#expire(waiting);
        left--;
        continue;
      }
      if (instant > this.#clock) return;
      const customer = this.#timers.pop();
      if (customer.armed !== instant) continue;
      customer.armed = Number.POSITIVE_INFINITY;
      let change = this.#nextChange(customer);
      if (change === instant) {
        this.#fireAt(customer, instant);
        change = this.#nextChange(customer);
        left--;
      }
      this.#arm(customer, change);
    }
  }

  #fireAt(customer: Customer, instant: number): void {
    for (const plan of this.#plans) {
      const row = customer.rows[plan.index] as Row;
      capture(this.#before[plan.index] as Snapshot, row);
      depart(row, plan, instant);
      this.#settle(customer, row, plan, instant, undefined);
    }
    const { horizonMs } = this.#settings;
    for (
      let order = customer.oldest;
      order !== undefined && order.time + horizonMs <= instant;
      order = customer.oldest
    ) {
      for (const plan of this.#plans) {
        if (!takesOrder(plan, order)) continue;
        const row = customer.rows[plan.index] as Row;
        if (counts(plan, order)) notePast(row, order.time);
        exit(row, plan, order);
      }
      customer.unlink(order);
      customer.forget(order);
    }
  }

  #expire(reversal: Reversal): void {
    const until = reversal.waitsUntil;
    this.#parking.unpark(reversal);
    this.#refuseReversal(reversal, "unmatched", until);
  }

  /** Compares a row's bands at `at` with what they were: where one or the segment changed, that is a migration. */
  #settle(customer: Customer, row: Row, plan: Plan, at: number, origin: Origin | undefined): void {
    const after = this.#after;
    readBands(after, row, plan, row.orders, row.spend, at);
    const segment = segmentOf(row, plan, after);
    const isSame =
      after.recency === row.recency &&
      after.frequency === row.frequency &&
      after.monetary === row.monetary &&
      after.tenure === row.tenure;
    if (isSame && segment === row.segment) return;
    const before = this.#before[plan.index] as Snapshot;
    const tally = this.#tally[plan.index] as number[];
    if (row.segment >= 0) tally[row.segment] = (tally[row.segment] as number) - 1;
    if (segment >= 0) tally[segment] = (tally[segment] as number) + 1;
    if (segment !== row.segment || row.since === 0) row.since = at;
    row.recency = after.recency;
    row.frequency = after.frequency;
    row.monetary = after.monetary;
    row.tenure = after.tenure;
    row.segment = segment;
    row.revision++;
    capture(after, row);
    this.#out.push(
      encodeMigration({
        name: this.#settings.name,
        plan,
        customer: customer.id,
        revision: row.revision,
        time: at,
        silent: !this.#live || (origin !== undefined && this.#silent),
        from: before,
        to: after,
        origin: origin ?? { ...TIME, kind: causeInTime(before, after) },
        forecast: forecast(row, plan),
        sequence: this.#sequence,
        clock: this.#clock,
      }),
    );
  }
}

function newSnapshot(): Snapshot {
  const bands = { recency: 0, frequency: 0, monetary: 0, tenure: 0 };
  const figures = { firstTime: 0, lastTime: 0, orders: 0, spend: 0, ordersEver: 0, spendEver: 0 };
  return { ...bands, segment: -1, since: 0, ...figures };
}

function capture(into: Snapshot, row: Row): void {
  into.recency = row.recency;
  into.frequency = row.frequency;
  into.monetary = row.monetary;
  into.tenure = row.tenure;
  into.segment = row.segment;
  into.since = row.since;
  into.firstTime = row.firstTime;
  into.lastTime = row.lastTime;
  into.orders = row.orders;
  into.spend = row.spend;
  into.ordersEver = row.ordersEver;
  into.spendEver = row.spendEver;
}

/** The first of recency, window and tenure whose band differs. */
function causeInTime(from: Snapshot, to: Snapshot): Cause {
  if (from.recency !== to.recency) return "recency";
  return from.frequency !== to.frequency || from.monetary !== to.monetary ? "window" : "tenure";
}

function originOf({ kind, id, order, channel, time }: Item, cause: Cause): Origin {
  return { kind: cause, event: id, order: kind === "order" ? id : order, channel, time };
}

function reversalOf(item: Item, customer: Customer, value: unknown, index: number): Reversal {
  const { kind, id, channel, order, time, amount, currency, version } = item;
  if (kind === "order" || order === null) throw new TypeError("not a reversal of an order");
  const of = { kind, id, channel, orderId: order, time, amount, currency, version };
  return { ...of, order: undefined, waitsUntil: 0, customer, value, index };
}

/** Adds what a reversal says to what its order's come to. */
function attach(order: Order, reversal: Reversal): void {
  reversal.order = order;
  if (order.reversals === undefined) order.reversals = [reversal];
  else order.reversals.push(reversal);
  if (reversal.kind === "refund") order.refunded += reversal.amount;
  else if (reversal.version === 0) order.isFinal = true;
  else order.cancelVersion = Math.max(order.cancelVersion, reversal.version);
}
