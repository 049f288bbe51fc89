/** Every metric of an engine: its name, its meaning, and where its samples come from at a scrape. */
import { KINDS, OUTCOMES, REASONS } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import type { HistogramValue, ModelCounts, PartitionStatus } from "../edge.js";
import type { WebSocketStats } from "../websocket/server.js";

/** What one scrape saw. */
export interface Snapshot {
  readonly settings: Settings;
  readonly version: string;
  readonly partitions: readonly PartitionStatus[];
  readonly counts: readonly ModelCounts[];
  readonly sockets: WebSocketStats | undefined;
  readonly scrapeErrors: number;
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export type Family =
  | {
      readonly name: string;
      readonly help: string;
      readonly type: "counter" | "gauge";
      readonly samples: (snapshot: Snapshot) => Iterable<Sample>;
    }
  | {
      readonly name: string;
      readonly help: string;
      readonly type: "histogram";
      readonly histograms: (
        snapshot: Snapshot,
      ) => Iterable<{ readonly labels: Readonly<Record<string, string>>; readonly value: HistogramValue }>;
    };

/** A customer in no segment, as in the subjects. */
const NO_SEGMENT = "null";
const STATES = ["starting", "replaying", "running", "stopped", "failed", "silent"] as const;

export const FAMILIES: readonly Family[] = [
  each("counter", "events_total", "Items of input messages by kind and by what became of them.", function* ({ stats }) {
    for (const [kind, outcomes] of stats.events.entries()) {
      for (const [outcome, value] of outcomes.entries()) {
        yield { labels: { kind: KINDS[kind] ?? String(kind), outcome: OUTCOMES[outcome] ?? String(outcome) }, value };
      }
    }
  }),
  each("counter", "dead_letters_total", "Items and messages put aside, by reason.", function* ({ stats }) {
    for (const [reason, value] of stats.dead.entries()) {
      yield { labels: { reason: REASONS[reason] ?? String(reason) }, value };
    }
  }),
  each(
    "counter",
    "migrations_total",
    "Migrations by model, segment before, segment after (null: none) and cause.",
    function* ({ stats }) {
      for (const { model, from, to, cause, count } of stats.migrations)
        yield { labels: { model, from: from ?? NO_SEGMENT, to: to ?? NO_SEGMENT, cause }, value: count };
    },
  ),
  one("counter", "messages_total", "Input messages applied, control messages included.", ({ stats }) => stats.messages),
  one("counter", "ticks_total", "Ticks applied.", ({ stats }) => stats.ticks),
  one("counter", "due_fired_total", "Due customers that time alone made change or look.", ({ stats }) => stats.fired),
  one("counter", "timers_spurious_total", "Timers that fired and found nothing due.", ({ stats }) => stats.spurious),
  one("counter", "chain_steps_total", "Steps along customers' chains of orders.", ({ stats }) => stats.chainSteps),
  histogram("apply_duration_seconds", "Time to apply one block of messages.", (status) => status.applySeconds),
  histogram(
    "delay_seconds",
    "From the broker's stamp of a message to the acknowledgement of the ledger records it caused.",
    (status) => status.delaySeconds,
  ),
  one("gauge", "input_position", "Input stream sequence applied last.", ({ position }) => position),
  one("gauge", "input_first_sequence", "First sequence that the input stream still holds.", (s) => s.streamFirst),
  one("gauge", "input_last_sequence", "Last sequence of the input stream.", ({ streamLast }) => streamLast),
  one("gauge", "lag_messages", "Input messages not yet applied.", (s) => Math.max(0, s.streamLast - s.position)),
  one(
    "gauge",
    "retention_headroom_messages",
    "Messages between the stream's oldest and the next to be applied; below zero some were lost to retention.",
    (status) => status.position + 1 - status.streamFirst,
  ),
  time("input_position_timestamp_seconds", "Broker's stamp of the message applied last.", (s) => s.positionStamp),
  time("clock_timestamp_seconds", "The clock T: state is exact up to it, but for what is overdue.", (s) => s.clock),
  time("overdue_timestamp_seconds", "Oldest instant that is due and has not fired; absent: none.", (s) => s.overdue),
  time(
    "next_due_timestamp_seconds",
    "Earliest instant at which something may fall due; absent: never.",
    (s) => s.nextDue,
  ),
  one("gauge", "timers_pending", "Armed timers.", ({ stats }) => stats.timersPending),
  one("gauge", "ledger_number", "Ledger number of the last record made.", ({ ledgerNumber }) => ledgerNumber),
  one("gauge", "ledger_acknowledged_number", "Ledger number of the last record acknowledged.", (s) => s.ledgerAcked),
  one("gauge", "ledger_in_flight", "Ledger records published and not yet acknowledged.", (s) => s.ledgerInFlight),
  one("counter", "ledger_refused_total", "Ledger publishes that the broker refused.", (s) => s.ledgerRefused),
  one("counter", "broker_reconnects_total", "Reconnections to the broker.", ({ reconnects }) => reconnects),
  time(
    "checkpoint_timestamp_seconds",
    "When the last checkpoint was stored; absent: none since the start.",
    (s) => s.checkpoint.madeAt,
  ),
  one(
    "gauge",
    "checkpoint_position",
    "Input sequence of the last checkpoint taken or restored.",
    (s) => s.checkpoint.position,
  ),
  one("gauge", "checkpoint_bytes", "Size of the last checkpoint.", ({ checkpoint }) => checkpoint.bytes),
  one(
    "gauge",
    "checkpoint_duration_seconds",
    "Time from the begin of the last checkpoint until it was stored.",
    (s) => s.checkpoint.seconds,
  ),
  one("counter", "checkpoints_total", "Checkpoints stored.", ({ checkpoint }) => checkpoint.taken),
  one(
    "counter",
    "checkpoint_failures_total",
    "Checkpoints that could not be stored, or not be listed.",
    (s) => s.checkpoint.failures,
  ),
  one(
    "counter",
    "checkpoint_requests_refused_total",
    "Checkpoints asked for while too many waited for one.",
    (s) => s.checkpoint.refused,
  ),
  one("gauge", "checkpoint_requests", "Who waits for a checkpoint asked for.", (s) => s.checkpoint.waiting),
  one(
    "counter",
    "checkpoint_restores_total",
    "Restarts of a partition from a checkpoint.",
    (s) => s.checkpoint.restores,
  ),
  one(
    "gauge",
    "checkpoint_restore_duration_seconds",
    "Time that the last restore took.",
    (s) => s.checkpoint.restoreSeconds,
  ),
  one(
    "counter",
    "checkpoint_fallbacks_total",
    "Checkpoints that did not serve: an older state was taken.",
    (s) => s.checkpoint.fallbacks,
  ),
  one(
    "counter",
    "partition_growths_total",
    "Restarts of a full partition into larger capacities.",
    (s) => s.checkpoint.growths,
  ),
  all("gauge", "ledger_in_flight_max", "Ledger records that may be in flight, a partition.", function* ({ settings }) {
    yield { labels: {}, value: settings.ledgerInFlightMax };
  }),
  one("counter", "audit_rows_total", "Rows recounted from their orders in idle time.", ({ audit }) => audit.rows),
  one(
    "counter",
    "audit_differences_total",
    "Rows that were not what their orders come to: never expected.",
    ({ audit }) => audit.differences,
  ),
  one("gauge", "input_buffered_messages_max", "Most messages that ever waited to be applied.", (s) => s.bufferedMax),
  one(
    "counter",
    "tick_wait_seconds_total",
    "Time that ticks waited for those of other partitions.",
    (status) => status.tickWaitSeconds,
  ),
  one("gauge", "parked_reversals", "Refunds and cancels that wait for their order.", ({ stats }) => stats.parked),
  all("gauge", "parked_reversals_max", "Refunds and cancels that may wait in a partition.", function* ({ settings }) {
    yield { labels: {}, value: settings.parkedMax };
  }),
  one("gauge", "chain_longest_entries", "Entries in the longest chain of one customer.", (s) => s.stats.chainLongest),
  one("gauge", "customers", "Customers known.", ({ stats }) => stats.customers),
  one("gauge", "customers_capacity", "Customers that the partition has room for.", (s) => s.stats.capacity.customers),
  one("gauge", "log_entries", "Entries of the order log in use.", ({ stats }) => stats.entries),
  one("gauge", "log_entries_capacity", "Entries that the order log has room for.", (s) => s.stats.capacity.entries),
  one("gauge", "customer_id_bytes", "Bytes of customer ids.", ({ stats }) => stats.idBytes),
  one("gauge", "customer_id_capacity_bytes", "Bytes reserved for customer ids.", (s) => s.stats.capacity.idBytes),
  one("gauge", "memory_bytes", "Linear memory of the partition.", ({ stats }) => stats.memoryBytes),
  one("gauge", "partition_live", "1 after the partition's live event: its migrations are no longer silent.", (s) =>
    s.live ? 1 : 0,
  ),
  all("gauge", "partition_state", "1 for the state that the partition is in.", function* ({ partitions }) {
    for (const { partition, state } of partitions) {
      for (const name of STATES) {
        yield { labels: { partition: String(partition), state: name }, value: state === name ? 1 : 0 };
      }
    }
  }),
  delay("mean", "Mean event-loop delay of a worker thread.", ({ mean }) => mean),
  delay("p50", "Median event-loop delay of a worker thread.", ({ p50 }) => p50),
  delay("p99", "99th percentile of a worker thread's event-loop delay.", ({ p99 }) => p99),
  delay("max", "Longest event-loop delay of a worker thread.", ({ max }) => max),
  worker("gauge", "state_answers", "Answers about the state under way, each with its rows.", (s) => s.stateAnswers),
  worker(
    "counter",
    "state_answers_refused_total",
    "Questions about the state refused: too many under way.",
    (s) => s.stateAnswersRefused,
  ),
  worker(
    "counter",
    "state_pauses_cut_total",
    "Pauses of partitions for answers about the state that ended before all partitions were at rest.",
    (s) => s.statePausesCut,
  ),
  all("gauge", "segment_customers", "Customers in each segment (null: in none).", function* ({ counts, settings }) {
    for (const [index, { segments, none }] of counts.entries()) {
      const model = settings.models[index];
      if (model === undefined) continue;
      for (const [number, segment] of model.segments.entries()) {
        yield { labels: { model: model.name, segment }, value: segments[number] ?? 0 };
      }
      yield { labels: { model: model.name, segment: NO_SEGMENT }, value: none };
    }
  }),
  socket("gauge", "clients", "Connected WebSocket clients.", ({ clients }) => by("format", clients)),
  socket("gauge", "subscriptions", "WebSocket subscriptions.", ({ subscriptions }) => by("topic", subscriptions)),
  socket("counter", "connections_total", "WebSocket connections accepted.", ({ opened }) => [plain(opened)]),
  socket("counter", "closed_total", "WebSocket connections ended, by reason.", ({ ends }) => by("reason", ends)),
  socket("counter", "messages_sent_total", "WebSocket messages sent.", ({ sent }) => by("type", sent)),
  socket("counter", "sent_bytes_total", "Bytes of WebSocket messages sent.", ({ sentBytes }) => [plain(sentBytes)]),
  socket("gauge", "queue_bytes", "Bytes that wait for all clients.", ({ queueBytes }) => [plain(queueBytes)]),
  socket("gauge", "queue_largest_bytes", "Bytes that wait for the slowest client.", (s) => [
    plain(s.queueBytesLargest),
  ]),
  socket("counter", "resumes_total", "Subscriptions that resumed, by whether all was there.", ({ resumes }) => [
    { labels: { recovered: "true" }, value: resumes.recovered },
    { labels: { recovered: "false" }, value: resumes.notRecovered },
  ]),
  socket("counter", "refused_upgrades_total", "WebSocket handshakes refused.", (s) => [plain(s.refusedUpgrades)]),
  socket("counter", "errors_total", "Faults on the server's side of WebSockets.", ({ errors }) => [plain(errors)]),
  all("counter", "scrape_errors_total", "Scrapes that could not read everything.", function* ({ scrapeErrors }) {
    yield { labels: {}, value: scrapeErrors };
  }),
  all("gauge", "build_info", "Version of Tidemark and of Node.", function* ({ version }) {
    yield { labels: { version, node: process.versions.node }, value: 1 };
  }),
  all("gauge", "configuration_info", "The configuration in force.", function* ({ settings }) {
    const { name, version, clock, partitions, workers } = settings;
    yield { labels: { name, version, clock, partitions: String(partitions), workers: String(workers) }, value: 1 };
  }),
  all("gauge", "model_info", "The models in force.", function* ({ settings }) {
    for (const { name, version, currency } of settings.models)
      yield { labels: { model: name, version, currency }, value: 1 };
  }),
];

function all(
  type: "counter" | "gauge",
  name: string,
  help: string,
  samples: (snapshot: Snapshot) => Iterable<Sample>,
): Family {
  return { name: `tidemark_${name}`, help, type, samples };
}

/** Several samples a partition, each with more labels. */
function each(
  type: "counter" | "gauge",
  name: string,
  help: string,
  samples: (status: PartitionStatus, snapshot: Snapshot) => Iterable<Sample>,
): Family {
  return all(type, name, help, function* (snapshot) {
    for (const status of answering(snapshot)) {
      const partition = String(status.partition);
      for (const { labels, value } of samples(status, snapshot)) yield { labels: { partition, ...labels }, value };
    }
  });
}

function one(
  type: "counter" | "gauge",
  name: string,
  help: string,
  value: (status: PartitionStatus) => number,
): Family {
  return each(type, name, help, (status) => [plain(value(status))]);
}

/** An instant in ms, told in seconds; no sample where there is none. */
function time(name: string, help: string, instant: (status: PartitionStatus) => number | null): Family {
  return each("gauge", name, help, (status) => {
    const ms = instant(status);
    return ms === null || ms === 0 ? [] : [plain(ms / 1000)];
  });
}

/** One sample a worker thread. */
function worker(
  type: "counter" | "gauge",
  name: string,
  help: string,
  value: (status: PartitionStatus) => number,
): Family {
  return all(type, `worker_${name}`, help, function* (snapshot) {
    const seen = new Set<number>();
    for (const status of answering(snapshot)) {
      if (seen.has(status.worker)) continue;
      seen.add(status.worker);
      yield { labels: { worker: String(status.worker) }, value: value(status) };
    }
  });
}

function delay(
  stat: "mean" | "p50" | "p99" | "max",
  help: string,
  value: (delay: PartitionStatus["eventLoopDelaySeconds"]) => number,
): Family {
  return worker("gauge", `event_loop_delay_${stat}_seconds`, help, (s) => value(s.eventLoopDelaySeconds));
}

function histogram(name: string, help: string, value: (status: PartitionStatus) => HistogramValue): Family {
  return {
    name: `tidemark_${name}`,
    help,
    type: "histogram",
    *histograms(snapshot) {
      for (const status of answering(snapshot)) {
        yield { labels: { partition: String(status.partition) }, value: value(status) };
      }
    },
  };
}

function socket(
  type: "counter" | "gauge",
  name: string,
  help: string,
  samples: (stats: WebSocketStats) => readonly Sample[],
): Family {
  return all(type, `websocket_${name}`, help, ({ sockets }) => (sockets === undefined ? [] : samples(sockets)));
}

/** A worker that did not answer has no numbers: better no sample than one that looks like a fall to zero. */
function* answering({ partitions }: Snapshot): Iterable<PartitionStatus> {
  for (const status of partitions) if (status.state !== "silent") yield status;
}

function by(label: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([key, value]) => ({ labels: { [label]: key }, value }));
}

function plain(value: number): Sample {
  return { labels: {}, value };
}
