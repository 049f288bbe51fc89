/** What a dead letter is told to be is what the kernel put it aside for. */
import { describe, expect, test } from "vitest";
import { parseConfigObject } from "../../runtime/config/index.js";
import type { Reason } from "../../runtime/record.js";
import { tryMessages } from "../../runtime/trial.js";
import { retail } from "../config/retail.js";
import { kernelModule, SEED } from "../support/kernel-driver.js";

const STAMP = Date.parse("2026-01-31T00:00:00Z");
const GOOD = { id: "o1", customer: "c1", time: STAMP - 1000, amount: 500 };

function trial(message: string | Uint8Array | object, source: object = {}, models: object[] = [retail]) {
  const { settings } = parseConfigObject({ partitions: 1, models, sources: [{ name: "own", ...source }] });
  const text = typeof message === "string" ? message : JSON.stringify(message);
  const body = message instanceof Uint8Array ? message : new TextEncoder().encode(text);
  const one = { stream: "S", sequence: 7, stamp: STAMP, subject: "tidemark.orders.0.web", body };
  return tryMessages(kernelModule("debug"), settings, [one], SEED);
}

/** Reason, field, what was found; all by the kernel's own word. */
function told(message: string | Uint8Array | object, source?: object, models?: object[]) {
  const [finding] = trial(message, source, models).dead;
  return finding === undefined ? undefined : [finding.reason, finding.example.fault.field, finding.example.fault.found];
}

