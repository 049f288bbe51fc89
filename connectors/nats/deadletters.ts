/**
 * Dead letters as the gathering stream holds them, and the messages that they came with, as the inputs still hold those.
 *
 * A dead letter holds the first 64 KiB of its item, or of the whole message where that could not be read. Whether its
 * message was marked silent, and the rest of a longer item, only the message itself can tell.
 */
import { FatalError } from "../../runtime/errors.js";
import { decodeHead } from "../../runtime/head.js";
import type { Settings } from "../../runtime/settings.js";
import { deadStream } from "../../runtime/subjects.js";
import { ApiError, type Broker, NO_MESSAGE_FOUND, STREAM_NOT_FOUND } from "./broker.js";
import { nextControl } from "./model.js";
import { type StreamMessage, StreamReader } from "./reader.js";
import { type PartitionStreams, partitionStreams, streamState } from "./streams.js";

export interface DeadLetterEntry {
  readonly partition: number;
  readonly reason: string;
  /** T at which it was put aside, ms. */
  readonly at: number;
  /** Sequence of its message in the partition's input, and its place there. */
  readonly position: number;
  readonly index: number;
  /** Bytes of the item before they were cut. */
  readonly length: number;
  /** Null where it could not be read. */
  readonly customer: string | null;
  /** That its message came to. */
  readonly subject: string;
  readonly body: Uint8Array;
}

/** A message of an input stream, by its sequence. */
export interface InputOriginal {
  readonly subject: string;
  readonly body: Uint8Array;
  /** Marked so by its sender. */
  readonly silent: boolean;
}

const READ_MESSAGES_MAX = 512;
const READ_BYTES_MAX = 8 * 1_048_576;
const IDLE_MS = 250;
/** Control messages looked at for the `live` one: it is one of the first, but ticks of `publish` may come before it. */
const CONTROLS_MAX = 1_000;

export class DeadLetters {
  readonly #broker: Broker;
  readonly #stream: string;
  readonly #streams: readonly PartitionStreams[];
  readonly #first: number;
  /** Sequence of the newest one when this was opened: what comes later is not read. */
  readonly last: number;
  readonly #live = new Map<number, Promise<number>>();

  private constructor(broker: Broker, settings: Settings, first: number, last: number) {
    this.#broker = broker;
    this.#stream = deadStream(settings);
    this.#streams = partitionStreams(settings);
    this.#first = first;
    this.last = last;
  }

  /** Throws FatalError (STREAM_UNSUITABLE) where there is no such stream. */
  static async open(broker: Broker, settings: Settings): Promise<DeadLetters> {
    const stream = deadStream(settings);
    try {
      const { first_seq, last_seq } = await streamState(broker, stream);
      return new DeadLetters(broker, settings, Math.max(1, first_seq), last_seq);
    } catch (cause) {
      if (!(cause instanceof ApiError && cause.errorCode === STREAM_NOT_FOUND)) throw cause;
      throw new FatalError("STREAM_UNSUITABLE", `stream ${stream} does not exist`, {
        cause,
        remedy: "Check the configuration's name: `tidemark run` makes the stream.",
      });
    }
  }

  /** All that the stream held when this was opened, oldest first, what came together at once. Pulled: bounded memory. */
  async *batches(signal: AbortSignal): AsyncGenerator<readonly DeadLetterEntry[], void, undefined> {
    if (this.#first > this.last) return;
    const options = {
      stream: this.#stream,
      from: this.#first,
      messagesMax: READ_MESSAGES_MAX,
      bytesMax: READ_BYTES_MAX,
    };
    const reader = new StreamReader(this.#broker, options);
    try {
      let sequence = 0;
      do {
        const { messages } = await reader.next(signal, IDLE_MS);
        signal.throwIfAborted();
        sequence = messages.at(-1)?.sequence ?? sequence;
        const wanted = messages.filter((message) => message.sequence <= this.last);
        if (wanted.length > 0) yield wanted.map(entryOf);
        // The stream's end may have been deleted: what is not there can't be waited for.
      } while (sequence < this.last && !reader.atEnd);
    } finally {
      reader.close();
    }
  }

  /** Whether it came on the subject that only the engine writes to. */
  isControl({ partition, subject }: DeadLetterEntry): boolean {
    return this.#streamsOf(partition).control === subject;
  }

  /** The message that the letter came with; undefined where the input does not hold it any more. */
  async original({ partition, position, subject }: DeadLetterEntry): Promise<InputOriginal | undefined> {
    const stream = this.#streamsOf(partition).input;
    try {
      const { message } = await this.#broker.apiRetried<{ message: { subject: string; hdrs?: string; data?: string } }>(
        `STREAM.MSG.GET.${stream}`,
        { seq: position },
        ORIGINAL_MS_MAX,
      );
      // A stream that was made anew has other messages under the same sequences.
      if (message.subject !== subject) return undefined;
      const headers = decodeHead(Buffer.from(message.hdrs ?? "", "base64"));
      const body = Buffer.from(message.data ?? "", "base64");
      return { subject: message.subject, body, silent: headers["Tidemark-Silent"] === "1" };
    } catch (error) {
      if (error instanceof ApiError && [NO_MESSAGE_FOUND, STREAM_NOT_FOUND].includes(error.errorCode)) return undefined;
      throw error;
    }
  }

  /** Sequence of the partition's `live` message: what came before it is silent. Infinity where it is not live yet. */
  liveFrom(partition: number): Promise<number> {
    let found = this.#live.get(partition);
    if (found === undefined) {
      found = this.#findLive(this.#streamsOf(partition));
      this.#live.set(partition, found);
    }
    return found;
  }

  async #findLive(streams: PartitionStreams): Promise<number> {
    let from = 1;
    for (let n = 0; n < CONTROLS_MAX; n++) {
      const message = await nextControl(this.#broker, streams, from, NEVER);
      if (message === undefined) return Number.POSITIVE_INFINITY;
      if (isLive(message.data)) return message.seq;
      from = message.seq + 1;
    }
    return from; // it has ticked for long: it is live
  }

  #streamsOf(partition: number): PartitionStreams {
    const found = this.#streams[partition];
    if (found !== undefined) return found;
    throw new FatalError(
      "STREAM_UNSUITABLE",
      `a dead letter is of partition ${partition}, the configuration has ${this.#streams.length}`,
      {
        remedy: "Set partitions back to what the streams were made for.",
      },
    );
  }
}

const ORIGINAL_MS_MAX = 30_000;
const NEVER = new AbortController().signal;

function entryOf(message: StreamMessage): DeadLetterEntry {
  // `<name>.dead.<partition>.<reason>`, or `<name>.gathered.dead.…` where the engine gathers.
  const [partition, reason = ""] = message.subject.split(".").slice(-2);
  const customer = message.header("Tidemark-Customer");
  return {
    partition: Number(partition),
    reason,
    at: Number(message.header("Tidemark-Clock")),
    position: Number(message.header("Tidemark-Position")),
    index: Number(message.header("Tidemark-Index")),
    length: Number(message.header("Tidemark-Length")),
    // An unreadable one has no such header; an id is never empty.
    customer: customer === "" ? null : decoded(customer),
    subject: message.header("Tidemark-Subject"),
    body: message.body,
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not percent-encoded UTF-8: shown as it is
  }
}

function isLive(data: string | undefined): boolean {
  try {
    return (
      (JSON.parse(Buffer.from(data ?? "", "base64").toString("utf8")) as { type?: unknown } | null)?.type === "live"
    );
  } catch {
    return false; // not ours
  }
}
