import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { encodeDeadLetter, parseMigration } from "../../runtime/cloudevent.js";
import { parseConfigObject } from "../../runtime/config/index.js";
import { Encoding } from "../../runtime/encoding.js";
import { decodeHead } from "../../runtime/head.js";
import { CAUSES, type LedgerRecord, type Migration } from "../../runtime/record.js";
import type { Model } from "../../runtime/settings.js";
import { bandsOnly, firstOrder, migrations, toNull, vipNoMore } from "../config/migrations.js";
import { retail } from "../config/retail.js";
import { bodyOf, Channels, encode, migrationEvent, outputOf } from "../support/cloudevent.js";

const D0 = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;
const { settings } = parseConfigObject({ models: [retail] });
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

test("a migration by time alone, byte for byte", () => {
  expect(bodyOf(vipNoMore, settings)).toBe(
    '{"specversion":"1.0","type":"dev.tidemark.customer.migrated.v1","source":"/tidemark","id":"retail/c1/7",' +
      '"subject":"c1","time":"2026-02-11T00:00:00.000Z","datacontenttype":"application/json","data":{' +
      `"model":"retail","modelVersion":"${settings.models[0]?.version}","revision":7,"change":"segment","silent":false,"currency":"EUR",` +
      '"from":{"segment":"VIP","since":"2026-01-12T00:00:00.000Z","recency":"short","frequency":"often","monetary":"spender","tenure":"established"},' +
      '"to":{"segment":"Others","since":"2026-02-11T00:00:00.000Z","recency":"medium","frequency":"often","monetary":"spender","tenure":"established"},' +
      '"cause":{"kind":"recency","event":null,"order":null,"channel":null,"time":null,"boundaries":["recency: short → medium"]},' +
      '"before":{"firstOrder":"2026-01-01T00:00:00.000Z","lastOrder":"2026-01-12T00:00:00.000Z","orders":12,"spend":60000,"ordersEver":12,"spendEver":60000,"points":15},' +
      '"after":{"firstOrder":"2026-01-01T00:00:00.000Z","lastOrder":"2026-01-12T00:00:00.000Z","orders":12,"spend":60000,"ordersEver":12,"spendEver":60000,"points":13},' +
      '"next":null,"due":"2026-04-03T00:00:00.000Z"}}',
  );
});

test("the record: subject, headers, number", () => {
  const [record] = encode([vipNoMore], settings, { partition: 3 }) as [LedgerRecord];
  expect(record.number).toBe(8);
  expect(record.subject).toBe("tidemark.migrations.3.retail.segment.vip.others");
  expect(record.position).toBe(13);
  expect(decodeHead(record.head)).toEqual({
    "Content-Type": "application/cloudevents+json",
    "Tidemark-Position": "13",
    "Tidemark-Clock": String(D0 + 42 * DAY),
    "Tidemark-Previous": "7",
  });
  expect(text(record.body)).toBe(bodyOf(vipNoMore, settings));
});

test("the encoder writes what JSON.stringify would", () => {
  const records = encode(migrations, settings);
  for (const [i, migration] of migrations.entries()) {
    expect(text((records[i] as LedgerRecord).body)).toBe(JSON.stringify(migrationEvent(migration, settings)));
    expect(parseMigration((records[i] as LedgerRecord).body)).toEqual(migrationEvent(migration, settings));
  }
  const subjects = encode([bandsOnly, toNull, firstOrder], settings).map(({ subject }) => subject);
  expect(subjects).toEqual([
    "tidemark.migrations.0.retail.bands.vip.vip",
    "tidemark.migrations.0.retail.segment.vip.null",
    "tidemark.migrations.0.retail.segment.null.new",
  ]);
});

/** Two models whose names need care, and what they were before: other names, a dimension more or less. */
const now = parseConfigObject({
  name: "shop",
  models: [
    { ...retail, name: `é "m"`, segments: [{ name: 'S "1" \\ →', when: { recency: ["short"] } }] },
    { ...retail, name: "plain", tenure: undefined, segments: retail.segments.slice(0, 2) },
  ],
}).settings;
const then = parseConfigObject({
  name: "shop",
  models: [
    {
      ...retail,
      name: "plain",
      recency: { bands: [{ name: 'fre"sh', max: "30d", points: 7 }, { name: "stale" }] },
      segments: [{ name: "Töp", when: { recency: ["stale"] } }],
    },
  ],
}).settings;

