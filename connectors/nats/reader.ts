/**
 * One stream read unfiltered, in order, from a position on: without acknowledgements, and pulled only when asked.
 *
 * At most one pull is under way, and the next one goes out only when what the last one brought was taken, so never
 * more than `messagesMax` messages or `bytesMax` bytes wait here, whatever the broker holds. A consumer is
 * short-lived: after any trouble (connection lost, consumer gone, no answer) another one is made that starts after
 * the last message handed out, and what still comes for the old one is not listened to.
 */
import { FatalError } from "../../runtime/errors.js";
import { ApiError, type Broker, type BrokerMessage, NO_MESSAGE_FOUND, STREAM_NOT_FOUND, sleep } from "./broker.js";

export interface StreamMessage {
  readonly sequence: number;
  /** The broker's timestamp, ms, rounded down. */
  readonly stamp: number;
  readonly subject: string;
  readonly body: Uint8Array;
  /** First value of a header, "" for none. */
  header(name: string): string;
  readonly headerNames: readonly string[];
}

/** Sequences `from` to `to` that will never come. */
export interface Missing {
  readonly from: number;
  readonly to: number;
  /** True: deleted one by one within the stream. False: the stream has lost its head up to there (age or limits). */
  readonly erased: boolean;
}

export interface Batch {
  /** What is missing before the first message. */
  readonly missing?: Missing;
  readonly messages: readonly StreamMessage[];
}

export interface ReaderOptions {
  readonly stream: string;
  /** First sequence wanted. */
  readonly from: number;
  readonly messagesMax: number;
  /** Raised to what the server's largest message takes, where it is less. */
  readonly bytesMax: number;
  /** Stamp of message `from` − 1, checked on the first consumer too. */
  readonly stamp?: number;
}

export interface StreamState {
  readonly messages: number;
  readonly bytes: number;
  readonly first_seq: number;
  readonly last_seq: number;
  readonly first_ts: string;
  readonly last_ts: string;
}

const PULL_MS_MAX = 5_000;
/** Beyond the pull's own end: after it, the consumer counts as gone. */
const SILENCE_MS_MAX = 3_000;
/** The consumer outlives a process that is stopped or a line that is cut for this long. */
const INACTIVE_MS_MAX = 60_000;
/** What a message takes beyond its payload: subject, reply subject. */
const ENVELOPE_BYTES_MAX = 65_536;
const PAUSE_MS_MAX = 1_000;
const ACK_PREFIX = "$JS.ACK.";

export class StreamReader {
  readonly #broker: Broker;
  readonly #stream: string;
  readonly #messagesMax: number;
  readonly #bytesMax: number;
  #sequence: number;
  #stamp: number | undefined;
  #consumer: string | undefined;
  #inbox = "";
  #unsubscribe: (() => void) | undefined;
  readonly #offConnection: () => void;
  /** Replaced, never shifted: taking a batch costs nothing a message. */
  #buffer: BrokerMessage[] = [];
  /** Messages that the pull under way may still bring, 0 for none under way. */
  #wanted = 0;
  #wake: (() => void) | undefined;
  #pending = 0;
  #trouble = false;
  #generation = 0;
  #consumers = 0;
  #bufferedMax = 0;

