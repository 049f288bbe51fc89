import { expect, test } from "vitest";
import { findings, parseConfigObject, readyModels } from "../../runtime/config/index.js";

const options = { currency: "EUR" };
const compiled = (model: object) => parseConfigObject({ models: [model] }).settings.models;
const bands = (model: object, name: string) =>
  compiled(model)[0]
    .dimensions.find((dimension) => dimension.name === name)
    ?.bands.map((band) => band.name);
const DAY = 86_400_000;

test("every ready-made model is sound: written out it passes every check, and every rule decides something", () => {
  for (const make of Object.values(readyModels)) {
    for (const model of make(options)) {
      expect(parseConfigObject({ models: [model] }).warnings).toEqual([]);
      expect(findings(model).filter(({ kind }) => kind !== "shadowed")).toEqual([]);
    }
  }
});

test("use: is the same as the model written out", () => {
  for (const use of ["threebands", "points", "levels", "quintiles"] as const) {
    expect(compiled({ use, ...options })).toEqual(readyModels[use](options).flatMap(compiled));
  }
});

test("threebands", () => {
  const [model] = readyModels.threebands(options);
  expect(bands(model, "recency")).toEqual(["short", "medium", "long"]);
  expect(bands(model, "frequency")).toEqual(["often", "regular", "casual"]);
  expect(bands(model, "monetary")).toEqual(["spender", "average", "saver"]);
});

test("points", () => {
  const [model] = compiled(readyModels.points(options)[0]);
  expect(model.segments).toEqual(["VIP", "At risk", "New", "Others"]);
});

test("levels: one a channel; 7, 30, 90 and 365 days, 52, 12, 4 and 2 orders a year", () => {
  const models = compiled({ use: "levels", currency: "EUR", channels: ["web", "store"], name: "tiers" });
  expect(models.map(({ name, channels }) => ({ name, channels }))).toEqual([
    { name: "tiers-web", channels: ["web"] },
    { name: "tiers-store", channels: ["store"] },
  ]);
  const [recency, frequency, monetary] = models[0].dimensions;
  expect(recency.bands.map((band) => band.limit / DAY)).toEqual([7, 30, 90, 365]);
  expect(frequency.bands.map((band) => band.limit)).toEqual([52, 12, 4, 2]);
  expect([frequency.windowMs / DAY, monetary.windowMs / DAY]).toEqual([365, 365]);
  expect(compiled({ use: "levels", currency: "EUR" }).map(({ name }) => name)).toEqual(["levels"]);
});

test("what a use: sets is kept, and edges follow the currency's decimals", () => {
  const [model] = compiled({
    use: "threebands",
    name: "kuwait",
    currency: "KWD",
    channels: ["store"],
    otherCurrency: "count",
    fullRefund: "keep",
  });
  expect(model).toMatchObject({
    name: "kuwait",
    currency: "KWD",
    channels: ["store"],
    otherCurrency: "count",
    fullRefund: "keep",
  });
  expect(model.dimensions[2].bands.map((band) => band.limit)).toEqual([500_000, 100_000, 1]);
  const [yen] = compiled({ use: "threebands", currency: "JPY" });
  expect(yen.dimensions[2].bands.map((band) => band.limit)).toEqual([50_000, 10_000, 1]);
});

/** What the model's name says, as a table of its own: score of recency, then of the mean of the other two. */
const GRID: Record<number, readonly string[]> = {
  5: ["New customers", "Potential loyalists", "Potential loyalists", "Champions", "Champions"],
  4: ["Promising", "Potential loyalists", "Potential loyalists", "Loyal", "Loyal"],
  3: ["About to sleep", "About to sleep", "Need attention", "Loyal", "Loyal"],
  2: ["Hibernating", "Hibernating", "At risk", "At risk", "Cannot lose them"],
  1: ["Lost", "Lost", "At risk", "At risk", "Cannot lose them"],
};

test("quintiles: each of the 25 cells of recency and the mean of the others has its name, and none is left out", () => {
  const [model] = compiled({ use: "quintiles", ...options });
  expect(model.segments).toHaveLength(12); // with Others
  const segmentOf = (r: number, f: number, m: number) => {
    const bandOf = (score: number) => (score === 0 ? 0 : 6 - score); // bands are best first, 0 is none
    const cell = [r, f, m].reduce((sum, score, d) => sum + bandOf(score) * model.strides[d], 0);
    return model.segments[model.cells[cell]];
  };
  for (const r of [5, 4, 3, 2, 1]) {
    for (const f of [0, 1, 2, 3, 4, 5]) {
      for (const m of [0, 1, 2, 3, 4, 5]) {
        const mean = Math.max(1, Math.round((f + m) / 2)); // a half goes up
        expect(segmentOf(r, f, m), `R${r} F${f} M${m}`).toBe(GRID[r][mean - 1]);
      }
    }
  }
});

test("quintiles: edges of its own, in the currency's minor units, or given ones", () => {
  const limits = (model: object) =>
    compiled(model)[0].dimensions.map(({ name, bands }) =>
      bands.map(({ limit }) => (name === "recency" ? limit / DAY : limit)),
    );
  expect(limits({ use: "quintiles", currency: "EUR" })).toEqual([
    [14, 30, 90, 180, Number.POSITIVE_INFINITY],
    [12, 5, 3, 2, 1],
    [50_000, 20_000, 10_000, 5_000, 1],
  ]);
  const edges = { recency: ["7d", "36h", "60d", "90d"], frequency: [2, 3, 4, 5], monetary: [10, 20, 30, 40] };
  expect(() => compiled({ use: "quintiles", currency: "EUR", edges })).toThrow(/found 36h after 7d, expected at least/);
  expect(
    limits({ use: "quintiles", currency: "EUR", edges: { ...edges, recency: ["7d", "8d", "60d", "90d"] } }),
  ).toEqual([
    [7, 8, 60, 90, Number.POSITIVE_INFINITY],
    [5, 4, 3, 2, 1],
    [40, 30, 20, 10, 1],
  ]);
});

test("equal edges leave no band between, and no rule that names one", () => {
  for (const use of ["threebands", "points"] as const) {
    const edges = { recency: ["30d", "30d"], frequency: [2, 2], monetary: [1, 1] };
    const [model] = readyModels[use]({ ...options, edges });
    expect(bands(model, "recency")).toEqual(["short", "long"]);
    expect(bands(model, "frequency")).toEqual(["often", "casual"]);
    expect(bands(model, "monetary")).toEqual(["spender"]);
    expect(compiled(model)).toEqual(compiled({ use, ...options, edges }));
  }
  const [model] = readyModels.threebands({ ...options, edges: { recency: ["9d", "9d"] } });
  expect(model.segments.map(({ name }) => name)).not.toContain("Cooling"); // medium alone
});

test("edges: as many as the model has, in order, above nothing", () => {
  const wrong = (use: string, edges: object) => () => compiled({ use, ...options, edges });
  expect(wrong("threebands", { recency: ["30d"] })).toThrow(/edges\.recency: found 1, expected 2 edges of threebands/);
  expect(wrong("points", { frequency: [5, 4] })).toThrow(/frequency\[1\]: found 4 after 5, expected at least that/);
  expect(wrong("quintiles", { monetary: [0, 1, 2, 3] })).toThrow(/monetary\[0\]: found 0, expected more than nothing/);
  expect(wrong("levels", { frequency: [1, 2, 3, 4] })).toThrow(/the bands of levels are named after theirs/);
  expect(wrong("threebands", { recency: ["30d", "99999999d"] })).toThrow(/expected at most 36500d/);
});
