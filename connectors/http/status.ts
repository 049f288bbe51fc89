/** How far each partition has come, for the page and for people. */
import type { PartitionStatus } from "../edge.js";

export interface StatusDescription {
  /** Input messages not yet applied, over all partitions. */
  readonly lag: number;
  /** The oldest clock of all partitions: everything is exact up to it; ms, null before the first message. */
  readonly clock: number | null;
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
    readonly error?: string;
  }[];
}

export function describeStatus(statuses: readonly PartitionStatus[]): StatusDescription {
  const partitions = statuses.map(({ partition, state, position, streamLast, clock, overdue, live, error }) => ({
    partition,
    state,
    position,
    streamLast,
    clock: clock === 0 ? null : clock,
    overdue,
    live,
    ...(error === undefined ? {} : { error }),
  }));
  const clocks = partitions.flatMap(({ clock, overdue }) => overdue ?? clock ?? []);
  return {
    lag: partitions.reduce((sum, { position, streamLast }) => sum + Math.max(0, streamLast - position), 0),
    clock: clocks.length === 0 ? null : Math.min(...clocks),
    live: partitions.length > 0 && partitions.every(({ live }) => live),
    partitions,
  };
}
