/** What is explained of a customer is what the kernel holds, what it announces as time goes on, and what orders bring. */
import fc from "fast-check";
import { assert, test } from "vitest";
import { type Explanation, explain } from "../../runtime/explain.js";
import type { Partition } from "../../runtime/partition.js";
import type { Migration } from "../../runtime/record.js";
import type { Model, Settings } from "../../runtime/settings.js";
import { clocks, drain, messageOf, partitionOf, settingsOf } from "../support/kernel-driver.js";
import { anyStream, DAY, eventStream, patience, runs, type Stream } from "./streams.js";

/** A partition with all that the stream holds up to `instant`. */
function partitionAt({ models, settings: words, input }: Stream, instant: number): [Partition, Settings] {
  const settings = settingsOf(models, words);
  const partition = partitionOf("debug", settings);
  const after = clocks(input, settings);
  const later = after.findIndex((clock) => clock > instant);
  const messages = input.map((one, n) => messageOf(one, n + 1, settings));
  for (const _ of partition.records(later < 0 ? messages : messages.slice(0, later)));
  drain(partition, instant);
  return [partition, settings];
}

function explained(partition: Partition, settings: Settings, customer: string): Explanation {
  const history = partition.history(customer);
  assert(history !== undefined, customer);
  return explain(settings, history, 5);
}

function customersOf(partition: Partition): string[] {
  return [...new Set(partition.state().map(({ customer }) => customer))];
}

test("sums, bands and segment are the row's, at every instant", patience, () => {
  fc.assert(
    fc.property(fc.oneof(anyStream, eventStream), (stream) => {
      for (const instant of stream.instants) {
        const [partition, settings] = partitionAt(stream, instant);
        for (const row of partition.state()) {
          // What differs from the kernel's row throws here.
          const { at, exact, orderCount, orders, models } = explained(partition, settings, row.customer);
          assert.equal(at, partition.clock);
          assert(exact);
          assert.equal(orders.length, Math.min(5, orderCount));
          const model = models.find(({ model }) => model === row.model);
          assert(model !== undefined);
          const { past, rest } = model;
          const listed = (what: "count" | "worth") => model.orders.reduce((sum, order) => sum + order[what], 0);
          assert.equal(past.orders + rest.counting + listed("count"), row.ordersEver);
          assert.equal(past.spend + rest.worth + listed("worth"), row.spendEver);
          assert(past.orders >= 0);
          const value = (name: string) => model.dimensions.find((dimension) => dimension.name === name)?.value;
          assert.deepEqual(
            [value("recency"), value("frequency"), value("monetary")],
            [row.lastOrder, row.orders, row.spend],
          );
          if (rest.orders > 0) continue;
          model.dimensions.forEach((dimension, d) => {
            if (dimension.windowMs === null) return;
            const inWindow = model.orders.filter(({ leaves }) => (leaves[d] ?? 0) > at);
            const share = dimension.measure === "count" ? "count" : "worth";
            assert.equal(
              dimension.value,
              inWindow.reduce((sum, order) => sum + order[share], 0),
            );
          });
        }
      }
    }),
    { numRuns: runs(30) },
  );
});

test("what comes next is what is announced when time goes on", patience, () => {
  fc.assert(
    fc.property(anyStream, (stream) => {
      const [partition, settings] = partitionAt(stream, Math.max(...stream.instants) - 44 * DAY);
      const told = customersOf(partition).map((customer) => explained(partition, settings, customer));
      const happened = drain(partition, partition.clock + 500 * DAY).filter(
        (record): record is Migration => record.type === "migration",
      );
      for (const { customer, models } of told)
        models.forEach(({ next, nextMore }, m) => {
          const model = settings.models[m] as Model;
          const mine = happened.filter((record) => record.customer === customer && record.model === m);
          const words = mine.map(({ time, from, to }) => ({
            at: time,
            bands: model.dimensions.flatMap(({ name, bands }, d) => {
              const [before, after] = [from.bands[d], to.bands[d]].map(
                (band) => bands[(band ?? 0) - 1]?.name ?? "none",
              );
              return before === after ? [] : [{ dimension: name, from: before, to: after }];
            }),
            segment:
              from.segment === to.segment
                ? null
                : { from: model.segments[from.segment ?? -1] ?? null, to: model.segments[to.segment ?? -1] ?? null },
          }));
          if (nextMore) assert.deepEqual(words.slice(0, 12), next.slice(0, 12));
          else assert.deepEqual(words, [...next]);
        });
    }),
    { numRuns: runs(60) },
  );
});

test("what would bring the next band brings it, and less does not", patience, () => {
  fc.assert(
    fc.property(anyStream, fc.nat(), fc.boolean(), (stream, which, isLess) => {
      const [partition, settings] = partitionAt(stream, Math.max(...stream.instants) - 44 * DAY);
      const all = customersOf(partition).flatMap((customer) =>
        explained(partition, settings, customer).models.flatMap(({ reach }, m) =>
          reach.map((one) => ({ customer, m, ...one })),
        ),
      );
      const one = all[which % Math.max(1, all.length)];
      if (one === undefined) return;
      const model = settings.models[one.m] as Model;
      const few = isLess && one.dimension !== "recency" ? 1 : 0;
      const orders =
        one.orders === null ? [(one.amount ?? 0) - few] : Array.from({ length: one.orders - few }, () => 0);
      if (orders.some((amount) => amount < 0)) return;
      const channel = model.channels === "*" ? "web" : model.channels[0];
      const time = partition.clock;
      const message = orders.map((amount, n) => ({
        ...{ id: `new${n}`, customer: one.customer, time, amount, channel, currency: model.currency },
      }));
      const input = { at: time, message };
      for (const _ of partition.records([messageOf(input, partition.position.sequence + 1, settings)]));
      const after = explained(partition, settings, one.customer).models[one.m];
      const band = after?.dimensions.find(({ name }) => name === one.dimension)?.band;
      if (few === 1) assert.notEqual(band, one.to);
      else {
        assert.equal(band, one.to);
        assert.equal(after?.segment, one.segment);
      }
    }),
    { numRuns: runs(60) },
  );
});
