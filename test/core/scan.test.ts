/** A recount under other limits, against the plain one over `state()`. */
import fc from "fast-check";
import { assert, describe, test } from "vitest";
import type { Partition } from "../../runtime/partition.js";
import type { Dimension, Model } from "../../runtime/settings.js";
import type { StateRow } from "../../runtime/state.js";
import {
  anyStream,
  changingStream,
  DAY,
  EPOCH,
  eventStream,
  modelSets,
  patience,
  runs,
} from "../properties/streams.js";
import { type Build, drain, messageOf, partitionOf, settingsOf } from "../support/kernel-driver.js";

/** Limits of one dimension, by its measure; made ascending or descending by `candidateOf`. */
type Limits = Record<"recency" | "frequency" | "monetary" | "tenure", readonly number[]>;

/** The model under these limits, with a segment for each third cell. */
function candidateOf(model: Model, limits: Limits): Model {
  let cells = 1;
  const strides: number[] = [];
  const dimensions = model.dimensions.map((dimension): Dimension => {
    const isAge = dimension.measure === "newest" || dimension.measure === "oldest";
    const own = [...new Set(limits[dimension.name])].sort((a, b) => (isAge ? a - b : b - a));
    strides.push(cells);
    cells *= own.length + 1;
    return { ...dimension, bands: own.map((limit, n) => ({ name: `band ${n}`, limit, points: 0 })) };
  });
  const numbers = Array.from({ length: cells }, (_, cell) => cell % 3);
  return { ...model, dimensions, strides, cells: numbers, segments: ["a", "b", "c"] };
}

/** What `recount` says, by what the rows show. */
function plainly(rows: readonly StateRow[], candidate: Model, clock: number) {
  const cells = new Uint32Array(candidate.cells.length);
  let none = 0;
  for (const row of rows) {
    if (row.model !== candidate.name) continue;
    const { firstOrder, lastOrder } = row;
    if (firstOrder === null || lastOrder === null) {
      none++;
      continue;
    }
    const isEver = ({ windowMs }: Dimension) => !Number.isFinite(windowMs);
    const cell = candidate.dimensions.reduce((sum, dimension, d) => {
      const value = {
        newest: clock - lastOrder,
        oldest: clock - firstOrder,
        count: isEver(dimension) ? row.ordersEver : row.orders,
        sum: isEver(dimension) ? row.spendEver : row.spend,
      }[dimension.measure];
      const isAge = dimension.measure === "newest" || dimension.measure === "oldest";
      const band = dimension.bands.findIndex(({ limit }) => (isAge ? value < limit : value >= limit)) + 1;
      return sum + band * (candidate.strides[d] as number);
    }, 0);
    (cells[cell] as number)++;
  }
  const segments = [0, 0, 0];
  for (const [cell, count] of cells.entries()) (segments[cell % 3] as number) += count;
  const customers = none + cells.reduce((a, b) => a + b, 0);
  return { model: candidate.name, cells, segments, none, customers };
}

/** Recounts as the partition is, then once more when nothing is overdue, which is what the rows show. */
function check(partition: Partition, limits: Limits): void {
  const candidates = partition.settings.models.map((model) => candidateOf(model, limits));
  const before = partition.stats();
  const early = candidates.map((candidate) => partition.recount(candidate));
  assert.deepEqual(partition.stats(), before);
  drain(partition, partition.clock);
  const rows = partition.state();
  for (const [n, candidate] of candidates.entries()) {
    const expected = plainly(rows, candidate, partition.clock);
    assert.deepEqual(partition.recount(candidate), expected, "nothing overdue");
    assert.deepEqual(early[n], expected, "some overdue");
  }
}

const days = fc
  .constantFrom(0, 1, 3, 9, 12, 20, 36, 39, 40, 41, 100)
  .chain((count) => fc.constantFrom(-1, 0, 1).map((ms) => Math.max(1, count * DAY + ms)));
const ages = fc.tuple(fc.uniqueArray(days, { minLength: 1, maxLength: 9 }), fc.boolean());
const ageLimits = ages.map(([some, endless]) => (endless ? [...some, Number.POSITIVE_INFINITY] : some));
const sums = fc.constantFrom(-1000, -200, -1, 0, 1, 50, 51, 99, 100, 101, 149, 500, 599, 600, 1000, 1400, 5000);
const anyLimits: fc.Arbitrary<Limits> = fc.record({
  recency: ageLimits,
  frequency: fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 5 }),
  monetary: fc.uniqueArray(sums, { minLength: 1, maxLength: 10 }),
  tenure: ageLimits,
});

