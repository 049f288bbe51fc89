import { encode } from "@msgpack/msgpack";
import { beforeAll, describe, expect, test } from "vitest";
import type { Field, Source } from "../../runtime/settings.js";
import { type Built, build, type DecodedItem, Decoder, SOURCE } from "./decoder.js";

const D0 = 1767225600000;
const ORDER = { id: "a", customer: "c1", time: D0, amount: 100 };

let debug: Built;
let decoder: Decoder;
beforeAll(async () => {
  debug = await build("debug");
  decoder = new Decoder(debug);
});

/** The one item of a message, decoded from both formats, which must agree. */
function both(event: unknown, source = SOURCE): DecodedItem {
  const [json] = decoder.decode(JSON.stringify(event), source) ?? [];
  const [msgpack] = decoder.decode(encode(event), source) ?? [];
  expect({ ...msgpack, length: 0 }).toEqual({ ...json, length: 0 });
  return json as DecodedItem;
}

/** The default source with other settings; `fields` are added to its fields. */
function sourceOf(changes: Partial<Source>, fields: Partial<Record<Field, string[]>> = {}): Source {
  return { ...SOURCE, ...changes, fields: { ...(changes.fields ?? SOURCE.fields), ...fields } };
}

/** The one item of a JSON text. */
function json(text: string, source = SOURCE): DecodedItem {
  return decoder.decode(text, source)?.[0] as DecodedItem;
}

const without = (field: string) => Object.fromEntries(Object.entries(ORDER).filter(([key]) => key !== field));

describe("an order event", () => {
  test("is read field by field", () => {
    expect(both({ ...ORDER, channel: "store", currency: "EUR", version: 7, kind: "order" })).toEqual({
      verdict: "fine",
      reason: null,
      id: "a",
      customer: "c1",
      order: null,
      channel: "store",
      time: D0,
      amount: 100,
      version: 7,
      currency: "EUR",
      kind: "order",
      isVoid: false,
      start: 0,
      length: JSON.stringify({ ...ORDER, channel: "store", currency: "EUR", version: 7, kind: "order" }).length,
    });
  });

  test("has its defaults where it names nothing", () => {
    expect(both(ORDER)).toMatchObject({ channel: "web", version: 0, currency: null, kind: "order" });
    decoder.shareCurrency("EUR");
    expect(both(ORDER)).toMatchObject({ currency: "EUR" });
    expect(both({ ...ORDER, kind: "refund" }), "of a refund without order").toMatchObject({ currency: "EUR" });
    expect(both({ ...ORDER, kind: "refund", order: "o" }), "its order's").toMatchObject({ currency: null });
    expect(both({ ...ORDER, kind: "refund", order: "o", currency: "USD" })).toMatchObject({ currency: "USD" });
    decoder.shareCurrency(null);
  });

  test("a refund and a cancel name their order", () => {
    expect(both({ ...ORDER, kind: "refund" })).toMatchObject({ verdict: "fine", kind: "refund", order: null });
    expect(both({ ...ORDER, kind: "refund", order: 12 })).toMatchObject({ kind: "refund", order: "12" });
    expect(both({ ...without("amount"), kind: "cancel", order: "o" })).toMatchObject({ verdict: "fine", amount: 0 });
    expect(both({ ...ORDER, amount: "x", kind: "cancel", order: "o" })).toMatchObject({ verdict: "fine", amount: 0 });
    expect(both({ ...ORDER, order: "o" }), "an order names none").toMatchObject({ verdict: "fine", order: null });
  });

  test("null is absent", () => {
    const nulls = { channel: null, currency: null, kind: null, order: null, version: null, test: null };
    expect({ ...both({ ...ORDER, ...nulls }), length: 0 }).toEqual({ ...both(ORDER), length: 0 });
  });

  test("unknown fields are passed over", () => {
    const note = { id: "no", list: [1, [2, { customer: "no" }], 'x}]\\"', null, true, -1.5e3], empty: {}, none: [] };
    expect(both({ note, ...ORDER, more: note })).toMatchObject({ id: "a", customer: "c1", verdict: "fine" });
  });

  test("of repeated keys the last counts", () => {
    expect(json(`{"id":"a","customer":"c1","time":${D0},"amount":7,"amount":5}`).amount).toBe(5);
    expect(json(`{"id":"a","customer":"c1","time":${D0},"amount":7,"amount":null}`).reason).toBe("missingField");
    expect(json(`{"id":"a","customer":"c1","time":${D0},"amount":7,"\\u0061mount":5}`).amount).toBe(5);
    const twice = [0x84, ...encode("id"), ...encode("a"), ...encode("id"), ...encode("b")];
    const rest = [...encode("customer"), ...encode("c"), ...encode("id"), ...encode("z")];
    expect(decoder.decode(Uint8Array.from([...twice, ...rest]))?.[0]?.id).toBe("z");
  });
});

