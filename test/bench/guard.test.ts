/**
 * What an order costs, counted and not timed: the same on every machine. An order that comes in time, of a customer
 * who has bought before, and that moves nobody: nearly all orders are like it. A bound that is passed is no mistake by
 * itself, but somebody should know why.
 */
import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { encode } from "@msgpack/msgpack";
import { assert, beforeAll, describe, test } from "vitest";
import { settingsFor } from "../../bench/population.js";
import type { InputMessage } from "../../runtime/record.js";
import { kernelModule } from "../support/kernel-driver.js";
import { Counted, instrumentedKernel } from "./counted.js";

const FIRST_MS = Date.UTC(2026, 0, 1);
const CUSTOMERS = 10_000;
/** One customer in so many buys: their records share no cache lines. */
const EVERY = 20;
const BUYERS = CUSTOMERS / EVERY;
/** So many orders and so much spent, and a customer is in the first band of everything: nothing moves any more. */
const ORDERS_BEFORE = 13;
const AMOUNT = 5000;

type Format = "msgpack" | "json";

class Shop {
  #orders = 0;
  #sequence = 0;

  /** An order of each of these customers, `perMessage` in a message. */
  messages(customers: readonly number[], format: Format, perMessage: number): InputMessage[] {
    const orders = customers.map((customer) => {
      const id = `o${String(++this.#orders).padStart(11, "0")}`;
      const time = FIRST_MS + this.#orders;
      return { id, customer: `c${String(customer).padStart(11, "0")}`, time, amount: AMOUNT };
    });
    const messages: InputMessage[] = [];
    for (let from = 0; from < orders.length; from += perMessage) {
      const body = perMessage === 1 ? orders[from] : orders.slice(from, from + perMessage);
      messages.push({
        sequence: ++this.#sequence,
        stamp: FIRST_MS + this.#orders,
        subject: "tidemark.orders.0.web",
        source: 0,
        control: false,
        silent: false,
        body: format === "msgpack" ? encode(body) : new TextEncoder().encode(JSON.stringify(body)),
      });
    }
    return messages;
  }
}

function recordsOf(counted: Counted, messages: readonly InputMessage[]): number {
  let records = 0;
  for (const some of counted.partition.records(messages)) records += some.length;
  return records;
}

function atMost(most: number, found: number, what: string): void {
  // Nothing at all would mean that it was not counted.
  assert(found > 0 && found <= most, `${what}: ${found} an order, at most ${most} are expected`);
}

describe("an order that moves nobody", () => {
  const everyone = Array.from({ length: CUSTOMERS }, (_, n) => n);
  const buyers = Array.from({ length: BUYERS }, (_, n) => n * EVERY + 7);
  const shop = new Shop();
  let counted: Counted;

  beforeAll(() => {
    const capacity = { customers: 2 * CUSTOMERS, entries: 100_000, idBytes: 40 * CUSTOMERS };
    counted = new Counted(instrumentedKernel(), settingsFor(capacity));
    recordsOf(counted, shop.messages(everyone, "msgpack", 100));
    for (let n = 0; n < ORDERS_BEFORE; n++) recordsOf(counted, shop.messages(buyers, "msgpack", 100));
  });

  for (const [format, perMessage, most] of [
    ["msgpack", 1, { extraBytes: 56, accesses: 335 }],
    ["msgpack", 100, { extraBytes: 1, accesses: 320 }],
    ["json", 1, { extraBytes: 56, accesses: 350 }],
    ["json", 100, { extraBytes: 1, accesses: 335 }],
  ] as const) {
    test(`${format}, ${perMessage} a message`, () => {
      const messages = shop.messages(buyers, format, perMessage);
      const bytes = messages.reduce((sum, { body }) => sum + body.length, 0);
      const stepsBefore = counted.partition.stats().chainSteps;
      counted.reset();
      assert.equal(recordsOf(counted, messages), 0, "nobody moves");
      const each = (sum: number) => sum / BUYERS;
      atMost(0.01, each(counted.calls), "calls of the kernel");
      atMost(most.extraBytes, each(counted.inputBytes - bytes), "bytes in the input beside the message's own");
      atMost(most.accesses, each(counted.accesses), "loads and stores");
      atMost(70, each(counted.stateAccesses), "loads and stores of index, customers and log");
      atMost(6, each(counted.lines.size), "cache lines of index, customers and log");
      // None, but for the few orders that join a lane.
      const steps = counted.partition.stats().chainSteps - stepsBefore;
      assert(each(steps) < 0.5, `${steps} orders are looked at to find the places of ${BUYERS} in time`);
    });
  }
});

test("orders that move their customers: many records a call of the kernel, applied and encoded", () => {
  const customers = Array.from({ length: BUYERS }, (_, n) => n);
  const counted = new Counted(
    kernelModule("release"),
    settingsFor({ customers: 1000, entries: 2000, idBytes: 40_000 }),
  );
  let records = 0;
  for (const some of counted.partition.apply(new Shop().messages(customers, "msgpack", 1))) records += some.length;
  assert.equal(records, BUYERS, "each moves one");
  atMost(0.05, counted.calls / BUYERS, "calls of the kernel");
});

describe("V8's heap", () => {
  const script = resolve(import.meta.dirname, "heap.mjs");
  /**
   * Bytes that it grows by, a message. The least of the windows: a compiler at work beside one of them adds to it, an
   * object a message adds to all.
   */
  const grown = (...args: string[]) => {
    const flags = ["--min-semi-space-size=256", "--max-semi-space-size=256"];
    const printed = execFileSync(process.execPath, [...flags, script, ...args], { encoding: "utf8" });
    const windows = printed.trim().split("\n").map(Number);
    assert(windows.length > 1 && windows.every((bytes) => bytes > 0), `windows: ${windows.join(" ")}`);
    return Math.min(...windows);
  };
  /** 3.5, or 19.5 where the compiler leaves one number boxed; an object a message makes it 35 to 52. */
  const STILL_MAX = 28;
  /** 108: the record, and its place in two lists. */
  const MOVES_MAX = 130;

  test("an order that moves nobody leaves next to nothing on it", () => {
    const bytes = grown("still");
    assert(bytes <= STILL_MAX, `${bytes} bytes a message`);
  });

  test("one object a message would be seen", () => {
    const bytes = grown("still", "extra");
    assert(bytes > STILL_MAX, `${bytes} bytes a message`);
  });

  test("an order that moves its customer leaves its ledger record", () => {
    const bytes = grown("moves");
    assert(bytes <= MOVES_MAX, `${bytes} bytes a message`);
  });
});
