import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Tick, Ticker, type TickView } from "../../connectors/nats/ticker.js";
import { TURN_MS_MAX, Turns } from "../../connectors/nats/turns.js";
import type { Clock } from "../../runtime/settings.js";

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

/** A partition and a broker whose clock is `skew` ms ahead of ours. */
function bench(clock: Clock = "broker", skew = 0, turns = new Turns()) {
  const view: { -readonly [K in keyof TickView]: TickView[K] } = {
    sequence: 10,
    clock: 900_000,
    overdue: null,
    nextDue: null,
    inFlight: 0,
  };
  const published: (Tick & { at: number })[] = [];
  let last = 10;
  const ticker = new Ticker({
    clock,
    tickMs: 100,
    now: Date.now,
    turns,
    view: () => view,
    publish: async (tick) => {
      published.push({ at: Date.now(), ...tick });
      return ++last;
    },
  });
  /** The tick comes back with the broker's stamp; `after` says what the partition is then. */
  const apply = async (after: Partial<TickView> = {}) => {
    await vi.advanceTimersByTimeAsync(0);
    const stamp = Date.now() + skew;
    Object.assign(view, { sequence: last, clock: stamp }, after);
    ticker.observe(stamp);
    ticker.consider();
  };
  return { view, ticker, published, apply };
}

describe("the ticker", () => {
  test("publishes nothing while nothing is due, and before the input was read", async () => {
    const { view, ticker, published } = bench();
    ticker.consider();
    ticker.start();
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(published).toHaveLength(0);
    view.nextDue = Date.now() + 5_000;
    ticker.stop();
    ticker.consider();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(published).toHaveLength(0);
  });

  test("ticks once when the due instant has passed, and not again before that tick was applied", async () => {
    const { view, ticker, published, apply } = bench();
    view.nextDue = 1_005_000;
    ticker.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(published).toEqual([{ at: 1_005_001, fires: 256 }]);
    await apply({ nextDue: null });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(published).toHaveLength(1);
  });

  test("a message that passes the instant makes the tick needless", async () => {
    const { view, ticker, published } = bench();
    view.nextDue = 1_005_000;
    ticker.start();
    view.nextDue = 1_900_000;
    ticker.consider();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(published).toHaveLength(0);
  });

  test("a tick stamped too early is repeated, at most one in tickMs, and the broker's clock is learnt", async () => {
    const { view, ticker, published, apply } = bench("broker", -2_000);
    view.nextDue = 1_005_000;
    ticker.start();
    await vi.advanceTimersByTimeAsync(5_001);
    await apply();
    expect(published).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(published.map(({ at }) => at)).toEqual([1_005_001, 1_007_001]);
  });

  test("while due things wait, the next tick follows as soon as the last output is stored", async () => {
    const { view, ticker, published, apply } = bench();
    view.nextDue = 999_000;
    ticker.start();
    await apply({ overdue: 999_000, inFlight: 5 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(published).toHaveLength(1);
    view.inFlight = 0;
    ticker.consider();
    await apply({ overdue: 999_000 });
    await apply({ overdue: null, nextDue: null });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(published).toHaveLength(3);
  });

  test("a tick fires as many as were stored in some milliseconds before, within limits", async () => {
    const { view, ticker, published, apply } = bench();
    view.overdue = 999_000;
    ticker.start();
    /** What the last tick fired is stored so many milliseconds after it was published. */
    const storedAfter = async (...each: number[]) => {
      for (const ms of each) {
        await vi.advanceTimersByTimeAsync(ms);
        await apply();
      }
      return published.at(-1)?.fires;
    };
    expect(await storedAfter(7, 5, 10)).toBe(256);
    expect(await storedAfter(1)).toBe(512);
    expect(await storedAfter(4, 4, 4)).toBe(1024);
    expect(await storedAfter(11, 40)).toBe(256);
    expect(await storedAfter(100, 100, 100, 100)).toBe(64);
    // What did not fire all that it might says nothing.
    await vi.advanceTimersByTimeAsync(1);
    await apply({ overdue: null, nextDue: Date.now() + 1_000 });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(published.at(-1)?.fires).toBe(64);
  });

  test("under the events' clock it only drains, at the clock where the partition is", async () => {
    const { view, ticker, published, apply } = bench("event");
    view.nextDue = 950_000;
    ticker.start();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(published).toHaveLength(0);
    view.overdue = 899_000;
    ticker.consider();
    expect(published).toEqual([{ at: 1_060_000, fires: 256, time: 900_000 }]);
    await apply({ clock: 900_000, overdue: null });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(published).toHaveLength(1);
  });

  test("waits for the ticks of others, at most for their turn, and tells for how long", async () => {
    const turns = new Turns(1);
    const first = bench("broker", 0, turns);
    const second = bench("broker", 0, turns);
    // Much is overdue in both; what the first one's tick brings is never stored.
    for (const { view } of [first, second]) Object.assign(view, { overdue: 900_000 });
    first.ticker.start();
    second.ticker.start();
    Object.assign(first.view, { inFlight: 1 });
    await vi.advanceTimersByTimeAsync(TURN_MS_MAX - 100);
    expect([first, second].map(({ published }) => published.length)).toEqual([1, 0]);
    await vi.advanceTimersByTimeAsync(200);
    expect([first, second].map(({ published }) => published.length)).toEqual([1, 1]);
    expect(first.ticker.waitedMs).toBe(0);
    expect(second.ticker.waitedMs).toBeGreaterThanOrEqual(TURN_MS_MAX - 1);
    expect(second.ticker.waitedMs).toBeLessThan(TURN_MS_MAX + 200);
  });
});
