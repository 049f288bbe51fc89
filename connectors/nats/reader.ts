/**
 * One stream read unfiltered, in order, from a position on: without acknowledgements, and pulled only when asked.
 *
 * Two pulls are under way, so that the broker has one to work on while the next is on its way to it. Each asks for
 * half of `messagesMax` and `bytesMax`, and goes out again only while nothing waits here: never more than these do
 * (twice that, where the broker ends a pull later than its time), whatever the broker holds. Whoever can take a message where it is (`take`, a copy into the kernel's memory) is
 * offered it as it comes; only what he declines waits here, and then all that comes behind it.
 *
 * A consumer is short-lived: after any trouble (connection lost, consumer gone, no answer) another one is made that
 * starts after the last message handed out, and what still comes for the old one is not listened to.
 */
import { FatalError } from "../../runtime/errors.js";
import { AckReply, isDelivery } from "./ackreply.js";
import { ApiError, type Broker, STREAM_NOT_FOUND, sleep } from "./broker.js";
import type { BrokerMessage } from "./message.js";
import { checkPosition, rewound, stateOf } from "./position.js";

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

/** What comes together; empty where all of it was taken as it came. */
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
  /**
   * Is offered each message as it comes, in order and without a hole, while none waits: true where it is done with it.
   * The bytes are the client's, and only lent. Called within a socket's callback: it copies, and must not throw.
   */
  readonly take?: (sequence: number, stamp: number, message: BrokerMessage) => boolean;
  /** Whether `take` will take what another pull brings. Without: it goes out while nothing waits here. */
  readonly hasRoom?: () => boolean;
}

const PULL_MS_MAX = 5_000;
/**
 * Behind its end a pull counts as over, also where the broker has not said so: 2.9.10 drops one without a word when a
 * message comes just as it ends.
 */
const PULL_END_MS_MAX = 250;
/** Beyond the pull's own end: after it, the consumer counts as gone. */
const SILENCE_MS_MAX = 3_000;
/** The consumer outlives a process that is stopped or a line that is cut for this long. */
const INACTIVE_MS_MAX = 60_000;
/** What a message takes beyond its payload: subject, reply subject. */
const ENVELOPE_BYTES_MAX = 65_536;
const PAUSE_MS_MAX = 1_000;

/** One of the pulls that may be under way. */
interface Lane {
  /** Begins the subject that answers come to; the pull's number ends it. */
  readonly inbox: string;
  /** Pulls so far: the end of an earlier one may come late, and ends no other. */
  pulls: number;
  /** Messages that its pull may still bring, 0 (or less, where an earlier one brought some late) for none under way. */
  wanted: number;
  /** Of the next pull. The lanes' pulls end at different times, so that one is always under way. */
  ms: number;
  timer: NodeJS.Timeout | undefined;
}

export class StreamReader {
  readonly #broker: Broker;
  readonly #stream: string;
  readonly #messagesMax: number;
  readonly #bytesMax: number;
  #sequence: number;
  #stamp: number | undefined;
  readonly #offer: ReaderOptions["take"];
  readonly #hasRoom: () => boolean;
  readonly #ack = new AckReply();
  #consumer: string | undefined;
  #lanes: Lane[] = [];
  readonly #unsubscribe: (() => void)[] = [];
  readonly #offConnection: () => void;
  #buffer: BrokerMessage[] = [];
  /** What is missing before the first of them, where that was looked into. */
  #hole: Missing | undefined;
  /** What the consumer has delivered here. */
  #delivered = 0;
  /** Messages taken as they came since the last batch. */
  #taken = 0;
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
    this.#offer = options.take;
    this.#hasRoom = options.hasRoom ?? (() => true);
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
  async next(signal: AbortSignal, idleMs?: number): Promise<Batch> {
    await this.ready(signal, idleMs);
    return this.poll();
  }

