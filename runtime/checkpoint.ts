/**
 * A checkpoint as bytes: what a file or an object holds of a partition. A savepoint has the same format.
 *
 *   magic 8 | format u32 | length u32 | checksum u32 | head: JSON, see CheckpointHead
 *   pieces, of which core/checkpoint.ts says what is in them:  length u32 | checksum u32 | bytes
 *   0 u32 | length u32 | checksum u32 | trailer: JSON, how many pieces and bytes there are, and a checksum of all
 *
 * The first line stays as it is in every format. Checksums are CRC-32 (IEEE 802.3): of the head with the three words
 * before it, of each piece, and of all the lengths and checksums of pieces together, so that none is missing, twice or
 * out of its place. Numbers are little-endian.
 */
import { crc32 } from "node:zlib";
import { settingsFromJson, settingsToJson } from "./config/wire.js";
import { FatalError } from "./errors.js";
import type { KernelCounters } from "./kernel.js";
import type { MigrationCount } from "./partition.js";
import type { Settings } from "./settings.js";

/** Of what this code writes, and the only one that it reads. */
export const CHECKPOINT_FORMAT = 1;

const MAGIC = new TextEncoder().encode("tidemark");
const START_BYTES = 20;
const FORMAT_AT = 8;
const LENGTH_AT = 12;
const CHECKSUM_AT = 16;
/** Length and checksum of a piece. */
export const FRAME_BYTES = 8;
const HEAD_BYTES_MAX = 64 * 1024 * 1024;
const PIECE_BYTES_MAX = 1024 * 1024;
const TRAILER_BYTES_MAX = 4096;

export interface CheckpointHead {
  readonly format: number;
  readonly partition: number;
  /** Its input is an adopted stream. */
  readonly adopted: boolean;
  /** The last message applied; 0 before the first. */
  readonly position: { readonly sequence: number; readonly stamp: number };
  /** Ledger number of the last record made: a checkpoint is good once that one is stored. */
  readonly recordNumber: number;
  /** T, ms. */
  readonly clock: number;
  /** The oldest instant not yet fired, null where all rows are exact at the clock. */
  readonly overdue: number | null;
  readonly live: boolean;
  /** 32 hex digits that key the hashes. */
  readonly seed: string;
  /** As they held at the position. */
  readonly settings: Settings;
  /** By their numbers. */
  readonly channels: readonly string[];
  readonly customers: number;
  readonly entries: number;
  readonly idBytes: number;
  readonly parked: number;
  /** Minor units, in digits: it may pass 2^53. */
  readonly amountsEver: string;
  readonly counters: KernelCounters;
  readonly migrations: readonly MigrationCount[];
}

/** Bytes of a checkpoint in their order, cut anywhere. */
export type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Puts pieces into their frames. */
export class CheckpointWriter {
  #pieces = 0;
  #bytes = 0;
  #checksum = 0;

  head(head: CheckpointHead): Uint8Array {
    const { settings, ...figures } = head;
    const text = new TextEncoder().encode(
      `${JSON.stringify(figures).slice(0, -1)},"settings":${settingsToJson(settings)}}`,
    );
    const bytes = new Uint8Array(START_BYTES + text.length);
    const view = new DataView(bytes.buffer);
    bytes.set(MAGIC);
    view.setUint32(FORMAT_AT, head.format, true);
    view.setUint32(LENGTH_AT, text.length, true);
    bytes.set(text, START_BYTES);
    view.setUint32(CHECKSUM_AT, headChecksum(bytes), true);
    this.#checksum = crc32(bytes.subarray(CHECKSUM_AT, START_BYTES));
    return bytes;
  }

  /** Writes the frame of a piece into the FRAME_BYTES before it. */
  frame(piece: Uint8Array): void {
    writeFrame(piece);
    this.#pieces++;
    this.#bytes += piece.length - FRAME_BYTES;
    this.#checksum = crc32(piece.subarray(0, FRAME_BYTES), this.#checksum);
  }

