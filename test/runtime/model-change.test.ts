/** A change of models in the middle of a stream: as if the new ones had always held, told with cause `model`. */
import fc from "fast-check";
import { assert, describe, test } from "vitest";
import { settingsToJson } from "../../runtime/config/index.js";
import type { InputMessage, Migration, OutputRecord } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import type { ModelWords } from "../oracle/words.js";
import { anyStream, baseSettings, DAY, EPOCH, modelSets, runs } from "../properties/streams.js";
import { drain, messageOf, partitionOf, rowsOf, settingsOf } from "../support/kernel-driver.js";

// The same name, channels and currency, so that the row is taken over; all else differs.
const [[mini], [tenured]] = modelSets as [[ModelWords], [ModelWords]];
const former: ModelWords = { ...mini, name: "m" };
const { channels: _channels, currency: _currency, fullRefund: _fullRefund, otherCurrency: _other, ...shape } = tenured;
const latter: ModelWords = { ...shape, name: "m", channels: former.channels, currency: former.currency };

function modelMessage(settings: Settings, stamp: number, sequence: number, silent = false): InputMessage {
  return {
    sequence,
    stamp,
    subject: "tidemark.orders.0._control",
    source: 0,
    control: true,
    silent: false,
    body: new TextEncoder().encode(`{"type":"model","settings":${settingsToJson(settings)},"silent":${silent}}`),
  };
}

function migrationsOf(records: Iterable<readonly OutputRecord[]>): Migration[] {
  return [...records].flat().filter((record) => record.type === "migration");
}

describe("a change of models", () => {
  for (const build of ["debug", "release"] as const) {
    test(`${build}: the state is that of the new models over the whole stream`, () => {
      fc.assert(
        fc.property(anyStream, fc.nat(40), ({ input }, place) => {
          const cut = Math.min(place, input.length);
          const [a, b] = [settingsOf([former], baseSettings), settingsOf([latter], baseSettings)];
          const messages = input.map((one, n) => messageOf(one, n + 1, b));
          const stamp = messages[cut - 1]?.stamp ?? EPOCH;
          const changed = partitionOf(build, a);
          for (const _ of changed.records(messages.slice(0, cut)));
          const told = migrationsOf(changed.records([modelMessage(b, stamp, cut + 1)]));
          assert.equal(changed.settings.version, b.version);
          const late = told.filter(({ cause }) => cause.kind === "model");
          assert(late.every(({ time }) => time === changed.clock));
          const whole = partitionOf(build, b);
          for (const _ of whole.records(messages.slice(0, cut)));
          drain(whole, stamp);
          assert.deepEqual(rowsOf(changed), rowsOf(whole), "right behind the change");
          for (const _ of changed.records(messages.slice(cut)));
          for (const _ of whole.records(messages.slice(cut)));
          const end = Math.max(EPOCH, ...messages.map((message) => message.stamp)) + 45 * DAY;
          drain(changed, end);
          drain(whole, end);
          assert.deepEqual(rowsOf(changed), rowsOf(whole), "at the end");
          const [counts] = changed.counts();
          assert.deepEqual(counts, whole.counts()[0]);
        }),
        { numRuns: runs(60) },
      );
    });
  }

  const order = (id: string, customer: string, time: number, amount: number) => ({
    at: time,
    event: { id, customer, time, amount },
  });

  test("tells what moved, chained to what was, and nothing of customers that stayed", () => {
    const a = settingsOf([former], baseSettings);
    // Only the thresholds of money differ.
    const words: ModelWords = {
      ...former,
      monetary: {
        ...former.monetary,
        bands: former.monetary.bands.map((band) => ({ ...band, min: (band.min ?? 0) * 2 })),
      },
    };
    const b = settingsOf([words], baseSettings);
    const partition = partitionOf("debug", a);
    const inputs = [order("a", "rich", EPOCH, 150), order("b", "poor", EPOCH, 250)];
    const first = migrationsOf(partition.records(inputs.map((one, n) => messageOf(one, n + 1, a))));
    const told = migrationsOf(partition.records([modelMessage(b, EPOCH + 1, 3)]));
    for (const migration of told) {
      const before = first.find(({ customer }) => customer === migration.customer);
      assert.deepEqual(migration.from, before?.to);
      assert.deepEqual(migration.before, before?.after);
      assert.equal(migration.revision, 2);
      assert.deepEqual(migration.cause, { kind: "model", event: null, order: null, channel: null, time: null });
      assert.equal(migration.time, EPOCH + 1);
      assert.notDeepEqual(migration.from.bands, migration.to.bands);
    }
    assert.deepEqual(
      told.map(({ customer }) => customer),
      ["rich"],
    );
    // The same settings again change nothing.
    assert.deepEqual(migrationsOf(partition.records([modelMessage(b, EPOCH + 2, 4)])), []);
  });

  test("bands that are only numbered anew are the same bands", () => {
    const a = settingsOf([former], baseSettings);
    const bands = former.monetary.bands;
    const top = { name: "huge", min: 1_000_000 };
    const b = settingsOf([{ ...former, monetary: { ...former.monetary, bands: [top, ...bands] } }], baseSettings);
    const partition = partitionOf("debug", a);
    for (const _ of partition.records([messageOf(order("a", "c", EPOCH, 150), 1, a)]));
    const [before] = rowsOf(partition);
    assert.deepEqual(migrationsOf(partition.records([modelMessage(b, EPOCH, 2)])), []);
    assert.equal(rowsOf(partition)[0]?.monetary, before?.monetary);
  });

  test("silent where it is asked for, and a new model begins at revision 1", () => {
    const a = settingsOf([former], baseSettings);
    const b = settingsOf([former, { ...latter, name: "second" }], baseSettings);
    const partition = partitionOf("debug", a);
    const live = { ...modelMessage(a, EPOCH, 1), body: new TextEncoder().encode('{"type":"live"}') };
    for (const _ of partition.records([live, messageOf(order("a", "c", EPOCH, 150), 2, a)]));
    const told = migrationsOf(partition.records([modelMessage(b, EPOCH, 3, true)]));
    assert.deepEqual(
      told.map(({ model, revision, silent, from }) => ({ model, revision, silent, segment: from.segment })),
      [{ model: 1, revision: 1, silent: true, segment: null }],
    );
  });

  test("parked reversals wait on, and meet their order under the new models", () => {
    const a = settingsOf([former], baseSettings);
    const b = settingsOf([latter], baseSettings);
    const partition = partitionOf("debug", a);
    const refund = {
      at: EPOCH,
      event: { id: "r", customer: "c", time: EPOCH, amount: 50, kind: "refund", order: "a" },
    };
    for (const _ of partition.records([messageOf(refund, 1, a), modelMessage(b, EPOCH + 1, 2)]));
    assert.equal(partition.stats().parked, 1);
    for (const _ of partition.records([messageOf(order("a", "c", EPOCH + DAY, 150), 3, a)]));
    assert.equal(rowsOf(partition)[0]?.spend, 100);
    assert.equal(partition.stats().parked, 0);
  });

  test("another clock is another layout: unsupported", () => {
    const a = settingsOf([former], baseSettings);
    const b = settingsOf([former], { ...baseSettings, clock: "event" });
    const partition = partitionOf("debug", a);
    const [record] = [...partition.records([modelMessage(b, EPOCH, 1)])].flat();
    assert.equal(record?.type === "dead" && record.reason, "unsupported");
    assert.equal(partition.settings.version, a.version);
  });
});
