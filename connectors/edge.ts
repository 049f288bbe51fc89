/** What the edges (HTTP, WebSocket, metrics, page) need of a running engine: plain values, pulled. */
import type { Explanation } from "../runtime/explain.js";
import type { ModelCounts, PartitionStats } from "../runtime/partition.js";
import type { Settings } from "../runtime/settings.js";
import type { StateRow } from "../runtime/state.js";

export type { ModelCounts, PartitionStats, StateRow };

/** Buckets as upper bounds in seconds; `counts[i]` observations at most `buckets[i]` and above the bound before; one more count for the rest. */
export interface HistogramValue {
  readonly buckets: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
}

/** What is known of a partition's checkpoints, since the process started. */
export interface CheckpointStatus {
  /** Input sequence of the last one taken, or restored from; 0 for none. */
  readonly position: number;
  /** When the last one was stored, ms; 0 for none since the start. */
  readonly madeAt: number;
  /** Of the last one, and how long it took. */
  readonly bytes: number;
  readonly seconds: number;
  readonly taken: number;
  /** Could not be stored, or the store could not be read. */
  readonly failures: number;
  readonly restores: number;
  readonly restoreSeconds: number;
  /** Checkpoints that did not serve, so that an older one or the input's start was taken. */
  readonly fallbacks: number;
  /** Restarts into larger capacities. */
  readonly growths: number;
  /** Who waits for one that was asked for, and who was refused because too many did. */
  readonly waiting: number;
  readonly refused: number;
  /** Position that the partition went on from, 0 for the start of its input; null while that is not yet known. */
  readonly restored: number | null;
}

/** Of the worker thread that owns a partition: the same in each of its partitions. */
export interface ThreadStatus {
  readonly worker: number;
  readonly eventLoopDelaySeconds: {
    readonly mean: number;
    readonly p50: number;
    readonly p99: number;
    readonly max: number;
  };
  /** Answers about the state under way, each of which holds its rows; and those refused because of too many. */
  readonly stateAnswers: number;
  readonly stateAnswersRefused: number;
  /** Pauses of partitions for such answers that ended before all partitions were at rest. */
  readonly statePausesCut: number;
}

/** Rows recounted from their orders since the engine's start, and what differed. */
export interface AuditStatus {
  readonly rows: number;
  readonly differences: number;
}

export interface PartitionStatus extends ThreadStatus {
  readonly partition: number;
  readonly state: "starting" | "replaying" | "running" | "stopped" | "failed" | "silent";
  readonly error?: string;
  readonly position: number;
  readonly positionStamp: number;
  readonly streamFirst: number;
  readonly streamLast: number;
  readonly clock: number;
  readonly overdue: number | null;
  readonly nextDue: number | null;
  readonly live: boolean;
  readonly ledgerNumber: number;
  readonly ledgerAcked: number;
  readonly ledgerInFlight: number;
  readonly ledgerRefused: number;
  readonly reconnects: number;
  readonly checkpoint: CheckpointStatus;
  readonly applySeconds: HistogramValue;
  readonly delaySeconds: HistogramValue;
  /** The most messages that ever waited to be applied, received and in the kernel's input region. */
  readonly bufferedMax: number;
  /** That ticks have waited for those of the thread's other partitions. */
  readonly tickWaitSeconds: number;
  readonly audit: AuditStatus;
  readonly stats: PartitionStats;
}

export interface StateAnswer {
  /** The rows are exact at this instant, ms. */
  readonly instant: number;
  /** Input sequence applied, by partition. */
  readonly positions: readonly number[];
  /** Merged over partitions in State CSV order. Pulled: a reader that stops ends it. */
  readonly rows: AsyncIterable<readonly StateRow[]>;
}

export interface LedgerEntry {
  readonly partition: number;
  readonly number: number;
  readonly subject: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly time: number;
}

export interface LedgerReader {
  readonly partitions: number;
  /** Identifies the ledger (layout and creation): a resume position with another epoch is not recoverable. */
  epoch(): Promise<string>;
  bounds(partition: number): Promise<{ readonly first: number; readonly last: number }>;
  /**
   * Records of one partition in order from `from` on, then as they come, until the signal aborts: those that came
   * together at once. Numbers may jump at the start, where what was asked for has aged out: compare them. Pulled: bounded
   * memory.
   */
  read(partition: number, from: number, signal: AbortSignal): AsyncIterable<readonly LedgerEntry[]>;
}

export interface Readiness {
  readonly ok: boolean;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly detail: string }>>;
}

export interface EdgeEngine {
  readonly settings: Settings;
  status(): Promise<readonly PartitionStatus[]>;
  counts(): Promise<readonly ModelCounts[]>;
  /** Latest value, at most 4 a second, when changed. Returns how to stop listening. */
  onCounts(listener: (counts: readonly ModelCounts[]) => void): () => void;
  state(): Promise<StateAnswer>;
  /**
   * Why a customer is where it is, with the latest `ordersMax` of its orders; undefined where it never came. Rejects
   * where its partition does not answer, or is not begun.
   */
  explain(customer: string, ordersMax: number): Promise<Explanation | undefined>;
  /** Takes a checkpoint of every partition, at rest; the positions once all are stored. Rejects where one can't be. */
  checkpoint(): Promise<readonly number[]>;
  readonly ledger: LedgerReader;
  ready(): Readiness;
}
