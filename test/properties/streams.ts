/**
 * Streams for the properties: every kind of event, on a grid of few days and around it, so that orders,
 * windows, waiting and the horizon meet at one instant again and again.
 */
import fc from "fast-check";
import type { Input, ModelWords, SettingsWords } from "../oracle/words.js";

export const EPOCH = Date.UTC(2026, 0, 1);
export const DAY = 86_400_000;

/** Streams that a property tries: `part` percent of FUZZ_RUNS (default 40). */
export function runs(part: number): number {
  return Math.ceil((Number(process.env["FUZZ_RUNS"] ?? 40) * part) / 100);
}

/** A property may take a second a stream before it counts as hanging: machines are busy, and no run is timed. */
export const patience = { timeout: 60_000 + runs(100) * 1000 };

const recency = {
  bands: [
    { name: "short", max: "3d", points: 5 },
    { name: "medium", max: "9d", points: 3 },
    { name: "long", points: 1 },
  ],
};
const countBands = [
  { name: "often", min: 3, points: 5 },
  { name: "regular", min: 2, points: 3 },
  { name: "casual", min: 1, points: 1 },
];
const sumBands = [
  { name: "big", min: 1000, points: 5 },
  { name: "mid", min: 100, points: 3 },
  { name: "low", min: 1, points: 1 },
];

const MODELS = {
  mini: {
    name: "mini",
    channels: "*",
    currency: "EUR",
    recency,
    frequency: { window: "36d", bands: countBands },
    monetary: { window: "9d", bands: sumBands },
    segments: [
      { name: "Best", when: { recency: ["short"], monetary: ["big"] } },
      { name: "Unpaid", when: { monetary: ["none"], recency: ["short", "medium"] } },
      { name: "Active", when: { recency: ["short"] } },
      { name: "Fading", when: { recency: ["medium"] } },
    ],
  },
  /** Tenure, points, equal windows, ages that end (past the last max is none). */
  tenured: {
    name: "tenured",
    channels: ["web"],
    currency: "EUR",
    recency: {
      bands: [
        { name: "new", max: "3d", points: 2 },
        { name: "old", max: "12d", points: 1 },
      ],
    },
    frequency: { window: "9d", bands: countBands },
    monetary: { window: "9d", bands: [...sumBands, { name: "owing", min: -200, points: 2 }] },
    tenure: {
      bands: [
        { name: "fresh", max: "3d", points: 1 },
        { name: "settled", max: "20d" },
      ],
    },
    segments: [
      { name: "Loyal", when: { points: { of: ["frequency", "monetary"], min: 6 } } },
      { name: "Fresh", when: { tenure: ["fresh"] } },
      { name: "Cold", when: { recency: ["old", "none"], points: { max: 3 } } },
    ],
  },
  /** Windows without end; refunded orders are kept, other currencies counted. */
  ever: {
    name: "ever",
    channels: "*",
    currency: "EUR",
    fullRefund: "keep",
    otherCurrency: "count",
    recency,
    frequency: { window: "ever", bands: countBands },
    monetary: { window: "ever", bands: sumBands },
    segments: [
      { name: "Best", when: { frequency: ["often"], monetary: ["big"] } },
      { name: "Active", when: { recency: ["short"] } },
    ],
  },
  chf: {
    name: "chf",
    channels: ["web", "store"],
    currency: "CHF",
    recency: { bands: [{ name: "any" }] },
    frequency: { window: "12d", bands: [{ name: "some", min: 1 }] },
    monetary: {
      window: "3d",
      bands: [
        { name: "big", min: 1000 },
        { name: "mid", min: 100 },
      ],
    },
    segments: [{ name: "Best", when: { monetary: ["big"] } }],
  },
} satisfies Record<string, ModelWords>;

export const modelSets: ModelWords[][] = [
  [MODELS.mini],
  [MODELS.tenured],
  [MODELS.mini, MODELS.ever],
  [MODELS.tenured, MODELS.ever, MODELS.mini],
  [MODELS.chf, MODELS.mini, MODELS.tenured, MODELS.ever],
];

