import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { configJsonSchema, defaultConfig, parseConfig, parseConfigObject } from "../../runtime/config/index.js";
import { bodyOf } from "../support/cloudevent.js";
import { example } from "./example.js";
import { migrations } from "./migrations.js";
import { retail } from "./retail.js";

const folder = resolve(import.meta.dirname, "../../runtime/schema");
const read = (name: string) => JSON.parse(readFileSync(resolve(folder, name), "utf8"));
const compiled = (schema: object) => new Ajv2020({ allErrors: true, strictTypes: false }).compile(schema);

test("the published configuration schema is the one the code checks with", () => {
  if (process.env.UPDATE_SCHEMA) {
    writeFileSync(resolve(folder, "tidemark.schema.json"), `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
  }
  const hint =
    "regenerate: UPDATE_SCHEMA=1 npx vitest run test/config/schema.test.ts && npx biome check --write runtime/schema";
  expect(read("tidemark.schema.json"), hint).toEqual(configJsonSchema());
});

test("the configuration schema takes what the engine takes, and refuses a mistyped key", () => {
  const validate = compiled(read("tidemark.schema.json"));
  for (const config of [parse(example), defaultConfig(), { models: [retail] }]) {
    expect(validate(config), JSON.stringify(validate.errors)).toBe(true);
  }
  expect(() => parseConfig(example)).not.toThrow();
  expect(validate({ models: [retail], nmae: "x" })).toBe(false);
  expect(validate({ models: [{ ...retail, currency: "euro" }] })).toBe(false);
  expect(validate({ models: [{ ...retail, frequency: { ...retail.frequency, window: "1 year" } }] })).toBe(false);
  expect(validate({})).toBe(false);
});

test("every key of the configuration says what it is for", () => {
  const { properties } = configJsonSchema() as { properties: Record<string, { description?: string }> };
  const silent = Object.keys(properties).filter((key) => properties[key].description === undefined);
  expect(silent).toEqual([]);
});

test("what the encoder writes is a migration by its schema", () => {
  const validate = compiled(read("migration.schema.json"));
  const { settings } = parseConfigObject({ models: [retail] });
  for (const migration of migrations) {
    const event = JSON.parse(bodyOf(migration, settings));
    expect(validate(event), JSON.stringify(validate.errors)).toBe(true);
  }
});

test("the migration schema takes unknown causes and fields, and refuses what is broken", () => {
  const validate = compiled(read("migration.schema.json"));
  const { settings } = parseConfigObject({ models: [retail] });
  const event = JSON.parse(bodyOf(migrations[0], settings));
  const { data } = event;
  expect(
    validate({ ...event, partitionkey: "x", data: { ...data, extra: 1, cause: { ...data.cause, kind: "merge" } } }),
  ).toBe(true);
  expect(validate({ ...event, specversion: "2.0" })).toBe(false);
  expect(validate({ ...event, time: 5 })).toBe(false);
  expect(validate({ ...event, data: { ...data, revision: 0 } })).toBe(false);
  for (const key of Object.keys(data)) {
    const { [key]: _, ...rest } = data;
    expect(validate({ ...event, data: rest }), `without ${key}`).toBe(false);
  }
});

test("the order event schema follows the table of fields", () => {
  const validate = compiled(read("order-event.schema.json"));
  const order = { id: "o1", customer: "c1", time: 1767225600000, amount: 5999 };
  const good: unknown[] = [
    order,
    [order, { ...order, id: 17 }],
    [],
    { ...order, id: 12, customer: 7, time: "2026-01-01T00:00:00Z", version: "2026-01-01T00:00:00+01:00" },
    { ...order, channel: null, currency: null, kind: null, order: null, version: null, test: null, more: {} },
    { ...order, customer: null },
    { ...order, kind: "refund" },
    { ...order, kind: "refund", order: "o1" },
    { id: "x", customer: "c1", time: 1767225600000, kind: "cancel", order: "o1" },
    { ...order, amount: 0, test: true, version: 3, currency: "EUR", channel: "store" },
  ];
  for (const event of good) expect(validate(event), JSON.stringify([event, validate.errors])).toBe(true);
  const bad: unknown[] = [
    5,
    "order",
    { ...order, id: "" },
    { ...order, id: "x".repeat(129) },
    { ...order, id: 1.5 },
    { ...order, time: 1767225600 },
    { ...order, time: "2026-01-01" },
    { ...order, amount: -1 },
    { ...order, amount: 59.99 },
    { ...order, amount: 10000000000001 },
    { ...order, amount: null },
    { ...order, kind: "return" },
    { ...order, currency: "euro" },
    { ...order, test: "yes" },
    { id: "x", customer: "c1", time: 1767225600000, kind: "cancel" },
    { customer: "c1", time: 1767225600000, amount: 1 },
    [order, {}],
  ];
  for (const event of bad) expect(validate(event), JSON.stringify(event)).toBe(false);
});
