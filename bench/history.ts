/** A kernel with a history of many customers, several orders each. The same arguments give the same bytes. */
import { performance } from "node:perf_hooks";
import { loadKernel } from "../connectors/cli/kernel.js";
import { compileSettings } from "../runtime/config/index.js";
import { TICK_FIRES_MAX } from "../runtime/control.js";
import { FULL, Kernel, MORE } from "../runtime/kernel.js";
import type { Settings } from "../runtime/settings.js";

export const DAY = 86_400_000;

/** Three measures, three bands each; windows of 365 and 90 days: the retail model of the documentation. */
export const MODEL = {
  name: "retail",
  channels: "*",
  currency: "EUR",
  recency: {
    bands: [
      { name: "short", max: "30d", points: 5 },
      { name: "medium", max: "90d", points: 3 },
      { name: "long", points: 1 },
    ],
  },
  frequency: {
    window: "365d",
    bands: [
      { name: "often", min: 12, points: 5 },
      { name: "regular", min: 4, points: 3 },
      { name: "casual", min: 1, points: 1 },
    ],
  },
  monetary: {
    window: "90d",
    bands: [
      { name: "spender", min: 50_000, points: 5 },
      { name: "average", min: 10_000, points: 3 },
      { name: "saver", min: 1, points: 1 },
    ],
  },
  segments: [
    { name: "VIP", when: { recency: ["short"], frequency: ["often"], monetary: ["spender"] } },
    { name: "Loyal", when: { recency: ["short"], frequency: ["often", "regular"] } },
    { name: "Active", when: { recency: ["short"] } },
    { name: "Cooling", when: { recency: ["medium"] } },
    { name: "At risk", when: { recency: ["long"], points: { min: 7 } } },
    { name: "Lost", when: { recency: ["long"] } },
  ],
};

/** Orders of a history, in no order: customer (from 0), event time and amount. */
export interface History {
  readonly customers: number;
  readonly customer: Uint32Array;
  readonly time: Float64Array;
  readonly amount: Float64Array;
}

/** Mulberry32: uniform in [0, 1). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function settingsFor({ customers, customer }: History): Settings {
  return compileSettings({
    partitions: 1,
    models: [MODEL],
    // One customer and some entries to spare: an event is taken only while a new one would fit.
    capacity: {
      customers: customers + 1,
      entries: Math.ceil(customer.length * 1.02) + 64,
      idBytes: customers * 16 + 64,
    },
  } as Parameters<typeof compileSettings>[0]);
}

/**
 * A kernel that has taken the history day by day, a hundred orders a message, and is exact at `end`, which no order
 * passes. Its records are not read.
 */
export function kernelWith(history: History, end: number): { kernel: Kernel; settings: Settings } {
  const settings = settingsFor(history);
  const kernel = new Kernel({
    wasm: loadKernel(),
    settings,
    partition: 0,
    seed: new Uint8Array(16),
    checksPartition: false,
  });
  kernel.goLive();
  const { customer, time, amount } = history;
  const days = daysOf(time, end);
  const body = new Uint8Array(16_384);
  const subject = Buffer.from("tidemark.orders.0.web");
  let sequence = 0;
  for (const [back, orders] of days.entries()) {
    const stamp = end - (days.length - 1 - back) * DAY;
    for (let from = 0; from < orders.length; from += 100) {
      const some = orders.subarray(from, from + 100);
      const length = encode(body, some, customer, time, amount);
      const message = body.subarray(0, length);
      sequence++;
      while (!kernel.write(subject, 0, false, sequence, stamp, message)) runAll(kernel);
    }
    runAll(kernel);
    drain(kernel, stamp, ++sequence);
  }
  return { kernel, settings };
}

/** Numbers of the orders of each day up to `end`, the first day first. */
function daysOf(time: Float64Array, end: number): Uint32Array[] {
  let first = end;
  for (const at of time) first = Math.min(first, at);
  const days = Math.ceil((end - first) / DAY) + 1;
  const dayOf = (at: number) => days - 1 - Math.floor((end - at) / DAY);
  const counts = new Uint32Array(days);
  for (const at of time) (counts[dayOf(at)] as number)++;
  const lists = Array.from(counts, (count) => new Uint32Array(count));
  counts.fill(0);
  for (const [order, at] of time.entries()) {
    const day = dayOf(at);
    (lists[day] as Uint32Array)[(counts[day] as number)++] = order;
  }
  return lists;
}

function runAll(kernel: Kernel): void {
  while (kernel.begin() !== undefined) {
    let status: number;
    do status = kernel.run();
    while (status === MORE);
    if (status === FULL) throw new Error("the history does not fit its kernel");
  }
}

/** Ticks at `instant` until nothing is due. Returns how long the longest took, in ms. */
export function drain(kernel: Kernel, instant: number, sequence: number): number {
  let longest = 0;
  do {
    const started = performance.now();
    kernel.beginTick(instant, sequence, TICK_FIRES_MAX);
    while (kernel.tick() === MORE);
    longest = Math.max(longest, performance.now() - started);
  } while (kernel.overdue !== null);
  return longest;
}

const KEYS = ["id", "customer", "time", "amount"].map((key) => new TextEncoder().encode(key));

/** An array of orders as MessagePack. Returns its length. */
function encode(
  into: Uint8Array,
  orders: Uint32Array,
  customer: Uint32Array,
  time: Float64Array,
  amount: Float64Array,
): number {
  const view = new DataView(into.buffer, into.byteOffset);
  view.setUint8(0, 0xdc);
  view.setUint16(1, orders.length);
  let at = 3;
  for (const order of orders) {
    view.setUint8(at++, 0x84);
    for (const [field, key] of KEYS.entries()) {
      view.setUint8(at++, 0xa0 | key.length);
      into.set(key, at);
      at += key.length;
      if (field === 2) {
        view.setUint8(at, 0xcf);
        const ms = time[order] as number;
        view.setUint32(at + 1, Math.floor(ms / 2 ** 32));
        view.setUint32(at + 5, ms % 2 ** 32);
        at += 9;
      } else {
        view.setUint8(at, 0xce);
        view.setUint32(at + 1, field === 0 ? order : ((field === 1 ? customer : amount)[order] as number));
        at += 5;
      }
    }
  }
  return at;
}
