import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { decode, encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  Batcher,
  CustomerBatcher,
  type FileItem,
  FileReader,
  type ReadOptions,
  Zone,
} from "../../connectors/file/index.js";
import { compileSettings, defaultConfig } from "../../runtime/config/index.js";
import { partitionOf } from "../../runtime/subjects.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-read-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const settings = compileSettings({ ...defaultConfig(), partitions: 4 });

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function read(path: string, options: Partial<ReadOptions> = {}) {
  const reader = new FileReader({
    files: [path],
    settings,
    map: {},
    sort: { memoryBytesMax: 1 << 28 },
    ...options,
  });
  const items: FileItem[] = [];
  for await (const batch of reader.items()) items.push(...batch);
  return { items, tally: reader.tally, events: items.map((item) => decoded(item)) };
}

function decoded(item: FileItem): unknown {
  const text = Buffer.from(item.body).toString();
  return item.form === "alone" ? text : item.form === "json" ? JSON.parse(text) : decode(item.body);
}

describe("csv", () => {
  test("columns by their own names, empty cells absent, rows in order of time", async () => {
    const path = file(
      "plain.csv",
      "\uFEFFid,customer,time,amount,currency\r\nb,c1,1700000002000,5,EUR\r\na,c2,1700000001000,7,\r\nc,,1700000003000,x,\r\n\r\n",
    );
    const { events, items, tally } = await read(path);
    expect(events).toEqual([
      { id: "a", customer: "c2", time: 1700000001000, amount: 7 },
      { id: "b", customer: "c1", time: 1700000002000, amount: 5, currency: "EUR" },
      { id: "c", time: 1700000003000, amount: "x" },
    ]);
    expect(items.map((item) => item.partition)).toEqual([partitionOf("c2", 4), partitionOf("c1", 4), 0]);
    expect(tally).toMatchObject({ rows: 3, kept: 3, last: 1700000002000 });
  });

  test("map, scale, zone and kinds", async () => {
    const path = file(
      "shop.csv",
      'No,Who,When,Sum,Kind,"a, b"\n1,x,2026-01-01 01:00,12.30,sale,s\n2,x,2026-01-02 01:00,-2.305,back,s\n3,x,2026-01-03 01:00,-2.30,back,s\n4,x,2026-01-03 01:00,1,adjust,s\n',
    );
    const { events, tally } = await read(path, {
      map: { id: "No", customer: "Who", time: "When", amount: "Sum", kind: "Kind", channel: "a, b" },
      scale: 2,
      zone: new Zone("Europe/Warsaw"),
      kinds: { texts: { sale: "order", back: "refund" } },
    });
    expect(events).toEqual([
      { id: "1", customer: "x", channel: "s", time: 1767225600000, amount: 1230 },
      { id: "2", customer: "x", channel: "s", kind: "refund", time: 1767312000000, amount: 230.5 },
      { id: "3", customer: "x", channel: "s", kind: "refund", time: 1767398400000, amount: 230 },
    ]);
    expect([...tally.otherKinds]).toEqual([["adjust", 1]]);
    expect(tally).toMatchObject({ rows: 4, kept: 3 });
  });

  test("a row of another width travels alone, as text that no one takes for an event", async () => {
    const { items } = await read(file("misfit.csv", "id,customer,time\n1,a,5\n2,b,6,7\n3,c,8\n"));
    expect(items.map((item) => [item.form, item.time])).toEqual([
      ["msgpack", 5],
      ["alone", 5],
      ["msgpack", 8],
    ]);
    expect(Buffer.from(items[1]?.body ?? []).toString()).toBe("2,b,6,7");
  });

  test.each([
    ["id,customer,amount\n", {}, /has no column for time/],
    ["id,customer,time\n", { map: { amount: "Total" } }, /has no column "Total"/],
    ["id,customer,time\n", { kinds: { texts: { sale: "order" as const } } }, /has no column for kind/],
    ['id,customer,time\n1,"a"b,3\n', {}, /near line 2/],
    ['id,customer,time\n1,"a,3\n', {}, /near line/],
  ])("%j is refused", async (content, options, message) => {
    await expect(read(file("bad.csv", content), options)).rejects.toThrow(message);
  });

  test("what is not UTF-8 is refused, not garbled", async () => {
    const path = file("latin.csv", Buffer.from("id,customer,time\n1,M\xfcller,5\n", "latin1"));
    await expect(read(path)).rejects.toThrow(/not UTF-8/);
  });

  test("an empty file and one with only a header have no rows", async () => {
    expect((await read(file("empty.csv", ""))).items).toEqual([]);
    expect((await read(file("header.csv", "id,customer,time\n"))).items).toEqual([]);
  });

  test("the delimiter can be named", async () => {
    const { events } = await read(file("semi.csv", "id;customer;time\n1;a,b;5\n"), { delimiter: ";" });
    expect(events).toEqual([{ id: "1", customer: "a,b", time: 5 }]);
  });
});

