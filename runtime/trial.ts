/** Messages tried on an engine that nobody sees: what it would take, leave out and put aside, and what came in them. */

import { channelOf, currencyOf, type Fault, faultOf } from "./fault.js";
import { itemTime } from "./itemtime.js";
import { isMap, itemsOf, messageValue, shown, valueAt } from "./itemvalue.js";
import { Partition } from "./partition.js";
import { type DeadLetter, KINDS, OUTCOMES, type Reason } from "./record.js";
import type { Settings, Source } from "./settings.js";
import { CONTROL_TOKEN, ordersPartition, sourceOf } from "./subjects.js";

export interface TrialMessage {
  /** Null: none keeps it. */
  readonly stream: string | null;
  readonly sequence: number;
  /** ms. */
  readonly stamp: number;
  readonly subject: string;
  readonly body: Uint8Array;
}

export interface DeadFinding {
  readonly reason: Reason;
  readonly items: number;
  /** The first of them. */
  readonly example: {
    readonly stream: string | null;
    readonly sequence: number;
    readonly index: number;
    readonly subject: string;
    readonly bytes: Uint8Array;
    readonly fault: Fault;
  };
  /** The sample may be at fault: what the item is about may have come before it. */
  readonly ofSample: boolean;
}

export interface Seen {
  readonly text: string;
  readonly items: number;
}

export interface Trial {
  /** As they are behind the last message. */
  readonly partitions: readonly Partition[];
  /** Without control messages. */
  readonly messages: number;
  readonly control: number;
  readonly items: number;
  /** Items by kind and outcome, in the order of KINDS and OUTCOMES. */
  readonly events: readonly (readonly number[])[];
  /** The commonest first. */
  readonly dead: readonly DeadFinding[];
  readonly sources: readonly Seen[];
  readonly channels: readonly Seen[];
  readonly currencies: readonly Seen[];
  /** Texts of the status field, with what each is taken to mean. */
  readonly statuses: readonly (Seen & { readonly meaning: "order" | "cancel" | "skip" | null })[];
  /** How far items' times lie behind their message's, ms; negative: ahead. Undefined where no time can be read. */
  readonly behind:
    | { readonly items: number; readonly least: number; readonly median: number; readonly most: number }
    | undefined;
}

/** Reserved for each partition; a sample has far less. */
const CAPACITY = { customers: 200_000, entries: 1_000_000, idBytes: 16_000_000 };

/**
 * Applies the messages, in this order, as an engine with these settings that begins with them. What is judged by what
 * came before the sample (reversals without their order) is marked. Throws what Partition does. `seed`: 16 bytes, no
 * output depends on them.
 */
export function tryMessages(
  wasm: WebAssembly.Module,
  settings: Settings,
  messages: readonly TrialMessage[],
  seed: Uint8Array,
): Trial {
  const own = { ...settings, capacity: CAPACITY, capacityMax: CAPACITY };
  const partitions = new Map<number | null, Partition>();
  const partitionAt = (number: number | null) => {
    let found = partitions.get(number);
    if (found === undefined) {
      const place = { partition: number ?? 0, adopted: number === null };
      found = new Partition({ wasm, settings: own, seed, live: true, ...place });
      partitions.set(number, found);
    }
    return found;
  };
  const seen = new Tally(settings);
  const dead = new Map<Reason, { items: number; example: DeadFinding["example"] }>();
  let control = 0;
  for (const [n, message] of messages.entries()) {
    if (isControl(settings, message.subject)) {
      control++;
      continue;
    }
    const number = sourceOf(settings, message.subject);
    const source = settings.sources[number] as Source;
    const partition = partitionAt(ordersPartition(settings, message.subject));
    const { stamp, subject, body } = message;
    const input = { sequence: n + 1, stamp, subject, source: number, control: false, silent: false, body };
    seen.add(source, message);
    for (const records of partition.records([input])) {
      for (const record of records) {
        if (record.type !== "dead") continue;
        const found = dead.get(record.reason);
        if (found !== undefined) found.items++;
        else dead.set(record.reason, { items: 1, example: exampleOf(record, messages, settings) });
      }
    }
  }
  const stats = [...partitions.values()].map((partition) => partition.stats());
  const events = KINDS.map((_, k) =>
    OUTCOMES.map((_outcome, o) => stats.reduce((sum, one) => sum + (one.events[k]?.[o] ?? 0), 0)),
  );
  return {
    partitions: [...partitions.values()],
    messages: messages.length - control,
    control,
    events,
    dead: [...dead]
      .map(([reason, found]) => ({ reason, ...found, ofSample: reason === "unmatched" || reason === "parkedFull" }))
      .sort((a, b) => b.items - a.items),
    ...seen.result(),
  };
}

