import { expect, test } from "vitest";
import { fitting, grown, nearlyFull } from "../../connectors/nats/capacity.js";

const start = { customers: 100, entries: 1_000, idBytes: 4_000 };
const max = { customers: 300, entries: 4_000, idBytes: 4_000 };

test("what is full gets twice the room, up to its limit, and nothing else does", () => {
  const use = { customers: 100, entries: 10, idBytes: 900 };
  expect(grown(start, use, max)).toEqual({ ...start, customers: 200 });
  expect(grown({ ...start, customers: 200 }, { ...use, customers: 200 }, max)).toEqual({ ...start, customers: 300 });
  expect(grown({ ...start, customers: 300 }, { ...use, customers: 300 }, max)).toBeUndefined();
});

test("where nothing is full to sight, all grow: the last item may need more than is left", () => {
  const use = { customers: 1, entries: 1, idBytes: 2_000 };
  expect(grown(start, use, max)).toEqual({ customers: 200, entries: 2_000, idBytes: 4_000 });
  expect(grown(max, use, max)).toBeUndefined();
});

test("what a checkpoint holds fills at most nine tenths, where the limit lets it", () => {
  const none = { customers: 0, entries: 0, idBytes: 0 };
  expect(fitting(start, none, max)).toEqual(start);
  expect(fitting(start, { customers: 91, entries: 3_000, idBytes: 5_000 }, max)).toEqual({
    customers: 200,
    entries: 4_000,
    idBytes: 4_000,
  });
});

test("nine tenths are nearly full", () => {
  expect(nearlyFull(start, { customers: 90, entries: 899, idBytes: 4_000 })).toEqual([
    "customers 90 of 100",
    "idBytes 4000 of 4000",
  ]);
});
