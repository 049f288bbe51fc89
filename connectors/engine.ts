/** The running engine: worker threads own the partitions, this thread supervises them and answers for all of them. */
import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { FatalError, RetryableError } from "../runtime/errors.js";
import { type Explanation, explain } from "../runtime/explain.js";
import type { Settings } from "../runtime/settings.js";
import { compareRows } from "../runtime/state.js";
import { partitionOf } from "../runtime/subjects.js";
import { addCounts } from "./counts.js";
import type {
  EdgeEngine,
  LedgerReader,
  ModelCounts,
  PartitionStatus,
  Readiness,
  StateAnswer,
  StateRow,
} from "./edge.js";
import { type Broker, type BrokerOptions, connectBroker, within } from "./nats/broker.js";
import { Gatherer } from "./nats/gatherer.js";
import { NatsLedgerReader } from "./nats/ledgerreader.js";
import type { ApplyModel, OwnerStatus } from "./nats/owner.js";
import type { Accepted } from "./nats/recovery.js";
import { instanceSeed } from "./nats/seed.js";
import { ensureStreams, gathersItself, type PartitionStreams } from "./nats/streams.js";
import type {
  CheckpointPlace,
  FromWorker,
  PartitionProgress,
  PlainError,
  Questions,
  TakenRows,
  WorkerStart,
} from "./nats/thread.js";

export interface EngineOptions {
  readonly settings: Settings;
  readonly broker: BrokerOptions;
  readonly applyModel?: ApplyModel;
  /** Losses to go on behind; default none. */
  readonly accepted?: Partial<Accepted>;
  /** Default: none are kept, and each start reads the input from its beginning. */
  readonly checkpoints?: CheckpointPlace | undefined;
  /** Puts the checkpoints that are there aside. */
  readonly discardCheckpoints?: boolean;
  /** Lines for the log. */
  readonly onNote?: (text: string) => void;
  /** The kernel's debug build: asserts its own bugs, slower. */
  readonly debug?: boolean;
}

/** All that `run`, HTTP and WebSocket use. */
export interface Engine extends EdgeEngine {
  /** Resolves when every worker is connected and reads; rejects with FatalError. Its history is then still replayed: see `ready`. */
  start(): Promise<void>;
  /** Resolves when the workers have ended; what was applied is stored, or is made again at the next start. */
  stop(): Promise<void>;
  /** Rejects when a partition can't go on. Never resolves. */
  readonly failed: Promise<never>;
}

const COUNTS_MS = 250;
const STATUS_MS_MAX = 2_000;
const STOP_MS_MAX = 10_000;
const ANSWER_MS_MAX = 120_000;
/** It waits 2 s for what is overdue, and for the slice under way. */
const HISTORY_MS_MAX = 10_000;
/** Until a checkpoint of every partition is stored. */
const CHECKPOINT_MS_MAX = 240_000;
const STATE_ROWS_MAX = 2_000;
/** A partition waits a second for the others to rest; one that needs longer may be quicker the next time. */
const STATE_ROUNDS_MAX = 10;
/** More messages than this behind the input's end: not ready. */
const LAG_MESSAGES_MAX = 100_000;

export function createEngine(options: EngineOptions): Engine {
  return new NatsEngine(options);
}

