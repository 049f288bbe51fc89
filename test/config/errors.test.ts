import { expect, test } from "vitest";
import { ConfigError, parseConfig, parseConfigObject } from "../../runtime/config/index.js";
import { retail } from "./retail.js";

/** The lines of the error of a configuration, without the code in front. */
function errorsOf(config: unknown): string[] {
  try {
    if (typeof config === "string") parseConfig(config, { file: "tidemark.yaml" });
    else parseConfigObject(config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.code).toBe("CONFIG_INVALID");
    const lines = error.message.replace(/^CONFIG_INVALID: /, "").split("\n  ");
    return error.issues.length === 1 ? lines : lines.slice(1);
  }
  return [];
}

const model = (change: object) => ({ models: [{ ...retail, ...change }] });
const withSegments = (...segments: object[]) => model({ segments });
const source = (...sources: object[]) => ({ models: [retail], sources });
const fields = { id: "id", customer: "customer", time: "time", amount: "amount" };

test("everything wrong is told at once, in order of lines", () => {
  const text = `
nmae: x
clock: brokr
partitions: 0
models:
  - name: retail
    currency: eur
    recency: { bands: [{ name: short, max: 30 days }, { name: long, points: 1.5 }] }
    frequency: { windw: 365d, bands: [{ name: often, min: 12 }] }
    monetary: { window: 90d, bands: 7 }
    segments: []
  - use: threeband
    channels: [1]
  - 5
  - name: sound
    currency: EUR
    recency: { bands: [{ name: short, max: 30d }, { name: long }] }
    frequency: { window: 0d, bands: [{ name: often, min: 12 }] }
    monetary: { window: 90d, bands: [{ name: big, min: 1 }] }
    segments:
      - name: VIP
        when:
          recency: [shrot]
`;
  expect(errorsOf(text)).toMatchInlineSnapshot(`
    [
      "tidemark.yaml:2:1: nmae: unknown key; did you mean "name"?",
      "tidemark.yaml:3:8: clock: found "brokr", expected broker or event; did you mean "broker"?",
      "tidemark.yaml:4:13: partitions: found 0, expected a whole number from 1 to 1024",
      "tidemark.yaml:7:15: models[0].currency: found "eur", expected a currency of ISO 4217 such as EUR",
      "tidemark.yaml:8:44: models[0].recency.bands[0].max: found "30 days", expected a duration such as 30d, 12h, 90m, 45s or 500ms",
      "tidemark.yaml:8:77: models[0].recency.bands[1].points: found 1.5, expected a whole number from 0 to 10000",
      "tidemark.yaml:9:16: models[0].frequency.window: missing, expected a duration such as 30d, 12h, 90m, 45s or 500ms, or ever",
      "tidemark.yaml:9:18: models[0].frequency.windw: unknown key; did you mean "window"?",
      "tidemark.yaml:10:37: models[0].monetary.bands: found 7, expected a list of 1 to 10 bands",
      "tidemark.yaml:12:5: models[1].currency: missing, expected a currency of ISO 4217 such as EUR",
      "tidemark.yaml:12:10: models[1].use: found "threeband", expected threebands or points or levels or quintiles; did you mean "threebands"?",
      "tidemark.yaml:13:16: models[1].channels[0]: found 1, expected a channel's name of 1 to 64 bytes",
      "tidemark.yaml:14:5: models[2]: found 5, expected a model (name, currency, recency, …) or use: threebands",
      "tidemark.yaml:18:26: models[3].frequency.window: found 0d, expected more than nothing",
      "tidemark.yaml:23:21: models[3].segments[0].when.recency[0]: found "shrot", expected a band of recency; did you mean "short"?",
    ]
  `);
});

test("one error is one line, with file, line and column", () => {
  expect(() => parseConfig("models: 5", { file: "my.yaml" })).toThrowErrorMatchingInlineSnapshot(
    `[ConfigError: CONFIG_INVALID: my.yaml:1:9: models: found 5, expected a list of 1 to 16 models]`,
  );
  expect(() => parseConfig("models: 5")).toThrowErrorMatchingInlineSnapshot(
    `[ConfigError: CONFIG_INVALID: line 1:9: models: found 5, expected a list of 1 to 16 models]`,
  );
});

