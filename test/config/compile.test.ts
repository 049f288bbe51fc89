import { expect, test } from "vitest";
import {
  compileSettings,
  defaultConfig,
  parseConfig,
  parseConfigObject,
  settingsFromJson,
  settingsToJson,
} from "../../runtime/config/index.js";
import type { Model } from "../../runtime/settings.js";
import { example } from "./example.js";
import { retail } from "./retail.js";

const DAY = 86_400_000;

/** Segment of a combination of bands, by the compiled table. */
function segmentAt(model: Model, ...bands: string[]): string {
  let cell = 0;
  for (const [d, name] of bands.entries()) {
    const number = name === "none" ? 0 : model.dimensions[d].bands.findIndex((band) => band.name === name) + 1;
    if (number === 0 && name !== "none") throw new Error(`no band ${name}`);
    cell += number * model.strides[d];
  }
  return model.segments[model.cells[cell]];
}

const modelOf = (model: object) => parseConfigObject({ models: [model] }).settings.models[0];

test("DESIGN's example, with every default", () => {
  const { settings, edge, warnings } = parseConfigObject({ models: [retail] });
  expect(warnings).toEqual([]);
  const { models, version, ...rest } = settings;
  expect(version).toMatch(/^[0-9a-f]{16}$/);
  expect(rest).toEqual({
    name: "tidemark",
    clock: "broker",
    horizonMs: 400 * DAY,
    parkForMs: 30 * DAY,
    futureToleranceMs: DAY,
    clockJumpMsMax: 3_600_000,
    tickMs: 100,
    partitions: 8,
    layout: 1,
    workers: 1,
    replicas: 1,
    ledgerInFlightMax: 4096,
    messageBytesMax: 8 * 1024 * 1024,
    parkedMax: 1_000_000,
    ordersPerCustomerMax: 100_000,
    capacity: { customers: 1_000_000, entries: 8_000_000, idBytes: 40_000_000 },
    capacityMax: { customers: 4_000_000, entries: 32_000_000, idBytes: 160_000_000 },
    channels: [{ name: "web" }],
    sources: [
      {
        name: "orders",
        subjects: ["tidemark.orders.>"],
        channel: "web",
        fields: {
          id: ["id"],
          customer: ["customer"],
          time: ["time"],
          amount: ["amount"],
          channel: ["channel"],
          currency: ["currency"],
          kind: ["kind"],
          order: ["order"],
          version: ["version"],
          test: ["test"],
        },
        amounts: "minor",
        status: {},
        guests: [],
        anonymous: "skip",
        negative: "reject",
      },
    ],
  });
  expect(edge).toEqual({
    server: { port: 7077, host: "127.0.0.1" },
    checkpoints: { store: "folder", everyMs: 60_000, messagesMax: 5_000_000 },
    nats: {},
  });
  const [model] = models;
  expect({ ...model, cells: model.cells.length, version: 0 }).toEqual({
    name: "retail",
    version: 0,
    channels: "*",
    currency: "EUR",
    otherCurrency: "ignore",
    fullRefund: "drop",
    dimensions: [
      {
        name: "recency",
        measure: "newest",
        windowMs: Number.POSITIVE_INFINITY,
        bands: [
          { name: "short", limit: 30 * DAY, points: 5 },
          { name: "medium", limit: 90 * DAY, points: 3 },
          { name: "long", limit: Number.POSITIVE_INFINITY, points: 1 },
        ],
      },
      {
        name: "frequency",
        measure: "count",
        windowMs: 365 * DAY,
        bands: [
          { name: "often", limit: 12, points: 5 },
          { name: "regular", limit: 4, points: 3 },
          { name: "casual", limit: 1, points: 1 },
        ],
      },
      {
        name: "monetary",
        measure: "sum",
        windowMs: 90 * DAY,
        bands: [
          { name: "spender", limit: 50000, points: 5 },
          { name: "average", limit: 10000, points: 3 },
          { name: "saver", limit: 1, points: 1 },
        ],
      },
      {
        name: "tenure",
        measure: "oldest",
        windowMs: Number.POSITIVE_INFINITY,
        bands: [
          { name: "new", limit: 30 * DAY, points: 0 },
          { name: "established", limit: Number.POSITIVE_INFINITY, points: 0 },
        ],
      },
    ],
    segments: ["VIP", "At risk", "New", "Others"],
    cells: 4 * 4 * 4 * 3,
    strides: [1, 4, 16, 64],
  });
});

test("the cell table: first match wins, points are summed, the rest is Others", () => {
  const model = modelOf(retail);
  expect(segmentAt(model, "short", "often", "spender", "new")).toBe("VIP");
  expect(segmentAt(model, "short", "often", "spender", "established")).toBe("VIP");
  expect(segmentAt(model, "medium", "often", "spender", "new")).toBe("New");
  expect(segmentAt(model, "medium", "often", "spender", "established")).toBe("Others");
  expect(segmentAt(model, "long", "often", "saver", "established")).toBe("At risk"); // 1 + 5 + 1
  expect(segmentAt(model, "long", "often", "none", "established")).toBe("Others"); // 1 + 5 + 0
  expect(segmentAt(model, "long", "regular", "average", "new")).toBe("At risk"); // 1 + 3 + 3
  expect(segmentAt(model, "none", "none", "none", "none")).toBe("Others");
});

