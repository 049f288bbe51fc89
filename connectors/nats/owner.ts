/**
 * The owner of one partition: reads its input, applies it, writes its ledger, and publishes the control messages.
 * `run` holds the order of effects, which is the delivery guarantee; nothing else here reads, applies or publishes.
 */
import type { CheckpointSettings } from "../../runtime/config/index.js";
import { FatalError, RetryableError } from "../../runtime/errors.js";
import type { CustomerHistory } from "../../runtime/history.js";
import { Slice } from "../../runtime/inputring.js";
import type { Partition } from "../../runtime/partition.js";
import type { InputMessage, LedgerRecord } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import { sourceOf } from "../../runtime/subjects.js";
import type { CheckpointStore } from "../checkpoints.js";
import type { PartitionStatus, ThreadStatus } from "../edge.js";
import { Auditor } from "./auditor.js";
import { ApiError, type Broker, headersOf, isForbidden, isRefusal, reasonOf, sleep, within } from "./broker.js";
import { grown, nearlyFull } from "./capacity.js";
import { type CheckpointCounts, Checkpointer } from "./checkpointer.js";
import { Histogram } from "./histogram.js";
import { LedgerWriter } from "./ledger.js";
import type { BrokerMessage } from "./message.js";
import { modelChanged, modelMessage } from "./model.js";
import { Pause } from "./pause.js";
import { stateOf } from "./position.js";
import { controlMessage } from "./publisher.js";
import { type Missing, type StreamMessage, StreamReader } from "./reader.js";
import { type Accepted, recover } from "./recovery.js";
import { type PartitionStreams, streamState } from "./streams.js";
import { Ticker } from "./ticker.js";
import type { Turns } from "./turns.js";

/** Makes a changed configuration hold from now on; `silent` marks the migrations that it causes. */
export type ApplyModel = "no" | "yes" | "silent";

export interface OwnerOptions {
  readonly broker: Broker;
  readonly wasm: WebAssembly.Module;
  readonly settings: Settings;
  readonly streams: PartitionStreams;
  /** 16 bytes that key the hashes. */
  readonly seed: Uint8Array;
  readonly applyModel: ApplyModel;
  readonly accepted: Accepted;
  /** Undefined: every start reads the input from its beginning. */
  readonly store: CheckpointStore | undefined;
  readonly checkpoints: Pick<CheckpointSettings, "everyMs" | "messagesMax">;
  /** Of the partition, from owner to owner. */
  readonly counts: CheckpointCounts;
  /** Of the partitions that share the thread. */
  readonly turns?: Turns;
  /** A line for the log. */
  readonly note: (text: string) => void;
}

/** What the owner knows beyond what the edges show. */
export interface OwnerStatus extends PartitionStatus {
  readonly ticksPublished: number;
  /** Messages deleted within the input, and lost from its head, before they were read. */
  readonly messagesErased: number;
  readonly messagesLost: number;
}

/** What is pulled and on its way, a partition: what the free half of the kernel's input region takes. */
const READ_MESSAGES_MAX = 8_192;
const READ_BYTES_MAX = 8 * 1_048_576;
const SILENT = "Tidemark-Silent";
const SUBJECTS_MAX = 1_024;
/** Until the end of the input is known, it is looked for this often. */
const REPLAY_IDLE_MS = 50;
/** Work without a look at the socket; what one call of the kernel takes comes on top. */
const BREATH_MS_MAX = 2;
/** A control message that no stream takes for so long is not allowed, or has no room. */
const CONTROL_MS_MAX = 60_000;
const STOP_MS_MAX = 5_000;
/** An input that gives fewer records than the ledger has is waited for, where more of it is to come. */
const SHORT_MS_MAX = 30_000;
/** Between two tries to find the ledger's end, or to publish a tick that was asked for, while the broker is away. */
const AWAY_MS = 500;
/** For a last checkpoint when it is stopped: it only makes the next start shorter. */
const LAST_CHECKPOINT_MS_MAX = 3_000;
/** What an order waits at a time for a store that is slower than the orders; and what history does. */
const WAIT_MS_MAX = 10;
const REPLAY_WAIT_MS_MAX = 5_000;
/** How full the partition is, is looked at this often. */
const CAPACITY_MS = 5_000;
/** Records whose delay is measured at a time; more in flight are not measured. */
const DELAYS_MAX = 65_536;

