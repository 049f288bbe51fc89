/** A partition at its limits: every reason that needs one, silence, the bounded firing, and what happens when it is full. */
import { assert, describe, expect, test } from "vitest";
import { FatalError } from "../../runtime/errors.js";
import { Partition } from "../../runtime/partition.js";
import type { DeadLetter, InputMessage, Migration, OutputRecord } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import { partitionOf as partitionOfCustomer } from "../../runtime/subjects.js";
import type { ModelWords } from "../oracle/words.js";
import { kernelModule, SEED, settingsOf } from "../support/kernel-driver.js";

const DAY = 86_400_000;
const EPOCH = Date.UTC(2026, 0, 1);
const model: ModelWords = {
  name: "m",
  channels: "*",
  currency: "EUR",
  recency: { bands: [{ name: "short", max: "30d" }, { name: "long" }] },
  frequency: { window: "365d", bands: [{ name: "some", min: 1 }] },
  monetary: { window: "90d", bands: [{ name: "big", min: 1000 }] },
  segments: [
    { name: "Fresh", when: { recency: ["short"] } },
    { name: "Gone", when: { recency: ["long"] } },
  ],
};

function open(more: object = {}, options: { partition?: number; live?: boolean } = {}): Partition {
  const settings = settingsOf([model], {}, { partitions: 1, ...more }) satisfies Settings;
  return new Partition({ wasm: kernelModule("debug"), settings, partition: 0, seed: SEED, live: true, ...options });
}

let sequence = 0;
function message(value: unknown, stamp = EPOCH, more: Partial<InputMessage> = {}): InputMessage {
  const body = typeof value === "string" ? value : JSON.stringify(value);
  return {
    sequence: ++sequence,
    stamp,
    subject: "tidemark.orders.0.web",
    source: 0,
    control: false,
    silent: false,
    body: new TextEncoder().encode(body),
    ...more,
  };
}

function control(value: unknown, stamp = EPOCH): InputMessage {
  return message(value, stamp, { control: true, subject: "tidemark.orders.0._control" });
}

function order(id: string, customer: string, time = EPOCH, amount = 100, more: object = {}) {
  return { id, customer, time, amount, ...more };
}

function all(partition: Partition, ...messages: InputMessage[]): OutputRecord[] {
  return [...partition.records(messages)].flat();
}

function dead(records: readonly OutputRecord[]): DeadLetter[] {
  return records.filter((record) => record.type === "dead");
}

function moves(records: readonly OutputRecord[]): Migration[] {
  return records.filter((record) => record.type === "migration");
}

/** What was refused has its reason and its bytes, and the next order is applied. */
function refuses(
  partition: Partition,
  reason: string,
  refused: InputMessage,
  next = order("next", "next"),
): DeadLetter {
  const letters = dead(all(partition, refused));
  expect(letters.map((letter) => letter.reason)).toEqual([reason]);
  const [letter] = letters as [DeadLetter];
  assert.equal(letter.sequence, refused.sequence);
  assert.equal(letter.subject, refused.subject);
  assert.equal(moves(all(partition, message(next))).length, 1, "the stream goes on");
  return letter;
}

