/**
 * A shop of 120,000 customers through the kernel and through SQL: recency, frequency, monetary value, bands
 * and segments of every customer at three instants. Runs where TIDEMARK_LONG=1.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { assert, describe, test } from "vitest";
import type { InputMessage } from "../../runtime/record.js";
import type { ModelWords } from "../oracle/words.js";
import { drain, partitionOf, settingsOf } from "../support/kernel-driver.js";
import { DAY, EPOCH, type ShopEvent, shopEvents } from "./shop.js";

const long = process.env["TIDEMARK_LONG"] === "1";
if (!long) console.warn("SKIPPED: the comparison with DuckDB (set TIDEMARK_LONG=1)");

const CUSTOMERS = 120_000;
const DAYS = 540;
const MESSAGE_EVENTS = 200;
const INSTANTS = [200, 390, 600].map((day) => EPOCH + day * DAY);

const bands = {
  recency: {
    bands: [
      { name: "short", max: "30d", points: 5 },
      { name: "medium", max: "90d", points: 3 },
      { name: "long", points: 1 },
    ],
  },
  frequency: [
    { name: "often", min: 5, points: 5 },
    { name: "regular", min: 3, points: 3 },
    { name: "casual", min: 1, points: 1 },
  ],
  monetary: [
    { name: "spender", min: 50_000, points: 5 },
    { name: "average", min: 10_000, points: 3 },
    { name: "saver", min: 1, points: 1 },
  ],
};
const segments = [
  {
    name: "VIP",
    when: { recency: ["short"], frequency: ["often"], monetary: ["spender"] },
  },
  { name: "At risk", when: { recency: ["long"], points: { min: 7 } } },
  { name: "Active", when: { recency: ["short", "medium"] } },
];
const models: (ModelWords & {
  sql: { channels: string; keep: boolean; frequency: number; monetary: number };
})[] = [
  {
    name: "all",
    channels: "*",
    currency: "EUR",
    recency: bands.recency,
    frequency: { window: "365d", bands: bands.frequency },
    monetary: { window: "90d", bands: bands.monetary },
    segments,
    sql: { channels: "true", keep: false, frequency: 365, monetary: 90 },
  },
  {
    name: "web",
    channels: ["web"],
    currency: "EUR",
    fullRefund: "keep",
    recency: bands.recency,
    frequency: { window: "90d", bands: bands.frequency },
    monetary: { window: "365d", bands: bands.monetary },
    segments,
    sql: {
      channels: "channel = 'web'",
      keep: true,
      frequency: 90,
      monetary: 365,
    },
  },
];

/** The rows of one model at `instant`: customer, last and first order, orders, spend, bands, segment. */
function query(model: (typeof models)[number], instant: number): string {
  const { channels, keep, frequency, monetary } = model.sql;
  return `
    WITH known AS (
      SELECT DISTINCT kind, id, customer, channel, time, amount, version, "order" FROM events WHERE arrival <= ${instant}
    ), orders AS (
      SELECT customer, channel, id, arg_max(time, version) AS t, arg_max(amount, version) AS amount
      FROM known WHERE kind = 'order' GROUP BY ALL
    ), refunds AS (
      SELECT customer, channel, "order" AS id, sum(amount) AS back
      FROM known WHERE kind = 'refund' AND "order" IS NOT NULL GROUP BY ALL
    ), cancels AS (
      SELECT DISTINCT customer, channel, "order" AS id, true AS cancelled FROM known WHERE kind = 'cancel'
    ), counting AS (
      SELECT customer, t, greatest(0, amount - coalesce(back, 0)) AS worth
      FROM orders LEFT JOIN refunds USING (customer, channel, id) LEFT JOIN cancels USING (customer, channel, id)
      WHERE ${channels} AND cancelled IS NULL
        AND (${keep} OR NOT (coalesce(back, 0) > 0 AND coalesce(back, 0) >= amount))
    ), loose AS (
      SELECT customer, time AS t, -amount AS worth
      FROM known WHERE kind = 'refund' AND "order" IS NULL AND ${channels}
    ), people AS (
      SELECT customer FROM orders
      UNION SELECT customer FROM known WHERE kind = 'refund' AND "order" IS NULL
    ), aged AS (
      SELECT customer, max(t) AS last, min(t) AS first, count(*) AS ever,
             count(*) FILTER (${instant} < t + ${frequency * DAY}) AS f
      FROM counting GROUP BY customer
    ), summed AS (
      SELECT customer, sum(worth) AS ever, sum(worth) FILTER (${instant} < t + ${monetary * DAY}) AS m
      FROM (FROM counting UNION ALL FROM loose) GROUP BY customer
    ), values_ AS (
      SELECT customer, last, first, coalesce(f, 0) AS f, coalesce(m, 0) AS m,
             coalesce(aged.ever, 0) AS orders_ever, coalesce(summed.ever, 0) AS spend_ever
      FROM people LEFT JOIN aged USING (customer) LEFT JOIN summed USING (customer)
    ), banded AS (
      SELECT *,
        CASE WHEN last IS NULL THEN 'none' WHEN ${instant} - last < ${30 * DAY} THEN 'short'
             WHEN ${instant} - last < ${90 * DAY} THEN 'medium' ELSE 'long' END AS recency,
        CASE WHEN last IS NULL THEN 'none' WHEN f >= 5 THEN 'often' WHEN f >= 3 THEN 'regular'
             WHEN f >= 1 THEN 'casual' ELSE 'none' END AS frequency,
        CASE WHEN last IS NULL THEN 'none' WHEN m >= 50000 THEN 'spender' WHEN m >= 10000 THEN 'average'
             WHEN m >= 1 THEN 'saver' ELSE 'none' END AS monetary
      FROM values_
    ), pointed AS (
      SELECT *,
        CASE recency WHEN 'short' THEN 5 WHEN 'medium' THEN 3 WHEN 'long' THEN 1 ELSE 0 END
        + CASE frequency WHEN 'often' THEN 5 WHEN 'regular' THEN 3 WHEN 'casual' THEN 1 ELSE 0 END
        + CASE monetary WHEN 'spender' THEN 5 WHEN 'average' THEN 3 WHEN 'saver' THEN 1 ELSE 0 END AS points
      FROM banded
    )
    SELECT customer, concat_ws('|', customer, coalesce(last::VARCHAR, ''), coalesce(first::VARCHAR, ''), f, m,
      orders_ever, spend_ever, recency, frequency, monetary, points,
      CASE WHEN last IS NULL THEN 'null'
           WHEN recency = 'short' AND frequency = 'often' AND monetary = 'spender' THEN 'VIP'
           WHEN recency = 'long' AND points >= 7 THEN 'At risk'
           WHEN recency IN ('short', 'medium') THEN 'Active' ELSE 'Others' END) AS line
    FROM pointed ORDER BY customer`;
}

