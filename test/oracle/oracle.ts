/**
 * What must come of a stream of order events: slow and obvious, a second reading of the design that shares no
 * code with the engine. It keeps all that was ever taken of each customer and works everything out anew at
 * every instant at which anything can change.
 */
import {
  dimensionsOf,
  highVersion,
  instantsAfter,
  type Known,
  NO_PAST,
  type Order,
  type Past,
  type Reversal,
  sameBands,
  taken,
  takes,
  type View,
  viewAt,
  worth,
} from "./evaluate.js";
import { type Item, type Reading, readItem } from "./item.js";
import { parseJson } from "./json.js";
import {
  type CauseWords,
  durationMs,
  type Input,
  type ModelWords,
  type OracleRow,
  type OutcomeWords,
  type PlaceWords,
  type Result,
  type SettingsWords,
} from "./words.js";

interface Parked {
  reversal: Reversal;
  customer: string;
  until: number;
  arrival: number;
  index: number;
}
/** A customer's row in one model: what can't be worked out again. */
interface Row {
  place: PlaceWords;
  revision: number;
  past: Past;
}
interface Customer extends Known {
  id: string;
  parked: Parked[];
  /** An event without effect was applied: that makes a row too. */
  touched: boolean;
  rows: Map<string, Row>;
  /** Everything due up to here has fired. */
  firedTo: number;
}
const FOUR = ["recency", "frequency", "monetary", "tenure"] as const;
type Verdict = { dead: string } | { outcome: OutcomeWords; cause?: string; apply?: (customer: Customer) => void };

const OUTCOMES: OutcomeWords[] = [
  "applied",
  "amended",
  "duplicate",
  "stale",
  "parked",
  "late",
  "test",
  "skipped",
  "anonymous",
];

/**
 * Everything that must be true of `inputs`: the states at `instants`, and all that falls due until the last
 * of them (or until the last input's clock, where that is later).
 */
