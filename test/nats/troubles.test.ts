import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Troubles } from "../../connectors/nats/troubles.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("the first is told at once, those of the next seconds together, and after a pause the first again", () => {
  const told: string[] = [];
  const troubles = new Troubles((text) => told.push(text));
  for (let n = 1; n <= 50; n++) troubles.add(`wrong last sequence: ${n}`);
  expect(told).toEqual(["wrong last sequence: 1"]);
  vi.advanceTimersByTime(10_000);
  expect(told.slice(1)).toEqual(["wrong last sequence: 50; 49 times since the last line"]);
  troubles.add("wrong last sequence: 51");
  expect(told).toHaveLength(2);
  vi.advanceTimersByTime(10_000);
  expect(told.slice(2)).toEqual(["wrong last sequence: 51"]);
  vi.advanceTimersByTime(20_000);
  expect(vi.getTimerCount()).toBe(0);
  troubles.add("no stream answers");
  expect(told.slice(3)).toEqual(["no stream answers"]);
});

test("what is untold at the end is told then", () => {
  const told: string[] = [];
  const troubles = new Troubles((text) => told.push(text));
  for (const reason of ["a", "b", "c"]) troubles.add(reason);
  troubles.close();
  expect(told).toEqual(["a", "c; 2 times since the last line"]);
  expect(vi.getTimerCount()).toBe(0);
});
