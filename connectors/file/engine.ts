/** A finished replay as the edges see an engine: the same page, API and WebSocket, over what does not change any more. */
import { InputError } from "../../runtime/errors.js";
import { type Explanation, explain } from "../../runtime/explain.js";
import type { Partition } from "../../runtime/partition.js";
import type { Settings } from "../../runtime/settings.js";
import { partitionOf } from "../../runtime/subjects.js";
import { addCounts } from "../counts.js";
import type { EdgeEngine, ModelCounts, PartitionStatus, Readiness, StateAnswer, StateRow } from "../edge.js";
import type { KeptLedger } from "./ledger.js";
import type { Replay } from "./replay.js";

const STATE_ROWS_MAX = 2_000;

export class FileEngine implements EdgeEngine {
  readonly settings: Settings;
  readonly ledger: KeptLedger;
  readonly #replayed: Replay;

  /** Nothing is applied to the replay from here on. `ledger` holds its newest records. */
  constructor(settings: Settings, replayed: Replay, ledger: KeptLedger) {
    this.settings = settings;
    this.ledger = ledger;
    this.#replayed = replayed;
  }

  async status(): Promise<PartitionStatus[]> {
    return this.#replayed.partitions.map(statusOf);
  }

  async counts(): Promise<ModelCounts[]> {
    return addCounts(this.#replayed.partitions.map((partition) => partition.counts()));
  }

  /** They never change. */
  onCounts(): () => void {
    return () => undefined;
  }

  async state(): Promise<StateAnswer> {
    const { partitions } = this.#replayed;
    return {
      instant: Math.max(...partitions.map(({ clock }) => clock)),
      positions: partitions.map(({ position }) => position.sequence),
      rows: inParts(this.#replayed.state()),
    };
  }

  async explain(customer: string, ordersMax: number): Promise<Explanation | undefined> {
    const { partitions } = this.#replayed;
    const history = partitions[partitionOf(customer, partitions.length)]?.history(customer);
    return history === undefined ? undefined : explain(this.settings, history, ordersMax);
  }

  async checkpoint(): Promise<never> {
    throw new InputError("USAGE", "a replay of files keeps no checkpoints", {
      remedy: "Publish the files to a running engine, and take a checkpoint or savepoint there.",
    });
  }

  ready(): Readiness {
    const { records, all } = this.ledger.kept;
    return {
      ok: true,
      checks: {
        replay: { ok: true, detail: "the files have been read to their end" },
        ledger: { ok: true, detail: `the last ${records} of ${all} records are kept` },
      },
    };
  }
}

/** Pulled: who does not read on holds nothing up. */
async function* inParts(rows: readonly StateRow[]): AsyncGenerator<StateRow[]> {
  for (let from = 0; from < rows.length; from += STATE_ROWS_MAX) yield rows.slice(from, from + STATE_ROWS_MAX);
}

/** What belongs to a broker, to threads or to checkpoints is not there: 0 for each. */
function statusOf(partition: Partition): PartitionStatus {
  const { sequence, stamp } = partition.position;
  const never = { buckets: [], counts: [0], sum: 0, count: 0 };
  return {
    partition: partition.partition,
    worker: 0,
    eventLoopDelaySeconds: { mean: 0, p50: 0, p99: 0, max: 0 },
    stateAnswers: 0,
    stateAnswersRefused: 0,
    statePausesCut: 0,
    state: "running",
    position: sequence,
    positionStamp: stamp,
    streamFirst: 1,
    streamLast: sequence,
    clock: partition.clock,
    overdue: partition.overdue,
    nextDue: partition.nextDue,
    live: partition.live,
    ledgerNumber: partition.recordNumber,
    ledgerAcked: partition.recordNumber,
    ledgerInFlight: 0,
    ledgerRefused: 0,
    reconnects: 0,
    checkpoint: {
      ...{ position: 0, madeAt: 0, bytes: 0, seconds: 0, taken: 0, failures: 0 },
      ...{ restores: 0, restoreSeconds: 0, fallbacks: 0, growths: 0, restored: 0, waiting: 0, refused: 0 },
    },
    applySeconds: never,
    delaySeconds: never,
    bufferedMax: 0,
    tickWaitSeconds: 0,
    audit: { rows: 0, differences: 0 },
    stats: partition.stats(),
  };
}