test("YAML that can't be read", () => {
  expect(errorsOf("models:\n  - name: [a\n  b: c\n")).toMatchInlineSnapshot(`
    [
      "tidemark.yaml:3:3: Flow sequence in block collection must be sufficiently indented and end with a ]",
      "tidemark.yaml:3:3: All mapping items must start at the same column",
    ]
  `);
  expect(errorsOf("models: []\nmodels: []\n")).toMatchInlineSnapshot(`
    [
      "tidemark.yaml:2:1: Map keys must be unique",
    ]
  `);
  expect(errorsOf("models: *nowhere\n")).toMatchInlineSnapshot(`
    [
      "tidemark.yaml:1:9: Unresolved alias (the anchor must be set before the alias): nowhere",
    ]
  `);
  expect(errorsOf("")).toMatchInlineSnapshot(`
    [
      "tidemark.yaml:1:1: found nothing (null), expected a mapping with name, clock, horizon, parkFor, …",
    ]
  `);
  expect(errorsOf("just a text")).toMatchInlineSnapshot(`
    [
      "tidemark.yaml:1:1: found "just a text", expected a mapping with name, clock, horizon, parkFor, …",
    ]
  `);
  expect(errorsOf(`models: ${" ".repeat(1024 * 1024)}`)).toMatchInlineSnapshot(`
    [
      "tidemark.yaml: found 1048584 characters, expected at most 1048576",
    ]
  `);
});

test("an anchor that is used twice is shown where it is used", () => {
  const text = `
a: &bands { bands: [{ name: short, max: soon }] }
models: []
`;
  expect(errorsOf(text)).toMatchInlineSnapshot(`
    [
      "tidemark.yaml:2:1: a: unknown key; known: name, clock, horizon, parkFor, parkedMax, futureTolerance, clockJumpMax, tickMs, partitions, layout, workers, replicas, ledgerInFlightMax, messageBytesMax, ordersPerCustomerMax, capacity, channels, sources, models, server, checkpoints, nats",
      "tidemark.yaml:3:9: models: found 0, expected a list of 1 to 16 models",
    ]
  `);
});

test("mistyped and missing keys", () => {
  expect(errorsOf({ modles: [] })).toMatchInlineSnapshot(`
    [
      "models: missing, expected a list of 1 to 16 models",
      "modles: unknown key; did you mean "models"?",
    ]
  `);
  expect(errorsOf({ models: [] })).toMatchInlineSnapshot(`
    [
      "models: found 0, expected a list of 1 to 16 models",
    ]
  `);
  expect(errorsOf(model({ chanels: ["web"], colour: "red" }))).toMatchInlineSnapshot(`
    [
      "models[0].chanels: unknown key; did you mean "channels"?",
      "models[0].colour: unknown key; known: name, channels, currency, otherCurrency, fullRefund, recency, frequency, monetary, tenure, segments",
    ]
  `);
  expect(errorsOf({ models: [{ use: "threebands" }] })).toMatchInlineSnapshot(`
    [
      "models[0].currency: missing, expected a currency of ISO 4217 such as EUR",
    ]
  `);
  expect(errorsOf({ models: [{ use: "threebands", currency: "EUR", recency: {} }] })).toMatchInlineSnapshot(`
    [
      "models[0].recency: unknown key; known: use, name, channels, currency, otherCurrency, fullRefund, edges",
    ]
  `);
});

