/**
 * The kernel alone, on orders that are decoded already, beside the limit of the memory that it lies in: both in one
 * instance and on the same regions, by turns in slices of a few milliseconds.
 */
import { readFileSync } from "node:fs";
import { compileSettings } from "../runtime/config/index.js";
import { Kernel } from "../runtime/kernel.js";
import type { Settings } from "../runtime/settings.js";
import { simulateTraffic } from "../runtime/simulate.js";
import { type Bench, type Result, withRatioGoal } from "./result.js";
import { Figures, roundsOf } from "./rounds.js";

const DAY_MS = 86_400_000;
const START = Date.UTC(2026, 0, 1);
const HISTORY_MS = 400 * DAY_MS;
/** Orders or accesses between two looks at the clock. */
const SLICE = 8_192;
/** Orders of a round, and customers. A small population is put back after each slice, so that it stays small. */
const SIZES = {
  "10k": { customers: 10_000, orders: 32 * SLICE, restored: true },
  "1m": { customers: 1_000_000, orders: 8 * SLICE, restored: false },
  "10m": { customers: 10_000_000, orders: 32 * SLICE, restored: false },
} as const;
type Size = keyof typeof SIZES;
const HEADER_BYTES = 24;
/** Customers of the shop of a quick run. */
const SHOP_QUICK = 100_000;

type Call = (...args: number[]) => number;

/** What bench/core/kernel.ts adds to the kernel's border. */
interface Calls {
  readonly seed: Call;
  readonly prepare: Call;
  readonly prepareMessages: Call;
  readonly applyPrepared: Call;
  readonly readWrite: Call;
}

function settingsFor(customers: number, entries: number): Settings {
  return compileSettings({
    clock: "event",
    partitions: 1,
    models: [{ use: "threebands", currency: "EUR" }],
    // A partition takes no order that could need the last place of a region.
    capacity: { customers: customers + 1, entries: Math.ceil(entries * 1.01) + 100, idBytes: customers * 16 + 512 },
  });
}

function makeKernel(settings: Settings): { kernel: Kernel; calls: Calls } {
  const wasm = new WebAssembly.Module(readFileSync(new URL("kernel.wasm", import.meta.url)));
  const kernel = new Kernel({ wasm, settings, partition: 0, seed: new Uint8Array(16), checksPartition: false });
  return { kernel, calls: kernel.exports as unknown as Calls };
}

/** What orders change that move no customer. */
function changing({ exports, memoryBytes }: Kernel): Uint8Array[] {
  const { buffer } = exports["memory"] as unknown as WebAssembly.Memory;
  const at = (name: string) => Number((exports[name] as WebAssembly.Global).value);
  return [
    new Uint8Array(buffer, at("STATUS"), at("SOURCES") - at("STATUS")),
    new Uint8Array(buffer, at("idSlots"), memoryBytes - at("idSlots")),
  ];
}

/** Milliseconds that the call took. */
function timed(call: () => void): number {
  const start = performance.now();
  call();
  return performance.now() - start;
}

function apply({ applyPrepared }: Calls, from: number, to: number): void {
  const status = applyPrepared(from, to);
  if (status !== 0) throw new Error(`the kernel stopped with status ${status}`);
}

/**
 * A table of so many customers with an order each, and orders to come: in time, of customers drawn at random, a
 * millisecond apart. Three small orders change no band: what moves is told in the note.
 */
class Population {
  readonly kernel: Kernel;
  readonly #calls: Calls;
  readonly #customers: number;
  readonly #saved: readonly { readonly region: Uint8Array; readonly bytes: Uint8Array }[];
  #ordered = 0;
  #time = START;

  constructor({ customers, orders, restored }: (typeof SIZES)[Size], rounds: number) {
    const { kernel, calls } = makeKernel(settingsFor(customers, customers + (restored ? SLICE : orders * rounds)));
    this.kernel = kernel;
    this.#calls = calls;
    this.#customers = customers;
    calls.seed(1);
    // The first orders lie 20 days back to now: nobody's recency changes while the measured ones come.
    const step = (20 * DAY_MS * 1000) / customers;
    while (this.#ordered < customers) {
      const count = Math.min(SLICE, customers - this.#ordered);
      this.#prepare(count, 0, step);
      apply(calls, 0, count);
    }
    this.#saved = restored ? changing(kernel).map((region) => ({ region, bytes: region.slice() })) : [];
  }

  #prepare(count: number, population: number, stepMicros: number): void {
    this.#calls.prepare(count, this.#ordered, population, this.#time, stepMicros);
    this.#ordered += count;
    this.#time += (count * stepMicros) / 1000;
  }

