/** A source of counts and ledger records in memory, in place of the engine: a double of our own interface only. */
import { setTimeout as delay } from "node:timers/promises";
import type {
  EdgeEngine,
  LedgerEntry,
  ModelCounts,
  PartitionStats,
  PartitionStatus,
  StateRow,
} from "../../connectors/edge.js";
import type { Explanation } from "../../runtime/explain.js";
import { KINDS, OUTCOMES, REASONS } from "../../runtime/record.js";
import type { Dimension, Model, Settings } from "../../runtime/settings.js";
import { migrationSubject } from "../../runtime/subjects.js";

const DAY = 86_400_000;

export const settings: Settings = {
  name: "shop",
  clock: "broker",
  horizonMs: 400 * DAY,
  parkForMs: 30 * DAY,
  futureToleranceMs: DAY,
  clockJumpMsMax: 3_600_000,
  tickMs: 100,
  partitions: 2,
  layout: 1,
  workers: 1,
  replicas: 1,
  ledgerInFlightMax: 1000,
  messageBytesMax: 1_000_000,
  parkedMax: 1000,
  ordersPerCustomerMax: 100_000,
  capacity: { customers: 10_000, entries: 100_000, idBytes: 1_000_000 },
  capacityMax: { customers: 40_000, entries: 400_000, idBytes: 4_000_000 },
  channels: [{ name: "web" }],
  sources: [
    {
      name: "default",
      subjects: [],
      channel: "web",
      fields: {},
      amounts: "minor",
      status: {},
      guests: [],
      anonymous: "skip",
      negative: "reject",
    },
  ],
  models: [model("retail"), model("stores")],
  version: "00112233aabbccdd",
};

function model(name: string): Model {
  const dimensions: Dimension[] = [
    dimension("recency", "newest", Number.POSITIVE_INFINITY, [
      ["short", 30 * DAY],
      ["medium", 90 * DAY],
      ["long", Number.POSITIVE_INFINITY],
    ]),
    dimension("frequency", "count", 365 * DAY, [
      ["often", 12],
      ["regular", 4],
      ["casual", 1],
    ]),
    dimension("monetary", "sum", 90 * DAY, [
      ["spender", 50_000],
      ["average", 10_000],
      ["saver", 1],
    ]),
  ];
  const segments = ["VIP", "Loyal", "At risk", "Sleeping", "Others"];
  const cells = Array.from({ length: 64 }, (_, cell) => {
    const [recency, frequency, monetary] = [cell % 4, Math.floor(cell / 4) % 4, Math.floor(cell / 16)] as const;
    if (recency === 1 && frequency === 1 && monetary === 1) return 0;
    if (recency === 1 && frequency <= 2) return 1;
    if (recency === 2) return 2;
    return recency === 3 ? 3 : 4;
  });
  return {
    name,
    version: `${name}-v1`,
    channels: "*",
    currency: "EUR",
    otherCurrency: "ignore",
    fullRefund: "drop",
    dimensions,
    segments,
    cells,
    strides: [1, 4, 16],
  };
}

function dimension(
  name: Dimension["name"],
  measure: Dimension["measure"],
  windowMs: number,
  bands: [string, number][],
): Dimension {
  return {
    name,
    measure,
    windowMs,
    bands: bands.map(([band, limit], index) => ({ name: band, limit, points: 5 - 2 * index })),
  };
}

export interface Move {
  readonly model?: string;
  readonly from?: string | null;
  readonly to?: string | null;
  readonly cause?: string;
  readonly change?: "segment" | "bands";
  readonly silent?: boolean;
  readonly at?: number;
  readonly padding?: number;
}

export class MemorySource implements EdgeEngine {
  readonly settings = settings;
  readonly records: LedgerEntry[][] = [[], []];
  /** Records below this number have left the ledger, by partition. */
  readonly first = [1, 1];
  epochName = "epoch-1";
  ok = true;
  reads = 0;
  rows: StateRow[] = [];
  refusedLedger = false;
  explanation: Explanation | undefined;
  explained: [string, number][] = [];
  status_: PartitionStatus[] = [partitionStatus(0), partitionStatus(1)];
  #listeners = new Set<(counts: readonly ModelCounts[]) => void>();
  #wake: (() => void)[] = [];
  #cells = settings.models.map(() => new Uint32Array(64));

