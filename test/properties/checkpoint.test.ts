/** A partition restored from a checkpoint goes on as the one that never stopped: any stream, cut anywhere. */
import fc from "fast-check";
import { assert, describe, test } from "vitest";
import { Partition } from "../../runtime/partition.js";
import type { InputMessage, LedgerRecord } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import { type Build, drain, kernelModule, messageOf, partitionOf, settingsOf } from "../support/kernel-driver.js";
import { anyStream, changingStream, eventStream, patience, runs, type Stream } from "./streams.js";

const utf8 = new TextDecoder();

/** How a checkpoint is taken while messages are applied: before each batch, so many chunks of so many bytes. */
interface Pace {
  readonly bytes: number;
  /** Chunks taken at each batch; the last repeats. */
  readonly chunks: readonly number[];
}

const paces: fc.Arbitrary<Pace> = fc.record({
  bytes: fc.constantFrom(1, 1, 150, 100_000),
  chunks: fc.array(fc.constantFrom(0, 0, 1, 1, 2, 5), { minLength: 1, maxLength: 12 }),
});

/** The whole checkpoint of a partition at rest. */
function checkpointOf(partition: Partition): Uint8Array[] {
  partition.beginCheckpoint();
  return rest(partition);
}

function rest(partition: Partition): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let chunk = partition.nextCheckpointChunk(); chunk !== undefined; chunk = partition.nextCheckpointChunk())
    chunks.push(chunk);
  return chunks;
}

/** Applies the messages, taking chunks at its pace between any two batches. */
function applyTaking(partition: Partition, messages: readonly InputMessage[], { bytes, chunks: counts }: Pace) {
  const chunks: Uint8Array[] = [];
  const ledger: LedgerRecord[] = [];
  let turn = 0;
  const take = () => {
    const count = counts[Math.min(turn++, counts.length - 1)] ?? 0;
    for (let n = 0; n < count && partition.checkpointing; n++) {
      const chunk = partition.nextCheckpointChunk(bytes);
      if (chunk !== undefined) chunks.push(chunk);
    }
  };
  for (const message of messages) {
    take();
    for (const records of partition.apply([message])) {
      ledger.push(...records);
      take();
    }
  }
  chunks.push(...rest(partition));
  return { ledger, chunks };
}

function apply(partition: Partition, messages: readonly InputMessage[]): LedgerRecord[] {
  return [...partition.apply(messages)].flat();
}

function readable(ledger: readonly LedgerRecord[]): unknown[] {
  return ledger.map((record) => ({ ...record, head: utf8.decode(record.head), body: utf8.decode(record.body) }));
}

/** All that a partition knows, as its checkpoint holds it: pieces, and the head without what depends on its past. */
function knowledge(partition: Partition): unknown {
  const bytes = Buffer.concat(checkpointOf(partition));
  const end = 20 + bytes.readUInt32LE(12);
  const text = JSON.parse(utf8.decode(bytes.subarray(20, end)));
  const { spurious: _, chainSteps: __, ...counters } = text.counters;
  const { entries: ___, ...sizes } = text;
  return {
    head: { ...sizes, counters, settings: { ...text.settings, capacity: undefined, capacityMax: undefined } },
    // The trailer knows of the head.
    pieces: bytes.toString("latin1", end, bytes.lastIndexOf('{"pieces"') - 12),
  };
}

function restored(build: Build, settings: Settings, chunks: Iterable<Uint8Array>): Promise<Partition> {
  return Partition.restore({ wasm: kernelModule(build), settings, partition: 0 }, chunks);
}

const LARGER = { capacity: { customers: 250, entries: 3100, idBytes: 40_000 } };

async function goesOn(build: Build, other: Build, stream: Stream, where: number, pace: Pace): Promise<void> {
  const settings = settingsOf(stream.models, stream.settings);
  const messages = stream.input.map((input, n) => messageOf(input, n + 1, settings));
  const cut = where % (messages.length + 1);
  const live = stream.settings.history !== true;
  const whole = partitionOf(build, settings, undefined, live);
  apply(whole, messages.slice(0, cut));
  const before = { position: whole.position, clock: whole.clock, overdue: whole.overdue, state: whole.state() };
  const head = whole.beginCheckpoint();
  const { ledger, chunks } = applyTaking(whole, messages.slice(cut), pace);
  assert.equal(whole.checkpointing, false);

  const again = await restored(other, settingsOf(stream.models, stream.settings, LARGER), chunks);
  assert.deepEqual(
    { position: again.position, clock: again.clock, overdue: again.overdue, state: again.state() },
    before,
  );
  assert.equal(again.recordNumber, head.recordNumber);
  assert.equal(again.live, head.live);
  assert.equal(again.settings.version, head.settings.version);
  const more = apply(again, messages.slice(cut));
  assert.deepEqual(readable(more), readable(ledger));
  assert.deepEqual(again.state(), whole.state());
  assert.deepEqual(again.counts(), whole.counts());
  const told = ({ events, dead, migrations, messages, ticks, fired }: ReturnType<Partition["stats"]>) => ({
    ...{ events, dead, messages, ticks, fired },
    migrations: [...migrations].sort((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b))),
  });
  assert.deepEqual(told(again.stats()), told(whole.stats()));
  assert.deepEqual(knowledge(again), knowledge(whole));
  const end = Math.max(whole.clock, ...stream.instants);
  assert.deepEqual(drain(again, end), drain(whole, end));
  assert.deepEqual(again.state(), whole.state());
}

describe("restored from a checkpoint = never stopped", () => {
  const all: [string, fc.Arbitrary<Stream>, Build, Build, number][] = [
    ["debug build", anyStream, "debug", "debug", 120],
    ["release build, restored in a debug build", anyStream, "release", "debug", 60],
    ["models that change, history and silence", changingStream, "debug", "release", 120],
    ["clock event", eventStream, "debug", "debug", 60],
  ];
  for (const [name, streams, build, other, part] of all) {
    test(name, patience, async () => {
      await fc.assert(
        fc.asyncProperty(streams, fc.nat(45), paces, (stream, cut, pace) => goesOn(build, other, stream, cut, pace)),
        { numRuns: runs(part) },
      );
    });
  }
});