export function oracle(
  initialModels: readonly ModelWords[],
  settings: SettingsWords,
  inputs: readonly Input[],
  instants: readonly number[],
): Result {
  const horizon = durationMs(settings.horizon ?? "400d");
  const parkFor = durationMs(settings.parkFor ?? "30d");
  const parkedMax = settings.parkedMax ?? 1_000_000;
  const futureTolerance = durationMs(settings.futureTolerance ?? "24h");
  const eventClock = settings.clock === "event";
  let models = initialModels;
  let live = settings.history !== true;

  const customers = new Map<string, Customer>();
  const result: Result = {
    states: new Map(),
    migrations: [],
    dead: [],
    counts: Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Record<OutcomeWords, number>,
  };
  const asked = [...new Set(instants)].sort((a, b) => a - b);
  let clock = 0;
  let arrivals = 0;

  // ---- what is known at an instant: an entry is forgotten exactly at its time + horizon, a parked one at its end

  function knownOrder(customer: Customer | undefined, channel: string, id: string, at: number): Order | undefined {
    return customer?.orders.find(
      (order) => !order.late && order.channel === channel && order.id === id && at < order.time + horizon,
    );
  }
  /** The same reversal, where it is known: matched, waiting or without order. */
  function knownReversal(customer: Customer | undefined, item: Item, at: number) {
    const same = (it: Reversal) => it.kind === item.kind && it.channel === item.channel && it.id === item.id;
    for (const order of customer?.orders ?? []) {
      if (order.late || at >= order.time + horizon) continue;
      const reversal = order.reversals.find(same);
      if (reversal !== undefined) return { reversal, order, waiting: false };
    }
    const loose = customer?.loose.find((it) => same(it) && at < it.time + horizon);
    if (loose !== undefined) return { reversal: loose, order: undefined, waiting: false };
    const parked = customer?.parked.find((it) => same(it.reversal) && at < it.until);
    return parked === undefined ? undefined : { reversal: parked.reversal, order: undefined, waiting: true };
  }
  function waitingAt(at: number): number {
    let count = 0;
    for (const customer of customers.values()) count += customer.parked.filter((it) => at < it.until).length;
    return count;
  }
  function resolvedCurrency(item: Item): string | null {
    const shared = models.every((model) => model.currency === models[0]?.currency) ? models[0]?.currency : undefined;
    return item.currency ?? settings.currencies?.[item.channel] ?? shared ?? null;
  }
  function view(customer: Customer, model: ModelWords, instant: number): View {
    return viewAt(customer, model, instant, customer.rows.get(model.name)?.past);
  }
  function changesAfter(customer: Customer, model: ModelWords, after: number): number[] {
    return instantsAfter(customer, model, after, customer.rows.get(model.name)?.past);
  }

  // ---- an event is judged first, and changes nothing before its verdict is known

  function judge(item: Item, at: number, index: number): Verdict {
    if (!eventClock && item.time > at + futureTolerance) return { dead: "tooFarAhead" };
    const currency = item.order === null ? resolvedCurrency(item) : item.currency;
    if (!models.some((model) => takes(model, item.channel, currency).it)) return { dead: "noModel" };
    const customer = customers.get(item.customer);
    return item.kind === "order"
      ? judgeOrder(item, currency, customer, at)
      : judgeReversal(item, currency, customer, at, index);
  }

  function judgeOrder(item: Item, currency: string | null, customer: Customer | undefined, at: number): Verdict {
    const { channel, id, time, amount, version } = item;
    const known = knownOrder(customer, channel, id, at);
    const late = at >= time + horizon;
    const fresh: Order = { channel, id, time, amount, currency, void: item.void, version, late, reversals: [] };
    if (known === undefined) {
      if (!late && overflows(customer, fresh, 1n)) return { dead: "overflow" };
      return {
        outcome: late ? "late" : "applied",
        cause: "order",
        apply: (owner) => {
          owner.orders.push(fresh);
          if (!late) takeParked(owner, fresh, at);
        },
      };
    }
    if (version < highVersion(known)) return { outcome: "stale" };
    const same =
      time === known.time && amount === known.amount && currency === known.currency && item.void === known.void;
    if (version === known.version && same) return { outcome: "duplicate" };
    if (version === 0n) return { dead: "conflict" };
    const replace = (copy: Known): void => {
      const old = copy.orders.indexOf(known);
      copy.orders[old] = { ...fresh, reversals: known.reversals };
    };
    if (!late && overflows(customer, fresh, 1n, known)) return { dead: "overflow" };
    return { outcome: "amended", cause: "amend", apply: replace };
  }

  function judgeReversal(
    item: Item,
    currency: string | null,
    customer: Customer | undefined,
    at: number,
    index: number,
  ): Verdict {
    const { channel, id, time, amount, version, order } = item;
    const kind = item.kind === "cancel" ? "cancel" : "refund";
    const fresh: Reversal = { kind, channel, id, order, time, amount, currency, version };
    const known = knownReversal(customer, item, at);
    const target = order === null ? undefined : knownOrder(customer, channel, order, at);
    if (known !== undefined) {
      const met = known.order;
      if (kind === "cancel" && version > 0n && met !== undefined && version < highVersion(met)) {
        return { outcome: "stale" };
      }
      if (version < known.reversal.version) return { outcome: "stale" };
      if (version === known.reversal.version) {
        if (sameReversal(fresh, known.reversal, known.order)) return { outcome: "duplicate" };
        if (version === 0n) return { dead: "conflict" };
      }
    }
    if (target !== undefined && currency !== null && currency !== target.currency) return { dead: "conflict" };
    if (kind === "cancel" && version > 0n && target !== undefined && version < highVersion(target)) {
      return { outcome: "stale" };
    }
    // Past its own horizon a refund without order has no effect, but the customer is known.
    const late = order === null && at >= time + horizon;
    if (order === null && !late && overflows(customer, fresh, -1n, known?.reversal)) return { dead: "overflow" };
    const waits = order !== null && target === undefined;
    const others = waitingAt(at) - (known?.waiting ? 1 : 0);
    if (waits && others >= parkedMax) return { dead: "parkedFull" };
    const arrival = arrivals++;
    return {
      outcome: known !== undefined ? "amended" : waits ? "parked" : "applied",
      cause: known !== undefined ? "amend" : kind,
      apply: (owner) => {
        if (known !== undefined) takeOut(owner, known.reversal);
        if (late) owner.touched = true;
        else if (order === null) owner.loose.push(fresh);
        else if (target !== undefined) target.reversals.push(fresh);
        else owner.parked.push({ reversal: fresh, customer: item.customer, until: at + parkFor, arrival, index });
      },
    };
  }

  function sameReversal(a: Reversal, b: Reversal, order: Order | undefined): boolean {
    if (a.order !== b.order || a.time !== b.time || a.amount !== b.amount) return false;
    // Without a currency it has its order's, whatever that is while it waits.
    if (a.order !== null && (a.currency === null || b.currency === null) && order === undefined) return true;
    const own = (it: Reversal) => it.currency ?? order?.currency ?? null;
    return own(a) === own(b);
  }

  function takeOut(owner: Customer, reversal: Reversal): void {
    owner.loose = owner.loose.filter((it) => it !== reversal);
    owner.parked = owner.parked.filter((it) => it.reversal !== reversal);
    for (const order of owner.orders) order.reversals = order.reversals.filter((it) => it !== reversal);
  }

  /** The reversals that waited for the order, in order of arrival. */
  function takeParked(owner: Customer, order: Order, at: number): void {
    const waited = owner.parked.filter(
      ({ reversal, until }) => reversal.channel === order.channel && reversal.order === order.id && at < until,
    );
    owner.parked = owner.parked.filter((it) => !waited.includes(it));
    for (const { reversal, customer, index } of waited) {
      if (reversal.currency !== null && reversal.currency !== order.currency) {
        result.dead.push({ reason: "conflict", at, index, id: reversal.id, customer });
      } else if (reversal.kind === "refund" || reversal.version === 0n || reversal.version >= highVersion(order)) {
        order.reversals.push(reversal);
      } else {
        result.counts.stale++;
      }
    }
  }

  /** Would it take the spend ever of some row past 2^53? An order at its worth before its refunds. */
  function overflows(
    customer: Customer | undefined,
    fresh: Order | Reversal,
    sign: bigint,
    instead?: Order | Reversal,
  ): boolean {
    return models.some((model) => {
      if (!takes(model, fresh.channel, fresh.currency).money) return false;
      let sum = sign * BigInt(fresh.amount) + BigInt(customer?.rows.get(model.name)?.past.spend ?? 0);
      for (const order of customer?.orders ?? []) {
        if (order !== instead && !order.late) sum += BigInt(worth(order, model));
      }
      for (const loose of customer?.loose ?? []) if (loose !== instead) sum -= BigInt(taken(loose, model));
      return sum > 2n ** 53n || sum < -(2n ** 53n);
    });
  }

  // ---- time

  /** Fires everything of the customer that is due up to `until`, each at its own instant. */
  function fire(customer: Customer, until: number): void {
    for (;;) {
      const due: number[] = customer.parked.map((it) => it.until);
      if (customer.rows.size > 0) {
        for (const model of models) due.push(...changesAfter(customer, model, customer.firedTo).slice(0, 1));
      }
      const instant = due.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
      if (instant > until) break;
      customer.firedTo = Math.max(customer.firedTo, instant);
      const expired = customer.parked.filter((it) => it.until <= instant).sort((a, b) => a.arrival - b.arrival);
      customer.parked = customer.parked.filter((it) => it.until > instant);
      for (const { reversal, until: at, customer: owner, index } of expired) {
        result.dead.push({ reason: "unmatched", at, index, id: reversal.id, customer: owner });
      }
      for (const model of models) {
        migrate(customer, model, instant, view(customer, model, instant - 1), null, !live);
      }
    }
    customer.firedTo = Math.max(customer.firedTo, until);
  }

  /** Compares the customer's place in the model with what it is at `instant`. `cause` null: time alone. */
  function migrate(
    customer: Customer,
    model: ModelWords,
    instant: number,
    before: View,
    cause: Omit<CauseWords, "boundaries"> | null,
    silent: boolean,
  ): void {
    const row = customer.rows.get(model.name);
    if (row === undefined) return;
    const after = view(customer, model, instant);
    const from = row.place;
    // A dimension that the model did not have before its models were changed had no band.
    const had = { tenure: "none", ...from };
    if (from.segment === after.segment && sameBands(had, after.bands, model)) {
      // With or without tenure, as the model is now.
      row.place = { ...placeOf(after, model), since: from.since };
      return;
    }
    const all = from.tenure === undefined ? dimensionsOf(model) : FOUR;
    const changed = all.filter((dimension) => had[dimension] !== (after.bands[dimension] ?? "none"));
    const byTime = changed.includes("recency")
      ? "recency"
      : changed.includes("frequency") || changed.includes("monetary")
        ? "window"
        : "tenure";
    row.place = { ...placeOf(after, model), since: from.segment === after.segment ? from.since : instant };
    row.revision++;

    let due: number | null = null;
    let next: { at: number; segment: string } | null = null;
    for (const at of changesAfter(customer, model, instant)) {
      const then = view(customer, model, at);
      if (due === null && !sameBands(then.bands, after.bands, model)) due = at;
      if (next === null && then.segment !== null && then.segment !== after.segment)
        next = { at, segment: then.segment };
    }
    result.migrations.push({
      model: model.name,
      customer: customer.id,
      revision: row.revision,
      time: instant,
      change: from.segment === after.segment ? "bands" : "segment",
      silent,
      from,
      to: row.place,
      cause: {
        ...(cause ?? { kind: byTime, event: null, order: null, channel: null, time: null }),
        boundaries: changed.map((dimension) => `${dimension}: ${had[dimension]} → ${after.bands[dimension] ?? "none"}`),
      },
      before: before.values,
      after: after.values,
      next,
      due,
    });
  }

  function placeOf(view: View, model: ModelWords): Omit<PlaceWords, "since"> {
    const { recency = "none", frequency = "none", monetary = "none", tenure = "none" } = view.bands;
    const three = { segment: view.segment, recency, frequency, monetary };
    return model.tenure === undefined ? three : { ...three, tenure };
  }

  // ---- the stream

  /** T moves on; the states at the instants that are passed by are taken first. */
  function moveClock(to: number): void {
    while (asked[0] !== undefined && asked[0] < to) snapshot();
    clock = Math.max(clock, to);
  }

  function snapshot(): void {
    const instant = asked.shift();
    if (instant === undefined) return;
    const rows: OracleRow[] = [];
    for (const customer of customers.values()) {
      fire(customer, instant);
      if (customer.rows.size === 0) continue;
      for (const model of models) {
        const { values, bands, segment } = view(customer, model, instant);
        rows.push({
          model: model.name,
          customer: customer.id,
          last_order_ms: values.lastOrder,
          first_order_ms: values.firstOrder,
          orders: values.orders,
          spend: values.spend,
          orders_ever: values.ordersEver,
          spend_ever: values.spendEver,
          recency: bands.recency ?? "none",
          frequency: bands.frequency ?? "none",
          monetary: bands.monetary ?? "none",
          tenure: bands.tenure ?? null,
          points: values.points,
          segment,
        });
      }
    }
    rows.sort((a, b) => byBytes(a.model, b.model) || byBytes(a.customer, b.customer));
    result.states.set(instant, rows);
  }

  function applyItem(reading: Reading, stamp: number, index: number, silent: boolean): void {
    if (reading.verdict === "dead") {
      if (!eventClock) moveClock(stamp);
      result.dead.push({ reason: reading.reason, at: clock, index, id: reading.id, customer: reading.customer });
      return;
    }
    const time = reading.verdict === "fine" ? reading.item.time : reading.time;
    const at = Math.max(clock, eventClock ? (time ?? 0) : stamp);
    if (reading.verdict !== "fine") {
      moveClock(at);
      result.counts[reading.verdict]++;
      return;
    }
    const { item } = reading;
    const verdict = judge(item, at, index);
    const dead = "dead" in verdict;
    if (!eventClock || !dead) {
      moveClock(at);
      const known = customers.get(item.customer);
      if (known !== undefined) fire(known, clock);
    }
    if (dead) {
      result.dead.push({ reason: verdict.dead, at: clock, index, id: item.id, customer: item.customer });
      return;
    }
    result.counts[verdict.outcome]++;
    if (verdict.apply === undefined) return;
    const customer = customers.get(item.customer) ?? {
      id: item.customer,
      orders: [],
      loose: [],
      parked: [],
      touched: false,
      rows: new Map<string, Row>(),
      firedTo: clock,
    };
    customers.set(item.customer, customer);
    const before = models.map((model) => view(customer, model, clock));
    verdict.apply(customer);
    if (customer.orders.length + customer.loose.length === 0 && !customer.touched) return;
    models.forEach((model, m) => {
      const old = before[m];
      if (old === undefined) return;
      if (!customer.rows.has(model.name)) {
        customer.rows.set(model.name, { place: { ...placeOf(old, model), since: null }, revision: 0, past: NO_PAST });
      }
      const cause = {
        kind: verdict.cause ?? item.kind,
        event: item.id,
        order: item.kind === "order" ? item.id : item.order,
        channel: item.channel,
        time: item.time,
      };
      migrate(customer, model, clock, old, cause, silent || !live);
    });
  }

  /** Everything that is due up to the clock has fired; then other models hold. */
  function changeModels(to: readonly ModelWords[], silent: boolean): void {
    for (const customer of customers.values()) {
      fire(customer, clock);
      const before = new Map(models.map((model) => [model.name, view(customer, model, clock)]));
      const pasts = new Map(models.map((model) => [model.name, pastOf(customer, model)]));
      const gone = (time: number) => clock >= time + horizon;
      customer.orders = customer.orders.filter((order) => !order.late && !gone(order.time));
      customer.loose = customer.loose.filter((loose) => !gone(loose.time));
      if (customer.rows.size === 0) continue;
      customer.touched = true;
      const rows = customer.rows;
      customer.rows = new Map();
      for (const model of to) {
        const nothing = viewAt({ orders: [], loose: [] }, model, clock);
        const fresh = { place: { ...placeOf(nothing, model), since: null }, revision: 0, past: NO_PAST };
        const former = rows.get(model.name) ?? fresh;
        customer.rows.set(model.name, { ...former, past: pasts.get(model.name) ?? NO_PAST });
        const cause = { kind: "model", event: null, order: null, channel: null, time: null };
        migrate(customer, model, clock, before.get(model.name) ?? nothing, cause, silent || !live);
      }
    }
    models = to;
  }

  /** What a row keeps of what has left the horizon, by the model that held then. */
  function pastOf(customer: Customer, model: ModelWords): Past {
    const gone = (time: number) => clock >= time + horizon;
    const left = {
      orders: customer.orders.filter((order) => order.late || gone(order.time)),
      loose: customer.loose.filter((loose) => gone(loose.time)),
    };
    const { values } = viewAt(left, model, clock, customer.rows.get(model.name)?.past);
    return {
      first: values.firstOrder,
      last: values.lastOrder,
      orders: values.ordersEver,
      spend: values.spendEver,
    };
  }

  for (const input of inputs) {
    if ("live" in input || "models" in input) {
      if (!eventClock) moveClock(Math.max(clock, input.at ?? 0));
      if ("models" in input) {
        changeModels(input.models, input.silent ?? false);
      } else {
        for (const customer of customers.values()) fire(customer, clock);
        live = true;
      }
      continue;
    }
    if ("tick" in input) {
      moveClock(input.tick);
      continue;
    }
    const stamp = Math.max(clock, input.at ?? 0);
    const text = "raw" in input ? input.raw : JSON.stringify("event" in input ? input.event : input.message);
    const json = parseJson(text);
    if (json === undefined) {
      if (!eventClock) moveClock(stamp);
      result.dead.push({ reason: "undecodable", at: clock, index: 0, id: null, customer: null });
      continue;
    }
    if (!eventClock) moveClock(stamp);
    const items = Array.isArray(json) ? json : [json];
    for (const [index, item] of items.entries()) {
      applyItem(readItem(item, settings), stamp, index, input.silent ?? false);
    }
  }
  while (asked.length > 0) snapshot();
  for (const customer of customers.values()) fire(customer, clock);
  return result;
}

/** Order of the UTF-8 bytes. */
export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