test("values of the wrong kind or beyond their limits", () => {
  const config = {
    ...model({ channels: "web", otherCurrency: "add", fullRefund: "maybe" }),
    name: "my shop",
    clock: "wall",
    horizon: 400,
    parkFor: "1 month",
    parkedMax: -1,
    futureTolerance: "40000d",
    tickMs: 1,
    workers: 1.5,
    replicas: 6,
    ledgerInFlightMax: 0,
    messageBytesMax: "16MiB",
    ordersPerCustomerMax: "many",
    capacity: { customers: 0 },
    server: { port: 70_000 },
    nats: { url: "two words" },
  };
  expect(errorsOf(config)).toMatchInlineSnapshot(`
    [
      "name: found "my shop", expected 1 to 32 of A-Z a-z 0-9 _ -",
      "clock: found "wall", expected broker or event",
      "horizon: found 400, expected a duration such as 30d, 12h, 90m, 45s or 500ms",
      "parkFor: found "1 month", expected a duration such as 30d, 12h, 90m, 45s or 500ms",
      "parkedMax: found -1, expected a whole number from 0 to 100000000",
      "tickMs: found 1, expected a whole number from 10 to 60000",
      "workers: found 1.5, expected a whole number from 1 to 256",
      "replicas: found 6, expected a whole number from 1 to 5",
      "ledgerInFlightMax: found 0, expected a whole number from 1 to 65536",
      "messageBytesMax: found "16MiB", expected a size of up to 15MiB such as 8MiB or 512KiB",
      "ordersPerCustomerMax: found "many", expected a whole number from 1 to 10000000",
      "capacity.customers: found 0, expected a whole number from 1 to 50000000",
      "models[0].channels: found "web", expected "*" or a list of channels",
      "models[0].otherCurrency: found "add", expected ignore or count",
      "models[0].fullRefund: found "maybe", expected drop or keep",
      "server.port: found 70000, expected a whole number from 0 to 65535",
      "nats.url: found "two words", expected a URL such as nats://localhost:4222",
    ]
  `);
});

test("checkpoints and growth that can't work", () => {
  const checkpoints = { store: "object", folder: "x", every: "10ms" };
  expect(errorsOf({ models: [retail], checkpoints, capacity: { entries: 9, entriesMax: 8 } })).toMatchInlineSnapshot(`
    [
      "checkpoints.every: found 10ms, expected 100ms to 1d",
      "checkpoints.folder: found a folder, expected none with store: object",
      "capacity.entriesMax: found 8, expected at least entries, 9",
    ]
  `);
});

test("durations that the schema lets through and that can't work", () => {
  expect(errorsOf({ models: [retail], horizon: "40000d" })).toMatchInlineSnapshot(`
    [
      "horizon: found "40000d", expected at most 36500d",
    ]
  `);
  expect(errorsOf({ models: [retail], horizon: "364d" })).toMatchInlineSnapshot(`
    [
      "horizon: found 364d, expected at least 365d: the longest window, or recency or tenure max, of the models",
    ]
  `);
  expect(
    errorsOf({ models: [retail], parkFor: "0d", clockJumpMax: "0s", futureTolerance: "0s" }),
  ).toMatchInlineSnapshot(`
    [
      "parkFor: found 0, expected more than nothing",
      "clockJumpMax: found 0, expected more than nothing",
    ]
  `);
  expect(errorsOf(model({ frequency: { ...retail.frequency, window: "0d" } }))).toMatchInlineSnapshot(`
    [
      "models[0].frequency.window: found 0d, expected more than nothing",
    ]
  `);
  expect(errorsOf(model({ monetary: { ...retail.monetary, window: "99999d" } }))).toMatchInlineSnapshot(`
    [
      "models[0].monetary.window: found "99999d", expected at most 36500d, or ever",
    ]
  `);
});

