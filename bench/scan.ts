/**
 * scan.rows: a recount of all customers of a partition under other limits, which are others each time.
 * limit.scan: the same rows as the 64-byte lines in which they lie, read and added up, in Wasm, with nothing decided:
 * what a scan without digests could reach at most. limit.scan.digests: the four bytes a row that the scan does read.
 */
import { performance } from "node:perf_hooks";
import type { Kernel } from "../runtime/kernel.js";
import type { Model } from "../runtime/settings.js";
import { DAY, type History, kernelWith, randomFrom } from "./history.js";
import { type Bench, type BenchOptions, type Result, withGoal } from "./result.js";
import { inTurn, roundsOf } from "./rounds.js";
import { moduleOf } from "./wasm.js";

const END = Date.UTC(2026, 0, 1);
const LINE_BYTES = 64;
const DIGEST_BYTES = 4;
/** Recounts of a round. */
const SCANS = 20;

/** Customers who came over 500 days and buy again now and then: 2.5 orders each, some of them past the horizon. */
export function shopHistory(customers: number): History {
  const random = randomFrom(11);
  const [customer, time, amount]: [number[], number[], number[]] = [[], [], []];
  for (let who = 0; who < customers; who++) {
    let at = END - 1 - random() * 500 * DAY;
    do {
      customer.push(who);
      time.push(Math.floor(at));
      amount.push(Math.floor(500 + 9500 * random() ** 2 * (1 + 9 * random() ** 4)));
      at += -Math.log(random()) * 60 * DAY;
    } while (at < END && random() < 0.7);
  }
  return {
    customers,
    customer: Uint32Array.from(customer),
    time: Float64Array.from(time),
    amount: Float64Array.from(amount),
  };
}

/** The model with every limit moved by up to a half, in their order. */
function moved(model: Model, random: () => number): Model {
  const dimensions = model.dimensions.map((dimension) => {
    const limits = dimension.bands.map(({ limit }) =>
      Number.isFinite(limit) ? Math.ceil(limit * (0.5 + random())) : limit,
    );
    const isAge = dimension.measure === "newest" || dimension.measure === "oldest";
    limits.sort((a, b) => (isAge ? a - b : b - a));
    return { ...dimension, bands: dimension.bands.map((band, n) => ({ ...band, limit: limits[n] as number })) };
  });
  return { ...model, dimensions };
}

/** Seconds that the recounts take. */
function timeScans(kernel: Kernel, model: Model, random: () => number): number {
  const candidates = Array.from({ length: SCANS }, () => moved(model, random));
  const started = performance.now();
  for (const candidate of candidates) kernel.scan(0, candidate);
  return (performance.now() - started) / 1000;
}

async function run({ quick, note }: BenchOptions): Promise<readonly Result[]> {
  const customers = quick ? 100_000 : 1_000_000;
  const history = shopHistory(customers);
  const { kernel, settings } = kernelWith(history, END);
  const [model] = settings.models as [Model];
  const random = randomFrom(5);
  const first = performance.now();
  kernel.scan(0, model);
  const made = `${(performance.now() - first).toFixed(0)} ms for the first, which makes all digests`;
  note(`scan: ${history.customer.length} orders; ${made}`);

  const memory = new WebAssembly.Memory({ initial: Math.ceil((customers * LINE_BYTES) / 65_536) + 1, maximum: 65_536 });
  new BigUint64Array(memory.buffer).fill(1n);
  const { read } = new WebAssembly.Instance(moduleOf("scan"), { env: { memory, abort: () => {} } })
    .exports as unknown as { read: (at: number, bytes: number) => bigint };
  const timeReads = (bytes: number) => {
    const started = performance.now();
    for (let n = 0; n < SCANS; n++) read(0, customers * bytes);
    return (performance.now() - started) / 1000;
  };
  const rows = customers * SCANS;
  const figures = await inTurn(
    [
      { name: "scan.rows", measure: () => rows / timeScans(kernel, model, random) },
      { name: "limit.scan", measure: () => rows / timeReads(LINE_BYTES) },
      { name: "limit.scan.digests", measure: () => rows / timeReads(DIGEST_BYTES) },
    ],
    { rounds: roundsOf({ quick }), note },
  );
  const scanned = figures.result("scan.rows", "rows/s", "limit.scan");
  return [
    { ...withGoal(scanned, "≥", 200_000_000), note: `${customers} customers, none changed in between; ${made}` },
    { ...figures.result("limit.scan", "rows/s"), note: "64 bytes a row, read only" },
    { ...figures.result("limit.scan.digests", "rows/s"), note: "4 bytes a row, read only" },
  ];
}

export const scanBenches: readonly Bench[] = [{ names: ["scan.rows", "limit.scan", "limit.scan.digests"], run }];
