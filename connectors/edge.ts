/** What the edges (HTTP, WebSocket, metrics, page) need of a running engine: plain values, pulled. */
import type { Capacity, Settings } from "../runtime/settings.js";

/** Live customers of one model, in the order of `Settings.models`. */
export interface ModelCounts {
  /** Customers in each cell; null customers are in cell 0. */
  readonly cells: Uint32Array | readonly number[];
  /** Customers in each segment, in rule order. */
  readonly segments: readonly number[];
  /** Customers in no segment. */
  readonly none: number;
  readonly customers: number;
}

/** Buckets as upper bounds in seconds; `counts[i]` observations at most `buckets[i]` and above the bound before; one more count for the rest. */
export interface HistogramValue {
  readonly buckets: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
}

export interface PartitionStats {
  /** By kind, then outcome. */
  readonly events: readonly (readonly number[])[];
  /** By reason. */
  readonly dead: readonly number[];
  readonly migrations: readonly {
    readonly model: number;
    readonly from: number | null;
    readonly to: number | null;
    readonly cause: number;
    readonly count: number;
  }[];
  readonly messages: number;
  readonly ticks: number;
  readonly fired: number;
  readonly spurious: number;
  readonly customers: number;
  readonly entries: number;
  readonly idBytes: number;
  readonly parked: number;
  readonly chainLongest: number;
  readonly chainSteps: number;
  readonly timersPending: number;
  readonly memoryBytes: number;
  readonly capacity: Capacity;
}

export interface PartitionStatus {
  readonly partition: number;
  readonly worker: number;
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
  readonly applySeconds: HistogramValue;
  readonly delaySeconds: HistogramValue;
  readonly eventLoopDelaySeconds: {
    readonly mean: number;
    readonly p50: number;
    readonly p99: number;
    readonly max: number;
  };
  readonly stats: PartitionStats;
}

export interface StateRow {
  readonly model: string;
  readonly customer: string;
  readonly lastOrder: number | null;
  readonly firstOrder: number | null;
  readonly orders: number;
  readonly spend: number;
  readonly ordersEver: number;
  readonly spendEver: number;
  readonly recency: string | null;
  readonly frequency: string | null;
  readonly monetary: string | null;
  readonly tenure: string | null;
  readonly points: number;
  readonly segment: string | null;
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
  /** Records of one partition in order from `from` on, then as they come, until the signal aborts. Pulled: bounded memory. */
  read(partition: number, from: number, signal: AbortSignal): AsyncIterable<LedgerEntry>;
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
  readonly ledger: LedgerReader;
  ready(): Readiness;
}