  ledger = {
    partitions: 2,
    epoch: async () => {
      if (this.refusedLedger) throw new Error("the broker is away");
      return this.epochName;
    },
    bounds: async (partition: number) => ({ first: this.first[partition], last: this.records[partition].length }),
    read: (partition: number, from: number, signal: AbortSignal) => this.#read(partition, from, signal),
  };

  async *#read(partition: number, from: number, signal: AbortSignal): AsyncIterable<readonly LedgerEntry[]> {
    this.reads++;
    for (let number = Math.max(from, this.first[partition]); ; number++) {
      while (number > this.records[partition].length) {
        if (signal.aborted) return;
        await new Promise<void>((resolve) => {
          const wake = () => {
            signal.removeEventListener("abort", wake);
            resolve();
          };
          this.#wake.push(wake);
          signal.addEventListener("abort", wake);
        });
      }
      if (signal.aborted) return;
      number = Math.max(number, this.first[partition]);
      yield [this.records[partition][number - 1]];
    }
  }

  move(customer: string, move: Move = {}, partition = 0): LedgerEntry {
    const {
      model: name = "retail",
      from = "Loyal",
      to = "VIP",
      cause = "order",
      change = "segment",
      silent = false,
    } = move;
    const number = this.records[partition].length + 1;
    const at = move.at ?? Date.now();
    const place = (segment: string | null, recency: string, frequency: string, monetary: string) => ({
      segment,
      since: segment === null ? null : new Date(at - 12 * DAY).toISOString(),
      recency,
      frequency,
      monetary,
    });
    const values = (orders: number, spend: number) => ({
      firstOrder: new Date(at - 300 * DAY).toISOString(),
      lastOrder: new Date(at).toISOString(),
      orders,
      spend,
      ordersEver: orders + 5,
      spendEver: spend + 40_000,
      points: 11,
    });
    const timed = cause === "recency" || cause === "window" || cause === "tenure";
    const event = {
      specversion: "1.0",
      type: "dev.tidemark.customer.migrated.v1",
      source: "/shop",
      id: `${name}/${customer}/${number}`,
      subject: customer,
      time: new Date(at).toISOString(),
      datacontenttype: "application/json",
      data: {
        model: name,
        modelVersion: `${name}-v1`,
        revision: number,
        change,
        silent,
        currency: "EUR",
        from: place(from, timed ? "short" : "medium", "regular", "average"),
        to: place(to, timed ? "medium" : "short", "often", "spender"),
        cause: {
          kind: cause,
          event: timed ? null : `order-${number}`,
          order: timed ? null : `order-${number}`,
          channel: timed ? null : "web",
          time: timed ? null : new Date(at).toISOString(),
          boundaries: timed
            ? ["recency: short → medium"]
            : ["frequency: regular → often", "monetary: average → spender"],
        },
        before: values(11, 42_000),
        after: values(12, 55_900),
        next: to === null ? null : { at: new Date(at + 30 * DAY).toISOString(), segment: "At risk" },
        due: new Date(at + 30 * DAY).toISOString(),
        ...(move.padding === undefined ? {} : { padding: "x".repeat(move.padding) }),
      },
    };
    const subject = migrationSubject("shop", partition, name, change, from, to);
    return this.#append(partition, subject, Buffer.from(JSON.stringify(event)));
  }

  dead(partition = 0): LedgerEntry {
    return this.#append(partition, `shop.dead.${partition}.undecodable`, Buffer.from([0xc1]));
  }

  #append(partition: number, subject: string, body: Uint8Array): LedgerEntry {
    const number = this.records[partition].length + 1;
    const entry = { partition, number, subject, body, headers: {}, time: Date.now() };
    this.records[partition].push(entry);
    const waiting = this.#wake;
    this.#wake = [];
    for (const resume of waiting) resume();
    return entry;
  }

  /** Changes the live counts of a model's cell by so many customers. */
  count(modelNumber: number, cell: number, customers: number): void {
    this.#cells[modelNumber][cell]! += customers;
    const counts = this.#counts();
    for (const listener of this.#listeners) listener(counts);
  }

  #counts(): ModelCounts[] {
    return settings.models.map(({ name: model, cells: segmentOf, segments: names }, index) => {
      const cells = this.#cells[index];
      const segments = names.map(() => 0);
      for (const [cell, customers] of cells.entries()) if (cell > 0) segments[segmentOf[cell]!]! += customers;
      const customers = cells.reduce((sum, value) => sum + value, 0);
      return { model, cells: Uint32Array.from(cells), segments, none: cells[0], customers };
    });
  }

  async counts(): Promise<ModelCounts[]> {
    await delay(1);
    return this.#counts();
  }

  onCounts(listener: (counts: readonly ModelCounts[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  async status(): Promise<PartitionStatus[]> {
    return this.status_;
  }

  async explain(customer: string, ordersMax: number) {
    this.explained.push([customer, ordersMax]);
    return this.explanation;
  }

  async checkpoint() {
    return [41, 7];
  }

  async state() {
    const { rows } = this;
    return {
      instant: 1_767_225_600_000,
      positions: [41, 7],
      rows: (async function* () {
        for (let i = 0; i < rows.length; i += 100) yield rows.slice(i, i + 100);
      })(),
    };
  }

  ready() {
    return {
      ok: this.ok,
      checks: {
        broker: { ok: this.ok, detail: this.ok ? "connected" : "not connected" },
        lag: { ok: true, detail: "0 messages" },
      },
    };
  }
}

export function partitionStatus(partition: number): PartitionStatus {
  const stats: PartitionStats = {
    events: KINDS.map((_, kind) => OUTCOMES.map((_, outcome) => kind * 100 + outcome)),
    dead: REASONS.map((_, reason) => reason),
    migrations: [
      { model: "retail", from: null, to: "Others", cause: "order", count: 9 },
      { model: "retail", from: "Loyal", to: "VIP", cause: "recency", count: 3 },
    ],
    messages: 1000,
    ticks: 12,
    fired: 5,
    spurious: 1,
    customers: 40,
    entries: 100,
    idBytes: 400,
    parked: 2,
    chainLongest: 7,
    chainSteps: 123,
    timersPending: 38,
    memoryBytes: 1 << 20,
    capacity: settings.capacity,
  };
  const histogram = { buckets: [0.001, 0.01, 0.1], counts: [5, 3, 1, 1], sum: 0.42, count: 10 };
  const checkpoint = {
    position: 80,
    madeAt: 1_767_225_600_000,
    bytes: 4_321,
    seconds: 0.25,
    taken: 3,
    failures: 1,
    restores: 1,
    restoreSeconds: 0.125,
    fallbacks: 2,
    growths: 4,
    waiting: 5,
    refused: 6,
    restored: 70,
  };
  return {
    partition,
    worker: 0,
    checkpoint,
    audit: { rows: 77, differences: 6 },
    state: "running",
    position: 90,
    positionStamp: 1_767_225_600_500,
    streamFirst: 11,
    streamLast: 100,
    clock: 1_767_225_600_500,
    overdue: partition === 0 ? 1_767_225_600_000 : null,
    nextDue: null,
    live: true,
    ledgerNumber: 20,
    ledgerAcked: 18,
    ledgerInFlight: 2,
    ledgerRefused: 1,
    reconnects: 0,
    applySeconds: histogram,
    delaySeconds: histogram,
    bufferedMax: 12,
    tickWaitSeconds: 0.25,
    stateAnswers: 1,
    stateAnswersRefused: 2,
    statePausesCut: 3,
    eventLoopDelaySeconds: { mean: 0.011, p50: 0.01, p99: 0.02, max: 0.05 },
    stats,
  };
}
