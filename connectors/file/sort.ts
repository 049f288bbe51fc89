/** Sorts items by time, or by customer and time; stable, in memory up to a limit and in files beyond it. */
import { createReadStream } from "node:fs";
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FatalError } from "../../runtime/errors.js";
import type { FileItem, Form } from "./item.js";

export interface SortOptions {
  /** `customer`: by the hash of the customer and then by time; default by time. */
  readonly by?: "time" | "customer";
  /** Bytes of items held in memory; beyond them sorted runs go to the disk. */
  readonly memoryBytesMax: number;
  /** Folder for the runs; default the system's. */
  readonly folder?: string | undefined;
}

export const SORT_MEMORY_BYTES = 256 << 20;
/** What an item costs beside its bytes: two objects and a view, about. */
const ITEM_OVERHEAD = 200;
const WRITE_BYTES = 1 << 20;
const BATCH = 1024;
const FORMS: readonly Form[] = ["msgpack", "json", "alone"];

//   run record   first byte  bytes
//   time         0           8   f64
//   length       8           4   u32, of the body
//   partition    12          2   u16
//   form         14          1   index in FORMS, + 128 where the item is whole
//   channel      15          1   bytes of the channel's name
//   hash         16          4   u32, of the customer
//   rank         20          8   f64; the channel's name and the body follow
const HEADER = 28;
const WHOLE = 128;

/** Takes items with `add`, then gives them back sorted. To be closed, whatever happens. */
export class Sorter {
  readonly #options: SortOptions;
  readonly #compare: Compare;
  #items: FileItem[] = [];
  #bytes = 0;
  #folder: string | null = null;
  readonly #runs: string[] = [];

  constructor(options: SortOptions) {
    this.#options = options;
    this.#compare = options.by === "customer" ? byCustomer : byTime;
  }

  /** Runs written to the disk so far. */
  get runs(): number {
    return this.#runs.length;
  }