test("rules may name none, and points of named dimensions, both ends inclusive", () => {
  const model = modelOf({
    ...retail,
    segments: [
      { name: "Unpaid", when: { monetary: ["none"], recency: ["short", "medium"] } },
      { name: "Solid", when: { points: { of: ["frequency", "monetary"], min: 6, max: 8 } } },
      { name: "Low", when: { points: { max: 3 } } },
    ],
  });
  expect(segmentAt(model, "short", "often", "none", "new")).toBe("Unpaid");
  expect(segmentAt(model, "long", "often", "none", "new")).toBe("Others"); // 5 of the two, 6 in all
  expect(segmentAt(model, "short", "regular", "average", "new")).toBe("Solid"); // 6
  expect(segmentAt(model, "short", "often", "average", "new")).toBe("Solid"); // 8
  expect(segmentAt(model, "short", "often", "spender", "new")).toBe("Others"); // 10
  expect(segmentAt(model, "long", "casual", "saver", "new")).toBe("Low"); // 3
  expect(segmentAt(model, "none", "none", "none", "none")).toBe("Low");
});

test("a rule without conditions takes what is left", () => {
  const model = modelOf({ ...retail, segments: [...retail.segments, { name: "Rest", when: {} }] });
  expect(segmentAt(model, "long", "none", "none", "established")).toBe("Rest");
  expect(model.cells).not.toContain(model.segments.indexOf("Others"));
});

test("minimums may be written rising; bands are compiled best first", () => {
  const rising = { ...retail, frequency: { window: "365d", bands: [...retail.frequency.bands].reverse() } };
  expect(modelOf(rising)).toEqual(modelOf(retail));
});

test("a window ever, and a horizon that grows with windows and ages", () => {
  const ever = { ...retail, frequency: { ...retail.frequency, window: "ever" } };
  expect(modelOf(ever).dimensions[1].windowMs).toBe(Number.POSITIVE_INFINITY);
  const horizon = (model: object) => parseConfigObject({ models: [model] }).settings.horizonMs / DAY;
  expect(horizon(ever)).toBe(400);
  expect(horizon({ ...retail, monetary: { ...retail.monetary, window: "730d" } })).toBe(730);
  expect(horizon({ ...retail, recency: { bands: [{ name: "short", max: "500d" }] }, segments: [] })).toBe(500);
  expect(horizon({ ...retail, tenure: { bands: [{ name: "new", max: "800d" }] } })).toBe(800);
});

test("the configuration with every key", () => {
  const { settings, edge, warnings } = parseConfig(example);
  expect(warnings).toEqual([]);
  expect(settings).toMatchObject({
    name: "shop",
    partitions: 1,
    replicas: 3,
    ledgerInFlightMax: 2048,
    messageBytesMax: 4 * 1024 * 1024,
    ordersPerCustomerMax: 50_000,
    capacity: { customers: 1000, entries: 9000, idBytes: 30_000 },
    capacityMax: { customers: 2000, entries: 36_000, idBytes: 120_000 },
    channels: [{ name: "web", currency: "EUR" }, { name: "store" }],
  });
  expect(settings.sources).toEqual([
    {
      name: "shopify",
      adopt: { stream: "SHOP", control: "shop.orders._control" },
      subjects: ["shop.orders.>"],
      channel: "web",
      fields: {
        id: ["id"],
        customer: ["customer", "id"],
        time: ["processed_at"],
        amount: ["current_total_price"],
        currency: ["currency"],
        version: ["updated_at"],
        test: ["test"],
        status: ["financial_status"],
        cancelled: ["cancelled_at"],
      },
      amounts: "decimal",
      zone: "UTC",
      status: { pending: "skip", voided: "cancel", "*": "order" },
      guests: ["", "0"],
      anonymous: "skip",
      negative: "reject",
    },
  ]);
  expect(settings.models.map((model) => model.name)).toEqual(["retail", "levels-web", "levels-store"]);
  expect(edge).toEqual({
    server: { port: 7077, host: "127.0.0.1" },
    checkpoints: { store: "folder", folder: "/var/lib/tidemark", everyMs: 30_000, messagesMax: 100_000 },
    nats: {
      url: "nats://localhost:4222",
      credentialsFile: "./shop.creds",
      tls: { caFile: "ca.pem", certFile: "cert.pem", keyFile: "key.pem" },
    },
  });
});