  constructor(broker: Broker, options: ReaderOptions) {
    this.#broker = broker;
    this.#stream = options.stream;
    this.#messagesMax = options.messagesMax;
    this.#bytesMax = options.bytesMax;
    this.#sequence = options.from - 1;
    this.#stamp = options.stamp;
    this.#offConnection = broker.onConnection((connected) => {
      // A pull does not outlive its connection: the server has dropped our interest.
      if (connected) this.#renewSoon();
    });
  }

  /** True when every message the stream had, as far as we know, was handed out. */
  get atEnd(): boolean {
    return this.#consumers > 0 && this.#buffer.length === 0 && this.#pending === 0;
  }

  /** Messages that the stream held beyond the last one received. */
  get pending(): number {
    return this.#pending + this.#buffer.length;
  }

  /** Consumers made so far: 1 when nothing ever went wrong. */
  get consumers(): number {
    return this.#consumers;
  }

  /** The most messages that ever waited here. */
  get bufferedMax(): number {
    return this.#bufferedMax;
  }

  /**
   * The next messages, at least one; none only when the signal aborts, or when `idleMs` is over. Throws FatalError
   * (STREAM_REWOUND) when the stream no longer holds what it held at the position.
   */
  async next(signal: AbortSignal, idleMs = Number.POSITIVE_INFINITY): Promise<Batch> {
    const end = performance.now() + idleMs;
    while (!signal.aborted) {
      if (this.#buffer.length > 0) {
        const batch = await this.#take(signal);
        if (batch.messages.length > 0) return batch;
        continue;
      }
      if (this.#consumer === undefined || this.#trouble) {
        await this.#renew(signal);
        continue;
      }
      if (performance.now() >= end) break;
      if (this.#wanted === 0) this.#pull();
      if (!(await this.#arrival(Math.min(PULL_MS_MAX + SILENCE_MS_MAX, end - performance.now()), signal))) {
        if (performance.now() < end) this.#trouble = true;
      }
    }
    return { messages: [] };
  }

  /** Stops listening and lets the consumer go. */
  close(): void {
    this.#offConnection();
    this.#drop();
  }

  #renewSoon(): void {
    this.#trouble = true;
    this.#wake?.();
  }

  #receive(message: BrokerMessage): void {
    if (message.reply?.startsWith(ACK_PREFIX)) {
      this.#buffer.push(message);
      if (this.#buffer.length > this.#bufferedMax) this.#bufferedMax = this.#buffer.length;
      this.#wanted--;
    } else {
      const code = message.headers?.code ?? 0;
      if (code === 100) return; // a heartbeat
      const ended =
        code === 404 || code === 408 || /max.?bytes|batch completed/i.test(message.headers?.description ?? "");
      this.#wanted = 0;
      if (!ended) this.#trouble = true;
    }
    this.#wake?.();
  }

  #pull(): void {
    this.#wanted = this.#messagesMax;
    const bytes = Math.max(this.#bytesMax, this.#broker.payloadBytesMax + ENVELOPE_BYTES_MAX);
    const request = { batch: this.#messagesMax, max_bytes: bytes, expires: PULL_MS_MAX * 1e6 };
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${this.#stream}.${this.#consumer}`;
    this.#broker.publish(subject, new TextEncoder().encode(JSON.stringify(request)), this.#inbox);
  }

  /** True when a message or the end of a pull came, or the signal aborted; false when the time is over. */
  #arrival(msMax: number, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (arrived: boolean) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", wake);
        this.#wake = undefined;
        resolve(arrived);
      };
      const wake = () => end(true);
      const timer = setTimeout(() => end(false), Math.max(0, msMax));
      this.#wake = wake;
      signal.addEventListener("abort", wake);
    });
  }

  /** Hands out what is buffered, up to the next hole. */
  async #take(signal: AbortSignal): Promise<Batch> {
    const received = this.#buffer;
    const messages: StreamMessage[] = [];
    const skip = acknowledgementOffset(received[0]?.reply ?? "");
    let missing: Missing | undefined;
    let taken = 0;
    for (; taken < received.length; taken++) {
      const message = received[taken] as BrokerMessage;
      const { sequence, stamp, pending } = delivery(message.reply ?? "", skip);
      // 2.9.10 delivers what comes to a consumer that starts beyond the end.
      if (sequence <= this.#sequence) continue;
      if (sequence !== this.#sequence + 1) {
        if (messages.length > 0) break;
        missing = await this.#missing(this.#sequence + 1, sequence - 1, signal);
      }
      messages.push(new Delivered(sequence, stamp, message));
      this.#sequence = sequence;
      this.#stamp = stamp;
      this.#pending = pending;
    }
    // What came meanwhile was pushed behind what we walked over.
    this.#buffer = taken === received.length ? [] : received.slice(taken);
    // The next pull fills while this batch is worked on.
    if (this.#buffer.length === 0 && this.#wanted === 0 && this.#consumer !== undefined && !this.#trouble) this.#pull();
    return missing === undefined ? { messages } : { messages, missing };
  }

  async #missing(from: number, to: number, signal: AbortSignal): Promise<Missing> {
    const { state } = await this.#broker.apiRetried<{ state: StreamState }>(
      `STREAM.INFO.${this.#stream}`,
      {},
      undefined,
      signal,
    );
    return { from, to, erased: state.first_seq <= from };
  }

  /** Makes a consumer that starts after the last message handed out; waits as long as the broker is away. */
  async #renew(signal: AbortSignal): Promise<void> {
    this.#drop();
    const generation = this.#generation;
    this.#trouble = false;
    try {
      await this.#checkPosition(signal);
      const config = {
        deliver_policy: "by_start_sequence",
        opt_start_seq: this.#sequence + 1,
        ack_policy: "none",
        replay_policy: "instant",
        inactive_threshold: INACTIVE_MS_MAX * 1e6,
        mem_storage: true,
        num_replicas: 1,
      };
      const request = { stream_name: this.#stream, config };
      const made = await this.#broker.apiRetried<{ name: string; num_pending: number }>(
        `CONSUMER.CREATE.${this.#stream}`,
        request,
        undefined,
        signal,
      );
      this.#consumer = made.name;
      this.#consumers++;
      this.#pending = made.num_pending;
    } catch (error) {
      if (signal.aborted || this.#broker.closed) return;
      if (error instanceof FatalError) throw error;
      if (error instanceof ApiError && error.errorCode === STREAM_NOT_FOUND)
        throw this.#rewound("the stream is gone", error);
      this.#trouble = true;
      await sleep(PAUSE_MS_MAX, signal);
      return;
    }
    this.#inbox = this.#broker.inbox();
    this.#unsubscribe = this.#broker.subscribe(this.#inbox, (message) => {
      if (generation === this.#generation) this.#receive(message);
    });
  }

  #drop(): void {
    this.#generation++;
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#wanted = 0;
    const name = this.#consumer;
    this.#consumer = undefined;
    // Only to be polite: it goes by itself when it is inactive for long enough.
    if (name !== undefined && this.#broker.connected) {
      this.#broker.publish(`$JS.API.CONSUMER.DELETE.${this.#stream}.${name}`, new Uint8Array(0));
    }
  }

  /** The message at the position must still be the one that we read: a broker restored from an old copy is told so. */
  async #checkPosition(signal: AbortSignal): Promise<void> {
    if (this.#sequence === 0) return;
    const { state } = await this.#broker.apiRetried<{ state: StreamState }>(
      `STREAM.INFO.${this.#stream}`,
      {},
      undefined,
      signal,
    );
    if (state.last_seq < this.#sequence) throw this.#rewound(`its last message is ${state.last_seq}`);
    if (this.#stamp === undefined || state.first_seq > this.#sequence) return;
    try {
      const { message } = await this.#broker.apiRetried<{ message: { time: string } }>(
        `STREAM.MSG.GET.${this.#stream}`,
        { seq: this.#sequence },
        undefined,
        signal,
      );
      const found = stampOf(message.time);
      if (found !== this.#stamp)
        throw this.#rewound(`that message is now stamped ${message.time}, not ${new Date(this.#stamp).toISOString()}`);
    } catch (error) {
      if (error instanceof ApiError && error.errorCode === NO_MESSAGE_FOUND) return; // erased since
      throw error;
    }
  }

  #rewound(found: string, cause?: unknown): FatalError {
    const detail = `stream ${this.#stream} was read up to message ${this.#sequence}, but ${found}`;
    return new FatalError("STREAM_REWOUND", detail, cause === undefined ? undefined : { cause });
  }
}

