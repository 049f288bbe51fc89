/** What a row becomes: one item of a message, placed in time and in a partition. */
import { Encoder } from "@msgpack/msgpack";
import type { Settings, Source } from "../../runtime/settings.js";
import { customerHash, ordersSubject, sourceOf } from "../../runtime/subjects.js";
import { parseInstant, Zone } from "./instant.js";
import type { Mapped, OrderEvent } from "./mapping.js";
import type { RawItem } from "./raw.js";

/** How the bytes are to be put into a message; `alone`: as a message of its own. */
export type Form = "msgpack" | "json" | "alone";

export interface FileItem {
  /** Event time in ms; of one that can't be read, the time of the row before it in its file. */
  readonly time: number;
  readonly partition: number;
  /** Of the customer, 32 bits; 0 where there is none. */
  readonly hash: number;
  /** Of the subject it is published to: its own channel, or the source's. */
  readonly channel: string;
  readonly form: Form;
  /** It has a time of its own, a customer and nothing seen here that speaks against it: the input ends with the latest. */
  readonly whole: boolean;
  readonly body: Uint8Array;
  /** Place among items of one time, for those that are not added in their order; default 0. */
  readonly rank?: number;
}

const encoder = new Encoder({ ignoreUndefined: true, initialBufferSize: 4096 });

/** The MessagePack bytes of an event: what files, the simulated shop and `publish` send. */
export function encodeEvent(event: OrderEvent): Uint8Array {
  return encoder.encode(event);
}

/** The item of an event that is known to be right, for Tidemark's own streams. */
export function placeEvent(
  event: OrderEvent & { readonly customer: string; readonly time: number; readonly channel: string },
  settings: Settings,
): FileItem {
  const hash = customerHash(event.customer);
  return {
    time: event.time,
    partition: hash % settings.partitions,
    hash,
    channel: event.channel,
    form: "msgpack",
    whole: true,
    body: encodeEvent(event),
  };
}

/** Places items of one file. */
export class Placing {
  readonly #settings: Settings;
  readonly #source: Source;
  readonly #zone: Zone | undefined;
  readonly #channels = new Map<string, string>();
  #time = Number.NEGATIVE_INFINITY;

  constructor(settings: Settings, source: Source) {
    this.#settings = settings;
    this.#source = source;
    this.#zone = source.zone === undefined ? undefined : new Zone(source.zone);
  }

  mapped({ event, time }: Mapped): FileItem {
    const item = this.#item(event.customer, event.channel, time, "msgpack", encodeEvent(event));
    return isLikely(event) ? item : { ...item, whole: false };
  }

  /** An item of an NDJSON or MessagePack file that goes to the kernel as it is. */
  raw(item: RawItem): FileItem {
    const form = item.plain && item.value !== null && typeof item.value === "object" ? item.form : "alone";
    const time = this.#timeOf(this.#member(item.value, "time"));
    return this.#item(
      this.#member(item.value, "customer"),
      this.#member(item.value, "channel"),
      time,
      form,
      item.bytes,
    );
  }

  /** Something that is no event at all. */
  unreadable(text: string): FileItem {
    return this.#item(undefined, undefined, null, "alone", Buffer.from(text));
  }

  #member(value: unknown, field: "time" | "customer" | "channel"): unknown {
    const path = this.#source.fields[field];
    if (path === undefined) return undefined;
    let found = value;
    for (const key of path) {
      if (typeof found !== "object" || found === null || !Object.hasOwn(found, key)) return undefined;
      found = (found as Readonly<Record<string, unknown>>)[key];
    }
    return found;
  }

  #timeOf(value: unknown): number | null {
    if (typeof value === "bigint") return Number(value);
    if (typeof value === "number") return Number.isInteger(value) ? value : null;
    if (typeof value !== "string") return null;
    // A long JSON number comes as its text.
    const number = /^-?\d+[.eE]/.test(value) ? Number(value) : Number.NaN;
    return Number.isInteger(number) ? number : parseInstant(value, this.#zone);
  }

  #item(customer: unknown, channel: unknown, time: number | null, form: Form, body: Uint8Array): FileItem {
    if (time !== null && Math.abs(time) <= 8.64e15) this.#time = time;
    const id = customerId(customer);
    // Nobody's event belongs to no partition: the first one says what is wrong with it.
    const hash = id === null ? 0 : customerHash(id);
    return {
      time: this.#time,
      partition: hash % this.#settings.partitions,
      hash,
      channel: typeof channel === "string" && channel !== "" ? this.#subjectChannel(channel) : this.#source.channel,
      form,
      whole: time !== null && time >= TIME_MIN && id !== null && form !== "alone",
      body,
    };
  }

  /** A channel whose subject another source reads, under other names, would be misread there. */
  #subjectChannel(channel: string): string {
    let found = this.#channels.get(channel);
    if (found === undefined) {
      const { name, sources } = this.#settings;
      const reads = sources[sourceOf(this.#settings, ordersSubject(name, 0, channel))] === this.#source;
      found = reads ? channel : this.#source.channel;
      if (this.#channels.size < CHANNELS_MAX) this.#channels.set(channel, found);
    }
    return found;
  }
}

/** Earlier times are refused. */
const TIME_MIN = Date.UTC(1990, 0);
const AMOUNT_MAX = 1e13;

/** False of what the kernel surely refuses: one such row with a wrong year must not move the end of the input. */
function isLikely({ id, amount, kind }: OrderEvent): boolean {
  if (id === undefined) return false;
  if (kind === "cancel") return true;
  return Number.isInteger(amount) && (amount as number) >= 0 && (amount as number) <= AMOUNT_MAX;
}

/** The kernel's own limit is 255; a wrong column must not cost memory. */
const CHANNELS_MAX = 1000;

/** A customer id as the kernel reads it: a text, or the digits of an integer. */
function customerId(value: unknown): string | null {
  if (typeof value === "string") return value;
  if (typeof value === "bigint") return value.toString();
  return typeof value === "number" && Number.isInteger(value) ? BigInt(value).toString() : null;
}
