/**
 * The kernel's other side: the only code that touches its memory. Addresses come from the kernel's exports and are
 * never typed a second time; the layout of records is drawn in core/output.ts and core/kernel.ts.
 */
import { AUDITED, type Audit, type AuditDifference, type Audited, hasDimension, hasModel } from "./audit.js";
import { Encoding } from "./encoding.js";
import { FatalError } from "./errors.js";
import { encodeSource } from "./fieldtable.js";
import type { OrderColumns, WaitingReversal } from "./history.js";
import { InputRing, type Slice } from "./inputring.js";
import { encodeModel, mapModel, packCurrency, takesChannel, unpackCurrency, windowBytesOf } from "./modeltable.js";
import { type Names, NO_CHANNEL, NO_SEGMENT, Output, pointsOf } from "./output.js";
import { type InputMessage, KINDS, OUTCOMES, REASONS, type Reason, type Values } from "./record.js";
import type { Channel, Model, Settings } from "./settings.js";

const PAGE = 65_536;
const PAGES_MAX = 65_536;
const HEADER_BYTES = 24;

/** What `run` and `tick` say. */
export const DONE = 0;
export const MORE = 1;
export const FULL = 2;

export type Wasm = Record<string, (...args: (number | bigint)[]) => number> & Record<string, WebAssembly.Global>;

export interface KernelOptions {
  readonly wasm: WebAssembly.Module;
  readonly settings: Settings;
  readonly partition: number;
  /** 16 bytes that key the hashes. */
  readonly seed: Uint8Array;
  /** Whether a customer of another partition is to be rejected. */
  readonly checksPartition: boolean;
  /** Channels that have numbers already, in their order. */
  readonly channels?: readonly string[];
}

/** What a partition counted and how far it came: all of its state that is no customer's. */
export interface KernelFigures {
  readonly clock: number;
  readonly recordNumber: number;
  readonly live: boolean;
  /** Minor units. It may pass 2^53. */
  readonly amountsEver: bigint;
  readonly counters: KernelCounters;
}

/** Counts since the start of the input, and the longest chain ever. */
export interface KernelCounters {
  readonly events: readonly (readonly number[])[];
  readonly dead: readonly number[];
  readonly messages: number;
  readonly ticks: number;
  readonly fired: number;
  readonly spurious: number;
  readonly chainLongest: number;
  readonly chainSteps: number;
}

/** What became of a piece of a checkpoint. */
export type Restored = "taken" | "full" | "bad";
const RESTORED: Readonly<Record<number, Restored>> = { 0: "taken", 2: "full" };

/** One instance of the kernel with the memory of one partition. */
export class Kernel {
  readonly #wasm: Wasm;
  readonly #buffer: ArrayBuffer;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #floats: Float64Array;
  readonly #view: DataView;
  readonly #models: readonly Model[];
  readonly #input: number;
  readonly #ring: InputRing;
  #runEnd = 0; // of the slice under way, behind the input's start
  readonly #output: number;
  readonly #records: Output;
  /** Makes ledger records of the output, for a RecordEncoder. */
  readonly encoding: Encoding;
  readonly memoryBytes: number;
  /** Writes the settings over whatever the status says. */
  readonly #configure: () => void;
  /** Of each model, the one that it took over, while migrations tell of both. */
  #former: (Model | undefined)[] = [];

