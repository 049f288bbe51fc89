import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, readSync, rmSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { CheckpointStore } from "../../connectors/checkpoints.js";
import { CheckpointFolder } from "../../connectors/file/checkpointfolder.js";
import { sleep } from "../../connectors/nats/broker.js";
import { Checkpointer, emptyCheckpointCounts, WAITING_MAX } from "../../connectors/nats/checkpointer.js";
import { Partition } from "../../runtime/partition.js";
import type { InputMessage } from "../../runtime/record.js";
import { kernelModule } from "../support/kernel-driver.js";
import { never, settingsWith } from "../support/shop.js";

const CUSTOMERS = 160_000; // whose long ids are more than the kernel and the checkpointer let wait
const ORDERS = 500; // a message
const START = 1_750_000_000_000;
const settings = settingsWith({
  partitions: 1,
  capacity: { customers: 2 * CUSTOMERS, entries: 3 * CUSTOMERS, idBytes: 300 * CUSTOMERS },
});
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-checkpointer-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** An order of every customer, as messages from `from` on. */
function* round(number: number, from: number): Generator<InputMessage> {
  const text = new TextEncoder();
  for (let first = 0; first < CUSTOMERS; first += ORDERS) {
    const orders = Array.from({ length: ORDERS }, (_, i) => ({
      id: `${number}-${first + i}`,
      // Not in their turn: else the checkpoint would be ahead of them.
      customer: `${"c".repeat(240)}${CUSTOMERS - first - i}`,
      time: START,
      amount: 100,
    }));
    const sequence = from + first / ORDERS;
    const body = text.encode(JSON.stringify(orders));
    yield { sequence, stamp: START, subject: "t.orders.0.web", source: 0, control: false, silent: false, body };
  }
}

function checkpointerOf(partition: Partition, store: CheckpointStore, storeMsMax = 60_000) {
  const counts = emptyCheckpointCounts();
  const notes: string[] = [];
  const checkpointer = new Checkpointer({
    ...{ store, partition, counts, everyMs: 60_000, storeMsMax, messagesMax: 1_000_000, stored: 0 },
    betweenSlices: async (work) => work(),
    ledgerReached: async () => {},
    note: (text) => notes.push(text),
  });
  return { checkpointer, counts, notes };
}

/** A folder that takes `ms` for each piece. */
function slow(ms: number): CheckpointFolder {
  const store = new CheckpointFolder(folder);
  const create = store.create.bind(store);
  store.create = async (partition, key) => {
    const writer = await create(partition, key);
    const write = writer.write.bind(writer);
    writer.write = async (bytes) => {
      await sleep(ms);
      await write(bytes);
    };
    return writer;
  };
  return store;
}

/** Every customer changes while the checkpoint is written; returns the longest wait for the store, in ms. */
async function changeAll(partition: Partition, checkpointer: Checkpointer, msMax: number): Promise<number> {
  let longest = 0;
  for (const records of partition.apply([...round(2, 1 + CUSTOMERS / ORDERS)])) {
    if (records.length > 0) continue;
    const begun = performance.now();
    await checkpointer.drain(msMax);
    longest = Math.max(longest, performance.now() - begun);
  }
  return longest;
}

function filled(): Partition {
  const wasm = kernelModule("release");
  const partition = new Partition({ wasm, settings, partition: 0, seed: new Uint8Array(16) });
  for (const _ of partition.apply([...round(1, 1)]));
  return partition;
}

test("more changes than may wait: the orders wait for the store, and the checkpoint is the state where it began", async () => {
  const partition = filled();
  const { position } = partition;
  const { entries } = partition.stats();
  const store = slow(1);
  const { checkpointer, counts } = checkpointerOf(partition, store);
  const taken = checkpointer.take(never);
  await sleep(50);
  await changeAll(partition, checkpointer, 5_000);
  await taken;
  expect(counts.bytes).toBeGreaterThan(44 * 1_048_576);
  expect(counts).toMatchObject({ taken: 1, failures: 0, position: position.sequence });
  const [stored] = await store.list(0);
  if (stored === undefined) throw new Error("there is none");
  const wasm = kernelModule("release");
  const restored = await Partition.restore({ wasm, settings, partition: 0 }, store.read(0, stored));
  expect(restored.position).toEqual(position);
  expect(restored.stats()).toMatchObject({ entries, customers: CUSTOMERS });
});

test("a store that takes nothing: the checkpoint is given up, is told, and no order waits longer than it may", async () => {
  const partition = filled();
  const { checkpointer, counts, notes } = checkpointerOf(partition, slow(3_000));
  const taken = checkpointer.take(never);
  await sleep(50);
  const longest = await changeAll(partition, checkpointer, 10);
  await taken;
  expect(counts).toMatchObject({ taken: 0, failures: 1 });
  expect(notes.join()).toContain("CHECKPOINT_OVERRUN");
  expect(partition.position.sequence).toBe((2 * CUSTOMERS) / ORDERS);
  // A wait, and the pieces taken at a time; far from the store's three seconds.
  expect(longest).toBeLessThan(1_000);
});