function isControl(settings: Settings, subject: string): boolean {
  if (settings.sources.some(({ adopt }) => adopt?.control === subject)) return true;
  return ordersPartition(settings, subject) !== null && subject.endsWith(`.${CONTROL_TOKEN}`);
}

/** A reversal that waited in vain came with an earlier message than the one it is put aside at. */
function exampleOf(
  { reason, sequence, index, bytes, clock }: DeadLetter,
  messages: readonly TrialMessage[],
  settings: Settings,
): DeadFinding["example"] {
  const message = messages[sequence - 1] as TrialMessage;
  const { stream, subject, body } = message;
  const source = settings.sources[sourceOf(settings, subject)] as Source;
  const partition = ordersPartition(settings, subject) ?? 0;
  const fault = faultOf(reason, messageValue(bytes), { settings, source, partition, clock });
  const isText = reason === "undecodable" && (body[0] ?? 0x80) < 0x80;
  const found = isText ? shown(new TextDecoder().decode(body.subarray(0, 256))) : fault.found;
  return { stream, sequence: message.sequence, index, subject, bytes, fault: { ...fault, found } };
}

/** Counts what items say, by the source that reads them. */
class Tally {
  readonly #settings: Settings;
  readonly #sources = new Map<string, number>();
  readonly #channels = new Map<string, number>();
  readonly #currencies = new Map<string, number>();
  readonly #statuses = new Map<string, { items: number; meaning: "order" | "cancel" | "skip" | null }>();
  readonly #behind: number[] = [];
  #items = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  add(source: Source, { stamp, body }: TrialMessage): void {
    const items = itemsOf(body) ?? [];
    count(this.#sources, source.name, Math.max(1, items.length));
    this.#items += Math.max(1, items.length);
    for (const item of items) {
      if (!isMap(item)) continue;
      count(this.#channels, channelOf(item, source));
      count(this.#currencies, currencyOf(item, { source, settings: this.#settings }));
      this.#addStatus(valueAt(item, source.fields.status), source);
      const time = itemTime(valueAt(item, source.fields.time), source.zone);
      if (time !== undefined && "ms" in time) this.#behind.push(stamp - time.ms);
    }
  }

  #addStatus(value: unknown, source: Source): void {
    if (typeof value !== "string") return;
    const meaning = Object.hasOwn(source.status, value) ? source.status[value] : source.status["*"];
    const found = this.#statuses.get(value);
    if (found !== undefined) found.items++;
    else if (this.#statuses.size < SEEN_MAX) this.#statuses.set(value, { items: 1, meaning: meaning ?? null });
  }

  result(): Pick<Trial, "items" | "sources" | "channels" | "currencies" | "statuses" | "behind"> {
    const behind = this.#behind.sort((a, b) => a - b);
    const [least, median, most] = [behind[0], behind[behind.length >> 1], behind.at(-1)];
    return {
      items: this.#items,
      sources: sorted(this.#sources),
      channels: sorted(this.#channels),
      currencies: sorted(this.#currencies),
      statuses: [...this.#statuses].map(([text, found]) => ({ text, ...found })).sort((a, b) => b.items - a.items),
      behind:
        least === undefined || median === undefined || most === undefined
          ? undefined
          : { items: behind.length, least, median, most },
    };
  }
}

/** Different texts of one kind that are counted: a wrong field must not cost memory. */
const SEEN_MAX = 1_000;

function count(counts: Map<string, number>, text: string, by = 1): void {
  if (counts.has(text) || counts.size < SEEN_MAX) counts.set(text, (counts.get(text) ?? 0) + by);
}

function sorted(counts: ReadonlyMap<string, number>): Seen[] {
  return [...counts].map(([text, items]) => ({ text, items })).sort((a, b) => b.items - a.items);
}
