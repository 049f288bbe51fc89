/**
 * wave.p99: how long live orders take while a million customers fall due at the same instant. All of them have ordered
 * once, at the same event time, under a model whose recency has boundaries a while apart: at each, all of them move,
 * which is a round. Live orders, a thousand a second from before the wave until it is drained, are each the first of a
 * new customer; the migrations of the wave are read by the engine, but not sent to the client that measures.
 *
 * The event time is so chosen that the first boundary lies ahead of the time that it takes to bring the customers in.
 */
import { setTimeout as delay } from "node:timers/promises";
import { encode } from "@msgpack/msgpack";
import type { Broker } from "../connectors/nats/broker.js";
import { ensureStreams, type PartitionStreams, streamState } from "../connectors/nats/streams.js";
import { type Config, compileSettings } from "../runtime/config/index.js";
import { migrationSubject, ordersSubject, partitionOf } from "../runtime/subjects.js";
import { type BenchEngine, withEngine } from "./engine.js";
import { type LoadResult, startLoad } from "./load.js";
import { withServer } from "./nats.js";
import { type Bench, type BenchOptions, type Result, withGoal } from "./result.js";
import { median, percentile, resultOf } from "./rounds.js";

const GOAL_MS = 20;
const RATE = 1_000;
const WARM_UP_MS = 1_000;
/** Of the load that is measured before the wave; as much behind it. */
const CALM_MS = 2_000;
const PER_MESSAGE = 100;
const PARTITIONS = 8;
const MODEL = "waves";
/** Of customers who have moved so many times. */
const segment = (wave: number) => `Moved ${wave}`;

interface Size {
  readonly customers: number;
  readonly waves: number;
  /** Within it the customers come in, and have their first migration in the ledger. */
  readonly fillMs: number;
  /** Between two waves: within it the first one is drained. */
  readonly apartMs: number;
}
const FULL: Size = { customers: 1_000_000, waves: 2, fillMs: 100_000, apartMs: 110_000 };
const QUICK: Size = { customers: 100_000, waves: 1, fillMs: 20_000, apartMs: 20_000 };

interface Wave {
  /** Of live orders due within the wave, ms. */
  readonly p99: number;
  readonly calmP99: number;
  readonly ms: number;
}

async function run({ quick, note }: BenchOptions): Promise<readonly Result[]> {
  const size = quick ? QUICK : FULL;
  const { customers, waves: count, fillMs, apartMs } = size;
  const waves = await withServer(async ({ url, broker }) => {
    const first = Date.now() + fillMs;
    // Whole days later, so that the event time lies well behind every clock.
    const eventTime = first - 30 * 86_400_000;
    const config = configOf(first - eventTime, apartMs, count);
    const streams = await ensureStreams(broker, compileSettings(config));
    return withEngine(url, config, async (engine) => {
      await publishCustomers(broker, customers, eventTime);
      await engine.ready();
      await untilRecords(broker, streams, customers, first);
      note(`${customers} customers are in, ${Math.round((first - Date.now()) / 1000)} s before the first wave`);
      const found: Wave[] = [];
      for (let n = 0; n < count; n++) {
        const wave = await measureWave(url, broker, engine, streams, size, first + n * apartMs, n);
        found.push(wave);
        note(
          `wave ${n + 1} of ${count}: p99 ${wave.p99.toFixed(2)} ms, beside it ${wave.calmP99.toFixed(2)} ms; ` +
            `drained in ${(wave.ms / 1000).toFixed(1)} s`,
        );
      }
      return found;
    });
  });
  const result = resultOf(
    "wave.p99",
    "ms",
    waves.map(({ p99 }) => p99),
  );
  const ms = median(waves.map((wave) => wave.ms));
  return [
    {
      ...withGoal(result, "<", GOAL_MS),
      note:
        `${customers.toLocaleString("en-US")} customers, drained in ${(ms / 1000).toFixed(1)} s ` +
        `(${Math.round((1000 * customers) / ms).toLocaleString("en-US")} migrations/s in the ledger); before and after it p99 ` +
        `${median(waves.map(({ calmP99 }) => calmP99)).toFixed(1)} ms; ${RATE.toLocaleString("en-US")} live orders/s; ` +
        "broker, engine (two threads) and the load (one process, one clock) share the machine",
    },
  ];
}