describe("ndjson", () => {
  test("goes through byte for byte, digits beyond 2^53 included", async () => {
    const lines = [
      '{"id":12345678901234567890,"customer":9007199254740993,"time":2000,"amount":1}',
      '{"id":"a","customer":"c","time":"1970-01-01T00:00:01Z","amount":2, "more":{"x":[1]}}',
    ];
    const { items } = await read(file("plain.ndjson", `${lines.join("\n")}\n`));
    expect(items.map((item) => Buffer.from(item.body).toString())).toEqual([lines[1], lines[0]]);
    expect(items[1]?.partition).toBe(partitionOf("9007199254740993", 4));
  });

  test("what the kernel may refuse travels alone", async () => {
    const lines = [
      "{not json",
      '{"id":"\\ud800","customer":"c","time":1}',
      '"text"',
      "01234567890123456789",
      `${"[".repeat(20)}1${"]".repeat(20)}`,
    ];
    const { items } = await read(file("odd.ndjson", lines.join("\n")));
    expect(items.every((item) => item.form === "alone")).toBe(true);
    expect(items.length).toBe(lines.length);
  });

  test("an array stands for its elements", async () => {
    const { items } = await read(file("array.ndjson", '[{"id":"1","customer":"a,]","time":5}, {"id":2} ]\n[]\n'));
    expect(items.map((item) => Buffer.from(item.body).toString())).toEqual([
      '{"id":"1","customer":"a,]","time":5}',
      '{"id":2}',
    ]);
  });

  test("mapped paths", async () => {
    const path = file("map.ndjson", '{"n":12345678901234567890,"c":{"id":7},"t":"2026-01-01","sum":0.29}\n');
    const { events } = await read(path, {
      map: { id: "n", customer: "c.id", time: "t", amount: "sum" },
      scale: 2,
      zone: new Zone("UTC"),
    });
    expect(events).toEqual([{ id: "12345678901234567890", customer: "7", time: 1767225600000, amount: 29 }]);
  });
});

describe("msgpack", () => {
  const rows = Array.from({ length: 500 }, (_, i) => ({
    id: `o${i}`,
    customer: `c${i % 7}`,
    time: 1_700_000_000_000 + i,
    amount: i,
    note: "x".repeat(i),
  }));

  test.each([
    ["one after the other", Buffer.concat(rows.map((row) => encode(row)))],
    ["one array", Buffer.from(encode(rows))],
    ["arrays", Buffer.concat([encode(rows.slice(0, 200)), encode(rows.slice(200))])],
  ])("%s", async (_, bytes) => {
    for (const content of [bytes, gzipSync(bytes)]) {
      const { events, items } = await read("-", {
        stdin: Readable.from(chopped(content, 777)),
      });
      expect(events).toEqual(rows);
      expect(items.every((item) => item.form === "msgpack")).toBe(true);
    }
  });

  test("what is cut short or broken is one item that travels alone", async () => {
    const whole = Buffer.concat(rows.slice(0, 3).map((row) => encode(row)));
    const cut = await read(file("cut.msgpack", whole.subarray(0, -1)));
    expect(cut.items.map((item) => item.form)).toEqual(["msgpack", "msgpack", "alone"]);
    const broken = await read(file("broken.msgpack", Buffer.concat([whole, Uint8Array.of(0xc1, 1, 2)])));
    expect(broken.items.map((item) => item.form)).toEqual(["msgpack", "msgpack", "msgpack", "alone"]);
  });

  test("invalid UTF-8 travels alone", async () => {
    const bytes = Buffer.from(encode({ id: "ab", customer: "c", time: 1 }));
    bytes[bytes.indexOf("ab")] = 0xff;
    const { items } = await read(file("utf8.msgpack", bytes));
    expect(items.map((item) => item.form)).toEqual(["alone"]);
  });
});

function* chopped(bytes: Uint8Array, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size));
}

describe("sorting", () => {
  test("beyond its memory it sorts on the disk, the same and without a trace", async () => {
    const rows = Array.from({ length: 5000 }, (_, i) => `${i},c${i % 50},${(i * 7919) % 997}`);
    const path = file("many.csv", `id,customer,time\n${rows.join("\n")}\n`);
    const inMemory = await read(path);
    const runs = join(folder, "runs");
    const { mkdirSync } = await import("node:fs");
    mkdirSync(runs);
    const onDisk = await read(path, { sort: { memoryBytesMax: 50_000, folder: runs } });
    expect(onDisk.events).toEqual(inMemory.events);
    expect(readdirSync(runs)).toEqual([]);
  });

  test("a folder that is not there is named", async () => {
    const path = file("some.csv", "id,customer,time\n1,a,1\n");
    await expect(read(path, { sort: { memoryBytesMax: 1, folder: join(folder, "nowhere") } })).rejects.toThrow(
      /nowhere can't be written/,
    );
  });

  test("equal times keep the order of files and rows; until and after cut", async () => {
    const a = file("a.csv", "id,customer,time\n1,x,5\n2,x,4\n3,x,\n");
    const b = file("b.csv", "id,customer,time\n4,x,4\n5,x,5\n6,x,9\n");
    const { events, tally } = await read(a, { files: [a, b], until: 5, after: 4 });
    expect(events.map((event) => (event as { id: string }).id)).toEqual(["1", "5"]);
    expect(tally).toMatchObject({ rows: 6, kept: 2, afterUntil: 1, beforeAfter: 3 });
  });
});

