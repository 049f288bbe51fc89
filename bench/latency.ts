/**
 * latency.*: an order published → its migration at a WebSocket client, through a real broker and the engine as `run`
 * starts it. Broker, engine (main thread and worker) and the load, which is generator and client in one process, share
 * the machine; their sum is what bounds the rates that can be asked for on few cores.
 *
 * A thousand orders a second are each a new customer's first and move that customer. The others are of customers who
 * are in the first band of everything, so they move nobody: it is the order's way that is measured, and not how fast a
 * client takes migrations.
 *
 * limit.latency.*: the same load through the same hops, where nothing is done with an order (see relay.ts).
 */
import { encode } from "@msgpack/msgpack";
import type { Broker } from "../connectors/nats/broker.js";
import { ensureStreams } from "../connectors/nats/streams.js";
import { type Config, compileSettings } from "../runtime/config/index.js";
import { migrationSubject, ordersSubject, partitionOf } from "../runtime/subjects.js";
import { withEngine } from "./engine.js";
import { startLoad } from "./load.js";
import { withServer } from "./nats.js";
import { withRelay } from "./relay.js";
import { type Bench, type BenchOptions, type Result, withGoal } from "./result.js";
import { Figures, median, percentile, roundsOf } from "./rounds.js";

const RATES = { "1k": 1_000, "20k": 20_000, "50k": 50_000 } as const;
const MOVES_PER_SECOND = 1_000;
const GOAL_MS = 5;
const MEASURED = { ms: 2_000, warmUpMs: 1_000 };
const MEASURED_QUICK = { ms: 1_000, warmUpMs: 500 };

const PARTITIONS = 8;
const NAME = "tidemark";
const RELAY = "relay";
const CONFIG: Config = {
  name: NAME,
  partitions: PARTITIONS,
  models: [{ use: "threebands", currency: "EUR" }],
};
/** So many orders of so much each, and a customer is in the first band of everything. */
const KNOWN = 10_000;
const ORDERS_BEFORE = 13;
const AMOUNT = 5_000;

async function run(options: BenchOptions): Promise<readonly Result[]> {
  const { ms, warmUpMs } = options.quick ? MEASURED_QUICK : MEASURED;
  const rates = Object.entries(RATES).filter(([key]) =>
    ["latency.p50", "latency.p99", "limit.latency.p99"].some((name) => options.wants(`${name}.${key}`)),
  );
  return withServer(async ({ url, broker }) => {
    await ensureStreams(broker, compileSettings(CONFIG));
    const relayed = await ensureStreams(broker, compileSettings({ ...CONFIG, name: RELAY }));
    await publishKnown(broker);
    const relay = {
      nats: url,
      inputs: relayed.map(({ input }) => input),
      ledgers: relayed.map(({ ledger }) => ledger),
      subjects: relayed.map(({ partition }) => migrationSubject(RELAY, partition, "m", "segment", null, "new")),
    };
    return withRelay(relay, (relaySocket) =>
      withEngine(url, CONFIG, async (engine) => {
        await engine.ready();
        const figures = new Map<string, number[]>();
        const keep = (name: string, figure: number) => figures.set(name, [...(figures.get(name) ?? []), figure]);
        const late: number[] = [];
        const rounds = roundsOf(options);
        const ways = [
          { prefix: "", name: NAME, socket: engine.socket },
          { prefix: "limit.", name: RELAY, socket: relaySocket },
        ];
        // The first round warms both up.
        for (let round = -1, loads = 0; round < rounds; round++) {
          for (const [key, rate] of rates) {
            for (const { prefix, name, socket } of round % 2 === 0 ? ways : ways.toReversed()) {
              const { latencies, lateness } = await startLoad({
                nats: url,
                socket,
                name,
                partitions: PARTITIONS,
                rate,
                movesEvery: rate / MOVES_PER_SECOND,
                known: KNOWN,
                run: loads++,
                warmUpMs,
                msMax: ms,
              }).result;
              if (round < 0) continue;
              const [half, most] = [percentile(latencies, 0.5), percentile(latencies, 0.99)];
              keep(`${prefix}latency.p50.${key}`, half);
              keep(`${prefix}latency.p99.${key}`, most);
              late.push(lateness);
              options.note(
                `${prefix}latency ${key} orders/s round ${round + 1} of ${rounds}: p50 ${half.toFixed(2)}, p99 ${most.toFixed(2)}, ` +
                  `most ${Math.max(...latencies).toFixed(2)} ms; generator's lateness p99 ${lateness.toFixed(2)} ms`,
              );
            }
          }
        }
        const note =
          `${MOVES_PER_SECOND.toLocaleString("en-US")} orders/s move a customer and are measured, the others move nobody; ` +
          "broker, engine (two threads) and the load (generator and client in one process, one clock) share the " +
          `machine; of it the generator's own lateness, p99: ${median(late).toFixed(1)} ms`;
        const all = new Figures(figures);
        return rates.flatMap(([key]) => {
          const most = all.result(`latency.p99.${key}`, "ms", `limit.latency.p99.${key}`);
          return [
            all.result(`latency.p50.${key}`, "ms"),
            { ...(key === "20k" ? withGoal(most, "<", GOAL_MS) : most), note },
            {
              ...all.result(`limit.latency.p99.${key}`, "ms"),
              note: "the same way, with ready-made records and no engine",
            },
          ];
        });
      }),
    );
  });
}

/** Thirteen orders of each known customer, all in the streams before the engine starts. */
async function publishKnown(broker: Broker): Promise<void> {
  const time = Date.now();
  for (let number = 0; number < KNOWN; number++) {
    const customer = `k${number}`;
    const orders = Array.from({ length: ORDERS_BEFORE }, (_, n) => ({
      id: `${customer}-${n}`,
      customer,
      time: time - n,
      amount: AMOUNT,
    }));
    broker.publish(ordersSubject(NAME, partitionOf(customer, PARTITIONS), "web"), encode(orders));
    if (number % 1_000 === 999) await broker.flush();
  }
  await broker.flush();
}

const NAMES = Object.keys(RATES).flatMap((key) => [
  `latency.p50.${key}`,
  `latency.p99.${key}`,
  `limit.latency.p99.${key}`,
]);

export const latencyBenches: readonly Bench[] = [{ names: NAMES, run }];
