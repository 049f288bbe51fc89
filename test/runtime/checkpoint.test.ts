/** Checkpoints that are damaged, of others, too large for where they go, or given up; and what is larger than a piece. */
import { assert, describe, test } from "vitest";
import { type CheckpointHead, readCheckpointHead, verifyCheckpoint } from "../../runtime/checkpoint.js";
import { FatalError, RetryableError } from "../../runtime/errors.js";
import { Partition } from "../../runtime/partition.js";
import type { InputMessage } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import { baseSettings, DAY, EPOCH, modelSets } from "../properties/streams.js";
import { type Build, drain, kernelModule, messageOf, partitionOf, SEED, settingsOf } from "../support/kernel-driver.js";
import { readable } from "../support/record.js";

const models = modelSets[3] ?? [];
const CUSTOMERS = 40;
const BIG = { capacity: { customers: 3000, entries: 200_000, idBytes: 100_000 }, ordersPerCustomerMax: 50_000 };
const settings = settingsOf(models, baseSettings, BIG);
const single = settingsOf(modelSets[0] ?? [], baseSettings, BIG);

/** A message of these events, stamped so many days behind the first. */
function message(sequence: number, days: number, events: readonly object[]): InputMessage {
  return messageOf({ at: EPOCH + days * DAY, message: [...events] }, sequence, settings);
}

/** One order of each of so many customers, at the same time. */
function wave(customers: number, day: number, more: object = {}): object[] {
  return Array.from({ length: customers }, (_, n) => ({
    id: `o${day}`,
    customer: `c${n}`,
    time: EPOCH + day * DAY,
    amount: 500,
    ...more,
  }));
}

function apply(partition: Partition, messages: readonly InputMessage[]) {
  return readable([...partition.apply(messages)].flat());
}

function take(partition: Partition): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let chunk = partition.nextCheckpointChunk(); chunk !== undefined; chunk = partition.nextCheckpointChunk())
    chunks.push(chunk);
  return chunks;
}

function small(): { partition: Partition; bytes: Buffer; head: CheckpointHead } {
  const partition = partitionOf("debug", settings);
  apply(partition, [
    message(1, 30, wave(CUSTOMERS, 30)),
    message(2, 31, [{ kind: "refund", ...wave(1, 31)[0], order: "x" }]),
  ]);
  const head = partition.beginCheckpoint();
  return { partition, bytes: Buffer.concat(take(partition)), head };
}

function restore(bytes: Uint8Array, to: Settings = settings, more: { partition?: number; build?: Build } = {}) {
  const { partition = 0, build = "debug" } = more;
  return Partition.restore({ wasm: kernelModule(build), settings: to, partition }, [bytes]);
}

async function errorOf(call: () => Promise<unknown>): Promise<FatalError> {
  try {
    await call();
  } catch (error) {
    assert.instanceOf(error, FatalError);
    return error as FatalError;
  }
  throw new Error("no error");
}

