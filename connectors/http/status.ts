/** How far each partition has come, for the page and for people. */
import { OUTCOMES, type Outcome, REASONS, type Reason } from "../../runtime/record.js";
import type { Capacity, Settings } from "../../runtime/settings.js";
import type { PartitionStatus, Readiness } from "../edge.js";

export interface StatusDescription {
  readonly name: string;
  /** Hash of the configuration. */
  readonly version: string;
  readonly models: readonly string[];
  /** The engine's own clock when it answered, ms: what others are compared with. */
  readonly now: number;
  readonly ready: boolean;
  readonly checks: Readiness["checks"];
  /** Partitions of the configuration: those not yet begun are missing below. */
  readonly partitionCount: number;
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
    /** Since the start: those that could not be stored or read. */
    readonly checkpointFailures: number;
    /** The stream's first message, and when the broker stamped the last one applied, ms, null before the first. */
    readonly streamFirst: number;
    readonly stamp: number | null;
    readonly nextDue: number | null;
    /** Number of the last record made, and of the last one stored; how many are on their way or wait; those refused. */
    readonly ledger: number;
    readonly ledgerAcked: number;
    readonly ledgerInFlight: number;
    readonly ledgerRefused: number;
    /** In use, of what there is room for; what is full restarts larger, up to `capacityMax`. */
    readonly customers: number;
    readonly entries: number;
    readonly idBytes: number;
    readonly capacity: Capacity;
    readonly capacityMax: Capacity;
    readonly parked: number;
    readonly parkedMax: number;
    /** Rows that are not what their orders come to. */
    readonly auditDifferences: number;
    readonly error?: string;
  }[];
}

export function describeStatus(
  settings: Settings,
  readiness: Readiness,
  statuses: readonly PartitionStatus[],
  now: number,
): StatusDescription {
  const { capacityMax, parkedMax } = settings;
  const partitions = statuses.map(({ checkpoint, error, ...status }) => {
    const { partition, state, position, streamFirst, streamLast, clock, overdue, nextDue, live, stats } = status;
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
      checkpointFailures: checkpoint.failures,
      streamFirst,
      stamp: status.positionStamp === 0 ? null : status.positionStamp,
      nextDue,
      ledger: status.ledgerNumber,
      ledgerAcked: status.ledgerAcked,
      ledgerInFlight: status.ledgerInFlight,
      ledgerRefused: status.ledgerRefused,
      customers: stats.customers,
      entries: stats.entries,
      idBytes: stats.idBytes,
      capacity: stats.capacity,
      capacityMax,
      parked: stats.parked,
      parkedMax,
      auditDifferences: status.audit.differences,
      ...(error === undefined ? {} : { error }),
    };
  });
  const clocks = partitions.flatMap(({ clock, overdue }) => overdue ?? clock ?? []);
  return {
    name: settings.name,
    version: settings.version,
    models: settings.models.map(({ name }) => name),
    now,
    ready: readiness.ok,
    checks: readiness.checks,
    partitionCount: settings.partitions,
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
