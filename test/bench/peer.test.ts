/** The hand-written peer of the benches says what the engine says: else comparing their speed would mean nothing. */
import { encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { assert, describe, test } from "vitest";
import { Service } from "../../bench/peer/service.js";
import { compileSettings } from "../../runtime/config/index.js";
import { simulateShop } from "../../runtime/simulate.js";
import { ordersSubject } from "../../runtime/subjects.js";
import { oracle } from "../oracle/oracle.js";
import type { Input } from "../oracle/words.js";
import { anyStream, eventStream, patience, runs, type Stream } from "../properties/streams.js";
import { assertSame } from "../support/agreement.js";
import {
  assertCounts,
  assertDead,
  assertMigrations,
  assertState,
  instantsOf,
  loadCases,
  permutations,
  sharedFolder,
  warnSkipped,
} from "../support/cases.js";
import { partitionOf } from "../support/kernel-driver.js";
import { type Format, peerRun } from "../support/peer-driver.js";

/** Cases that a service of this kind leaves out. */
const LEFT_OUT = new Map([
  [
    "integer-ids-beyond-2-53",
    "JSON.parse and @msgpack/msgpack give such an integer as the nearest double; it is refused",
  ],
]);

const shared = sharedFolder();
if (shared === undefined) warnSkipped("the worked cases of shared/cases for the peer");
const cases = shared === undefined ? [] : loadCases(shared);

for (const format of ["json", "msgpack"] satisfies Format[]) {
  describe.skipIf(shared === undefined)(`worked cases: peer, ${format}`, () => {
    for (const one of cases) {
      test.skipIf(LEFT_OUT.has(one.name))(`${one.file} ${one.name}`, () => {
        const result = peerRun(one.models, one.settings, one.input, instantsOf(one), format);
        assertState(result, one);
        assertDead(result, one);
        assertMigrations(result, one);
        assertCounts(result, one);
        if (!one.anyOrder) return;
        for (const input of permutations(one.input)) {
          const shuffled = peerRun(one.models, one.settings, input, instantsOf(one), format);
          assertState(shuffled, one);
          assertDead(shuffled, one);
        }
      });
    }
  });
}

test.skipIf(shared === undefined)("what is left out are cases", () => {
  for (const name of LEFT_OUT.keys())
    assert(
      cases.some((one) => one.name === name),
      name,
    );
});

/** The stream without the field `status`, which only adopted sources have. */
function ownFields(stream: Stream): Stream {
  const { status: _status, ...settings } = stream.settings;
  const without = (event: unknown) => {
    const { status: _one, ...fields } = event as Record<string, unknown>;
    return fields;
  };
  const input = stream.input.map((one): Input => {
    if ("event" in one) return { ...one, event: without(one.event) };
    return "message" in one ? { ...one, message: one.message.map(without) } : one;
  });
  return { ...stream, settings, input };
}

describe("the peer says what the oracle says", () => {
  for (const [clock, streams] of [
    ["broker", anyStream],
    ["event", eventStream],
  ] as const) {
    test(`clock ${clock}`, patience, () => {
      fc.assert(
        fc.property(streams.map(ownFields), fc.constantFrom<Format>("json", "msgpack"), (stream, format) => {
          const { models, settings, input, instants } = stream;
          assertSame(peerRun(models, settings, input, instants, format), oracle(models, settings, input, instants));
        }),
        { numRuns: runs(40) },
      );
    });
  }
});

test("a simulated shop: the peer's migrations are the engine's, byte for byte and in its order", () => {
  const day = 86_400_000;
  const start = Date.UTC(2026, 0, 1);
  const all = [...simulateShop({ seed: 5, customers: 400, start, end: start + 300 * day })];
  const settings = compileSettings({
    partitions: 1,
    capacity: { customers: 1000, entries: 20_000 },
    models: [
      { use: "threebands", currency: "EUR" },
      { use: "points", currency: "EUR" },
    ],
  });
  const partition = partitionOf("release", settings);
  const service = new Service(settings, true);
  const text = ({ subject, body }: { subject: string; body: Uint8Array }) =>
    `${subject} ${new TextDecoder().decode(body)}`;
  let migrations = 0;
  for (let at = 0, sequence = 1; at < all.length; at += 7, sequence++) {
    const some = all.slice(at, at + 7);
    const stamp = some.at(-1)?.at ?? start;
    const body = encode(
      some.map(({ event }) => event),
      { ignoreUndefined: true },
    );
    const subject = ordersSubject(settings.name, 0, "web");
    const message = { sequence, stamp, subject, source: 0, control: false, silent: false, body };
    const expected = [...partition.apply([message])].flat().map(text);
    assert.deepEqual(service.handle(message).map(text), expected);
    migrations += expected.length;
  }
  assert(migrations > 1000, `${migrations} migrations`);
});