/** A model whose recency ends a band, and a segment, at each of the waves. */
function configOf(firstMs: number, apartMs: number, waves: number): Config {
  const names = Array.from({ length: waves + 1 }, (_, n) => `age ${n}`);
  return {
    name: "tidemark",
    partitions: PARTITIONS,
    models: [
      {
        name: MODEL,
        currency: "EUR",
        recency: {
          bands: names.map((name, n) => (n < waves ? { name, max: `${firstMs + n * apartMs}ms` } : { name })),
        },
        frequency: {
          window: "365d",
          bands: [
            { name: "often", min: 4 },
            { name: "casual", min: 1 },
          ],
        },
        monetary: {
          window: "365d",
          bands: [
            { name: "spender", min: 10_000 },
            { name: "saver", min: 1 },
          ],
        },
        segments: names.map((name, n) => ({ name: segment(n), when: { recency: [name] } })),
      },
    ],
  };
}

/** Each customer's only order, a hundred in a message. */
async function publishCustomers(broker: Broker, customers: number, time: number): Promise<void> {
  const waiting: object[][] = Array.from({ length: PARTITIONS }, () => []);
  const publish = (partition: number) => {
    broker.publish(ordersSubject("tidemark", partition, "web"), encode(waiting[partition]));
    waiting[partition] = [];
  };
  for (let number = 0; number < customers; number++) {
    const customer = `w${number}`;
    const partition = partitionOf(customer, PARTITIONS);
    const length = waiting[partition]?.push({ id: customer, customer, time, amount: 1999 });
    if (length === PER_MESSAGE) publish(partition);
    if (number % 10_000 === 0) await broker.flush();
  }
  for (const partition of waiting.keys()) publish(partition);
  await broker.flush();
}

async function recordsOf(broker: Broker, streams: readonly PartitionStreams[]): Promise<number> {
  const states = await Promise.all(streams.map(({ ledger }) => streamState(broker, ledger)));
  return states.reduce((sum, { last_seq }) => sum + last_seq, 0);
}

/** Waits until the ledgers hold so many records. Throws Error where that is not before `end` (ms since 1970). */
async function untilRecords(broker: Broker, streams: readonly PartitionStreams[], count: number, end: number) {
  for (;;) {
    const found = await recordsOf(broker, streams);
    if (found >= count) return;
    if (Date.now() > end) throw new Error(`the ledgers hold ${found} of ${count} records when the time is over`);
    await delay(100);
  }
}

/** Waits until the ledgers hold all migrations of the wave; when that was. Throws Error where it is not before `end`. */
async function untilDrained(
  broker: Broker,
  streams: readonly PartitionStreams[],
  wave: number,
  customers: number,
  end: number,
): Promise<number> {
  for (;;) {
    const counts = await Promise.all(
      streams.map(async ({ partition, ledger }) => {
        const subject = migrationSubject("tidemark", partition, MODEL, "segment", segment(wave), segment(wave + 1));
        const request = { subjects_filter: subject };
        const { state } = await broker.api<{ state: { subjects?: Record<string, number> } }>(
          `STREAM.INFO.${ledger}`,
          request,
        );
        return state.subjects?.[subject] ?? 0;
      }),
    );
    const found = counts.reduce((sum, one) => sum + one);
    if (found === customers) return Date.now();
    if (Date.now() > end) throw new Error(`${found} of ${customers} customers have moved when the time is over`);
    await delay(200);
  }
}

async function measureWave(
  nats: string,
  broker: Broker,
  { socket }: BenchEngine,
  streams: readonly PartitionStreams[],
  { customers, apartMs }: Size,
  due: number,
  run: number,
): Promise<Wave> {
  const start = due - CALM_MS - WARM_UP_MS;
  if (Date.now() > start) throw new Error("no time is left before the wave; on this machine it must come later");
  await delay(start - Date.now());
  const load = startLoad({
    nats,
    socket,
    name: "tidemark",
    partitions: PARTITIONS,
    rate: RATE,
    movesEvery: 1,
    known: 1,
    run,
    warmUpMs: WARM_UP_MS,
    msMax: apartMs,
  });
  let result: LoadResult;
  let ended: number;
  try {
    ended = await untilDrained(broker, streams, run, customers, due + apartMs - 3 * CALM_MS);
    await delay(CALM_MS);
  } finally {
    load.end();
    result = await load.result;
  }
  const { from, period, latencies } = result;
  const inWave = latencies.filter((_, n) => from + n * period >= due && from + n * period < ended);
  const beside = latencies.filter((_, n) => from + n * period < due || from + n * period >= ended);
  return { p99: percentile(inWave, 0.99), calmP99: percentile(beside, 0.99), ms: ended - due };
}

export const waveBenches: readonly Bench[] = [{ names: ["wave.p99"], run }];