export class PartitionOwner {
  readonly #options: OwnerOptions;
  readonly #ticker: Ticker;
  readonly #applySeconds = new Histogram();
  readonly #delaySeconds = new Histogram();
  /** What each subject seen stands for, under the settings beside it; and the subject seen last. */
  readonly #routes = new Map<string, Route>();
  #routesOf: Settings | undefined;
  #route: Route | undefined;
  /** Messages of the last batch that are not yet in the kernel's input region. */
  #hand: readonly StreamMessage[] = [];
  /** A message that the kernel can't take in a row with others is being applied: none may come behind it. */
  #alone = false;
  #partition: Partition | undefined;
  #reader: StreamReader | undefined;
  #ledger: LedgerWriter | undefined;
  #state: PartitionStatus["state"] = "starting";
  #error: string | undefined;
  /** Stamps of the messages behind records in flight: record n's, of `#stampsFrom` to `#stampsTo`, at n modulo DELAYS_MAX. */
  readonly #stamps = new Float64Array(DELAYS_MAX);
  #stampsFrom = 1;
  #stampsTo = 0;
  #breathedAt = 0;
  /** A message may be applied in part: nobody else looks at the kernel now. */
  #applying = false;
  readonly #readers = new Set<(partition: Partition) => void>();
  readonly #pauses = new Set<Pause>();
  /** What is to be done as soon as no message is applied in part. */
  #betweenSlices: ((isOver: boolean) => void)[] = [];
  #checkpointer: Checkpointer | undefined;
  #auditor: Auditor | undefined;
  /** Since when the input read so far gives fewer records than the ledger has. */
  #shortSince: number | undefined;
  #capacityTold = "";
  #streamFirst = 0;
  #streamLast = 0;
  #erased = 0;
  #lost = 0;

