/**
 * What a step of the kernel put out: records one behind the other, as core/output.ts draws them, looked at where they
 * lie. All is good until the kernel's next step; who keeps something copies it.
 */
import {
  CAUSES,
  type Cause,
  type DeadLetter,
  type Migration,
  type Place,
  REASONS,
  type Reason,
  type Values,
} from "./record.js";
import type { Model } from "./settings.js";

const MIGRATION = 1;
const UNREADABLE = 0xffff;
const BEFORE_AT = 120;
const FIGURES_BYTES = 48;
export const MIGRATION_TEXT_AT = BEFORE_AT + 2 * FIGURES_BYTES;
export const DEAD_TEXT_AT = 48;
/** In place of a segment's number: none. */
export const NO_SEGMENT = 255;
/** In place of a channel's number: none. */
export const NO_CHANNEL = 255;

/** What the numbers in records mean. */
export interface Names {
  readonly models: readonly Model[];
  /** Of each model, the one that it took over: with cause `model`, a migration comes from there. */
  readonly former: readonly (Model | undefined)[];
  readonly channelName: (channel: number) => string;
}

/** A cursor over the records: `for (output.rewind(); output.more; output.next())`. */
export class Output {
  /** The region's bytes: texts lie in them. */
  readonly bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #halves: Uint16Array;
  readonly #floats: Float64Array;
  #at = 0;
  #end = 0;

  /** Over `length` bytes of the buffer from byte `from` on, both multiples of 8. */
  constructor(buffer: ArrayBuffer, from: number, length: number) {
    this.bytes = new Uint8Array(buffer, from, length);
    this.#words = new Uint32Array(buffer, from, length / 4);
    this.#halves = new Uint16Array(buffer, from, length / 2);
    this.#floats = new Float64Array(buffer, from, length / 8);
  }

  /** Back to the first record; with `end`, there are so many bytes of them. */
  rewind(end = this.#end): void {
    this.#at = 0;
    this.#end = end;
  }

  /** Bytes of all records. */
  get size(): number {
    return this.#end;
  }

  /** Where the cursor is. */
  get at(): number {
    return this.#at;
  }

  /** Whether the cursor is at a record. */
  get more(): boolean {
    return this.#at < this.#end;
  }

  next(): void {
    this.#at += this.#word(0);
  }

  #byte(offset: number): number {
    return this.bytes[this.#at + offset] as number;
  }

