/** What the benchmarks' figures are made of: medians, ratios of the same round, goals, and how they are printed. */
import { assert, test } from "vitest";
import { withGoal, withRatioGoal } from "../../bench/result.js";
import { inTurn, median, percentile, resultOf } from "../../bench/rounds.js";
import { markdownTable, textTable } from "../../bench/table.js";

test("contestants are measured in turn, and every other round goes backwards", async () => {
  const order: string[] = [];
  const contestant = (name: string) => ({ name, measure: (round: number) => order.push(`${name}${round}`) });
  await inTurn([contestant("a"), contestant("b")], { rounds: 3 });
  assert.deepEqual(order, ["b-1", "a-1", "a0", "b0", "b1", "a1", "a2", "b2"]);
});

test("a ratio is the median of the rounds' ratios, not the ratio of the medians", async () => {
  const ours = [10, 100, 30];
  const limits = [10, 200, 20];
  const figures = await inTurn(
    [
      { name: "ours", measure: (round) => ours[round] as number },
      { name: "limit", measure: (round) => limits[round] as number },
    ],
    { rounds: 3, warmUp: false },
  );
  const result = figures.result("ours", "orders/s", "limit");
  assert.deepEqual(result, {
    name: "ours",
    value: 30,
    unit: "orders/s",
    low: 10,
    high: 100,
    rounds: 3,
    limit: "limit",
    ratio: 1,
  });
  assert.throws(() => figures.result("others", "orders/s"), /was not measured/);
});

test("medians and percentiles", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.throws(() => median([]));
  const hundred = Array.from({ length: 100 }, (_, n) => 100 - n);
  assert.equal(percentile(hundred, 0.5), 50);
  assert.equal(percentile(hundred, 0.99), 99);
  assert.equal(percentile([7], 0.99), 7);
});

test("goals are met at their bound, or just beyond it", () => {
  const result = resultOf("memory.order", "bytes", [64]);
  assert.include(withGoal(result, "≤", 64), { goal: "≤ 64 bytes", met: true });
  assert.include(withGoal(result, "<", 64), { goal: "< 64 bytes", met: false });
  const ratio = { ...result, limit: "limit.rmw.1m", ratio: 0.49 };
  assert.include(withRatioGoal(ratio, "≥", 0.5), { goal: "≥ 0.5 of limit.rmw.1m", met: false });
  assert.throws(() => withRatioGoal(result, "≥", 0.5), /no ratio/);
});

test("a table is aligned, in a terminal and in Markdown", () => {
  const results = [
    withRatioGoal(
      { ...resultOf("ours", "orders/s", [11_000_000, 12_500_000, 13e6]), limit: "limit", ratio: 0.5 },
      "≥",
      1,
    ),
    { ...resultOf("limit", "ms", [0.5]), note: "alone" },
  ];
  assert.deepEqual(textTable(results), [
    "name     value  unit               spread  limit  ratio  goal          met",
    "──────────────────────────────────────────────────────────────────────────",
    "ours   12.50 M  orders/s  11.00 – 13.00 M  limit   0.50  ≥ 1 of limit  no",
    "limit    0.500  ms",
    "",
    "limit: alone",
  ]);
  assert.deepEqual(markdownTable(results).slice(0, 4), [
    "| name | value | unit | spread | limit | ratio | goal | met |",
    "| --- | ---: | --- | ---: | --- | ---: | --- | --- |",
    "| `ours` | 12.50 M | orders/s | 11.00 – 13.00 M | `limit` | 0.50 | ≥ 1 of limit | no |",
    "| `limit` | 0.500 | ms |  |  |  |  |  |",
  ]);
});
