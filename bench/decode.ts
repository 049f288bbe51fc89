/**
 * decode.msgpack, decode.json: orders decoded and applied, 100 a message, by a kernel that knows a million customers:
 * from bytes in JavaScript to rows, log and records in its memory. The records are few and are not read from there.
 * Beside them, what a consumer in JavaScript does with the same bytes before it can begin, and the kernel's decoder by
 * itself. All in one thread, in turn; orders have the four fields that they must have.
 */
import { Decoder, encode } from "@msgpack/msgpack";
import { loadKernel } from "../connectors/cli/kernel.js";
import { encodeSource } from "../runtime/fieldtable.js";
import { Kernel, MORE } from "../runtime/kernel.js";
import { type InputMessage, KINDS, OUTCOMES } from "../runtime/record.js";
import { FIRST_MS, fill, settingsFor } from "./population.js";
import { type Bench, type BenchOptions, type Result, withRatioGoal } from "./result.js";
import { type Contestant, inTurn, roundsOf } from "./rounds.js";

const CUSTOMERS = 1_000_000;
/** Orders of each customer before: from here on a small order moves nobody, as nearly all orders do. */
const HISTORY_EACH = 4;
const HISTORY = HISTORY_EACH * CUSTOMERS;
const PER_MESSAGE = 100;
/** Messages that the runtime hands to the kernel at once. */
const PER_CALL = 16;
const ID_LENGTH = 12;

type Format = "msgpack" | "json";

interface Order {
  readonly id: string;
  readonly customer: string;
  readonly time: number;
  readonly amount: number;
}