  trailer(): Uint8Array {
    const text = JSON.stringify({ pieces: this.#pieces, bytes: this.#bytes, checksum: this.#checksum });
    const bytes = new Uint8Array(4 + FRAME_BYTES + text.length);
    bytes.set(new TextEncoder().encode(text), 4 + FRAME_BYTES);
    writeFrame(bytes.subarray(4));
    return bytes;
  }
}

function writeFrame(framed: Uint8Array): void {
  const view = viewOf(framed);
  view.setUint32(0, framed.length - FRAME_BYTES, true);
  view.setUint32(4, crc32(framed.subarray(FRAME_BYTES)), true);
}

function headChecksum(bytes: Uint8Array): number {
  return crc32(bytes.subarray(START_BYTES), crc32(bytes.subarray(0, CHECKSUM_AT)));
}

/** Takes the frames apart again. Throws FatalError (CHECKPOINT_CORRUPT, CHECKPOINT_FORMAT) where they are not whole. */
export class CheckpointReader {
  readonly #source: ByteSource;
  readonly head: CheckpointHead;
  #checksum: number;

  private constructor(source: ByteSource, head: CheckpointHead, checksum: number) {
    this.#source = source;
    this.head = head;
    this.#checksum = checksum;
  }

  /** Whatever becomes of `work`, the chunks are let go: a file behind them is closed. */
  static async read<T>(chunks: Chunks, work: (reader: CheckpointReader) => T | Promise<T>): Promise<T> {
    const source = new ByteSource(chunks);
    try {
      return await work(await CheckpointReader.#open(source));
    } finally {
      await source.close();
    }
  }

  static async #open(source: ByteSource): Promise<CheckpointReader> {
    const start = await source.read(START_BYTES, "the head");
    if (MAGIC.some((byte, n) => start[n] !== byte)) throw corrupt("it does not begin as a checkpoint does");
    const view = viewOf(start);
    const length = view.getUint32(LENGTH_AT, true);
    if (length > HEAD_BYTES_MAX) throw corrupt(`its head would have ${length} bytes, and may have ${HEAD_BYTES_MAX}`);
    const text = await source.read(length, "the head");
    const found = crc32(text, crc32(start.subarray(0, CHECKSUM_AT)));
    const expected = view.getUint32(CHECKSUM_AT, true);
    if (found !== expected) throw corrupt(`the checksum of its head is ${hex(found)}, expected ${hex(expected)}`);
    const format = view.getUint32(FORMAT_AT, true);
    if (format !== CHECKPOINT_FORMAT)
      throw new FatalError(
        "CHECKPOINT_FORMAT",
        `the checkpoint has format ${format}, and this version reads format ${CHECKPOINT_FORMAT}`,
      );
    return new CheckpointReader(source, readHead(text), crc32(start.subarray(CHECKSUM_AT)));
  }

  /** What is in the frames, to the end; the trailer is checked behind the last. Once. */
  async *pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let pieces = 0, bytes = 0; ; pieces++) {
      const what = `piece ${pieces + 1}`;
      const length = await this.#word(what);
      if (length === 0) return this.#checkTrailer({ pieces, bytes });
      const { piece, checksum } = await this.#content(length, PIECE_BYTES_MAX, what);
      const head = new Uint8Array(FRAME_BYTES);
      viewOf(head).setUint32(0, length, true);
      viewOf(head).setUint32(4, checksum, true);
      this.#checksum = crc32(head, this.#checksum);
      bytes += length;
      yield piece;
    }
  }

  async #word(what: string): Promise<number> {
    return viewOf(await this.#source.read(4, what)).getUint32(0, true);
  }

  async #content(length: number, most: number, what: string): Promise<{ piece: Uint8Array; checksum: number }> {
    if (length > most) throw corrupt(`${what} would have ${length} bytes, and may have ${most}`);
    const expected = await this.#word(what);
    const piece = await this.#source.read(length, what);
    const checksum = crc32(piece);
    if (checksum !== expected) throw corrupt(`the checksum of ${what} is ${hex(checksum)}, expected ${hex(expected)}`);
    return { piece, checksum };
  }

  async #checkTrailer(read: { pieces: number; bytes: number }): Promise<void> {
    const length = await this.#word("the trailer");
    const { piece } = await this.#content(length, TRAILER_BYTES_MAX, "the trailer");
    const found = JSON.stringify({ ...read, checksum: this.#checksum });
    const expected = new TextDecoder().decode(piece);
    if (found !== expected) throw corrupt(`its pieces come to ${found}, and its trailer says ${expected}`);
    const more = await this.#source.rest();
    if (more > 0) throw corrupt(`at least ${more} bytes follow its end`);
  }
}

/** The head alone; nothing behind it is read. */
export async function readCheckpointHead(chunks: Chunks): Promise<CheckpointHead> {
  return CheckpointReader.read(chunks, ({ head }) => head);
}

/** Reads all of it, checks every checksum, and builds nothing. */
export async function verifyCheckpoint(chunks: Chunks): Promise<CheckpointHead> {
  return CheckpointReader.read(chunks, async (reader) => {
    for await (const _ of reader.pieces());
    return reader.head;
  });
}

function readHead(text: Uint8Array): CheckpointHead {
  const head = JSON.parse(new TextDecoder().decode(text)) as CheckpointHead;
  const settings = settingsFromJson(head.settings);
  if (settings === undefined)
    throw new FatalError("CHECKPOINT_FORMAT", "the configuration in the checkpoint is not one of this version");
  return { ...head, settings };
}

function corrupt(what: string): FatalError {
  return new FatalError("CHECKPOINT_CORRUPT", `the checkpoint is damaged: ${what}`);
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Bytes read in the lengths that are wanted, however they come. */
class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  #offset = 0;

  constructor(chunks: Chunks) {
    this.#chunks = Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
  }

  /** A view where they lie in one chunk. Throws FatalError (CHECKPOINT_CORRUPT) where there are fewer. */
  async read(length: number, what: string): Promise<Uint8Array> {
    if (this.#at + length <= this.#chunk.length) return this.#take(length);
    const parts: Uint8Array[] = [];
    for (let missing = length; missing > 0; ) {
      if (this.#at === this.#chunk.length && !(await this.#more()))
        throw corrupt(`it ends within ${what}, behind ${this.#offset} bytes`);
      const part = this.#take(Math.min(missing, this.#chunk.length - this.#at));
      missing -= part.length;
      parts.push(part);
    }
    if (parts.length === 1) return parts[0] as Uint8Array;
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  /** Bytes that are left in what is at hand, or in what comes next. */
  async rest(): Promise<number> {
    while (this.#at === this.#chunk.length) if (!(await this.#more())) return 0;
    return this.#chunk.length - this.#at;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  #take(length: number): Uint8Array {
    const part = this.#chunk.subarray(this.#at, this.#at + length);
    this.#at += length;
    this.#offset += length;
    return part;
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#chunks.next();
    if (done === true) return false;
    this.#chunk = value;
    this.#at = 0;
    return true;
  }
}