describe("reasons that need the partition", () => {
  test("foreignPartition: the customer's hash names another partition", () => {
    const partition = open({ partitions: 4 });
    const foreign = Array.from({ length: 50 }, (_, n) => `c${n}`).find(
      (id) => partitionOfCustomer(id, 4) !== 0,
    ) as string;
    const own = Array.from({ length: 50 }, (_, n) => `żółw ${n}@x`).find(
      (id) => partitionOfCustomer(id, 4) === 0,
    ) as string;
    const letter = refuses(partition, "foreignPartition", message(order("a", foreign)), order("b", own));
    assert.equal(letter.customer, foreign);
    assert.equal(new TextDecoder().decode(letter.bytes), JSON.stringify(order("a", foreign)));
  });

  test("an adopted stream takes every customer", () => {
    const settings = settingsOf([model], {}, { partitions: 4 });
    const partition = new Partition({ wasm: kernelModule("debug"), settings, partition: 0, seed: SEED, adopted: true });
    const records = Array.from({ length: 20 }, (_, n) => all(partition, message(order("a", `c${n}`)))).flat();
    assert.deepEqual(dead(records), []);
  });

  test("overflow: a sum ever past 2^53", () => {
    const partition = open({ ordersPerCustomerMax: 2_000 });
    const most = 10 ** 13;
    // 900 orders of 10^13 are 9·10^15; the 901st would pass 2^53 = 9.007…·10^15.
    const many = Array.from({ length: 900 }, (_, n) => order(`o${n}`, "rich", EPOCH, most));
    assert.deepEqual(dead(all(partition, message(many))), []);
    const letter = refuses(partition, "overflow", message(order("last", "rich", EPOCH, most)));
    assert.equal(letter.customer, "rich");
    assert.equal(partition.state().find(({ customer }) => customer === "rich")?.spendEver, 900 * most);
  });

  test("overLimit: more orders of a customer than ordersPerCustomerMax, until the oldest leaves", () => {
    const partition = open({ ordersPerCustomerMax: 2 });
    all(partition, message([order("a", "c"), order("b", "c", EPOCH + DAY)], EPOCH + DAY));
    refuses(partition, "overLimit", message(order("x", "c", EPOCH + DAY), EPOCH + DAY));
    assert.deepEqual(dead(all(partition, message(order("x", "c", EPOCH + 400 * DAY), EPOCH + 400 * DAY))), []);
  });

  test("overLimit: a 256th channel", () => {
    const partition = open();
    const channels = Array.from({ length: 255 }, (_, n) => order(`o${n}`, "c", EPOCH, 1, { channel: `channel-${n}` }));
    const known = dead(all(partition, message(channels)));
    // The source's own channel has a number, too.
    expect(known.map(({ reason, index }) => [reason, index])).toEqual([["overLimit", 254]]);
  });

  test("overLimit: a message larger than messageBytesMax, kept to 64 KiB", () => {
    const partition = open({ messageBytesMax: 100_000 });
    const letter = refuses(partition, "overLimit", message(`"${"x".repeat(200_000)}"`));
    assert.equal(letter.length, 200_002);
    assert.equal(letter.bytes.length, 65_536);
    assert.equal(letter.customer, null);
  });

  test("parkedFull and unmatched keep the item's bytes, 30 days on", () => {
    const partition = open({ parkedMax: 1 });
    const first = {
      id: "r",
      customer: "c",
      time: EPOCH,
      amount: 5,
      kind: "refund",
      order: "never",
      note: "é".repeat(500),
    };
    assert.deepEqual(all(partition, message(first)), []);
    refuses(partition, "parkedFull", message({ ...first, id: "s" }));
    const [letter] = dead(all(partition, control({ type: "tick" }, EPOCH + 30 * DAY)));
    assert.equal(letter?.reason, "unmatched");
    assert.equal(letter?.clock, EPOCH + 30 * DAY);
    assert.equal(letter?.customer, "c");
    assert.equal(letter?.subject, "tidemark.orders.0.web");
    assert.equal(new TextDecoder().decode(letter?.bytes), JSON.stringify(first));
  });

  test("conflict: a reversal in another currency than its order's, also one that waited", () => {
    const partition = open();
    all(partition, message(order("a", "c", EPOCH, 100, { currency: "EUR" })));
    const refund = { id: "r", customer: "c", time: EPOCH, amount: 5, kind: "refund", order: "a", currency: "USD" };
    const letters = dead(all(partition, message(refund)));
    // No model takes USD at all.
    expect(letters.map(({ reason }) => reason)).toEqual(["noModel"]);
    const two = new Partition({
      wasm: kernelModule("debug"),
      settings: settingsOf([model, { ...model, name: "usd", currency: "USD" }], {}, { partitions: 1 }),
      partition: 0,
      seed: SEED,
      live: true,
    });
    all(two, message(order("a", "c", EPOCH, 100, { currency: "EUR" })));
    refuses(two, "conflict", message(refund), order("n", "n", EPOCH, 100, { currency: "EUR" }));
    all(two, message({ ...refund, id: "s", order: "later" }));
    const met = all(two, message(order("later", "c", EPOCH, 50, { currency: "EUR" })));
    expect(dead(met).map(({ reason, customer }) => [reason, customer])).toEqual([["conflict", "c"]]);
    assert.equal(two.stats().parked, 0);
  });

  test("unsupported, undecodable, missingField, wrongType: control messages", () => {
    const partition = open();
    for (const type of ["thresholds", "merge", "erase", "rate", "nonsense"])
      refuses(partition, "unsupported", control({ type }), order(`n${type}`, type));
    refuses(partition, "undecodable", control("{"), order("n1", "n1"));
    refuses(partition, "missingField", control({}), order("n2", "n2"));
    refuses(partition, "wrongType", control([1]), order("n3", "n3"));
    refuses(partition, "wrongType", control({ type: "model", settings: { forged: true } }), order("n4", "n4"));
  });
});

describe("silence", () => {
  test("before live all is silent, also what fell due long before it; behind it only what is marked", () => {
    const partition = open({}, { live: false });
    const before = moves(all(partition, message(order("a", "c"))));
    expect(before.map(({ silent }) => silent)).toEqual([true]);
    // The history ends here; the engine starts for the first time 40 days later.
    const atLive = moves(all(partition, control({ type: "live" }, EPOCH + 40 * DAY)));
    expect(atLive.map(({ silent, cause, time }) => [silent, cause.kind, time])).toEqual([
      [true, "recency", EPOCH + 30 * DAY],
    ]);
    assert.equal(partition.live, true);
    const at = EPOCH + 41 * DAY;
    const loud = moves(all(partition, message(order("b", "c", at), at)));
    expect(loud.map(({ silent }) => silent)).toEqual([false]);
    const backfill = all(partition, message(order("d", "e", at), at + 30 * DAY, { silent: true }));
    // A silent message marks what it causes, and not what time alone brings another customer.
    expect(moves(backfill).map(({ customer, silent }) => [customer, silent])).toEqual([
      ["e", true],
      ["c", false],
    ]);
  });
});