test("bands", () => {
  const ages = (...bands: object[]) => errorsOf(model({ recency: { bands }, segments: [] }));
  expect(ages()).toMatchInlineSnapshot(`
    [
      "models[0].recency.bands: found 0, expected a list of 1 to 10 bands",
    ]
  `);
  expect(ages(...Array.from({ length: 11 }, (_, i) => ({ name: `b${i}`, max: `${i + 1}d` })))).toMatchInlineSnapshot(`
    [
      "models[0].recency.bands: found 11, expected a list of 1 to 10 bands",
    ]
  `);
  expect(ages({ name: "a", max: "30d" }, { name: "b", max: "30d" })).toMatchInlineSnapshot(`
    [
      "models[0].recency.bands[1].max: found 30d, expected more than 30d: bands go from young to old",
    ]
  `);
  expect(ages({ name: "a", max: "90d" }, { name: "b", max: "30d" }, { name: "c" })).toMatchInlineSnapshot(`
    [
      "models[0].recency.bands[1].max: found 30d, expected more than 90d: bands go from young to old",
    ]
  `);
  expect(ages({ name: "a", max: "0d" })).toMatchInlineSnapshot(`
    [
      "models[0].recency.bands[0].max: found 0d, expected more than 0d: bands go from young to old",
    ]
  `);
  expect(ages({ name: "a" }, { name: "b", max: "30d" })).toMatchInlineSnapshot(`
    [
      "models[0].recency.bands[0]: max is missing, expected one: only the last band may have none",
    ]
  `);
  expect(ages({ name: "a", max: "40000d" })).toMatchInlineSnapshot(`
    [
      "models[0].recency.bands[0].max: found "40000d", expected at most 36500d",
    ]
  `);
  expect(ages({ name: "none", max: "1d" }, { name: "null" })).toMatchInlineSnapshot(`
    [
      "models[0].recency.bands[0].name: found "none", expected another name: none is what lies outside every band",
      "models[0].recency.bands[1].name: found "null", expected another name: null is what lies outside every band",
    ]
  `);
  expect(ages({ name: "a", max: "1d" }, { name: "a" })).toMatchInlineSnapshot(`
    [
      "models[0].recency.bands[1].name: found "a" a second time, expected each band of recency once",
    ]
  `);
  expect(ages({ name: "", max: "1d" }, { name: " b" })).toMatchInlineSnapshot(`
    [
      "models[0].recency.bands[0].name: found "", expected a name of 1 to 64 characters",
      "models[0].recency.bands[1].name: found " b", expected a name of 1 to 64 characters",
    ]
  `);
  expect(ages({ name: "a", min: 5 })).toMatchInlineSnapshot(`
    [
      "models[0].recency.bands[0].min: unknown key; known: name, max, points",
    ]
  `);
  const counts = (...bands: object[]) => errorsOf(model({ frequency: { window: "30d", bands }, segments: [] }));
  expect(counts({ name: "a", min: 5 }, { name: "b", min: 5 })).toMatchInlineSnapshot(`
    [
      "models[0].frequency.bands[1].min: found 5 after 5, expected less: minimums go one way",
    ]
  `);
  expect(counts({ name: "a", min: 5 }, { name: "b", min: 1 }, { name: "c", min: 3 })).toMatchInlineSnapshot(`
    [
      "models[0].frequency.bands[2].min: found 3 after 1, expected less: minimums go one way",
    ]
  `);
  expect(counts({ name: "a", min: 1 }, { name: "b", min: 5 }, { name: "c", min: 3 })).toMatchInlineSnapshot(`
    [
      "models[0].frequency.bands[2].min: found 3 after 5, expected more: minimums go one way",
    ]
  `);
  expect(counts({ name: "a", min: -1 })).toMatchInlineSnapshot(`
    [
      "models[0].frequency.bands[0].min: found -1, expected a whole number from 0 to 1000000000",
    ]
  `);
  expect(counts({ name: "a", min: 1, points: -1 })).toMatchInlineSnapshot(`
    [
      "models[0].frequency.bands[0].points: found -1, expected a whole number from 0 to 10000",
    ]
  `);
});

