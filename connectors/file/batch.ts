/** Items to messages: arrays of up to N events of one partition and channel, in order. */
import type { FileItem } from "./item.js";

export interface OutMessage {
  readonly partition: number;
  readonly channel: string;
  readonly body: Uint8Array;
  readonly events: number;
}

export interface BatchOptions {
  readonly partitions: number;
  /** Events a message, 1 to 65,535. 1: each event is a message without an array around it. */
  readonly eventsMax: number;
  /** Bytes a message; an item that is longer alone travels alone. */
  readonly bytesMax: number;
}

export const BATCH_EVENTS = 100;
export const BATCH_BYTES = 256 << 10;

interface Open {
  items: FileItem[];
  bytes: number;
}

/** One of the open batches a partition. The order of a partition's items never changes. */
export class Batcher {
  readonly #options: BatchOptions;
  readonly #open: Open[];

  constructor(options: BatchOptions) {
    this.#options = options;
    this.#open = Array.from({ length: options.partitions }, () => ({ items: [], bytes: 0 }));
  }

  /** Returns the messages that this item completes: none, one or two. */
  add(item: FileItem): OutMessage[] {
    const done: OutMessage[] = [];
    if (!this.#fits(this.#open[item.partition] as Open, item)) done.push(this.#close(item.partition));
    const open = this.#open[item.partition] as Open;
    open.items.push(item);
    open.bytes += item.body.length + 1;
    if (item.form === "alone" || open.items.length >= this.#options.eventsMax) done.push(this.#close(item.partition));
    return done;
  }

  /** What is still open, in order of partition. */
  flush(): OutMessage[] {
    return this.#open.flatMap((open, partition) => (open.items.length === 0 ? [] : [this.#close(partition)]));
  }

  #fits(open: Open, item: FileItem): boolean {
    const last = open.items.at(-1);
    if (last === undefined) return true;
    return (
      last.form === item.form &&
      last.channel === item.channel &&
      open.bytes + item.body.length + 8 <= this.#options.bytesMax
    );
  }

  #close(partition: number): OutMessage {
    const { items } = this.#open[partition] as Open;
    this.#open[partition] = { items: [], bytes: 0 };
    const { channel } = items[0] as FileItem;
    return { partition, channel, body: messageBody(items), events: items.length };
  }
}

/** The bytes of one message that holds these items, which have one form. */
export function messageBody(items: readonly FileItem[]): Uint8Array {
  const [first] = items as [FileItem];
  if (items.length === 1) return first.body;
  const parts: Uint8Array[] = [];
  if (first.form === "json") {
    for (const [i, item] of items.entries()) parts.push(i === 0 ? OPEN : COMMA, item.body);
    parts.push(CLOSE);
  } else {
    parts.push(arrayHeader(items.length));
    for (const item of items) parts.push(item.body);
  }
  return Buffer.concat(parts);
}

const OPEN = Buffer.from("[");
const COMMA = Buffer.from(",");
const CLOSE = Buffer.from("]");

function arrayHeader(count: number): Uint8Array {
  return count < 16 ? Uint8Array.of(0x90 | count) : Uint8Array.of(0xdc, count >> 8, count & 0xff);
}
