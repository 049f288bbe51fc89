/**
 * The newest end of every partition's ledger: followed once for all subscribers, the last records kept in memory.
 * Reading begins with the first subscriber and ends some time after the last: a load of history that nobody
 * watches costs nothing here.
 */
import { setMaxListeners } from "node:events";
import { setTimeout as delay, setImmediate as turn } from "node:timers/promises";
import { encode } from "@msgpack/msgpack";
import type { LedgerEntry, LedgerReader } from "../edge.js";
import { encodePosition } from "./position.js";
import type { Format, Limits, MigrationEvent } from "./protocol.js";

/** One ledger record with what is made of it at most once a turn, however many subscribers want it. */
export class TailRecord {
  readonly partition: number;
  readonly number: number;
  readonly subject: string;
  readonly body: Uint8Array;
  readonly #isMigration: boolean;
  #event: MigrationEvent | null | undefined;
  #packed: Uint8Array | undefined;

  constructor(entry: LedgerEntry, migrationPrefix: string) {
    this.partition = entry.partition;
    this.number = entry.number;
    this.subject = entry.subject;
    this.body = entry.body;
    this.#isMigration = entry.subject.startsWith(migrationPrefix);
  }

  /** The CloudEvent, null for a dead letter. Throws SyntaxError where the body is no JSON. */
  event(): MigrationEvent | null {
    this.#event ??= this.#isMigration ? (JSON.parse(Buffer.from(this.body).toString("utf8")) as MigrationEvent) : null;
    return this.#event;
  }

  /** The event in the bytes of one format. In JSON they are the very bytes of the ledger. */
  encoded(format: Format): Uint8Array {
    if (format === "json") return this.body;
    this.#packed ??= encode(this.event());
    return this.#packed;
  }

  /** Keeps the bytes alone: the objects made of them are several times as large, and few ask again. */
  forget(): void {
    this.#event = undefined;
    this.#packed = undefined;
  }
}

export interface TailHooks {
  /** A new record, in order within its partition. */
  readonly record: (record: TailRecord) => void;
  /** Records are missing before this one: nobody who follows has everything any more. */
  readonly gap: (partition: number) => void;
  readonly error: (error: unknown) => void;
  /** Asked between bursts: resolves when it is worth reading on. */
  readonly pace: () => Promise<void>;
}

/** Records, and bytes of them, between two turns of the sockets. */
const BURST = { records: 64, bytes: 64 * 1024 };
const RETRY_MS = { first: 100, most: 5_000 };

export class LedgerTail {
  readonly #source: { readonly ledger: LedgerReader };
  readonly #prefix: string;
  readonly #limits: Limits;
  readonly #hooks: TailHooks;
  readonly #rings: Ring[] = [];
  #numbers: number[] = [];
  #epoch = "";
  #position: string | undefined;
  #started: Promise<void> | undefined;
  #stop = new AbortController();

  /** `name`: the instance's, the first word of every subject. An engine has its ledger only once it has started. */
  constructor(source: { readonly ledger: LedgerReader }, name: string, limits: Limits, hooks: TailHooks) {
    this.#source = source;
    this.#prefix = `${name}.migrations.`;
    this.#limits = limits;
    this.#hooks = hooks;
  }

  get epoch(): string {
    return this.#epoch;
  }

  /** Number of the last record seen in each partition. */
  get numbers(): readonly number[] {
    return this.#numbers;
  }

  /** How far this tail has come, as a resume position. */
  get position(): string {
    this.#position ??= encodePosition({ epoch: this.#epoch, numbers: this.#numbers });
    return this.#position;
  }

  get reading(): boolean {
    return this.#started !== undefined;
  }

  /** Begins to follow, where that is not under way. Rejects where the ledger can't be read. */
  start(): Promise<void> {
    if (this.#started !== undefined) return this.#started;
    const stop = new AbortController();
    this.#stop = stop;
    this.#started = this.#begin(stop).catch((error: unknown) => {
      // Stopped and begun anew meanwhile: the new reading is not ours to end.
      if (this.#stop === stop) this.stop();
      throw error;
    });
    return this.#started;
  }

  stop(): void {
    this.#stop.abort();
    this.#started = undefined;
    this.#rings.length = 0;
  }