class Delivered implements StreamMessage {
  readonly subject: string;
  readonly body: Uint8Array;
  readonly #message: BrokerMessage;

  constructor(
    readonly sequence: number,
    readonly stamp: number,
    message: BrokerMessage,
  ) {
    this.subject = message.subject;
    this.body = message.data;
    this.#message = message;
  }

  header(name: string): string {
    return this.#message.headers?.get(name) ?? "";
  }

  get headerNames(): readonly string[] {
    return this.#message.headers?.keys() ?? [];
  }
}

/** RFC 3339 with nanoseconds, as the API gives it, in ms rounded down. */
export function stampOf(time: string): number {
  return Date.parse(time.replace(/(\.\d{3})\d+/, "$1"));
}

/** Tokens before the stream's name: 2, or 4 where the server names domain and account. */
function acknowledgementOffset(reply: string): number {
  let dots = 0;
  for (let i = 0; i < reply.length; i++) if (reply.charCodeAt(i) === DOT) dots++;
  return dots >= 10 ? 4 : 2;
}

const DOT = 0x2e;

/**
 * Sequence, stamp (ms) and pending messages out of a reply subject, without splitting it and without a rounding
 * double: `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<consumer sequence>.<nanoseconds>.<pending>`
 * (`skip` 2), or with `<domain>.<account>` after `ACK` and a token at the end (`skip` 4).
 */
export function delivery(reply: string, skip: number): { sequence: number; stamp: number; pending: number } {
  let at = 0;
  for (let token = 0; token < skip + 3; token++) at = reply.indexOf(".", at) + 1;
  const sequenceEnd = reply.indexOf(".", at);
  const stampStart = reply.indexOf(".", sequenceEnd + 1) + 1;
  const stampEnd = reply.indexOf(".", stampStart);
  const next = reply.indexOf(".", stampEnd + 1);
  return {
    sequence: integer(reply, at, sequenceEnd),
    stamp: integer(reply, stampStart, stampEnd - 6),
    pending: integer(reply, stampEnd + 1, next < 0 ? reply.length : next),
  };
}

function integer(text: string, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) value = value * 10 + (text.charCodeAt(i) - 0x30);
  return value;
}