function small(): Partition {
  const wasm = kernelModule("release");
  const capacity = { customers: 100, entries: 100, idBytes: 1_000 };
  const partition = new Partition({
    wasm,
    settings: settingsWith({ partitions: 1, capacity }),
    partition: 0,
    seed: new Uint8Array(16),
  });
  order(partition, 1);
  return partition;
}

function order(partition: Partition, sequence: number): void {
  const text = JSON.stringify({ id: `o${sequence}`, customer: `c${sequence}`, time: START, amount: 100 });
  const message = { subject: "t.orders.0.web", source: 0, control: false, silent: false };
  for (const _ of partition.apply([{ ...message, sequence, stamp: START, body: new TextEncoder().encode(text) }]));
}

/** A disk that hangs: a pipe that is full. A call that writes into it does not come back before someone reads. */
class HangingFolder extends CheckpointFolder {
  readonly #pipe: string;
  readonly #fd: number;
  hangs = true;
  created = 0;

  constructor(path: string) {
    super(path);
    this.#pipe = join(path, "pipe");
    execFileSync("mkfifo", [this.#pipe]);
    this.#fd = openSync(this.#pipe, "r+");
    writeSync(this.#fd, new Uint8Array(65_536));
  }

  override async create(...args: Parameters<CheckpointFolder["create"]>) {
    this.created++;
    const writer = await super.create(...args);
    if (this.hangs) {
      const pipe = await open(this.#pipe, "r+");
      writer.write = (bytes) => pipe.appendFile(bytes).finally(() => pipe.close());
    }
    return writer;
  }

  /** Without it this process could not even exit. */
  letGo(): void {
    this.hangs = false;
    readSync(this.#fd, new Uint8Array(65_536));
    closeSync(this.#fd);
  }
}

test("a disk that hangs: the checkpoint is a failure in its time, none is begun before the call is back, orders go on", async () => {
  const partition = small();
  const store = new HangingFolder(folder);
  const { checkpointer, counts, notes } = checkpointerOf(partition, store, 200);
  try {
    const asked = checkpointer.request(async () => {});
    asked.catch(() => {});
    await checkpointer.take(never);
    await expect(asked).rejects.toThrow("no answer for 0.2 s");
    expect(counts).toMatchObject({ taken: 0, failures: 1 });
    order(partition, 2);
    await checkpointer.take(never);
    expect(counts).toMatchObject({ taken: 0, failures: 2, waiting: 0 });
    expect(store.created).toBe(1);
    expect(notes).toEqual([
      `partition 0: no checkpoint in folder ${folder}: no answer for 0.2 s; trying again in 60 s`,
      `partition 0: no checkpoint in folder ${folder}: the store has still not answered the last call; trying again in 60 s`,
    ]);
  } finally {
    store.letGo();
  }
  await expect.poll(() => checkpointer.take(never).then(() => counts.taken)).toBe(1);
  expect(counts.position).toBe(2);
  // What was begun in vain is gone.
  await expect.poll(() => readdirSync(join(folder, "0"))).toEqual([expect.stringMatching(/\.checkpoint$/)]);
});

test("a disk that hangs holds up nobody who stops", async () => {
  const partition = small();
  const store = new HangingFolder(folder);
  const { checkpointer, counts } = checkpointerOf(partition, store);
  try {
    const begun = performance.now();
    await checkpointer.takeLast(AbortSignal.timeout(100));
    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(counts).toMatchObject({ taken: 0, failures: 0 });
  } finally {
    store.letGo();
  }
});

test("who waits for a checkpoint asked for: so many, one more is refused and counted, all get its position", async () => {
  const partition = small();
  const { checkpointer, counts } = checkpointerOf(partition, new CheckpointFolder(folder));
  let rest = () => {};
  const atRest = new Promise<void>((resolve) => {
    rest = resolve;
  });
  const asked = Array.from({ length: WAITING_MAX }, () => checkpointer.request(() => atRest));
  await expect(checkpointer.request(() => atRest)).rejects.toThrow("16 wait for a checkpoint of partition 0");
  expect(counts).toMatchObject({ waiting: WAITING_MAX, refused: 1 });
  rest();
  await sleep(0);
  await checkpointer.take(never);
  expect(await Promise.all(asked)).toEqual(asked.map(() => 1));
  expect(await checkpointer.request(() => atRest)).toBe(1);
  expect(counts).toMatchObject({ waiting: 0, refused: 1, taken: 1 });
});