const decimal = { amounts: "decimal" };
const mapped = {
  fields: { id: "id", customer: "customer", time: "time", amount: "amount", status: "state" },
  status: { paid: "order", open: "skip" },
};
const has = "nothing; the item has";
const cases: [string, string | object, [Reason, string | null, string], object?][] = [
  ["no time", { ...GOOD, time: null }, ["missingField", "time", `${has} id, customer, time, amount`]],
  ["no id", { ...GOOD, id: undefined }, ["missingField", "id", `${has} customer, time, amount`]],
  ["no customer", { ...GOOD, customer: undefined }, ["missingField", "customer", `${has} id, time, amount`]],
  ["no amount", { ...GOOD, amount: undefined }, ["missingField", "amount", `${has} id, customer, time`]],
  [
    "a cancel without order",
    { ...GOOD, kind: "cancel" },
    ["missingField", "order", `${has} id, customer, time, amount, kind`],
  ],
  [
    "a guest, where they are rejected",
    { ...GOOD, customer: 0 },
    ["missingField", "customer", "0"],
    { guests: ["0"], anonymous: "reject" },
  ],
  ["no map", "[5]", ["wrongType", null, "5"]],
  ["a list within", '[["a"]]', ["wrongType", null, "a list of 1"]],
  ["test", { ...GOOD, test: "yes" }, ["wrongType", "test", '"yes"']],
  ["kind", { ...GOOD, kind: 5 }, ["wrongType", "kind", "5"]],
  ["time as a day", { ...GOOD, time: "2026-01-30" }, ["wrongType", "time", '"2026-01-30"']],
  ["time without offset", { ...GOOD, time: "2026-01-30 12:00:00" }, ["wrongType", "time", '"2026-01-30 12:00:00"']],
  ["a day that is none", { ...GOOD, time: "2026-02-30T12:00:00Z" }, ["wrongType", "time", '"2026-02-30T12:00:00Z"']],
  ["id as a map", { ...GOOD, id: { a: 1 } }, ["wrongType", "id", "a map of 1 (a)"]],
  ["id with a fraction", '{"id":1.5,"customer":"c","time":1769000000000,"amount":1}', ["wrongType", "id", "1.5"]],
  ["customer as a list", { ...GOOD, customer: ["c"] }, ["wrongType", "customer", "a list of 1"]],
  ["channel as a number", { ...GOOD, channel: 5 }, ["wrongType", "channel", "5"]],
  ["currency in small letters", { ...GOOD, currency: "eur" }, ["wrongType", "currency", '"eur"']],
  ["amount as a text", { ...GOOD, amount: "5.00" }, ["wrongType", "amount", '"5.00"']],
  ["a decimal comma", { ...GOOD, amount: "5,00" }, ["wrongType", "amount", '"5,00"'], decimal],
  ["version as a word", { ...GOOD, version: "new" }, ["wrongType", "version", '"new"']],
  ["an empty id", { ...GOOD, id: "" }, ["overLimit", "id", '"", 0 bytes']],
  [
    "a long customer",
    { ...GOOD, customer: "ż".repeat(129) },
    ["overLimit", "customer", `"${"ż".repeat(60)}…", 258 bytes`],
  ],
  ["a negative amount", { ...GOOD, amount: -5 }, ["overLimit", "amount", "-5"]],
  ["a negative version", { ...GOOD, version: -5 }, ["overLimit", "version", "-5"]],
  [
    "too much",
    '{"id":1,"customer":"c","time":1769000000000,"amount":10000000000001}',
    ["overLimit", "amount", "10000000000001"],
  ],
  ["the year 10000", { ...GOOD, time: 253_402_300_800_000 }, ["overLimit", "time", "253402300800000"]],
  ["a part of a cent", '{"id":1,"customer":"c","time":1769000000000,"amount":5.5}', ["fraction", "amount", "5.5"]],
  ["a third decimal", { ...GOOD, amount: "5.001" }, ["fraction", "amount", '"5.001"'], decimal],
  ["a decimal of the yen", { ...GOOD, amount: "5.1", currency: "JPY" }, ["fraction", "amount", '"5.1"'], decimal],
  [
    "digits that no double has",
    '{"id":1,"customer":"c","time":1769000000000,"amount":39.640000000000001}',
    ["fraction", "amount", "39.640000000000001"],
    decimal,
  ],
  ["seconds", { ...GOOD, time: 1_769_000_000 }, ["timeTooOld", "time", "1769000000, which looks like seconds"]],
  ["another century", { ...GOOD, time: "1969-12-31T23:59:59Z" }, ["timeTooOld", "time", '"1969-12-31T23:59:59Z"']],
  [
    "tomorrow's tomorrow",
    { ...GOOD, time: "2026-02-02T00:00:00Z" },
    ["tooFarAhead", "time", '"2026-02-02T00:00:00Z", 2,880 minutes ahead'],
  ],
  ["another currency", { ...GOOD, currency: "USD" }, ["noModel", "currency", "USD"]],
  ["another kind", { ...GOOD, kind: "return" }, ["unsupported", "kind", '"return"']],
  ["a status that is not listed", { ...GOOD, state: "lost" }, ["unsupported", "status", '"lost"'], mapped],
  ["no JSON", "webhook_id=3", ["undecodable", null, '"webhook_id=3"']],
  ["half a message", '{"id":1,', ["undecodable", null, '"{\\"id\\":1,"']],
];

describe("the field, and what was found in it", () => {
  test.each(cases)("%s", (_, message, expected, source) => {
    expect(told(message, source)).toEqual(expected);
  });

  test("of several wrongs the one that the kernel names", () => {
    expect(told({ id: "", customer: [], amount: "x", currency: "?" })).toEqual([
      "missingField",
      "time",
      expect.any(String),
    ]);
    expect(told({ ...GOOD, id: "", customer: [], amount: "x" })).toEqual(["overLimit", "id", '"", 0 bytes']);
  });

  test("MessagePack, and what can't be read of it", () => {
    // {"id": 2^63, "customer": 1.5}
    const bytes = Buffer.from("82a26964cf8000000000000000a8637573746f6d6572cb3ff8000000000000", "hex");
    expect(told(bytes)).toEqual(["missingField", "time", "nothing; the item has id, customer"]);
    expect(told(bytes.subarray(0, 20))).toEqual(["undecodable", null, "bytes that can't be read to their end"]);
  });

  test("what may settle it is said", () => {
    const hint = (message: object, source?: object) => trial(message, source).dead[0]?.example.fault.hint;
    expect(hint({ ...GOOD, time: "2026-01-30T12:00:00" })).toContain("zone: UTC");
    expect(hint({ ...GOOD, amount: "5.00" })).toBe("amounts: decimal");
    expect(hint({ ...GOOD, amount: 5.5 })).toBe("amounts: decimal");
    expect(hint({ ...GOOD, amount: -5 })).toBe("negative: refund");
    expect(hint({ ...GOOD, state: "lost" }, mapped)).toBe('status: { "lost": … }');
    expect(hint({ ...GOOD, currency: "USD" })).toContain("currency: USD");
  });

  test("a customer of another partition", () => {
    const { settings } = parseConfigObject({ models: [retail] });
    const body = new TextEncoder().encode(JSON.stringify(GOOD));
    const found = [0, 1, 2, 3, 4, 5, 6, 7].map((partition) => {
      const message = { stream: "S", sequence: 1, stamp: STAMP, subject: `tidemark.orders.${partition}.web`, body };
      return tryMessages(kernelModule("debug"), settings, [message], SEED).dead[0];
    });
    expect(found.filter((one) => one === undefined)).toHaveLength(1);
    const home = found.findIndex((one) => one === undefined);
    for (const one of found) {
      if (one === undefined) continue;
      expect([one.reason, one.example.fault.field]).toEqual(["foreignPartition", "customer"]);
      expect(one.example.fault.found).toBe(`"c1", of partition ${home}`);
    }
  });
});

