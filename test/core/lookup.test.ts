/** The indexes, nearly full: what is known is found, what has left is not, wherever removal has moved the others. */
import { assert, describe, test } from "vitest";
import { OUTCOMES } from "../../runtime/record.js";
import type { ModelWords } from "../oracle/words.js";
import { messageOf, partitionOf, settingsOf } from "../support/kernel-driver.js";

const HOUR = 3_600_000;
const EPOCH = Date.UTC(2026, 0, 1);
const HORIZON_HOURS = 240;
/** Orders in the horizon, and customers, are nearly all that there is room for. */
const CAPACITY = { customers: 61, entries: HORIZON_HOURS + 12, idBytes: 2000 };
const CUSTOMERS = 60;
const ORDERS = 2000;

const model: ModelWords = {
  name: "short",
  channels: "*",
  currency: "EUR",
  recency: { bands: [{ name: "new", max: "2d" }, { name: "old" }] },
  frequency: { window: "5d", bands: [{ name: "some", min: 1 }] },
  monetary: { window: "5d", bands: [{ name: "low", min: 1 }] },
  segments: [],
};
const settings = settingsOf([model], { clock: "event", horizon: `${HORIZON_HOURS / 24}d` }, { capacity: CAPACITY });

/** An order each hour, and a second time one of the last 1.5 horizons, chosen by a step that goes through them all. */
function orders(): { n: number; isAgain: boolean }[] {
  const all: { n: number; isAgain: boolean }[] = [];
  for (let n = 0; n < ORDERS; n++) {
    all.push({ n, isAgain: false });
    all.push({ n: Math.max(0, n - ((n * 97) % (1.5 * HORIZON_HOURS))), isAgain: true });
  }
  return all;
}

describe.each(["debug", "release"] as const)("%s build", (build) => {
  for (let key = 1; key <= 8; key++) {
    test(`under key ${key}`, () => {
      const partition = partitionOf(build, settings, new Uint8Array(16).fill(key));
      const known = { applied: 0, duplicate: 0, late: 0 };
      const messages = orders().map(({ n, isAgain }, place) => {
        const now = Math.floor(place / 2);
        known[!isAgain ? "applied" : now < n + HORIZON_HOURS ? "duplicate" : "late"]++;
        const event = { id: `o${n}`, customer: `c${n % CUSTOMERS}`, time: EPOCH + n * HOUR, amount: 100 };
        return messageOf({ event }, place + 1, settings);
      });
      for (const _ of partition.records(messages));
      const [ofOrders] = partition.stats().events;
      const told = Object.fromEntries(OUTCOMES.map((outcome, o) => [outcome, ofOrders?.[o]]));
      assert.deepEqual(told, { ...Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])), ...known });
    });
  }
});