describe("files that can't be read", () => {
  test.each([
    ["nothing there", () => join(folder, "absent.csv"), /there is no file/],
    ["a folder", () => folder, /is a folder/],
    [
      "gzip cut short",
      () => file("cut.csv.gz", gzipSync("id,customer,time\n".repeat(1000)).subarray(0, 40)),
      /ends in/,
    ],
    ["broken gzip", () => file("x.csv.gz", Buffer.from([0x1f, 0x8b, 9, 9, 9, 9])), /broken gzip/],
  ])("%s", async (_, path, message) => {
    await expect(read(path())).rejects.toThrow(message);
  });
});

test("messages hold a partition's items in order, whatever the forms, channels and sizes", () => {
  const item = fc.record({
    time: fc.integer(),
    partition: fc.nat(2),
    hash: fc.constant(0),
    channel: fc.constantFrom("web", "store"),
    form: fc.constantFrom("msgpack" as const, "json" as const, "alone" as const),
    n: fc.nat(1000),
  });
  fc.assert(
    fc.property(
      fc.array(item),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 20, max: 60 }),
      (all, most, bytes) => {
        const batcher = new Batcher({ partitions: 3, eventsMax: most, bytesMax: bytes });
        const items: FileItem[] = all.map(({ n, ...rest }) => ({
          ...rest,
          whole: true,
          body: rest.form === "msgpack" ? encode({ n }) : Buffer.from(JSON.stringify({ n })),
        }));
        const messages = [...items.flatMap((one) => batcher.add(one)), ...batcher.flush()];
        const got = messages.flatMap(({ partition, channel, body, events }) => {
          const text = Buffer.from(body).toString();
          const value: unknown = /^[[{]/.test(text) ? JSON.parse(text) : decode(body);
          const list = (Array.isArray(value) ? value : [value]) as { n: number }[];
          expect(list.length).toBe(events);
          expect(events).toBeLessThanOrEqual(most);
          return list.map(({ n }) => ({ partition, channel, n }));
        });
        for (const p of [0, 1, 2]) {
          const wanted = all
            .filter(({ partition }) => partition === p)
            .map(({ channel, n }) => ({ partition: p, channel, n }));
          expect(got.filter(({ partition }) => partition === p)).toEqual(wanted);
        }
      },
    ),
  );
});

test("a backfill's messages hold whole customers, sorted on disk or not; who is too large comes in parts, counted", async () => {
  const event = fc.record({ customer: fc.constantFrom("a", "b", "c", "d", "e"), time: fc.nat(50), n: fc.nat(1e6) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { maxLength: 60 }),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 60, max: 400 }),
      fc.boolean(),
      async (events, eventsMax, bytesMax, onDisk) => {
        const lines = events.map(({ customer, time, n }) =>
          JSON.stringify({ customer, time: 1.7e12 + time, id: `${n}` }),
        );
        const path = file("backfill.ndjson", lines.join("\n"));
        const { items } = await read(path, { sort: { by: "customer", memoryBytesMax: onDisk ? 1 : 1 << 28, folder } });
        const batcher = new CustomerBatcher({ partitions: 4, eventsMax, bytesMax }, "web");
        const messages = [...items.flatMap((item) => batcher.add(item)), ...batcher.flush()];
        const holders = new Map<string, number>();
        const got = messages.flatMap(({ partition, channel, body, events: count }) => {
          const value: unknown = JSON.parse(Buffer.from(body).toString());
          const list = (Array.isArray(value) ? value : [value]) as { customer: string; time: number; id: string }[];
          const customers = new Set(list.map(({ customer }) => customer));
          for (const customer of customers) holders.set(customer, (holders.get(customer) ?? 0) + 1);
          expect(list.length).toBe(count);
          expect(channel).toBe("web");
          for (const customer of customers) expect(partitionOf(customer, 4)).toBe(partition);
          if (customers.size > 1) expect(count).toBeLessThanOrEqual(eventsMax);
          if (count > 1) expect(body.length).toBeLessThanOrEqual(bytesMax);
          return list;
        });
        for (const customer of ["a", "b", "c", "d", "e"]) {
          const own = events.filter((one) => one.customer === customer).sort((x, y) => x.time - y.time);
          expect(got.filter((one) => one.customer === customer).map(({ id }) => Number(id))).toEqual(
            own.map(({ n }) => n),
          );
        }
        expect([...holders.values()].filter((count) => count > 1)).toHaveLength(batcher.split);
      },
    ),
    { numRuns: 60 },
  );
});