describe("a recount under other limits is that of the rows", () => {
  for (const [name, streams, build] of [
    ["any stream", anyStream, "debug"],
    ["any stream, release build", anyStream, "release"],
    ["clock event", eventStream, "debug"],
    ["models that change", changingStream, "debug"],
  ] as const)
    test(name, patience, () => {
      fc.assert(
        fc.property(streams, fc.array(anyLimits, { minLength: 1, maxLength: 3 }), (stream, all) => {
          const settings = settingsOf(stream.models, stream.settings);
          const partition = partitionOf(build, settings);
          const messages = stream.input.map((input, n) => messageOf(input, n + 1, settings));
          const share = Math.ceil(messages.length / all.length);
          for (const [n, limits] of all.entries()) {
            // What only a drain brings on fires before its time is up in the next part.
            for (const _ of partition.records(messages.slice(n * share, (n + 1) * share)));
            check(partition, limits);
          }
        }),
        { numRuns: runs(60) },
      );
    });
});

/** Customers that fill several passes, whose values lie all over the ranges; limits are their own values, and beside. */
function manyCustomers(build: Build, customers: number, endless: boolean): void {
  let state = 12_345;
  const random = () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state / 2 ** 32;
  };
  const [mini] = modelSets[0] as (typeof modelSets)[number];
  const windows = endless ? { frequency: "ever", monetary: "ever" } : { frequency: "36d", monetary: "9d" };
  const model = {
    ...(mini as object),
    frequency: { window: windows.frequency, bands: [{ name: "some", min: 1 }] },
    monetary: { window: windows.monetary, bands: [{ name: "some", min: 1 }] },
    segments: [],
  } as unknown as (typeof modelSets)[number][number];
  const more = { capacity: { customers: customers + 10, entries: customers * 12, idBytes: customers * 16 } };
  const settings = settingsOf([model], { horizon: "40d" }, more);
  const partition = partitionOf(build, settings);
  let sequence = 0;
  let id = 0;
  for (let day = 0; day < 60; day += 5) {
    const stamp = EPOCH + day * DAY;
    const message = Array.from({ length: customers / 4 }, () => {
      const amount = Math.floor(10 ** (random() * 12));
      const customer = Math.floor(random() ** 3 * customers);
      const time = stamp - Math.floor(random() * 45 * DAY);
      const kind = random() < 0.1 ? "refund" : "order";
      return { id: ++id, customer, time, amount, kind };
    });
    for (let from = 0; from < message.length; from += 500) {
      const input = { at: stamp, message: message.slice(from, from + 500) };
      for (const _ of partition.records([messageOf(input, ++sequence, settings)]));
    }
    if (day % 15 !== 10) continue;
    const rows = partition.state().filter(() => random() < 0.01);
    const beside = (values: readonly (number | null)[]) =>
      values.flatMap((value) => (value === null || value === 0 ? [] : [value + Math.floor(random() * 3) - 1]));
    const some = (values: readonly number[]) => values.slice(0, 1 + Math.floor(random() * 9));
    check(partition, {
      recency: some([...beside(rows.map(({ lastOrder }) => lastOrder && partition.clock - lastOrder)), DAY]),
      tenure: [],
      frequency: some([...beside(rows.map(({ ordersEver }) => ordersEver)), 30, 31, 32]),
      monetary: some([...beside(rows.map(({ spend, spendEver }) => (endless ? spendEver : spend))), 1]),
    });
  }
}

for (const build of ["debug", "release"] as const) {
  test(`thousands of customers, ${build} build`, patience, () => manyCustomers(build, 6000, false));
  test(`thousands of customers, windows without end, ${build} build`, patience, () => manyCustomers(build, 6000, true));
}

test("a candidate with other measures is refused", () => {
  const settings = settingsOf(modelSets[0] as (typeof modelSets)[number], {});
  const partition = partitionOf("debug", settings);
  const [model] = settings.models as [Model];
  const longer = model.dimensions.map((dimension) => ({ ...dimension, windowMs: dimension.windowMs + DAY }));
  assert.throws(() => partition.recount({ ...model, dimensions: longer }), RangeError);
  assert.throws(() => partition.recount({ ...model, name: "other" }), RangeError);
});