test("segments and their rules", () => {
  expect(
    errorsOf(withSegments({ name: "VIP", when: { recency: ["shrt"], frequency: ["x"], monetary: [] } })),
  ).toMatchInlineSnapshot(`
    [
      "models[0].segments[0].when.monetary: found 0, expected a list of 1 to 11 names of bands",
    ]
  `);
  expect(errorsOf(withSegments({ name: "VIP", when: { recency: ["shrt"], frequency: ["x"] } }))).toMatchInlineSnapshot(`
    [
      "models[0].segments[0].when.recency[0]: found "shrt", expected a band of recency; did you mean "short"?",
      "models[0].segments[0].when.frequency[0]: found "x", expected a band of frequency; known: often, regular, casual, none",
    ]
  `);
  expect(errorsOf(withSegments({ name: "VIP", when: { recency: "short" } }))).toMatchInlineSnapshot(`
    [
      "models[0].segments[0].when.recency: found "short", expected a list of 1 to 11 names of bands",
    ]
  `);
  expect(errorsOf(withSegments({ name: "VIP" }))).toMatchInlineSnapshot(`
    [
      "models[0].segments[0].when: missing, expected a mapping with recency, frequency, monetary, tenure, …",
    ]
  `);
  const { tenure: _, ...ageless } = retail;
  const when = { tenure: ["new"], points: { of: ["tenure"], min: 1 } };
  expect(errorsOf({ models: [{ ...ageless, segments: [{ name: "New", when }] }] })).toMatchInlineSnapshot(`
    [
      "models[0].segments[0].when.tenure: found a condition on tenure, but the model has none; expected it to have a tenure too",
      "models[0].segments[0].when.points.of[0]: found tenure, but the model has none; expected one of its dimensions",
    ]
  `);
  expect(
    errorsOf(withSegments({ name: "A", when: { points: {} } }, { name: "B", when: { points: { min: 5, max: 4 } } })),
  ).toMatchInlineSnapshot(`
    [
      "models[0].segments[0].when.points: found neither min nor max, expected at least one",
      "models[0].segments[1].when.points: found min 5 above max 4, expected min at most max",
    ]
  `);
  expect(errorsOf(withSegments({ name: "A", when: { points: { of: ["recensy"], min: 1 } } }))).toMatchInlineSnapshot(`
    [
      "models[0].segments[0].when.points.of[0]: found "recensy", expected recency or frequency or monetary or tenure; did you mean "recency"?",
    ]
  `);
  const many = Array.from({ length: 250 }, (_, i) => ({ name: `s${i}`, when: {} }));
  expect(errorsOf(withSegments(...many))).toMatchInlineSnapshot(`
    [
      "models[0].segments: found 250, expected a list of 0 to 249 segments",
    ]
  `);
  expect(errorsOf(withSegments(...many.slice(1)))).toEqual([]);
});

test("names that meet in a subject", () => {
  const named = (...names: string[]) => errorsOf(withSegments(...names.map((name) => ({ name, when: {} }))));
  expect(named("At risk", "at-risk")).toMatchInlineSnapshot(`
    [
      "models[0].segments[1].name: found "at-risk", expected another name: in a subject it is at-risk, as "At risk" is",
    ]
  `);
  expect(named("VIP", "VIP")).toMatchInlineSnapshot(`
    [
      "models[0].segments[1].name: found "VIP" a second time, expected each segment once",
    ]
  `);
  expect(named("Null")).toMatchInlineSnapshot(`
    [
      "models[0].segments[0].name: found "Null", expected another name: in a subject it is null, which means in no segment",
    ]
  `);
  expect(named("none")).toMatchInlineSnapshot(`
    [
      "models[0].segments[0].name: found "none", expected another name: none is what lies outside every band",
    ]
  `);
  expect(named("Others")).toMatchInlineSnapshot(`
    [
      "models[0].segments[0].name: found "Others", expected another name: Others is what no rule names",
    ]
  `);
  expect(named("Größe", "GRÖSSE", "a.b", "a=2Eb")).toEqual([]);
  expect(errorsOf({ models: [retail, { ...retail, name: "Retail" }] })).toMatchInlineSnapshot(`
    [
      "models[1].name: found "Retail", expected another name: in a subject it is retail, as "retail" is",
    ]
  `);
  expect(errorsOf({ models: [retail, retail] })).toMatchInlineSnapshot(`
    [
      "models[1].name: found "retail" a second time, expected each model once",
    ]
  `);
  expect(errorsOf(model({ name: "a/b" }))).toMatchInlineSnapshot(`
    [
      "models[0].name: found "a/b", expected a name of 1 to 64 characters without "/"",
    ]
  `);
  expect(
    errorsOf({
      models: [
        { use: "points", currency: "EUR" },
        { use: "points", currency: "CHF" },
      ],
    }),
  ).toMatchInlineSnapshot(`
    [
      "models[1]: found "points" a second time, expected each model once",
    ]
  `);
});

