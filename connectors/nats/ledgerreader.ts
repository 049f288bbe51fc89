/** Reading the ledger: for the WebSocket, `tail` and whoever resumes from a position. Pulled, bounded, many at once. */
import { createHash } from "node:crypto";
import type { LedgerEntry, LedgerReader } from "../edge.js";
import type { Broker } from "./broker.js";
import { type StreamMessage, StreamReader } from "./reader.js";
import { type PartitionStreams, streamState } from "./streams.js";

/** Of one reader. A client behind holds no more than this, and no turn of the event loop gets more from a partition. */
const READ_MESSAGES_MAX = 128;
const READ_BYTES_MAX = 1_048_576;

export class NatsLedgerReader implements LedgerReader {
  readonly #broker: Broker;
  readonly #streams: readonly PartitionStreams[];

  constructor(broker: Broker, streams: readonly PartitionStreams[]) {
    this.#broker = broker;
    this.#streams = streams;
  }

  get partitions(): number {
    return this.#streams.length;
  }

  /** Hash of the layout and of when each ledger stream was made: 16 hex digits. */
  async epoch(): Promise<string> {
    const hash = createHash("sha256");
    for (const { ledger } of this.#streams)
      hash.update(`${ledger} ${(await streamState(this.#broker, ledger)).created}\n`);
    return hash.digest("hex").slice(0, 16);
  }

  async bounds(partition: number): Promise<{ first: number; last: number }> {
    const { first_seq, last_seq } = await streamState(this.#broker, this.#ledgerOf(partition));
    return { first: first_seq, last: last_seq };
  }

  async *read(
    partition: number,
    from: number,
    signal: AbortSignal,
  ): AsyncGenerator<readonly LedgerEntry[], void, undefined> {
    const stream = this.#ledgerOf(partition);
    const reader = new StreamReader(this.#broker, {
      stream,
      from,
      messagesMax: READ_MESSAGES_MAX,
      bytesMax: READ_BYTES_MAX,
    });
    try {
      while (!signal.aborted) {
        const { messages } = await reader.next(signal);
        if (messages.length > 0 && !signal.aborted) yield messages.map((message) => new Entry(partition, message));
      }
    } finally {
      reader.close();
    }
  }

  #ledgerOf(partition: number): string {
    const found = this.#streams[partition];
    if (found === undefined) throw new RangeError(`there is no partition ${partition}`);
    return found.ledger;
  }
}

class Entry implements LedgerEntry {
  readonly partition: number;
  readonly number: number;
  readonly subject: string;
  readonly body: Uint8Array;
  readonly time: number;
  readonly #message: StreamMessage;

  constructor(partition: number, message: StreamMessage) {
    this.partition = partition;
    this.number = message.sequence;
    this.subject = message.subject;
    this.body = message.body;
    this.time = message.stamp;
    this.#message = message;
  }

  /** Read out of their bytes when they are asked for: who follows migrations never does. */
  get headers(): Readonly<Record<string, string>> {
    const headers: Record<string, string> = {};
    const message = this.#message;
    // The broker's own (the expected sequence) say nothing to a reader.
    for (const name of message.headerNames) if (!name.startsWith("Nats-")) headers[name] = message.header(name);
    return headers;
  }
}
