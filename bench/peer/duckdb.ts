/**
 * peer.duckdb: the CPU seconds of all threads that a recompute of the whole segment table in DuckDB takes, every hour
 * of a simulated day, over those of keeping the same orders up continuously (every migration of the day encoded). Both
 * have the history at midnight, which is not counted, and read the day's orders themselves, which is. Each in a process
 * of its own, hour by hour in turn; at the end of every hour both must have the same customers in each segment.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileSettings, settingsToJson } from "../../runtime/config/index.js";
import { runChild } from "../child.js";
import { type Bench, type BenchOptions, type Result, withRatioGoal } from "../result.js";
import { resultOf } from "../rounds.js";
import { Companion } from "./companion.js";
import { type DaySpec, HOURS, type HourSpent, type Part, type ShopSpec } from "./hour.js";

const NAME = "peer.duckdb";
const FULL = { customers: 300_000, history: 900_000, orders: 30_000 };
const QUICK = { customers: 50_000, history: 150_000, orders: 5_000 };

/** CPU seconds, and the migrations that ours told. */
interface Hour {
  readonly ours: number;
  readonly theirs: number;
  readonly records: number;
}

async function run({ quick, note }: BenchOptions): Promise<readonly Result[]> {
  const size = quick ? QUICK : FULL;
  const folder = mkdtempSync(join(tmpdir(), "tidemark-duckdb-"));
  const children: Companion<Part, HourSpent>[] = [];
  try {
    const day: DaySpec = { folder, ...size };
    await runChild("peer/day", day);
    const settings = compileSettings({
      partitions: 1,
      capacity: { customers: 2 * size.customers, entries: 2 * (size.history + size.orders) },
      models: [{ use: "threebands", currency: "EUR" }],
    });
    const spec: ShopSpec = { folder, settings: settingsToJson(settings) };
    const ours = new Companion<Part, HourSpent>("peer/upkeep", spec);
    children.push(ours);
    const theirs = new Companion<Part, HourSpent>("peer/recompute", spec);
    children.push(theirs);

    const parts: readonly Part[] = ["history", ...Array.from({ length: HOURS }, (_, hour) => hour)];
    const spent: Hour[] = [];
    for (const part of parts) {
      const [our, their] = [await ours.ask(part), await theirs.ask(part)];
      if (JSON.stringify(our.segments) !== JSON.stringify(their.segments)) {
        throw new Error(`DuckDB has ${their.segments} customers in the segments after ${part}, not ${our.segments}`);
      }
      note(`${part}: ours ${our.cpuMs.toFixed(0)} ms of CPU, DuckDB ${their.cpuMs.toFixed(0)} ms`);
      if (part !== "history") spent.push({ ours: our.cpuMs / 1000, theirs: their.cpuMs / 1000, records: our.records });
    }
    return [resultFor(spent, size)];
  } finally {
    for (const child of children) child.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Hours are the rounds; value and spread are a day of them. */
function resultFor(hours: readonly Hour[], { customers, history, orders }: typeof FULL): Result {
  const sum = (of: (hour: Hour) => number) => hours.reduce((total, hour) => total + of(hour), 0);
  const ours = sum((hour) => hour.ours);
  const theirs = sum((hour) => hour.theirs);
  const days = hours.map((hour) => hour.theirs * hours.length);
  const said = (number: number) => number.toLocaleString("en-US");
  return withRatioGoal(
    {
      ...resultOf(NAME, "CPU s", days),
      value: theirs,
      ratio: theirs / ours,
      note:
        `${hours.length} hourly recomputes in all threads, its spread that of an hour times ${hours.length}; ` +
        `ours ${ours.toFixed(2)} CPU s for the day with ${said(sum((hour) => hour.records))} migrations told; ${said(customers)} customers, ${said(history)} orders before the ` +
        `day (loaded beforehand, not counted), ${said(orders)} in it, one a message; the same segments every hour`,
    },
    "≥",
    1,
  );
}

export const duckdbBenches: readonly Bench[] = [{ names: [NAME], run }];