describe("what is wrong is told by its reason", () => {
  test.each<[string, unknown, string]>([
    ["no id", without("id"), "missingField"],
    ["no customer", without("customer"), "missingField"],
    ["no time", without("time"), "missingField"],
    ["no amount", without("amount"), "missingField"],
    ["a refund without amount", { ...without("amount"), kind: "refund" }, "missingField"],
    ["a cancel without order", { ...ORDER, kind: "cancel" }, "missingField"],
    ["a null id", { ...ORDER, id: null }, "missingField"],
    ["an amount as text", { ...ORDER, amount: "100" }, "wrongType"],
    ["an id that is a map", { ...ORDER, id: { x: 1 } }, "wrongType"],
    ["an id with a fraction", { ...ORDER, id: 1.5 }, "wrongType"],
    ["a customer that is true", { ...ORDER, customer: true }, "wrongType"],
    ["a time that is a list", { ...ORDER, time: [1] }, "wrongType"],
    ["a time with a fraction", { ...ORDER, time: D0 + 0.5 }, "wrongType"],
    ["a time that is no time", { ...ORDER, time: "yesterday" }, "wrongType"],
    ["a time without offset", { ...ORDER, time: "2026-01-02T03:04:05" }, "wrongType"],
    ["a channel that is a number", { ...ORDER, channel: 1 }, "wrongType"],
    ["a currency in lower case", { ...ORDER, currency: "eur" }, "wrongType"],
    ["a currency of four letters", { ...ORDER, currency: "EURO" }, "wrongType"],
    ["a currency that is a number", { ...ORDER, currency: 978 }, "wrongType"],
    ["a kind that is a number", { ...ORDER, kind: 1 }, "wrongType"],
    ["a test that is text", { ...ORDER, test: "true" }, "wrongType"],
    ["a version with a fraction", { ...ORDER, version: 0.5 }, "wrongType"],
    ["a version that is no time", { ...ORDER, version: "" }, "wrongType"],
    ["an order that is a list", { ...ORDER, kind: "refund", order: [] }, "wrongType"],
    ["an unknown kind", { ...ORDER, kind: "visit" }, "unsupported"],
    ["a kind in capitals", { ...ORDER, kind: "Order" }, "unsupported"],
    ["a fraction", { ...ORDER, amount: 59.99 }, "fraction"],
    ["a negative fraction", { ...ORDER, amount: -0.5 }, "fraction"],
    ["a negative amount", { ...ORDER, amount: -5 }, "overLimit"],
    ["a negative refund", { ...ORDER, kind: "refund", amount: -5 }, "overLimit"],
    ["an amount above 10^13", { ...ORDER, amount: 10 ** 13 + 1 }, "overLimit"],
    ["an amount far above", { ...ORDER, amount: 1e300 }, "overLimit"],
    ["an empty id", { ...ORDER, id: "" }, "overLimit"],
    ["an id of 129 bytes", { ...ORDER, id: "b".repeat(129) }, "overLimit"],
    ["an id of 65 two-byte letters", { ...ORDER, id: "é".repeat(65) }, "overLimit"],
    ["an empty customer", { ...ORDER, customer: "" }, "overLimit"],
    ["a customer of 257 bytes", { ...ORDER, customer: "k".repeat(257) }, "overLimit"],
    ["an empty channel", { ...ORDER, channel: "" }, "overLimit"],
    ["a channel of 65 bytes", { ...ORDER, channel: "k".repeat(65) }, "overLimit"],
    ["an order of 129 bytes", { ...ORDER, kind: "cancel", order: "o".repeat(129) }, "overLimit"],
    ["a version below 0", { ...ORDER, version: -1 }, "overLimit"],
    ["a version above 2^53", { ...ORDER, version: 2 ** 53 + 2 }, "overLimit"],
    ["a time in seconds", { ...ORDER, time: 1767225600 }, "timeTooOld"],
    ["a time before 1990", { ...ORDER, time: 631151999999 }, "timeTooOld"],
    ["a text of before 1990", { ...ORDER, time: "1989-12-31T23:59:59.999Z" }, "timeTooOld"],
    ["a negative time", { ...ORDER, time: -1e300 }, "timeTooOld"],
    ["a time past the year 9999", { ...ORDER, time: 253402300800000 }, "overLimit"],
    ["a text past the year 9999", { ...ORDER, time: "9999-12-31T23:59:59-00:01" }, "overLimit"],
    ["a time far ahead", { ...ORDER, time: 1e300 }, "overLimit"],
  ])("%s", (_, event, reason) => {
    expect(both(event)).toMatchObject({ verdict: "dead", reason });
  });

  test("an item that is no map", () => {
    for (const items of [[7], ["x"], [[ORDER]], [null], [true, false], [[]]]) {
      const expected = items.map(() => ({ reason: "wrongType", id: null, customer: null, channel: "web", time: 0 }));
      expect(decoder.decode(JSON.stringify(items))).toMatchObject(expected);
      expect(decoder.decode(encode(items))).toMatchObject(expected);
    }
    for (const text of ["7", `"x"`, "null", " true "]) {
      expect(decoder.decode(text)).toMatchObject([{ reason: "wrongType", length: text.trim().length }]);
    }
  });

  test("the customer is told where it can be read", () => {
    expect(both({ ...ORDER, amount: 1.5 }).customer).toBe("c1");
    expect(both({ customer: 12 }).customer).toBe("12");
    expect(both({ ...ORDER, customer: "k".repeat(257) }).customer).toBeNull();
  });

  test("what fits a limit exactly is taken", () => {
    const wide = { id: "é".repeat(64), customer: "k".repeat(256), channel: "n".repeat(64) };
    expect(both({ ...ORDER, ...wide, amount: 10 ** 13, version: 2 ** 53 })).toMatchObject({ verdict: "fine", ...wide });
    expect(both({ ...ORDER, time: 631152000000 }).time).toBe(631152000000);
    expect(both({ ...ORDER, time: 253402300799999 }).time).toBe(253402300799999);
  });

  test("a wrong item in a list leaves the others", () => {
    const items = decoder.decode(JSON.stringify([ORDER, without("amount"), { ...ORDER, id: "z" }]));
    expect(items?.map(({ reason, id }) => [reason, id])).toEqual([
      [null, "a"],
      ["missingField", "a"],
      [null, "z"],
    ]);
  });
});

