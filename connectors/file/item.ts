/** What a row becomes: one item of a message, placed in time and in a partition. */
import { Encoder } from "@msgpack/msgpack";
import type { Source } from "../../runtime/settings.js";
import { partitionOf } from "../../runtime/subjects.js";
import { parseInstant, type Zone } from "./instant.js";
import type { Mapped, OrderEvent } from "./mapping.js";
import type { RawItem } from "./raw.js";

/** How the bytes are to be put into a message; `alone`: as a message of its own. */
export type Form = "msgpack" | "json" | "alone";

export interface FileItem {
  /** Event time in ms; of one that can't be read, the time of the row before it in its file. */
  readonly time: number;
  readonly partition: number;
  readonly channel: string;
  readonly form: Form;
  readonly body: Uint8Array;
}

const encoder = new Encoder({ ignoreUndefined: true, initialBufferSize: 4096 });

/** The MessagePack bytes of an event: what files, the simulated shop and `publish` send. */
export function encodeEvent(event: OrderEvent): Uint8Array {
  return encoder.encode(event);
}

/** Places items of one file. */
export class Placing {
  readonly #partitions: number;
  readonly #source: Source;
  readonly #zone: Zone | undefined;
  #time = Number.NEGATIVE_INFINITY;

  /** `zone`: of the source, for a time without an offset. */
  constructor(source: Source, partitions: number, zone: Zone | undefined) {
    this.#source = source;
    this.#partitions = partitions;
    this.#zone = zone;
  }

  mapped({ event, time }: Mapped): FileItem {
    return this.#item(event.customer, event.channel, time, "msgpack", encodeEvent(event));
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
    return {
      time: this.#time,
      // Nobody's event belongs to no partition: the first one says what is wrong with it.
      partition: id === null ? 0 : partitionOf(id, this.#partitions),
      channel: typeof channel === "string" && channel !== "" ? channel : this.#source.channel,
      form,
      body,
    };
  }
}

/** A customer id as the kernel reads it: a text, or the digits of an integer. */
function customerId(value: unknown): string | null {
  if (typeof value === "string") return value;
  if (typeof value === "bigint") return value.toString();
  return typeof value === "number" && Number.isInteger(value) ? BigInt(value).toString() : null;
}
