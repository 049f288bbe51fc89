/** A partition restored from a checkpoint goes on as the one that never stopped: any stream, cut anywhere. */
import fc from "fast-check";
import { assert, describe, test } from "vitest";
import { Partition } from "../../runtime/partition.js";
import { type InputMessage, type LedgerRecord, REASONS } from "../../runtime/record.js";
import { type Build, drain, kernelModule, messageOf, SEED, settingsOf } from "../support/kernel-driver.js";
import { readable } from "../support/record.js";
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

const LARGER = { capacity: { customers: 250, entries: 3100, idBytes: 40_000 } };

interface Variant {
  readonly build: Build;
  /** That it is restored in. */
  readonly other: Build;
  /** Its input is an adopted stream: of several partitions this one has all customers, before and behind. */
  readonly adopted?: boolean;
}

async function goesOn(
  { build, other, adopted = false }: Variant,
  stream: Stream,
  where: number,
  pace: Pace,
): Promise<void> {
  const more = adopted ? { partitions: 4 } : {};
  const settings = settingsOf(stream.models, stream.settings, more);
  const messages = stream.input.map((input, n) => messageOf(input, n + 1, settings));
  const cut = where % (messages.length + 1);
  const live = stream.settings.history !== true;
  const place = { partition: 0, adopted };
  const whole = new Partition({ ...place, wasm: kernelModule(build), settings, seed: SEED, live });
  apply(whole, messages.slice(0, cut));
  const before = { position: whole.position, clock: whole.clock, overdue: whole.overdue, state: whole.state() };
  const head = whole.beginCheckpoint();
  const { ledger, chunks } = applyTaking(whole, messages.slice(cut), pace);
  assert.equal(whole.checkpointing, false);

  const larger = settingsOf(stream.models, stream.settings, { ...more, ...LARGER });
  const again = await Partition.restore({ ...place, wasm: kernelModule(other), settings: larger }, chunks);
  assert.deepEqual(
    { position: again.position, clock: again.clock, overdue: again.overdue, state: again.state() },
    before,
  );
  assert.equal(again.recordNumber, head.recordNumber);
  assert.equal(again.live, head.live);
  assert.equal(again.settings.version, head.settings.version);
  assert.deepEqual(readable(apply(again, messages.slice(cut))), readable(ledger));
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
  if (adopted) assert.equal(whole.stats().dead[REASONS.indexOf("foreignPartition")], 0);
}

describe("restored from a checkpoint = never stopped", () => {
  const all: [string, fc.Arbitrary<Stream>, Variant, number][] = [
    ["debug build", anyStream, { build: "debug", other: "debug" }, 120],
    ["release build, restored in a debug build", anyStream, { build: "release", other: "debug" }, 60],
    ["models that change, history and silence", changingStream, { build: "debug", other: "release" }, 120],
    ["clock event", eventStream, { build: "debug", other: "debug" }, 60],
    ["an adopted stream", anyStream, { build: "release", other: "release", adopted: true }, 60],
  ];
  for (const [name, streams, variant, part] of all) {
    test(name, patience, async () => {
      await fc.assert(
        fc.asyncProperty(streams, fc.nat(45), paces, (stream, cut, pace) => goesOn(variant, stream, cut, pace)),
        { numRuns: runs(part) },
      );
    });
  }
});
