import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode } from "@msgpack/msgpack";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FileReader, parseKinds, type ReadOptions, Zone } from "../../connectors/file/index.js";
import { compileSettings, defaultConfig } from "../../runtime/config/index.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-lines-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const settings = compileSettings({ ...defaultConfig(), partitions: 4 });

async function read(content: string, options: Partial<ReadOptions> = {}, name = "lines.csv") {
  const path = join(folder, name);
  writeFileSync(path, content);
  const reader = new FileReader({
    files: [path],
    settings,
    map: { amount: "qty*price" },
    scale: 2,
    zone: new Zone("UTC"),
    lines: true,
    sort: { memoryBytesMax: 1 << 28 },
    ...options,
  });
  const events: unknown[] = [];
  for await (const items of reader.items()) {
    for (const { form, body } of items) events.push(form === "json" ? String(body) : decode(body));
  }
  return { events, tally: reader.tally };
}

const day = (n: number, hour = 0) => Date.UTC(2024, 0, n, hour);

test("an order is the exact sum of its lines wherever they lie, rounded once, at its earliest line", async () => {
  const { events, tally } = await read(
    "id,customer,time,qty,price\n" +
      "1,a,2024-01-02 10:00,3,0.335\n" +
      "2,b,2024-01-01,1,5\n" +
      "1,a,2024-01-02 09:00,1,0.335\n" +
      "1,a,2024-01-02 11:00,-1,1\n",
  );
  expect(events).toEqual([
    { id: "2", customer: "b", time: day(1), amount: 500 },
    { id: "1", customer: "a", time: day(2, 9), amount: 34 }, // 1.34 − 1; each line rounded would give 35
  ]);
  expect(tally).toMatchObject({ rows: 4, kept: 2, lines: { orders: 2, severalCustomers: 0, example: null } });
});

test("an empty cell says nothing", async () => {
  const { events, tally } = await read(
    "id,customer,time,currency,total\n1,,,,\n1,a,2024-01-02,PLN,10.00\n1,,,,\n2,,2024-01-03,,1\n",
    { map: { amount: "total" } },
  );
  expect(events).toEqual([
    { id: "1", customer: "a", currency: "PLN", time: day(2), amount: 1000 },
    { id: "2", time: day(3), amount: 100 },
  ]);
  expect(tally.lines).toMatchObject({ orders: 2, severalCustomers: 0 });
});

test("lines that name several customers are an order each, counted; what could be either's is nobody's", async () => {
  const { events, tally } = await read(
    "id,customer,time,qty,price\n7,a,2024-01-01,1,1\n7,b,2024-01-02,1,2\n7,,2024-01-03,1,4\n7,a,2024-01-04,1,8\n",
  );
  expect(events).toEqual([
    { id: "7", customer: "a", time: day(1), amount: 900 },
    { id: "7", customer: "b", time: day(2), amount: 200 },
    { id: "7", time: day(3), amount: 400 },
  ]);
  expect(tally.lines).toEqual({ orders: 3, severalCustomers: 1, example: "7" });
});

test("amounts of two currencies are never added", async () => {
  const { events } = await read(
    "id,customer,time,currency,qty,price\n7,a,2024-01-01,EUR,1,1\n7,a,2024-01-01,PLN,1,2\n",
  );
  expect(events).toMatchObject([
    { currency: "EUR", amount: 100 },
    { currency: "PLN", amount: 200 },
  ]);
});

test("a line that can't be read is not left out of the sum: the order is refused", async () => {
  const { events } = await read(
    "id,customer,time,qty,price\n1,a,2024-01-01,1,1\n1,a,2024-01-01,1,n/a\n1,a,2024-01-01,1,1\n" +
      "2,a,soon,1,1\n2,a,2024-01-02,1,1\n",
  );
  expect(events).toEqual(
    expect.arrayContaining([
      { id: "1", customer: "a", time: day(1), amount: "1 ; n/a" },
      { id: "2", customer: "a", time: "soon", amount: 200 },
    ]),
  );
});

