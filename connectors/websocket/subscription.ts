/** A subscription to migrations: first what was missed, partition by partition, then what comes. */
import type { LedgerReader } from "../edge.js";
import type { Wants } from "./filter.js";
import { migrationFrame } from "./frames.js";
import type { Peer } from "./peer.js";
import { encodePosition } from "./position.js";
import type { LedgerTail, TailRecord } from "./tail.js";

export class MigrationSubscription {
  readonly topic = "migrations";
  readonly id: string;
  readonly #peer: Peer;
  readonly #wants: Wants;
  readonly #tail: LedgerTail;
  /** While something missed is still being sent: how far this subscription itself has come. */
  #numbers: number[] | undefined;
  readonly #live: boolean[] = [];
  #caughtUp = false;
  #told: string;

  /** `from`: ledger numbers of a resume; undefined: from the tail's position on. */
  constructor(id: string, peer: Peer, wants: Wants, tail: LedgerTail, from: readonly number[] | undefined) {
    this.id = id;
    this.#peer = peer;
    this.#wants = wants;
    this.#tail = tail;
    this.#numbers = from === undefined ? undefined : [...from];
    this.#told = this.position;
  }

  get position(): string {
    if (this.#numbers === undefined) return this.#tail.position;
    return encodePosition({ epoch: this.#tail.epoch, numbers: this.#numbers });
  }

  /** Takes a record at the ledger's end. True where it is to be sent, at the tail's position. */
  takes(record: TailRecord): boolean {
    if (this.#numbers !== undefined) {
      if (this.#live[record.partition] === true) this.#take(record);
      this.#settle();
      return false;
    }
    if (!this.#wants(record)) return false;
    this.#told = this.#tail.position;
    return true;
  }

  /** The newest wanted records still in memory, oldest first, at the position of the tail. */
  sendRecent(count: number, depth: number): void {
    const found: TailRecord[] = [];
    for (const [partition, last] of this.#tail.numbers.entries()) {
      for (let number = last; number > last - depth; number--) {
        const record = this.#tail.recordAt(partition, number);
        if (record === undefined) break;
        if (this.#wants(record)) found.push(record);
      }
    }
    found.sort((a, b) => order(a.event()?.time, b.event()?.time) || a.number - b.number);
    const { position } = this.#tail;
    for (const record of found.slice(Math.max(0, found.length - count))) {
      this.#peer.sendFrame("migration", migrationFrame(this.#peer.format, this.id, position, record));
    }
  }

  /** Tells a client whose filter wanted nothing how far the ledger has come, so that its resume is short. */
  tellPosition(): void {
    const { position } = this;
    if (position === this.#told) return;
    this.#told = position;
    this.#peer.send({ type: "position", subscription: this.id, position });
  }

  /**
   * Sends everything from this subscription's own position to the tail's, no faster than the client takes it.
   * `gate` runs a reading of the ledger when fewer than so many others are under way.
   * Throws LedgerGapError where the ledger no longer holds a record, and what the ledger throws.
   */
  async catchUp(ledger: LedgerReader, gate: (work: () => Promise<void>) => Promise<void>): Promise<void> {
    const numbers = this.#numbers;
    if (numbers === undefined) return;
    for (const partition of numbers.keys()) {
      while (!this.#live[partition] && this.#peer.open) {
        if (!this.#tail.holds(partition, (numbers[partition] ?? 0) + 1)) {
          await gate(() => this.#readLedger(ledger, partition, numbers));
        } else if (this.#peer.roomy) {
          this.#readTail(partition, numbers);
        } else {
          await this.#peer.drained();
        }
      }
    }
    this.#caughtUp = true;
    this.#settle();
  }

  /** Everywhere at the tail: from here on its position is ours. (A client can be ahead of a tail that lags behind the ledger.) */
  #settle(): void {
    const numbers = this.#numbers;
    if (!this.#caughtUp || numbers === undefined) return;
    if (numbers.every((number, partition) => (this.#tail.numbers[partition] ?? 0) >= number)) this.#numbers = undefined;
  }

  /** Without a pause, so that nothing can come between the last record here and the first one delivered live. */
  #readTail(partition: number, numbers: readonly number[]): void {
    while (this.#peer.roomy && this.#peer.open) {
      const record = this.#tail.recordAt(partition, (numbers[partition] ?? 0) + 1);
      if (record === undefined) {
        this.#live[partition] = true;
        return;
      }
      this.#take(record);
    }
  }

  async #readLedger(ledger: LedgerReader, partition: number, numbers: readonly number[]): Promise<void> {
    const enough = new AbortController();
    const signal = AbortSignal.any([enough.signal, this.#peer.ended.signal]);
    const next = () => (numbers[partition] ?? 0) + 1;
    if (signal.aborted || this.#tail.holds(partition, next())) return;
    try {
      for await (const entries of ledger.read(partition, next(), signal)) {
        for (const entry of entries) {
          if (entry.number < next()) continue;
          if (entry.number > next()) throw new LedgerGapError(partition, next(), entry.number);
          this.#take(this.#tail.record(entry));
          if (!this.#peer.roomy) await this.#peer.drained();
          if (!this.#peer.open || this.#tail.holds(partition, next())) return;
        }
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      enough.abort();
    }
  }

  #take(record: TailRecord): void {
    if (this.#numbers === undefined || record.number <= (this.#numbers[record.partition] ?? 0)) return;
    this.#numbers[record.partition] = record.number;
    if (!this.#wants(record)) return;
    this.#told = this.position;
    this.#peer.sendFrame("migration", migrationFrame(this.#peer.format, this.id, this.#told, record));
  }
}

export class LedgerGapError extends Error {
  constructor(partition: number, expected: number, found: number) {
    super(`ledger ${partition}: record ${expected} was expected and ${found} found`);
    this.name = "LedgerGapError";
  }
}

function order(a: string | undefined, b: string | undefined): number {
  return (a ?? "") < (b ?? "") ? -1 : (a ?? "") > (b ?? "") ? 1 : 0;
}
