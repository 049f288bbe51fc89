import { afterEach, assert, beforeEach, test, vi } from "vitest";
import { TURN_MS_MAX, Turns } from "../../connectors/nats/turns.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** One that wants turns for ever, and writes down each that it gets. */
function taker(turns: Turns, name: string, got: string[]): () => void {
  const who = () => {
    if (turns.take(who)) got.push(name);
  };
  return who;
}

test("who waits gets the turn in the order of asking, whoever asks anew comes last", () => {
  const turns = new Turns(1);
  const got: string[] = [];
  const [a, b, c] = ["a", "b", "c"].map((name) => taker(turns, name, got)) as [() => void, () => void, () => void];
  for (const who of [a, b, c, b]) who();
  assert.deepEqual(got, ["a"]);
  turns.pass(b); // not its turn: nothing happens
  assert.deepEqual(got, ["a"]);
  turns.pass(a);
  a();
  assert.deepEqual(got, ["a", "b"]);
  turns.pass(b);
  turns.pass(c);
  assert.deepEqual(got, ["a", "b", "c", "a"]);
});

test("who leaves waits no longer, and hands its turn on", () => {
  const turns = new Turns(1);
  const got: string[] = [];
  const [a, b, c] = ["a", "b", "c"].map((name) => taker(turns, name, got)) as [() => void, () => void, () => void];
  for (const who of [a, b, c]) who();
  turns.leave(b);
  turns.leave(a);
  assert.deepEqual(got, ["a", "c"]);
});

test("who does not get on holds the others up for no longer than the turn lasts", () => {
  const turns = new Turns(1);
  const got: string[] = [];
  const [a, b] = ["a", "b"].map((name) => taker(turns, name, got)) as [() => void, () => void];
  for (const who of [a, b]) who();
  vi.advanceTimersByTime(TURN_MS_MAX - 1);
  b();
  assert.deepEqual(got, ["a"]);
  vi.advanceTimersByTime(1);
  b();
  assert.deepEqual(got, ["a", "b"]);
});

test("who waits but can't go on just now is passed over", () => {
  const turns = new Turns(1);
  const got: string[] = [];
  const [a, c] = ["a", "c"].map((name) => taker(turns, name, got)) as [() => void, () => void];
  let ready = true;
  const b = () => {
    if (ready && turns.take(b)) got.push("b");
  };
  for (const who of [a, b, c]) who();
  ready = false;
  turns.pass(a);
  assert.deepEqual(got, ["a", "c"]);
  ready = true;
  turns.pass(c);
  assert.deepEqual(got, ["a", "c", "b"]);
});

test("two have their turn at a time; one who takes it again keeps it, and only the longest loses it", () => {
  const turns = new Turns(2);
  const got: string[] = [];
  const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => taker(turns, name, got)) as (() => void)[];
  if (!a || !b || !c || !d) throw new Error("four were made");
  for (const who of [a, b, c, d]) who();
  assert.deepEqual(got, ["a", "b"]);
  turns.pass(b);
  assert.deepEqual(got, ["a", "b", "c"]);
  vi.advanceTimersByTime(TURN_MS_MAX - 1);
  a();
  vi.advanceTimersByTime(1);
  // c has held it for long enough, a has begun anew.
  d();
  b();
  assert.deepEqual(got, ["a", "b", "c", "a", "d"]);
});
