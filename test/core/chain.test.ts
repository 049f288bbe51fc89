/** A customer with the most orders there may be: the chain is walked from where it is worth it. */
import { assert, describe, test } from "vitest";
import type { ModelWords } from "../oracle/words.js";
import { drain, messageOf, partitionOf, settingsOf } from "../support/kernel-driver.js";

const ORDERS = 100_000;
const HOUR = 3_600_000;
const EPOCH = Date.UTC(2026, 0, 1);
/**
 * Entries looked at for one order, at most, on average. The order a shop sends (oldest first) and its mirror
 * find their place at an end of the chain; but one order in 128 looks for its neighbours on the lane (128 entries
 * on average), and a shuffled one is looked for along the lane.
 */
const STEPS_MAX = { "oldest first": 2, "newest first": 3, shuffled: 1_000 } as const;

const model: ModelWords = {
  name: "long",
  channels: "*",
  currency: "EUR",
  recency: { bands: [{ name: "short", max: "30d" }, { name: "long" }] },
  frequency: { window: "ever", bands: [{ name: "some", min: 1 }] },
  monetary: { window: "90d", bands: [{ name: "low", min: 1 }] },
  segments: [],
};
const settings = settingsOf([model], {}, { capacity: { customers: 10, entries: 1.02 * ORDERS, idBytes: 1000 } });
/** All of them arrive in the same hour, later than the last was placed. */
const arrival = EPOCH + 399 * 24 * HOUR;
const spacing = Math.floor((398 * 24 * HOUR) / ORDERS);

function fill(order: readonly number[]) {
  const partition = partitionOf("release", settings);
  const messages = order.map((n, place) =>
    messageOf(
      { at: arrival, event: { id: `o${n}`, customer: "c1", time: EPOCH + n * spacing, amount: 1 } },
      place + 1,
      settings,
    ),
  );
  for (const _ of partition.records(messages));
  drain(partition, arrival);
  return partition;
}

function assertFull(partition: ReturnType<typeof partitionOf>): void {
  const inWindow = Array.from({ length: ORDERS }, (_, n) => EPOCH + n * spacing).filter(
    (time) => arrival < time + 90 * 24 * HOUR,
  );
  const [row] = partition.state();
  assert.equal(row?.orders, ORDERS);
  assert.equal(row?.ordersEver, ORDERS);
  assert.equal(row?.spendEver, ORDERS);
  assert.equal(row?.spend, inWindow.length);
  assert.equal(row?.firstOrder, EPOCH);
  assert.equal(row?.lastOrder, EPOCH + (ORDERS - 1) * spacing);
  assert.equal(partition.stats().chainLongest, ORDERS);
}

describe(`one customer with ${ORDERS.toLocaleString("en")} orders`, () => {
  const upward = Array.from({ length: ORDERS }, (_, n) => n);
  for (const [name, order] of [
    ["oldest first", upward],
    ["newest first", [...upward].reverse()],
    // A full cycle of a fixed stride: deterministic, and nowhere near sorted.
    ["shuffled", upward.map((n) => (n * 7_919) % ORDERS)],
  ] as const) {
    test(`${name}: at most ${STEPS_MAX[name]} steps of the chain an order`, () => {
      const partition = fill(order);
      assertFull(partition);
      assert(partition.stats().chainSteps <= STEPS_MAX[name] * ORDERS, `${partition.stats().chainSteps} steps`);
    });
  }
});
