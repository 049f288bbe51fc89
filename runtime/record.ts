/** What crosses the border of a partition: messages in, records out. Plain values, no behaviour. */

/** One message of an input stream. */
export interface InputMessage {
  /** Stream sequence: the position once it is applied. */
  readonly sequence: number;
  /** The broker's timestamp, ms, rounded down. Not ordered. */
  readonly stamp: number;
  readonly subject: string;
  /** Number of the source in `Settings.sources`. */
  readonly source: number;
  /** Came on the control subject: `tick`, `live`, `model`. */
  readonly control: boolean;
  /** Carried `Tidemark-Silent: 1`. */
  readonly silent: boolean;
  readonly body: Uint8Array;
}

/** One record of a partition's ledger, ready to be published as stream sequence `number`. */
export class LedgerRecord {
  constructor(
    readonly number: number,
    /** Input position at which it was found. */
    readonly position: number,
    readonly subject: string,
    /** Its own lie from `from` on, header lines (see head.ts) and behind them the body, up to `end`. */
    readonly bytes: Uint8Array,
    readonly from: number,
    readonly bodyAt: number,
    readonly end: number,
  ) {}

  /** Of copies. */
  static of({
    number,
    position,
    subject,
    head,
    body,
  }: Pick<LedgerRecord, "number" | "position" | "subject" | "head" | "body">): LedgerRecord {
    const bytes = new Uint8Array(head.length + body.length);
    bytes.set(head);
    bytes.set(body, head.length);
    return new LedgerRecord(number, position, subject, bytes, 0, head.length, bytes.length);
  }

  // Views, which on the path of every record would cost more than its encoding: there the bytes are copied as they lie.

  get head(): Uint8Array {
    return this.bytes.subarray(this.from, this.bodyAt);
  }

  get body(): Uint8Array {
    return this.bytes.subarray(this.bodyAt, this.end);
  }
}

export const CAUSES = ["order", "refund", "cancel", "amend", "recency", "window", "tenure", "model"] as const;
export type Cause = (typeof CAUSES)[number];

export const REASONS = [
  "undecodable",
  "missingField",
  "wrongType",
  "overLimit",
  "fraction",
  "timeTooOld",
  "tooFarAhead",
  "noModel",
  "foreignPartition",
  "overflow",
  "conflict",
  "unmatched",
  "parkedFull",
  "unsupported",
] as const;
export type Reason = (typeof REASONS)[number];

export const KINDS = ["order", "refund", "cancel"] as const;
export type Kind = (typeof KINDS)[number];

/** What became of an item. Each is counted by kind. */
export const OUTCOMES = [
  "applied",
  "amended",
  "duplicate",
  "stale",
  "parked",
  "late",
  "test",
  "skipped",
  "anonymous",
  "rejected",
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Values of one customer in one model. Times in ms, money in minor units; null where there is none. */
export interface Values {
  readonly firstOrder: number | null;
  readonly lastOrder: number | null;
  /** Counting orders in the frequency window. */
  readonly orders: number;
  /** Worth in the monetary window less refunds without order. */
  readonly spend: number;
  readonly ordersEver: number;
  readonly spendEver: number;
  /** Sum over the bands; 0 in no segment. */
  readonly points: number;
}

export interface Place {
  /** Number of the segment; null: in none. */
  readonly segment: number | null;
  /** When the customer came into it; null before the first migration. */
  readonly since: number | null;
  /** Band number of each dimension of the model, 0 for none. */
  readonly bands: readonly number[];
}

export interface Migration {
  readonly type: "migration";
  /** Ledger number. */
  readonly number: number;
  /** Ledger number of the customer's previous migration in this partition, 0 for none. */
  readonly previous: number;
  readonly model: number;
  readonly customer: string;
  readonly revision: number;
  /** Instant of the change. */
  readonly time: number;
  readonly silent: boolean;
  readonly from: Place;
  readonly to: Place;
  readonly cause: {
    readonly kind: Cause;
    readonly event: string | null;
    readonly order: string | null;
    readonly channel: string | null;
    readonly time: number | null;
  };
  readonly before: Values;
  readonly after: Values;
  readonly next: { readonly at: number; readonly segment: number } | null;
  readonly due: number | null;
  /** Input position, and the clock T, at which it was found. */
  readonly sequence: number;
  readonly clock: number;
}

export interface DeadLetter {
  readonly type: "dead";
  readonly number: number;
  readonly reason: Reason;
  readonly subject: string;
  readonly sequence: number;
  /** Place of the item in its message, 0 for a message that can't be read. */
  readonly index: number;
  /** Bytes of the item (or whole message) before they were cut to 64 KiB. */
  readonly length: number;
  readonly bytes: Uint8Array;
  /** Where it was readable. */
  readonly customer: string | null;
  readonly clock: number;
}

export type OutputRecord = Migration | DeadLetter;