  /** Orders and accesses a second. */
  round(orders: number): { apply: number; limit: number } {
    let applyMs = 0;
    let limitMs = 0;
    for (let done = 0; done < orders; done += SLICE) {
      for (const { region, bytes } of this.#saved) region.set(bytes);
      this.#prepare(SLICE, this.#customers, 1000);
      // A large copy goes past the caches: what it put back is fetched before the clock runs.
      if (this.#saved.length > 0) this.#calls.readWrite(8 * SLICE);
      applyMs += timed(() => apply(this.#calls, 0, SLICE));
      limitMs += timed(() => this.#calls.readWrite(SLICE));
    }
    return { apply: (orders / applyMs) * 1000, limit: (orders / limitMs) * 1000 };
  }
}

/**
 * A shop whose customers have an order each, spread over 400 days, and its traffic from then on, as runtime/simulate.ts
 * makes it: late orders, amendments, refunds, cancels, duplicates, a tenth of the customers with half of the orders;
 * each customer orders once in 30 days on average, so that orders leave windows and bands end between.
 */
class Shop {
  readonly #kernel: Kernel;
  readonly #calls: Calls;
  readonly #traffic: Iterator<{ readonly at: number; readonly event: unknown }>;
  #events = 0;
  #before = { records: 0, fired: 0 };

  constructor(customers: number, events: number) {
    const { kernel, calls } = makeKernel(settingsFor(customers + events, customers + 2 * events));
    this.#kernel = kernel;
    this.#calls = calls;
    this.#traffic = history(customers)[Symbol.iterator]();
    for (let count = this.#prepare(); count > 0; count = this.#prepare()) apply(calls, 0, count);
    const rate = customers / (30 * 86_400);
    this.#traffic = simulateTraffic({ seed: 11, customers, start: START - HISTORY_MS, end: START, rate });
    this.#before = { records: kernel.recordCount, fired: kernel.counters().fired };
  }

  /** Decodes the next events, in messages of 100, where the kernel's input is; how many. */
  #prepare(): number {
    const { buffer } = this.#kernel.exports["memory"] as unknown as WebAssembly.Memory;
    let at = Number((this.#kernel.exports["INPUT"] as WebAssembly.Global).value);
    let count = 0;
    while (count < SLICE - 100) {
      const events: unknown[] = [];
      for (let next = this.#traffic.next(); !next.done; next = this.#traffic.next())
        if (events.push(next.value.event) === 100) break;
      if (events.length === 0) break;
      count += events.length;
      const body = Buffer.from(JSON.stringify(events));
      // A message's header with nothing but the length of its body (see core/kernel.ts).
      new Uint8Array(buffer, at, HEADER_BYTES).fill(0);
      new DataView(buffer).setUint32(at, body.length, true);
      new Uint8Array(buffer).set(body, at + HEADER_BYTES);
      at = (at + HEADER_BYTES + body.length + 7) & ~7;
    }
    return this.#calls.prepareMessages(count);
  }

  /** Events a second of the next slices. */
  round(slices: number): number {
    let ms = 0;
    let events = 0;
    for (let slice = 0; slice < slices; slice++) {
      const count = this.#prepare();
      events += count;
      ms += timed(() => apply(this.#calls, 0, count));
    }
    this.#events += events;
    return (events / ms) * 1000;
  }

  /** What the measured events brought with them, each. */
  get told(): string {
    const each = (count: number) => (count / this.#events).toFixed(2);
    const fired = each(this.#kernel.counters().fired - this.#before.fired);
    return `${each(this.#kernel.recordCount - this.#before.records)} migrations and ${fired} changes by time an event`;
  }
}

function* history(customers: number): Generator<{ at: number; event: unknown }> {
  for (let n = 0; n < customers; n++) {
    // A prime step goes through all customers in an order that has nothing to do with their ids.
    const customer = `c${String((n * 611_953) % customers).padStart(6, "0")}`;
    const time = Math.floor(START - HISTORY_MS + (n * HISTORY_MS) / customers);
    yield { at: time, event: { id: `h${n}`, customer, time, amount: 2000 + ((n * 7919) % 9000) } };
  }
}

/** Rounds of one population, with the shop where there is one. */
function measure(size: Size, quick: boolean, note: (text: string) => void): Result[] {
  const rounds = roundsOf({ quick });
  const { orders } = SIZES[size];
  const population = new Population(SIZES[size], rounds + 1);
  const customers = quick ? SHOP_QUICK : SIZES[size].customers;
  const slices = quick ? 1 : 2;
  const shop = size === "1m" ? new Shop(customers, slices * SLICE * (rounds + 1)) : undefined;
  const [applied, limit, mixed] = [`kernel.apply.${size}`, `limit.rmw.${size}`, `kernel.mixed.${size}`];
  const figures = new Map<string, number[]>([applied, limit, mixed].map((name) => [name, []]));
  const before = population.kernel.recordCount;
  for (let round = -1; round < rounds; round++) {
    const figure = population.round(orders);
    const events = shop?.round(slices) ?? 0;
    if (round < 0) continue; // a warm-up
    figures.get(applied)?.push(figure.apply);
    figures.get(limit)?.push(figure.limit);
    figures.get(mixed)?.push(events);
    note(`${size} round ${round + 1} of ${rounds}: ${(figure.apply / figure.limit).toPrecision(3)} of the limit`);
  }
  const moved = (population.kernel.recordCount - before) / (orders * (rounds + 1));
  const all = new Figures(figures);
  const results: Result[] = [
    {
      ...withRatioGoal(all.result(applied, "orders/s", limit), "≥", 0.5),
      note: `${(100 * moved).toFixed(1)} % of the orders moved their customer`,
    },
    all.result(limit, "orders/s"),
  ];
  if (shop === undefined) return results;
  const title = `a simulated shop of ${customers.toLocaleString("en-US")} customers: ${shop.told}`;
  return [...results, { ...withRatioGoal(all.result(mixed, "events/s", applied), "≥", 0.5), note: title }];
}

function sizeBench(size: Size): Bench {
  const names = [`kernel.apply.${size}`, `limit.rmw.${size}`, ...(size === "1m" ? ["kernel.mixed.1m"] : [])];
  return { names, run: async ({ quick, note }) => measure(size, quick, note) };
}

export const kernelBenches: readonly Bench[] = [sizeBench("10k"), sizeBench("1m"), sizeBench("10m")];
