/** The oracle's words: a configuration and a stream as a person writes them, and what must come of it. */

export interface BandWords {
  name: string;
  max?: string;
  min?: number;
  points?: number;
}
export type DimensionName = "recency" | "frequency" | "monetary" | "tenure";
export interface RuleWords {
  name: string;
  when: {
    recency?: string[];
    frequency?: string[];
    monetary?: string[];
    tenure?: string[];
    points?: { of?: DimensionName[]; min?: number; max?: number };
  };
}
export interface ModelWords {
  name: string;
  channels: "*" | string[];
  currency: string;
  otherCurrency?: "ignore" | "count";
  fullRefund?: "drop" | "keep";
  recency: { bands: BandWords[] };
  frequency: { window: string; bands: BandWords[] };
  monetary: { window: string; bands: BandWords[] };
  tenure?: { bands: BandWords[] };
  segments: RuleWords[];
}

export interface SettingsWords {
  clock?: "broker" | "event";
  horizon?: string;
  parkFor?: string;
  parkedMax?: number;
  futureTolerance?: string;
  /** Of an event that names none. */
  channel?: string;
  guests?: string[];
  anonymous?: "skip" | "reject";
  /** Currency of an event that names none, by channel. */
  currencies?: Record<string, string>;
  /** History: everything is silent until `live`. Default: live from the start. */
  history?: boolean;
  /** Meaning of the field `status`; absent: the field means nothing. */
  status?: Record<string, "order" | "cancel" | "skip">;
}

/** One input of the stream: one message, or a control event. */
export type Input = { at?: number; silent?: boolean } & (
  | { event: unknown }
  | { message: unknown[] }
  | { raw: string }
  | { tick: number }
  | { live: true }
  | { models: ModelWords[] }
);

/** A row of the State CSV. */
export interface OracleRow {
  model: string;
  customer: string;
  last_order_ms: number | null;
  first_order_ms: number | null;
  orders: number;
  spend: number;
  orders_ever: number;
  spend_ever: number;
  recency: string;
  frequency: string;
  monetary: string;
  tenure: string | null;
  points: number;
  segment: string | null;
}

export interface PlaceWords {
  segment: string | null;
  since: number | null;
  recency: string;
  frequency: string;
  monetary: string;
  /** Only where the model has one. */
  tenure?: string;
}
export interface ValueWords {
  firstOrder: number | null;
  lastOrder: number | null;
  orders: number;
  spend: number;
  ordersEver: number;
  spendEver: number;
  points: number;
}
export interface CauseWords {
  kind: string;
  event: string | null;
  order: string | null;
  channel: string | null;
  time: number | null;
  boundaries: string[];
}
export interface MigrationWords {
  model: string;
  customer: string;
  revision: number;
  time: number;
  change: "segment" | "bands";
  silent: boolean;
  from: PlaceWords;
  to: PlaceWords;
  cause: CauseWords;
  before: ValueWords;
  after: ValueWords;
  next: { at: number; segment: string } | null;
  due: number | null;
}
export interface DeadWords {
  reason: string;
  /** Clock at which it was found; of `unmatched` the instant at which waiting ended. */
  at: number;
  index: number;
  id: string | null;
  customer: string | null;
}
export type OutcomeWords =
  | "applied"
  | "amended"
  | "duplicate"
  | "stale"
  | "parked"
  | "late"
  | "test"
  | "skipped"
  | "anonymous";

export interface Result {
  /** Rows at each instant asked for, sorted by model name, then customer. */
  states: Map<number, OracleRow[]>;
  /** In order of revision for each model and customer. */
  migrations: MigrationWords[];
  dead: DeadWords[];
  counts: Record<OutcomeWords, number>;
}

const DAY = 86_400_000;
const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: DAY };

/** Milliseconds of `30d`, `24h`, `90m`, `1s`, `5ms`; Infinity for `ever`. */
export function durationMs(text: string): number {
  if (text === "ever") return Number.POSITIVE_INFINITY;
  const parts = /^([0-9]+)(ms|s|m|h|d)$/.exec(text);
  if (parts === null) throw new Error(`not a duration: ${text}`);
  return Number(parts[1]) * (UNITS[parts[2] ?? ""] ?? Number.NaN);
}