test("models and channels", () => {
  expect(
    errorsOf({ models: Array.from({ length: 17 }, (_, i) => ({ ...retail, name: `m${i}` })) }),
  ).toMatchInlineSnapshot(`
    [
      "models: found 17, expected a list of 1 to 16 models",
    ]
  `);
  const channels = Array.from({ length: 17 }, (_, i) => `c${i}`);
  expect(errorsOf({ models: [{ use: "levels", currency: "EUR", channels }] })).toMatchInlineSnapshot(`
    [
      "models: found 17 models, expected at most 16",
    ]
  `);
  expect(errorsOf(model({ channels: ["web", "*", "web"] }))).toMatchInlineSnapshot(`
    [
      "models[0].channels[1]: found "*" in a list, expected channels: "*" alone",
      "models[0].channels[2]: found "web" a second time",
    ]
  `);
  expect(errorsOf(model({ channels: [] }))).toMatchInlineSnapshot(`
    [
      "models[0].channels: found 0, expected a list of 1 to 255 channels",
    ]
  `);
  expect(errorsOf(model({ channels: ["ü".repeat(33)] }))).toMatchInlineSnapshot(`
    [
      "models[0].channels[0]: found a name of 66 bytes, expected at most 64",
    ]
  `);
  const many = Object.fromEntries(Array.from({ length: 256 }, (_, i) => [`c${i}`, {}]));
  expect(errorsOf({ models: [retail], channels: many })).toMatchInlineSnapshot(`
    [
      "channels: found 256 channels, expected at most 255",
    ]
  `);
  expect(errorsOf({ models: [retail], channels: { "": {}, web: { currency: "euro" } } })).toMatchInlineSnapshot(`
    [
      "channels."": found "", expected a channel's name of 1 to 64 bytes",
      "channels.web.currency: found "euro", expected a currency of ISO 4217 such as EUR",
    ]
  `);
});

