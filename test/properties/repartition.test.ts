/** Savepoints of all partitions of a layout make the partitions of another: customers go on as if nothing had been. */
import fc from "fast-check";
import { assert, test } from "vitest";
import type { Chunks } from "../../runtime/checkpoint.js";
import { Partition } from "../../runtime/partition.js";
import { type Migration, OUTCOMES, type OutputRecord } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import { compareRows, type StateRow } from "../../runtime/state.js";
import { partitionOf } from "../../runtime/subjects.js";
import type { Input, ModelWords } from "../oracle/words.js";
import { drain, kernelModule, messageOf, SEED, settingsOf } from "../support/kernel-driver.js";
import { anyStream, baseSettings, DAY, EPOCH, modelSets, patience, runs, type Stream } from "./streams.js";

/** One stream a partition: each takes the events of its own customers, and all take the ticks. */
class Layout {
  readonly #partitions: Partition[];
  readonly #sequences: number[];

  constructor(partitions: Partition[]) {
    this.#partitions = partitions;
    this.#sequences = partitions.map(() => 0);
  }

  apply(inputs: readonly Input[]): OutputRecord[] {
    const found: OutputRecord[] = [];
    for (const input of inputs)
      for (const [number, partition] of this.#partitions.entries()) {
        const own = ownPart(input, number, this.#partitions.length);
        if (own === undefined) continue;
        const sequence = (this.#sequences[number] as number) + 1;
        this.#sequences[number] = sequence;
        for (const records of partition.records([messageOf(own, sequence, partition.settings)])) found.push(...records);
      }
    return found;
  }

  /** Each at its own clock, or at `instant`. */
  drain(instant?: number): OutputRecord[] {
    return this.#partitions.flatMap((partition, number) => {
      const found = drain(partition, instant ?? partition.clock);
      this.#sequences[number] = partition.position.sequence;
      return found;
    });
  }

  get clock(): number {
    return Math.max(...this.#partitions.map(({ clock }) => clock));
  }

  state(): StateRow[] {
    return this.#partitions.flatMap((partition) => partition.state()).sort(compareRows);
  }

  savepoints(): (() => Chunks)[] {
    return this.#partitions.map((partition) => {
      const chunks = takeAll(partition);
      return () => chunks;
    });
  }
}

function takeAll(partition: Partition): Uint8Array[] {
  partition.beginCheckpoint();
  return takeRest(partition);
}

function takeRest(partition: Partition): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let chunk = partition.nextCheckpointChunk(); chunk !== undefined; chunk = partition.nextCheckpointChunk())
    chunks.push(chunk);
  return chunks;
}

/** Without events of others; undefined where nothing is left. */
function ownPart(input: Input, number: number, count: number): Input | undefined {
  const isOwn = (event: unknown) => {
    const customer = (event as { customer?: unknown } | null)?.customer;
    return partitionOf(String(customer ?? ""), count) === number;
  };
  if ("event" in input) return isOwn(input.event) ? input : undefined;
  if (!("message" in input)) return "raw" in input && number !== 0 ? undefined : input;
  const message = input.message.filter(isOwn);
  return message.length === 0 ? undefined : { ...input, message };
}

function settingsFor({ models, settings }: Stream, partitions: number): Settings {
  return settingsOf(models, settings, { partitions });
}

function layoutOf(stream: Stream, count: number): Layout {
  const wasm = kernelModule("debug");
  const settings = settingsFor(stream, count);
  const one = (_: unknown, partition: number) => new Partition({ wasm, settings, partition, seed: SEED, live: true });
  return new Layout(Array.from({ length: count }, one));
}

async function relaid(stream: Stream, savepoints: (() => Chunks)[], count: number): Promise<Partition[]> {
  const wasm = kernelModule("debug");
  const settings = settingsFor(stream, count);
  const numbers = Array.from({ length: count }, (_, number) => number);
  return Promise.all(numbers.map((partition) => Partition.repartition({ wasm, settings, partition }, savepoints)));
}