  /** Whether every record from this number on is in memory (or none has come yet). */
  holds(partition: number, number: number): boolean {
    const ring = this.#rings[partition];
    return ring !== undefined && (number >= ring.first || number > this.#last(partition));
  }

  recordAt(partition: number, number: number): TailRecord | undefined {
    return this.#rings[partition]?.records.get(number);
  }

  record(entry: LedgerEntry): TailRecord {
    return new TailRecord(entry, this.#prefix);
  }

  get #ledger(): LedgerReader {
    return this.#source.ledger;
  }

  #last(partition: number): number {
    return this.#numbers[partition] ?? 0;
  }

  async #begin(stop: AbortController): Promise<void> {
    // One listener a partition, and one of each reading.
    setMaxListeners(0, stop.signal);
    const partitions = Array.from({ length: this.#ledger.partitions }, (_, partition) => partition);
    const [epoch, bounds] = await Promise.all([
      this.#ledger.epoch(),
      Promise.all(partitions.map((partition) => this.#ledger.bounds(partition))),
    ]);
    stop.signal.throwIfAborted();
    this.#epoch = epoch;
    this.#numbers = bounds.map(({ first, last }) =>
      Math.min(last, Math.max(first - 1, last - this.#limits.prefill, 0)),
    );
    this.#position = undefined;
    this.#rings.length = 0;
    for (const number of this.#numbers) this.#rings.push(new Ring(number + 1));
    const caughtUp = partitions.map((partition) => {
      const head = bounds[partition]?.last ?? 0;
      return new Promise<void>((resolve, reject) => {
        if (this.#last(partition) >= head) resolve();
        stop.signal.addEventListener("abort", () => reject(new Error("the tail was stopped")), { once: true });
        void this.#follow(partition, stop.signal, (number) => number >= head && resolve());
      });
    });
    await Promise.all(caughtUp);
  }

  async #follow(partition: number, signal: AbortSignal, reached: (number: number) => void): Promise<void> {
    let waitMs = RETRY_MS.first;
    let burst = { records: 0, bytes: 0 };
    while (!signal.aborted) {
      try {
        for await (const entry of this.#ledger.read(partition, this.#last(partition) + 1, signal)) {
          if (signal.aborted) return;
          if (entry.number <= this.#last(partition)) continue;
          this.#take(entry);
          reached(entry.number);
          waitMs = RETRY_MS.first;
          // A long run of records would keep the sockets from being written: give them their turn.
          burst.records++;
          burst.bytes += entry.body.length;
          if (burst.records < BURST.records && burst.bytes < BURST.bytes) continue;
          burst = { records: 0, bytes: 0 };
          await turn();
          await this.#hooks.pace();
        }
      } catch (error) {
        if (!signal.aborted) this.#hooks.error(error);
      }
      if (signal.aborted) return;
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
      waitMs = Math.min(2 * waitMs, RETRY_MS.most);
    }
  }

  #take(entry: LedgerEntry): void {
    const ring = this.#rings[entry.partition];
    if (ring === undefined) return;
    const missing = entry.number > this.#last(entry.partition) + 1;
    if (missing) ring.clear(entry.number);
    const record = this.record(entry);
    ring.push(record, this.#limits.tailRecordsMax, this.#limits.tailBytesMax / this.#ledger.partitions);
    this.#numbers[entry.partition] = entry.number;
    this.#position = undefined;
    if (missing) this.#hooks.gap(entry.partition);
    this.#hooks.record(record);
    record.forget();
  }
}

/** Consecutive records, the oldest leaving first. */
class Ring {
  readonly records = new Map<number, TailRecord>();
  /** Number of the oldest, or of the next to come. */
  first: number;
  #bytes = 0;

  constructor(first: number) {
    this.first = first;
  }

  clear(first: number): void {
    this.records.clear();
    this.first = first;
    this.#bytes = 0;
  }

  push(record: TailRecord, recordsMax: number, bytesMax: number): void {
    this.records.set(record.number, record);
    this.#bytes += record.body.length;
    while (this.records.size > recordsMax || this.#bytes > bytesMax) {
      const oldest = this.records.get(this.first);
      if (oldest === undefined) break;
      this.records.delete(this.first++);
      this.#bytes -= oldest.body.length;
    }
  }
}