test("refunds by id, and by the sign of the whole order", async () => {
  const content =
    "id,customer,time,qty,price\nC1,a,2024-01-01,-2,1\nC1,a,2024-01-01,-1,1\n2,a,2024-01-02,-1,1\n2,a,2024-01-02,3,1\n" +
    "3,a,2024-01-03,-5,1\nA4,,2024-01-04,-5,1\n";
  const refunds = await read(content, { kinds: parseKinds(["refund=C*,skip=A*,refund=negative"]) });
  expect(refunds.events).toEqual([
    { id: "C1", customer: "a", kind: "refund", time: day(1), amount: 300 },
    { id: "2", customer: "a", time: day(2), amount: 200 },
    { id: "3", customer: "a", time: day(3), amount: 500, kind: "refund" },
  ]);
  expect([...refunds.tally.otherKinds]).toEqual([["A*", 1]]);
  const skipped = await read(content, { kinds: parseKinds(["refund=C*,skip=negative"]) });
  expect(skipped.events).toHaveLength(2);
  expect([...skipped.tally.otherKinds]).toEqual([["negative", 2]]);
  // Not told what they are, they stay below zero, and the kernel refuses them.
  const untold = await read(content, { kinds: parseKinds(["refund=C*"]) });
  expect(untold.events).toContainEqual({ id: "3", customer: "a", time: day(3), amount: -500 });
  expect([refunds, skipped, untold].map(({ tally }) => tally.negative)).toEqual([0, 0, 2]);
});

test("whole ids", async () => {
  const { events } = await read("id,customer,time,qty,price\n1.0,17850.0,2024-01-01,1,1\n1,17850,2024-01-01,1,1\n", {
    wholeIds: true,
  });
  expect(events).toEqual([{ id: "1", customer: "17850", time: day(1), amount: 200 }]);
});

test("an id that a thousand customers share is a wrong column", async () => {
  const rows = Array.from({ length: 1001 }, (_, i) => `1,c${i},2024-01-01,1,1`).join("\n");
  await expect(read(`id,customer,time,qty,price\n${rows}\n`)).rejects.toThrow(/order id "1" name more than 1000/);
});

test("lines of NDJSON, by paths", async () => {
  const lines = [1, 2].map((n) =>
    JSON.stringify({ id: 5, customer: 7, time: day(n), line: { qty: n, "unit price": 1.5 } }),
  );
  const map = { amount: 'line.qty * "line.unit price"' };
  const { events } = await read(lines.join("\n"), { map }, "lines.ndjson");
  expect(events).toEqual([{ id: "5", customer: "7", time: day(1), amount: 450 }]);
});

test("a column that is called like an expression is that column; a part that is missing is named", async () => {
  const named = await read("id,customer,time,a*b\n1,c,2024-01-01,3\n", { map: { amount: "a*b" } });
  expect(named.events).toMatchObject([{ amount: 300 }]);
  await expect(read("id,customer,time,a\n1,c,2024-01-01,3\n", { map: { amount: "a*b" } })).rejects.toThrow(
    /has no column "b"/,
  );
});

test("any order of rows, in memory or on disk, gives the same orders", async () => {
  const row = fc.record({
    id: fc.nat(5),
    customer: fc.constantFrom("a", "b"),
    day: fc.integer({ min: 1, max: 9 }),
    qty: fc.integer({ min: -3, max: 9 }),
    price: fc.integer({ min: 0, max: 9999 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 30 }), fc.boolean(), async (rows, onDisk) => {
      const texts = rows.map(
        ({ id, customer, day, qty, price }) =>
          `${id},${id < 4 ? `c${id}` : customer},2024-01-0${day},${qty},${(price / 1000).toFixed(3)}`,
      );
      const sort = { memoryBytesMax: onDisk ? 1 : 1 << 28, folder };
      const { events } = await read(`id,customer,time,qty,price\n${texts.join("\n")}\n`, { sort });
      const wanted = new Map<string, { time: number; sum: number }>();
      for (const [i, { id, customer, day: d, qty, price }] of rows.entries()) {
        const key = `${id}/${id < 4 ? `c${id}` : customer}`;
        const known = wanted.get(key) ?? { time: Number.POSITIVE_INFINITY, sum: 0, i };
        wanted.set(key, { time: Math.min(known.time, day(d)), sum: known.sum + qty * price });
      }
      const found = (events as { id: string; customer: string; time: number; amount: number }[]).map((event) => [
        `${event.id}/${event.customer}`,
        event.time,
        event.amount,
      ]);
      const half = (sum: number) => Math.sign(sum) * Math.floor((Math.abs(sum) + 5) / 10) || 0;
      expect(found).toEqual(
        [...wanted].sort(([, a], [, b]) => a.time - b.time).map(([key, { time, sum }]) => [key, time, half(sum)]),
      );
    }),
    { numRuns: 60 },
  );
});