describe("a trial", () => {
  test("counts what would be taken and left out, and says what was seen", () => {
    const source = {
      ...decimal,
      guests: ["0"],
      fields: {
        ...mapped.fields,
        currency: "currency",
        test: "test",
        channel: "channel",
        kind: "kind",
        order: "order",
      },
      status: { ...mapped.status, gone: "cancel" },
    };
    const order = (id: number, more: object) => ({ ...GOOD, id, amount: "5.00", ...more });
    const found = trial(
      [
        order(1, { state: "paid" }),
        order(1, { state: "paid" }),
        order(2, { state: "open" }),
        order(3, { state: "gone", currency: "EUR", channel: "shop" }),
        order(4, { customer: 0 }),
        order(5, { test: true }),
        order(6, { kind: "refund", order: 99 }),
        order(7, { time: STAMP - 500 * 86_400_000 }),
        order(8, { state: "?" }),
      ] as unknown as object,
      source,
    );
    expect(found).toMatchObject({ messages: 1, items: 9, control: 0 });
    expect(found.events).toEqual([
      [2, 0, 1, 0, 0, 1, 1, 1, 1, 1],
      [0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]);
    expect(found.dead).toMatchObject([
      { reason: "unsupported", items: 1, ofSample: false, example: { sequence: 7, index: 8 } },
    ]);
    expect(found.channels).toEqual([
      { text: "web", items: 8 },
      { text: "shop", items: 1 },
    ]);
    expect(found.currencies).toEqual([{ text: "EUR", items: 9 }]);
    expect(found.statuses).toEqual([
      { text: "paid", items: 2, meaning: "order" },
      { text: "open", items: 1, meaning: "skip" },
      { text: "gone", items: 1, meaning: "cancel" },
      { text: "?", items: 1, meaning: null },
    ]);
    expect(found.behind).toEqual({ items: 9, least: 1000, median: 1000, most: 500 * 86_400_000 });
  });

  test("a reversal whose order may be older than the sample is no fault of the messages", () => {
    const { settings } = parseConfigObject({ partitions: 1, models: [retail], parkFor: "1d" });
    const message = (sequence: number, days: number, event: object) => ({
      stream: "S",
      sequence,
      stamp: STAMP + days * 86_400_000,
      subject: "tidemark.orders.0.web",
      body: new TextEncoder().encode(JSON.stringify(event)),
    });
    const refund = message(1, 0, { ...GOOD, kind: "refund", order: "older" });
    const later = [2, 3].map((day) => message(day, day, { ...GOOD, id: `o${day}` }));
    const control = { ...message(4, 4, { type: "tick" }), subject: "tidemark.orders.0._control" };
    const found = tryMessages(kernelModule("debug"), settings, [refund, ...later, control], SEED);
    expect(found.control).toBe(1);
    expect(found.messages).toBe(3);
    expect(found.dead).toMatchObject([{ reason: "unmatched", items: 1, ofSample: true }]);
  });
});