describe("numbers are read from their digits", () => {
  test.each([
    ["12.0", 12],
    ["1e3", 1000],
    ["1E+3", 1000],
    ["1.5e1", 15],
    ["120e-1", 12],
    ["-0", 0],
    ["-0.0", 0],
    ["0e999999999999", 0],
    ["0.000e-99", 0],
    ["10000000000000.000", 10 ** 13],
    ["1e13", 10 ** 13],
    ["0.00000001e8", 1],
  ])("amount %s", (digits, amount) => {
    expect(json(`{"id":"a","customer":"c1","time":${D0},"amount":${digits}}`)).toMatchObject({
      verdict: "fine",
      amount,
    });
  });

  test.each([
    ["1e-1", "fraction"],
    ["12.01", "fraction"],
    ["1e-999999999999", "fraction"],
    ["10000000000000.5", "fraction"],
    ["1e14", "overLimit"],
    ["1e999999999999", "overLimit"],
    ["-1e999999999999", "overLimit"],
    ["99999999999999999999999999999999999", "overLimit"],
    ["-1", "overLimit"],
  ])("amount %s is wrong", (digits, reason) => {
    expect(json(`{"id":"a","customer":"c1","time":${D0},"amount":${digits}}`).reason).toBe(reason);
  });

  test.each([
    ["820982911946154508", "820982911946154508"],
    ["9007199254740993", "9007199254740993"],
    ["123456789012345678901234567890", "123456789012345678901234567890"],
    ["-5", "-5"],
    ["-0", "0"],
    ["-0.0", "0"],
    ["12.0", "12"],
    ["1e3", "1000"],
    ["-1.5e1", "-15"],
    ["1e127", `1${"0".repeat(127)}`],
    ["00", null],
  ])("id %s", (digits, id) => {
    const items = decoder.decode(`{"id":${digits},"customer":"c1","time":${D0},"amount":1}`);
    expect(items?.[0]?.id ?? null).toBe(id);
  });

  test("an id of too many digits is over its limit", () => {
    for (const digits of ["1e128", "1e999999999", "9".repeat(129), "-1e127"])
      expect(json(`{"id":${digits},"customer":"c1","time":${D0},"amount":1}`).reason).toBe("overLimit");
  });

  test("MessagePack integers of every width, and float64", () => {
    const id = (value: unknown) => decoder.decode(encode({ ...ORDER, id: value }, { useBigInt64: true }))?.[0]?.id;
    const ints = [
      0,
      127,
      128,
      255,
      256,
      65535,
      65536,
      2 ** 32 - 1,
      -1,
      -32,
      -33,
      -128,
      -129,
      -32768,
      -32769,
      -(2 ** 31),
    ];
    for (const value of ints) expect(id(value)).toBe(String(value));
    const longs = [2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n), 820982911946154508n];
    for (const value of longs) expect(id(value)).toBe(String(value));
    for (const value of [1e20, 2 ** 53, 2 ** 64, -(2 ** 70), 1.7e60, 2 ** 400])
      expect(id(value)).toBe(String(BigInt(value)));
    expect(decoder.decode(encode({ ...ORDER, id: 1e300 }))?.[0]?.reason).toBe("overLimit");
    expect(decoder.decode(encode({ ...ORDER, id: Number.NaN }))?.[0]?.reason).toBe("wrongType");
    expect(decoder.decode(encode({ ...ORDER, amount: Number.POSITIVE_INFINITY }))?.[0]?.reason).toBe("wrongType");
    const time = new Uint8Array([0xcb, 0x42, 0x79, 0xb7, 0x0e, 0xf7, 0x40, 0x00, 0x00]);
    expect(new DataView(time.buffer).getFloat64(1)).toBeGreaterThan(1e12);
    const short = new Uint8Array([
      0x84,
      ...encode("id"),
      1,
      ...encode("customer"),
      2,
      ...encode("time"),
      ...time,
      ...encode("amount"),
      0xca,
      0x41,
      0x40,
      0,
      0,
    ]);
    expect(decoder.decode(short)?.[0]).toMatchObject({ time: new DataView(time.buffer).getFloat64(1), amount: 12 });
  });
});

