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

/** What is kept of a ledger record. */
type KeptRecord = Pick<LedgerEntry, "partition" | "number" | "subject" | "body">;

/**
 * One ledger record with what is made of it at most once, however many subscribers want it. Its bytes are good until the
 * next record comes.
 */
export class TailRecord {
  readonly partition: number;
  readonly number: number;
  readonly subject: string;
  readonly body: Uint8Array;
  readonly #isMigration: boolean;
  #words: readonly string[] | undefined;
  #event: MigrationEvent | null | undefined;
  #packed: Uint8Array | undefined;

  constructor({ partition, number, subject, body }: KeptRecord, migrationPrefix: string) {
    this.partition = partition;
    this.number = number;
    this.subject = subject;
    this.body = body;
    this.#isMigration = subject.startsWith(migrationPrefix);
  }

  /** Of the subject. */
  get words(): readonly string[] {
    this.#words ??= this.subject.split(".");
    return this.#words;
  }

  /** The CloudEvent, null for a dead letter. Throws SyntaxError where the body is no JSON. */
  event(): MigrationEvent | null {
    const { buffer, byteOffset, length } = this.body;
    this.#event ??= this.#isMigration ? JSON.parse(Buffer.from(buffer, byteOffset, length).toString("utf8")) : null;
    return this.#event as MigrationEvent | null;
  }

  /** The event in the bytes of one format. In JSON they are the very bytes of the ledger. */
  encoded(format: Format): Uint8Array {
    if (format === "json") return this.body;
    this.#packed ??= encode(this.event());
    return this.#packed;
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
    const kept = this.#rings[partition]?.at(number);
    return kept && this.record({ partition, number, ...kept });
  }

  record(kept: KeptRecord): TailRecord {
    return new TailRecord(kept, this.#prefix);
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
    const { tailRecordsMax, tailBytesMax } = this.#limits;
    const bytesMax = Math.floor(tailBytesMax / this.#ledger.partitions);
    for (const number of this.#numbers) this.#rings.push(new Ring(number + 1, tailRecordsMax, bytesMax));
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
        for await (const entries of this.#ledger.read(partition, this.#last(partition) + 1, signal)) {
          for (const entry of entries) {
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
    ring.push(entry);
    this.#numbers[entry.partition] = entry.number;
    this.#position = undefined;
    if (missing) this.#hooks.gap(entry.partition);
    this.#hooks.record(this.record(entry));
  }
}

/**
 * Consecutive records, the oldest leaving first. Their bytes lie in one array that is written round and round: objects
 * would live just long enough to be copied by every collection of young ones.
 */
class Ring {
  /** Number of the oldest, or of the next to come. */
  first: number;
  #next: number;
  readonly #recordsMax: number;
  readonly #bytesMax: number;
  /** Made with the first record. */
  #bytes = Buffer.alloc(0);
  /** Where the next record goes. */
  #at = 0;
  /** Of record n, at n modulo `recordsMax`. */
  readonly #starts: Uint32Array;
  readonly #lengths: Uint32Array;
  readonly #subjects: string[] = [];

  constructor(first: number, recordsMax: number, bytesMax: number) {
    this.first = first;
    this.#next = first;
    this.#recordsMax = recordsMax;
    this.#bytesMax = bytesMax;
    this.#starts = new Uint32Array(recordsMax);
    this.#lengths = new Uint32Array(recordsMax);
  }

  clear(first: number): void {
    this.first = first;
    this.#next = first;
    this.#at = 0;
  }

  at(number: number): { subject: string; body: Uint8Array } | undefined {
    if (number < this.first || number >= this.#next) return undefined;
    const slot = number % this.#recordsMax;
    const start = this.#starts[slot] as number;
    const body = this.#bytes.subarray(start, start + (this.#lengths[slot] as number));
    return { subject: this.#subjects[slot] as string, body };
  }

  /** The record that comes next. One that is larger than the ring is not kept, and nothing before it. */
  push({ number, subject, body }: KeptRecord): void {
    const { length } = body;
    if (length > this.#bytesMax) {
      this.clear(number + 1);
      return;
    }
    if (this.#bytes.length === 0) this.#bytes = Buffer.allocUnsafeSlow(this.#bytesMax);
    if (this.#at + length > this.#bytesMax) {
      // It begins anew: what lies behind is the oldest.
      this.#drop((start) => start >= this.#at);
      this.#at = 0;
    }
    const end = this.#at + length;
    this.#drop((start) => start >= this.#at && start < end);
    if (this.#next - this.first === this.#recordsMax) this.first++;
    const slot = number % this.#recordsMax;
    this.#starts[slot] = this.#at;
    this.#lengths[slot] = length;
    this.#subjects[slot] = subject;
    this.#bytes.set(body, this.#at);
    this.#at = end;
    this.#next = number + 1;
  }

  /** Lets the oldest go while they lie there. */
  #drop(liesThere: (start: number) => boolean): void {
    while (this.first < this.#next && liesThere(this.#starts[this.first % this.#recordsMax] as number)) this.first++;
  }
}
