/** How far each partition has come, for the page and for people. */
import { OUTCOMES, type Outcome, REASONS, type Reason } from "../../runtime/record.js";
import type { PartitionStatus } from "../edge.js";

export interface StatusDescription {
  /** Input messages not yet applied, over all partitions. */
  readonly lag: number;
  /** The oldest clock of all partitions: everything is exact up to it; ms, null before the first message. */
  readonly clock: number | null;
  /** Items by what became of them, and dead letters by reason, since the start of the input; only what is not 0. */
  readonly events: Readonly<Partial<Record<Outcome, number>>>;
  readonly deadLetters: Readonly<Partial<Record<Reason, number>>>;
  /** Every partition has had its `live` event: migrations are no longer silent. */
  readonly live: boolean;
  readonly partitions: readonly {
    readonly partition: number;
    readonly state: PartitionStatus["state"];
    readonly position: number;
    readonly streamLast: number;
    readonly clock: number | null;
    readonly overdue: number | null;
    readonly live: boolean;
    /** Input sequence of the last checkpoint, 0 for none; and when it was stored, ms, null for none since the start. */
    readonly checkpoint: number;
    readonly checkpointAt: number | null;
    readonly error?: string;
  }[];
}

export function describeStatus(statuses: readonly PartitionStatus[]): StatusDescription {
  const partitions = statuses.map(({ checkpoint, error, ...status }) => {
    const { partition, state, position, streamLast, clock, overdue, live } = status;
    return {
      partition,
      state,
      position,
      streamLast,
      clock: clock === 0 ? null : clock,
      overdue,
      live,
      checkpoint: checkpoint.position,
      checkpointAt: checkpoint.madeAt === 0 ? null : checkpoint.madeAt,
      ...(error === undefined ? {} : { error }),
    };
  });
  const clocks = partitions.flatMap(({ clock, overdue }) => overdue ?? clock ?? []);
  return {
    lag: partitions.reduce((sum, { position, streamLast }) => sum + Math.max(0, streamLast - position), 0),
    clock: clocks.length === 0 ? null : Math.min(...clocks),
    events: totals(OUTCOMES, (o) => sum(statuses, ({ stats }) => sum(stats.events, (kind) => kind[o] ?? 0))),
    deadLetters: totals(REASONS, (r) => sum(statuses, ({ stats }) => stats.dead[r] ?? 0)),
    live: partitions.length > 0 && partitions.every(({ live }) => live),
    partitions,
  };
}

function totals<Name extends string>(
  names: readonly Name[],
  count: (n: number) => number,
): Partial<Record<Name, number>> {
  const all = names.map((name, n) => [name, count(n)] as const);
  return Object.fromEntries(all.filter(([, value]) => value > 0)) as Partial<Record<Name, number>>;
}

function sum<Item>(items: readonly Item[], value: (item: Item) => number): number {
  return items.reduce((all, item) => all + value(item), 0);
}
