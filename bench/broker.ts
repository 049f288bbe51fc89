/**
 * Orders from a JetStream stream into a partition's state, beside the npm client doing nothing. Both are worker
 * threads of this process; the nats-server is a child. So three want to run: the server, the reading worker, and the
 * main thread, which only asks now and then.
 *
 * The stream is filled beforehand and lies in the server's memory: what is measured is reading. The clock runs from
 * the message at which every customer has come and found its place, so what the ledger gets meanwhile is little.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { encode } from "@msgpack/msgpack";
import type { Broker } from "../connectors/nats/broker.js";
import type { OwnerStatus } from "../connectors/nats/owner.js";
import type { PartitionStreams } from "../connectors/nats/streams.js";
import type { FromWorker, WorkerStart } from "../connectors/nats/thread.js";
import { compileSettings, defaultConfig } from "../runtime/config/index.js";
import type { Settings } from "../runtime/settings.js";
import {
  controlSubject,
  ledgerStream,
  ledgerSubjects,
  ordersStream,
  ordersSubject,
  ordersSubjects,
  partitionOf,
} from "../runtime/subjects.js";
import type { NoopStart } from "./brokernoop.js";
import { type BenchServer, fillStream, withServer } from "./nats.js";
import { type Bench, type BenchOptions, type Result, withRatioGoal } from "./result.js";
import { type Contestant, inTurn, roundsOf } from "./rounds.js";

const CUSTOMERS = 10_000;
/** Until then most have had the 12 orders that bring them to their last band; and at least a fifth of the messages. */
const WARM_ORDERS = 20 * CUSTOMERS;
const WARM_SHARE = 0.2;
const POLL_MS = 20;
const DAY = 86_400_000;

const wasm = new WebAssembly.Module(readFileSync(new URL("../core/kernel.wasm", import.meta.url)));

/** A layout with a full stream for each partition. */
interface Shop {
  readonly settings: Settings;
  readonly url: string;
  readonly broker: Broker;
  readonly streams: readonly PartitionStreams[];
  readonly messages: number;
  readonly ordersPerMessage: number;
}

/** In-time orders of uniform customers of one partition, in order of time: the n-th. */
function ordersOf(settings: Settings, partition: number): (number: number) => object {
  const customers: string[] = [];
  for (let n = 0; customers.length < CUSTOMERS; n++) {
    const customer = `c${10_000_000 + n}`;
    if (partitionOf(customer, settings.partitions) === partition) customers.push(customer);
  }
  const start = Date.now() - DAY;
  return (number) => {
    const drawn = Math.imul(number, 0x9e3779b1) >>> 0;
    return {
      id: `o${100_000_000 + number}`,
      customer: customers[drawn % CUSTOMERS],
      time: start + number,
      amount: 5_000 + (drawn % 997),
    };
  };
}

async function openShop(
  server: BenchServer,
  partitions: number,
  messages: number,
  ordersPerMessage: number,
): Promise<Shop> {
  const { url, broker } = server;
  const entries = Math.ceil(messages * ordersPerMessage * 1.02) + 1_000;
  const capacity = { customers: 2 * CUSTOMERS, entries, idBytes: CUSTOMERS * 80 };
  const settings = compileSettings({
    ...defaultConfig(),
    name: `bench${ordersPerMessage}x${partitions}`,
    partitions,
    capacity,
  });
  const streams: PartitionStreams[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const { name } = settings;
    const input = ordersStream(settings, partition);
    await broker.api(`STREAM.CREATE.${input}`, {
      name: input,
      subjects: ordersSubjects(name, partition),
      storage: "memory",
      duplicate_window: 100e6,
    });
    const order = ordersOf(settings, partition);
    await fillStream(broker, input, ordersSubject(name, partition, "web"), messages, (number) =>
      encode(
        ordersPerMessage === 1
          ? order(number)
          : Array.from({ length: ordersPerMessage }, (_, n) => order(number * ordersPerMessage + n)),
      ),
    );
    const ledger = ledgerStream(settings, partition);
    streams.push({ partition, input, control: controlSubject(name, partition), ledger, adopted: false });
  }
  return { settings, url, broker, streams, messages, ordersPerMessage };
}

/** What the clock leaves out, of a stream. */
function warmMessages(messages: number, ordersPerMessage: number): number {
  return Math.ceil(Math.max(messages * WARM_SHARE, WARM_ORDERS / ordersPerMessage));
}

async function closeShop({ broker, streams }: Shop): Promise<void> {
  for (const { input, ledger } of streams) {
    await broker.api(`STREAM.DELETE.${input}`);
    await broker.api(`STREAM.DELETE.${ledger}`).catch(() => {});
  }
}

/** Orders a second that a client brings to a callback which counts messages. */
async function measureNoop(
  { url, streams, messages, ordersPerMessage }: Shop,
  client: NoopStart["client"],
): Promise<number> {
  const pullMessages = ordersPerMessage === 1 ? 4_096 : 1_024;
  const start: NoopStart = {
    url,
    client,
    stream: (streams[0] as PartitionStreams).input,
    pullMessages,
    from: warmMessages(messages, ordersPerMessage),
    to: messages,
  };
  const worker = new Worker(new URL("./brokernoop.js", import.meta.url), { workerData: start });
  try {
    const rate = await new Promise<number>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    return rate * ordersPerMessage;
  } finally {
    await worker.terminate();
  }
}