function message(events: readonly ShopEvent[], sequence: number): InputMessage {
  const items = events.map(({ arrival: _arrival, order, version, ...fields }) => ({
    ...fields,
    ...(order === "" ? {} : { order }),
    ...(version === 0 ? {} : { version }),
  }));
  return {
    sequence,
    stamp: events[0]?.arrival ?? 0,
    subject: "tidemark.orders.0.web",
    source: 0,
    control: false,
    silent: false,
    body: Buffer.from(JSON.stringify(items)),
  };
}

/** Events that arrived in one ms, at most MESSAGE_EVENTS of them: what one message may hold. */
function* messages(events: readonly ShopEvent[]): Generator<ShopEvent[]> {
  let open: ShopEvent[] = [];
  for (const event of events) {
    if (open.length > 0 && (open[0]?.arrival !== event.arrival || open.length === MESSAGE_EVENTS)) {
      yield open;
      open = [];
    }
    open.push(event);
  }
  if (open.length > 0) yield open;
}

describe.skipIf(!long)("a simulated shop", () => {
  test("kernel and SQL agree on every customer at every instant", {
    timeout: 1_200_000,
  }, async () => {
    const events = shopEvents(CUSTOMERS, DAYS, 20_260_101);
    assert(events.length >= 1_000_000, `${events.length} events`);
    for (const kind of ["order", "refund", "cancel"]) assert(events.some((event) => event.kind === kind));

    const folder = mkdtempSync(join(tmpdir(), "tidemark-duckdb-"));
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    try {
      const file = join(folder, "events.csv");
      const columns = ["arrival", "kind", "id", "customer", "channel", "time", "amount", "version", "order"] as const;
      writeFileSync(file, `${events.map((event) => columns.map((column) => event[column]).join(",")).join("\n")}\n`);
      await connection.run(`CREATE TABLE events (arrival BIGINT, kind VARCHAR, id VARCHAR, customer VARCHAR,
        channel VARCHAR, time BIGINT, amount BIGINT, version BIGINT, "order" VARCHAR)`);
      await connection.run(`COPY events FROM '${file}' (FORMAT csv, HEADER false, NULLSTR '')`);

      const capacity = {
        customers: CUSTOMERS + 10,
        entries: events.length + 1000,
        idBytes: CUSTOMERS * 16,
      };
      const settings = settingsOf(
        models.map(({ sql: _sql, ...model }) => model),
        {},
        { capacity },
      );
      const partition = partitionOf("release", settings);
      let from = 0;
      for (const instant of INSTANTS) {
        const next = events.findIndex((event) => event.arrival > instant);
        const until = next < 0 ? events.length : next;
        let sequence = partition.position.sequence;
        const batch: InputMessage[] = [];
        for (const some of messages(events.slice(from, until))) batch.push(message(some, ++sequence));
        let dead = 0;
        for (const records of partition.records(batch)) {
          for (const record of records) if (record.type === "dead") dead++;
        }
        assert.equal(dead, 0, "dead letters");
        drain(partition, instant);
        from = until;

        const rows = partition.state();
        for (const model of models) {
          const reader = await connection.runAndReadAll(query(model, instant));
          const expected = reader.getRowsJS().map(([, line]) => String(line));
          const found = rows
            .filter((row) => row.model === model.name)
            .map((row) =>
              [
                row.customer,
                row.lastOrder ?? "",
                row.firstOrder ?? "",
                row.orders,
                row.spend,
                row.ordersEver,
                row.spendEver,
                row.recency ?? "none",
                row.frequency ?? "none",
                row.monetary ?? "none",
                row.points,
                row.segment ?? "null",
              ].join("|"),
            );
          assert.equal(found.length, expected.length, `${model.name} at ${instant}`);
          const wrong = found.flatMap((line, n) => (line === expected[n] ? [] : [[line, expected[n]]]));
          assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} rows of ${model.name} at ${instant}`);
        }
      }
      assert.equal(from, events.length);
    } finally {
      connection.closeSync();
      instance.closeSync();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