  /** Reserves the memory of the partition whole. Throws FatalError (PARTITION_FULL) where it would pass 4 GiB. */
  constructor({ wasm, settings, partition, seed, checksPartition, channels = [] }: KernelOptions) {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: PAGES_MAX });
    const abort = (message: number, _file: number, line: number) => {
      const length = new DataView(memory.buffer).getUint32(message - 4, true);
      const text = new TextDecoder("utf-16le").decode(new Uint8Array(memory.buffer, message, length));
      throw new FatalError("KERNEL_FAULT", `an assertion of the kernel failed: ${text} (line ${line})`);
    };
    const exports = new WebAssembly.Instance(wasm, { env: { memory, abort } }).exports;
    this.#wasm = exports as unknown as Wasm;
    this.#models = settings.models;
    const { customers, entries, idBytes } = settings.capacity;
    const [count, sum] = [this.#constant("COUNT_BYTES"), this.#constant("SUM_BYTES")];
    const windowBytes = Math.max(...settings.models.map((model) => windowBytesOf(model, count, sum)));
    const end = this.#call("plan", customers, entries, idBytes, settings.models.length, windowBytes);
    if (end > PAGES_MAX * PAGE)
      throw new FatalError(
        "PARTITION_FULL",
        `the capacities of a partition need ${(end / 2 ** 30).toFixed(1)} GiB, and it can have 4`,
        { remedy: "Lower capacity.customers or capacity.entries, and use more partitions." },
      );
    memory.grow(Math.ceil(end / PAGE) - 1);
    this.memoryBytes = end;
    this.#buffer = memory.buffer;
    this.#bytes = new Uint8Array(this.#buffer);
    this.#words = new Uint32Array(this.#buffer);
    this.#floats = new Float64Array(this.#buffer);
    this.#view = new DataView(this.#buffer);
    this.#input = this.#constant("INPUT");
    this.#ring = new InputRing(this.#constant("INPUT_BYTES"));
    this.#output = this.#constant("OUTPUT");
    this.#records = new Output(this.#buffer, this.#output, this.#constant("OUTPUT_BYTES"));
    this.encoding = new Encoding(this.#wasm, this.#buffer);
    const keys = new DataView(seed.buffer, seed.byteOffset, 16);
    this.#configure = () => {
      this.#call(
        "configure",
        keys.getBigUint64(0, true),
        keys.getBigUint64(8, true),
        settings.models.length,
        settings.clock === "event" ? 1 : 0,
        settings.horizonMs,
        settings.parkForMs,
        settings.futureToleranceMs,
        settings.parkedMax,
        settings.ordersPerCustomerMax,
        checksPartition ? settings.partitions : 0,
        partition,
      );
      this.#writeChannels(settings, channels);
    };
    this.#writeModels(settings);
    this.#writeSources(settings);
    this.#configure();
  }

  /** The instance's exports: for benches and tests that look inside, or bring a border of their own. */
  get exports(): Wasm {
    return this.#wasm;
  }

  #call(name: string, ...args: (number | bigint)[]): number {
    const call = this.#wasm[name] as (...args: (number | bigint)[]) => number;
    return call(...args);
  }

  #constant(name: string): number {
    return Number((this.#wasm[name] as WebAssembly.Global).value);
  }

  #writeModels({ models }: Settings): void {
    for (const [number, model] of models.entries()) {
      this.#bytes.set(encodeModel(model), this.#constant("MODELS") + number * this.#constant("MODEL_BYTES"));
      this.#bytes.set(model.cells, this.#constant("CELLS") + number * this.#constant("CELLS_MAX"));
    }
  }

  /** Numbers the configured channels that have no number yet, behind those `known`, and says which model takes which. */
  #writeChannels({ models, channels }: Settings, known: readonly string[]): void {
    for (const { name, currency } of [...known.map((name): Channel => ({ name })), ...channels]) {
      const bytes = new TextEncoder().encode(name);
      this.#bytes.set(bytes, this.#input);
      this.#call("nameChannel", bytes.length, currency === undefined ? 0 : packCurrency(currency));
      this.#bytes.fill(0, this.#input, this.#input + bytes.length);
    }
    const currencies = new Set(models.map(({ currency }) => packCurrency(currency)));
    this.#call("shareCurrency", currencies.size === 1 ? ([...currencies][0] as number) : 0);
    const columns = this.#constant("CHANNELS_MAX");
    for (const [number, model] of models.entries()) {
      const takes = this.#constant("TAKES") + number * columns;
      for (let channel = 0; channel < this.#call("channelCount"); channel++)
        this.#bytes[takes + channel] = takesChannel(model, this.channelName(channel)) ? 1 : 0;
      // The last column stands for every channel without a number.
      this.#bytes[takes + columns - 1] = takesChannel(model, undefined) ? 1 : 0;
    }
  }

  #writeSources({ sources }: Settings): void {
    for (const [number, source] of sources.entries())
      this.#bytes.set(encodeSource(source), this.#constant("SOURCES") + number * this.#constant("SOURCE_BYTES"));
  }

  /**
   * Copies a message behind those that wait; false where the input region has no room for it now. `subject` is UTF-8.
   * It may be called while a slice is under way. On the path of every message: no object is made.
   */
  write(
    subject: Uint8Array,
    source: number,
    silent: boolean,
    sequence: number,
    stamp: number,
    body: Uint8Array,
  ): boolean {
    const subjectLength = subject.length;
    const length = HEADER_BYTES + subjectLength + body.length;
    const from = this.#ring.place(length);
    if (from < 0) return false;
    const at = this.#input + from;
    this.#words[at >>> 2] = body.length;
    this.#words[(at >>> 2) + 1] = subjectLength | (source << 16) | (silent ? 1 << 24 : 0);
    this.#floats[(at >>> 3) + 1] = sequence;
    this.#floats[(at >>> 3) + 2] = stamp;
    // For so few bytes a call of `set` costs more.
    for (let i = 0; i < subjectLength; i++) this.#bytes[at + HEADER_BYTES + i] = subject[i] as number;
    this.#bytes.set(body, at + HEADER_BYTES + subjectLength);
    this.#ring.add(from, (from + length + 7) & ~7, sequence, stamp);
    return true;
  }

  /** Messages written and not yet applied whole; and the most that ever were. */
  get waiting(): number {
    return this.#ring.waiting;
  }

  get waitingMax(): number {
    return this.#ring.waitingMax;
  }

  /** True while at most half of the input region, and of the messages that may wait there, is in use. */
  get isHalfFree(): boolean {
    return this.#ring.isHalfFree;
  }

  /** What `begin` takes next; undefined where nothing waits. */
  get nextSlice(): Slice | undefined {
    return this.#ring.next;
  }

  /** Begins with the next slice; undefined where nothing waits. */
  begin(): Slice | undefined {
    const slice = this.#ring.take();
    this.#runEnd = slice?.to ?? 0;
    if (slice !== undefined) this.#call("begin", slice.from);
    return slice;
  }

  /** Applies the slice under way, or goes on with it: DONE, MORE (read the records, call again) or FULL. */
  run(): number {
    const status = this.#call("run", this.#runEnd);
    if (status === DONE) this.#ring.release();
    return status;
  }

  /** Begins a tick that fires up to so many due customers. */
  beginTick(instant: number, sequence: number, fires: number): void {
    this.#call("beginTick", instant, sequence, fires);
  }

  /** Begins a control message other than a tick. */
  beginControl(stamp: number, sequence: number): void {
    this.#call("beginControl", stamp, sequence);
  }

  /** Fires what the tick or control message may fire: DONE or MORE. */
  tick(): number {
    return this.#call("tick");
  }

  /** Dead-letters a whole message that the runtime refuses, while none waits. The records are then read as after `run`. */
  reject(reason: Reason, { subject, body }: InputMessage): void {
    const kept = Math.min(body.length, this.#constant("DEAD_BYTES_MAX"));
    const { written } = new TextEncoder().encodeInto(subject, this.#bytes.subarray(this.#input));
    this.#bytes.set(body.subarray(0, kept), this.#input + written);
    this.#call("rejectMessage", REASONS.indexOf(reason), written, kept, body.length);
  }

  goLive(): void {
    this.#call("goLive");
  }

  /** Lets `tick` fire all that is due. */
  fireAll(): void {
    this.#call("fireAll");
  }

  /**
   * Takes over all that another instance knows, under this one's models. Each step leaves records to read: what the
   * change of models did to customers. `sequence` and `silent` are the message's that changed them. Nothing may be
   * overdue in the former instance, which has the same capacities and the same seed, and is of no use afterwards.
   */
  *adopt(former: Kernel, formerModels: readonly Model[], sequence: number, silent: boolean): Generator<void> {
    for (const [region, bytes] of this.#sharedRegions(former)) {
      const from = former.#constant(region);
      this.#bytes.set(former.#bytes.subarray(from, from + bytes), this.#constant(region));
    }
    this.#configure();
    this.#call("resume");
    this.#call("openAdoption", sequence, silent ? 1 : 0);
    this.#former = this.#models.map(({ name }) => formerModels.find((model) => model.name === name));
    for (const [number, model] of this.#models.entries())
      this.#bytes.set(
        mapModel(model, this.#former[number], formerModels),
        this.#constant("MAPS") + number * this.#constant("MAP_BYTES"),
      );
    this.#call("beginAdoption", formerModels.length, former.#constant("rowBytes"));
    for (let from = 1; from !== 0; ) {
      from = former.#call("stage", from);
      const bytes = former.#call("stagedBytes");
      this.#bytes.set(former.#bytes.subarray(former.#output, former.#output + bytes), this.#constant("STAGE"));
      this.#call("openBatch", bytes);
      for (let more = MORE; more === MORE; ) {
        more = this.#call("adoptBatch");
        yield;
      }
    }
    this.#bytes.fill(0, this.#input, this.#constant("STAGE") + this.#constant("OUTPUT_BYTES"));
    this.#former = [];
  }

  /** Regions that do not depend on the models, with the bytes in use. */
  #sharedRegions(former: Kernel): [string, number][] {
    return [
      ["STATUS", this.#constant("SOURCES") - this.#constant("STATUS")],
      ["CHANNELS", this.#constant("CHANNELS_MAX") * this.#constant("CHANNEL_BYTES")],
      ["idSlots", this.#constant("idLineCount") * 64],
      ["ids", former.#call("idByteCount")],
      ["eventSlots", this.#constant("eventLineCount") * 64],
      ["log", (former.#call("entryTop") + 1) * this.#constant("ENTRY_BYTES")],
    ];
  }

  /** Begins a checkpoint of the state as it is, between messages: there is none under way. */
  beginCheckpoint(): void {
    this.#call("beginCheckpoint");
  }

  /**
   * What the checkpoint under way wrote in the last call of the kernel: a copy behind `room` free bytes, undefined for
   * nothing.
   */
  takeCheckpoint(room: number): Uint8Array | undefined {
    const length = this.#call("checkpointBytes");
    if (length === 0) return undefined;
    const at = this.#constant("CHECKPOINT");
    const piece = new Uint8Array(room + length);
    piece.set(this.#bytes.subarray(at, at + length), room);
    return piece;
  }

  /** The checkpoint under way goes on with about so many bytes. False where all of it is written. */
  writeCheckpoint(bytes: number): boolean {
    return this.#call("writeCheckpoint", bytes) === 1;
  }

  /** Ends the checkpoint under way; `whole`: all of it was written. */
  endCheckpoint(whole: boolean): void {
    this.#call("endCheckpoint", whole ? 1 : 0);
  }

  /** Bytes of a piece of a checkpoint, at most. */
  get pieceBytesMax(): number {
    return this.#constant("CHECKPOINT_BYTES");
  }

  /**
   * Begins to restore a checkpoint: `restore` takes its pieces, `closeCheckpoint` ends it. With `own`, only the
   * customers of this partition are taken and numbered anew: `mark` has been given all pieces before, between
   * `clearMarks` and `sumMarks`.
   */
  openCheckpoint(
    { clock, customers, channels }: { clock: number; customers: number; channels: readonly string[] },
    own: boolean,
  ): void {
    this.#call("openCheckpoint", clock, customers, own ? 1 : 0);
    const numbers = new Map<string, number>();
    for (let number = 0; number < this.#call("channelCount"); number++) numbers.set(this.channelName(number), number);
    const map = this.#constant("CHANNEL_MAP");
    for (const [number, name] of channels.entries()) this.#bytes[map + number] = numbers.get(name) as number;
  }

  restore(piece: Uint8Array): Restored {
    return this.#takePiece("restore", piece);
  }

  /** Customers taken from the checkpoint. */
  closeCheckpoint(): number {
    this.#call("closeCheckpoint");
    return this.#call("customersRestored");
  }

  clearMarks(): void {
    this.#call("clearMarks");
  }

  mark(piece: Uint8Array): Restored {
    return this.#takePiece("mark", piece);
  }

  sumMarks(): void {
    this.#call("sumMarks");
  }

  #takePiece(call: "restore" | "mark", piece: Uint8Array): Restored {
    const at = this.#constant("CHECKPOINT");
    this.#bytes.set(piece, at);
    return RESTORED[this.#call(call, piece.length)] ?? "bad";
  }

  /** Behind the last checkpoint: the partition goes on from these figures, `counters` where they are its own. */
  endRestore({
    clock,
    recordNumber,
    live,
    amountsEver,
    counters,
  }: Omit<KernelFigures, "counters"> & { counters?: KernelCounters }): void {
    this.#call("endRestore");
    const at = this.#constant("CHECKPOINT");
    this.#bytes.fill(0, at, at + this.pieceBytesMax);
    this.#call("resumeAt", clock, recordNumber, live ? 1 : 0, amountsEver);
    if (counters === undefined) return;
    const { events, dead, messages, ticks, fired, spurious, chainSteps, chainLongest } = counters;
    this.#call("resumeCounts", messages, ticks, fired, spurious, chainSteps, chainLongest);
    const setCounter = (region: string, index: number, count: number) =>
      this.#view.setBigInt64(this.#constant(region) + index * 8, BigInt(count), true);
    for (const [index, count] of events.flat().entries()) setCounter("EVENTS", index, count);
    for (const [index, count] of dead.entries()) setCounter("DEAD", index, count);
  }

  /** All channels that have a number, in their order. */
  get channels(): string[] {
    return Array.from({ length: this.#call("channelCount") }, (_, number) => this.channelName(number));
  }

  /** An upper bound for the sums of customers, minor units. */
  get amountsEver(): bigint {
    return (this.#wasm["amountsEver"] as unknown as () => bigint)();
  }

  /** The records of the last `run`, `tick` or `reject`, in ledger order: good until the next step. */
  output(): Output {
    this.#records.rewind(this.#call("outputBytes"));
    return this.#records;
  }

  /** What the numbers in those records mean. */
  get names(): Names {
    return { models: this.#models, former: this.#former, channelName: (channel) => this.channelName(channel) };
  }

  #byte(at: number): number {
    return this.#bytes[at] as number;
  }

  #float(at: number): number {
    return this.#floats[at / 8] as number;
  }

  #text(at: number, length: number): string {
    return decoder.decode(this.#bytes.subarray(at, at + length));
  }

  channelName(channel: number): string {
    return this.#text(this.#call("channelName", channel), this.#call("channelNameLength", channel));
  }

  /** Rows of every customer that has them, by customer number and model; what falls due up to `instant` (ms) has fired in them. */
  *rows(instant: number): Generator<KernelRow> {
    const size = this.#constant("ROW_RECORD_BYTES");
    for (let from = 1; from !== 0; ) {
      from = this.#call("writeRows", from, instant);
      const end = this.#output + this.#call("rowBytesWritten");
      for (let at = this.#output; at < end; at += size) yield this.#readRow(at);
    }
  }

  #readRow(at: number): KernelRow {
    const number = this.#byte(at + 4);
    const model = this.#models[number] as Model;
    const segment = this.#byte(at + 5);
    const bands = Array.from(this.#bytes.subarray(at + 16, at + 16 + model.dimensions.length));
    const figures = at + 24;
    return {
      model: number,
      customer: this.#text(this.#words[(at + 8) / 4] as number, this.#view.getUint16(at + 6, true)),
      segment: segment === NO_SEGMENT ? null : segment,
      bands,
      values: {
        firstOrder: someOrNull(this.#float(figures)),
        lastOrder: someOrNull(this.#float(figures + 8)),
        orders: this.#float(figures + 16),
        spend: this.#float(figures + 24),
        ordersEver: this.#float(figures + 32),
        spendEver: this.#float(figures + 40),
        points: segment === NO_SEGMENT ? 0 : pointsOf(model, bands),
      },
    };
  }

  /** What every row is worth and where it goes, by customer number and model. Exact while nothing is overdue. */
  *outlooks(): Generator<Outlook> {
    const size = this.#constant("OUTLOOK_BYTES");
    for (let from = 1; from !== 0; ) {
      from = this.#call("writeOutlooks", from);
      const end = this.#output + this.#call("outlookBytesWritten");
      for (let at = this.#output; at < end; at += size) {
        const segment = this.#byte(at + 1);
        yield {
          model: this.#byte(at),
          segment: segment === NO_SEGMENT ? null : segment,
          bands: this.#words[at / 4 + 1] as number,
          revenue: this.#float(at + 8),
          nextAt: someOrNull(this.#float(at + 16)),
          nextSegment: this.#byte(at + 2),
        };
      }
    }
  }

  /** Customers in each cell of a model: a copy. */
  cells(model: number): Uint32Array {
    const at = this.#constant("COUNTS") + model * this.#constant("CELLS_MAX") * 4;
    return this.#words.slice(at / 4, at / 4 + (this.#models[model] as Model).cells.length);
  }

  /**
   * Customers in each cell of a candidate at T, if its limits held now: a copy. It has the dimensions of model
   * `number`, with the same windows. Nothing changes.
   */
  scan(number: number, candidate: Model): Uint32Array {
    this.#bytes.set(encodeModel(candidate), this.#constant("SCAN"));
    this.#call("scan", number, candidate.cells.length);
    const at = this.#constant("SCAN_COUNTS") / 4;
    return this.#words.slice(at, at + candidate.cells.length);
  }

  /**
   * Recounts the rows of up to `count` customers from number `from` on, while nothing is overdue, and says where to go
   * on: 0 at the end.
   */
  audit(from: number, count: number): Audit & { readonly next: number } {
    const next = this.#call("audit", from, count);
    const size = this.#constant("DIFFERENCE_BYTES");
    const end = this.#output + this.#call("auditBytes");
    const differences: AuditDifference[] = [];
    for (let at = this.#output; at < end; at += size) differences.push(this.#readDifference(at));
    return { rows: this.#call("auditRows"), differences, next };
  }

  #readDifference(at: number): AuditDifference {
    const what = AUDITED[this.#byte(at)] as Audited;
    const model = this.#models[this.#byte(at + 1)] as Model;
    const number = this.#words[at / 4 + 1] as number;
    const [id, length] = [this.#call("customerId", number), this.#call("customerIdLength", number)];
    return {
      customer: this.#text(id, length),
      model: hasModel(what) ? model.name : null,
      what,
      dimension: hasDimension(what) ? (model.dimensions[this.#byte(at + 2)]?.name ?? null) : null,
      kept: this.#float(at + 8),
      recounted: this.#float(at + 16),
    };
  }

  /** Number of the customer with this id, 0 where it never came. Between slices only, like all that follows. */
  customerNumber(id: string): number {
    const bytes = new TextEncoder().encode(id);
    if (bytes.length > this.#constant("OUTPUT_BYTES")) return 0;
    this.#bytes.set(bytes, this.#output);
    return this.#call("customerNumber", bytes.length);
  }

  /** The rows of one customer and what they keep beside their figures: by model; none where nothing was applied. */
  rowsOf(customer: number): { readonly row: KernelRow; readonly past: KernelPast }[] {
    this.#call("writeRowsOf", customer);
    const size = this.#constant("ROW_RECORD_BYTES");
    const rows = Array.from({ length: this.#call("rowBytesWritten") / size }, (_, n) =>
      this.#readRow(this.#output + n * size),
    );
    this.#call("writePast", customer);
    const pastSize = this.#constant("PAST_RECORD_BYTES");
    return rows.map((row, n) => ({ row, past: this.#readPast(this.#output + n * pastSize) }));
  }

  #readPast(at: number): KernelPast {
    const nextAt = someOrNull(this.#float(at + 40));
    return {
      pastFirst: someOrNull(this.#float(at)),
      pastLast: someOrNull(this.#float(at + 8)),
      since: someOrNull(this.#float(at + 16)),
      revision: this.#float(at + 24),
      due: someOrNull(this.#float(at + 32)),
      next: nextAt === null ? null : { at: nextAt, segment: this.#byte(at + 48) },
    };
  }

  /** All orders of one customer, from the oldest to the newest: copies. Cost: about 100 ns an order. */
  ordersOf(customer: number): OrderColumns {
    const size = this.#constant("ORDER_RECORD_BYTES");
    const pieces: Uint8Array[] = [];
    for (let from = 0, more = true; more; more = from !== 0) {
      from = this.#call("writeOrders", customer, from);
      pieces.push(this.#bytes.slice(this.#output, this.#output + this.#call("historyBytes")));
    }
    const count = pieces.reduce((sum, piece) => sum + piece.length / size, 0);
    const columns = {
      ...{ time: new Float64Array(count), amount: new Float64Array(count) },
      ...{ refunded: new Float64Array(count), version: new Float64Array(count) },
      ...{ kind: new Uint8Array(count), cancelled: new Uint8Array(count), channel: new Uint8Array(count) },
      ...{ currency: new Uint16Array(count), refunds: new Uint16Array(count), cancels: new Uint16Array(count) },
    };
    const packed: number[] = [];
    let n = count;
    for (const piece of pieces) {
      const [floats, halves] = [new Float64Array(piece.buffer), new Uint16Array(piece.buffer)];
      for (let at = 0; at < piece.length; at += size) {
        n--;
        columns.time[n] = floats[at / 8] as number;
        columns.amount[n] = floats[at / 8 + 1] as number;
        columns.refunded[n] = floats[at / 8 + 2] as number;
        columns.version[n] = floats[at / 8 + 3] as number;
        columns.kind[n] = piece[at + 32] as number;
        columns.cancelled[n] = piece[at + 33] as number;
        columns.channel[n] = piece[at + 34] as number;
        const currency = halves[at / 2 + 18] as number;
        if (!packed.includes(currency)) packed.push(currency);
        columns.currency[n] = packed.indexOf(currency);
        columns.refunds[n] = halves[at / 2 + 20] as number;
        columns.cancels[n] = halves[at / 2 + 21] as number;
      }
    }
    return { count, ...columns, channels: this.channels, currencies: packed.map(unpackCurrency) };
  }

  /** The reversals of one customer that wait for their order, the oldest 100 of `count`. */
  waitingOf(customer: number): { readonly count: number; readonly waiting: WaitingReversal[] } {
    const count = this.#call("writeWaiting", customer);
    const end = this.#output + this.#call("historyBytes");
    const waiting: WaitingReversal[] = [];
    for (let at = this.#output; at < end; ) {
      const kept = this.#words[at / 4 + 8] as number;
      const item = at + this.#constant("WAITING_RECORD_BYTES");
      const channel = this.#byte(at + 29);
      const currency = this.#view.getUint16(at + 30, true);
      waiting.push({
        kind: this.#byte(at + 28) === this.#constant("CANCEL") ? "cancel" : "refund",
        expiry: this.#float(at),
        amount: this.#float(at + 8),
        channel: channel === NO_CHANNEL ? null : this.channelName(channel),
        currency: currency === 0 ? null : unpackCurrency(currency),
        sequence: this.#float(at + 16),
        index: this.#words[at / 4 + 6] as number,
        item: this.#bytes.slice(item, item + kept),
        length: this.#words[at / 4 + 9] as number,
      });
      at = item + ((kept + 7) & ~7);
    }
    return { count, waiting };
  }

  /** T, ms. */
  get clock(): number {
    return this.#call("clock");
  }

  /** The oldest instant not yet fired, null where all rows are exact at T. */
  get overdue(): number | null {
    return someOrNull(this.#call("overdue"));
  }

  /** No row changes by time alone before this instant; null for never. */
  get nextDue(): number | null {
    return someOrNull(this.#call("nextDue"));
  }

  get live(): boolean {
    return this.#call("isLive") === 1;
  }

  /** Ledger number of the last record made. */
  get recordCount(): number {
    return this.#call("recordCount");
  }

  /** Numbers the next record one more. Not below the last one made. */
  renumber(last: number): void {
    this.#call("renumber", last);
  }

  /** Customers that have rows. */
  get appliedCount(): number {
    return this.#call("appliedCount");
  }

  /** Counters since the start of the input and sizes at the moment. */
  counters() {
    const counter = (region: string, index: number) =>
      Number(this.#view.getBigInt64(this.#constant(region) + index * 8, true));
    return {
      events: KINDS.map((_, kind) => OUTCOMES.map((_, outcome) => counter("EVENTS", kind * OUTCOMES.length + outcome))),
      dead: REASONS.map((_, reason) => counter("DEAD", reason)),
      messages: this.#call("messageCount"),
      ticks: this.#call("tickCount"),
      fired: this.#call("firedCount"),
      spurious: this.#call("spuriousCount"),
      customers: this.#call("customerCount"),
      entries: this.#call("entryCount"),
      idBytes: this.#call("idByteCount"),
      parked: this.#call("parkedCount"),
      chainLongest: this.#call("chainLongest"),
      chainSteps: this.#call("chainSteps"),
      timersPending: this.#call("timerCount"),
    };
  }

  /** Bytes reserved for customers (index, rows, ids) and for orders (index, log): what grows with the capacities. */
  get reserved(): { readonly customers: number; readonly orders: number } {
    const [customers, orders] = [this.#constant("idSlots"), this.#constant("eventSlots")];
    return { customers: orders - customers, orders: this.memoryBytes - orders };
  }

  /** All memory from the first region of the layout on: a view. */
  memory(): Uint8Array {
    return this.#bytes.subarray(this.#constant("STATUS"));
  }
}

/** One customer in one model: its place, what it is worth, and its next segment if nothing more is bought. */
export interface Outlook {
  readonly model: number;
  /** Null: in none. */
  readonly segment: number | null;
  /** Four bits a dimension, 0 for none: see `bandIn`. */
  readonly bands: number;
  /** Worth in the monetary window, minor units; below zero where more was given back. */
  readonly revenue: number;
  /** When it comes into another segment, ms; null: never, and `nextSegment` is the one it is in. */
  readonly nextAt: number | null;
  readonly nextSegment: number;
}

/** Of a row, beside its figures; ms. `next.segment` is a number. */
export interface KernelPast {
  readonly pastFirst: number | null;
  readonly pastLast: number | null;
  readonly since: number | null;
  readonly revision: number;
  readonly due: number | null;
  readonly next: { readonly at: number; readonly segment: number } | null;
}

export interface KernelRow {
  readonly model: number;
  readonly customer: string;
  readonly segment: number | null;
  readonly bands: readonly number[];
  readonly values: Values;
}

// A byte order mark is a character of an id like any other.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function someOrNull(value: number): number | null {
  return value === 0 ? null : value;
}
