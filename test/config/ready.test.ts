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
  for (const use of ["threebands", "points", "levels"] as const) {
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
