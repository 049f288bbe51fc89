/** What is explained, by hand: the reasons, the sums, what comes, what would bring more; and every worked case. */
import { assert, describe, expect, test } from "vitest";
import { type Explanation, explain } from "../../runtime/explain.js";
import type { Why } from "../../runtime/modelview.js";
import type { Partition } from "../../runtime/partition.js";
import type { Settings } from "../../runtime/settings.js";
import type { Input, ModelWords } from "../oracle/words.js";
import { instantsOf, loadCases, sharedFolder, warnSkipped } from "../support/cases.js";
import { clocks, drain, messageOf, partitionOf, settingsOf } from "../support/kernel-driver.js";

const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 1);
const day = (n: number) => START + n * DAY;

function fed(settings: Settings, input: readonly Input[], instant: number): Partition {
  const partition = partitionOf("debug", settings);
  const later = clocks(input, settings).findIndex((clock) => clock > instant);
  const messages = input.map((one, n) => messageOf(one, n + 1, settings));
  for (const _ of partition.records(later < 0 ? messages : messages.slice(0, later)));
  drain(partition, instant);
  return partition;
}

function explained(settings: Settings, partition: Partition, customer: string, ordersMax = 100): Explanation {
  const history = partition.history(customer);
  assert(history !== undefined);
  return explain(settings, history, ordersMax);
}

const shared = sharedFolder();
if (shared === undefined) warnSkipped("explanations of the worked cases");
describe.skipIf(shared === undefined)("every customer of the worked cases, at every instant named", () => {
  test.each(shared === undefined ? [] : loadCases(shared))("$name", (one) => {
    const settings = settingsOf(one.models, one.settings);
    for (const instant of instantsOf(one)) {
      const partition = fed(settings, one.input, instant);
      for (const row of one.expect.state.filter((row) => row.instant === instant && "customer" in row)) {
        const wanted = row as Record<string, unknown>;
        // What differs from the kernel's row throws.
        const { models } = explained(settings, partition, String(wanted["customer"]));
        const model = models.find((found) => found.model === wanted["model"]);
        const value = (name: string) => model?.dimensions.find((dimension) => dimension.name === name)?.value;
        expect([model?.segment, value("recency"), value("frequency"), value("monetary")]).toEqual([
          ...[wanted["segment"], wanted["last_order_ms"], wanted["orders"], wanted["spend"]],
        ]);
      }
    }
  });
});

const RETAIL = {
  name: "retail",
  channels: ["web"],
  currency: "EUR",
  recency: { bands: [{ name: "short", max: "30d" }, { name: "long" }] },
  frequency: {
    window: "100d",
    bands: [
      { name: "often", min: 3 },
      { name: "some", min: 1 },
    ],
  },
  monetary: {
    window: "50d",
    bands: [
      { name: "big", min: 10_000 },
      { name: "small", min: 1 },
    ],
  },
  segments: [
    { name: "Best", when: { frequency: ["often"], monetary: ["big"] } },
    { name: "Good", when: { recency: ["short"] } },
  ],
} satisfies ModelWords;

const web = { customer: "anna", channel: "web", currency: "EUR" };
const EVENTS = [
  { ...web, id: "1", time: day(-60), amount: 1_000 }, // left monetary on day −10
  { ...web, id: "2", time: day(-20), amount: 6_000 },
  { ...web, id: "3", time: day(-10), amount: 2_000 },
  { ...web, id: "4", time: day(-9), amount: 2_000 },
  { ...web, id: "5", time: day(-8), amount: 2_000, channel: "store" },
  { ...web, id: "6", time: day(-7), amount: 2_000, currency: "CHF" },
  { ...web, kind: "refund", id: "r3", order: "3", time: day(-5), amount: 500 },
  { ...web, kind: "cancel", id: "c4", order: "4", time: day(-5) },
  { ...web, kind: "refund", id: "alone", time: day(-4), amount: 100 },
  { ...web, kind: "refund", id: "early", order: "none yet", time: day(-4), amount: 100 },
];
const input: Input[] = EVENTS.map((event) => ({ at: Math.max(event.time, day(-30)), event }));
// A second model takes what the first does not, so that nothing is dead-lettered.
const OTHER = { ...RETAIL, name: "all", channels: "*", otherCurrency: "count" } satisfies ModelWords;

