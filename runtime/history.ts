/** One customer as the kernel knows it: its orders, its rows, and what waits for it. Plain values: it crosses threads. */
import type { StateRow } from "./state.js";

/** The partition's clock and what it makes of one customer, all of one instant. */
export interface CustomerHistory {
  readonly customer: string;
  readonly partition: number;
  /** Input sequence applied, and T in ms. */
  readonly position: number;
  readonly clock: number;
  /** The oldest instant not yet fired in the partition, ms; null: rows are exact at the clock. */
  readonly overdue: number | null;
  /** Version of the configuration in force. */
  readonly version: string;
  readonly orders: OrderColumns;
  /** One a model, in configuration order; none where no event of the customer was applied (only reversals wait). */
  readonly rows: readonly HistoryRow[];
  /** Reversals that wait for their order, the first 100; and how many there are. */
  readonly waiting: readonly WaitingReversal[];
  readonly waitingCount: number;
}

/**
 * Orders and refunds without order that lie within the horizon, from the oldest to the newest. Columns of one length:
 * there may be a hundred thousand.
 */
export interface OrderColumns {
  readonly count: number;
  /** ms. */
  readonly time: Float64Array;
  /** Minor units, as they came last; what was refunded of it. */
  readonly amount: Float64Array;
  readonly refunded: Float64Array;
  /** 0: none. */
  readonly version: Float64Array;
  /** 1: an order; 2: a refund without order. */
  readonly kind: Uint8Array;
  /** See CANCELLED. */
  readonly cancelled: Uint8Array;
  /** Of `channels`; 255: one beyond those that have a number. */
  readonly channel: Uint8Array;
  readonly channels: readonly string[];
  /** Of `currencies`. */
  readonly currency: Uint16Array;
  /** ISO 4217; empty: each model's own. */
  readonly currencies: readonly string[];
  /** Refunds and cancels that met it, counted up to 65,535. */
  readonly refunds: Uint16Array;
  readonly cancels: Uint16Array;
}

export const ORDER = 1;
/** Of `cancelled`: it stands; a cancel met it; its own status says that it does not count. */
export const CANCELLED = ["stands", "cancelled", "voided"] as const;

export interface HistoryRow {
  readonly row: StateRow;
  /** Number of each dimension's band, 0 for none. */
  readonly bands: readonly number[];
  /** First and last time of the counting orders that have left the horizon, ms; null for none. */
  readonly pastFirst: number | null;
  readonly pastLast: number | null;
  /** When it came into its segment, ms; null before the first migration. */
  readonly since: number | null;
  /** Its migrations so far. */
  readonly revision: number;
  /** The next change of a band, and of the segment, as the kernel would announce it; null for none. */
  readonly due: number | null;
  readonly next: { readonly at: number; readonly segment: string } | null;
}

export interface WaitingReversal {
  readonly kind: "refund" | "cancel";
  /** When it is dead-lettered if its order has not come, ms. */
  readonly expiry: number;
  /** Minor units. */
  readonly amount: number;
  readonly channel: string | null;
  /** Null: its order's. */
  readonly currency: string | null;
  /** Where it is in the input: sequence, and place in its message. */
  readonly sequence: number;
  readonly index: number;
  /** The item as it came, its first 1,024 bytes, and how many there were. */
  readonly item: Uint8Array;
  readonly length: number;
}
