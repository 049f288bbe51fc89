/**
 * In a process of its own: writes the messages of one row to a file, so that nobody's heap or clock knows of their
 * making.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { Encoder } from "@msgpack/msgpack";
import { Random } from "../../runtime/random.js";
import { type ShopEvent, simulateTraffic } from "../../runtime/simulate.js";
import { childArgument } from "../child.js";
import { HEAD_BYTES, PER_MESSAGE, type StreamSpec } from "./frame.js";

const DAY = 86_400_000;
/** All bought within the last month, as they do in a shop as busy as the measured one. */
const HISTORY_DAYS = 25;
/** When the measured orders begin. */
const NOW = Date.UTC(2026, 0, 1);

type Event = Pick<ShopEvent, "id" | "customer" | "time" | "channel"> & { readonly amount?: number };
interface Arrival {
  readonly at: number;
  readonly event: Event;
}

/** In time order; the n-th order of everyone comes before the next one of anyone. */
function* history({ customers, history: orders }: StreamSpec): Generator<Arrival> {
  const start = NOW - HISTORY_DAYS * DAY;
  const gap = (HISTORY_DAYS * DAY) / orders;
  const random = new Random(1, 0);
  for (let n = 0; n < orders; n++) {
    // A prime step goes through all customers in an order that has nothing to do with their ids.
    const number = (n * 611_953) % customers;
    const time = Math.floor(start + n * gap);
    yield { at: time, event: order(number, `h${n}`, time, random) };
  }
}

function* inTime({ customers, rate }: StreamSpec): Generator<Arrival> {
  const random = new Random(2, 0);
  for (let n = 0; ; n++) {
    const time = NOW + Math.floor((n * 1000) / rate);
    yield { at: time, event: order(random.below(customers), `i${n}`, time, random) };
  }
}

function order(number: number, id: string, time: number, random: Random): Event {
  // So little that of someone who bought before hardly a band changes.
  const amount = 100 + random.below(400);
  return { id, customer: `c${String(number).padStart(6, "0")}`, time, amount, channel: "web" };
}

function writeStream(spec: StreamSpec): void {
  const file = openSync(spec.file, "w");
  const encoder = new Encoder({ ignoreUndefined: true });
  const head = Buffer.alloc(HEAD_BYTES);
  const parts: Uint8Array[] = [];
  const flush = () => {
    writeSync(file, Buffer.concat(parts));
    parts.length = 0;
  };
  const write = (arrivals: Iterable<Arrival>, messagesMax: number) => {
    let events: Event[] = [];
    let messages = 0;
    for (const { at, event } of arrivals) {
      events.push(event);
      if (events.length < PER_MESSAGE) continue;
      const body = encoder.encode(events);
      head.writeDoubleLE(at, 0);
      head.writeUInt32LE(body.length, 8);
      parts.push(Buffer.from(head), body);
      if (parts.length >= 2000) flush();
      events = [];
      if (++messages === messagesMax) break;
    }
  };
  try {
    write(history(spec), Number.POSITIVE_INFINITY);
    const { customers, rate } = spec;
    const shop = { seed: 20_260_101, customers, start: NOW - 400 * DAY, end: NOW, rate };
    write(spec.mix === "shop" ? simulateTraffic(shop) : inTime(spec), spec.messages);
    flush();
  } finally {
    closeSync(file);
  }
}

writeStream(childArgument<StreamSpec>());
console.log("{}");
