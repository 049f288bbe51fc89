/**
 * In a process of its own: the batch way. DuckDB in memory, as many threads as it likes; every hour the hour's orders
 * are read from a CSV file and the whole segment table is made anew.
 */
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { settingsFromJson } from "../../runtime/config/index.js";
import type { Dimension, Model } from "../../runtime/settings.js";
import { childArgument } from "../child.js";
import { answerEach, spend } from "./companion.js";
import { endOf, type HourSpent, type Part, type ShopSpec } from "./hour.js";

const spec = childArgument<ShopSpec>();
const [model] = settingsFromJson(spec.settings)?.models ?? [];
if (model === undefined) throw new Error("these are no settings");
const [recency, frequency, monetary] = model.dimensions as [Dimension, Dimension, Dimension];
const instance = await DuckDBInstance.create(":memory:");
const connection = await instance.connect();
await connection.run(`CREATE TABLE events (kind VARCHAR, id VARCHAR, customer VARCHAR, channel VARCHAR,
  time BIGINT, amount BIGINT, version BIGINT, "order" VARCHAR)`);
await connection.run("CREATE TABLE cells (cell INTEGER, segment INTEGER)");
await connection.run(
  `INSERT INTO cells VALUES ${model.cells.map((segment, cell) => `(${cell}, ${segment})`).join(", ")}`,
);

/** Number of the band of a value: 0 is none. */
function bandOf({ measure, bands }: Dimension, value: string): string {
  const compare = measure === "newest" ? "<" : ">=";
  const cases = bands.map(({ limit }, n) =>
    limit === Number.POSITIVE_INFINITY ? `WHEN true THEN ${n + 1}` : `WHEN ${value} ${compare} ${limit} THEN ${n + 1}`,
  );
  return `CASE ${cases.join(" ")} ELSE 0 END`;
}

/** Every customer's recency, frequency, monetary value, bands and segment at `now`. */
function segmentTable({ strides }: Model, now: number): string {
  const [r, f, m] = strides;
  return `CREATE OR REPLACE TABLE customer_segments AS
    WITH orders AS (
      SELECT customer, channel, id, arg_max(time, version) AS t, arg_max(amount, version) AS amount
      FROM events WHERE kind = 'order' GROUP BY ALL
    ), reversals AS (
      SELECT DISTINCT kind, customer, channel, id, "order", time, amount FROM events WHERE kind <> 'order'
    ), refunds AS (
      SELECT customer, channel, "order" AS id, sum(amount) AS back
      FROM reversals WHERE kind = 'refund' AND "order" IS NOT NULL GROUP BY ALL
    ), cancels AS (
      SELECT DISTINCT customer, channel, "order" AS id FROM reversals WHERE kind = 'cancel'
    ), counting AS (
      SELECT customer, t, amount - coalesce(back, 0) AS worth
      FROM orders LEFT JOIN refunds USING (customer, channel, id) ANTI JOIN cancels USING (customer, channel, id)
      WHERE coalesce(back, 0) = 0 OR back < amount
    ), entries AS (
      SELECT customer, t, worth, true AS counts FROM counting
      UNION ALL
      SELECT customer, time, -amount, false FROM reversals WHERE kind = 'refund' AND "order" IS NULL
    ), figures AS (
      SELECT customer, max(t) FILTER (counts) AS last,
        count(*) FILTER (counts AND t + ${frequency.windowMs} > ${now}) AS orders,
        coalesce(sum(worth) FILTER (t + ${monetary.windowMs} > ${now}), 0) AS spend
      FROM entries GROUP BY customer
    ), banded AS (
      SELECT *, ${bandOf(recency, `(${now} - last)`)} AS recency, ${bandOf(frequency, "orders")} AS frequency,
        ${bandOf(monetary, "spend")} AS monetary
      FROM figures WHERE last IS NOT NULL
    )
    SELECT banded.*, segment FROM banded JOIN cells ON cell = recency * ${r} + frequency * ${f} + monetary * ${m}`;
}

async function take(part: Part): Promise<number[]> {
  await connection.run(`COPY events FROM '${join(spec.folder, `${part}.csv`)}' (FORMAT csv, HEADER false, NULLSTR '')`);
  await connection.run(segmentTable(model as Model, endOf(part)));
  const reader = await connection.runAndReadAll("SELECT segment, count(*) FROM customer_segments GROUP BY segment");
  const counts = new Map(reader.getRowsJS().map(([segment, count]) => [Number(segment), Number(count)]));
  return (model as Model).segments.map((_, segment) => counts.get(segment) ?? 0);
}

answerEach(async (part: Part): Promise<HourSpent> => {
  const { given: segments, ...spent } = await spend(() => take(part));
  return { ...spent, records: 0, segments };
});
