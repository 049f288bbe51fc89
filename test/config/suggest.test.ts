import fc from "fast-check";
import { expect, test } from "vitest";
import { READY_NAMES } from "../../runtime/config/edges.js";
import { roundAge, roundNumber } from "../../runtime/config/humane.js";
import { parseConfigObject } from "../../runtime/config/index.js";
import { amountDigits, cutsAt, type Measures, measuresWarnings, suggestModel } from "../../runtime/config/suggest.js";

const DAY = 86_400_000;
const YEARS = 3 * 365 * DAY;
const measures = (rows: readonly (readonly [recency: number, orders: number, spend: number])[]): Measures => ({
  recency: Float64Array.from(rows, ([recency]) => recency),
  frequency: Float64Array.from(rows, ([, orders]) => orders),
  monetary: Float64Array.from(rows, ([, , spend]) => spend),
  history: YEARS,
});
const sorted = (...values: number[]) => Float64Array.from(values).sort();

test("a range's roundest value", () => {
  expect(roundNumber(4713, 5180, 5001)).toBe(5000);
  expect(roundNumber(12_850, 13_120, 13_001)).toBe(13_000);
  expect(roundNumber(2, 2, 2)).toBe(2);
  expect(roundNumber(4, 7, 7)).toBe(5);
  expect(roundNumber(1237, 1237, 1237)).toBe(1237);
  expect(roundAge(27 * DAY, 33 * DAY, 28 * DAY)).toBe(30 * DAY);
  expect(roundAge(41 * DAY + 5, 43 * DAY, 42 * DAY)).toBe(42 * DAY);
  expect(roundAge(1, 1, 1)).toBe(1);
});

test("the roundest value lies in its range", () => {
  const range = fc.tuple(fc.integer({ min: 1, max: 1e12 }), fc.nat(1e9), fc.nat(100));
  fc.assert(
    fc.property(range, ([least, size, part]) => {
      const near = least + Math.floor((size * part) / 100);
      for (const round of [roundNumber, roundAge]) {
        const found = round(least, least + size, near);
        expect(found).toBeGreaterThanOrEqual(least);
        expect(found).toBeLessThanOrEqual(least + size);
        expect(Number.isInteger(found)).toBe(true);
      }
    }),
  );
});

test("cuts lie between values that differ, at the nearest share, and leave neither end empty", () => {
  const fifths = { of: 5, below: [1, 2, 3, 4] };
  const several = (value: number, times: number) => Array.from({ length: times }, () => value);
  expect(cutsAt(sorted(...Array.from({ length: 100 }, (_, i) => i + 1)), fifths)).toEqual([20, 40, 60, 80]);
  expect(cutsAt(sorted(...several(1, 60), ...several(2, 20), ...several(3, 20)), fifths)).toEqual([60, 60, 60, 80]);
  expect(cutsAt(sorted(...several(1, 19), ...several(2, 40), ...several(3, 41)), fifths)).toEqual([19, 59, 59, 59]);
  expect(cutsAt(sorted(...several(7, 9)), fifths)).toEqual([9, 9, 9, 9]);
  expect(cutsAt(sorted(5), { of: 3, below: [1, 2] })).toEqual([1, 1]);
  expect(cutsAt(sorted(), fifths)).toEqual([]);
});

test("thirds, rounded: no more than one in fifty changes sides", () => {
  const rows = Array.from({ length: 900 }, (_, i) => [i * DAY + 4711, 1 + (i % 30), 100 + 37 * i] as const);
  const { config, warnings } = suggestModel("threebands", "EUR", measures(rows));
  // 300 and 600 of 900 days; the 10 of each count lie between whole numbers; 11,200 and 22,300 exactly.
  expect(config).toEqual({
    use: "threebands",
    currency: "EUR",
    edges: { recency: ["300d", "600d"], frequency: [11, 21], monetary: [11_000, 22_000] },
  });
  expect(warnings).toEqual([]);
});

test("data too few or too alike say so, with the numbers", () => {
  const alike = suggestModel(
    "threebands",
    "EUR",
    measures(Array.from({ length: 100 }, (_, i) => [i * DAY, i < 61 ? 1 : 2, 5999])),
  );
  expect(alike.config.edges).toEqual({ recency: ["35d", "65d"], frequency: [2, 2], monetary: [10_000, 10_000] });
  expect(alike.warnings).toEqual([
    {
      kind: "alike",
      dimension: "frequency",
      message: "frequency: 61.0 % (61 of 100) have 1 order, so 2 of 3 bands have customers",
    },
    {
      kind: "alike",
      dimension: "monetary",
      message: "monetary: 100.0 % (100 of 100) spent 59.99 EUR, so 1 of 3 bands have customers",
    },
  ]);
  const three = {
    ...measures([
      [0, 3, 100],
      [DAY, 0, 0],
      [2 * DAY, 0, 0],
    ]),
    history: 9 * DAY,
  };
  const few = suggestModel("quintiles", "EUR", three);
  expect(few.warnings.map(({ kind }) => kind)).toEqual(["few", "alike", "alike", "alike"]);
  expect([...few.warnings.slice(0, 1), ...measuresWarnings(three)].map(({ message }) => message)).toEqual([
    "3 customers for 5 bands: with fewer than 50 the edges are chance",
    "the orders span 9 days, the window is 365: counts and sums still grow, so suggest again later",
    "66.7 % of the customers (2 of 3) have no order in the last 365 days: their frequency and monetary are none",
  ]);
  const none = suggestModel("points", "EUR", measures([]));
  expect(none.config.edges).toEqual({ recency: ["30d", "90d"], frequency: [4, 12], monetary: [10_000, 50_000] });
  expect(none.warnings.map(({ kind }) => kind)).toEqual(["none"]);
});

test("whatever the customers are, the models load, equal customers share a band, and the ends have some", () => {
  const row = fc.tuple(
    fc.nat(2000).map((days) => days * DAY),
    fc.nat(5),
    fc.integer({ min: -500, max: 5000 }),
  );
  fc.assert(
    fc.property(fc.array(row, { maxLength: 200 }), (rows) => {
      for (const use of READY_NAMES) {
        const { config } = suggestModel(use, "EUR", measures(rows));
        const [model] = parseConfigObject({ models: [config] }).settings.models;
        const recency = model.dimensions[0].bands;
        if (use === "levels" || rows.length === 0) continue;
        const bands = rows.map(([age]) => recency.findIndex(({ limit }) => age < limit));
        expect(bands).toContain(0);
        if (new Set(rows.map(([age]) => age)).size > 1) expect(bands).toContain(recency.length - 1);
      }
    }),
    { numRuns: 200 },
  );
});

test("amounts are written from their digits", () => {
  expect(amountDigits(120_000, "EUR")).toBe("1,200.00");
  expect(amountDigits(-5, "EUR")).toBe("-0.05");
  expect(amountDigits(1_234_567, "JPY")).toBe("1,234,567");
  expect(amountDigits(1_500, "KWD")).toBe("1.500");
});