  /**
   * Resolves when `poll` has messages, when some were taken as they came, when the signal aborts, or when `idleMs` is
   * over. Throws like `next`.
   */
  async ready(signal: AbortSignal, idleMs = Number.POSITIVE_INFINITY): Promise<void> {
    const end = performance.now() + idleMs;
    while (!signal.aborted) {
      if (this.#taken > 0) {
        this.#taken = 0;
        return;
      }
      if (this.#buffer.length > 0) {
        if (await this.#findNext(signal)) return;
        continue;
      }
      if (this.#consumer === undefined || this.#trouble) {
        await this.#renew(signal);
        continue;
      }
      if (performance.now() >= end) return;
      this.#pullAll();
      if (!(await this.#arrival(Math.min(PULL_MS_MAX + SILENCE_MS_MAX, end - performance.now()), signal))) {
        if (performance.now() < end) this.#trouble = true;
      }
    }
  }

  /** What waits here, up to the next hole; nothing where that is not yet looked into. */
  poll(): Batch {
    const received = this.#buffer;
    const hole = this.#hole;
    const messages: StreamMessage[] = [];
    const ack = this.#ack;
    let missing: Missing | undefined;
    let polled = 0;
    for (; polled < received.length; polled++) {
      const message = received[polled] as BrokerMessage;
      ack.read(message);
      const { sequence, stamp } = ack;
      if (sequence <= this.#sequence) continue; // see #findNext
      if (sequence !== this.#sequence + 1) {
        if (messages.length > 0 || hole?.to !== sequence - 1) break;
        missing = hole;
      }
      messages.push(new Delivered(sequence, stamp, message));
      this.#sequence = sequence;
      this.#stamp = stamp;
      this.#pending = ack.pending;
    }
    this.#hole = undefined;
    // Replaced, never shifted: that costs nothing a message.
    if (polled > 0) this.#buffer = polled === received.length ? [] : received.slice(polled);
    // The next pulls fill while this batch is worked on.
    if (this.#mayPull()) this.#pullAll();
    return missing === undefined ? { messages } : { messages, missing };
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

  #receive(message: BrokerMessage, lane: Lane): void {
    if (isDelivery(message)) {
      lane.wanted--;
      this.#delivered++;
      if (this.#buffer.length > 0 || !this.#isTaken(message)) {
        this.#buffer.push(message);
        if (this.#buffer.length > this.#bufferedMax) this.#bufferedMax = this.#buffer.length;
      }
    } else {
      const { code, description } = message.status;
      if (code === 100 || message.subject !== replyTo(lane)) return; // a heartbeat, or of an earlier pull
      const ended = code === 404 || code === 408 || /max.?bytes|batch completed/i.test(description);
      lane.wanted = 0;
      if (!ended) this.#trouble = true;
    }
    if (lane.wanted <= 0) this.#ended(lane);
    this.#wake?.();
  }

  /** Its pull is over: the next one goes out at once where it may. */
  #ended(lane: Lane): void {
    clearTimeout(lane.timer);
    lane.wanted = 0;
    if (this.#mayPull()) this.#pull(lane);
  }

  /** Offers the message that comes next. False where it is another one, or nobody takes it as it comes. */
  #isTaken(message: BrokerMessage): boolean {
    if (this.#offer === undefined) return false;
    const ack = this.#ack;
    ack.read(message);
    const { sequence, stamp } = ack;
    if (sequence !== this.#sequence + 1 || !this.#offer(sequence, stamp, message)) return false;
    this.#sequence = sequence;
    this.#stamp = stamp;
    this.#pending = ack.pending;
    this.#taken++;
    return true;
  }

  #mayPull(): boolean {
    if (this.#buffer.length > 0 || this.#consumer === undefined || this.#trouble || !this.#hasRoom()) return false;
    // A pull may be ended by its timer or within a socket's callback, where nobody takes what publishing throws then.
    return !this.#broker.closed;
  }

  /** Sends the pulls that are not under way. */
  #pullAll(): void {
    for (const lane of this.#lanes) if (lane.wanted <= 0) this.#pull(lane);
  }

  #pull(lane: Lane): void {
    const lanes = this.#lanes.length;
    lane.wanted = Math.max(1, Math.floor(this.#messagesMax / lanes));
    lane.pulls++;
    lane.timer = setTimeout(() => this.#ended(lane), lane.ms + PULL_END_MS_MAX);
    const bytes = Math.max(Math.floor(this.#bytesMax / lanes), this.#pullBytesMin);
    const request = { batch: lane.wanted, max_bytes: bytes, expires: lane.ms * 1e6 };
    lane.ms = PULL_MS_MAX;
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${this.#stream}.${this.#consumer}`;
    this.#broker.publish(subject, new TextEncoder().encode(JSON.stringify(request)), replyTo(lane));
  }

  /** The largest message must fit. */
  get #pullBytesMin(): number {
    return this.#broker.payloadBytesMax + ENVELOPE_BYTES_MAX;
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

  /** Looks into what is missing before the first message that waits. False where that one was read before. */
  async #findNext(signal: AbortSignal): Promise<boolean> {
    const first = this.#buffer[0] as BrokerMessage;
    this.#ack.read(first);
    const { sequence } = this.#ack;
    if (sequence <= this.#sequence) {
      // 2.9.10 delivers what comes to a consumer that starts beyond the end.
      this.#buffer.shift();
      return false;
    }
    if (sequence === this.#sequence + 1) return true;
    if (this.#ack.deliveryOf(first) !== this.#delivered - this.#buffer.length + 1) {
      // Deliveries were lost on their way: a pull from before a cut goes on into the next connection. Read them anew.
      this.#buffer = [];
      this.#trouble = true;
      return false;
    }
    this.#hole = await this.#missing(this.#sequence + 1, sequence - 1, signal);
    return true;
  }

  async #missing(from: number, to: number, signal: AbortSignal): Promise<Missing> {
    const { state } = await stateOf(this.#broker, this.#stream, signal);
    return { from, to, erased: state.first_seq <= from };
  }

  /** Makes a consumer that starts after the last message handed out; waits as long as the broker is away. */
  async #renew(signal: AbortSignal): Promise<void> {
    this.#drop();
    const generation = this.#generation;
    this.#trouble = false;
    try {
      await checkPosition(this.#broker, this.#stream, this.#sequence, this.#stamp, signal);
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
      if (signal.aborted) return;
      // Nothing will ever come: to try again at once would keep the thread from everything else.
      if (this.#broker.closed) throw error;
      if (error instanceof FatalError) throw error;
      if (error instanceof ApiError && error.errorCode === STREAM_NOT_FOUND)
        throw rewound(this.#stream, this.#sequence, "the stream is gone", error);
      this.#trouble = true;
      await sleep(PAUSE_MS_MAX, signal);
      return;
    }
    this.#ack.forget();
    const isOne = this.#messagesMax < 2 || this.#bytesMax < 2 * this.#pullBytesMin;
    for (let n = 0; n < (isOne ? 1 : 2); n++) {
      const lane: Lane = {
        inbox: this.#broker.inbox(),
        pulls: 0,
        wanted: 0,
        ms: PULL_MS_MAX / (n + 1),
        timer: undefined,
      };
      this.#lanes.push(lane);
      this.#unsubscribe.push(
        this.#broker.subscribe(`${lane.inbox}.*`, (message) => {
          if (generation === this.#generation) this.#receive(message, lane);
        }),
      );
    }
  }

  #drop(): void {
    this.#generation++;
    this.#delivered = 0;
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    for (const lane of this.#lanes.splice(0)) clearTimeout(lane.timer);
    const name = this.#consumer;
    this.#consumer = undefined;
    // Only to be polite: it goes by itself when it is inactive for long enough.
    if (name !== undefined && this.#broker.connected) {
      this.#broker.publish(`$JS.API.CONSUMER.DELETE.${this.#stream}.${name}`, new Uint8Array(0));
    }
  }
}

function replyTo({ inbox, pulls }: Lane): string {
  return `${inbox}.${pulls}`;
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
    return this.#message.header(name);
  }

  get headerNames(): readonly string[] {
    return this.#message.headerNames;
  }
}
