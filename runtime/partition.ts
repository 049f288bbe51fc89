/** One partition of the engine: messages in, records out. It knows no broker, no file and no clock but its input's. */
import type { Audit } from "./audit.js";
import { CHECKPOINT_FORMAT, type CheckpointHead, type Chunks } from "./checkpoint.js";
import { runningUnder } from "./config/wire.js";
import { type Control, readControl } from "./control.js";
import { RecordEncoder } from "./encoder.js";
import { FatalError, RetryableError } from "./errors.js";
import type { CustomerHistory, HistoryRow } from "./history.js";
import type { Slice } from "./inputring.js";
import { DONE, FULL, Kernel, type KernelRow, type Outlook } from "./kernel.js";
import type { Output } from "./output.js";
import { CAUSES, type Cause, type InputMessage, type LedgerRecord, type OutputRecord, type Reason } from "./record.js";
import { type Resumed, repartitionKernel, restoreKernel } from "./restore.js";
import { Saving } from "./saving.js";
import type { Capacity, Dimension, Model, Settings } from "./settings.js";
import { compareRows, type StateRow } from "./state.js";

export interface PartitionOptions {
  /** Compiled from the kernel's release (or debug) build. */
  readonly wasm: WebAssembly.Module;
  readonly settings: Settings;
  readonly partition: number;
  /** 16 bytes that key the hashes. No output depends on them. */
  readonly seed: Uint8Array;
  /** The input is an adopted stream, read whole as this partition: customers of any hash belong here. */
  readonly adopted?: boolean;
  /** Starts live: nothing is silent for want of a `live` event. */
  readonly live?: boolean;
}

/**
 * How to run what a checkpoint holds: capacities may differ from those it was made under. What decides the output
 * comes from the checkpoint.
 */
export type RestoreOptions = Omit<PartitionOptions, "seed" | "live">;

/** Counts since the start of the input, and sizes at the moment. */
export interface PartitionStats {
  /** By kind and outcome, in the order of KINDS and OUTCOMES. */
  readonly events: readonly (readonly number[])[];
  /** By reason, in the order of REASONS. */
  readonly dead: readonly number[];
  /** By model, segments (null: none) and cause. */
  readonly migrations: readonly MigrationCount[];
  readonly messages: number;
  readonly ticks: number;
  /** Pairs of instant and customer that fired; timers that fired early, looked, and were armed anew. */
  readonly fired: number;
  readonly spurious: number;
  readonly customers: number;
  readonly entries: number;
  readonly idBytes: number;
  readonly parked: number;
  /** Most entries that one customer ever had; entries looked at to find the places of late orders. */
  readonly chainLongest: number;
  readonly chainSteps: number;
  readonly timersPending: number;
  readonly memoryBytes: number;
  readonly capacity: Capacity;
}

export interface MigrationCount {
  readonly model: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly cause: Cause;
  readonly count: number;
}

export interface ModelCounts {
  readonly model: string;
  /** Customers in each cell. */
  readonly cells: Uint32Array;
  /** Customers in each segment, in the model's order. */
  readonly segments: number[];
  /** Customers in no segment. */
  readonly none: number;
  /** All customers: the sum of the segments and none. */
  readonly customers: number;
}

/** Of a checkpoint, written in one call: about a millisecond's work. */
const CHUNK_BYTES = 128 * 1024;
const BY_MODEL = CAUSES.indexOf("model");

export class Partition {
  readonly partition: number;
  #kernel: Kernel;
  #encoder: RecordEncoder;
  #settings: Settings;
  /** The settings before, while a change of models is under way. */
  #former: Settings | undefined;
  readonly #options: PartitionOptions;
  #position = { sequence: 0, stamp: 0 };
  /** The last subject written, and its UTF-8. */
  #subject = "";
  #subjectBytes = new Uint8Array(0);
  /** Migrations by the numbers of model, segments and cause, and those by name from before the last change of models. */
  #counts = new Map<number, number>();
  #counted = new Map<string, MigrationCount>();
  /** A message may be applied in part. */
  #isApplying = false;
  #saving: Saving | undefined;
  /** The customer that is audited next; 0: the first. */
  #auditNext = 0;
  /** The checkpoint under way was given up, and nobody was told. */
  #isOverrun = false;

