/** What only a named stream reaches: sums beyond 2^53, and one stream in several partitions. */
import fc from "fast-check";
import { assert, describe, test } from "vitest";
import { Partition } from "../../runtime/partition.js";
import { partitionOf as numberOf } from "../../runtime/subjects.js";
import { oracle } from "../oracle/oracle.js";
import type { Input, MigrationWords } from "../oracle/words.js";
import { drain, kernelModule, kernelRun, messageOf, migrationOf, SEED, settingsOf } from "../support/kernel-driver.js";
import { anyStream, baseSettings, EPOCH, modelSets, patience, runs } from "./streams.js";

const MOST = 10_000_000_000_000;

/** 900 orders of the largest amount: 7,199,254,740,992 below 2^53. */
function nearlyFull(version?: number): Input[] {
  return Array.from({ length: 900 }, (_, n) => ({
    at: EPOCH,
    event: { id: `o${n}`, customer: "c1", time: EPOCH, amount: MOST, ...(version === undefined ? {} : { version }) },
  }));
}

function same(input: Input[]): void {
  const models = modelSets[2] ?? [];
  const found = kernelRun(models, baseSettings, input, [EPOCH], { build: "debug", batch: 100 });
  const expected = oracle(models, baseSettings, input, [EPOCH]);
  assert.deepEqual(found.dead, expected.dead);
  assert.deepEqual([...found.states], [...expected.states]);
}

test("a reversal that amends one that waits takes its place, however full it is", () => {
  const models = modelSets[2] ?? [];
  const settings = { ...baseSettings, parkedMax: 1 };
  const refund = (id: string, version: number, amount: number) => ({
    at: EPOCH,
    event: { id, customer: "c1", time: EPOCH, amount, kind: "refund", order: "o1", version },
  });
  const input: Input[] = [
    refund("r1", 1, 10),
    refund("r2", 1, 20),
    refund("r1", 2, 30),
    { at: EPOCH, event: { id: "o1", customer: "c1", time: EPOCH, amount: 100 } },
  ];
  const found = kernelRun(models, settings, input, [EPOCH], { build: "debug", batch: 1 });
  const expected = oracle(models, settings, input, [EPOCH]);
  assert.deepEqual(
    found.dead.map(({ reason }) => reason),
    ["parkedFull"],
  );
  assert.deepEqual(found.dead, expected.dead);
  assert.deepEqual([...found.states], [...expected.states]);
});

describe("sums beyond 2^53 are dead-lettered, and the stream goes on", () => {
  const rest = 2 ** 53 - 900 * MOST;
  test("orders, to the last unit", () => {
    same([
      ...nearlyFull(),
      { at: EPOCH, event: { id: "over", customer: "c1", time: EPOCH, amount: rest + 1 } },
      { at: EPOCH, event: { id: "full", customer: "c1", time: EPOCH, amount: rest } },
      { at: EPOCH, event: { id: "r", customer: "c1", time: EPOCH, amount: 5, kind: "refund" } },
      { at: EPOCH, event: { id: "five", customer: "c1", time: EPOCH, amount: 5 } },
      { at: EPOCH, event: { id: "other", customer: "c2", time: EPOCH, amount: MOST } },
    ]);
  });
  test("an amendment, which takes the order's former worth out first", () => {
    same([
      ...nearlyFull(1),
      { at: EPOCH, event: { id: "last", customer: "c1", time: EPOCH, amount: rest, version: 1 } },
      { at: EPOCH, event: { id: "last", customer: "c1", time: EPOCH, amount: rest + 1, version: 2 } },
      { at: EPOCH, event: { id: "last", customer: "c1", time: EPOCH, amount: rest - 1, version: 2 } },
    ]);
  });
  test("an amendment of a cancelled order, which has no worth to take out", () => {
    same([
      ...nearlyFull(1),
      { at: EPOCH, event: { id: "x", customer: "c1", time: EPOCH, kind: "cancel", order: "o5", version: 2 } },
      { at: EPOCH, event: { id: "more", customer: "c1", time: EPOCH, amount: MOST, version: 1 } },
      { at: EPOCH, event: { id: "o5", customer: "c1", time: EPOCH, amount: MOST, version: 3 } },
    ]);
  });
  test("refunds without order, below zero", () => {
    same(
      Array.from({ length: 902 }, (_, n) => ({
        at: EPOCH,
        event: { id: `r${n}`, customer: "c1", time: EPOCH, amount: MOST, kind: "refund" },
      })),
    );
  });
});

test("a customer's migrations are the same in one partition and in its own of three", patience, () => {
  fc.assert(
    fc.property(anyStream, ({ models, settings: words, input, instants }) => {
      const end = Math.max(...instants);
      const told = (partitions: number, number: number): [MigrationWords[], number] => {
        const settings = settingsOf(models, words, { partitions });
        const partition = new Partition({
          wasm: kernelModule("debug"),
          settings,
          partition: number,
          seed: SEED,
          live: true,
        });
        const records = [...partition.records(input.map((one, n) => messageOf(one, n + 1, settings)))].flat();
        records.push(...drain(partition, Math.max(end, partition.clock)));
        const migrations = records.flatMap((record) =>
          record.type === "migration" ? [migrationOf(record, settings)] : [],
        );
        for (const { customer } of migrations) assert.equal(numberOf(customer, partitions), number);
        return [migrations, partition.stats().customers];
      };
      const [whole] = told(1, 0);
      const parts = [0, 1, 2].flatMap((number) => told(3, number)[0]);
      const key = ({ model, customer, revision }: MigrationWords) =>
        `${model}/${customer}/${String(revision).padStart(5, "0")}`;
      const sorted = (all: MigrationWords[]) => all.sort((a, b) => (key(a) < key(b) ? -1 : 1));
      assert.deepEqual(sorted(parts), sorted(whole));
    }),
    { numRuns: runs(40) },
  );
});
