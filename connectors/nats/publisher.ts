/**
 * Order messages into streams: pipelined, a bounded number in flight, every one acknowledged. What the broker refuses
 * for a while, or does not answer, is sent again in order; message ids keep it from being stored twice (and where
 * they can't, the engine counts the second one as `duplicate`). Only around a failure may order be lost.
 */
import { FatalError } from "../../runtime/errors.js";
import type { Settings } from "../../runtime/settings.js";
import { ordersSubject } from "../../runtime/subjects.js";
import { type Broker, headersOf, reasonOf, sleep } from "./broker.js";
import type { BrokerMessage } from "./message.js";
import { partitionStreams } from "./streams.js";

export interface PublisherOptions {
  /** Messages without acknowledgement, 2,000 by default. */
  readonly inFlightMax?: number;
  /** Gives up when nothing was acknowledged for so long, 60,000 by default. */
  readonly stalledMsMax?: number;
  /** Called with the reason when messages have to be sent again; not twice with one reason until one is stored. Must not throw. */
  readonly onTrouble?: (reason: string) => void;
  /** Ends every waiting with an AbortError; what is on its way is still stored. */
  readonly signal?: AbortSignal;
}

export interface PublishOptions {
  /** Kept by the broker for two minutes to drop repeats. Must tell customers apart, too. */
  readonly id?: string;
  /** Migrations that it causes are marked silent. */
  readonly silent?: boolean;
}

interface Publication extends PublishOptions {
  readonly subject: string;
  readonly body: Uint8Array;
}

const NEVER = new AbortController().signal;
const BYTES_MAX = 32 * 1_048_576;
const ACK_MS_MAX = 5_000;
const PAUSE_MS_MIN = 20;
const PAUSE_MS_MAX = 1_000;
/** Refusals that no repetition mends: message too large, no such stream, wrong expectations. */
const FINAL_CODES = new Set([10054, 10060]);

export class OrdersPublisher {
  readonly #broker: Broker;
  readonly #name: string;
  readonly #controls: readonly string[];
  readonly #inFlightMax: number;
  readonly #stalledMsMax: number;
  readonly #inbox: string;
  readonly #signal: AbortSignal;
  readonly #onTrouble: (reason: string) => void;
  #told: string | undefined;
  readonly #stop: (() => void)[];
  readonly #aborter = new AbortController();
  /** By number, in the order of publication: a Map keeps it. */
  readonly #open = new Map<number, Publication>();
  #bytes = 0;
  #next = 1;
  #generation = 0;
  #recovering = false;
  #pause = PAUSE_MS_MIN;
  #progressAt = performance.now();
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout;
  #failure: FatalError | undefined;
  #stored = 0;
  #repeated = 0;
  #retries = 0;