  constructor(options: OwnerOptions) {
    this.#options = options;
    const { settings, broker, streams } = options;
    this.#ticker = new Ticker({
      clock: settings.clock,
      tickMs: settings.tickMs,
      now: Date.now,
      ...(options.turns === undefined ? {} : { turns: options.turns }),
      view: () => this.#tickView(),
      publish: (tick) => broker.publishStored(streams.control, controlMessage({ type: "tick", ...tick })),
    });
  }

  get partition(): Partition | undefined {
    return this.#partition;
  }

  get streams(): PartitionStreams {
    return this.#options.streams;
  }

  get error(): string | undefined {
    return this.#error;
  }

  /** Messages of the input not yet applied, as far as known. */
  get pending(): number {
    return (this.#reader?.pending ?? 0) + this.#hand.length + (this.#partition?.waiting ?? 0);
  }

  /** `running` once the input was read to the end that it had at the start. */
  get state(): PartitionStatus["state"] {
    return this.#state;
  }

  /**
   * Owns the partition until the signal aborts. Throws FatalError when it can't go on.
   *
   * The order of effects, for each slice of the input: (1) read, in order and without a hole; (2) apply; (3) append
   * what that caused to the ledger, waiting while its window is full, and only then go on applying. Nothing is
   * acknowledged to the input: the position is in the records, and in the checkpoints, of which each is committed once
   * the records before it are stored. After a restart the input is read from the newest checkpoint on (see recovery.ts),
   * and `append` publishes nothing that the ledger has.
   *
   * Messages are copied into the kernel's input region as they come (`#take`): to wait there is not yet to be applied.
   */
  async run(stop: AbortSignal): Promise<void> {
    const { broker, streams } = this.#options;
    const fault = new AbortController();
    const signal = AbortSignal.any([stop, fault.signal]);
    let capacityTimer: NodeJS.Timeout | undefined;
    try {
      const recovered = await recover(this.#options, signal);
      if (recovered === undefined) return;
      const { partition, unrecorded } = recovered;
      this.#partition = partition;
      const ledger = await this.#openLedger(partition.recordNumber, signal);
      if (ledger === undefined) return;
      const checkpointer = this.#newCheckpointer(partition, ledger, recovered.checkpoint);
      // A kernel that traps while it is written out is as broken as one that traps while it applies.
      const checkpoints = checkpointer?.run(signal).catch((error: unknown) => fault.abort(error));
      capacityTimer = setInterval(() => this.#checkCapacity(partition), CAPACITY_MS);
      const { note } = this.#options;
      const isIdle = () => this.#state === "running" && !this.#applying && this.pending === 0;
      this.#auditor = new Auditor({ partition, isIdle, note }, (error) => fault.abort(error));
      const { sequence, stamp } = partition.position;
      const reader = new StreamReader(broker, {
        stream: streams.input,
        from: sequence + 1,
        ...(sequence === 0 ? {} : { stamp }),
        messagesMax: READ_MESSAGES_MAX,
        bytesMax: READ_BYTES_MAX,
        take: (sequence, stamp, message) => this.#take(partition, sequence, stamp, message),
        hasRoom: () => partition.isHalfFree,
      });
      this.#reader = reader;
      this.#state = "replaying";
      for (;;) {
        if (partition.waiting === 0 && this.#hand.length === 0) {
          if (this.#state === "replaying" && reader.atEnd)
            await this.#endOfInput(partition, ledger, unrecorded, signal);
          await reader.ready(signal, this.#state === "replaying" ? REPLAY_IDLE_MS : undefined);
          if (signal.aborted) break;
          this.#breathedAt = performance.now();
        }
        if (this.#hand.length === 0) {
          const { messages, missing } = reader.poll();
          if (missing) this.#judgeMissing(missing, partition);
          this.#hand = messages;
        }
        this.#fillInput(partition);
        for (const { over } of this.#pauses) await over;
        const next = partition.nextSlice ?? this.#nextAlone(partition);
        if (next !== undefined) {
          this.#checkClock(next);
          this.#applying = true;
          for (const records of this.#timed(next instanceof Slice ? partition.applySlice() : partition.apply([next]))) {
            // Nothing put out: the kernel has no more room for what a checkpoint under way has yet to write.
            if (records.length === 0)
              await checkpointer?.drain(this.state === "running" ? WAIT_MS_MAX : REPLAY_WAIT_MS_MAX);
            this.#stampRecords(records, next);
            await ledger.append(records, signal);
            if (signal.aborted) break;
            await this.#breathe();
          }
          if (signal.aborted) break;
          this.#applying = false;
          this.#alone = false;
          this.#workBetweenSlices();
          this.#serveReaders();
          await this.#breathe();
          if (this.state === "running" && partition.waiting === 0 && this.#hand.length === 0 && reader.atEnd)
            this.#ticker.observe(partition.position.stamp);
        }
        this.#ticker.consider();
      }
      this.#ticker.stop();
      this.#workBetweenSlices(true);
      await within(STOP_MS_MAX, checkpoints);
      fault.signal.throwIfAborted();
      // What was applied is regenerated after a restart: both only make that one shorter.
      await ledger.flush(AbortSignal.timeout(STOP_MS_MAX));
      if (!this.#applying && ledger.inFlight === 0)
        await checkpointer?.takeLast(AbortSignal.timeout(LAST_CHECKPOINT_MS_MAX));
      this.#state = "stopped";
    } catch (thrown) {
      const error: unknown = fault.signal.aborted ? fault.signal.reason : thrown;
      if (stop.aborted && !(error instanceof FatalError)) return;
      this.#state = "failed";
      this.#error = error instanceof Error ? error.message : String(error);
      throw error;
    } finally {
      clearInterval(capacityTimer);
      this.#auditor?.stop();
      fault.abort();
      this.#workBetweenSlices(true);
      this.#ticker.stop();
      this.#reader?.close();
      this.#ledger?.close();
    }
  }

  /**
   * What `read` gives of the partition between two slices, once the input was read to its end and nothing is overdue:
   * rows are then exact at the clock. Throws Error where that takes longer than `msMax`, or the partition has failed.
   */
  atRest<T>(read: (partition: Partition) => T, msMax: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#readers.delete(reader);
        reject(new Error(`partition ${this.streams.partition} has not caught up (${this.#error ?? this.#state})`));
      }, msMax);
      const reader = (partition: Partition) => {
        clearTimeout(timer);
        resolve(read(partition));
      };
      this.#readers.add(reader);
      this.#serveReaders();
    });
  }

  /** Applies nothing more until the pause is over. To be called at rest, or between two slices. */
  pause(msMax: number): Pause {
    const pause = new Pause(msMax);
    this.#pauses.add(pause);
    void pause.over.then(() => this.#pauses.delete(pause));
    return pause;
  }

  /**
   * One customer between two slices, once nothing is overdue; after `msMax`, or while the input is read to its end, as
   * it is then. Undefined where it never came. Nothing is published: what time alone changes was ticked already. Throws
   * Error where the partition has not begun, or has failed.
   */
  async history(customer: string, msMax: number): Promise<CustomerHistory | undefined> {
    if (this.#partition === undefined || this.#state === "failed")
      throw new Error(`partition ${this.streams.partition} can't be asked (${this.#error ?? this.#state})`);
    const look = (partition: Partition) => ({ found: partition.history(customer) });
    const rested = this.#state === "running" ? await this.atRest(look, msMax).catch(() => undefined) : undefined;
    return (rested ?? (await this.#soon(() => look(this.#partition as Partition)))).found;
  }

  /**
   * Moves T on to the broker's now, and resolves once that is applied: false where that takes longer than `msMax`. Throws
   * RetryableError where the broker is away for as long.
   */
  async tick(msMax: number): Promise<boolean> {
    const end = performance.now() + msMax;
    const sequence = await this.#publishTick(end);
    while ((this.#partition?.position.sequence ?? 0) < sequence) {
      if (performance.now() > end) return false;
      await sleep(5);
    }
    return true;
  }

  /** A second one does no harm, so it is published again where no answer came. */
  async #publishTick(end: number): Promise<number> {
    const { broker, streams } = this.#options;
    for (;;) {
      try {
        return await broker.publishStored(streams.control, controlMessage({ type: "tick" }));
      } catch (error) {
        if (!(error instanceof RetryableError) || broker.closed || performance.now() > end) throw error;
        await sleep(AWAY_MS);
      }
    }
  }

  /**
   * Moves T on to the broker's now, waits until nothing is overdue, and takes a checkpoint; resolves with its position
   * once it is stored. Rejects where the store refuses it, none are kept, too many wait for one, or resting takes longer
   * than `msMax`.
   */
  async checkpoint(msMax: number): Promise<number> {
    if (this.#checkpointer === undefined) throw new Error("no checkpoints are kept (checkpoints: { store: none })");
    return this.#checkpointer.request(async () => {
      if (this.#options.settings.clock === "broker") await this.tick(msMax);
      await this.atRest(() => undefined, msMax);
    });
  }

  /** What the stream's limits are asked for, at most for a second; the last answer where the broker is away. */
  async status(thread: ThreadStatus): Promise<OwnerStatus> {
    const { broker, streams } = this.#options;
    try {
      const state = await streamState(broker, streams.input, 1_000);
      this.#streamFirst = state.first_seq;
      this.#streamLast = state.last_seq;
    } catch (error) {
      if (!(error instanceof RetryableError || error instanceof ApiError)) throw error;
    }
    const partition = this.#partition;
    const ledger = this.#ledger;
    return {
      partition: streams.partition,
      ...thread,
      state: this.#state,
      ...(this.#error === undefined ? {} : { error: this.#error }),
      position: partition?.position.sequence ?? 0,
      positionStamp: partition?.position.stamp ?? 0,
      streamFirst: this.#streamFirst,
      streamLast: this.#streamLast,
      clock: partition?.clock ?? 0,
      overdue: partition?.overdue ?? null,
      nextDue: partition?.nextDue ?? null,
      live: partition?.live ?? false,
      ledgerNumber: partition?.recordNumber ?? 0,
      ledgerAcked: ledger?.stored ?? 0,
      ledgerInFlight: ledger?.inFlight ?? 0,
      ledgerRefused: ledger?.refused ?? 0,
      reconnects: broker.reconnects,
      ticksPublished: this.#ticker.count,
      messagesErased: this.#erased,
      messagesLost: this.#lost,
      tickWaitSeconds: this.#ticker.waitedMs / 1_000,
      bufferedMax: (this.#reader?.bufferedMax ?? 0) + (partition?.waitingMax ?? 0),
      checkpoint: { ...this.#options.counts },
      applySeconds: this.#applySeconds.value(),
      delaySeconds: this.#delaySeconds.value(),
      audit: this.#auditor?.status ?? { rows: 0, differences: 0 },
      stats: partition?.stats() ?? emptyStats(this.#options.settings),
    };
  }

  #serveReaders(): void {
    const partition = this.#partition;
    if (this.#applying || this.#state !== "running" || partition === undefined || partition.overdue !== null) return;
    for (const reader of this.#readers) reader(partition);
    this.#readers.clear();
  }

  /** Lets the thread look at its socket and timers: acknowledgements, questions, the other partitions. */
  async #breathe(): Promise<void> {
    if (performance.now() - this.#breathedAt < BREATH_MS_MAX) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#breathedAt = performance.now();
  }

  #newCheckpointer(partition: Partition, ledger: LedgerWriter, stored: number): Checkpointer | undefined {
    const { store, checkpoints, counts, note } = this.#options;
    if (store === undefined) return undefined;
    this.#checkpointer = new Checkpointer({
      store,
      partition,
      ...checkpoints,
      stored,
      betweenSlices: (work) => this.#soon(work),
      ledgerReached: (number, signal) => ledger.reached(number, signal),
      counts,
      note,
    });
    return this.#checkpointer;
  }

  /** What `work` gives, as soon as no message is applied in part. */
  #soon<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#betweenSlices.push((isOver) => {
        try {
          if (isOver) throw new Error("the partition is stopping");
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
      if (!this.#applying) this.#workBetweenSlices();
    });
  }

  #workBetweenSlices(isOver = false): void {
    if (this.#betweenSlices.length === 0) return;
    for (const work of this.#betweenSlices.splice(0)) work(isOver);
  }

  /** Warns once of what is nearly full. */
  #checkCapacity(partition: Partition): void {
    const stats = partition.stats();
    const full = nearlyFull(stats.capacity, stats);
    const regions = full.map((text) => text.split(" ")[0]).join();
    if (regions !== this.#capacityTold && regions !== "") {
      const larger = grown(stats.capacity, stats, this.#options.settings.capacityMax);
      const then = larger === undefined ? "at its limit it stops" : "it will restart with more room";
      this.#options.note(`partition ${partition.partition} is nearly full (${full.join(", ")}); ${then}`);
    }
    this.#capacityTold = regions;
  }

  /** Tried again as long as the broker is away; undefined when the signal aborts. */
  async #openLedger(from: number, signal: AbortSignal): Promise<LedgerWriter | undefined> {
    const { broker, settings, streams, accepted } = this.#options;
    while (!signal.aborted) {
      try {
        this.#ledger = await LedgerWriter.open(broker, {
          stream: streams.ledger,
          inFlightMax: settings.ledgerInFlightMax,
          from,
          accepts: accepted.ledger,
          onStored: (number) => this.#stored(number),
          onTrouble: (reason) =>
            this.#options.note(`stream ${streams.ledger}: ${reason}; sending again until it is stored`),
        });
        return this.#ledger;
      } catch (error) {
        const isPassing = error instanceof RetryableError || (error instanceof ApiError && error.status >= 500);
        if (!isPassing || broker.closed) throw error;
      }
      await sleep(AWAY_MS, signal);
    }
    return undefined;
  }

  /** Once, when the input was read to its end: the configuration that is to hold, `live`, and ticks from now on. */
  async #endOfInput(
    partition: Partition,
    ledger: LedgerWriter,
    unrecorded: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { settings, applyModel, streams, accepted } = this.#options;
    if (accepted.ledger) partition.renumber(Math.max(partition.recordNumber, ledger.stored));
    else if (await this.#hasMoreToRead(partition, ledger, signal)) return;
    ledger.checkReached(partition.recordNumber);
    const changed = partition.settings.version !== settings.version;
    if (changed && applyModel === "no") throw modelChanged(streams.partition, partition.settings, settings);
    // With the position in its id: the broker remembers for a while what the input may have lost since.
    const { sequence } = partition.position;
    if (unrecorded || changed)
      await this.#publishControl(
        modelMessage(settings, applyModel === "silent"),
        `model-${settings.version}-${sequence}`,
        signal,
      );
    if (!partition.live) await this.#publishControl(controlMessage({ type: "live" }), `live-${sequence}`, signal);
    this.#state = "running";
    this.#serveReaders();
    this.#ticker.start();
  }

  /**
   * Another owner writes the same ledger, and a writer that reconnects learns its end anew: it may then know records of
   * messages that came since our reader looked where the input ends. True where there are such messages.
   */
  async #hasMoreToRead(partition: Partition, ledger: LedgerWriter, signal: AbortSignal): Promise<boolean> {
    if (partition.recordNumber >= ledger.stored) return false;
    const { broker, streams } = this.#options;
    this.#shortSince ??= performance.now();
    // What was deleted at the very end of the input never comes.
    if (performance.now() - this.#shortSince > SHORT_MS_MAX) return false;
    const { state } = await stateOf(broker, streams.input, signal);
    return signal.aborted || partition.position.sequence < state.last_seq;
  }

  async #publishControl(body: Uint8Array, id: string, signal: AbortSignal): Promise<void> {
    const { broker, streams } = this.#options;
    const end = performance.now() + CONTROL_MS_MAX;
    while (!signal.aborted) {
      try {
        await broker.publishStored(streams.control, body, headersOf({ "Nats-Msg-Id": id }));
        return;
      } catch (error) {
        if (!(error instanceof RetryableError || error instanceof ApiError)) throw error;
        if (isForbidden(error) || (isRefusal(error) && broker.connected && performance.now() > end)) {
          throw new FatalError(
            "STREAM_UNSUITABLE",
            `stream ${streams.input} takes no control message on ${streams.control}: ${reasonOf(error)}`,
            {
              cause: error,
              remedy: "Allow this user to publish there, and see that the stream has room.",
            },
          );
        }
        await sleep(200, signal);
      }
    }
  }

  #judgeMissing(missing: Missing, partition: Partition): void {
    const { streams, accepted, note } = this.#options;
    const count = missing.to - missing.from + 1;
    const which = `${count} messages (${missing.from} to ${missing.to}) of stream ${streams.input}`;
    if (missing.erased) {
      this.#erased += count;
      note(`${which} were deleted; going on behind them`);
      return;
    }
    // Before the first message, an older part has aged out; the ledger's last record shows whether that matters.
    if (partition.position.sequence > 0 && !accepted.gap)
      throw new FatalError("STREAM_GAP", `${which} are gone before they were read`);
    this.#lost += count;
    note(`${which} are gone before they were read; going on behind them`);
  }

  /** Throws FatalError (CLOCK_JUMP) before anything of it is applied. */
  #checkClock(next: Slice | InputMessage): void {
    const latest = Date.now() + this.#options.settings.clockJumpMsMax;
    if ((next instanceof Slice ? next.stampMax : next.stamp) <= latest) return;
    const jumped = next instanceof Slice ? next.firstAfter(latest) : next;
    const stamp = new Date(jumped.stamp).toISOString();
    throw new FatalError(
      "CLOCK_JUMP",
      `message ${jumped.sequence} of stream ${this.#options.streams.input} is stamped ${stamp}, this machine's clock says ${new Date().toISOString()}`,
    );
  }

  /** Copies a message into the kernel's input region as it comes. False where others are before it, or it can't go there. */
  #take(partition: Partition, sequence: number, stamp: number, message: BrokerMessage): boolean {
    if (this.#alone || this.#hand.length > 0) return false;
    const { subject, source, control } = this.#routeAsBefore(message, partition.settings);
    if (control) return false;
    return partition.writeBytes(subject, source, message.header(SILENT) === "1", sequence, stamp, message.data);
  }

  /** As many of the messages in hand as can go into the kernel's input region. */
  #fillInput(partition: Partition): void {
    const hand = this.#hand;
    let written = 0;
    while (written < hand.length && partition.write(this.#inputOf(hand[written] as StreamMessage, partition.settings)))
      written++;
    if (written > 0) this.#hand = hand.slice(written);
  }

  /** The next message in hand, where nothing waits and it still could not go into the kernel's input region. */
  #nextAlone(partition: Partition): InputMessage | undefined {
    const message = this.#hand[0];
    if (message === undefined) return undefined;
    this.#alone = true;
    this.#hand = this.#hand.slice(1);
    return this.#inputOf(message, partition.settings);
  }

  #inputOf(message: StreamMessage, settings: Settings): InputMessage {
    const { sequence, stamp, subject, body } = message;
    const { source, control } = this.#routeOf(subject, settings);
    return { sequence, stamp, subject, source, control, silent: message.header(SILENT) === "1", body };
  }

  /** Messages of one subject come in a row: that costs no string. */
  #routeAsBefore(message: BrokerMessage, settings: Settings): Route {
    const last = this.#route;
    if (last !== undefined && this.#routesOf === settings && message.hasSubject(last.subject)) return last;
    return this.#routeOf(message.subject, settings);
  }

  /** By the configuration in force: a `model` message can change the sources. */
  #routeOf(subject: string, settings: Settings): Route {
    if (this.#routesOf !== settings) {
      this.#routesOf = settings;
      this.#routes.clear();
    }
    let route = this.#routes.get(subject);
    if (route === undefined) {
      if (this.#routes.size >= SUBJECTS_MAX) this.#routes.clear();
      const control = subject === this.#options.streams.control;
      route = { subject: new TextEncoder().encode(subject), source: sourceOf(settings, subject), control };
      this.#routes.set(subject, route);
    }
    this.#route = route;
    return route;
  }

  /** The same batches; the time that the kernel takes for each is observed. */
  *#timed(batches: Generator<readonly LedgerRecord[], void, undefined>): Generator<readonly LedgerRecord[]> {
    for (;;) {
      const start = performance.now();
      const { value, done } = batches.next();
      this.#applySeconds.observe((performance.now() - start) / 1_000);
      if (done) return;
      yield value;
    }
  }

  /** Of each record that is not yet stored, when the message behind it was stamped. */
  #stampRecords(records: readonly LedgerRecord[], from: Slice | InputMessage): void {
    if (this.#state !== "running") return;
    for (const { number, position } of records) {
      if (this.#stampsFrom > this.#stampsTo) this.#stampsFrom = number;
      else if (number !== this.#stampsTo + 1 || number - this.#stampsFrom >= DELAYS_MAX) return;
      this.#stamps[number % DELAYS_MAX] = from instanceof Slice ? from.stampOf(position) : from.stamp;
      this.#stampsTo = number;
    }
  }

  #stored(number: number): void {
    const now = Date.now();
    for (; this.#stampsFrom <= Math.min(number, this.#stampsTo); this.#stampsFrom++)
      this.#delaySeconds.observe(Math.max(0, now - (this.#stamps[this.#stampsFrom % DELAYS_MAX] as number)) / 1_000);
    if (this.#ledger?.inFlight === 0) this.#ticker.consider();
  }

  #tickView() {
    const { position, clock, overdue, nextDue } = this.#partition as Partition;
    return { sequence: position.sequence, clock, overdue, nextDue, inFlight: this.#ledger?.inFlight ?? 0 };
  }
}

/** What a subject stands for. */
interface Route {
  /** UTF-8. */
  readonly subject: Uint8Array;
  /** Number of the source. */
  readonly source: number;
  readonly control: boolean;
}

function emptyStats({ capacity }: Settings): PartitionStatus["stats"] {
  const zero = { messages: 0, ticks: 0, fired: 0, spurious: 0, customers: 0, entries: 0, idBytes: 0, parked: 0 };
  return {
    events: [],
    dead: [],
    migrations: [],
    ...zero,
    chainLongest: 0,
    chainSteps: 0,
    timersPending: 0,
    memoryBytes: 0,
    capacity,
  };
}