  #half(offset: number): number {
    return this.#halves[(this.#at + offset) >> 1] as number;
  }

  #word(offset: number): number {
    return this.#words[(this.#at + offset) >> 2] as number;
  }

  #float(offset: number): number {
    return this.#floats[(this.#at + offset) >> 3] as number;
  }

  get isMigration(): boolean {
    return this.#byte(4) === MIGRATION;
  }

  /** Ledger number, of either kind of record. */
  get number(): number {
    return this.#float(8);
  }

  // Of a migration; times in ms, 0 for none.

  get model(): number {
    return this.#byte(5);
  }

  /** Its place in CAUSES. */
  get cause(): number {
    return this.#byte(6);
  }

  get silent(): boolean {
    return this.#byte(7) === 1;
  }

  get previous(): number {
    return this.#float(16);
  }

  get sequence(): number {
    return this.#float(24);
  }

  get clock(): number {
    return this.#float(32);
  }

  get time(): number {
    return this.#float(40);
  }

  get fromSince(): number {
    return this.#float(48);
  }

  get toSince(): number {
    return this.#float(56);
  }

  /** Four bits a dimension: a model has at most four, of at most ten bands. */
  get fromBands(): number {
    return packBands(this.#word(64));
  }

  get toBands(): number {
    return packBands(this.#word(72));
  }

  get due(): number {
    return this.#float(80);
  }

  get nextAt(): number {
    return this.#float(88);
  }

  get causeTime(): number {
    return this.#float(96);
  }

  get revision(): number {
    return this.#word(104);
  }

  get fromSegment(): number {
    return this.#byte(108);
  }

  get toSegment(): number {
    return this.#byte(109);
  }

  get nextSegment(): number {
    return this.#byte(110);
  }

  get channel(): number {
    return this.#byte(111);
  }

  /** A figure before (0) or after (1) the change: first and last order, orders, spend, orders ever, spend ever. */
  figure(side: 0 | 1, index: number): number {
    return this.#float(BEFORE_AT + side * FIGURES_BYTES + index * 8);
  }

  /** The customer begins here in `bytes`; behind it the event, behind that the order. */
  get customerAt(): number {
    return this.#at + MIGRATION_TEXT_AT;
  }

  get customerLength(): number {
    return this.#half(112);
  }

  /** 0 for none, as is the order's. */
  get eventLength(): number {
    return this.#half(114);
  }

  get orderLength(): number {
    return this.#half(116);
  }

  /** The record as a plain object. */
  read(names: Names): Migration | DeadLetter {
    return this.isMigration ? this.#readMigration(names) : this.readDead();
  }

  #text(at: number, length: number): string {
    return decoder.decode(this.bytes.subarray(at, at + length));
  }

  #readMigration({ models, former, channelName }: Names): Migration {
    const { model: number, channel, customerAt, customerLength, eventLength, orderLength, nextAt } = this;
    const model = models[number] as Model;
    const kind = CAUSES[this.cause] as Cause;
    const before = kind === "model" ? (former[number] ?? model) : model;
    const from = this.#readPlace(before, this.fromSegment, this.fromSince, this.fromBands);
    const to = this.#readPlace(model, this.toSegment, this.toSince, this.toBands);
    return {
      type: "migration",
      number: this.number,
      previous: this.previous,
      model: number,
      customer: this.#text(customerAt, customerLength),
      revision: this.revision,
      time: this.time,
      silent: this.silent,
      from,
      to,
      cause: {
        kind,
        event: eventLength === 0 ? null : this.#text(customerAt + customerLength, eventLength),
        order: orderLength === 0 ? null : this.#text(customerAt + customerLength + eventLength, orderLength),
        channel: channel === NO_CHANNEL ? null : channelName(channel),
        time: someOrNull(this.causeTime),
      },
      before: this.#readValues(0, before, from),
      after: this.#readValues(1, model, to),
      next: nextAt === 0 ? null : { at: nextAt, segment: this.nextSegment },
      due: someOrNull(this.due),
      sequence: this.sequence,
      clock: this.clock,
    };
  }

  #readPlace(model: Model, segment: number, since: number, packed: number): Place {
    return {
      segment: segment === NO_SEGMENT ? null : segment,
      since: someOrNull(since),
      bands: model.dimensions.map((_, d) => bandIn(packed, d)),
    };
  }

  #readValues(side: 0 | 1, model: Model, { segment, bands }: Pick<Place, "segment" | "bands">): Values {
    return {
      firstOrder: someOrNull(this.figure(side, 0)),
      lastOrder: someOrNull(this.figure(side, 1)),
      orders: this.figure(side, 2),
      spend: this.figure(side, 3),
      ordersEver: this.figure(side, 4),
      spendEver: this.figure(side, 5),
      points: segment === null ? 0 : pointsOf(model, bands),
    };
  }

  readDead(): DeadLetter {
    const subjectLength = this.#half(6);
    const customerLength = this.#half(44);
    const customerAt = this.#at + DEAD_TEXT_AT;
    const subjectAt = customerAt + (customerLength === UNREADABLE ? 0 : customerLength);
    const bytesAt = subjectAt + subjectLength;
    return {
      type: "dead",
      number: this.number,
      reason: REASONS[this.#byte(5)] as Reason,
      subject: this.#text(subjectAt, subjectLength),
      sequence: this.#float(16),
      index: this.#word(32),
      length: this.#word(36),
      // A copy: the region is written again.
      bytes: this.bytes.slice(bytesAt, bytesAt + this.#word(40)),
      customer: customerLength === UNREADABLE ? null : this.#text(customerAt, customerLength),
      clock: this.#float(24),
    };
  }
}

/** The band of dimension `d` in bands of four bits each. */
export function bandIn(packed: number, d: number): number {
  return (packed >> (4 * d)) & 15;
}

/** Sum of the points of these bands. */
export function pointsOf(model: Model, bands: readonly number[]): number {
  return bands.reduce((sum, band, d) => sum + (model.dimensions[d]?.bands[band - 1]?.points ?? 0), 0);
}

/** A band a byte, as the kernel has them, made a band every four bits. */
function packBands(bytes: number): number {
  return (bytes & 15) | ((bytes >> 4) & 0xf0) | ((bytes >> 8) & 0xf00) | ((bytes >> 12) & 0xf000);
}

// A byte order mark is a character of an id like any other.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function someOrNull(value: number): number | null {
  return value === 0 ? null : value;
}