/** Orders a second into the state of these partitions, each worker with those of its group. */
async function measureOwners(shop: Shop, groups: readonly (readonly PartitionStreams[])[]): Promise<number> {
  const { settings, url, broker, messages, ordersPerMessage } = shop;
  const streams = groups.flat();
  for (const { partition, input, control, ledger } of streams) {
    // As in the first round: no ledger, no control message.
    await broker.api(`STREAM.DELETE.${ledger}`).catch(() => {});
    await broker.api(`STREAM.CREATE.${ledger}`, {
      name: ledger,
      subjects: ledgerSubjects(settings.name, partition),
      storage: "file",
    });
    await broker.api(`STREAM.PURGE.${input}`, { filter: control });
  }
  const seed = new Uint8Array(randomBytes(16));
  const workers = groups.map((group, worker) => {
    const start: WorkerStart = {
      worker,
      broker: { servers: url },
      wasm,
      settings,
      streams: group,
      seed,
      applyModel: "no",
      accepted: { gap: false, rewind: false, ledger: false },
      discardCheckpoints: false,
    };
    return new Asked(start);
  });
  try {
    const all = messages * streams.length;
    let from: { at: number; position: number } | undefined;
    let last = { at: 0, position: 0 };
    for (;;) {
      await new Promise((done) => setTimeout(done, POLL_MS));
      const answers = await Promise.all(workers.map((worker) => worker.status()));
      const at = performance.now();
      // Control messages lie behind the orders.
      const position = answers.flat().reduce((sum, status) => sum + Math.min(status.position, messages), 0);
      if (position >= all) {
        if (from === undefined) throw new Error("it was over before it began");
        return ((last.position - from.position) / (last.at - from.at)) * ordersPerMessage * 1_000;
      }
      last = { at, position };
      if (position >= streams.length * warmMessages(messages, ordersPerMessage)) from ??= last;
    }
  } finally {
    for (const worker of workers) await worker.end();
  }
}

/** The engine's own worker thread, asked for its status. */
class Asked {
  readonly #worker: Worker;
  #answer: { resolve: (value: OwnerStatus[]) => void; reject: (error: Error) => void } | undefined;
  #questions = 0;
  #failure: Error | undefined;

  constructor(start: WorkerStart) {
    this.#worker = new Worker(new URL("../connectors/nats/worker.js", import.meta.url), { workerData: start });
    this.#worker.on("message", (message: FromWorker) => {
      if (message.kind === "answer") this.#answer?.resolve(message.value as OwnerStatus[]);
      else if (message.kind === "failed" || message.kind === "refusal") this.#fail(new Error(message.error.message));
    });
    this.#worker.on("error", (error) => this.#fail(error));
  }

  /** Throws Error where the worker has failed. */
  status(): Promise<OwnerStatus[]> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      this.#answer = { resolve, reject };
      this.#worker.postMessage({ id: ++this.#questions, kind: "status" });
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(error: Error): void {
    this.#failure = error;
    this.#answer?.reject(error);
  }
}

const WORKERS2 = "broker.workers2";
const WORKERS2_GOAL = 1.6;
const CORES_NOTE = "server, client and kernel share the machine's cores";

async function runReading(options: BenchOptions): Promise<readonly Result[]> {
  const { quick, wants, note } = options;
  const rounds = roundsOf(options);
  const results: Result[] = [];
  const kinds = [
    { kind: "single", ordersPerMessage: 1, messages: quick ? 500_000 : 1_000_000, goal: 0.95, workers2: true },
    { kind: "batch100", ordersPerMessage: 100, messages: quick ? 15_000 : 40_000, goal: 0.8, workers2: false },
  ];
  await withServer(async (server) => {
    for (const { kind, ordersPerMessage, messages, goal, workers2 } of kinds) {
      const ours = `broker.${kind}`;
      const noop = `broker.noop.${kind}`;
      const limit = `limit.broker.${kind}`;
      const single = wants(ours) || wants(noop) || wants(limit);
      const both = workers2 && wants(WORKERS2);
      if (!single && !both) continue;
      const shop = await openShop(server, both ? 2 : 1, messages, ordersPerMessage);
      const [first, second] = shop.streams as [PartitionStreams, PartitionStreams?];
      const contestants: Contestant[] = [{ name: ours, measure: () => measureOwners(shop, [[first]]) }];
      if (single) {
        contestants.unshift({ name: noop, measure: () => measureNoop(shop, "package") });
        contestants.push({ name: limit, measure: () => measureNoop(shop, "adapter") });
      }
      if (second) contestants.push({ name: WORKERS2, measure: () => measureOwners(shop, [[first], [second]]) });
      const figures = await inTurn(contestants, { rounds, note });
      const about = `${messages.toLocaleString("en-US")} messages in memory, ${CUSTOMERS.toLocaleString("en-US")} customers; ${CORES_NOTE}`;
      if (single) {
        results.push({ ...figures.result(noop, "orders/s"), note: "the npm client as it comes; counts messages only" });
        results.push({ ...withRatioGoal(figures.result(ours, "orders/s", noop), "≥", goal), note: about });
        results.push({ ...figures.result(limit, "orders/s"), note: "our adapter of the client; counts messages only" });
      } else results.push({ ...figures.result(ours, "orders/s"), note: about });
      if (second) {
        const note = `one order a message, a partition a worker, beside one partition on one worker; the goal is for a machine with a core for each worker and the server: at least 3, and this one has ${availableParallelism()}`;
        results.push({ ...withRatioGoal(figures.result(WORKERS2, "orders/s", ours), "≥", WORKERS2_GOAL), note });
      }
      await closeShop(shop);
    }
  });
  return results;
}

export const brokerBenches: readonly Bench[] = [
  {
    names: [
      "broker.noop.single",
      "broker.single",
      "limit.broker.single",
      WORKERS2,
      "broker.noop.batch100",
      "broker.batch100",
      "limit.broker.batch100",
    ],
    run: runReading,
  },
];