class NatsEngine implements Engine {
  readonly settings: Settings;
  readonly failed: Promise<never>;
  readonly #options: EngineOptions;
  readonly #fail: (error: Error) => void;
  #failure: Error | undefined;
  #broker: Broker | undefined;
  #ledger: NatsLedgerReader | undefined;
  #gatherer: Gatherer | undefined;
  #streams: readonly PartitionStreams[] = [];
  #workers: Supervised[] = [];
  readonly #listeners = new Set<(counts: readonly ModelCounts[]) => void>();
  #countsTimer: NodeJS.Timeout | undefined;
  #lastStatus = new Map<number, OwnerStatus>();
  #stateToken = 0;
  #stateTaken: Promise<unknown> = Promise.resolve();
  #stopping = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.settings = options.settings;
    let fail: (error: Error) => void = () => {};
    this.failed = new Promise((_, reject) => {
      fail = reject;
    });
    // Whoever runs the engine awaits it; a failure before that must not end the process without a word.
    this.failed.catch(() => {});
    this.#fail = (error) => {
      this.#failure ??= error;
      fail(error);
    };
  }

  get ledger(): LedgerReader {
    if (this.#ledger === undefined) throw new Error("the engine has not started");
    return this.#ledger;
  }

  async start(): Promise<void> {
    const { settings, broker, applyModel = "no", checkpoints, discardCheckpoints = false } = this.#options;
    const accepted = { gap: false, rewind: false, ledger: false, ...this.#options.accepted };
    const debug = this.#options.debug === true;
    this.#broker = await connectBroker({ ...broker, name: `tidemark-${settings.name}` });
    try {
      this.#streams = await ensureStreams(this.#broker, settings);
      this.#ledger = new NatsLedgerReader(this.#broker, this.#streams);
      if (await gathersItself(this.#broker, settings)) {
        this.#gatherer = new Gatherer(this.#broker, settings, this.#ledger, (text) => this.#options.onNote?.(text));
        this.#gatherer.start();
      }
      const wasm = await WebAssembly.compile(await readFile(built(`core/kernel${debug ? ".debug" : ""}.wasm`)));
      const seed = await instanceSeed(this.#broker, settings.name, settings.replicas);
      const workers = Math.max(1, Math.min(settings.workers, this.#streams.length));
      const groups = Array.from({ length: workers }, (_, worker) =>
        this.#streams.filter((_, i) => i % workers === worker),
      );
      this.#workers = groups.map((streams, worker) =>
        this.#supervise({
          ...{ worker, broker, wasm, settings, streams, seed, applyModel },
          ...{ accepted, checkpoints, discardCheckpoints },
        }),
      );
      await Promise.race([Promise.all(this.#workers.map(({ started }) => started)), this.failed]);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#countsTimer);
    await Promise.all(this.#workers.map((worker) => worker.stop()));
    await this.#gatherer?.stop();
    await this.#broker?.close();
  }

  async status(): Promise<PartitionStatus[]> {
    const answers = await Promise.all(
      this.#workers.map(async (worker) => {
        try {
          const found = await worker.ask("status", {}, STATUS_MS_MAX);
          for (const status of found) this.#lastStatus.set(status.partition, status);
          return found;
        } catch {
          return worker.partitions.flatMap((partition) => this.#silent(partition));
        }
      }),
    );
    return answers.flat().sort((a, b) => a.partition - b.partition);
  }

  async counts(): Promise<ModelCounts[]> {
    const answers = await Promise.all(this.#workers.map((worker) => worker.ask("counts", { seen: null })));
    return addCounts(answers.flatMap((answer) => (answer ? [answer.counts] : [])));
  }

  onCounts(listener: (counts: readonly ModelCounts[]) => void): () => void {
    this.#listeners.add(listener);
    this.#countsTimer ??= setInterval(() => void this.#pollCounts(), COUNTS_MS);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      clearInterval(this.#countsTimer);
      this.#countsTimer = undefined;
    };
  }

  /**
   * Every customer's state, exact at one instant: the latest clock of all partitions, which rest at the broker's now.
   * Throws RetryableError where a partition has not caught up within a minute, or they do not rest together.
   */
  async state(): Promise<StateAnswer> {
    const token = ++this.#stateToken;
    const close = () => {
      for (const worker of this.#workers) void worker.ask("stateClose", { token }).catch(() => {});
    };
    try {
      await Promise.all(this.#workers.map((worker) => worker.ask("stateOpen", { token })));
      // One at a time: each would wait for a partition that the other has paused.
      const taken = this.#stateTaken.then(() => this.#takeState(token));
      this.#stateTaken = taken.catch(() => undefined);
      const { instant, positions, parts } = await taken;
      return { instant, positions, rows: this.#mergedRows(token, parts, close) };
    } catch (error) {
      close();
      throw error instanceof Error ? error : new Error(String(error));
    }
  }

  async explain(customer: string, ordersMax: number): Promise<Explanation | undefined> {
    const [only] = this.#streams;
    const partition = only?.adopted ? 0 : partitionOf(customer, this.settings.partitions);
    const history = await this.#workerOf(partition).ask("history", { partition, customer }, HISTORY_MS_MAX);
    if (history === null) return undefined;
    if (history.version !== this.settings.version)
      throw new RetryableError("ENGINE_BUSY", "other models than the configured ones hold in the partition yet", {
        remedy: "Ask again when the engine is ready.",
      });
    return explain(this.settings, history, ordersMax);
  }

  async checkpoint(): Promise<readonly number[]> {
    const answers = await Promise.all(this.#workers.map((worker) => worker.ask("checkpoint", {}, CHECKPOINT_MS_MAX)));
    const stored = new Map(answers.flat().map(({ partition, sequence }) => [partition, sequence]));
    return this.#streams.map(({ partition }) => stored.get(partition) ?? 0);
  }

  ready(): Readiness {
    const states = this.#workers.flatMap(({ progress }) => progress);
    const running = states.filter(({ state }) => state === "running").length;
    const lag = states.reduce((sum, { pending }) => sum + pending, 0);
    const connected = this.#broker?.connected === true && this.#workers.every((worker) => worker.connected);
    const known = states.filter(({ restored }) => restored !== null).length;
    const restored = states.filter(({ restored }) => restored !== null && restored > 0).length;
    const checks = {
      checkpoints: {
        ok: known > 0 && known === this.#streams.length,
        detail: `${restored} of ${known} partitions restored from a checkpoint, ${this.#streams.length - known} not begun`,
      },
      broker: { ok: connected, detail: connected ? `connected to ${this.#broker?.shown}` : "not connected" },
      partitions: {
        ok: this.#failure === undefined && running > 0 && running === this.#streams.length,
        detail: this.#failure?.message ?? `${running} of ${this.#streams.length} have read their input to its end`,
      },
      lag: { ok: lag <= LAG_MESSAGES_MAX, detail: `${lag} messages behind` },
    };
    return { ok: Object.values(checks).every(({ ok }) => ok), checks };
  }

  #supervise(start: WorkerStart): Supervised {
    return new Supervised(
      start,
      (text) => this.#options.onNote?.(text),
      (error) => {
        if (!this.#stopping) this.#fail(error);
      },
    );
  }

  #silent(partition: number): PartitionStatus[] {
    const last = this.#lastStatus.get(partition);
    return last ? [{ ...last, state: "silent", error: "its worker does not answer" }] : [];
  }

  async #pollCounts(): Promise<void> {
    if (this.#polling) return;
    this.#polling = true;
    try {
      const answers = await Promise.all(
        this.#workers.map((worker) => worker.ask("counts", { seen: worker.countsSeen }, STATUS_MS_MAX)),
      );
      for (const [i, answer] of answers.entries()) {
        const worker = this.#workers[i] as Supervised;
        if (answer) {
          worker.countsSeen = answer.seen;
          worker.counts = answer.counts;
        }
      }
      if (answers.every((answer) => answer === null)) return;
      const sum = addCounts(this.#workers.map(({ counts }) => counts));
      for (const listener of this.#listeners) listener(sum);
    } catch {
      // A worker that is busy or gone: the next poll, or `failed`, tells.
    } finally {
      this.#polling = false;
    }
  }
  #polling = false;

  /** Takes the rows of all partitions at one instant; see stateanswers.ts. */
  async #takeState(token: number): Promise<{ instant: number; positions: number[]; parts: readonly TakenRows[] }> {
    const tick = this.settings.clock === "broker";
    for (let round = 0; round < STATE_ROUNDS_MAX; round++) {
      const paused = await Promise.all(
        this.#streams.map(({ partition }) => this.#workerOf(partition).ask("statePause", { token, partition, tick })),
      );
      const instant = Math.max(...paused.map(({ clock }) => clock));
      const taken = await Promise.all(this.#workers.map((worker) => worker.ask("stateTake", { token, instant })));
      if (!taken.includes(null)) {
        const parts = taken.flatMap((parts) => parts ?? []);
        return { instant, positions: paused.map(({ sequence }) => sequence), parts };
      }
    }
    throw new RetryableError("ENGINE_BUSY", `the partitions did not rest together in ${STATE_ROUNDS_MAX} tries`);
  }

  /** Merges the partitions' sorted rows; fetches each one's next part when the last is used up. */
  async *#mergedRows(token: number, parts: readonly TakenRows[], close: () => void): AsyncGenerator<StateRow[]> {
    try {
      const cursors = parts.map((part) => ({ part, from: 0, rows: [] as readonly StateRow[], at: 0 }));
      let out: StateRow[] = [];
      for (;;) {
        let least: (typeof cursors)[number] | undefined;
        for (const cursor of cursors) {
          if (cursor.at === cursor.rows.length && cursor.from < cursor.part.rows) {
            const { partition } = cursor.part;
            cursor.rows = await this.#workerOf(partition).ask("stateRows", {
              partition,
              token,
              from: cursor.from,
              count: STATE_ROWS_MAX,
            });
            if (cursor.rows.length === 0)
              throw new RetryableError("ENGINE_BUSY", "the state was read too slowly and is gone");
            cursor.from += cursor.rows.length;
            cursor.at = 0;
          }
          const row = cursor.rows[cursor.at];
          if (row && (least === undefined || compareRows(row, least.rows[least.at] as StateRow) < 0)) least = cursor;
        }
        if (least === undefined) break;
        out.push(least.rows[least.at++] as StateRow);
        if (out.length < STATE_ROWS_MAX) continue;
        yield out;
        out = [];
      }
      if (out.length > 0) yield out;
    } finally {
      close();
    }
  }

  #workerOf(partition: number): Supervised {
    const found = this.#workers.find(({ partitions }) => partitions.includes(partition));
    if (found === undefined) throw new RangeError(`there is no partition ${partition}`);
    return found;
  }
}

/** One worker thread: questions and answers, and what it told last. */
class Supervised {
  readonly partitions: readonly number[];
  readonly started: Promise<void>;
  progress: readonly PartitionProgress[] = [];
  connected = false;
  countsSeen: number | null = null;
  counts: readonly ModelCounts[] = [];
  readonly #worker: Worker;
  readonly #waiting = new Map<
    number,
    { resolve: (value: never) => void; reject: (error: Error) => void; timer: NodeJS.Timeout }
  >();
  readonly #ended: Promise<void>;
  #questions = 0;

  constructor(start: WorkerStart, note: (text: string) => void, fail: (error: Error) => void) {
    this.partitions = start.streams.map(({ partition }) => partition);
    this.#worker = new Worker(built("connectors/nats/worker.js"), { workerData: start });
    let begun = () => {};
    this.started = new Promise((resolve) => {
      begun = resolve;
    });
    this.#worker.on("message", (message: FromWorker) => {
      if (message.kind === "answer") this.#settle(message.id, ({ resolve }) => resolve(message.value as never));
      else if (message.kind === "refusal") this.#settle(message.id, ({ reject }) => reject(errorOf(message.error)));
      else if (message.kind === "failed") fail(errorOf(message.error));
      else if (message.kind === "note") note(message.text);
      else if (message.kind === "progress") {
        this.progress = message.states;
        this.connected = message.connected;
      } else {
        this.connected = true;
        begun();
      }
    });
    this.#worker.on("error", (error) =>
      fail(new FatalError("KERNEL_FAULT", `worker ${start.worker} ended: ${error.message}`, { cause: error })),
    );
    this.#ended = new Promise((resolve) => this.#worker.once("exit", () => resolve()));
    void this.#ended.then(() => {
      for (const id of [...this.#waiting.keys()])
        this.#settle(id, ({ reject }) => reject(new Error(`worker ${start.worker} has ended`)));
      fail(new FatalError("KERNEL_FAULT", `worker ${start.worker} ended by itself`));
    });
  }

  /** Rejects when the answer does not come in time, or the worker ends. */
  ask<K extends keyof Questions>(
    kind: K,
    question: Questions[K]["ask"],
    msMax = ANSWER_MS_MAX,
  ): Promise<Questions[K]["answer"]> {
    const id = ++this.#questions;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#settle(id, () => reject(new Error(`no answer to ${kind} within ${msMax} ms`))),
        msMax,
      );
      this.#waiting.set(id, { resolve: resolve as (value: never) => void, reject, timer });
      this.#worker.postMessage({ id, kind, ...question });
    });
  }

  async stop(): Promise<void> {
    await Promise.race([this.ask("stop", {}, STOP_MS_MAX).catch(() => {}), this.#ended]);
    await within(STATUS_MS_MAX, this.#ended);
    await this.#worker.terminate();
  }

  #settle(
    id: number,
    how: (waiting: { resolve: (value: never) => void; reject: (error: Error) => void }) => void,
  ): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    clearTimeout(waiting.timer);
    this.#waiting.delete(id);
    how(waiting);
  }
}

function errorOf({ name, code, message, remedy }: PlainError): Error {
  if (code === undefined)
    return new RetryableError("BROKER_UNREACHABLE", `${name}: ${message}`, { remedy: "Try again." });
  // The message carries the code in front already.
  return new FatalError(code, message.replace(`${code}: `, ""), remedy === undefined ? undefined : { remedy });
}

/** A built file. Worker threads and the kernel run from dist, also where this file is run from its source (tests). */
function built(path: string): URL {
  const source = import.meta.url.endsWith(".ts");
  return new URL(source ? `../dist/${path}` : `../${path}`, import.meta.url);
}
