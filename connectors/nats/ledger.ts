/**
 * A partition's ledger: its n-th record is stream sequence n, without holes, repeats or reordering.
 *
 * The writer publishes every record with `Nats-Expected-Last-Sequence: n − 1` and keeps it in its window until it is
 * acknowledged. A record that the stream takes therefore proves that all before it are there. After any refusal,
 * missing acknowledgement or reconnect it stops, reads the stream's last sequence L and goes on with L + 1 from its
 * own window. What is numbered ≤ L (a replay after a restart) is not published, and record L is compared; so is the
 * first one without acknowledgement: a foreign message there has its place, and the rest would follow it unnoticed.
 */
import { FatalError, RetryableError, type TidemarkError } from "../../runtime/errors.js";
import { decodeHead } from "../../runtime/head.js";
import type { LedgerRecord } from "../../runtime/record.js";
import { ApiError, type Broker, NO_MESSAGE_FOUND, reasonOf, STREAM_NOT_FOUND, sleep } from "./broker.js";
import type { BrokerMessage } from "./message.js";
import { type StreamState, stampOf } from "./position.js";
import { Troubles } from "./troubles.js";
import { Publishes } from "./wire.js";

/** Bytes of unacknowledged records a partition, besides their count. */
const WINDOW_BYTES_MAX = 16 * 1_048_576;
/** No acknowledgement for this long, with records in flight: something was lost. */
const ACK_MS_MAX = 5_000;
/** A new leader may be behind for a moment: the last sequence is asked again before the ledger counts as rewound. */
const REWOUND_MS_MAX = 5_000;
const PAUSE_MS_MIN = 10;
const PAUSE_MS_MAX = 1_000;

export interface LedgerWriterOptions {
  readonly stream: string;
  /** Records in flight. */
  readonly inFlightMax: number;
  /** Number of the last record that is not made again: the ledger has it, or it was rewound. Default 0. */
  readonly from?: number;
  /** Takes the ledger as it stands: its last record is not compared. */
  readonly accepts?: boolean;
  /** False: does not send again; the first trouble ends the writing with RetryableError. Default true. */
  readonly sendsAgain?: boolean;
  /** Called with the number up to which all is stored, whenever that grows. Must not throw. */
  readonly onStored?: (number: number) => void;
  /**
   * Called with the reason when records have to be sent again: at once, then in one line every ten seconds, and not twice
   * with one reason until all are stored. Must not throw.
   */
  readonly onTrouble?: (reason: string) => void;
}

interface StoredMessage {
  readonly subject: string;
  readonly seq: number;
  readonly hdrs?: string;
  readonly data?: string;
  readonly time: string;
}

export class LedgerWriter {
  readonly #broker: Broker;
  readonly #stream: string;
  readonly #inFlightMax: number;
  readonly #sendsAgain: boolean;
  readonly #onStored: (number: number) => void;
  readonly #publishes: Publishes;
  readonly #stop: () => void;
  /** Ends listening for answers to the last sending: those to one before a recovery must not be taken for them. */
  #unlisten = () => {};
  readonly #aborter = new AbortController();
  readonly #troubles: Troubles;
  /** The last reason told, but for the numbers in it. */
  #told: string | undefined;
  /** Records numbered `#stored` + 1 on, from index `#head` on. */
  #window: LedgerRecord[] = [];
  #head = 0;
  #bytes = 0;
  #stored = 0;
  /** The stream's record `#stored`, where it is to be compared with ours when we come to it. */
  #unproven: StoredMessage | undefined;
  #recovering = false;
  #pause = PAUSE_MS_MIN;
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #failure: TidemarkError | undefined;
  #refused = 0;
  #last = 0;
  /** `#stored` has grown and nobody was told yet. */
  #grown = false;