describe("instants as text", () => {
  const time = (text: string, source = SOURCE) => both({ ...ORDER, time: text }, source);
  test.each([
    ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"],
    ["2026-01-02t03:04:05z", "2026-01-02T03:04:05.000Z"],
    ["2026-01-02 03:04:05Z", "2026-01-02T03:04:05.000Z"],
    ["2026-01-02T03:04:05.6Z", "2026-01-02T03:04:05.600Z"],
    ["2026-01-02T03:04:05.6789999999Z", "2026-01-02T03:04:05.678Z"],
    ["2026-01-02T03:04:05+02:30", "2026-01-02T00:34:05.000Z"],
    ["2026-01-02T03:04:05-11:00", "2026-01-02T14:04:05.000Z"],
    ["2024-02-29T23:59:59Z", "2024-02-29T23:59:59.000Z"],
    ["2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"],
    ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"],
    ["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"],
    ["1990-01-01T00:00:00Z", "1990-01-01T00:00:00.000Z"],
  ])("%s", (text, instant) => {
    expect(time(text)).toMatchObject({ verdict: "fine", time: Date.parse(instant) });
  });

  test.each([
    "2026-01-02",
    "2026-01-02T03:04Z",
    "2026-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "2026-01-02T24:00:00Z",
    "2026-01-02T03:60:00Z",
    "2026-01-02T03:04:61Z",
    "2026-01-02T03:04:05.Z",
    "2026-01-02T03:04:05ZZ",
    "2026-01-02T03:04:05+0200",
    "2026-01-02T03:04:05+24:00",
    "2026-01-02T03:04:05+02:60",
    "2026-01-02T03:04:05+02:0x",
    "2026-01-02X03:04:05Z",
    "2026/01/02T03:04:05Z",
    "+026-01-02T03:04:05Z",
    "12026-01-02T03:04:05Z",
    "",
    `2026-01-02T03:04:05.${"1".repeat(600)}`,
  ])("%s is none", (text) => {
    expect(time(text).reason).toBe("wrongType");
  });

  test("every day of four centuries", () => {
    for (let day = Date.UTC(1990, 0, 1); day < Date.UTC(2400, 0, 1); day += 86_400_000 * 13) {
      expect(json(`{"time":"${new Date(day).toISOString()}"}`).time).toBe(day);
    }
  });

  test("a version may be one", () => {
    expect(both({ ...ORDER, version: "2026-01-02T01:30:00+02:00" }).version).toBe(Date.UTC(2026, 0, 1, 23, 30));
    expect(both({ ...ORDER, version: "1969-12-31T23:59:59Z" }).reason).toBe("overLimit");
  });

  test("without an offset it is one of the source's zone", () => {
    const warsaw = sourceOf({ zone: "Europe/Warsaw" });
    const at = (text: string) => new Date(time(text, warsaw).time).toISOString();
    expect(at("2026-01-15T12:00:00")).toBe("2026-01-15T11:00:00.000Z");
    expect(at("2026-07-15T12:00:00.25")).toBe("2026-07-15T10:00:00.250Z");
    expect(at("2026-07-15T12:00:00Z"), "an offset still decides").toBe("2026-07-15T12:00:00.000Z");
    expect(at("2026-03-29T01:59:59"), "before the gap").toBe("2026-03-29T00:59:59.000Z");
    expect(at("2026-03-29T02:30:00"), "in the gap: as if not yet moved").toBe("2026-03-29T01:30:00.000Z");
    expect(at("2026-03-29T03:00:00"), "behind the gap").toBe("2026-03-29T01:00:00.000Z");
    expect(at("2026-10-25T01:59:59"), "before the overlap").toBe("2026-10-24T23:59:59.000Z");
    expect(at("2026-10-25T02:30:00"), "in the overlap: the earlier").toBe("2026-10-25T00:30:00.000Z");
    expect(at("2026-10-25T03:00:00"), "behind the overlap").toBe("2026-10-25T02:00:00.000Z");
    expect(at("1990-01-01T01:00:00"), "at the table's beginning").toBe("1990-01-01T00:00:00.000Z");
    const utc = sourceOf({ zone: "UTC" });
    expect(time("2026-01-15T12:00:00", utc).time).toBe(Date.UTC(2026, 0, 15, 12));
  });
});