test("an adopted stream: one partition, a control subject beside its own, guests as texts", () => {
  const { settings } = parseConfigObject({
    sources: [{ name: "shop", stream: "SHOP", subjects: ["shop.refunds", "shop.*.orders.>"], guests: [0, ""] }],
    models: [retail],
  });
  expect(settings.partitions).toBe(1);
  expect(settings.sources[0]).toMatchObject({
    adopt: { stream: "SHOP", control: "shop._control.orders._control" },
    guests: ["0", ""],
  });
});

test("further sources of Tidemark's own streams are told apart by channel", () => {
  const { settings } = parseConfigObject({
    name: "shop",
    sources: [{ name: "a" }, { name: "b", channel: "market place" }, { name: "c", subjects: ["shop.orders.*.fair"] }],
    models: [retail],
  });
  expect(settings.sources.map((source) => source.subjects)).toEqual([
    ["shop.orders.>"],
    ["shop.orders.*.market=20place"],
    ["shop.orders.*.fair"],
  ]);
});

test("fields replaces the default names as a whole; a list takes keys with dots", () => {
  const { settings } = parseConfigObject({
    sources: [
      { name: "a", fields: { id: "number", customer: ["who", "e.mail"], time: "t", amount: "a.b.c.d", kind: null } },
    ],
    models: [retail],
  });
  expect(settings.sources[0]?.fields).toEqual({
    id: ["number"],
    customer: ["who", "e.mail"],
    time: ["t"],
    amount: ["a", "b", "c", "d"],
  });
});

test("presets are filled in, and what a source sets itself wins", () => {
  const { settings } = parseConfigObject({
    sources: [
      { name: "s", preset: "shopify", fields: { customer: "email", test: null }, guests: ["x"] },
      { name: "w", preset: "woocommerce", channel: "woo", amounts: "minor" },
    ],
    models: [retail],
  });
  const [shopify, woo] = settings.sources;
  expect(shopify).toMatchObject({
    amounts: "decimal",
    guests: ["x"],
    status: { pending: "skip", voided: "cancel", refunded: "cancel", "*": "order" },
  });
  expect(shopify?.fields).toEqual({
    id: ["id"],
    customer: ["email"],
    time: ["processed_at"],
    amount: ["current_total_price"],
    currency: ["currency"],
    version: ["updated_at"],
    status: ["financial_status"],
    cancelled: ["cancelled_at"],
  });
  expect(woo).toMatchObject({ amounts: "minor", zone: "UTC", guests: ["", "0"], channel: "woo" });
  expect(woo?.fields).toMatchObject({ customer: ["customer_id"], time: ["date_created_gmt"], status: ["status"] });
});

test("versions change with what decides the output, and with nothing else", () => {
  const version = (more: object) => parseConfigObject({ models: [retail], ...more }).settings.version;
  const base = version({});
  for (const more of [{ workers: 2 }, { partitions: 3 }, { server: { port: 1 } }, { tickMs: 50 }, { replicas: 3 }]) {
    expect(version(more), JSON.stringify(more)).toBe(base);
  }
  const deciding = [
    { clock: "event" },
    { horizon: "500d" },
    { parkFor: "31d" },
    { parkedMax: 5 },
    { futureTolerance: "1h" },
    { ordersPerCustomerMax: 7 },
    { messageBytesMax: 2048 },
    { channels: { web: { currency: "EUR" } } },
    { sources: [{ name: "orders", guests: ["0"] }] },
    { models: [{ ...retail, currency: "CHF" }] },
    { models: [{ ...retail, segments: retail.segments.slice(1) }] },
  ];
  const versions = deciding.map(version);
  expect(new Set([base, ...versions]).size).toBe(deciding.length + 1);
});

test("a version is the same on every machine", () => {
  expect(modelOf(retail).version).toBe("86e43ee32d0329ad");
  expect(compileSettings(defaultConfig()).version).toBe("2bd10e97a51d8618");
});

test("settings go through JSON and come back; changed ones are refused", () => {
  const settings = compileSettings(defaultConfig());
  const json = settingsToJson(settings);
  expect(json).not.toContain("Infinity");
  expect(settingsFromJson(json)).toEqual(settings);
  expect(settingsFromJson(JSON.parse(json))).toEqual(settings);
  expect(settingsFromJson(json.replace('"min"', '"mim"').replace('"VIP"', '"VUP"'))).toBeUndefined();
  for (const other of ["{", "null", "[]", "5", "{}", '{"models":[]}', undefined])
    expect(settingsFromJson(other)).toBeUndefined();
});

test("a layout is one unless said, and decides no output", () => {
  const [one, two] = [{}, { layout: 2 }].map((words) => compileSettings({ ...defaultConfig(), ...words }));
  expect([one?.layout, two?.layout]).toEqual([1, 2]);
  expect(two?.version).toBe(one?.version);
});

test("compileSettings refuses what can't work", () => {
  expect(() => compileSettings({ ...defaultConfig(), horizon: "10d" })).toThrow(
    "horizon: found 10d, expected at least 365d",
  );
});