  private constructor(broker: Broker, options: LedgerWriterOptions) {
    this.#broker = broker;
    this.#stream = options.stream;
    this.#inFlightMax = options.inFlightMax;
    this.#sendsAgain = options.sendsAgain ?? true;
    this.#last = options.from ?? 0;
    this.#onStored = options.onStored ?? (() => {});
    this.#troubles = new Troubles(options.onTrouble ?? (() => {}));
    this.#publishes = new Publishes((commands) => broker.send(commands));
    this.#stop = broker.onConnection((connected) => {
      // With nothing in flight, too: a broker that went backwards is to be noticed now, not with the next record.
      if (connected) this.#recover("the connection was lost");
    });
    this.#listen();
  }

  /** Reads where the ledger ends. Throws FatalError (LEDGER_REWOUND), and what `Broker.api` throws. */
  static async open(broker: Broker, options: LedgerWriterOptions): Promise<LedgerWriter> {
    const writer = new LedgerWriter(broker, options);
    try {
      await writer.#learn(await writer.#readLast(options.from));
      if (options.accepts === true) writer.#unproven = undefined;
    } catch (error) {
      writer.close();
      throw error;
    }
    return writer;
  }

  /** All records up to this number are in the stream. */
  get stored(): number {
    return this.#stored;
  }

  /** Number of the last record handed to `append`. */
  get last(): number {
    return this.#last;
  }

  get inFlight(): number {
    return this.#window.length - this.#head;
  }

  /** Publishes that the broker refused, and recoveries for another reason. */
  get refused(): number {
    return this.#refused;
  }

  /**
   * Publishes records, in order, waiting whenever the window is full. What the ledger has already is not published.
   * Resolves when all are handed over (not yet stored; see `flush`), or when the signal aborts. Throws FatalError:
   * LEDGER_DIVERGED, LEDGER_REWOUND, or BROKER_UNSUITABLE for a record larger than the broker's `max_payload`.
   */
  async append(records: readonly LedgerRecord[], signal: AbortSignal): Promise<void> {
    for (const record of records) {
      while (this.#failure === undefined && !signal.aborted && this.#isFull()) {
        this.#flushPublishes();
        await this.#progress(signal);
      }
      if (this.#failure) throw this.#failure;
      if (signal.aborted) return;
      this.#last = record.number;
      if (record.number <= this.#stored) {
        if (record.number === this.#stored) this.#prove(record);
        continue;
      }
      this.#window.push(record);
      this.#bytes += sizeOf(record);
      if (!this.#recovering && this.#broker.connected) this.#send(record);
      if (this.#timer === undefined) this.#watch();
    }
    this.#flushPublishes();
  }

  /** Resolves when everything appended is stored, or the signal aborts. Throws like `append`. */
  async flush(signal: AbortSignal): Promise<void> {
    while (this.#failure === undefined && !signal.aborted && this.inFlight > 0) await this.#progress(signal);
    if (this.#failure) throw this.#failure;
  }

  /** Resolves when that record is stored, or the signal aborts. Throws like `append`. */
  async reached(number: number, signal: AbortSignal): Promise<void> {
    while (this.#failure === undefined && !signal.aborted && this.#stored < number) await this.#progress(signal);
    if (this.#failure) throw this.#failure;
  }

  /**
   * To be called at the end of the input: FatalError (LEDGER_DIVERGED) where the ledger has more records than the
   * whole input gives.
   */
  checkReached(recordNumber: number): void {
    if (recordNumber >= this.#stored) return;
    throw new FatalError(
      "LEDGER_DIVERGED",
      `stream ${this.#stream} holds ${this.#stored} records, but the whole input gives only ${recordNumber}`,
    );
  }

  close(): void {
    this.#aborter.abort();
    clearTimeout(this.#timer);
    this.#troubles.close();
    this.#stop();
    this.#unlisten();
    this.#wakeAll();
  }

  #isFull(): boolean {
    return this.inFlight >= this.#inFlightMax || (this.#bytes > WINDOW_BYTES_MAX && this.inFlight > 0);
  }

  /** Hands a record over to be sent with others; `#flushPublishes` sends them. */
  #send(record: LedgerRecord): void {
    if (sizeOf(record) + 4_096 > this.#broker.payloadBytesMax) {
      const detail = `record ${record.number} has ${sizeOf(record)} bytes, the broker's max_payload is ${this.#broker.payloadBytesMax}`;
      const remedy = "Raise max_payload in the broker's configuration (1 MiB is its default).";
      this.#fail(new FatalError("BROKER_UNSUITABLE", detail, { remedy }));
      return;
    }
    try {
      this.#publishes.add(record);
    } catch (error) {
      this.#recover(reasonOf(error));
    }
  }

  #flushPublishes(): void {
    if (this.#recovering) return;
    try {
      this.#publishes.flush();
    } catch (error) {
      this.#recover(reasonOf(error));
    }
  }

  /** From here on answers are awaited on a subject of their own. */
  #listen(): void {
    const inbox = this.#broker.inbox();
    this.#unlisten = this.#broker.subscribe(inbox, (message) => this.#answered(message));
    this.#publishes.begin(inbox);
  }

  /** An acknowledgement or a refusal. */
  #answered(answer: BrokerMessage): void {
    if (this.#recovering) return;
    const number = storedNumber(answer);
    if (number === undefined) {
      const { data } = answer;
      this.#recover(data.length === 0 ? "no stream answers" : refusalIn(data));
      return;
    }
    if (number !== this.#stored + 1) {
      this.#recover(`the answer to record ${this.#stored + 1} is missing`);
      return;
    }
    this.#pause = PAUSE_MS_MIN;
    this.#drop(number);
  }

  /** Records up to `number` are stored. */
  #drop(number: number): void {
    if (number <= this.#stored) return;
    while (this.#head < this.#window.length && this.#stored < number) {
      this.#bytes -= sizeOf(this.#window[this.#head] as LedgerRecord);
      this.#head++;
      this.#stored++;
    }
    this.#stored = number;
    if (this.#head === this.#window.length) this.#told = undefined;
    if (this.#head === this.#window.length || this.#head >= 4_096) {
      this.#window = this.#window.slice(this.#head);
      this.#head = 0;
    }
    if (this.#grown) return;
    // Acknowledgements come by the hundred: what follows from them follows once, when all that came are taken.
    this.#grown = true;
    queueMicrotask(() => {
      this.#grown = false;
      this.#watch(true);
      this.#onStored(this.#stored);
      this.#wakeAll();
    });
  }

  /** (Re)arms the timer that notices a missing acknowledgement. */
  #watch(progressed = false): void {
    if (progressed || this.inFlight === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    if (this.inFlight === 0 || this.#timer !== undefined || this.#aborter.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#broker.connected) this.#recover("an acknowledgement is missing");
      this.#watch();
    }, ACK_MS_MAX);
  }

  /** Stops, reads where the stream ends, and goes on from there. Goes on trying as long as the broker is away. */
  #recover(reason: string): void {
    this.#refused++;
    if (this.#recovering || this.#failure) return;
    if (!this.#sendsAgain) {
      this.#fail(new RetryableError("BROKER_UNREACHABLE", `stream ${this.#stream}: ${reason}`));
      return;
    }
    const kind = reason.replace(/\d+/g, "n");
    if (kind !== this.#told && this.inFlight > 0) this.#troubles.add(reason);
    this.#told = kind;
    this.#recovering = true;
    this.#unlisten();
    this.#resume(reason).catch((error: unknown) => {
      this.#fail(
        error instanceof FatalError
          ? error
          : new FatalError("LEDGER_REWOUND", `stream ${this.#stream}: ${reasonOf(error)}`, { cause: error }),
      );
    });
  }

  async #resume(reason: string): Promise<void> {
    const { signal } = this.#aborter;
    for (;;) {
      await sleep(this.#pause, signal);
      this.#pause = Math.min(2 * this.#pause, PAUSE_MS_MAX);
      if (signal.aborted) return;
      if (!this.#broker.connected) continue;
      try {
        await this.#learn(await this.#readLast(this.#stored));
        break;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError && error.errorCode === STREAM_NOT_FOUND) {
          throw new FatalError("LEDGER_REWOUND", `stream ${this.#stream} is gone (after: ${reason})`, { cause: error });
        }
        if (!(error instanceof RetryableError || error instanceof ApiError)) throw error;
      }
    }
    this.#recovering = false;
    this.#listen();
    for (let i = this.#head; i < this.#window.length && !this.#recovering; i++)
      this.#send(this.#window[i] as LedgerRecord);
    this.#flushPublishes();
    this.#watch(true);
    this.#wakeAll();
  }

  /** The stream's last sequence. Asked again for some seconds where it is below `atLeast`; then LEDGER_REWOUND. */
  async #readLast(atLeast = 0): Promise<number> {
    const end = performance.now() + REWOUND_MS_MAX;
    for (;;) {
      const { state } = await this.#broker.api<{ state: StreamState }>(`STREAM.INFO.${this.#stream}`);
      if (state.last_seq >= atLeast) return state.last_seq;
      if (performance.now() > end || this.#aborter.signal.aborted) {
        throw new FatalError(
          "LEDGER_REWOUND",
          `stream ${this.#stream} ends at record ${state.last_seq}, but ${atLeast} was acknowledged`,
        );
      }
      await sleep(PAUSE_MS_MAX / 4, this.#aborter.signal);
    }
  }

  /** Takes in that the stream ends at `last`, and proves that record to be ours. */
  async #learn(last: number): Promise<void> {
    if (last === 0 || last === this.#stored) return;
    const oldest = this.#window[this.#head];
    if (oldest !== undefined) {
      this.#unproven = await this.#readRecord(oldest.number);
      this.#prove(oldest);
    }
    const stored = await this.#readRecord(last);
    const ours = this.#window[this.#head + last - this.#stored - 1];
    this.#drop(last);
    // Aged out meanwhile: there is nothing to compare.
    this.#unproven = stored;
    if (ours) this.#prove(ours);
  }

  async #readRecord(number: number): Promise<StoredMessage | undefined> {
    try {
      return (await this.#broker.api<{ message: StoredMessage }>(`STREAM.MSG.GET.${this.#stream}`, { seq: number }))
        .message;
    } catch (error) {
      if (error instanceof ApiError && error.errorCode === NO_MESSAGE_FOUND) return undefined;
      throw error;
    }
  }

  #prove(record: LedgerRecord): void {
    const found = this.#unproven;
    this.#unproven = undefined;
    const difference = found === undefined || found.seq !== record.number ? undefined : differenceOf(found, record);
    if (difference === undefined) return;
    const stamp = new Date(stampOf((found as StoredMessage).time)).toISOString();
    const error = new FatalError(
      "LEDGER_DIVERGED",
      `record ${record.number} of stream ${this.#stream} (written ${stamp}) ${difference}`,
    );
    this.#fail(error);
    throw error;
  }

  #fail(error: TidemarkError): void {
    this.#failure ??= error;
    clearTimeout(this.#timer);
    this.#wakeAll();
  }

  #progress(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        signal.removeEventListener("abort", end);
        resolve();
      };
      signal.addEventListener("abort", end);
      this.#waiting.push(end);
    });
  }

  #wakeAll(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

/** What differs between the stream's record and ours, or undefined. */
function differenceOf(found: StoredMessage, ours: LedgerRecord): string | undefined {
  if (found.subject !== ours.subject) return `has subject ${found.subject}, the input gives ${ours.subject}`;
  const body = Buffer.from(found.data ?? "", "base64");
  if (!body.equals(ours.body)) {
    return `differs from what the input gives: ${excerpt(body)} instead of ${excerpt(ours.body)}`;
  }
  const lines = Buffer.from(found.hdrs ?? "", "base64")
    .toString("utf8")
    .split("\r\n");
  const wanted = decodeHead(ours.head);
  for (const name in wanted) {
    if (!lines.includes(`${name}: ${wanted[name]}`))
      return `has another ${name} than the input gives (${wanted[name]})`;
  }
  return undefined;
}

function excerpt(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.subarray(0, 200)).toString("utf8").replace(/\s+/g, " ");
  return bytes.length > 200 ? `${text}…` : text;
}

/** Of header lines and body. */
function sizeOf({ from, end }: LedgerRecord): number {
  return end - from;
}

/** The sequence in an acknowledgement, `{"stream":"…", "seq":12}`; undefined for anything else. */
function storedNumber(answer: BrokerMessage): number | undefined {
  const { bytes, bodyAt, end } = answer;
  let number = 0;
  let at = end - 2;
  for (let scale = 1; at > bodyAt; at--, scale *= 10) {
    const digit = (bytes[at] as number) - 48;
    if (digit < 0 || digit > 9) break;
    number += digit * scale;
  }
  // Nearly all begin with `{"s` and end in `q":12}`. A refusal begins with its error; a stream in a domain says more
  // behind the number.
  if (bytes[bodyAt + 2] === 115 && at < end - 2 && bytes[at] === 58 && bytes[at - 2] === 113) return number;
  try {
    const { error, seq } = answer.json<{ error?: unknown; seq?: unknown }>();
    return error === undefined && typeof seq === "number" ? seq : undefined;
  } catch {
    return undefined; // no JSON: nothing that a stream answers
  }
}

/** What the broker says in `{"error":{"description":…}}`, or the answer itself. */
function refusalIn(answer: Uint8Array): string {
  const text = Buffer.from(answer).toString("utf8");
  return `the broker refuses: ${/"description":"([^"]+)"/.exec(text)?.[1] ?? text}`;
}
