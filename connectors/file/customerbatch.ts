/**
 * Items, sorted by customer, to messages that hold whole customers. Within a message no time passes for the engine: a
 * history that comes as one can't be seen half, nor can anything fall due in the middle of it.
 */
import { type BatchOptions, messageBody, type OutMessage } from "./batch.js";
import type { FileItem } from "./item.js";

const EVENTS_MOST = 65_535;

interface Open {
  items: FileItem[];
  bytes: number;
}

export class CustomerBatcher {
  readonly #options: BatchOptions;
  /** On which all go: an event that was placed on another one says so itself. */
  readonly #channel: string;
  /** Whole customers, a partition. */
  readonly #open: Open[];
  /** The customer under way. */
  #items: FileItem[] = [];
  #bytes = 0;
  #isSplit = false;
  #split = 0;

  /** `eventsMax` is passed where one customer alone has more. */
  constructor(options: BatchOptions, channel: string) {
    this.#options = options;
    this.#channel = channel;
    this.#open = Array.from({ length: options.partitions }, () => ({ items: [], bytes: 0 }));
  }

  /** Customers whose events did not fit one message. */
  get split(): number {
    return this.#split;
  }

  /** Returns the messages that this item completes. */
  add(item: FileItem): OutMessage[] {
    const done: OutMessage[] = [];
    const last = this.#items.at(-1);
    if (last !== undefined && last.hash !== item.hash) {
      done.push(...this.#endCustomer());
      this.#isSplit = false;
    } else if (last !== undefined && !this.#fits(last, item)) {
      // Nobody's events need not stay together.
      if (!this.#isSplit && item.hash !== 0) this.#split++;
      this.#isSplit = true;
      done.push(...this.#endCustomer());
    }
    this.#items.push(item);
    this.#bytes += item.body.length + 1;
    return done;
  }

  /** What is still open. */
  flush(): OutMessage[] {
    return [...this.#endCustomer(), ...this.#open.flatMap((_, partition) => this.#close(partition))];
  }

  #fits(last: FileItem, item: FileItem): boolean {
    if (last.form !== item.form || item.form === "alone" || this.#items.length === EVENTS_MOST) return false;
    return this.#bytes + item.body.length + FRAME_BYTES <= this.#options.bytesMax;
  }

  /** Puts the customer under way behind those that are open, where there is room, else into the next message. */
  #endCustomer(): OutMessage[] {
    const first = this.#items[0];
    if (first === undefined) return [];
    const open = this.#open[first.partition] as Open;
    const last = open.items.at(-1);
    const joins =
      last === undefined ||
      (last.form === first.form &&
        first.form !== "alone" &&
        open.items.length + this.#items.length <= this.#options.eventsMax &&
        open.bytes + this.#bytes + FRAME_BYTES <= this.#options.bytesMax);
    const done = joins ? [] : this.#close(first.partition);
    const into = this.#open[first.partition] as Open;
    for (const item of this.#items) into.items.push(item);
    into.bytes += this.#bytes;
    this.#items = [];
    this.#bytes = 0;
    return done;
  }

  #close(partition: number): OutMessage[] {
    const { items } = this.#open[partition] as Open;
    this.#open[partition] = { items: [], bytes: 0 };
    if (items.length === 0) return [];
    return [{ partition, channel: this.#channel, body: messageBody(items), events: items.length }];
  }
}

/** Around the items of a message. */
const FRAME_BYTES = 8;
