/** Chains so long that the places of late orders are looked for along the lane: the kernel against the oracle. */
import fc from "fast-check";
import { assert, test } from "vitest";
import { oracle } from "../oracle/oracle.js";
import type { Input, ModelWords } from "../oracle/words.js";
import { kernelRun } from "../support/kernel-driver.js";
import { baseSettings, DAY, EPOCH, runs } from "./streams.js";

const EVENTS = 900;
const HOUR = 3_600_000;

const model: ModelWords = {
  name: "long",
  channels: "*",
  currency: "EUR",
  recency: { bands: [{ name: "short", max: "2d" }, { name: "long" }] },
  frequency: {
    window: "20d",
    bands: [
      { name: "very often", min: 200 },
      { name: "some", min: 1 },
    ],
  },
  monetary: {
    window: "9d",
    bands: [
      { name: "big", min: 50_000 },
      { name: "low", min: 1 },
    ],
  },
  segments: [{ name: "Best", when: { monetary: ["big"], frequency: ["very often"] } }],
};

/** One customer's stream: orders of the last 35 days in any order, many corrected, moved, refunded or cancelled. */
function longStream(numbers: readonly number[]): Input[] {
  const input: Input[] = [];
  let stamp = EPOCH + 36 * DAY;
  for (let n = 0; n < EVENTS; n++) {
    // Two numbers of the drawn ones make each event: as random as fast-check's, and short to print.
    const a = Math.imul((numbers[n % numbers.length] ?? 0) ^ n, 0x9e3779b1) >>> 0;
    const b = Math.imul(a ^ (a >>> 15), 0x85ebca6b) >>> 0;
    stamp += a % 64 === 0 ? (b % 4) * DAY : (b % 20) * 60_000;
    const time = stamp - (b % (35 * 24)) * HOUR - ((a >>> 8) % 3);
    const amount = 1 + (b % 400);
    const order = `o${b % (n + 1)}`;
    const base = { customer: "c1", time, amount };
    const kind = a % 100;
    if (kind < 78) input.push({ at: stamp, event: { ...base, id: `o${n}`, version: 1 } });
    else if (kind < 86)
      input.push({
        at: stamp,
        event: { ...base, id: order, version: 2 + (a % 5) },
      });
    else if (kind < 91)
      input.push({
        at: stamp,
        event: { ...base, id: `x${n}`, kind: "cancel", order },
      });
    else if (kind < 97)
      input.push({
        at: stamp,
        event: { ...base, id: `r${n}`, kind: "refund", order },
      });
    else
      input.push({
        at: stamp,
        event: { ...base, id: `l${n}`, kind: "refund" },
      });
  }
  return input;
}

test("a chain of hundreds of orders, late ones all along it", {
  timeout: 300_000,
}, () => {
  const numbers = fc.array(fc.nat(), { minLength: 40, maxLength: 60 });
  const seeds = fc.uint8Array({ minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(numbers, seeds, (drawn, seed) => {
      const input = longStream(drawn);
      const end = (input.at(-1)?.at ?? 0) + 15 * DAY;
      const instants = [end - 15 * DAY, end];
      const found = kernelRun([model], baseSettings, input, instants, {
        build: "debug",
        seed,
        batch: 50,
      });
      const expected = oracle([model], baseSettings, input, instants);
      assert.deepEqual(found.migrations, expected.migrations);
      assert.deepEqual([...found.states], [...expected.states]);
      assert.deepEqual(found.dead.length, expected.dead.length);
      assert.deepEqual({ ...expected.counts, ...found.counts }, { ...found.counts, ...expected.counts });
    }),
    { numRuns: runs(1) },
  );
});
