/** An audit of the kernel's rows: nothing where all is well, and each damage told by its name. */
import fc from "fast-check";
import { assert, describe, test } from "vitest";
import { type Audit, type AuditDifference, auditLine } from "../../runtime/audit.js";
import { Kernel } from "../../runtime/kernel.js";
import type { Partition } from "../../runtime/partition.js";
import {
  anyStream,
  baseSettings,
  changingStream,
  DAY,
  EPOCH,
  modelSets,
  patience,
  runs,
} from "../properties/streams.js";
import { drain, kernelModule, messageOf, partitionOf, SEED, settingsOf } from "../support/kernel-driver.js";

/** All customers, three at a time. */
function auditAll(partition: Partition): AuditDifference[] {
  const found: AuditDifference[] = [];
  let rows = 0;
  const wanted = partition.state().length;
  do {
    const audit = partition.audit(3) as Audit;
    found.push(...audit.differences);
    rows += audit.rows;
    assert.isAbove(audit.rows, 0);
  } while (rows < wanted);
  assert.equal(rows, wanted);
  return found;
}

test("no difference after any stream", patience, () => {
  fc.assert(
    fc.property(fc.oneof(anyStream, changingStream), ({ models, settings: words, input }) => {
      const settings = settingsOf(models, words);
      const partition = partitionOf("debug", settings);
      for (const _ of partition.records(input.map((one, n) => messageOf(one, n + 1, settings))));
      if (partition.overdue !== null) assert.isUndefined(partition.audit(1));
      drain(partition, partition.clock);
      if (partition.state().length > 0) assert.deepEqual(auditAll(partition), []);
    }),
    { numRuns: runs(100) },
  );
});

describe("a bit that is the other way round is found and named", () => {
  const models = modelSets[2] ?? [];
  const settings = settingsOf(models, baseSettings);
  // Another kernel of the same settings has the same layout.
  const layout = new Kernel({
    wasm: kernelModule("debug"),
    settings,
    partition: 0,
    seed: SEED,
    checksPartition: false,
  });
  const CUSTOMER_BYTES = 64 * Math.ceil((20 + 2 * (24 + 8 + 12)) / 64);

  /** A partition of five customers with five orders each, and what a name of the layout is the address of. */
  function five() {
    const partition = partitionOf("debug", settings);
    const events = Array.from({ length: 25 }, (_, n) => ({
      id: `o${n}`,
      customer: `c${n % 5}`,
      time: EPOCH + (20 + Math.floor(n / 5)) * DAY,
      amount: 100 + n,
    }));
    const refund = { id: "r", kind: "refund", order: "o12", customer: "c2", time: EPOCH + 25 * DAY, amount: 50 };
    for (const _ of partition.records([
      messageOf({ at: EPOCH + 25 * DAY, message: [...events, refund] }, 1, settings),
    ]));
    const memory = partition.memory();
    const { exports } = layout;
    const at = (name: string) =>
      Number((exports[name] as WebAssembly.Global).value) - Number((exports["STATUS"] as WebAssembly.Global).value);
    return { partition, memory, at };
  }

  // Customer 3 is c2; of its two rows the first begins behind the head, its count's window behind 24 bytes, its sum's
  // behind 8 more.
  const row = 3 * CUSTOMER_BYTES + 20;
  const flips: [string, string, number, string][] = [
    ["a sum", "customers", row + 24 + 8 + 4, "customer c2: value of mini monetary is 511, its orders come to 510"],
    ["a count", "customers", row + 24 + 4, "customer c2: value of mini frequency is 4, its orders come to 5"],
    ["a cursor", "customers", row + 24, "customer c2: oldest of mini frequency is "],
    ["the newest order", "customers", row + 20, "customer c2: lastOrder of mini is "],
    ["a band", "customers", row, "customer c2: bands of mini is "],
    ["the segment", "customers", row + 4, "customer c2: segment of mini is "],
    ["orders ever", "customers", row + 16, "customer c2: ordersEver of mini is 4, its orders come to 5"],
    ["its timer", "customers", 3 * CUSTOMER_BYTES + 5, "customer c2: timer is "],
    ["its entries", "customers", 3 * CUSTOMER_BYTES + 16, "customer c2: entries is 7, its orders come to 6"],
    ["its newest entry", "customers", 3 * CUSTOMER_BYTES + 12, "customer c2: chain is "],
    ["an order's amount", "log", 48 * 3 + 16, "customer c2: value of mini monetary is "],
    ["an order's time", "log", 48 * 3 + 12, "customer c2: chain is "],
    ["an order's hash", "log", 48 * 3 + 7, "customer c2: event is 3, its orders come to 0"],
    ["an order's place", "log", 48 * 3 + 26, "customer c2: chain is "],
  ];
  for (const [name, region, offset, expected] of flips) {
    test(name, () => {
      const { partition, memory, at } = five();
      assert.deepEqual(auditAll(partition), []);
      const place = at(region) + offset;
      memory[place] = (memory[place] as number) ^ (name === "its timer" || name === "an order's time" ? 64 : 1);
      const lines = (partition.audit(10) as Audit).differences.map(auditLine);
      assert(
        lines.some((line) => line.startsWith(expected)),
        `${expected}: ${lines.join("; ")}`,
      );
    });
  }
});
