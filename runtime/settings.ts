/**
 * The compiled configuration: what the YAML means, with every default filled in, every duration in
 * milliseconds and every rule turned into a table. Plain data: it crosses thread borders and is hashed.
 */

export type Clock = "broker" | "event";

export interface Settings {
  /** Prefix of every subject, stream and bucket. */
  readonly name: string;
  readonly clock: Clock;
  readonly horizonMs: number;
  readonly parkForMs: number;
  readonly futureToleranceMs: number;
  readonly clockJumpMsMax: number;
  readonly tickMs: number;
  readonly partitions: number;
  /** Counts the layouts of this instance, from 1. */
  readonly layout: number;
  readonly workers: number;
  readonly replicas: number;
  /** Unacknowledged ledger records a partition. */
  readonly ledgerInFlightMax: number;
  /** Bytes of one input message; a larger one is dead-lettered whole as `overLimit`. */
  readonly messageBytesMax: number;
  readonly parkedMax: number;
  readonly ordersPerCustomerMax: number;
  /** Reserved for each partition at start. */
  readonly capacity: Capacity;
  /** What a partition that is full may grow to. */
  readonly capacityMax: Capacity;
  /** Channels named anywhere in the configuration; the position is the kernel's channel number − 1. */
  readonly channels: readonly Channel[];
  /** Never empty: the first one is the default source (Tidemark's own streams). At most 16. */
  readonly sources: readonly Source[];
  /** In configuration order, 1 to 16. */
  readonly models: readonly Model[];
  /** Hash of what decides the output (models, clock, horizon, parking, sources): 16 hex digits. */
  readonly version: string;
}

export interface Capacity {
  readonly customers: number;
  /** Entries of the log: orders, reversals and what belongs to them. */
  readonly entries: number;
  /** Bytes for the ids of all customers. */
  readonly idBytes: number;
}

export interface Channel {
  readonly name: string;
  /** ISO 4217, of an event on this channel that names none; undefined: the model's. */
  readonly currency?: string;
}

export type StatusMeaning = "order" | "cancel" | "skip";

/** The fields of an order event that a source can map. */
export const FIELDS = [
  "id",
  "customer",
  "time",
  "amount",
  "channel",
  "currency",
  "kind",
  "order",
  "version",
  "test",
  "status",
  "cancelled",
] as const;
export type Field = (typeof FIELDS)[number];

export interface Source {
  readonly name: string;
  /** An adopted stream, with the subject for control messages; undefined: Tidemark's own streams. */
  readonly adopt?: { readonly stream: string; readonly control: string };
  readonly subjects: readonly string[];
  /** Channel of an event that names none. */
  readonly channel: string;
  /** Path (1 to 4 keys) of each mapped field. */
  readonly fields: Readonly<Partial<Record<Field, readonly string[]>>>;
  readonly amounts: "minor" | "decimal";
  /** IANA zone of a time without an offset; undefined: such a time is refused. */
  readonly zone?: string;
  /** Meaning of the `status` field's texts; "*" is every other text. */
  readonly status: Readonly<Record<string, StatusMeaning>>;
  /** Customer ids that mean nobody. */
  readonly guests: readonly string[];
  readonly anonymous: "skip" | "reject";
  readonly negative: "reject" | "refund";
}

export type Measure = "newest" | "count" | "sum" | "oldest";

export interface Dimension {
  readonly name: "recency" | "frequency" | "monetary" | "tenure";
  /** newest/oldest: age of the newest/oldest counting order; count/sum: of the orders in the window. */
  readonly measure: Measure;
  /** Infinity for `ever`, and for the two ages. */
  readonly windowMs: number;
  /**
   * Best first. Band number b (1-based; 0 is `none`) is `bands[b - 1]`. Ages: `limit` is the exclusive
   * maximum in ms, ascending, Infinity where the last has none. Counts and sums: the inclusive minimum, descending.
   */
  readonly bands: readonly Band[];
}

export interface Band {
  readonly name: string;
  readonly limit: number;
  readonly points: number;
}

export interface Model {
  readonly name: string;
  /** Hash of this model alone: 16 hex digits. Goes into every migration as `modelVersion`. */
  readonly version: string;
  readonly channels: "*" | readonly string[];
  readonly currency: string;
  readonly otherCurrency: "ignore" | "count";
  readonly fullRefund: "drop" | "keep";
  /** In the order recency, frequency, monetary, tenure (tenure only where configured). */
  readonly dimensions: readonly Dimension[];
  /** In rule order, `Others` last. At most 250. */
  readonly segments: readonly string[];
  /** Segment number of each cell; cell = Σ band of dimension d × strides[d]. At most 65,536 cells. */
  readonly cells: readonly number[];
  readonly strides: readonly number[];
}