  /**
   * Reserves all memory. Throws FatalError (PARTITION_FULL) where the capacities pass 4 GiB. With `resumed` it goes on
   * from there: `restore` and `repartition` make that.
   */
  constructor(options: PartitionOptions, resumed?: Resumed) {
    this.partition = options.partition;
    this.#options = options;
    this.#settings = options.settings;
    this.#kernel = resumed?.kernel ?? this.#newKernel(options.settings);
    this.#encoder = this.#newEncoder();
    if (options.live === true) this.#kernel.goLive();
    if (resumed === undefined) return;
    this.#position = resumed.position;
    for (const { count, ...what } of resumed.migrations) this.#add(this.#counted, what, count);
  }

  /**
   * Makes a partition from a checkpoint or savepoint of it; it goes on as if it had never stopped. Throws FatalError:
   * CHECKPOINT_CORRUPT, CHECKPOINT_FORMAT, CHECKPOINT_FOREIGN (of another partition, layout or clock), PARTITION_FULL
   * (the capacities are too small for it).
   */
  static async restore(options: RestoreOptions, chunks: Chunks): Promise<Partition> {
    const resumed = await restoreKernel(options, chunks);
    return new Partition({ ...options, settings: resumed.settings, seed: resumed.seed }, resumed);
  }

  /**
   * Makes a partition of a new layout from savepoints of all partitions of the old one, in their order; `options` say
   * the new place. Each is opened twice. It begins at position 0 with an empty ledger, at the latest of their clocks:
   * what is due up to then and has not fired is overdue, and fires with its own instant. Customers' revisions go on.
   * Throws FatalError as `restore` does, CHECKPOINT_FOREIGN also where the savepoints are not of one layout, seed and
   * configuration.
   */
  static async repartition(options: RestoreOptions, savepoints: readonly (() => Chunks)[]): Promise<Partition> {
    const resumed = await repartitionKernel(options, savepoints);
    return new Partition({ ...options, settings: resumed.settings, seed: resumed.seed }, resumed);
  }

