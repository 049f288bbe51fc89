/** Counterexamples that the properties found, shrunk: each stays here by name. */
import { describe, test } from "vitest";
import { oracle } from "../oracle/oracle.js";
import type { Input } from "../oracle/words.js";
import { assertSame } from "../support/agreement.js";
import { type Build, kernelRun } from "../support/kernel-driver.js";
import { baseSettings, DAY, EPOCH, modelSets } from "./streams.js";

const at = EPOCH;
const order = (id: string, version: number, time = EPOCH): Input => ({
  at,
  event: { id, customer: "c1", time, amount: 100, version },
});
const cancel = (id: string, of: string, version: number): Input => ({
  at,
  event: { id, kind: "cancel", customer: "c1", time: EPOCH, order: of, version },
});

const streams: Record<string, Input[]> = {
  "the later of two orders of one time is revived, then the other cancelled: it is the newest": [
    order("a", 1),
    order("b", 1),
    cancel("x", "b", 2),
    order("b", 3),
    cancel("y", "a", 2),
  ],
  "the earlier of two orders of one time is revived, then the other cancelled: it is the first": [
    order("a", 1),
    order("b", 1),
    cancel("x", "a", 2),
    order("a", 3),
    cancel("y", "b", 2),
  ],
  "the same with an older order to fall back to": [
    order("o", 1, EPOCH - 5 * DAY),
    order("a", 1),
    order("b", 1),
    cancel("x", "b", 2),
    order("b", 3),
    cancel("y", "a", 2),
  ],
  "a cancel that moves from one order to another of the same time": [
    order("a", 1),
    order("b", 1),
    cancel("x", "b", 1),
    cancel("x", "a", 4),
  ],
  "a cancel sent again after its order changed its currency is a duplicate": [
    { at, event: { id: "a", customer: "c1", time: EPOCH, amount: 100, currency: "EUR", version: 1 } },
    { at, event: { id: "x", kind: "cancel", customer: "c1", time: EPOCH, currency: "EUR", order: "a" } },
    { at, event: { id: "a", customer: "c1", time: EPOCH, amount: 100, currency: "CHF", version: 2 } },
    { at, event: { id: "x", kind: "cancel", customer: "c1", time: EPOCH, currency: "EUR", order: "a" } },
  ],
};

describe("found by the properties", () => {
  for (const build of ["debug", "release"] satisfies Build[]) {
    for (const [name, input] of Object.entries(streams)) {
      test(`${build} build: ${name}`, () => {
        const instants = [EPOCH, EPOCH + 3 * DAY, EPOCH + 45 * DAY];
        const models = modelSets[4] ?? [];
        const found = kernelRun(models, baseSettings, input, instants, { build });
        assertSame(found, oracle(models, baseSettings, input, instants));
      });
    }
  }
});