describe("a source", () => {
  test("maps paths up to four deep, in any order and through what is no map", () => {
    const deep = sourceOf({
      fields: {
        id: ["id"],
        customer: ["customer", "id"],
        time: ["processed_at"],
        amount: ["totals", "shop", "net", "amount"],
        currency: ["totals", "shop", "net", "currency"],
        channel: ["source_name_of_the_channel"],
      },
    });
    const event = {
      totals: { shop: { gross: { amount: 9 }, net: { amount: 5, currency: "EUR" } }, net: 1 },
      source_name_of_the_channe1: "no",
      source_name_of_the_channel: "app",
      processed_at: D0,
      customer: { name: "x", id: 7, orders: [{ id: 1 }] },
      id: 1,
    };
    expect(both(event, deep)).toMatchObject({
      verdict: "fine",
      customer: "7",
      amount: 5,
      currency: "EUR",
      channel: "app",
    });
    expect(both({ ...event, customer: "7" }, deep).reason).toBe("missingField");
    expect(both({ ...event, totals: { shop: [] } }, deep).reason).toBe("missingField");
    const text = `{"id":1,"processed_at":${D0},"customer":{"id":7},"totals":{"shop":{"net":{"amount":1}}}`;
    expect(json(`${text},"totals":{}}`, deep).reason, "a repeated map begins anew").toBe("missingField");
    expect(json(`${text},"totals":{"shop":{"net":{"currency":"EUR"}}}}`, deep).reason).toBe("missingField");
    expect(json(`${text},"totals":null}`, deep).reason).toBe("missingField");
    expect(json(`${text},"t\\u006ftals":{"shop":{"net":{"amount":2}}}}`, deep).amount).toBe(2);
  });

  test("may map two fields to one path, and a field to a map on another's path", () => {
    const shared = sourceOf({ channel: "app" }, { order: ["id"], customer: ["customer", "id"], channel: ["customer"] });
    const event = { ...ORDER, kind: "refund", customer: { id: "c" } };
    expect(both(event, shared)).toMatchObject({
      id: "a",
      order: "a",
      customer: "c",
      reason: "wrongType",
      channel: "app",
    });
    expect(both({ ...event, customer: "x" }, shared)).toMatchObject({ customer: null, reason: "missingField" });
  });

  test("compares keys with zero bytes, long keys and near misses", () => {
    const keys = {
      id: ["id\0"],
      customer: ["customer_reference_number"],
      time: ["ünïcode€𝄞key"],
      amount: ["abcdefgh"],
    };
    const odd = sourceOf({ fields: keys });
    const event = { id: "x", "id\0": "a", customer_reference_numbers: 0, customer_reference_numbex: 0 };
    const rest = { customer_reference_number: "c", "ünïcode€𝄞key": D0, abcdefgh: 1, abcdefghi: 2, abcdefg: 3 };
    expect(both({ ...event, ...rest }, odd)).toMatchObject({
      verdict: "fine",
      id: "a",
      customer: "c",
      time: D0,
      amount: 1,
    });
    const escaped = `{"id\\u0000":"a","customer_reference\\u005fnumber":"c","\\u00fcn\\u00efcode\\u20ac\\ud834\\udd1ekey":${D0},"abcdef\\u0067h":1}`;
    expect(json(escaped, odd)).toMatchObject({ verdict: "fine", id: "a", customer: "c", time: D0, amount: 1 });
    const quoted = sourceOf({ fields: { id: ['a\\"'], customer: ["b\\u0063"], time: [""], amount: ["é"] } });
    expect(both({ 'a\\"': "a", "b\\u0063": "c1", bc: "no", "": D0, é: 1, e: 2 }, quoted)).toMatchObject({
      id: "a",
      customer: "c1",
      time: D0,
      amount: 1,
    });
    const near = `{"a\\":1,"b\\u0063":"no","":${D0},"é":1,"a\\\\\\"":"a","b\\\\u0063":"c1"}`;
    expect(json(near.replace('"a\\":1,', ""), quoted)).toMatchObject({
      verdict: "fine",
      id: "a",
      customer: "c1",
      time: D0,
    });
  });

  test.each([
    ["EUR", "59.99", 5999],
    ["EUR", "59.9", 5990],
    ["EUR", "59", 5900],
    ["EUR", "59.990", 5999],
    ["EUR", "-0.00", 0],
    ["JPY", "5000", 5000],
    ["JPY", "5000.00", 5000],
    ["KWD", "1.234", 1234],
    ["CLF", "1.2345", 12345],
    ["EUR", "100000000000.00", 10 ** 13],
    ["EUR", "5.999e1", 5999],
  ])("reads decimal amounts by the currency's decimals: %s %s", (currency, digits, amount) => {
    const decimal = sourceOf({ amounts: "decimal" });
    expect(both({ ...ORDER, currency, amount: digits }, decimal)).toMatchObject({ verdict: "fine", amount });
    const number = `{"id":"a","customer":"c1","time":${D0},"currency":"${currency}","amount":${digits}}`;
    expect(json(number, decimal)).toMatchObject({ verdict: "fine", amount });
    expect(both({ ...ORDER, currency, amount: Number(digits) }, decimal)).toMatchObject({ verdict: "fine", amount });
  });

  test.each<[string, unknown, string]>([
    ["EUR", "59.999", "fraction"],
    ["EUR", 59.999, "fraction"],
    ["JPY", "0.5", "fraction"],
    ["JPY", 0.5, "fraction"],
    ["KWD", "1.2345", "fraction"],
    ["EUR", "100000000000.01", "overLimit"],
    ["EUR", 1e30, "overLimit"],
    ["EUR", 10 ** 14 + 1, "overLimit"],
    ["EUR", "-5.00", "overLimit"],
    ["EUR", "", "wrongType"],
    ["EUR", "5,00", "wrongType"],
    ["EUR", " 5", "wrongType"],
    ["EUR", "+5", "wrongType"],
    ["EUR", "5.", "wrongType"],
    ["EUR", ".5", "wrongType"],
    ["EUR", "0x5", "wrongType"],
    ["EUR", "5e", "wrongType"],
    ["EUR", "-", "wrongType"],
    ["EUR", true, "wrongType"],
    ["EUR", [5], "wrongType"],
  ])("refuses other decimals: %s %j", (currency, amount, reason) => {
    expect(both({ ...ORDER, currency, amount }, sourceOf({ amounts: "decimal" })).reason).toBe(reason);
  });

  test("every hundredth is read exactly from a float64", () => {
    const decimal = sourceOf({ amounts: "decimal" });
    for (let cents = 0; cents < 3_000_000; cents += 997) {
      expect(decoder.decode(encode({ ...ORDER, amount: cents / 100 }), decimal)?.[0]?.amount).toBe(cents);
    }
  });

  test("a negative order is a refund without order where the source says so", () => {
    const refunds = sourceOf({ negative: "refund" }, { cancelled: ["cancelled"] });
    expect(both({ ...ORDER, amount: -5, order: "o" }, refunds)).toMatchObject({
      verdict: "fine",
      kind: "refund",
      amount: 5,
      order: null,
    });
    expect(both({ ...ORDER, amount: -0 }, refunds)).toMatchObject({ kind: "order", amount: 0 });
    expect(both({ ...ORDER, kind: "refund", amount: -5 }, refunds).reason).toBe("overLimit");
    expect(both({ ...ORDER, amount: -5, cancelled: true }, refunds).reason).toBe("unsupported");
  });

  test("statuses mean order, cancel or skip", () => {
    const fields = { status: ["status"], cancelled: ["cancelled_at"] };
    const shop = sourceOf({ status: { pending: "skip", voided: "cancel", "*": "order" } }, fields);
    expect(both({ ...ORDER, status: "pending" }, shop)).toMatchObject({ verdict: "skipped", customer: "c1", time: D0 });
    expect(both({ ...ORDER, status: "voided" }, shop)).toMatchObject({ verdict: "fine", kind: "order", isVoid: true });
    expect(both({ ...ORDER, status: "paid" }, shop)).toMatchObject({ verdict: "fine", isVoid: false });
    expect(both(ORDER, shop)).toMatchObject({ verdict: "fine", isVoid: false });
    expect(both({ ...ORDER, status: 1 }, shop).reason).toBe("wrongType");
    expect(both({ ...ORDER, status: "voided", kind: "refund" }, shop)).toMatchObject({ kind: "refund", isVoid: false });
    const strict = sourceOf({ status: { paid: "order" } }, fields);
    expect(both({ ...ORDER, status: "odd" }, strict).reason).toBe("unsupported");
    expect(both({ ...ORDER, status: "x".repeat(300) }, strict).reason).toBe("unsupported");
    expect(both({ ...ORDER, status: "odd" }, sourceOf({}, fields))).toMatchObject({ verdict: "fine" });
    const rest = sourceOf({ status: { "*": "skip", paid: "order" } }, fields);
    expect(both({ ...ORDER, status: "odd" }, rest).verdict).toBe("skipped");
    expect(json(`{"id":"a","customer":"c1","time":${D0},"amount":1,"status":"p\\u0061id"}`, rest).verdict).toBe("fine");
    for (const value of ["2026-01-01T00:00:00Z", true, 0, {}, []])
      expect(both({ ...ORDER, cancelled_at: value }, shop)).toMatchObject({ verdict: "fine", isVoid: true });
    for (const value of [null, false, ""]) expect(both({ ...ORDER, cancelled_at: value }, shop).isVoid).toBe(false);
  });

  test("guests are nobody", () => {
    const guests = sourceOf({ guests: ["", "0", "gäst"] });
    for (const customer of ["", "0", 0, -0, null, undefined, "gäst"]) {
      const event = { ...without("customer"), ...(customer === undefined ? {} : { customer }) };
      expect(both(event, guests)).toMatchObject({ verdict: "anonymous", time: D0 });
      expect(both(event, { ...guests, anonymous: "reject" })).toMatchObject({ reason: "missingField" });
    }
    expect(both({ ...ORDER, customer: "00" }, guests)).toMatchObject({ verdict: "fine", customer: "00" });
    expect(both({ customer: "0" }, guests), "whatever else is wrong").toMatchObject({ verdict: "anonymous" });
    expect(both({ ...ORDER, customer: "" }, sourceOf({ guests: ["0"] })).reason).toBe("overLimit");
    expect(both({ ...ORDER, customer: true }, guests).reason).toBe("wrongType");
  });

  test("test orders are told as such, whatever else is wrong", () => {
    expect(both({ ...ORDER, test: true })).toMatchObject({ verdict: "test", time: D0, customer: "c1" });
    expect(both({ test: true, time: D0, amount: -1.5 })).toMatchObject({ verdict: "test", time: D0 });
    expect(both({ test: true })).toMatchObject({ verdict: "test", time: 0 });
    expect(both({ ...ORDER, test: false })).toMatchObject({ verdict: "fine" });
  });

  test("a field that is not mapped is never found", () => {
    const small = sourceOf({ fields: { id: ["id"], customer: ["customer"], time: ["time"], amount: ["amount"] } });
    expect(both({ ...ORDER, kind: "cancel", test: true, channel: 3 }, small)).toMatchObject({
      verdict: "fine",
      channel: "web",
    });
  });

  test("is refused where its table grows too large", () => {
    const guests = Array.from({ length: 4000 }, (_, n) => `guest-${n}`);
    expect(() => decoder.decode("{}", sourceOf({ guests }))).toThrow(/sources\.tidemark.*65536 bytes/);
    expect(() => decoder.decode("{}", sourceOf({}, { id: ["a", "b", "c", "d", "e"] }))).toThrow(/1 to 4 keys/);
    expect(() => decoder.decode("{}", sourceOf({}, { id: ["k".repeat(257)] }))).toThrow(/256 bytes/);
    expect(() => decoder.decode("{}", sourceOf({ fields: {} }))).toThrow(/at least one field/);
    expect(() => decoder.decode("{}", sourceOf({ zone: "Mars/Base" }))).toThrow(/Europe\/Warsaw/);
  });
});

