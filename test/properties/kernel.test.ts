/** The kernel against the oracle, and against itself cut, shuffled and built another way. */
import fc from "fast-check";
import { assert, describe, test } from "vitest";
import type { LedgerRecord } from "../../runtime/record.js";
import { oracle } from "../oracle/oracle.js";
import type { Input, MigrationWords } from "../oracle/words.js";
import { assertSame, byCustomer } from "../support/agreement.js";
import { migrationEvent } from "../support/cloudevent.js";
import { type Build, drain, kernelRun, messageOf, partitionOf, SEED, settingsOf } from "../support/kernel-driver.js";
import { readable } from "../support/record.js";
import { anyStream, changingStream, eventStream, patience, runs, type Stream, setOfEvents } from "./streams.js";

/** `to` of one is `from` of the next, revisions run from 1 without a gap, time never goes back. */
function assertChains(migrations: readonly MigrationWords[]): void {
  for (const [key, list] of byCustomer(migrations)) {
    list.forEach((migration, n) => {
      const previous = list[n - 1];
      assert.equal(migration.revision, n + 1, key);
      if (previous === undefined) {
        assert.equal(migration.from.segment, null, key);
        assert.equal(migration.from.since, null, key);
        return;
      }
      assert.deepEqual(migration.from, previous.to, key);
      assert(migration.time >= previous.time, key);
    });
  }
}

function hasChanges(input: readonly Input[]): boolean {
  return input.some((one) => "models" in one);
}

function compare(build: Build, batch: number, states: "fresh" | "ticked" = "ticked") {
  return ({ models, settings, input, instants }: Stream): void => {
    const found = kernelRun(models, settings, input, instants, { build, batch, states });
    assertSame(found, oracle(models, settings, input, instants));
    // A model that went and came back counts from 1 again; one with other dimensions tells other bands.
    if (!hasChanges(input)) assertChains(found.migrations);
  };
}

/** Every record of the stream, encoded, with `sizes[n]` messages in the n-th call (the last size repeats). */
function ledgerOf(build: Build, stream: Stream, sizes: readonly number[], seed: Uint8Array): LedgerRecord[] {
  const settings = settingsOf(stream.models, stream.settings);
  const messages = stream.input.map((input, n) => messageOf(input, n + 1, settings));
  const partition = partitionOf(build, settings, seed);
  const ledger: LedgerRecord[] = [];
  for (let at = 0, call = 0; at < messages.length; call++) {
    const size = sizes[Math.min(call, sizes.length - 1)] ?? 1;
    for (const records of partition.apply(messages.slice(at, at + size))) ledger.push(...records);
    at += size;
  }
  return ledger;
}

describe("the kernel says what the oracle says", () => {
  test("debug build, clock broker, a partition of its own for each instant", patience, () => {
    fc.assert(fc.property(anyStream, compare("debug", 1, "fresh")), { numRuns: runs(20) });
  });
  test("debug build, clock broker", patience, () => {
    fc.assert(fc.property(anyStream, compare("debug", 1)), { numRuns: runs(100) });
  });
  test("release build, clock broker, several messages a call", patience, () => {
    fc.assert(fc.property(anyStream, compare("release", 7)), { numRuns: runs(100) });
  });
  test("debug build, models that change, history and silence", patience, () => {
    fc.assert(fc.property(changingStream, compare("debug", 3)), { numRuns: runs(80) });
  });
  test("debug build, clock event", patience, () => {
    fc.assert(fc.property(eventStream, compare("debug", 1)), { numRuns: runs(60) });
  });
});

test("any order of arrival gives the same states", patience, () => {
  fc.assert(
    fc.property(setOfEvents, ({ models, settings, input, shuffled, instants }) => {
      const one = kernelRun(models, settings, input, instants, { build: "debug", states: "ticked" });
      const other = kernelRun(models, settings, shuffled, instants, { build: "debug", states: "ticked" });
      assert.deepEqual([...other.states], [...one.states]);
      assertSame(one, oracle(models, settings, input, instants));
    }),
    { numRuns: runs(60) },
  );
});

test("any cut into calls, and any seed of the hashes, gives the same ledger byte for byte", patience, () => {
  const seeds = fc.uint8Array({ minLength: 16, maxLength: 16 });
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(anyStream, sizes, seeds, (stream, cut, seed) => {
      const whole = ledgerOf("debug", stream, [stream.input.length], SEED);
      assert.deepEqual(readable(ledgerOf("debug", stream, cut, seed)), readable(whole));
      whole.forEach((record, n) => {
        assert.equal(record.number, n + 1);
      });
    }),
    { numRuns: runs(60) },
  );
});

