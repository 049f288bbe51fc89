/** Customers by the million, each with one order, as MessagePack messages that cost next to nothing to make. */
import { encode } from "@msgpack/msgpack";
import { compileSettings } from "../runtime/config/index.js";
import { DONE, type Kernel, MORE } from "../runtime/kernel.js";
import type { InputMessage } from "../runtime/record.js";
import type { Capacity, Settings } from "../runtime/settings.js";

/** Time of the first order; each next one is a millisecond later. */
export const FIRST_MS = Date.UTC(2026, 0, 1);
/** Orders of a message. */
export const PER_MESSAGE = 1000;

/** One partition under the model of the defaults. */
export function settingsFor(capacity: Capacity): Settings {
  return compileSettings({ partitions: 1, capacity, models: [{ use: "threebands", currency: "EUR" }] });
}

export interface Orders {
  /** Multiple of PER_MESSAGE. */
  readonly orders: number;
  /** Bytes of a customer's id, and of an order's. */
  readonly idLength: number;
  /** Orders before these: their ids and times go on from there, the customers are the same again. Default 0. */
  readonly before?: number;
}

/**
 * Messages that bring `orders` customers with one order each. The body is written over by the next one: what wants to
 * keep it copies it.
 */
export function* messagesOf({ orders, idLength, before = 0 }: Orders): Generator<InputMessage> {
  if (orders % PER_MESSAGE !== 0) throw new Error(`${orders} orders are not whole messages of ${PER_MESSAGE}`);
  const customer = `c${"0".repeat(idLength - 1)}`;
  const id = `o${"0".repeat(idLength - 1)}`;
  const item = { id, customer, time: FIRST_MS, amount: 1999 };
  const body = encode(Array.from({ length: PER_MESSAGE }, () => item));
  const view = new DataView(body.buffer, body.byteOffset);
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  // Where the changing bytes of an item lie is found in what the library wrote.
  const first = bytes.indexOf(id);
  const stride = bytes.indexOf(id, first + 1) - first;
  const customerAt = bytes.indexOf(customer) - first;
  const timeAt = bytes.indexOf("time") + 5 - first;
  for (let order = 0; order < orders; ) {
    for (let at = first; at < first + PER_MESSAGE * stride; at += stride) {
      writeDigits(body, at + idLength, before + order);
      writeDigits(body, at + customerAt + idLength, order);
      view.setBigUint64(at + timeAt, BigInt(FIRST_MS + before + order));
      order++;
    }
    const stamp = FIRST_MS + before + order;
    const sequence = (before + order) / PER_MESSAGE;
    yield { sequence, stamp, subject: "tidemark.orders.0.web", source: 0, control: false, silent: true, body };
  }
}

/** The decimal digits of a number, so that they end before `end`. */
function writeDigits(bytes: Uint8Array, end: number, number: number): void {
  for (let left = number, at = end - 1; left > 0; at--) {
    bytes[at] = 48 + (left % 10);
    left = Math.floor(left / 10);
  }
}

/** Applies the messages and reads none of the records. Throws where the kernel does not take them all. */
export function fill(kernel: Kernel, orders: Orders): void {
  const run = () => {
    while (kernel.begin() !== undefined) {
      let status = MORE;
      while (status === MORE) status = kernel.run();
      if (status === DONE) continue;
      const { customers, entries, idBytes } = kernel.counters();
      throw new Error(`the kernel is full: ${customers} customers, ${entries} entries, ${idBytes} bytes of ids`);
    }
  };
  for (const { subject, source, silent, sequence, stamp, body } of messagesOf(orders)) {
    const bytes = new TextEncoder().encode(subject);
    while (!kernel.write(bytes, source, silent, sequence, stamp, body)) run();
  }
  run();
  const { customers } = kernel.counters();
  if (customers !== orders.orders) throw new Error(`${customers} customers came of ${orders.orders} orders`);
}
