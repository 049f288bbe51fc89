/** The newest records of a replay as a ledger: what is kept, in order, and no more than that. */
import { assert, describe, test } from "vitest";
import { KeptLedger } from "../../connectors/file/index.js";
import { encodeHead } from "../../runtime/head.js";
import { LedgerRecord } from "../../runtime/record.js";

function record(number: number, bytes = 10): LedgerRecord {
  const head = encodeHead({ "Tidemark-Clock": String(1000 * number) });
  return LedgerRecord.of({
    number,
    position: number,
    subject: `shop.migrations.0.m.segment.a.b`,
    head,
    body: new Uint8Array(bytes).fill(number),
  });
}

async function numbersOf(ledger: KeptLedger, partition: number, from: number): Promise<number[]> {
  const stop = new AbortController();
  const numbers: number[] = [];
  const { last } = await ledger.bounds(partition);
  setTimeout(() => stop.abort(), 20);
  for await (const entries of ledger.read(partition, from, stop.signal)) {
    for (const { number, time } of entries) {
      numbers.push(number);
      assert.equal(time, 1000 * number);
    }
    if ((numbers.at(-1) ?? 0) > last) break;
  }
  return numbers;
}

describe("a ledger in memory", () => {
  test("reads from any number on, each partition its own, and waits at the end until it is told to stop", async () => {
    const ledger = new KeptLedger(2);
    for (let number = 1; number <= 5; number++) ledger.push(record(number), 0);
    ledger.push(record(1), 1);
    assert.deepEqual(await numbersOf(ledger, 0, 1), [1, 2, 3, 4, 5]);
    assert.deepEqual(await numbersOf(ledger, 0, 4), [4, 5]);
    assert.deepEqual(await numbersOf(ledger, 0, 6), []);
    assert.deepEqual(await numbersOf(ledger, 1, 1), [1]);
    assert.deepEqual(ledger.kept, { records: 6, all: 6 });
  });

  test("lets the oldest go beyond its share of records, and of bytes", async () => {
    const few = new KeptLedger(2, 6);
    for (let number = 1; number <= 5; number++) few.push(record(number), 0);
    assert.deepEqual(await few.bounds(0), { first: 3, last: 5 });
    assert.deepEqual(await numbersOf(few, 0, 1), [3, 4, 5]);
    assert.deepEqual(few.kept, { records: 3, all: 5 });
    const small = new KeptLedger(1, 100, 500);
    for (let number = 1; number <= 5; number++) small.push(record(number, 200), 0);
    assert.deepEqual(await small.bounds(0), { first: 4, last: 5 });
    small.push(record(6, 1000), 0);
    assert.deepEqual(await small.bounds(0), { first: 7, last: 6 });
    assert.deepEqual(await numbersOf(small, 0, 1), []);
  });

  test("keeps copies, and another content is another epoch", async () => {
    const [one, other] = [new KeptLedger(1), new KeptLedger(1)];
    const shared = record(1);
    one.push(shared, 0);
    const epoch = await one.epoch();
    shared.body.fill(99);
    assert.equal(await one.epoch(), epoch);
    other.push(shared, 0);
    assert.notEqual(await other.epoch(), epoch);
  });
});