describe("a message", () => {
  test("that is no list is one item; an empty list is none", () => {
    expect(decoder.decode(JSON.stringify(ORDER))).toHaveLength(1);
    expect(decoder.decode("[]")).toEqual([]);
    expect(decoder.decode(" [ ] ")).toEqual([]);
    expect(decoder.decode(encode([]))).toEqual([]);
  });

  test("tells where each of its items lies", () => {
    const text = ` [ {"id":1} ,\n7,{"x":[{}]}\t]`;
    const places = decoder.decode(text)?.map(({ start, length }) => text.slice(start, start + length));
    expect(places).toEqual([`{"id":1}`, "7", `{"x":[{}]}`]);
    const items = [{ id: 1 }, 7, { x: [{}] }];
    const bytes = encode(items);
    const slices = decoder.decode(bytes)?.map(({ start, length }) => [...bytes.slice(start, start + length)]);
    expect(slices).toEqual(items.map((item) => [...encode(item)]));
  });

  test("has items read alike whatever the shape of those before them", () => {
    const deep = sourceOf({}, { customer: ["customer", "id"], version: ["customer", "version_of_the_customer"] });
    const long = sourceOf({}, { customer: ["the_customer_of_this_order"], channel: ["the_channel_x_of_this_order"] });
    const end = `"time":${D0},"amount":5}`;
    const times = [
      D0,
      `${D0}.0`,
      `${D0 / 1e3}e3`,
      `0${D0}`,
      `"${D0}"`,
      9,
      99999999,
      1e15,
      123456789012345678n,
      "null",
      "{}",
    ];
    const texts = [
      "a",
      "a".repeat(15),
      "a".repeat(16),
      "a".repeat(17),
      "a".repeat(200),
      "é",
      "a\\n",
      '\\"',
      "",
      `é${"a".repeat(30)}`,
    ];
    const groups: [Source, string[]][] = [
      [SOURCE, times.map((time) => `{"id":"a","customer":"c","time":${time},"amount":5}`)],
      [SOURCE, texts.map((id) => `{"id":"${id}","note":"${id}","customer":"c",${end}`)],
      [SOURCE, [7, "null", true, "{}", "[[1]]", '"x"'].map((note) => `{"note":${note},"id":"a","customer":"c",${end}`)],
      [SOURCE, ['"a"', "null", '"b"'].map((id) => `{"id":"first","id":${id},"customer":"c",${end}`)],
      [SOURCE, ["{}", '{"id":"a"}', '{ "id":"a"}', '{"id" :"a"}', '{"id":"a" }', '{"id":"a","":1}', '{"id": "a"}']],
      [
        deep,
        [
          '{"id":"i"}',
          '{"id":"j"}',
          "{}",
          '{"id":"i"},"customer":{}',
          '{"id":"i"},"customer":{"x":1}',
          '{"id":"i"},"customer":7',
          '{},"customer":{"id":"i"}',
          '{"id":"i"},"customer":{"id":"j"}',
          '{"id":null},"customer":{"id":"j"}',
          "7",
          '{"id":"i","version_of_the_customer":3}',
          '{"id":"i","version_of_the_customex":3}',
          '{"id":{"id":"i"}}',
        ].map((customer) => `{"id":"a","customer":${customer},${end}`),
      ],
      [
        long,
        [
          "customer_of_this_order",
          "customex_of_this_order",
          "customer_of_this_ordex",
          "channel_x_of_this_order",
          "channel_y_of_this_order",
        ].map((key) => `{"id":"a","the_${key}":"c",${end}`),
      ],
    ];
    const behind = new Uint8Array(200);
    const same = (message: string | Uint8Array, source: Source, alone: (DecodedItem | undefined)[]) => {
      const items = decoder.decode(message, source, behind);
      expect(items?.map((item) => ({ ...item, start: 0 }))).toEqual(alone.map((item) => ({ ...item, start: 0 })));
    };
    const fresh = (message: string | Uint8Array, source: Source) => {
      decoder.forgetShapes();
      return decoder.decode(message, source)?.[0];
    };
    for (const [source, items] of groups) {
      const readable = items.filter((item) => decoder.decode(item, source) !== null);
      // Each after each other, and after itself.
      const pairs = readable.flatMap((one) => readable.flatMap((other) => [one, one, other]));
      const alone = new Map(readable.map((item) => [item, fresh(item, source)]));
      decoder.forgetShapes();
      same(
        `[${pairs.join(",")}]`,
        source,
        pairs.map((item) => alone.get(item)),
      );
      for (const item of items.filter((item) => !readable.includes(item)))
        expect(decoder.decode(`[${readable[0]},${readable[0]},${item}]`, source, behind)).toBeNull();
      const bytes = new Map(readable.map((item) => [item, encode(JSON.parse(item))]));
      const packed = new Map(readable.map((item) => [item, fresh(bytes.get(item) as Uint8Array, source)]));
      const whole = pairs.map((item) => [...(bytes.get(item) as Uint8Array)]);
      decoder.forgetShapes();
      same(
        Uint8Array.from([0xdc, whole.length >> 8, whole.length & 255, ...whole.flat()]),
        source,
        pairs.map((item) => packed.get(item)),
      );
    }
  });

  test("with invalid UTF-8 in an item of a known shape can't be read", () => {
    for (const id of ["q", "q".repeat(16), "q".repeat(31), "q".repeat(32)]) {
      const items = [ORDER, { ...ORDER, id }, { ...ORDER, id }];
      for (const bytes of [encode(items), new TextEncoder().encode(JSON.stringify(items))]) {
        expect(decoder.decode(bytes, SOURCE, new Uint8Array(200))).toHaveLength(3);
        bytes[bytes.lastIndexOf("q".charCodeAt(0))] = 0xff;
        expect(decoder.decode(bytes, SOURCE, new Uint8Array(200))).toBeNull();
      }
    }
  });

  test("is read the same in blocks of any size, at any place", () => {
    const items = Array.from({ length: 200 }, (_, n) => ({
      ...ORDER,
      id: n % 3 ? `o\u0001${n}` : n * 1e6,
      note: n % 7 ? [n] : {},
    }));
    for (const message of [JSON.stringify(items), encode(items)]) {
      const whole = decoder.decode(message);
      expect(whole?.map(({ id }) => id)).toEqual(items.map(({ id }) => String(id)));
      for (const block of [1, 7, 31, 32, 1000])
        for (const from of [0, 1, 31]) expect(decoder.decode(message, SOURCE, undefined, block, from)).toEqual(whole);
    }
  });

  test.each([
    "",
    " ",
    "{",
    "[",
    "{}{}",
    "[]]",
    "[1,]",
    "[,1]",
    "{,}",
    `{"a"}`,
    `{"a":}`,
    `{"a":1,}`,
    "{a:1}",
    `{'a':1}`,
    "01",
    "-",
    "1.",
    ".5",
    "1e",
    "+1",
    "NaN",
    "tru",
    "truex",
    "nul",
    "fals",
    `"`,
    `"\\`,
    `"\\x"`,
    `"\\u12"`,
    `"\\u123g"`,
    `"\n"`,
    `"\u0000"`,
    "[1 2]",
    "\ufeff{}",
    "\v{}",
    `["\\ud800"]`,
    `["\\udc00"]`,
    `["\\ud800\\u0041"]`,
    `["\\ud800x"]`,
    `{"\\ud800":1}`,
  ])("%j can't be read", (text) => {
    expect(decoder.decode(text)).toBeNull();
  });

  test("with invalid UTF-8 can't be read, wherever the text stands", () => {
    const bad = [
      [0x80],
      [0xc0, 0x80],
      [0xc1, 0xbf],
      [0xc3],
      [0xe0, 0x9f, 0xbf],
      [0xed, 0xa0, 0x80],
      [0xf0, 0x8f, 0xbf, 0xbf],
    ];
    bad.push([0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82], [0xff], [0xe2, 0x28, 0xa1]);
    for (const bytes of bad) {
      for (const padding of [0, 3, 14, 15, 16, 40]) {
        const text = [...new TextEncoder().encode("x".repeat(padding)), ...bytes];
        for (const tail of [0, 20]) {
          const whole = [...text, ...new Array(tail).fill(0x79)];
          expect(decoder.decode(Uint8Array.from([0x5b, 0x22, ...whole, 0x22, 0x5d]))).toBeNull();
          expect(decoder.decode(Uint8Array.from([0x91, 0xd9, whole.length, ...whole]))).toBeNull();
          expect(decoder.decode(Uint8Array.from([0x81, 0xd9, whole.length, ...whole, 1]))).toBeNull();
        }
      }
    }
  });

  test("nests at most 32 deep below a field, or below an item that is no map", () => {
    const nest = (depth: number, [open, close]: readonly [string, string]) => open.repeat(depth) + close.repeat(depth);
    for (const pair of [["[", "]"]] as const) {
      expect(decoder.decode(`{"x":${nest(32, pair)}}`)).toHaveLength(1);
      expect(decoder.decode(`{"x":${nest(33, pair)}}`)).toBeNull();
      expect(decoder.decode(`[{"x":${nest(32, pair)}}]`)).toHaveLength(1);
      expect(decoder.decode(`[{"x":${nest(33, pair)}}]`)).toBeNull();
      expect(decoder.decode(`[${nest(32, pair)}]`)).toHaveLength(1);
      expect(decoder.decode(`[${nest(33, pair)}]`)).toBeNull();
      expect(decoder.decode(nest(1_000_000, pair))).toBeNull();
    }
    const lists = (depth: number) => [...new Array(depth - 1).fill(0x91), 0x90];
    expect(decoder.decode(Uint8Array.from([0x81, 0xa1, 0x78, ...lists(32)]))).toHaveLength(1);
    expect(decoder.decode(Uint8Array.from([0x81, 0xa1, 0x78, ...lists(33)]))).toBeNull();
    expect(decoder.decode(Uint8Array.from([0x91, ...lists(32)]))).toHaveLength(1);
    expect(decoder.decode(Uint8Array.from([0x91, ...lists(33)]))).toBeNull();
    expect(decoder.decode(Uint8Array.from(lists(1_000_000)))).toBeNull();
  });

  test("whose lengths lie can't be read", () => {
    const lies = [
      [0xdf, 0xff, 0xff, 0xff, 0xff],
      [0xdf, 0x80, 0x00, 0x00, 0x00, 0x01, 0x01],
      [0xdd, 0xff, 0xff, 0xff, 0xff, 0x01],
      [0x91, 0xdb, 0xff, 0xff, 0xff, 0xff, 0x78],
      [0x91, 0xc6, 0xff, 0xff, 0xff, 0xff, 0x78],
      [0x91, 0xc9, 0xff, 0xff, 0xff, 0xff, 0x00],
      [0x91, 0xc9, 0xff, 0xff, 0xff, 0xfe, 0x00],
      [0x91, 0xc7, 0x01, 0x00],
      [0x91, 0xc7, 0x00],
      [0x91, 0xd8, 0x00, ...new Array(15).fill(0)],
      [0x91, 0xc1],
      [0x92, 0x01],
      [0x91, 0x01, 0x01],
      [0x81, 0x01],
      [0xdc, 0x00],
      [0xde],
      [0x91, 0xcf, 0, 0, 0, 0, 0, 0, 0],
      [0x91, 0xcb, 0, 0, 0, 0, 0, 0, 0],
      [0x91, 0xa5, 0x78, 0x78, 0x78, 0x78],
    ];
    for (const bytes of lies) {
      expect(decoder.decode(Uint8Array.from(bytes))).toBeNull();
      expect(decoder.decode(Uint8Array.from(bytes), SOURCE, new Uint8Array(64))).toBeNull();
    }
    expect(decoder.decode(Uint8Array.from([0x91, 0xc7, 0x00, 0x05]))).toHaveLength(1);
    expect(decoder.decode(Uint8Array.from([0x91, 0xd8, 0x05, ...new Array(16).fill(0)]))).toHaveLength(1);
    expect(decoder.decode(Uint8Array.from([0x81, 0x92, 0x01, 0x80, 0xc4, 0x01, 0xff]))).toHaveLength(1);
  });
});

test("the debug build calls nothing of the managed runtime", () => {
  expect(debug.wat).toContain("(func ");
  expect(debug.wat).not.toContain("call $~lib/rt");
});
