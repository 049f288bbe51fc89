/** A worker thread: one connection, the owners of a group of partitions, and answers to the main thread. */
import { once } from "node:events";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parentPort, workerData } from "node:worker_threads";
import { TidemarkError } from "../../runtime/errors.js";
import type { CheckpointStore } from "../checkpoints.js";
import { addCounts } from "../counts.js";
import type { ModelCounts } from "../edge.js";
import { type Broker, connectBroker } from "./broker.js";
import { type CheckpointCounts, emptyCheckpointCounts } from "./checkpointer.js";
import { keep } from "./keeper.js";
import type { PartitionOwner } from "./owner.js";
import { StateAnswers } from "./stateanswers.js";
import { checkpointStore } from "./stores.js";
import type { FromWorker, PlainError, Question, WorkerStart } from "./thread.js";
import { Turns } from "./turns.js";

const PROGRESS_MS = 250;
const DRAIN_MS_MAX = 60_000;
/** A customer is looked at when nothing is overdue; after so long, as it is. */
const HISTORY_MS_MAX = 2_000;

const start = workerData as WorkerStart;
const port = parentPort;
if (port === null) throw new Error("worker.js runs as a worker thread only");
const tell = (message: FromWorker) => port.postMessage(message);
const aborter = new AbortController();
const delay = monitorEventLoopDelay({ resolution: 10 });
const turns = new Turns();
const owners = new Map<number, PartitionOwner>();
const counts = new Map<number, CheckpointCounts>();
const states = new StateAnswers();
let running: Promise<unknown> = Promise.resolve();

async function main(): Promise<void> {
  delay.enable();
  const broker = await connectBroker({
    ...start.broker,
    name: `tidemark-${start.settings.name}-worker-${start.worker}`,
  });
  running = Promise.all(start.streams.map((streams) => own(broker, streams.partition)));
  tell({ kind: "started" });
  const timer = setInterval(() => {
    const states = [...owners].map(([partition, { state, pending }]) => {
      const restored = counts.get(partition)?.restored ?? null;
      return { partition, state, pending, restored };
    });
    tell({ kind: "progress", states, connected: broker.connected });
  }, PROGRESS_MS);
  await running;
  // Partitions that failed are still asked about until the engine stops.
  if (!aborter.signal.aborted) await once(aborter.signal, "abort");
  clearInterval(timer);
  await broker.close();
}

/** Owns a partition until the engine stops. */
async function own(broker: Broker, partition: number): Promise<void> {
  const streams = start.streams.find((found) => found.partition === partition);
  if (streams === undefined) throw new RangeError(`partition ${partition} is not this worker's`);
  const kept = emptyCheckpointCounts();
  counts.set(partition, kept);
  const owner = {
    ...start,
    broker,
    streams,
    turns,
    store: storeOf(broker),
    checkpoints: start.checkpoints ?? { everyMs: Number.POSITIVE_INFINITY, messagesMax: Number.POSITIVE_INFINITY },
    counts: kept,
    note: (text: string) => tell({ kind: "note", text }),
  };
  try {
    await keep(owner, start.discardCheckpoints, (current) => owners.set(partition, current), aborter.signal);
  } catch (error) {
    tell({ kind: "failed", partition, error: plain(error) });
  }
}

function storeOf(broker: Broker): CheckpointStore | undefined {
  const { checkpoints, settings } = start;
  return checkpoints && checkpointStore(settings, checkpoints.folder ?? broker);
}

async function answer(question: Question): Promise<unknown> {
  switch (question.kind) {
    case "status": {
      const seconds = (nanos: number) => (Number.isFinite(nanos) ? nanos / 1e9 : 0);
      const loop = {
        mean: seconds(delay.mean),
        p50: seconds(delay.percentile(50)),
        p99: seconds(delay.percentile(99)),
        max: seconds(delay.max),
      };
      const thread = {
        worker: start.worker,
        eventLoopDelaySeconds: loop,
        stateAnswers: states.count,
        stateAnswersRefused: states.refused,
        statePausesCut: states.pausesCut,
      };
      return Promise.all([...owners.values()].map((owner) => owner.status(thread)));
    }
    case "counts":
      return countsSince(question.seen);
    case "stateOpen":
      states.open(question.token);
      return null;
    case "statePause":
      return states.pause(question.token, ownerOf(question.partition), question.tick);
    case "stateTake":
      return states.take(question.token, question.instant);
    case "stateRows":
      return states.rows(question.token, question.partition, question.from, question.count);
    case "stateClose":
      states.close(question.token);
      return null;
    case "history":
      return (await ownerOf(question.partition).history(question.customer, HISTORY_MS_MAX)) ?? null;
    case "checkpoint":
      return Promise.all(
        [...owners].map(async ([partition, owner]) => ({
          partition,
          sequence: await owner.checkpoint(DRAIN_MS_MAX),
        })),
      );
    case "stop":
      aborter.abort();
      await running;
      return null;
  }
}

function countsSince(seen: number | null): { seen: number; counts: ModelCounts[] } | null {
  const partitions = [...owners.values()].flatMap(({ partition }) => partition ?? []);
  const positions = partitions.reduce((sum, { position }) => sum + position.sequence, 0);
  if (positions === seen) return null;
  return { seen: positions, counts: addCounts(partitions.map((partition) => partition.counts())) };
}

function ownerOf(partition: number): PartitionOwner {
  const owner = owners.get(partition);
  if (owner === undefined) throw new RangeError(`partition ${partition} has not begun`);
  return owner;
}

function plain(error: unknown): PlainError {
  const told = error instanceof Error ? error : new Error(String(error));
  const known = told instanceof TidemarkError ? told : undefined;
  return {
    name: told.name,
    code: known?.code,
    message: known ? told.message : (told.stack ?? told.message),
    remedy: known?.remedy,
  };
}

port.on("message", (question: Question) => {
  answer(question).then(
    (value) => tell({ kind: "answer", id: question.id, value }),
    (error: unknown) => tell({ kind: "refusal", id: question.id, error: plain(error) }),
  );
});

main().then(
  () => port.close(),
  (error: unknown) => tell({ kind: "failed", partition: undefined, error: plain(error) }),
);