/** What a customer's migrations tell, without what depends on the layout: numbers of the ledger, position and clock. */
function byCustomer(records: readonly OutputRecord[]): Map<string, unknown[]> {
  const lists = new Map<string, unknown[]>();
  for (const record of records) {
    if (record.type === "dead") continue;
    const { number: _, previous: __, sequence: ___, clock: ____, model, ...told } = record as Migration;
    const key = `${model}/${record.customer}`;
    lists.set(key, [...(lists.get(key) ?? []), told]);
  }
  return new Map([...lists].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Dead letters, in no order, without what depends on the layout. */
function deadOf(records: readonly OutputRecord[]): string[] {
  const dead = records.filter((record) => record.type === "dead");
  return dead
    .map(({ reason, customer, bytes }) => JSON.stringify([reason, customer, Buffer.from(bytes).toString()]))
    .sort();
}

/** As a shop's would be: stamps that never go back, more customers and channels, and what can't be read left out. */
const steady = anyStream.map((stream): Stream => {
  let stamp = 0;
  const input = stream.input.flatMap((one): Input[] => {
    if ("raw" in one) return [];
    stamp = Math.max(stamp, "tick" in one ? one.tick : (one.at ?? 0));
    if ("tick" in one) return [{ tick: stamp }];
    if ("event" in one) return [{ ...one, at: stamp, event: spread(one.event) }];
    return "message" in one ? [{ ...one, at: stamp, message: one.message.map(spread) }] : [];
  });
  return { ...stream, input };
});

/** Events of one customer become those of several, on several channels; the same event stays the same. */
function spread(event: unknown): unknown {
  const fields = event as { customer?: unknown; channel?: unknown; id?: unknown; order?: unknown };
  if (fields.customer !== "c1") return event;
  const order = String(fields.order ?? fields.id);
  const place = order.charCodeAt(0) % 5;
  return { ...fields, customer: `d${place}`, channel: ["app", "phone", fields.channel, "fair", "mail"][place] };
}

test("the same migrations a customer, from any layout to any other and on to a third", patience, async () => {
  const counts = fc.tuple(
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 1, max: 3 }),
  );
  await fc.assert(
    fc.asyncProperty(steady, fc.nat(40), fc.nat(40), counts, async (stream, one, other, [first, second, third]) => {
      const { input } = stream;
      const [from, to] = [one, other].map((cut) => cut % (input.length + 1)).sort((a, b) => a - b) as [number, number];
      const end = Math.max(0, ...stream.instants);

      const whole = layoutOf(stream, 1);
      const expected = [...whole.apply(input)];
      const last = Math.max(end, whole.clock);
      expected.push(...whole.drain(last));

      let layout = layoutOf(stream, first);
      const found = layout.apply(input.slice(0, from));
      found.push(...layout.drain());
      layout = new Layout(await relaid(stream, layout.savepoints(), second));
      found.push(...layout.apply(input.slice(from, to)), ...layout.drain());
      layout = new Layout(await relaid(stream, layout.savepoints(), third));
      found.push(...layout.apply(input.slice(to)), ...layout.drain(last));

      assert.deepEqual([...byCustomer(found)], [...byCustomer(expected)]);
      assert.deepEqual(deadOf(found), deadOf(expected));
      assert.deepEqual(layout.state(), whole.state());
    }),
    { numRuns: runs(100) },
  );
});

test("customers are numbered by what the savepoints hold, not by the order in which it was written", async () => {
  const stream = { models: modelSets[0] ?? [], settings: baseSettings, instants: [], input: [] };
  const wave = (day: number, from: number, to: number): Input => ({
    at: EPOCH + day * DAY,
    message: Array.from({ length: to - from }, (_, n) => ({
      id: `o${day}`,
      customer: `c${from + n}`,
      time: EPOCH + day * DAY,
      amount: 500,
    })),
  });
  const of = (touched: boolean) => {
    const settings = settingsFor(stream, 1);
    const partition = new Partition({ wasm: kernelModule("debug"), settings, partition: 0, seed: SEED, live: true });
    for (const _ of partition.apply([messageOf(wave(30, 0, 60), 1, settings)]));
    partition.beginCheckpoint();
    if (touched) for (const _ of partition.apply([messageOf(wave(31, 20, 50), 2, settings)]));
    return takeRest(partition);
  };
  const first = [of(false), of(true)];
  assert.notEqual(...(first.map((chunks) => Buffer.concat(chunks).toString("latin1")) as [string, string]));
  const second: string[] = [];
  for (const chunks of first) {
    const partitions = await relaid(stream, [() => chunks], 2);
    assert.isTrue(partitions.every((partition) => partition.state().length > 20));
    second.push(partitions.map((partition) => Buffer.concat(takeAll(partition)).toString("hex")).join());
  }
  assert.equal(second[0], second[1]);
});

test("channels that had other numbers in other partitions are the same channels", async () => {
  const fair = (modelSets[0] ?? []).map((model): ModelWords => ({ ...model, channels: ["fair"] }));
  const stream = { models: modelSets[0] ?? [], settings: baseSettings, instants: [], input: [] };
  const ofPartition = (number: number) =>
    Array.from({ length: 99 }, (_, n) => `c${n}`).find((id) => partitionOf(id, 2) === number);
  const order = (number: number, channel: string): Input => ({
    at: EPOCH + 30 * DAY,
    event: { id: "o", customer: ofPartition(number), channel, time: EPOCH + 30 * DAY, amount: 500 },
  });
  const orders = [order(0, "kiosk"), order(1, "fair")];
  const before = layoutOf(stream, 2);
  before.apply(orders);
  const [partition] = (await relaid(stream, before.savepoints(), 1)) as [Partition];
  const layout = new Layout([partition]);

  layout.apply(orders);
  assert.equal(partition.stats().events[0]?.[OUTCOMES.indexOf("duplicate")], 2);
  assert.deepEqual(
    partition.state().map(({ orders }) => orders),
    [1, 1],
  );

  const change = messageOf({ models: fair, at: EPOCH + 30 * DAY }, 3, settingsFor(stream, 1));
  for (const _ of partition.records([change]));
  const counted = partition.state().filter(({ orders }) => orders === 1);
  assert.deepEqual(
    counted.map(({ customer }) => customer),
    [ofPartition(1)],
  );
});
