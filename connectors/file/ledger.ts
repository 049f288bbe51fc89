/** The newest records of a replay, kept in memory and read like a ledger. */
import { createHash } from "node:crypto";
import { decodeHead } from "../../runtime/head.js";
import { LedgerRecord } from "../../runtime/record.js";
import type { LedgerEntry, LedgerReader } from "../edge.js";

/** Of all partitions together; what is older is let go. */
export const KEPT_RECORDS_MAX = 50_000;
export const KEPT_BYTES_MAX = 128 * 1024 * 1024;

/** Given out at once. */
const READ_RECORDS_MAX = 256;

export class KeptLedger implements LedgerReader {
  readonly #partitions: Kept[];

  /** Each partition keeps its share of both limits. */
  constructor(partitions: number, recordsMax = KEPT_RECORDS_MAX, bytesMax = KEPT_BYTES_MAX) {
    const [records, bytes] = [Math.ceil(recordsMax / partitions), Math.ceil(bytesMax / partitions)];
    this.#partitions = Array.from({ length: partitions }, () => new Kept(records, bytes));
  }

  push(record: LedgerRecord, partition: number): void {
    this.#kept(partition).push(record);
  }

  get partitions(): number {
    return this.#partitions.length;
  }

  /** Records that are kept, and all that were made. */
  get kept(): { readonly records: number; readonly all: number } {
    return {
      records: this.#partitions.reduce((sum, { first, last }) => sum + last - first + 1, 0),
      all: this.#partitions.reduce((sum, { last }) => sum + last, 0),
    };
  }

  /** Hash of the last records: that of another file, or under other models, is another. 16 hex digits. */
  async epoch(): Promise<string> {
    const hash = createHash("sha256");
    for (const kept of this.#partitions) hash.update(`${kept.last} `).update(kept.at(kept.last)?.body ?? "");
    return hash.digest("hex").slice(0, 16);
  }

  async bounds(partition: number): Promise<{ first: number; last: number }> {
    const { first, last } = this.#kept(partition);
    return { first, last };
  }

  /** Nothing comes behind the last record: then it waits until the signal aborts. */
  async *read(
    partition: number,
    from: number,
    signal: AbortSignal,
  ): AsyncGenerator<readonly LedgerEntry[], void, undefined> {
    const kept = this.#kept(partition);
    for (let number = Math.max(from, kept.first); number <= kept.last && !signal.aborted; ) {
      const entries: LedgerEntry[] = [];
      for (; number <= kept.last && entries.length < READ_RECORDS_MAX; number++)
        entries.push(new Entry(partition, kept.at(number) as LedgerRecord));
      yield entries;
    }
    if (signal.aborted) return;
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }

  #kept(partition: number): Kept {
    const found = this.#partitions[partition];
    if (found === undefined) throw new RangeError(`there is no partition ${partition}`);
    return found;
  }
}

/** Consecutive records of one partition, the oldest leaving first. */
class Kept {
  /** Number of the oldest, or of the next to come; and of the last that came. */
  first = 1;
  last = 0;
  readonly #records = new Map<number, LedgerRecord>();
  readonly #recordsMax: number;
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(recordsMax: number, bytesMax: number) {
    this.#recordsMax = recordsMax;
    this.#bytesMax = bytesMax;
  }

  push(record: LedgerRecord): void {
    // Copied: a record's bytes lie in an array that it shares with others.
    this.#records.set(record.number, LedgerRecord.of(record));
    this.#bytes += sizeOf(record);
    this.last = record.number;
    while (this.#records.size > this.#recordsMax || this.#bytes > this.#bytesMax) {
      this.#bytes -= sizeOf(this.#records.get(this.first) as LedgerRecord);
      this.#records.delete(this.first++);
    }
  }

  at(number: number): LedgerRecord | undefined {
    return this.#records.get(number);
  }
}

function sizeOf({ from, end }: LedgerRecord): number {
  return end - from;
}

class Entry implements LedgerEntry {
  readonly partition: number;
  readonly number: number;
  readonly subject: string;
  readonly body: Uint8Array;
  readonly #head: Uint8Array;

  constructor(partition: number, { number, subject, body, head }: LedgerRecord) {
    this.partition = partition;
    this.number = number;
    this.subject = subject;
    this.body = body;
    this.#head = head;
  }

  get headers(): Readonly<Record<string, string>> {
    return decodeHead(this.#head);
  }

  /** The clock at which it was found, ms. */
  get time(): number {
    return Number(this.headers["Tidemark-Clock"] ?? 0);
  }
}