describe("bounded firing", () => {
  const customers = 2_000;
  const wave = () => {
    const partition = open({ capacity: { customers: 3_000, entries: 10_000, idBytes: 100_000 } });
    // Out of the order of their ids, and two instants.
    const orders = Array.from({ length: customers }, (_, n) => order("a", `c${(n * 7) % customers}`, EPOCH + (n % 2)));
    all(partition, message(orders, EPOCH + 1));
    return partition;
  };

  test("an event fires its own customer and 8 more, by instant and customer number", () => {
    const partition = wave();
    const fired = moves(all(partition, message(order("b", "c7", EPOCH + 31 * DAY), EPOCH + 31 * DAY)));
    // c7 is customer 2: its own lapse comes first, then its order, then the first eight of the rest.
    expect(fired.map(({ customer, cause }) => `${customer} ${cause.kind}`)).toEqual([
      "c7 recency",
      "c7 order",
      ...[0, 2, 4, 6, 8, 10, 12, 14].map((n) => `c${(n * 7) % customers} recency`),
    ]);
    assert.equal(partition.overdue, EPOCH + 30 * DAY);
  });

  test("a tick fires as many as it says, up to 1,024", () => {
    const partition = wave();
    const tick = (fires: unknown) => all(partition, control({ type: "tick", fires }, EPOCH + 31 * DAY));
    expect([1, 64, null].map((fires) => moves(tick(fires)).length)).toEqual([1, 64, 1_024]);
    const reasons = [0, 1.5, "all", 1_025].map((fires) => dead(tick(fires))[0]?.reason);
    expect(reasons).toEqual(["wrongType", "wrongType", "wrongType", "overLimit"]);
  });

  test("a tick fires 1,024, and each migration has its own instant", () => {
    const partition = wave();
    const first = moves(all(partition, control({ type: "tick" }, EPOCH + 31 * DAY)));
    assert.equal(first.length, 1_024);
    const second = moves(all(partition, control({ type: "tick" }, EPOCH + 31 * DAY)));
    assert.equal(second.length, customers - 1_024);
    const instants = [...first, ...second].map(({ time }) => time);
    assert.deepEqual(instants, [
      ...Array<number>(customers / 2).fill(EPOCH + 30 * DAY),
      ...Array<number>(customers / 2).fill(EPOCH + 30 * DAY + 1),
    ]);
    assert.equal(partition.overdue, null);
  });

  test("a message that yields more than the output holds comes in several batches, and nothing is lost", () => {
    const partition = open({ capacity: { customers: 30_000, entries: 60_000, idBytes: 1_000_000 } });
    const orders = Array.from({ length: 20_000 }, (_, n) => order("a", `customer-${n}`));
    const batches = [...partition.records([message(orders)])];
    assert(batches.length > 3, `${batches.length} batches`);
    assert.deepEqual(
      batches.flat().map(({ number }) => number),
      orders.map((_, n) => n + 1),
    );
  });
});

describe("a partition that is full", () => {
  for (const [what, capacity] of [
    ["customers", { customers: 2, entries: 1_000, idBytes: 10_000 }],
    ["entries", { customers: 100, entries: 4, idBytes: 10_000 }],
    ["idBytes", { customers: 100, entries: 1_000, idBytes: 258 }],
  ] as const) {
    test(`of ${what} stops with PARTITION_FULL, and keeps what it has`, () => {
      const partition = open({ capacity });
      const found: OutputRecord[] = [];
      let error: unknown;
      try {
        for (let n = 0; n < 100; n++)
          found.push(...all(partition, message(order("a", `customer-${String(n).padStart(9, "0")}`))));
      } catch (thrown) {
        error = thrown;
      }
      assert(error instanceof FatalError && error.code === "PARTITION_FULL", String(error));
      assert.match(error.message, new RegExp(`of ${capacity.customers} customers`));
      assert.equal(partition.state().length, moves(found).length);
      assert(moves(found).length >= 1);
    });
  }

  test("capacities past 4 GiB are refused at start, with the remedy", () => {
    const capacity = { customers: 30_000_000, entries: 80_000_000, idBytes: 1_000_000_000 };
    try {
      open({ capacity });
      assert.fail("it started");
    } catch (error) {
      assert(error instanceof FatalError, String(error));
      assert.match(error.message, /PARTITION_FULL: the capacities of a partition need \d+\.\d GiB, and it can have 4/);
      assert.match(error.remedy, /more partitions/);
    }
  });
});

test("each record has the next ledger number, and each migration that of its customer's last one", () => {
  const partition = open();
  const records = all(
    partition,
    message(order("a", "c1")),
    message(order("a", "c2")),
    message({ id: "bad" }),
    control({ type: "tick" }, EPOCH + 30 * DAY),
  );
  expect(records.map((record) => [record.number, record.type === "migration" ? record.previous : "dead"])).toEqual([
    [1, 0],
    [2, 0],
    [3, "dead"],
    [4, 1],
    [5, 2],
  ]);
  assert.equal(partition.recordNumber, 5);
});