  /** Throws FatalError (DISK_FULL). */
  async add(items: readonly FileItem[]): Promise<void> {
    for (const item of items) {
      this.#items.push(item);
      this.#bytes += item.body.length + ITEM_OVERHEAD;
    }
    if (this.#bytes >= this.#options.memoryBytesMax) await this.#spill();
  }

  /** Batches in order; equals in the order they were added. Any number of times, until it is closed. */
  async *sorted(): AsyncGenerator<FileItem[], void, undefined> {
    this.#items.sort(this.#compare);
    if (this.#runs.length === 0) {
      for (let at = 0; at < this.#items.length; at += BATCH) yield this.#items.slice(at, at + BATCH);
      return;
    }
    yield* merged([...this.#runs.map((path) => readRun(path)), inMemory(this.#items)], this.#compare);
  }

  async close(): Promise<void> {
    this.#items = [];
    if (this.#folder !== null) await rm(this.#folder, { recursive: true, force: true });
    this.#folder = null;
  }

  async #spill(): Promise<void> {
    const items = this.#items.sort(this.#compare);
    this.#items = [];
    this.#bytes = 0;
    try {
      this.#folder ??= await mkdtemp(join(this.#options.folder ?? tmpdir(), "tidemark-sort-"));
      const path = join(this.#folder, `run-${this.#runs.length}`);
      const file = await open(path, "wx");
      try {
        await writeRun(file, items);
      } finally {
        await file.close();
      }
      this.#runs.push(path);
    } catch (cause) {
      throw diskError(cause, this.#options.folder ?? tmpdir());
    }
  }
}

type Compare = (a: FileItem, b: FileItem) => number;

function byTime(a: FileItem, b: FileItem): number {
  // Not a difference: two infinite times would give NaN.
  return a.time < b.time ? -1 : a.time > b.time ? 1 : (a.rank ?? 0) - (b.rank ?? 0);
}

function byCustomer(a: FileItem, b: FileItem): number {
  return a.hash - b.hash || byTime(a, b);
}

function diskError(cause: unknown, folder: string): unknown {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new FatalError("DISK_FULL", `no room in ${folder} for the rows being sorted`, {
      cause,
      remedy: "Free some space, name another folder with --tmp, or allow more memory with --memory.",
    });
  }
  if (code === "ENOENT" || code === "EACCES" || code === "ENOTDIR" || code === "EROFS") {
    return new FatalError("FILE_UNREADABLE", `${folder} can't be written`, {
      cause,
      remedy: "Name another folder for temporary files with --tmp.",
    });
  }
  return cause;
}

async function writeRun(file: FileHandle, items: readonly FileItem[]): Promise<void> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for (const item of items) {
    const channel = Buffer.from(item.channel).subarray(0, 255);
    const header = Buffer.alloc(HEADER);
    header.writeDoubleLE(item.time, 0);
    header.writeUInt32LE(item.body.length, 8);
    header.writeUInt16LE(item.partition, 12);
    header.writeUInt8(FORMS.indexOf(item.form) + (item.whole ? WHOLE : 0), 14);
    header.writeUInt8(channel.length, 15);
    header.writeUInt32LE(item.hash, 16);
    header.writeDoubleLE(item.rank ?? 0, 20);
    parts.push(header, channel, Buffer.from(item.body.buffer, item.body.byteOffset, item.body.length));
    bytes += HEADER + channel.length + item.body.length;
    if (bytes < WRITE_BYTES) continue;
    await file.write(Buffer.concat(parts));
    parts = [];
    bytes = 0;
  }
  if (bytes > 0) await file.write(Buffer.concat(parts));
}

async function* readRun(path: string): AsyncGenerator<FileItem[], void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  const channels = new Map<string, string>(); // one string a channel, not one an item
  for await (const chunk of createReadStream(path, { highWaterMark: WRITE_BYTES })) {
    rest = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    const items: FileItem[] = [];
    let at = 0;
    while (at + HEADER <= rest.length) {
      const length = rest.readUInt32LE(at + 8);
      const named = rest.readUInt8(at + 15);
      const end = at + HEADER + named + length;
      if (end > rest.length) break;
      const channel = rest.toString("utf8", at + HEADER, at + HEADER + named);
      if (!channels.has(channel) && channels.size < 1000) channels.set(channel, channel);
      items.push({
        time: rest.readDoubleLE(at),
        partition: rest.readUInt16LE(at + 12),
        hash: rest.readUInt32LE(at + 16),
        rank: rest.readDoubleLE(at + 20),
        form: FORMS[rest.readUInt8(at + 14) & ~WHOLE] ?? "alone",
        whole: (rest.readUInt8(at + 14) & WHOLE) !== 0,
        channel: channels.get(channel) ?? channel,
        body: rest.subarray(end - length, end),
      });
      at = end;
    }
    rest = rest.subarray(at);
    if (items.length > 0) yield items;
  }
}

async function* inMemory(items: FileItem[]): AsyncGenerator<FileItem[], void, undefined> {
  if (items.length > 0) yield items;
}

interface Head {
  items: FileItem[];
  at: number;
  readonly rest: AsyncGenerator<FileItem[], void, undefined>;
}

/** Merges sorted runs; of equals the earlier run's come first. */
async function* merged(
  runs: AsyncGenerator<FileItem[], void, undefined>[],
  compare: Compare,
): AsyncGenerator<FileItem[], void, undefined> {
  const heads: Head[] = [];
  for (const rest of runs) {
    const first = await rest.next();
    if (first.done !== true) heads.push({ items: first.value, at: 0, rest });
  }
  let batch: FileItem[] = [];
  while (heads.length > 0) {
    // Runs are few (each is as large as the memory allowed), so a plain search is enough.
    let least = heads[0] as Head;
    for (const head of heads) if (compare(itemOf(head), itemOf(least)) < 0) least = head;
    batch.push(least.items[least.at++] as FileItem);
    if (least.at >= least.items.length) {
      const next = await least.rest.next();
      if (next.done === true) heads.splice(heads.indexOf(least), 1);
      else {
        least.items = next.value;
        least.at = 0;
      }
    }
    if (batch.length >= BATCH) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}

function itemOf(head: Head): FileItem {
  return head.items[head.at] as FileItem;
}
