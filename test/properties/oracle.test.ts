import fc from "fast-check";
import { assert, test } from "vitest";
import { oracle } from "../oracle/oracle.js";
import { patience, runs, setOfEvents } from "./streams.js";

test("oracle: any order of arrival gives the same states", patience, () => {
  fc.assert(
    fc.property(setOfEvents, ({ models, settings, input, shuffled, instants }) => {
      const one = oracle(models, settings, input, instants);
      const other = oracle(models, settings, shuffled, instants);
      assert.deepEqual([...other.states], [...one.states]);
    }),
    { numRuns: runs(300) },
  );
});