/** Ids as they may be: at most `bytes` of UTF-8, any character but half a surrogate pair. */
function id(bytes: number): fc.Arbitrary<string> {
  const unit = fc.oneof(
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
    fc.constantFrom(
      "a",
      '"',
      "\\",
      "/",
      "\0",
      "\n",
      "\t",
      "\b",
      "\u001f",
      "\u007f",
      "\u2028",
      "\u2029",
      "\ufeff",
      "ü",
      "😀",
    ),
  );
  return fc
    .array(unit, { minLength: 1, maxLength: bytes })
    .map((units) => units.join(""))
    .filter((made) => new TextEncoder().encode(made).length <= bytes);
}

const instant = fc.oneof(
  fc.integer({ min: Date.UTC(1990, 0), max: Date.UTC(2040, 0) }),
  fc.constantFrom(1, 999, DAY - 1, DAY, 253_402_300_799_999, 253_402_300_800_000, 8.64e15),
);
const money = fc.oneof(
  fc.integer({ min: -1_000_000, max: 1_000_000 }),
  fc.maxSafeInteger(),
  fc.constantFrom(0, 9, 10, 99, 100, 999_999_999, 1e9, 1e9 + 1, 1e15, -(2 ** 53) + 1, 2 ** 53 - 1),
);
const count = fc.maxSafeNat();

function anyPlace(model: Model): fc.Arbitrary<Migration["from"]> {
  return fc.record({
    segment: fc.option(fc.nat(model.segments.length - 1)),
    since: fc.option(instant),
    bands: fc.tuple(...model.dimensions.map(({ bands }) => fc.nat(bands.length))),
  });
}

function anyValues(model: Model, { segment, bands }: Migration["from"]): fc.Arbitrary<Migration["before"]> {
  const points = bands.reduce((sum, band, d) => sum + (model.dimensions[d]?.bands[band - 1]?.points ?? 0), 0);
  return fc.record({
    firstOrder: fc.option(instant),
    lastOrder: fc.option(instant),
    orders: count,
    spend: money,
    ordersEver: count,
    spendEver: money,
    points: fc.constant(segment === null ? 0 : points),
  });
}

/** Any migration of `now`; `changed`: of a change from `then`. */
function anyMigration(changed: boolean): fc.Arbitrary<Migration> {
  return fc.nat(now.models.length - 1).chain((number) => {
    const model = now.models[number] as Model;
    const before = changed ? (then.models.find(({ name }) => name === model.name) ?? model) : model;
    return fc.tuple(anyPlace(before), anyPlace(model)).chain(([from, to]) =>
      fc.record({
        type: fc.constant("migration" as const),
        number: count,
        previous: count,
        model: fc.constant(number),
        customer: id(256),
        revision: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        time: instant,
        silent: fc.boolean(),
        from: fc.constant(from),
        to: fc.constant(to),
        cause: fc.record({
          kind: changed ? fc.constant("model" as const) : fc.constantFrom(...CAUSES),
          event: fc.option(id(128)),
          order: fc.option(id(128)),
          channel: fc.option(id(64)),
          time: fc.option(instant),
        }),
        before: anyValues(before, from),
        after: anyValues(model, to),
        next: fc.option(fc.record({ at: instant, segment: fc.nat(model.segments.length - 1) })),
        due: fc.option(instant),
        sequence: count,
        clock: instant,
      }),
    );
  });
}

test.each([false, true])("any record, through a change of models: %s", (changed) => {
  const former = changed ? { former: then } : {};
  fc.assert(
    fc.property(fc.array(anyMigration(changed), { minLength: 1, maxLength: 8 }), (some) => {
      const channels = new Channels();
      const output = outputOf(some, channels);
      const names = {
        models: now.models,
        former: changed ? now.models.map(({ name }) => then.models.find((model) => model.name === name)) : [],
        channelName: channels.nameOf,
      };
      for (const [i, record] of encode(some, now, { partition: 7, ...former }).entries()) {
        const migration = some[i] as Migration;
        const event = migrationEvent(migration, now, changed ? then : now);
        expect(Buffer.from(record.body).toString()).toBe(JSON.stringify(event));
        expect(decodeHead(record.head)).toEqual({
          "Content-Type": "application/cloudevents+json",
          "Tidemark-Position": String(migration.sequence),
          "Tidemark-Clock": String(migration.clock),
          "Tidemark-Previous": String(migration.previous),
        });
        expect(record).toMatchObject({ number: migration.number, position: migration.sequence });
        expect(output.read(names)).toEqual(migration);
        output.next();
      }
    }),
    { numRuns: 150 },
  );
});