/** A whole number below `end`, evenly spread, from a seed (mulberry32). */
function randomFrom(seed: number): (end: number) => number {
  let state = seed;
  return (end) => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return Math.floor((((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32) * end);
  };
}

/** New orders of known customers, a millisecond apart, behind those that filled the kernel. */
function ordersOf(first: number, count: number): Order[] {
  const random = randomFrom(first);
  return Array.from({ length: count }, (_, n) => ({
    id: `o${String(HISTORY + first + n).padStart(ID_LENGTH - 1, "0")}`,
    customer: `c${String(random(CUSTOMERS)).padStart(ID_LENGTH - 1, "0")}`,
    time: FIRST_MS + HISTORY + first + n,
    amount: 100 + random(400),
  }));
}

function messagesOf(orders: readonly Order[], format: Format, first: number): InputMessage[] {
  const messages: InputMessage[] = [];
  for (let at = 0; at < orders.length; at += PER_MESSAGE) {
    const items = orders.slice(at, at + PER_MESSAGE);
    const body = format === "msgpack" ? encode(items) : new TextEncoder().encode(JSON.stringify(items));
    const stamp = FIRST_MS + HISTORY + first + at;
    const sequence = HISTORY + (first + at) / PER_MESSAGE;
    messages.push({
      sequence,
      stamp,
      subject: "tidemark.orders.0.web",
      source: 0,
      control: false,
      silent: false,
      body,
    });
  }
  return messages;
}

/** A kernel with its customers and their history in place. */
function fullKernel(more: number): Kernel {
  const settings = settingsFor({
    customers: CUSTOMERS + 1,
    entries: Math.ceil((HISTORY + more) * 1.1),
    idBytes: CUSTOMERS * (ID_LENGTH + 16),
  });
  const kernel = new Kernel({
    wasm: loadKernel(),
    settings,
    partition: 0,
    seed: new Uint8Array(16).fill(7),
    checksPartition: false,
  });
  kernel.goLive();
  for (let before = 0; before < HISTORY; before += CUSTOMERS)
    fill(kernel, { orders: CUSTOMERS, idLength: ID_LENGTH, before });
  return kernel;
}

/** Decodes and applies the messages; how many records came of them. */
function apply(kernel: Kernel, messages: readonly InputMessage[]): number {
  let records = 0;
  let text = "";
  let bytes: Uint8Array = new Uint8Array(0);
  for (let at = 0; at < messages.length; at += PER_CALL) {
    for (const { subject, source, silent, sequence, stamp, body } of messages.slice(at, at + PER_CALL)) {
      if (subject !== text) [text, bytes] = [subject, Buffer.from(subject)];
      if (!kernel.write(bytes, source, silent, sequence, stamp, body))
        throw new Error("the messages do not fit the input region");
    }
    while (kernel.begin() !== undefined) {
      let status = MORE;
      while (status === MORE) {
        status = kernel.run();
        for (const output = kernel.output(); output.more; output.next()) records++;
      }
      if (status !== 0) throw new Error("the kernel is full");
    }
  }
  return records;
}

/** The kernel's decoder without the rest of it: from bytes in JavaScript to items in its memory. */
class Decoding {
  readonly #exports: Record<"INPUT" | "INPUT_BYTES" | "SOURCES", WebAssembly.Global<"i32">> & {
    beginMessage(start: number, length: number, source: number): number;
    decodeBlock(from: number, max: number): number;
  };
  readonly #bytes: Uint8Array;
  readonly #input: number;

  constructor() {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65_536 });
    const abort = () => {
      throw new Error("the decoder failed");
    };
    this.#exports = new WebAssembly.Instance(loadKernel(), { env: { memory, abort } }).exports as never;
    this.#input = this.#exports.INPUT.value;
    memory.grow(Math.ceil((this.#input + this.#exports.INPUT_BYTES.value) / 65_536));
    this.#bytes = new Uint8Array(memory.buffer);
    const [source] = settingsFor({ customers: 1, entries: 1, idBytes: 8 }).sources;
    if (source === undefined) throw new Error("the defaults have no source");
    this.#bytes.set(encodeSource(source), this.#exports.SOURCES.value);
  }

  decode(messages: readonly InputMessage[]): void {
    for (const { body } of messages) {
      this.#bytes.set(body, this.#input);
      let left = this.#exports.beginMessage(this.#input, body.length, 0);
      if (left !== PER_MESSAGE) throw new Error(`${left} items were read of a message of ${PER_MESSAGE}`);
      while (left > 0) left -= this.#exports.decodeBlock(0, left);
    }
  }
}

const msgpack = new Decoder();
const utf8 = new TextDecoder();
/** What the same bytes cost a consumer in JavaScript: objects, with which nothing is done. */
const LIBRARIES: Readonly<Record<Format, (body: Uint8Array) => unknown>> = {
  msgpack: (body) => msgpack.decode(body),
  json: (body) => JSON.parse(utf8.decode(body)),
};
const BASELINE = { msgpack: "baseline.msgpack-js", json: "baseline.json-parse" } as const;
const GOAL = { msgpack: 3, json: 1.5 } as const;

async function run({ quick, wants, note }: BenchOptions): Promise<readonly Result[]> {
  const rounds = roundsOf({ quick });
  const orders = quick ? 100_000 : 200_000; // a round
  const formats = (["msgpack", "json"] as const).filter((format) => namesOf(format).some(wants));
  const results: Result[] = [];
  // One format after the other: only one kernel of that size at a time.
  for (const format of formats) {
    const kernel = fullKernel(orders * (rounds + 1));
    const decoding = new Decoding();
    let records = 0;
    note(`${format}: ${CUSTOMERS.toLocaleString("en-US")} customers in place`);
    let messages: InputMessage[] = [];
    let made = -2;
    /** The round's orders, the same for all. */
    const timed = (round: number, call: (messages: readonly InputMessage[]) => void): number => {
      if (made !== round) {
        const first = (round + 1) * orders;
        messages = messagesOf(ordersOf(first, orders), format, first);
        made = round;
      }
      gc?.();
      const started = performance.now();
      call(messages);
      return (orders * 1000) / (performance.now() - started);
    };
    const read = LIBRARIES[format];
    const contestants: Contestant[] = [
      {
        name: `decode.${format}`,
        measure: (round) =>
          timed(round, (all) => {
            records += apply(kernel, all);
          }),
      },
      {
        name: BASELINE[format],
        measure: (round) =>
          timed(round, (all) => {
            for (const { body } of all) read(body);
          }),
      },
      { name: `decode.${format}.only`, measure: (round) => timed(round, (all) => decoding.decode(all)) },
    ];
    const figures = await inTurn(contestants, { rounds, note });
    checkApplied(kernel, orders * (rounds + 1));
    const bytes = messages.reduce((sum, { body }) => sum + body.length, 0) / orders;
    const share = (100 * records) / (orders * (rounds + 1));
    const applied = figures.result(`decode.${format}`, "orders/s", BASELINE[format]);
    results.push(
      {
        ...withRatioGoal(applied, "≥", GOAL[format]),
        note: `${bytes.toFixed(0)} bytes an order; decoded and applied; ${share.toFixed(2)} migrations in 100 orders stay in the kernel`,
      },
      { ...figures.result(BASELINE[format], "orders/s"), note: "decodes only" },
      {
        ...figures.result(`decode.${format}.only`, "orders/s", BASELINE[format]),
        note: "the kernel's decoder by itself",
      },
    );
  }
  return results;
}

/** Throws where not every order of the rounds was applied. */
function checkApplied(kernel: Kernel, orders: number): void {
  const { events } = kernel.counters();
  const applied = events[KINDS.indexOf("order")]?.[OUTCOMES.indexOf("applied")];
  if (applied !== HISTORY + orders) throw new Error(`${applied} orders were applied, not ${HISTORY + orders}`);
}

function namesOf(format: Format): string[] {
  return [`decode.${format}`, BASELINE[format], `decode.${format}.only`];
}

export const decodeBenches: readonly Bench[] = [{ names: [...namesOf("msgpack"), ...namesOf("json")], run }];
