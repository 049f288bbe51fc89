/** What is to be known of each model at one instant: who is where, worth what, how they came there, who is about to go. */
import { type Crosstable, crosstables } from "./crosstable.js";
import { DepartureCount, type Departures } from "./departures.js";
import type { Outlook } from "./kernel.js";
import { type Move, movesOf } from "./moves.js";
import { bandIn } from "./output.js";
import type { PartitionStats } from "./partition.js";
import type { Dimension, Model, Settings } from "./settings.js";

/** Of one model. Revenue is what customers are worth in its monetary window: minor units of its currency, exact. */
export interface ModelReport {
  readonly model: string;
  readonly currency: string;
  /** Of the monetary dimension, ms; Infinity for ever. */
  readonly windowMs: number;
  readonly customers: number;
  readonly revenue: bigint;
  /** Migrations of segments, and of bands alone. */
  readonly migrations: { readonly segment: number; readonly bands: number };
  /** In rule order; customers in none last, under null. */
  readonly segments: readonly SegmentReport[];
  readonly crosstables: readonly Crosstable[];
  readonly moves: readonly Move[];
  /** Of every segment, in rule order. */
  readonly departures: readonly Departures[];
}

export interface SegmentReport {
  readonly segment: string | null;
  readonly customers: number;
  readonly revenue: bigint;
}

/**
 * One report a model. `outlooks` are those of all customers of all partitions, exact at `now` (ms), taken once and
 * one by one. Memory: a few numbers a cell.
 */
export function reportOf(
  { models }: Pick<Settings, "models">,
  now: number,
  stats: readonly Pick<PartitionStats, "migrations">[],
  outlooks: Iterable<Outlook>,
): ModelReport[] {
  const tallies = models.map((model) => new Tally(model, now));
  for (const outlook of outlooks) (tallies[outlook.model] as Tally).add(outlook);
  return tallies.map((tally) => tally.report(stats));
}

class Tally {
  readonly #model: Model;
  /** By cell. */
  readonly #customers: number[];
  readonly #revenue: bigint[];
  readonly #none = { segment: null, customers: 0, revenue: 0n };
  readonly #departures: DepartureCount;

  constructor(model: Model, now: number) {
    this.#model = model;
    this.#customers = model.cells.map(() => 0);
    this.#revenue = model.cells.map(() => 0n);
    this.#departures = new DepartureCount(model, now);
  }

  add(outlook: Outlook): void {
    const { segment, bands, revenue } = outlook;
    if (segment === null) {
      this.#none.customers++;
      this.#none.revenue += BigInt(revenue);
      return;
    }
    const cell = this.#model.strides.reduce((sum, stride, d) => sum + stride * bandIn(bands, d), 0);
    this.#customers[cell] = (this.#customers[cell] as number) + 1;
    this.#revenue[cell] = (this.#revenue[cell] as bigint) + BigInt(revenue);
    this.#departures.add(outlook);
  }

  report(stats: readonly Pick<PartitionStats, "migrations">[]): ModelReport {
    const model = this.#model;
    const placed = model.segments.map((segment) => ({ segment: segment as string | null, customers: 0, revenue: 0n }));
    for (const [cell, number] of model.cells.entries()) {
      const segment = placed[number] as (typeof placed)[number];
      segment.customers += this.#customers[cell] as number;
      segment.revenue += this.#revenue[cell] as bigint;
    }
    const segments = [...placed, this.#none];
    const moves = movesOf(model, stats);
    return {
      model: model.name,
      currency: model.currency,
      windowMs: (model.dimensions.find(({ name }) => name === "monetary") as Dimension).windowMs,
      customers: segments.reduce((sum, { customers }) => sum + customers, 0),
      revenue: segments.reduce((sum, { revenue }) => sum + revenue, 0n),
      migrations: {
        segment: moves.reduce((sum, { count }) => sum + count, 0),
        bands: bandsAlone(model, stats),
      },
      segments,
      crosstables: crosstables(model, this.#customers, this.#revenue),
      moves,
      departures: this.#departures.all(),
    };
  }
}

function bandsAlone({ name }: Model, stats: readonly Pick<PartitionStats, "migrations">[]): number {
  let bands = 0;
  for (const { migrations } of stats)
    for (const { model, from, to, count } of migrations) if (model === name && from === to) bands += count;
  return bands;
}