test("a model without tenure says nothing of it", () => {
  const { tenure: _, ...rest } = retail;
  const plain = parseConfigObject({ models: [{ ...rest, segments: retail.segments.slice(0, 2) }] }).settings;
  const event = parseMigration(
    bodyOf(
      { ...vipNoMore, from: { ...vipNoMore.from, bands: [1, 1, 1] }, to: { segment: 2, since: D0, bands: [2, 1, 1] } },
      plain,
    ),
  );
  expect(event?.data.from).not.toHaveProperty("tenure");
  expect(event?.data.to).toEqual({
    segment: "Others",
    since: "2026-01-01T00:00:00.000Z",
    recency: "medium",
    frequency: "often",
    monetary: "spender",
  });
});

test("a change of the models speaks of both: the old names and the new ones", () => {
  const { tenure: _, ...rest } = retail;
  const renamed = {
    ...rest,
    recency: { bands: [{ name: "fresh", max: "30d" }, { name: "stale" }] },
    segments: [{ name: "Top", when: { recency: ["fresh"], monetary: ["spender"] } }],
  };
  const now = parseConfigObject({ models: [renamed] }).settings;
  const migration: Migration = {
    ...vipNoMore,
    from: { segment: 0, since: D0, bands: [1, 1, 1, 2] },
    to: { segment: 0, since: D0 + 41 * DAY, bands: [1, 1, 1] },
    cause: { kind: "model", event: null, order: null, channel: null, time: null },
  };
  const event = parseMigration(bodyOf(migration, now, settings));
  expect(event?.data.change).toBe("segment");
  expect(event?.data.modelVersion).toBe(now.models[0]?.version);
  expect(event?.data.from).toMatchObject({ segment: "VIP", recency: "short", tenure: "established" });
  expect(event?.data.to).toEqual({
    segment: "Top",
    since: "2026-02-11T00:00:00.000Z",
    recency: "fresh",
    frequency: "often",
    monetary: "spender",
  });
  expect(event?.data.cause.boundaries).toEqual(["recency: short → fresh", "tenure: established → none"]);
  const [record] = encode([migration], now, { former: settings });
  expect(record?.subject).toBe("tidemark.migrations.0.retail.segment.vip.top");
});

test("a migration that does not fit its settings is refused, not guessed at", () => {
  expect(() => bodyOf({ ...vipNoMore, model: 1 }, settings)).toThrow("no model 1 in the settings");
  const place = { ...vipNoMore.to, segment: 9 };
  expect(() => bodyOf({ ...vipNoMore, to: place }, settings)).toThrow("model retail has no segment 9");
  const bands = { ...vipNoMore.to, bands: [7, 0, 0, 0] };
  expect(() => bodyOf({ ...vipNoMore, to: bands }, settings)).toThrow("recency has no band 7");
});

test("readers take unknown causes and fields, and nothing that is no migration", () => {
  const body = bodyOf(vipNoMore, settings)
    .replace('"kind":"recency"', '"kind":"merge"')
    .replace('"data":{', '"extra":1,"data":{"more":[],');
  expect(parseMigration(body)?.data.cause.kind).toBe("merge");
  expect(parseMigration("{}")).toBeUndefined();
  expect(parseMigration("null")).toBeUndefined();
  expect(parseMigration("{")).toBeUndefined();
  expect(parseMigration(new Uint8Array([0xff, 0x00]))).toBeUndefined();
});

test("records stay as they are while others are written, over many chunks", () => {
  const all = encode(
    Array.from({ length: 2000 }, (_, i) => ({ ...firstOrder, number: i, customer: `c${i}` })),
    settings,
  );
  for (const [i, { number, body }] of all.entries()) {
    expect(number).toBe(i);
    expect(parseMigration(body)?.subject).toBe(`c${i}`);
  }
});

