/** The day that two of them go through: what they are told and asked, hour by hour. */
import type { Spent } from "./companion.js";

export const HOUR_MS = 3_600_000;
export const HOURS = 24;
/** Midnight, at which the day begins. */
export const MIDNIGHT = Date.UTC(2026, 0, 1);

export interface DaySpec {
  readonly folder: string;
  readonly customers: number;
  /** Orders of the history. */
  readonly history: number;
  /** Orders of the day, about. */
  readonly orders: number;
}

/** What a contestant of the day is started with. */
export interface ShopSpec {
  /** Of the files that day.ts has written. */
  readonly folder: string;
  /** JSON of `settingsToJson`, with one model. */
  readonly settings: string;
}

/** `history`, or an hour of the day. */
export type Part = "history" | number;

/** The instant at which a part ends. */
export function endOf(part: Part): number {
  return part === "history" ? MIDNIGHT : MIDNIGHT + (part + 1) * HOUR_MS;
}

/** What a part took, and the customers in each segment at its end. */
export interface HourSpent extends Spent {
  readonly segments: readonly number[];
  /** Migrations told on the way; a recompute tells none. */
  readonly records: number;
}