test("sources", () => {
  expect(errorsOf({ models: [retail], sources: [] })).toMatchInlineSnapshot(`
    [
      "sources: found 0, expected a list of 1 to 16 sources",
    ]
  `);
  expect(
    errorsOf(source(...Array.from({ length: 17 }, (_, i) => ({ name: `s${i}`, channel: `c${i}` })))),
  ).toMatchInlineSnapshot(`
    [
      "sources: found 17, expected a list of 1 to 16 sources",
    ]
  `);
  expect(errorsOf(source({ name: "a" }, { name: "a", channel: "b" }))).toMatchInlineSnapshot(`
    [
      "sources[1].name: found "a" a second time, expected each source once",
    ]
  `);
  expect(errorsOf(source({ name: "a" }, { name: "b" }))).toMatchInlineSnapshot(`
    [
      "sources[1]: channel is missing, expected one: it tells this source's messages from the first source's",
    ]
  `);
  expect(
    errorsOf(source({ name: "a", fields: { id: "id", customer: "a.b.c.d.e", tiem: "t" } })),
  ).toMatchInlineSnapshot(`
    [
      "sources[0].fields.customer: found "a.b.c.d.e", expected a path of 1 to 4 keys such as customer.id",
      "sources[0].fields.tiem: unknown key; did you mean "time"?",
    ]
  `);
  expect(errorsOf(source({ name: "a", fields: { id: "id", customer: null } }))).toMatchInlineSnapshot(`
    [
      "sources[0].fields: customer is missing, expected its path: fields replaces the default names as a whole",
      "sources[0].fields: time is missing, expected its path: fields replaces the default names as a whole",
      "sources[0].fields: amount is missing, expected its path: fields replaces the default names as a whole",
    ]
  `);
  expect(errorsOf(source({ name: "a", fields: { ...fields, order: "amount.order" } }))).toMatchInlineSnapshot(`
    [
      "sources[0].fields.order: found amount.order, expected a path that does not lead through amount (amount)",
    ]
  `);
  expect(errorsOf(source({ name: "a", fields: { ...fields, cancelled: "c", version: "c.at" } }))).toEqual([]);
  expect(errorsOf(source({ name: "a", fields: { ...fields, status: "s" } }))).toMatchInlineSnapshot(`
    [
      "sources[0].fields.status: found a path, but no status: expected what its texts mean, such as status: { "*": order }",
    ]
  `);
  expect(errorsOf(source({ name: "a", status: { paid: "order" } }))).toMatchInlineSnapshot(`
    [
      "sources[0].status: found a mapping, but no fields.status: expected the path of the status",
    ]
  `);
  expect(
    errorsOf(source({ name: "a", fields: { ...fields, status: "s" }, status: { paid: "yes" } })),
  ).toMatchInlineSnapshot(`
    [
      "sources[0].status.paid: found "yes", expected order or cancel or skip",
    ]
  `);
  expect(errorsOf(source({ name: "a", zone: "Europe/Berln" }))).toMatchInlineSnapshot(`
    [
      "sources[0].zone: found "Europe/Berln", expected a zone of the IANA list such as UTC or Europe/Berlin",
    ]
  `);
  expect(errorsOf(source({ name: "a", preset: "prestashop" }))).toMatchInlineSnapshot(`
    [
      "sources[0].preset: found "prestashop", expected shopify or woocommerce or magento or allegro",
    ]
  `);
  expect(
    errorsOf(source({ name: "a", guests: [{}], anonymous: "drop", negative: "x", amounts: "float" })),
  ).toMatchInlineSnapshot(`
    [
      "sources[0].amounts: found "float", expected minor or decimal",
      "sources[0].guests[0]: found a mapping, expected a customer id",
      "sources[0].anonymous: found "drop", expected skip or reject",
      "sources[0].negative: found "x", expected reject or refund",
    ]
  `);
});

test("streams and subjects", () => {
  expect(errorsOf(source({ name: "a", subjects: ["shop.orders.>"] }))).toMatchInlineSnapshot(`
    [
      "sources[0].subjects[0]: found "shop.orders.>", expected one under tidemark.orders: the source names no stream to adopt",
    ]
  `);
  expect(errorsOf(source({ name: "a", control: "shop.control" }))).toMatchInlineSnapshot(`
    [
      "sources[0].control: found a subject, but no stream: expected it only with an adopted one",
    ]
  `);
  expect(errorsOf(source({ name: "a", stream: "SHOP" }))).toMatchInlineSnapshot(`
    [
      "sources[0]: subjects are missing, expected those of the adopted stream",
    ]
  `);
  expect(errorsOf(source({ name: "a", stream: "SHOP", subjects: ["shop.orders"] }))).toMatchInlineSnapshot(`
    [
      "sources[0]: control is missing, expected a subject of the adopted stream for control messages",
    ]
  `);
  expect(
    errorsOf(source({ name: "a", stream: "a.b", subjects: ["a..b", "a.>.b", "a b"], control: "a.*" })),
  ).toMatchInlineSnapshot(`
    [
      "sources[0].stream: found "a.b", expected a stream's name",
      "sources[0].control: found "a.*", expected a subject without wildcards",
      "sources[0].subjects[0]: found "a..b", expected a subject",
      "sources[0].subjects[1]: found "a.>.b", expected a subject",
      "sources[0].subjects[2]: found "a b", expected a subject",
    ]
  `);
  const adopted = { name: "a", stream: "SHOP", subjects: ["shop.>"] };
  expect(errorsOf(source(adopted, { name: "b" }))).toMatchInlineSnapshot(`
    [
      "sources[1]: channel is missing, expected one: it tells this source's messages from the first source's",
      "sources[1]: found no stream, expected SHOP, as the first source has: an engine reads its own streams or one adopted stream; run a second one under another name for this",
    ]
  `);
  expect(errorsOf(source(adopted, { ...adopted, name: "b", stream: "OTHER" }))).toMatchInlineSnapshot(`
    [
      "sources[1]: found stream OTHER, expected SHOP, as the first source has: an engine reads its own streams or one adopted stream; run a second one under another name for this",
    ]
  `);
  expect(errorsOf(source({ name: "b" }, adopted))).toMatchInlineSnapshot(`
    [
      "sources[1]: found stream SHOP, expected none, as the first source has none: an engine reads its own streams or one adopted stream; run a second one under another name for this",
    ]
  `);
  expect(errorsOf(source(adopted, { ...adopted, name: "b", subjects: ["shop.b.>"] }))).toEqual([]);
  expect(errorsOf({ ...source(adopted), partitions: 8 })).toMatchInlineSnapshot(`
    [
      "partitions: found 8, expected 1: an adopted stream is read whole as one partition",
    ]
  `);
});