test("any cut into messages gives the same migrations", patience, () => {
  fc.assert(
    fc.property(anyStream, fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 9 }), (stream, cut) => {
      // One stamp a message: what is put together had the same stamp before.
      const single: Input[] = [];
      for (const input of stream.input) {
        if ("message" in input) for (const event of input.message) single.push({ at: input.at ?? 0, event });
        else single.push(input);
      }
      const joined: Input[] = [];
      let open: { at: number; message: unknown[] } | undefined;
      single.forEach((input, n) => {
        const room = cut[n % cut.length] ?? 1;
        if (!("event" in input)) {
          open = undefined;
          joined.push(input);
        } else if (open !== undefined && open.at === input.at && open.message.length < room) {
          open.message.push(input.event);
        } else {
          open = { at: input.at ?? 0, message: [input.event] };
          joined.push(open);
        }
      });
      const bodies = (input: Input[]) =>
        readable(ledgerOf("debug", { ...stream, input }, [4], SEED)).map(({ body }) => body);
      assert.deepEqual(bodies(joined), bodies(single));
    }),
    { numRuns: runs(60) },
  );
});

test("the bytes of a migration are those of its plain form, through changes of models", patience, () => {
  fc.assert(
    fc.property(changingStream, ({ models, settings: words, input }) => {
      const settings = settingsOf(models, words);
      const [encoded, plain] = [partitionOf("debug", settings), partitionOf("debug", settings)];
      input.forEach((one, n) => {
        const message = messageOf(one, n + 1, settings);
        const before = plain.settings;
        const bodies = [...encoded.apply([message])].flat().map(({ body }) => Buffer.from(body).toString());
        const records = [...plain.records([message])].flat();
        const wanted = records.map((record) => {
          if (record.type === "dead") return Buffer.from(record.bytes).toString();
          // What falls due before the change still tells of the models before it.
          const told = record.cause.kind === "model" ? plain.settings : before;
          return JSON.stringify(migrationEvent(record, told, before));
        });
        assert.deepEqual(bodies, wanted);
      });
      assert.deepEqual(encoded.stats().migrations, plain.stats().migrations);
    }),
    { numRuns: runs(40) },
  );
});

test("debug and release builds leave the same memory", patience, () => {
  fc.assert(
    fc.property(anyStream, ({ models, settings: words, input }) => {
      const settings = settingsOf(models, words);
      const messages = input.map((one, n) => messageOf(one, n + 1, settings));
      const [debug, release] = (["debug", "release"] as const).map((build) => {
        const partition = partitionOf(build, settings);
        for (const _ of partition.records(messages));
        return partition.memory();
      });
      assert(debug !== undefined && release !== undefined);
      assert.equal(Buffer.compare(debug, release), 0, `first difference at ${firstDifference(debug, release)}`);
    }),
    { numRuns: runs(15) },
  );
});

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  return a.findIndex((byte, n) => byte !== b[n]);
}

test("counts() sums to the customers and to the rows of state()", patience, () => {
  fc.assert(
    fc.property(anyStream, ({ models, settings: words, input, instants }) => {
      const settings = settingsOf(models, words);
      const partition = partitionOf("debug", settings);
      for (const _ of partition.records(input.map((one, n) => messageOf(one, n + 1, settings))));
      drain(partition, Math.max(partition.clock, ...instants));
      const rows = partition.state();
      partition.counts().forEach((counts, m) => {
        const model = settings.models[m];
        const own = rows.filter((row) => row.model === model?.name);
        const sum = (numbers: Iterable<number>) => [...numbers].reduce((a, b) => a + b, 0);
        assert.equal(sum(counts.cells), counts.customers - counts.none);
        assert.equal(sum(counts.segments) + counts.none, counts.customers);
        assert.equal(counts.customers, own.length);
        model?.segments.forEach((name, s) => {
          assert.equal(counts.segments[s], own.filter((row) => row.segment === name).length, name);
        });
        assert.equal(counts.none, own.filter((row) => row.segment === null).length);
      });
    }),
    { numRuns: runs(60) },
  );
});

test("the state as time alone leaves it at an instant is the state once that has passed", patience, () => {
  let due = 0;
  fc.assert(
    fc.property(anyStream, ({ models, settings: words, input, instants }) => {
      const settings = settingsOf(models, words);
      const [early, later] = [partitionOf("debug", settings), partitionOf("debug", settings)];
      for (const partition of [early, later]) {
        for (const _ of partition.records(input.map((one, n) => messageOf(one, n + 1, settings))));
        drain(partition, partition.clock);
      }
      const before = early.state();
      for (const instant of instants.filter((one) => one >= early.clock).sort((a, b) => a - b)) {
        const foreseen = early.state(instant);
        drain(later, instant);
        assert.deepEqual(foreseen, later.state(), `at ${instant}, seen from ${early.clock}`);
        due += foreseen.filter((row, n) => row.segment !== before[n]?.segment).length;
      }
      assert.deepEqual(early.state(), before);
    }),
    { numRuns: runs(60) },
  );
  assert.isAbove(due, 0, "rows that change by then");
});
