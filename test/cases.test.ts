import { describe, test } from "vitest";
import { oracle } from "./oracle/oracle.js";
import type { Input, Result } from "./oracle/words.js";
import {
  assertCounts,
  assertDead,
  assertMigrations,
  assertState,
  type Case,
  instantsOf,
  loadCases,
  permutations,
  sharedFolder,
  warnSkipped,
} from "./support/cases.js";
import { kernelRun } from "./support/kernel-driver.js";

const shared = sharedFolder();
if (shared === undefined) warnSkipped("the worked cases of shared/cases");

const engines: [string, (one: Case, input: readonly Input[]) => Result][] = [
  ["oracle", (one, input) => oracle(one.models, one.settings, input, instantsOf(one))],
  ["debug build", (one, input) => kernelRun(one.models, one.settings, input, instantsOf(one), { build: "debug" })],
  ["release build", (one, input) => kernelRun(one.models, one.settings, input, instantsOf(one), { build: "release" })],
];

for (const [engine, run] of engines) {
  describe.skipIf(shared === undefined)(`worked cases: ${engine}`, () => {
    for (const one of shared === undefined ? [] : loadCases(shared)) {
      test(`${one.file} ${one.name}`, () => {
        const result = run(one, one.input);
        assertState(result, one);
        assertDead(result, one);
        assertMigrations(result, one);
        assertCounts(result, one);
        if (!one.anyOrder) return;
        for (const input of permutations(one.input)) {
          const shuffled = run(one, input);
          assertState(shuffled, one);
          assertDead(shuffled, one);
        }
      });
    }
  });
}