describe("a checkpoint that is damaged is refused", () => {
  const { bytes } = small();

  test("cut anywhere", async () => {
    for (let length = 0; length < bytes.length; length += length < 200 || length > bytes.length - 200 ? 1 : 37) {
      const error = await errorOf(() => verifyCheckpoint([bytes.subarray(0, length)]));
      assert.equal(error.code, "CHECKPOINT_CORRUPT", `cut to ${length}`);
    }
    await verifyCheckpoint([bytes]);
  });

  test("any one bit of it the other way round", async () => {
    for (let at = 0; at < bytes.length; at += at < 200 || at > bytes.length - 200 ? 1 : 13) {
      const flipped = Uint8Array.from(bytes);
      flipped[at] = (flipped[at] as number) ^ (1 << (at % 8));
      const error = await errorOf(() => verifyCheckpoint([flipped]));
      assert.equal(error.code, "CHECKPOINT_CORRUPT", `byte ${at}`);
    }
  });

  test("a part of it twice, out of its place, or more behind its end", async () => {
    const { partition } = small();
    partition.beginCheckpoint();
    const chunks: Uint8Array[] = [];
    for (let chunk = partition.nextCheckpointChunk(1); chunk !== undefined; chunk = partition.nextCheckpointChunk(1))
      if (chunk.length > 0) chunks.push(chunk);
    assert.isAbove(chunks.length, 10);
    const [a, b] = [chunks[4] as Uint8Array, chunks[5] as Uint8Array];
    const twice = [...chunks.slice(0, 5), a, ...chunks.slice(5)];
    const turned = [...chunks.slice(0, 4), b, a, ...chunks.slice(6)];
    const missing = [...chunks.slice(0, 4), ...chunks.slice(5)];
    for (const wrong of [twice, turned, missing, [...chunks, new Uint8Array(1)]])
      assert.equal((await errorOf(() => verifyCheckpoint(wrong))).code, "CHECKPOINT_CORRUPT");
    // Cut otherwise it is the same.
    const cut = Array.from(Buffer.concat(chunks), (byte) => Uint8Array.of(byte));
    assert.equal((await verifyCheckpoint(cut)).customers, CUSTOMERS);
  });

  test("what it says is told, and restoring says the same", async () => {
    const flipped = Uint8Array.from(bytes);
    flipped[bytes.length - 300] = (flipped[bytes.length - 300] as number) ^ 64;
    const error = await errorOf(() => restore(flipped));
    assert.match(
      error.message,
      /^CHECKPOINT_CORRUPT: the checkpoint is damaged: the checksum of piece 1 is [0-9a-f]{8}, expected [0-9a-f]{8}$/,
    );
  });
});

describe("a checkpoint that is not for this place is refused", () => {
  const { bytes } = small();

  test("of another format", async () => {
    const { CheckpointWriter } = await import("../../runtime/checkpoint.js");
    const head = await readCheckpointHead([bytes]);
    const other = new CheckpointWriter().head({ ...head, format: 2 });
    const error = await errorOf(() => restore(other));
    assert.equal(error.message, "CHECKPOINT_FORMAT: the checkpoint has format 2, and this version reads format 1");
    assert.match(error.remedy, /the version of Tidemark that wrote it/);
  });

  test("of another partition, layout or clock", async () => {
    const one = await errorOf(() => restore(bytes, settings, { partition: 1 }));
    assert.equal(one.message, "CHECKPOINT_FOREIGN: the checkpoint is of partition 0 of 1, expected partition 1 of 1");
    const two = await errorOf(() => restore(bytes, { ...settings, partitions: 2 }));
    assert.equal(two.message, "CHECKPOINT_FOREIGN: the checkpoint is of partition 0 of 1, expected partition 0 of 2");
    const three = await errorOf(() => restore(bytes, settingsOf(models, { ...baseSettings, clock: "event" })));
    assert.equal(three.code, "CHECKPOINT_FOREIGN");
  });

  test("larger than the capacities", async () => {
    for (const [region, capacity] of [
      ["customers", { customers: CUSTOMERS - 1, entries: 1000, idBytes: 10_000 }],
      ["entries", { customers: 1000, entries: CUSTOMERS - 1, idBytes: 10_000 }],
      ["ids", { customers: 1000, entries: 1000, idBytes: 100 }],
    ] as const) {
      const error = await errorOf(() => restore(bytes, settingsOf(models, baseSettings, { capacity })));
      assert.equal(error.code, "PARTITION_FULL", region);
      assert.match(error.message, /the checkpoint does not fit partition 0/);
    }
    const exact = settingsOf(models, baseSettings, { capacity: { customers: CUSTOMERS, entries: 1000, idBytes: 400 } });
    assert.equal((await restore(bytes, exact)).state().length, CUSTOMERS * models.length);
  });

  test("its configuration holds, not the one that it is restored under", async () => {
    const other = settingsOf(modelSets[0] ?? [], baseSettings, BIG);
    const partition = await restore(bytes, { ...other, workers: 3 });
    assert.equal(partition.settings.version, settings.version);
    assert.equal(partition.settings.workers, 3);
    assert.deepEqual(partition.settings.models, settings.models);
  });
});