test("a dead letter keeps the bytes; the headers say the rest", () => {
  const bytes = new Uint8Array([0xc1, 0, 255]);
  const dead = {
    type: "dead",
    number: 5,
    reason: "wrongType",
    subject: "tidemark.orders.2.web",
    sequence: 77,
    index: 3,
    length: 100_000,
    bytes,
    customer: "jürgen\r\nX: y",
    clock: D0,
  } as const;
  const record = encodeDeadLetter(dead, settings, 2);
  expect(record).toMatchObject({ number: 5, position: 77, subject: "tidemark.dead.2.wrongType", body: bytes });
  expect(decodeHead(record.head)).toEqual({
    "Content-Type": "application/octet-stream",
    "Tidemark-Reason": "wrongType",
    "Tidemark-Subject": "tidemark.orders.2.web",
    "Tidemark-Position": "77",
    "Tidemark-Index": "3",
    "Tidemark-Length": "100000",
    "Tidemark-Clock": String(D0),
    "Tidemark-Customer": "j%C3%BCrgen%0D%0AX%3A%20y",
  });
  const unreadable = encodeDeadLetter({ ...dead, customer: null }, settings, 2);
  expect(decodeHead(unreadable.head)).not.toHaveProperty("Tidemark-Customer");
});

test("instants are written as Date writes them, integers as numbers are", () => {
  const times = [1, -1, 999, 1000, DAY - 1, DAY, -DAY, D0, D0 + 12_345_678, Date.UTC(2000, 1, 29, 23, 59, 59, 999)];
  // The first and last instants of four digits of a year, and beyond; of Date; and what is none.
  times.push(253_402_300_799_999, 253_402_300_800_000, -62_167_219_200_000, -62_167_219_200_001);
  times.push(8.64e15, -8.64e15, 8.64e15 + 1, 2 ** 53 - 1);
  for (let i = 1; i < 10_000; i++) times.push(i * 86_412_345 + (i % 1000), -i * 864_123_456_789);
  const numbers: number[] = [];
  for (let exponent = 0; exponent <= 53; exponent++) {
    const [two, ten] = [2 ** exponent, 10 ** (exponent % 16)];
    numbers.push(two - 1, two, ten, ten - 1, -two);
  }
  const migrations = times.map((time, i) => {
    const spendEver = numbers[i % numbers.length] as number;
    return { ...vipNoMore, time, after: { ...vipNoMore.after, spendEver } };
  });
  for (let from = 0; from < migrations.length; from += 3_000) {
    const some = migrations.slice(from, from + 3_000);
    for (const [i, { body }] of encode(some, settings).entries()) {
      const { time, after } = some[i] as Migration;
      expect(text(body)).toContain(`","time":${JSON.stringify(new Date(time))},"datacontenttype"`);
      expect(text(body)).toContain(`"spendEver":${after.spendEver},"points":${after.points}},"next"`);
    }
  }
  expect(bodyOf({ ...vipNoMore, time: 0 }, settings)).toContain('","time":null,"datacontenttype"');
});

test.each([
  ["templates", 1],
  ["fragments", 60],
])("more moves than there is room for: %s are made anew, and the bytes stay the same", (_, nameLength) => {
  const bands = (letter: string, limit: (n: number) => object) =>
    Array.from({ length: 9 }, (_, n) => ({ name: `${letter.repeat(nameLength)}${n}`, points: n, ...limit(n) }));
  const model = {
    ...{ name: "m", channels: "*", currency: "EUR", segments: [{ name: "S", when: { recency: ["no"] } }] },
    recency: { bands: [...bands("r", (n) => ({ max: `${n + 1}d` })), { name: "no" }] },
    frequency: { window: "30d", bands: bands("f", (n) => ({ min: 20 - n })) },
    monetary: { window: "30d", bands: bands("ü", (n) => ({ min: 2_000 - n })) },
  };
  const many = parseConfigObject({ models: [model] }).settings;
  const place = (n: number) => [n % 10, Math.floor(n / 10) % 10, Math.floor(n / 100)];
  const [before, after] = [vipNoMore.before, vipNoMore.after].map((values) => ({ ...values, points: 0 }));
  const moves = Array.from({ length: 4_000 }, (_, n) => ({
    ...{ ...vipNoMore, before, after, next: null },
    from: { segment: null, since: null, bands: place(n % 1_000) },
    to: { segment: null, since: D0, bands: place((n * 7) % 997) },
  })) as Migration[];
  const reset = vi.spyOn(Encoding.prototype, "reset");
  const records = encode(moves, many);
  // Once to begin with.
  expect(reset.mock.calls.length).toBeGreaterThan(1);
  reset.mockRestore();
  expect(records).toHaveLength(moves.length);
  for (const [i, { body }] of records.entries())
    expect(text(body)).toBe(JSON.stringify(migrationEvent(moves[i] as Migration, many)));
});