export const baseSettings: SettingsWords = {
  horizon: "40d",
  parkFor: "9d",
  guests: ["nobody"],
  status: { void: "cancel", open: "skip", "*": "order" },
};

/** The lengths that matter: bands, windows, waiting, the horizon. */
const LENGTHS = [0, 1, 3, 9, 12, 20, 36, 40];
const wobble = fc.constantFrom(0, 0, 0, -1, 1);
/** A day of the grid, give or take a ms. */
const gridTime = (days: number) => fc.tuple(fc.nat(days), wobble).map(([day, ms]) => EPOCH + day * DAY + ms);

const amount = fc.constantFrom(0, 1, 50, 99, 100, 500, 900, 1000);
const customer = fc.constantFrom("c1", "c1", "c1", "c1", "c1", "c1", "c2", "ç3");
const orderId = fc.constantFrom("a", "a", "a", "b", "b", "c", "e", 7);
const optional = <T>(arbitrary: fc.Arbitrary<T>, freq = 2) => fc.option(arbitrary, { nil: undefined, freq });
const channel = fc.constantFrom(undefined, undefined, undefined, undefined, undefined, "web", "web", "store");
const currency = fc.constantFrom(undefined, undefined, undefined, undefined, "EUR", "EUR", "CHF");
const version = fc.constantFrom(undefined, undefined, 1, 2, 3, 4);
/** Mostly placed just now; else one of the lengths ago, or ahead, give or take a ms. */
const age = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(...LENGTHS), wobble).map(([days, ms]) => days * DAY + ms) },
  { weight: 1, arbitrary: fc.constantFrom(-DAY, -DAY - 1, -1, -DAY / 2) },
);

type Fields = Record<string, unknown>;
const order: fc.Arbitrary<Fields> = fc.record({
  id: orderId,
  customer,
  age,
  amount,
  channel,
  currency,
  version,
  status: fc.constantFrom(undefined, undefined, undefined, undefined, "paid", "void"),
});
const refund: fc.Arbitrary<Fields> = fc.record({
  kind: fc.constant("refund"),
  id: fc.constantFrom("r", "s", "a"),
  customer,
  age,
  amount,
  channel,
  currency,
  version,
  order: optional(orderId, 4),
});
const cancel: fc.Arbitrary<Fields> = fc.record({
  kind: fc.constant("cancel"),
  id: fc.constantFrom("x", "y", "a"),
  customer,
  age,
  channel,
  currency,
  version,
  order: orderId,
});
/** Items that are wrong in one way each, or that ask to be left out. */
const odd: fc.Arbitrary<Fields> = fc.tuple(order, fc.nat(11)).map(([fields, flaw]) => {
  const { amount: _amount, ...poor } = fields;
  const flaws: Fields[] = [
    poor,
    { ...fields, id: undefined },
    { ...fields, customer: undefined },
    { ...fields, amount: 1.5 },
    { ...fields, amount: -1 },
    { ...fields, amount: "100" },
    { ...fields, channel: "kiosk" },
    { ...fields, currency: "USD" },
    { ...fields, kind: "visit" },
    { ...fields, test: true },
    { ...fields, customer: "nobody" },
    { ...fields, status: "open" },
  ];
  return flaws[flaw] ?? fields;
});
const item = fc.oneof(
  { weight: 10, arbitrary: order },
  { weight: 4, arbitrary: refund },
  { weight: 4, arbitrary: cancel },
  { weight: 1, arbitrary: odd },
);

function eventOf(fields: Fields, stamp: number): Fields {
  const { age: ago, ...rest } = fields;
  const event: Fields = { ...rest, time: stamp - Number(ago) };
  for (const key of Object.keys(event)) if (event[key] === undefined) delete event[key];
  return event;
}

/** Steps of the stamps: none, a little, one of the lengths, and now and then back. */
const step = fc.oneof(
  { weight: 3, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom(1, 1, 2, 3, 9), wobble).map(([days, ms]) => days * DAY + ms) },
  { weight: 1, arbitrary: fc.constantFrom(1, -1, -DAY, 40 * DAY, 36 * DAY) },
);