test("the head says what it was made of", async () => {
  const { bytes, head, partition } = small();
  const { counters: _, ...read } = await readCheckpointHead([bytes.subarray(0, 10), bytes.subarray(10)]);
  const { counters: __, ...made } = head;
  assert.deepEqual(read, made);
  assert.deepEqual(read.position, { sequence: 2, stamp: EPOCH + 31 * DAY });
  assert.equal(read.seed, Buffer.from(SEED).toString("hex"));
  assert.equal(read.recordNumber, partition.recordNumber);
  assert.equal(read.customers, CUSTOMERS);
  assert.equal(read.parked, 1);
});

test("it begins between messages, and one at a time", () => {
  const { partition } = small();
  const open = partition.apply([message(3, 33, wave(CUSTOMERS, 33))]);
  open.next();
  assert.throws(() => partition.beginCheckpoint(), /between messages/);
  for (const _ of open);
  partition.beginCheckpoint();
  assert.throws(() => partition.beginCheckpoint(), /is under way/);
  partition.abandonCheckpoint();
  assert.equal(partition.checkpointing, false);
  assert.isUndefined(partition.nextCheckpointChunk());
});

/** Long ids, many orders a customer with reversals, and parked items of the largest size: more than a region holds. */
function heavy(): InputMessage[] {
  const messages: InputMessage[] = [];
  const pad = "x".repeat(60_000);
  for (let n = 0; n < 14; n++) {
    const events = Array.from({ length: 700 }, (_, k) => ({
      id: `o${n}/${k}`,
      customer: k % 7 === 0 ? "c0" : "c1",
      time: EPOCH + 30 * DAY - ((n * 700 + k) % 20) * DAY,
      amount: k % 1000,
      ...(k % 3 === 0 ? { version: k } : {}),
    }));
    const reversals = events
      .filter((_, k) => k % 5 === 0)
      .map((event, k) => ({ ...event, kind: k % 2 === 0 ? "refund" : "cancel", id: `r${n}/${k}`, order: event.id }));
    const early = [
      {
        id: `p${n}`,
        customer: n % 2 === 0 ? "c1" : "c2",
        kind: "refund",
        order: "later",
        time: EPOCH + 30 * DAY,
        amount: n,
        note: pad,
      },
    ];
    messages.push(message(messages.length + 1, 30, [...events, ...early]));
    messages.push(message(messages.length + 1, 30, reversals));
  }
  return messages;
}

describe.each(["debug", "release"] as const)("%s build", (build) => {
  test("customers larger than the region of a checkpoint come in several pieces", async () => {
    const messages = heavy();
    const after = [
      message(messages.length + 1, 31, [...wave(3, 31), { ...wave(1, 31)[0], id: "later", customer: "c1" }]),
    ];
    const whole = partitionOf(build, settings);
    apply(whole, messages);
    for (const takeFirst of [0, 1, 5, 2]) {
      whole.beginCheckpoint();
      const chunks: Uint8Array[] = [];
      for (let n = 0; n < takeFirst; n++) chunks.push(whole.nextCheckpointChunk(1) ?? new Uint8Array(0));
      // The last of the rounds goes on with orders: what they touch is written out first.
      const ledger = takeFirst === 2 ? apply(whole, after) : [];
      chunks.push(...take(whole));
      assert.isAbove(chunks.length, 2);
      const again = await Partition.restore({ wasm: kernelModule("debug"), settings, partition: 0 }, chunks);
      if (takeFirst !== 2) {
        assert.deepEqual(again.state(), whole.state());
        continue;
      }
      assert.deepEqual(apply(again, after), ledger);
      assert.deepEqual(drain(again, EPOCH + 90 * DAY), drain(whole, EPOCH + 90 * DAY));
      assert.deepEqual(again.state(), whole.state());
    }
  });

  test("an overdue wave goes on where it was", async () => {
    const whole = partitionOf(build, single);
    apply(whole, [message(1, 30, wave(2500, 30))]);
    // One event fires its own and eight more; a tick 1,024.
    apply(whole, [
      message(2, 60, [{ ...wave(1, 60)[0], customer: "new" }]),
      messageOf({ tick: EPOCH + 60 * DAY }, 3, single),
    ]);
    assert.equal(whole.overdue, EPOCH + 33 * DAY);
    whole.beginCheckpoint();
    const first = whole.nextCheckpointChunk(60_000) as Uint8Array;
    const second = whole.nextCheckpointChunk(60_000) as Uint8Array;
    const later = [4, 5, 6, 7].map((sequence) => messageOf({ tick: EPOCH + 60 * DAY }, sequence, single));
    const ledger = apply(whole, later);
    const again = await Partition.restore({ wasm: kernelModule("debug"), settings: single, partition: 0 }, [
      first,
      second,
      ...take(whole),
    ]);
    assert.equal(again.overdue, EPOCH + 33 * DAY);
    assert.deepEqual(apply(again, later), ledger);
    assert.deepEqual(drain(again, EPOCH + 95 * DAY), drain(whole, EPOCH + 95 * DAY));
    assert.deepEqual(again.state(), whole.state());
  });
});

