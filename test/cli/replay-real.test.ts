/** Real orders through `tidemark replay`: every number is the one that two SQL engines found. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { configuration, DATA_SETS, expected, found, isPresent, isSorted, LINES } from "./realdata.js";
import { tidemark } from "./tidemark.js";

vi.setConfig({ testTimeout: 300_000 });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-real-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

for (const set of [...DATA_SETS, LINES]) {
  describe.skipIf(!isPresent(set))(`${set.name} (../shared/data; skipped where it is absent)`, () => {
    test("replay --at gives the oracle's rows at every instant, in order", async () => {
      const wanted = expected(set);
      const config = join(folder, `${set.name}.yaml`);
      const state = join(folder, `${set.name}.csv`);
      writeFileSync(config, configuration(set.name, set.currency));
      const args = [
        set.file,
        "-c",
        config,
        ...set.options,
        "--state",
        state,
        "--at",
        wanted.instants.join(","),
        "--json",
      ];
      const result = await tidemark(["replay", ...args]);
      expect(result.stderr).toBe("");
      expect(result.code).toBe(0);
      const csv = readFileSync(state, "utf8");
      expect(wanted.lines.length).toBeGreaterThan(10_000);
      expect(found(csv)).toEqual(wanted.lines);
      expect(isSorted(csv)).toBe(true);
    });
  });
}

describe.skipIf(!isPresent(DATA_SETS[1] as (typeof DATA_SETS)[1]))("online_retail, what is left out", () => {
  test("is counted by reason", async () => {
    const set = DATA_SETS[1] as (typeof DATA_SETS)[1];
    const config = join(folder, "left.yaml");
    writeFileSync(config, configuration("left", set.currency));
    const { stdout } = await tidemark(["replay", set.file, "-c", config, ...set.options, "--json"]);
    const summary = JSON.parse(stdout) as { rows: number; leftOut: object; events: object; deadLetters: object };
    expect(summary.rows).toBe(25_900);
    expect(summary.leftOut).toEqual({ kind: { adjust: 3 }, afterUntil: 0, beforeAfter: 0 });
    expect(summary.events).toEqual({
      order: { applied: 18_536, rejected: 3525 },
      refund: { applied: 3654, rejected: 182 },
    });
    expect(summary.deadLetters).toEqual({ missingField: 3707 });
  });

  test.skipIf(!isPresent(LINES))("the same from the lines as they were published", async () => {
    const config = join(folder, "lines.yaml");
    writeFileSync(config, configuration("left", LINES.currency));
    const result = await tidemark(["replay", LINES.file, "-c", config, ...LINES.options, "--memory", "256", "--json"]);
    const summary = JSON.parse(result.stdout) as { models: object };
    expect(summary).toMatchObject({
      rows: 541_909,
      lines: { orders: 25_897, severalCustomers: 0, example: null },
      leftOut: { kind: { "A*": 3 } },
      events: { order: { applied: 18_536, rejected: 3525 }, refund: { applied: 3654, rejected: 182 } },
      deadLetters: { missingField: 3707 },
    });
    const set = DATA_SETS[1] as (typeof DATA_SETS)[1];
    const { stdout } = await tidemark(["replay", set.file, "-c", config, ...set.options, "--json"]);
    expect(summary.models).toEqual((JSON.parse(stdout) as { models: object }).models);
  });

  test("any batch, any partition count, sorted in memory or on disk: the same migrations", async () => {
    const set = DATA_SETS[1] as (typeof DATA_SETS)[1];
    const variants = [
      { partitions: 4, extra: ["--batch", "100"] },
      { partitions: 1, extra: ["--batch", "1"] },
      { partitions: 7, extra: ["--batch", "1000", "--memory", "1", "--tmp", folder] },
    ];
    const all: string[] = [];
    for (const [i, { partitions, extra }] of variants.entries()) {
      const config = join(folder, `variant${i}.yaml`);
      const migrations = join(folder, `variant${i}.ndjson`);
      writeFileSync(config, configuration("same", set.currency).replace("partitions: 4", `partitions: ${partitions}`));
      const args = [set.file, "-c", config, ...set.options, "--migrations", migrations, ...extra];
      expect((await tidemark(["replay", ...args])).code).toBe(0);
      all.push(readFileSync(migrations, "utf8").trim().split("\n").sort().join("\n"));
    }
    expect(all[0]?.length).toBeGreaterThan(1_000_000);
    expect(all[1] === all[0]).toBe(true);
    expect(all[2] === all[0]).toBe(true);
  });
});
