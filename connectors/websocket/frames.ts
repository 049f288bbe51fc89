/** Bytes of the messages that go to many: the costly part is encoded once, only the subscription's id differs. */
import { encode } from "@msgpack/msgpack";
import type { Format, LiveCounts } from "./protocol.js";
import type { TailRecord } from "./tail.js";

const MIGRATION_HEAD = packed(0x84, "type", "migration", "subscription");
const COUNTS_HEAD = packed(0x83, "type", "counts", "subscription");
const POSITION_KEY = encode("position");
const EVENT_KEY = encode("event");
const COUNTS_KEY = encode("counts");

export function migrationFrame(format: Format, subscription: string, position: string, record: TailRecord): Buffer {
  const event = record.encoded(format);
  if (format === "json") {
    const head = `{"type":"migration","subscription":${JSON.stringify(subscription)},"position":"${position}","event":`;
    return Buffer.concat([Buffer.from(head), event, Buffer.from("}")]);
  }
  return Buffer.concat([MIGRATION_HEAD, encode(subscription), POSITION_KEY, encode(position), EVENT_KEY, event]);
}

/** `counts`: already in the bytes of the format. */
export function countsFrame(format: Format, subscription: string, counts: Uint8Array): Buffer {
  if (format === "json") {
    const head = `{"type":"counts","subscription":${JSON.stringify(subscription)},"counts":`;
    return Buffer.concat([Buffer.from(head), counts, Buffer.from("}")]);
  }
  return Buffer.concat([COUNTS_HEAD, encode(subscription), COUNTS_KEY, counts]);
}

export function encodeCounts(format: Format, counts: readonly LiveCounts[]): Uint8Array {
  return format === "json" ? Buffer.from(JSON.stringify(counts)) : encode(counts);
}

function packed(map: number, ...words: readonly string[]): Uint8Array {
  return Buffer.concat([Buffer.from([map]), ...words.map((word) => encode(word))]);
}
