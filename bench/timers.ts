/**
 * timers.fired: customers a second that fall due by time alone: a million at one instant, fired by ticks of 1,024 until
 * none is left, as the owner of a partition publishes them; the records are written by the kernel and not read.
 * timers.fired.spread: the same customers, each due at a millisecond of its own in 30 days that have all passed.
 */
import { performance } from "node:perf_hooks";
import { DAY, drain, type History, kernelWith, randomFrom } from "./history.js";
import { type Bench, type BenchOptions, type Result, withGoal } from "./result.js";
import { inTurn, roundsOf } from "./rounds.js";

const START = Date.UTC(2026, 0, 1);
const SPREAD = 30 * DAY;

/**
 * A history in which every customer is due first between `start` and `start` + `spread` ms. Of all, 30 % cross the
 * 30 days of their last order then, 15 % the 90; of 25 % an order leaves the 90 days of the sum, of 20 % the 365 of the
 * count, and of 10 % the horizon. What else they bought is due much later.
 */
export function dueHistory(customers: number, start: number, spread: number): History {
  const random = randomFrom(7);
  const [customer, time, amount]: [number[], number[], number[]] = [[], [], []];
  const add = (who: number, at: number) => {
    customer.push(who);
    time.push(Math.floor(at));
    amount.push(1000 + Math.floor(random() * 12_000));
  };
  for (let who = 0; who < customers; who++) {
    const due = Math.floor(start + random() * spread);
    const kind = random();
    const later = () => due - (31 + random() * 20) * DAY;
    const earlier = () => due - (100 + random() * 200) * DAY;
    if (kind < 0.3) {
      add(who, due - 30 * DAY);
      add(who, earlier());
      if (random() < 0.5) add(who, earlier());
    } else if (kind < 0.45) {
      add(who, due - 90 * DAY);
      add(who, earlier());
    } else if (kind < 0.7) {
      add(who, due - 90 * DAY);
      add(who, later());
      if (random() < 0.5) add(who, later());
    } else if (kind < 0.9) {
      add(who, due - 365 * DAY);
      add(who, later());
      if (random() < 0.5) add(who, earlier());
    } else {
      add(who, due - 400 * DAY);
      add(who, later());
      add(who, earlier());
    }
  }
  return {
    customers,
    customer: Uint32Array.from(customer),
    time: Float64Array.from(time),
    amount: Float64Array.from(amount),
  };
}

/** What one round fired. */
interface Fired {
  readonly perSecond: number;
  readonly fired: number;
  readonly early: number;
  readonly migrations: number;
  readonly tickMs: number;
}

/** A population that falls due again and again: each time its memory is as it was. */
function population(customers: number, spread: number): () => Fired {
  const { kernel } = kernelWith(dueHistory(customers, START, spread), START - 1);
  const memory = kernel.memory();
  // What the history did not touch is zero and stays so.
  const kept = memory.slice();
  return () => {
    memory.set(kept);
    const before = { ...kernel.counters(), records: kernel.recordCount };
    const started = performance.now();
    const tickMs = drain(kernel, START + spread, before.messages + 1);
    const seconds = (performance.now() - started) / 1000;
    const after = kernel.counters();
    const fired = after.fired - before.fired;
    return {
      perSecond: fired / seconds,
      fired,
      early: after.spurious - before.spurious,
      migrations: kernel.recordCount - before.records,
      tickMs,
    };
  };
}

async function run({ quick, wants, note }: BenchOptions): Promise<readonly Result[]> {
  const customers = quick ? 100_000 : 1_000_000;
  const results: Result[] = [];
  for (const [name, spread] of [
    ["timers.fired", 0],
    ["timers.fired.spread", SPREAD],
  ] as const) {
    if (!wants(name)) continue;
    const fire = population(customers, spread);
    const all: Fired[] = [];
    const measure = () => {
      const one = fire();
      all.push(one);
      return one.perSecond;
    };
    const figures = await inTurn([{ name, measure }], { rounds: roundsOf({ quick }), note });
    const { fired, early, migrations } = all[0] as Fired;
    const tick = all.map(({ tickMs }) => tickMs).sort((a, b) => a - b)[all.length >> 1] as number;
    const share = `${Math.round((100 * migrations) / fired)} % of ${fired} migrate, ${early} early timers looked at`;
    const result = { ...figures.result(name, "customers/s"), note: `${share}; longest tick ${tick.toFixed(2)} ms` };
    results.push(spread === 0 ? withGoal(result, "≥", 5_000_000) : result);
  }
  return results;
}

export const timersBenches: readonly Bench[] = [{ names: ["timers.fired", "timers.fired.spread"], run }];