test("decimal amounts need a currency that says how many decimals", () => {
  const models = [retail, { ...retail, name: "japan", currency: "JPY" }];
  const decimal = { name: "a", amounts: "decimal", fields };
  expect(errorsOf({ models, sources: [decimal] })).toMatchInlineSnapshot(`
    [
      "sources[0].amounts: found decimal, but no currency to read it in: the models have EUR and JPY, whose decimals differ; map fields.currency or give channels.web.currency",
    ]
  `);
  expect(errorsOf({ models: [retail], sources: [decimal] })).toEqual([]);
  expect(errorsOf({ models: [retail, { ...retail, name: "swiss", currency: "CHF" }], sources: [decimal] })).toEqual([]);
  expect(errorsOf({ models, sources: [{ ...decimal, fields: { ...fields, currency: "currency" } }] })).toEqual([]);
  expect(errorsOf({ models, sources: [decimal], channels: { web: { currency: "JPY" } } })).toEqual([]);
  expect(errorsOf({ models, sources: [{ name: "a", amounts: "decimal" }] })).toEqual([]);
  expect(errorsOf({ models, sources: [{ name: "a", preset: "shopify", fields: { currency: null } }] })).toHaveLength(1);
});

test("one way to log in, from files", () => {
  const nats = (nats: object) => errorsOf({ models: [retail], nats });
  expect(nats({ tokenFile: "t", nkeyFile: "n" })).toMatchInlineSnapshot(`
    [
      "nats: found tokenFile and nkeyFile, expected one way to log in",
    ]
  `);
  expect(nats({ user: "me" })).toMatchInlineSnapshot(`
    [
      "nats: found one of user and passwordFile, expected both or none",
    ]
  `);
  expect(nats({ user: "me", password: "secret" })).toMatchInlineSnapshot(`
    [
      "nats.password: unknown key; known: url, credentialsFile, tokenFile, nkeyFile, user, passwordFile, tls",
    ]
  `);
  expect(nats({ tls: { certFile: "c" } })).toMatchInlineSnapshot(`
    [
      "nats.tls: found one of certFile and keyFile, expected both or none",
    ]
  `);
  expect(nats({ url: "tls://broker:4222", user: "me", passwordFile: "p", tls: { caFile: "c" } })).toEqual([]);
});

test("warnings say what is probably not meant", () => {
  const { warnings } = parseConfig(`
workers: 9
channels: { web: { currency: EUX } }
sources: [{ name: orders, channel: sotre }]
models: [{ use: points, currency: EUR, channels: [store] }]
`);
  expect(warnings).toMatchInlineSnapshot(`
    [
      {
        "column": 10,
        "line": 2,
        "message": "found 9, but there is work for 8 only: one a partition",
        "path": [
          "workers",
        ],
      },
      {
        "column": 30,
        "line": 3,
        "message": "found "EUX", which is not a currency that ISO 4217 lists",
        "path": [
          "channels",
          "web",
          "currency",
        ],
      },
      {
        "column": 36,
        "line": 4,
        "message": "found "sotre", which no model takes",
        "path": [
          "sources",
          0,
          "channel",
        ],
      },
    ]
  `);
});
