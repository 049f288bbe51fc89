/** What the tail keeps of the newest records: their very bytes, up to its limits. */
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { LIMITS } from "../../connectors/websocket/protocol.js";
import { LedgerTail } from "../../connectors/websocket/tail.js";
import { Random } from "../../runtime/random.js";
import { MemorySource } from "./source.js";

const PARTITIONS = 2;

async function follow(limits: { tailRecordsMax: number; tailBytesMax: number }) {
  const source = new MemorySource();
  const gaps: number[] = [];
  const tail = new LedgerTail(
    source,
    "shop",
    { ...LIMITS, prefill: 0, ...limits },
    {
      record: () => undefined,
      gap: (partition) => gaps.push(partition),
      error: (error) => {
        throw error;
      },
      pace: async () => undefined,
    },
  );
  await tail.start();
  /** Waits until the tail has what the ledger has. */
  const reached = async () => {
    while (source.records.some(({ length }, partition) => tail.numbers[partition] !== length)) await delay(1);
  };
  /** Numbers of the records in memory, after a look at their bytes. */
  const kept = (partition: number) => {
    const numbers: number[] = [];
    for (const { number, subject, body } of source.records[partition] ?? []) {
      const found = tail.recordAt(partition, number);
      expect(found !== undefined).toBe(tail.holds(partition, number));
      if (found === undefined) continue;
      expect(Buffer.from(found.body).equals(body)).toBe(true);
      expect(found.subject).toBe(subject);
      numbers.push(number);
    }
    return numbers;
  };
  return { source, tail, gaps, reached, kept };
}

test("the newest records are kept byte for byte, whatever their sizes, within the limits of number and bytes", async () => {
  const random = new Random(7, 7);
  for (const [tailRecordsMax, share] of [
    [7, 1e6],
    [1_000, 20_000],
    [12, 25_000],
  ] as const) {
    const { source, tail, reached, kept } = await follow({ tailRecordsMax, tailBytesMax: share * PARTITIONS });
    for (let n = 0; n < 300; n++) {
      source.move("c", { padding: random.below(random.chance(0.1) ? 9_000 : 300) }, random.below(PARTITIONS));
      if (n % 10 > 0) continue;
      await reached();
      for (const [partition, records] of source.records.entries()) {
        const numbers = kept(partition);
        const bytes = numbers.reduce((sum, number) => sum + (records[number - 1]?.body.length ?? 0), 0);
        expect(numbers.length).toBeLessThanOrEqual(tailRecordsMax);
        expect(bytes).toBeLessThanOrEqual(share);
        // The newest without a hole; and no more are let go than one that lies across the array's end makes necessary.
        expect(numbers).toEqual(records.slice(records.length - numbers.length).map(({ number }) => number));
        const next = records[records.length - numbers.length - 1]?.body.length ?? 0;
        if (next > 0 && numbers.length < tailRecordsMax) expect(bytes + next + 11_000).toBeGreaterThan(share);
      }
    }
    tail.stop();
  }
});

test("a record that is larger than the whole share is passed on and not kept, nor is what came before", async () => {
  const { source, tail, gaps, reached, kept } = await follow({ tailRecordsMax: 100, tailBytesMax: 10_000 });
  for (let n = 0; n < 3; n++) source.move("c");
  source.move("c", { padding: 20_000 });
  await reached();
  expect(kept(0)).toEqual([]);
  expect(tail.holds(0, 5)).toBe(true);
  source.move("c");
  await reached();
  expect(kept(0)).toEqual([5]);
  expect(gaps).toEqual([]);
  tail.stop();
});
