import { describe, expect, test } from "vitest";
import {
  type Arrival,
  MISHAPS,
  PURCHASE,
  type ShopOptions,
  SPEND,
  simulateShop,
  simulateTraffic,
} from "../../runtime/simulate.js";

const START = Date.UTC(2025, 0, 1);
const WEEK = 7 * 86_400_000;
const options: ShopOptions = { seed: 7, customers: 20_000, start: START, end: START + 52 * WEEK };
const all = [...simulateShop(options)];

/** Gauss's hypergeometric function by its series. */
function hypergeometric(a: number, b: number, c: number, z: number): number {
  let term = 1;
  let sum = 1;
  for (let n = 0; term > 1e-12 * sum; n++) {
    term *= (((a + n) * (b + n)) / (c + n)) * (z / (n + 1));
    sum += term;
  }
  return sum;
}

/** Expected repeat orders of a random customer in `t` weeks (Fader, Hardie and Lee 2005, equation 9). */
function expectedRepeats(t: number): number {
  const { r, alpha, a, b } = PURCHASE;
  const series = hypergeometric(r, b, a + b - 1, t / (alpha + t));
  return ((a + b - 1) / (a - 1)) * (1 - (alpha / (alpha + t)) ** r * series);
}

describe("the shop", () => {
  const orders = new Map<string, Arrival["event"]>();
  for (const { event } of all) {
    if (event.kind === undefined && event.test !== true && event.version === undefined) orders.set(event.id, event);
  }

  test("arrives in order, before the end, never before its time", () => {
    let last = 0;
    for (const { at, event } of all) {
      expect(Number.isInteger(at) && Number.isInteger(event.time)).toBe(true);
      if (at < last || at >= options.end || event.time > at || event.time < START) expect.unreachable(event.id);
      last = at;
    }
  });

  test("the same seed gives the same shop, another seed another", () => {
    const small = { ...options, customers: 300 };
    expect([...simulateShop(small)]).toEqual([...simulateShop(small)]);
    expect([...simulateShop({ ...small, seed: 8 })]).not.toEqual([...simulateShop(small)]);
  });

  test("customers buy again as often as BG/NBD expects", () => {
    const first = new Map<string, number>();
    for (const { customer, time } of orders.values()) {
      first.set(customer, Math.min(first.get(customer) ?? Number.POSITIVE_INFINITY, time));
    }
    expect(first.size).toBeGreaterThan(19_900);
    let expected = 0;
    for (const time of first.values()) expected += expectedRepeats((options.end - time) / WEEK);
    const repeats = orders.size - first.size;
    // 20,000 customers: a standard error of about 2 % of the sum.
    expect(Math.abs(repeats / expected - 1)).toBeLessThan(0.06);
  });

  test("orders are worth what gamma-gamma expects", () => {
    const sums = new Map<string, { sum: number; count: number }>();
    for (const { customer, amount } of orders.values()) {
      const known = sums.get(customer) ?? { sum: 0, count: 0 };
      sums.set(customer, { sum: known.sum + (amount ?? 0), count: known.count + 1 });
    }
    let mean = 0;
    for (const { sum, count } of sums.values()) mean += sum / count / sums.size;
    const expected = (100 * SPEND.p * SPEND.gamma) / (SPEND.q - 1);
    expect(Math.abs(mean / expected - 1)).toBeLessThan(0.05);
  });

  test("mishaps have their shares", () => {
    const share = (match: (arrival: Arrival) => boolean) => all.filter(match).length / orders.size;
    const near = (found: number, wanted: number) => expect(Math.abs(found / wanted - 1)).toBeLessThan(0.25);
    near(
      share(({ event }) => event.kind === "cancel"),
      MISHAPS.cancel,
    );
    near(
      share(({ event }) => event.kind === "refund"),
      MISHAPS.refund * (1 - MISHAPS.cancel),
    );
    near(
      share(({ event }) => event.version === 1),
      MISHAPS.amend,
    );
    near(
      share(({ event }) => event.test === true),
      MISHAPS.test,
    );
    near(
      share(({ event, at }) => event.kind === undefined && event.version === undefined && at > event.time + 600_000),
      MISHAPS.late,
    );
    const seen = new Set<string>();
    let repeated = 0;
    for (const { event } of all) {
      const key = JSON.stringify(event);
      if (seen.has(key)) repeated++;
      seen.add(key);
    }
    near(repeated / orders.size, MISHAPS.duplicate);
  });

  test("a newsletter brings orders within its half hour", () => {
    const sent = START + 40 * WEEK;
    const count = (events: Iterable<Arrival>) =>
      [...events].filter(({ event }) => event.time >= sent && event.time < sent + 1_800_000).length;
    expect(count(all)).toBeLessThan(20);
    expect(count(simulateShop({ ...options, newsletters: [sent] }))).toBeGreaterThan(200);
  });
});

test("traffic comes at its rate, without end, with ids of its own", () => {
  const traffic = simulateTraffic({ ...options, rate: 5 });
  const arrivals = Array.from({ length: 5000 }, () => traffic.next().value);
  const last = arrivals.at(-1)?.at ?? 0;
  const orders = arrivals.filter(({ event }) => event.kind === undefined && event.version === undefined).length;
  expect(Math.abs(orders / ((last - options.end) / 1000) / 5 - 1)).toBeLessThan(0.1);
  expect(arrivals.every(({ at }, i) => at >= (arrivals[i - 1]?.at ?? options.end))).toBe(true);
  const known = new Set(all.map(({ event }) => event.id));
  expect(arrivals.some(({ event }) => known.has(event.id))).toBe(false);
});