export interface Stream {
  models: ModelWords[];
  settings: SettingsWords;
  input: Input[];
  instants: number[];
}

const part = fc.oneof(
  { weight: 12, arbitrary: fc.record({ step, items: fc.tuple(item).map((one) => one as Fields[]) }) },
  { weight: 2, arbitrary: fc.record({ step, items: fc.array(item, { maxLength: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ step, tick: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.record({ step, raw: fc.constantFrom("{", "[1]", '{"id":1}x', '[{"id":"a"}') }) },
  { weight: 4, arbitrary: fc.record({ step, again: fc.nat(30) }) },
);

/** Any stream at all: conflicts, ties, late and early ones, stamps that go back. Clock: broker. */
export const anyStream: fc.Arbitrary<Stream> = fc
  .record({
    models: fc.constantFrom(...modelSets),
    parts: fc.array(part, { minLength: 1, maxLength: 40, size: "max" }),
    instants: fc.array(gridTime(90), { maxLength: 4 }),
  })
  .map(({ models, parts, instants }) => {
    const input: Input[] = [];
    let stamp = EPOCH;
    for (const one of parts) {
      stamp = Math.max(EPOCH, stamp + one.step);
      if ("tick" in one) input.push({ tick: stamp });
      else if ("raw" in one) input.push({ at: stamp, raw: one.raw });
      else if ("again" in one) {
        const before = input[one.again % Math.max(1, input.length)];
        if (before !== undefined && !("tick" in before)) input.push({ ...before, at: stamp });
      } else {
        const events = one.items.map((fields) => eventOf(fields, stamp));
        const [only] = events;
        if (events.length === 1 && only !== undefined) input.push({ at: stamp, event: only });
        else input.push({ at: stamp, message: events });
      }
    }
    return { models, settings: baseSettings, input, instants: [...instants, stamp, stamp + 45 * DAY] };
  });

/** Any stream under `clock: event`: single events in time order, and ticks. */
export const eventStream: fc.Arbitrary<Stream> = anyStream.map((stream) => {
  const input: Input[] = [];
  const events = stream.input.flatMap((one) => {
    if ("tick" in one) return [{ time: one.tick, input: one as Input }];
    if ("event" in one) return [{ time: Number((one.event as Fields)["time"]), input: { event: one.event } as Input }];
    return [];
  });
  for (const { input: one } of events.sort((a, b) => a.time - b.time)) input.push(one);
  return { ...stream, settings: { ...stream.settings, clock: "event" }, input };
});

/** Models of the same names as others, and different in all else that may differ. */
const changedSets: ModelWords[][] = [
  ...modelSets,
  [{ ...MODELS.tenured, name: "mini", channels: "*" }],
  [
    { ...MODELS.mini, name: "tenured", segments: [{ name: "Fresh", when: { recency: ["short"] } }] },
    { ...MODELS.ever, fullRefund: "drop", otherCurrency: "ignore", monetary: { window: "20d", bands: sumBands } },
  ],
  [
    { ...MODELS.ever, name: "mini" },
    { ...MODELS.chf, name: "ever", currency: "EUR" },
  ],
];

/** Any stream with changes of models in it, a part of it history, some of it silent. */
export const changingStream: fc.Arbitrary<Stream> = fc
  .tuple(
    anyStream,
    fc.array(fc.tuple(fc.nat(40), fc.constantFrom(...changedSets), fc.boolean()), { minLength: 1, maxLength: 3 }),
    fc.option(fc.nat(40)),
    fc.array(fc.nat(40), { maxLength: 5 }),
  )
  .map(([stream, changes, live, silent]) => {
    const input = stream.input.map((one, n): Input => (silent.includes(n) ? { ...one, silent: true } : one));
    const stampAt = (place: number) => {
      const before = input[place - 1];
      return before === undefined ? EPOCH : "tick" in before ? before.tick : (before.at ?? EPOCH);
    };
    for (const [where, models, quiet] of changes) {
      const place = where % (input.length + 1);
      input.splice(place, 0, { at: stampAt(place), models, silent: quiet });
    }
    if (live !== null) {
      const place = live % (input.length + 1);
      input.splice(place, 0, { at: stampAt(place), live: true });
    }
    return { ...stream, settings: { ...stream.settings, history: live !== null }, input };
  });

// ---- streams whose outcome may not depend on the order of arrival

/** A number of its own for each content, from a few texts: what a version says is fixed by its name. */
function pick(seed: number, ...parts: unknown[]): number {
  let hash = seed >>> 0;
  for (const letter of parts.join("/")) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193) >>> 0;
  return hash >>> 8;
}
function choose<T>(from: readonly T[], number: number): T {
  return from[number % from.length] as T;
}

/**
 * Events without conflict, version tie or overflow: each version of an event says one thing, wherever it
 * occurs; an order's currency, and its reversals', never change; all arrive within the horizon and `parkFor`.
 */
export const setOfEvents: fc.Arbitrary<Stream & { shuffled: Input[] }> = fc
  .record({
    models: fc.constantFrom(...modelSets),
    seed: fc.nat(),
    names: fc.array(
      fc.record({
        kind: fc.constantFrom("order", "order", "order", "refund", "cancel"),
        id: fc.constantFrom("a", "b", "c", "e"),
        customer: fc.constantFrom("c1", "c1", "c2"),
        channel: fc.constantFrom("web", "web", "web", "store"),
        version: fc.constantFrom(0, 1, 2, 3),
      }),
      { minLength: 2, maxLength: 14, size: "max" },
    ),
    arrival: fc.array(fc.nat(2 * DAY), { minLength: 14, maxLength: 14 }),
    again: fc.array(fc.nat(2 * DAY), { minLength: 14, maxLength: 14 }),
    ranks: fc.array(fc.nat(), { minLength: 14, maxLength: 14 }),
  })
  .map(({ models, seed, names, arrival, again, ranks }) => {
    const start = EPOCH + 30 * DAY;
    const events = names.map(({ kind, id, customer, channel, version }) => {
      const own = (what: string) => pick(seed, what, kind, id, customer, channel, version);
      // A versioned cancel and one without a version are never the same event.
      const name = kind === "cancel" ? `${id}${version === 0 ? "!" : ""}` : id;
      const orderOf =
        kind === "cancel"
          ? choose(["a", "b", "c"], pick(seed, "of", id, customer, channel))
          : // Versions of a refund may name other orders, but all an order or none: a row made by a refund
            // without order would stay when it turns out to wait for an order that never comes.
            pick(seed, "loose", id, customer, channel) % 4 === 0
            ? undefined
            : choose(["a", "b", "c"], own("of"));
      const orderName = kind === "order" ? id : orderOf;
      const event: Fields = {
        id: name,
        customer,
        channel,
        kind,
        version,
        time: EPOCH + choose([0, 3, 18, 21, 26, 27, 29, 30], own("time")) * DAY + choose([-1, 0, 1, 0], own("ms")),
        amount: choose([0, 1, 50, 99, 100, 500, 900, 1000], own("amount")),
        currency: choose(
          [undefined, "EUR", "EUR", undefined, "CHF"],
          pick(seed, "currency", orderName, customer, channel),
        ),
        order: kind === "order" ? undefined : orderOf,
        status: kind === "order" && own("void") % 6 === 0 ? "void" : undefined,
      };
      for (const key of Object.keys(event)) if (event[key] === undefined) delete event[key];
      return event;
    });
    const stamped = (order: Fields[], offsets: number[]): Input[] => {
      const stamps = order.map((_, n) => start + (offsets[n] ?? 0)).sort((a, b) => a - b);
      return order.map((event, n) => ({ at: stamps[n] ?? start, event }));
    };
    const order = events.map((event, n) => ({ event, rank: ranks[n] ?? 0 })).sort((a, b) => a.rank - b.rank);
    const end = start + 2 * DAY;
    return {
      models,
      settings: baseSettings,
      input: stamped(events, arrival),
      shuffled: stamped(
        order.map(({ event }) => event),
        again,
      ),
      instants: [end, end + DAY, end + 3 * DAY, end + 9 * DAY, end + 36 * DAY, end + 60 * DAY],
    };
  });