  constructor(broker: Broker, settings: Settings, options: PublisherOptions = {}) {
    this.#broker = broker;
    this.#name = settings.name;
    this.#controls = partitionStreams(settings).map(({ control }) => control);
    this.#inFlightMax = options.inFlightMax ?? 2_000;
    this.#stalledMsMax = options.stalledMsMax ?? 60_000;
    this.#signal = options.signal ?? NEVER;
    this.#onTrouble = options.onTrouble ?? (() => {});
    this.#inbox = broker.inbox();
    this.#stop = [
      broker.subscribe(`${this.#inbox}.*.*`, (message) => this.#answered(message)),
      broker.onConnection((connected) => connected && this.#open.size > 0 && this.#recover("the connection was lost")),
    ];
    this.#timer = setInterval(() => {
      if (this.#open.size === 0) return;
      if (this.#isStalled()) this.#giveUp("no acknowledgement");
      else if (performance.now() - this.#progressAt > ACK_MS_MAX) this.#recover("no acknowledgement");
    }, ACK_MS_MAX);
  }

  /** Messages that the streams have newly stored. */
  get stored(): number {
    return this.#stored;
  }

  /** Messages that the broker had already, by their id. */
  get repeated(): number {
    return this.#repeated;
  }

  get inFlight(): number {
    return this.#open.size;
  }

  /** Times everything unacknowledged was sent again. */
  get retries(): number {
    return this.#retries;
  }

  /** An order message (one event or an array) for the partition. Waits while the window is full. Throws FatalError. */
  publish(partition: number, channel: string, body: Uint8Array, options: PublishOptions = {}): Promise<void> {
    return this.publishTo(ordersSubject(this.#name, partition, channel), body, options);
  }

  /** A tick; `time` (ms) under `clock: event`. */
  tick(partition: number, time?: number): Promise<void> {
    const subject = this.#controls[partition];
    if (subject === undefined) throw new RangeError(`there is no partition ${partition}`);
    return this.publishTo(subject, controlMessage({ type: "tick", ...(time === undefined ? {} : { time }) }));
  }

  /** Any subject, for adopted streams. */
  async publishTo(subject: string, body: Uint8Array, options: PublishOptions = {}): Promise<void> {
    while (
      !this.#failure &&
      (this.#open.size >= this.#inFlightMax || (this.#bytes > BYTES_MAX && this.#open.size > 0))
    ) {
      await this.#progress(this.#signal);
    }
    if (this.#failure) throw this.#failure;
    if (this.#open.size === 0) this.#progressAt = performance.now();
    const number = this.#next++;
    const publication = { subject, body, ...options };
    this.#open.set(number, publication);
    this.#bytes += body.length;
    if (!this.#recovering && this.#broker.connected) this.#send(number, publication);
  }

  /** Resolves when everything published is stored. Throws FatalError, and AbortError by the signal. */
  async flush(signal = this.#signal): Promise<void> {
    while (!this.#failure && this.#open.size > 0) await this.#progress(signal);
    if (this.#failure) throw this.#failure;
  }

  /** Lets go of what is not yet acknowledged: `flush` first. */
  close(): void {
    this.#aborter.abort();
    clearInterval(this.#timer);
    for (const stop of this.#stop) stop();
  }

  #send(number: number, { subject, body, id, silent }: Publication): void {
    const values: Record<string, string> = {};
    if (id !== undefined) values["Nats-Msg-Id"] = /^[!-~]+$/.test(id) ? id : encodeURIComponent(id);
    if (silent) values["Tidemark-Silent"] = "1";
    const headers = id === undefined && !silent ? undefined : headersOf(values);
    if (body.length + 4_096 > this.#broker.payloadBytesMax) {
      const detail = `a message of ${body.length} bytes for ${subject}; the broker takes ${this.#broker.payloadBytesMax}`;
      const remedy = "Publish smaller batches, or raise the broker's max_payload.";
      this.#fail(new FatalError("BROKER_UNSUITABLE", detail, { remedy }));
      return;
    }
    try {
      this.#broker.publish(subject, body, `${this.#inbox}.${this.#generation}.${number}`, headers);
    } catch (error) {
      this.#recover(reasonOf(error));
    }
  }

  #answered(message: BrokerMessage): void {
    const [generation, number] = message.subject
      .slice(this.#inbox.length + 1)
      .split(".")
      .map(Number);
    const publication = number === undefined ? undefined : this.#open.get(number);
    if (publication === undefined || number === undefined) return;
    if (message.data.length === 0) {
      // No stream listens on this subject: perhaps not yet.
      if (generation === this.#generation) this.#recover(`no stream takes ${publication.subject}`);
      return;
    }
    const answer = message.json<{ duplicate?: boolean; error?: { err_code?: number; description?: string } }>();
    if (answer.error) {
      const detail = `${publication.subject} was refused: ${answer.error.description}`;
      if (FINAL_CODES.has(answer.error.err_code ?? 0)) this.#fail(new FatalError("BROKER_UNSUITABLE", detail));
      else if (generation === this.#generation) this.#recover(detail);
      return;
    }
    if (answer.duplicate) this.#repeated++;
    else this.#stored++;
    this.#open.delete(number);
    this.#bytes -= publication.body.length;
    this.#progressAt = performance.now();
    this.#pause = PAUSE_MS_MIN;
    this.#told = undefined;
    this.#wakeAll();
  }

  /** Waits a little, then sends all that is open again, in order. */
  #recover(reason: string): void {
    if (this.#recovering || this.#failure) return;
    if (this.#isStalled()) {
      this.#giveUp(reason);
      return;
    }
    if (reason !== this.#told) this.#onTrouble(reason);
    this.#told = reason;
    this.#recovering = true;
    void this.#resend();
  }

  async #resend(): Promise<void> {
    const { signal } = this.#aborter;
    do {
      await sleep(this.#pause, signal);
      this.#pause = Math.min(2 * this.#pause, PAUSE_MS_MAX);
      // What was sent before may still wait in the line: nothing is put behind it until the broker has read it.
    } while (!signal.aborted && !(this.#broker.connected && (await this.#isRead())));
    this.#generation++;
    this.#retries++;
    this.#recovering = false;
    for (const [number, publication] of this.#open) {
      if (this.#recovering || this.#failure || signal.aborted) return;
      this.#send(number, publication);
    }
  }

  async #isRead(): Promise<boolean> {
    try {
      await this.#broker.flush();
      return true;
    } catch {
      return false; // the connection is lost: the next one has an empty line
    }
  }

  #isStalled(): boolean {
    return performance.now() - this.#progressAt > this.#stalledMsMax;
  }

  #giveUp(reason: string): void {
    const detail = `nothing was stored for ${this.#stalledMsMax / 1000} s: ${reason}`;
    const remedy =
      "See that nats-server runs, has room, and that the orders streams exist (`tidemark run` makes them).";
    this.#fail(new FatalError("BROKER_UNREACHABLE", detail, { remedy }));
  }

  #fail(error: FatalError): void {
    this.#failure ??= error;
    this.#wakeAll();
  }

  #progress(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const abort = () => reject(signal.reason);
      signal.addEventListener("abort", abort, { once: true });
      this.#waiting.push(() => {
        signal.removeEventListener("abort", abort);
        resolve();
      });
    });
  }

  #wakeAll(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

/** A control message as bytes. */
export function controlMessage(message: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(message));
}