test("where nobody takes its chunks it is given up, orders go on, and the next one is whole", async () => {
  const large = settingsOf(models, baseSettings, {
    capacity: { customers: 3000, entries: 1_200_000, idBytes: 100_000 },
  });
  const [partition, undisturbed] = [partitionOf("release", large), partitionOf("release", large)];
  // Of 660 customers one item of 60 kB each: more than may wait.
  const body = { id: "p", kind: "refund", order: "x", time: EPOCH + 30 * DAY, amount: 1, note: "x".repeat(60_000) };
  const customers = Array.from({ length: 660 }, (_, n) => ({ ...body, customer: `c${n}` }));
  const messages = Array.from({ length: 66 }, (_, n) => message(n + 1, 30, customers.slice(10 * n, 10 * n + 10)));
  for (const one of [partition, undisturbed]) apply(one, messages);

  const next = [message(67, 31, wave(700, 31))];
  partition.beginCheckpoint();
  const ledger = [...partition.apply(next)];
  assert.equal(ledger.filter((records) => records.length === 0).length, 1);
  assert.throws(() => partition.nextCheckpointChunk(), RetryableError);
  assert.equal(partition.checkpointing, false);
  assert.deepEqual(readable(ledger.flat()), apply(undisturbed, next));

  // Who takes them at the empty batch has it whole.
  const chunks: Uint8Array[] = [];
  const again = [message(68, 32, wave(700, 32))];
  partition.beginCheckpoint();
  for (const records of partition.apply(again)) {
    if (records.length === 0) chunks.push(...take(partition));
  }
  chunks.push(...take(partition));
  const restored = await Partition.restore({ wasm: kernelModule("release"), settings: large, partition: 0 }, chunks);
  assert.deepEqual(restored.state(), undisturbed.state());
  assert.deepEqual(apply(restored, again), apply(undisturbed, again));
});

function beginAgain(partition: Partition): Partition {
  partition.beginCheckpoint();
  return partition;
}

test("hundreds given up one after the other, whole ones between, and customers who come meanwhile", async () => {
  const partition = partitionOf("debug", settings);
  apply(partition, [message(1, 30, wave(CUSTOMERS, 30))]);
  let sequence = 1;
  for (let n = 1; n <= 520; n++) {
    if (n % 10 === 0) apply(partition, [message(++sequence, 31, [{ ...wave(1, 31)[0], customer: `late ${n}` }])]);
    partition.beginCheckpoint();
    // An epoch comes again behind 256.
    if (n <= 258 ? n % 256 < 3 || n === 100 : n === 514) {
      const again = await restore(Buffer.concat(take(partition)));
      assert.deepEqual(again.state(), partition.state());
      continue;
    }
    partition.nextCheckpointChunk();
    if (n % 3 !== 0) partition.nextCheckpointChunk(1);
    partition.abandonCheckpoint();
  }
  const again = await restore(Buffer.concat(take(beginAgain(partition))));
  assert.deepEqual(again.state(), partition.state());
});