  #newKernel(settings: Settings): Kernel {
    return new Kernel({
      ...this.#options,
      settings,
      checksPartition: this.#options.adopted !== true && settings.partitions > 1,
    });
  }

  #newEncoder(former?: Settings): RecordEncoder {
    const kernel = this.#kernel;
    return new RecordEncoder({
      settings: this.#settings,
      partition: this.partition,
      encoding: kernel.encoding,
      channelName: (channel) => kernel.channelName(channel),
      ...(former === undefined ? {} : { former }),
    });
  }

  /**
   * Applies what waits and then these messages, in order, and yields the ledger records that they cause, in batches of
   * bounded size; nothing more is applied until the next batch is asked for. Throws FatalError (PARTITION_FULL) where
   * a region is full: nothing of the event at fault was written, and the position is that of the last message before
   * the slice at fault.
   */
  *apply(messages: readonly InputMessage[]): Generator<readonly LedgerRecord[], void, undefined> {
    for (const output of this.#steps(messages)) yield this.#encoder.encode(output);
  }

  /** As `apply`, with records as plain objects. */
  *records(messages: readonly InputMessage[]): Generator<readonly OutputRecord[], void, undefined> {
    for (const output of this.#steps(messages)) yield this.#read(output);
  }

  /** What each step of the kernel puts out, where it puts out something: good until the next one is asked for. */
  *#steps(messages: readonly InputMessage[]): Generator<Output, void, undefined> {
    let next = 0;
    do {
      while (next < messages.length && this.write(messages[next] as InputMessage)) next++;
      if (this.waiting > 0) yield* this.#slice();
      else if (next < messages.length) yield* this.#alone(messages[next++] as InputMessage);
    } while (next < messages.length || this.waiting > 0);
  }

  /** Applies the next slice of what waits, and yields like `apply`. */
  *applySlice(): Generator<readonly LedgerRecord[], void, undefined> {
    for (const output of this.#slice()) yield this.#encoder.encode(output);
  }

  /** Copies a message behind those that wait. False where it has to be applied alone, or there is no room for it now. */
  write({ sequence, stamp, subject, source, control, silent, body }: InputMessage): boolean {
    if (control) return false;
    if (subject !== this.#subject) {
      this.#subject = subject;
      this.#subjectBytes = new TextEncoder().encode(subject);
    }
    return this.writeBytes(this.#subjectBytes, source, silent, sequence, stamp, body);
  }

  /** As `write`, of a message that is no control message. `subject` is UTF-8; the bytes are copied. */
  writeBytes(
    subject: Uint8Array,
    source: number,
    silent: boolean,
    sequence: number,
    stamp: number,
    body: Uint8Array,
  ): boolean {
    if (body.length > this.#settings.messageBytesMax) return false;
    return this.#kernel.write(subject, source, silent, sequence, stamp, body);
  }

  /** Messages written and not yet applied. */
  get waiting(): number {
    return this.#kernel.waiting;
  }

  get waitingMax(): number {
    return this.#kernel.waitingMax;
  }

  /** True while at most half of what may wait does: 8,192 messages, 8 MiB. */
  get isHalfFree(): boolean {
    return this.#kernel.isHalfFree;
  }

  /** What `applySlice` applies; undefined where nothing waits. */
  get nextSlice(): Slice | undefined {
    return this.#kernel.nextSlice;
  }

  #read(output: Output): OutputRecord[] {
    const { names } = this.#kernel;
    const records: OutputRecord[] = [];
    for (output.rewind(); output.more; output.next()) records.push(output.read(names));
    return records;
  }

  *#slice(): Generator<Output, void, undefined> {
    const slice = this.#kernel.begin();
    if (slice === undefined) return;
    this.#isApplying = true;
    const { last } = slice;
    const stamp = slice.stampOf(last);
    yield* this.#drain(() => this.#kernel.run());
    this.#position = { sequence: last, stamp };
    this.#isApplying = false;
  }

  /** A message that the kernel can't take in a row with others: a control message, or one that is too large. */
  *#alone(message: InputMessage): Generator<Output, void, undefined> {
    const { sequence, stamp, control, body } = message;
    this.#isApplying = true;
    if (control) yield* this.#control(message);
    else if (body.length > this.#settings.messageBytesMax) yield* this.#reject("overLimit", message);
    else throw new FatalError("KERNEL_FAULT", `message ${sequence} does not fit the input region`);
    this.#position = { sequence, stamp };
    this.#isApplying = false;
  }

  /** Yields what each step puts out, until the kernel is done. */
  *#drain(step: () => number): Generator<Output, void, undefined> {
    while (true) {
      const status = step();
      this.#saving?.collect();
      yield* this.#told();
      if (this.#saving?.isFull === true) yield* this.#waitForTaker();
      if (status === DONE) return;
      if (status === FULL) throw this.#fullError();
    }
  }

  /** Gives an empty batch, so that the checkpoint's chunks are taken; where they are not, there will be none. */
  *#waitForTaker(): Generator<Output, void, undefined> {
    const output = this.#kernel.output();
    output.rewind(0);
    yield output;
    if (this.#saving?.isFull !== true) return;
    this.abandonCheckpoint();
    this.#isOverrun = true;
  }

  /** The output, counted, unless it is empty. */
  *#told(): Generator<Output, void, undefined> {
    const output = this.#kernel.output();
    if (!output.more) return;
    for (; output.more; output.next()) if (output.isMigration) this.#count(output);
    output.rewind();
    yield output;
  }

  *#control(message: InputMessage): Generator<Output, void, undefined> {
    const control: Control | Reason = readControl(message.body, this.#settings.clock);
    if (typeof control === "string") {
      yield* this.#reject(control, message);
      return;
    }
    // The clock is the layout's own: under another one the input would mean something else.
    if (control.type === "model" && control.settings.clock !== this.#settings.clock) {
      yield* this.#reject("unsupported", message);
      return;
    }
    const { stamp, sequence } = message;
    if (control.type === "tick") this.#kernel.beginTick(control.time ?? stamp, sequence, control.fires);
    else this.#kernel.beginControl(stamp, sequence);
    // What fell due before is history, too: it fires silently, however long ago the last order was.
    if (control.type === "live") this.#kernel.fireAll();
    yield* this.#drain(() => this.#kernel.tick());
    if (control.type === "live") this.#kernel.goLive();
    if (control.type === "model") yield* this.#changeModels(control.settings, sequence, control.silent);
  }

  /**
   * Other models hold from here on. What is due fires under the former ones first; then every customer is looked at.
   */
  *#changeModels(wanted: Settings, sequence: number, silent: boolean): Generator<Output, void, undefined> {
    if (wanted.version === this.#settings.version) return;
    this.#kernel.fireAll();
    yield* this.#drain(() => this.#kernel.tick());
    const former = this.#kernel;
    this.#former = this.#settings;
    this.#counted = this.#migrationCounts();
    this.#counts = new Map();
    this.#settings = runningUnder(wanted, this.#settings);
    this.#kernel = this.#newKernel(this.#settings);
    this.#encoder = this.#newEncoder(this.#former);
    for (const _ of this.#kernel.adopt(former, this.#former.models, sequence, silent)) {
      yield* this.#told();
    }
    this.#former = undefined;
    this.#encoder = this.#newEncoder();
  }

  *#reject(reason: Reason, message: InputMessage): Generator<Output, void, undefined> {
    this.#kernel.beginControl(message.stamp, message.sequence);
    this.#kernel.reject(reason, message);
    yield* this.#told();
    yield* this.#drain(() => this.#kernel.tick());
  }

  /** By numbers, which are quick; `#named` says what they mean under the models that hold now. */
  #count({ model, fromSegment, toSegment, cause }: Output): void {
    if (cause === BY_MODEL) {
      const { name } = this.#settings.models[model] as Model;
      const former = this.#former?.models.find((other) => other.name === name);
      this.#add(this.#counted, this.#named(former, fromSegment, this.#settings.models[model], toSegment, "model"), 1);
      return;
    }
    const key = ((model * 256 + fromSegment) * 256 + toSegment) * CAUSES.length + cause;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  #named(
    former: Model | undefined,
    from: number,
    model: Model | undefined,
    to: number,
    cause: Cause,
  ): Omit<MigrationCount, "count"> {
    // None has a number that no segment has.
    const name = (owner: Model | undefined, segment: number) => owner?.segments[segment] ?? null;
    return { model: model?.name ?? "", from: name(former, from), to: name(model, to), cause };
  }

  #add(into: Map<string, MigrationCount>, what: Omit<MigrationCount, "count">, count: number): void {
    const key = JSON.stringify([what.model, what.from, what.to, what.cause]);
    into.set(key, { ...what, count: (into.get(key)?.count ?? 0) + count });
  }

  /** All migrations counted, by name. */
  #migrationCounts(): Map<string, MigrationCount> {
    const all = new Map(this.#counted);
    for (const [key, count] of this.#counts) {
      const segments = Math.floor(key / CAUSES.length);
      const model = this.#settings.models[Math.floor(segments / 65_536)];
      const [from, to] = [Math.floor(segments / 256) % 256, segments % 256];
      this.#add(all, this.#named(model, from, model, to, CAUSES[key % CAUSES.length] as Cause), count);
    }
    return all;
  }

  #fullError(): FatalError {
    const { customers, entries, idBytes } = this.#kernel.counters();
    const { capacity } = this.#settings;
    return new FatalError(
      "PARTITION_FULL",
      `partition ${this.partition} is full behind message ${this.#position.sequence}: ` +
        `${customers} of ${capacity.customers} customers, ${entries} of ${capacity.entries} entries of the log, ` +
        `${idBytes} of ${capacity.idBytes} bytes of ids`,
    );
  }

  /**
   * Begins a checkpoint of the state behind the last message applied, to be taken with `nextCheckpointChunk` while more
   * are applied. Throws RangeError within a message (while a generator of `apply` is open) and while one is under way.
   */
  beginCheckpoint(): CheckpointHead {
    if (this.#isApplying) throw new RangeError("a checkpoint begins between messages");
    if (this.#saving !== undefined) throw new RangeError("a checkpoint is under way");
    const head = this.#checkpointHead();
    this.#isOverrun = false;
    this.#saving = new Saving(this.#kernel, head);
    return head;
  }

  #checkpointHead(): CheckpointHead {
    const { customers, entries, idBytes, parked, timersPending: _, ...counters } = this.#kernel.counters();
    return {
      format: CHECKPOINT_FORMAT,
      partition: this.partition,
      adopted: this.#options.adopted === true,
      position: this.#position,
      recordNumber: this.recordNumber,
      clock: this.clock,
      overdue: this.overdue,
      live: this.live,
      seed: Buffer.from(this.#options.seed).toString("hex"),
      settings: this.#settings,
      channels: this.#kernel.channels,
      customers,
      entries,
      idBytes,
      parked,
      amountsEver: String(this.#kernel.amountsEver),
      counters,
      migrations: [...this.#migrationCounts().values()],
    };
  }

  /** A checkpoint was begun, and its last chunk is not taken. */
  get checkpointing(): boolean {
    return this.#saving !== undefined;
  }

  /**
   * The next bytes of the checkpoint under way, which may be none; undefined behind the last: then it is whole. To be
   * called between any two batches of `apply`. About `bytes` (128 KiB), and more where one customer is more or many were touched
   * before their turn: of these at most 32 MiB wait, then `apply` gives an empty batch, and where none is taken the
   * checkpoint is given up: then this throws RetryableError (CHECKPOINT_OVERRUN), once. Cost: below 2 ms.
   */
  nextCheckpointChunk(bytes = CHUNK_BYTES): Uint8Array | undefined {
    if (this.#isOverrun) {
      this.#isOverrun = false;
      throw new RetryableError(
        "CHECKPOINT_OVERRUN",
        `partition ${this.partition} changed more while a checkpoint was written than may wait; it was given up`,
      );
    }
    const chunk = this.#saving?.next(bytes);
    if (chunk === undefined) this.#saving = undefined;
    return chunk;
  }

  /** Forgets the checkpoint under way, where there is one. */
  abandonCheckpoint(): void {
    this.#saving?.abandon();
    this.#saving = undefined;
  }

  /** Sequence and stamp of the last message applied; 0 before the first. */
  get position(): { readonly sequence: number; readonly stamp: number } {
    return this.#position;
  }

  /** Ledger number of the last record made, 0 before the first. */
  get recordNumber(): number {
    return this.#kernel.recordCount;
  }

  /**
   * The next record has the number behind `last`, which is not below `recordNumber`: for a ledger that holds records
   * which this input does not give. To be called between messages.
   */
  renumber(last: number): void {
    if (last < this.recordNumber) throw new RangeError(`record ${this.recordNumber} was made, ${last} is below it`);
    this.#kernel.renumber(last);
  }

  /** T in ms, 0 before the first message. */
  get clock(): number {
    return this.#kernel.clock;
  }

  get live(): boolean {
    return this.#kernel.live;
  }

  /** The configuration in force. */
  get settings(): Settings {
    return this.#settings;
  }

  /** The oldest instant not yet fired (at most the clock), null when all rows are exact at the clock. */
  get overdue(): number | null {
    return this.#kernel.overdue;
  }

  /** The earliest instant at which something may fall due, null for never. */
  get nextDue(): number | null {
    return this.#kernel.nextDue;
  }

  /** Customers in each cell and segment of each model. */
  counts(): ModelCounts[] {
    return this.#settings.models.map((model, number) => this.#countsOf(model, this.#kernel.cells(number)));
  }

  /**
   * Customers in each cell and segment of a candidate, if it held at the clock in place of the model of its name: other
   * limits, rules and numbers of bands, but the same measures and windows (else RangeError). Exact, also while rows are
   * overdue. Nothing changes. Cost: about a nanosecond a customer, and more for each that changed since the last time.
   */
  recount(candidate: Model): ModelCounts {
    const number = this.#settings.models.findIndex(({ name }) => name === candidate.name);
    const model = this.#settings.models[number];
    if (model === undefined) throw new RangeError(`there is no model ${candidate.name}`);
    if (!measuresAlike(model, candidate)) throw new RangeError(`${candidate.name} has other measures or windows`);
    return this.#countsOf(candidate, this.#kernel.scan(number, candidate));
  }

  #countsOf(model: Model, cells: Uint32Array): ModelCounts {
    const customers = this.#kernel.appliedCount;
    const segments = model.segments.map(() => 0);
    let placed = 0;
    for (const [cell, count] of cells.entries()) {
      const segment = model.cells[cell] as number;
      segments[segment] = (segments[segment] as number) + count;
      placed += count;
    }
    return { model: model.name, cells, segments, none: customers - placed, customers };
  }

  stats(): PartitionStats {
    return {
      ...this.#kernel.counters(),
      migrations: [...this.#migrationCounts().values()],
      memoryBytes: this.#kernel.memoryBytes,
      capacity: this.#settings.capacity,
    };
  }

  /**
   * Every customer in every model, in the order of the State CSV: as they are, exact at the clock when nothing is
   * overdue; or as time alone leaves them at a later `instant` (ms). Nothing changes.
   */
  state(instant = 0): StateRow[] {
    return [...this.#kernel.rows(instant)].map((row) => this.#stateRow(row)).sort(compareRows);
  }

  /**
   * What each customer is worth in each model, and where it goes next if it buys nothing; exact at the clock when
   * nothing is overdue. Nothing changes, and nothing may be applied until the last is taken. Cost: some ten nanoseconds
   * an order in a window.
   */
  outlooks(): Generator<Outlook> {
    return this.#kernel.outlooks();
  }

  #stateRow({ model: number, customer, segment, bands, values }: KernelRow): StateRow {
    const model = this.#settings.models[number] as Model;
    const band = (name: Dimension["name"]) => {
      const d = model.dimensions.findIndex((dimension) => dimension.name === name);
      return d < 0 ? null : (model.dimensions[d]?.bands[(bands[d] as number) - 1]?.name ?? "none");
    };
    return {
      model: model.name,
      customer,
      ...values,
      recency: band("recency"),
      frequency: band("frequency"),
      monetary: band("monetary"),
      tenure: band("tenure"),
      segment: segment === null ? null : (model.segments[segment] as string),
    };
  }

  /**
   * Recounts the rows of the next customers, at most so many, from their orders, and compares them with what is kept;
   * behind the last customer it begins with the first. Nothing changes. Undefined where rows are overdue: they are not
   * exact then. Between slices only. Cost: a cache miss or two an order, for 32 orders a customer on average at most.
   */
  audit(count: number): Audit | undefined {
    if (this.#isApplying) throw new RangeError("an audit is made between messages");
    if (this.overdue !== null) return undefined;
    const { next, ...found } = this.#kernel.audit(Math.max(this.#auditNext, 1), count);
    this.#auditNext = next;
    return found;
  }

  /**
   * One customer's orders and rows as they are now; undefined where it never came. Between slices only. Where
   * something is `overdue` the rows may be behind the clock. Cost: about 100 ns an order (`ordersPerCustomerMax`), in one go.
   */
  history(customer: string): CustomerHistory | undefined {
    if (this.#isApplying) throw new RangeError("a customer is looked at between messages");
    const number = this.#kernel.customerNumber(customer);
    if (number === 0) return undefined;
    const rows = this.#kernel.rowsOf(number).map(({ row, past }): HistoryRow => {
      const { next } = past;
      const { segments } = this.#settings.models[row.model] as Model;
      const told = next === null ? null : { at: next.at, segment: segments[next.segment] as string };
      return { row: this.#stateRow(row), bands: row.bands, ...past, next: told };
    });
    const { count: waitingCount, waiting } = this.#kernel.waitingOf(number);
    return {
      customer,
      partition: this.partition,
      position: this.#position.sequence,
      clock: this.clock,
      overdue: this.overdue,
      version: this.#settings.version,
      orders: this.#kernel.ordersOf(number),
      rows,
      waiting,
      waitingCount,
    };
  }

  /** All memory from the first region of the layout on: a view. For tests that compare builds. */
  memory(): Uint8Array {
    return this.#kernel.memory();
  }
}

/** Whether rows of one are rows of the other, but for bands and segments. */
function measuresAlike(one: Model, other: Model): boolean {
  const told = ({ channels, currency, otherCurrency, fullRefund, dimensions }: Model) =>
    JSON.stringify([
      channels,
      currency,
      otherCurrency,
      fullRefund,
      dimensions.map(({ measure, windowMs }) => [measure, String(windowMs)]),
    ]);
  return told(one) === told(other);
}