test("each order with its reason, its worth and when it leaves; sums, next instants and what would bring more", () => {
  const settings = settingsOf([RETAIL, OTHER], {});
  const partition = fed(settings, input, day(0));
  const { orders, models, orderCount, waiting, waitingCount, exact, at } = explained(settings, partition, "anna");
  expect([orderCount, exact, at]).toEqual([7, true, day(0)]);
  expect(orders.map(({ time }) => (time - START) / DAY)).toEqual([-4, -7, -8, -9, -10, -20, -60]);
  expect(orders[4]).toMatchObject({ amount: 2_000, refunded: 500, refunds: 1, cancels: 0, state: "stands" });
  expect(orders[3]).toMatchObject({ amount: 2_000, refunded: 0, refunds: 0, cancels: 1, state: "cancelled" });

  const [retail, all] = models;
  const told = retail?.orders.map(({ why, worth }): [Why, number] => [why, worth]);
  expect(told).toEqual([
    ["refundAlone", -100],
    ["currency", 0],
    ["channel", 0],
    ["cancelled", 0],
    ["counts", 1_500],
    ["counts", 6_000],
    ["counts", 1_000],
  ]);
  expect(retail?.orders.map(({ leaves }) => leaves)).toEqual([
    [null, null, day(46)],
    [null, null, null],
    [null, null, null],
    [null, null, null],
    [null, day(90), day(40)],
    [null, day(80), day(30)],
    [null, day(40), day(-10)],
  ]);
  expect(retail?.dimensions.map(({ band, value }) => [band, value])).toEqual([
    ["short", day(-10)],
    ["often", 3],
    ["small", 7_400],
  ]);
  expect([retail?.segment, retail?.ordersEver, retail?.spendEver]).toEqual(["Good", 3, 8_400]);
  expect(retail?.past).toEqual({ orders: 0, spend: 0, first: null, last: null });
  // Day 20: 30 days after the last order. Day 30: 6,000 leave; day 40: 1,500 leave, and order 1 the count.
  expect(retail?.next).toEqual([
    {
      at: day(20),
      bands: [{ dimension: "recency", from: "short", to: "long" }],
      segment: { from: "Good", to: "Others" },
    },
    {
      at: day(40),
      bands: [
        { dimension: "frequency", from: "often", to: "some" },
        { dimension: "monetary", from: "small", to: "none" },
      ],
      segment: null,
    },
    { at: day(90), bands: [{ dimension: "frequency", from: "some", to: "none" }], segment: null },
  ]);
  expect(retail?.reach).toEqual([
    {
      ...{ dimension: "monetary", from: "small", to: "big", orders: null, amount: 2_600 },
      ...{ before: day(30), segment: "Best" },
    },
  ]);

  // It takes the store and counts francs as an order: two orders more, and 2,000 of the store.
  expect(all?.orders.map(({ why }) => why).slice(1, 3)).toEqual(["otherCurrency", "counts"]);
  expect(all?.dimensions.map(({ value }) => value)).toEqual([day(-7), 5, 9_400]);

  expect(waitingCount).toBe(1);
  expect(waiting[0]).toMatchObject({ kind: "refund", amount: 100, channel: "web", currency: "EUR" });
  expect(waiting[0]?.expiry).toBe(day(-4) + 30 * DAY);
  expect(JSON.parse(new TextDecoder().decode(waiting[0]?.item))).toMatchObject({ id: "early", order: "none yet" });
});

test("more orders than are listed: the rest is counted and summed, the sums are of all", () => {
  const settings = settingsOf([RETAIL, OTHER], {});
  const partition = fed(settings, input, day(0));
  const { orders, models, orderCount } = explained(settings, partition, "anna", 2);
  expect([orders.length, orderCount]).toEqual([2, 7]);
  expect(models[0]?.rest).toEqual({ orders: 5, counting: 3, worth: 8_500 });
  expect(models[0]?.dimensions[2]?.value).toBe(7_400);
  expect(explained(settings, partition, "anna", 0).orders).toEqual([]);
});

test("behind the horizon only sums and times are left", () => {
  const settings = settingsOf([RETAIL], { horizon: "100d" });
  const partition = fed(settings, [{ at: day(-60), event: EVENTS[0] as object }], day(41));
  const { orderCount, models } = explained(settings, partition, "anna");
  expect(orderCount).toBe(0);
  expect(models[0]).toMatchObject({ segment: "Others", ordersEver: 1, next: [] });
  expect(models[0]?.past).toEqual({ orders: 1, spend: 1_000, first: day(-60), last: day(-60) });
});

test("a customer of whom only a reversal waits, and one who never came", () => {
  const settings = settingsOf([RETAIL], {});
  const partition = fed(settings, [{ at: day(-4), event: EVENTS[9] as object }], day(0));
  expect(explained(settings, partition, "anna")).toMatchObject({ orderCount: 0, models: [], waitingCount: 1 });
  expect(partition.history("nobody")).toBeUndefined();
  expect(partition.history("")).toBeUndefined();
  expect(partition.history("x".repeat(2_000_000))).toBeUndefined();
});

test("a row that is not what its orders come to is not explained away", () => {
  const settings = settingsOf([RETAIL, OTHER], {});
  const partition = fed(settings, input, day(0));
  const history = partition.history("anna");
  assert(history !== undefined);
  history.orders.amount[1] = 6_001;
  expect(() => explain(settings, history, 100)).toThrow(
    /KERNEL_FAULT: model retail of customer "anna": spend is 7400, its orders come to 7401/,
  );
  // While what fell due is worked off, rows may be behind.
  expect(explain(settings, { ...history, overdue: day(-1) }, 100).exact).toBe(false);
});
