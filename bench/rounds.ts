/** The form of all measurements: contestants in turn, several rounds, medians of what each round says. */
import { setImmediate } from "node:timers/promises";
import { Bench } from "tinybench";
import type { BenchOptions, Result } from "./result.js";

export interface Contestant {
  readonly name: string;
  /** One round: its figure, in the unit of the result. Round -1 warms up, and its figure is not used. */
  readonly measure: (round: number) => number | Promise<number>;
}

export const ROUNDS = 5;
export const ROUNDS_QUICK = 3;

export function roundsOf({ quick }: Pick<BenchOptions, "quick">): number {
  return quick ? ROUNDS_QUICK : ROUNDS;
}

/**
 * Measures all contestants once a round, after a round that warms them up. Every other round goes backwards, so that
 * a machine that grows slower (or faster) favours none. Another machine's load hits those of one round alike.
 */
export async function inTurn(
  contestants: readonly Contestant[],
  { rounds, warmUp = true, note }: { rounds: number; warmUp?: boolean; note?: (text: string) => void },
): Promise<Figures> {
  const figures = new Map<string, number[]>(contestants.map(({ name }) => [name, []]));
  for (let round = warmUp ? -1 : 0; round < rounds; round++) {
    for (const { name, measure } of round % 2 === 0 ? contestants : contestants.toReversed()) {
      // Signals are heard, and what the one before left to do is done, outside of what is measured.
      await setImmediate();
      const figure = await measure(round);
      if (round < 0) continue;
      figures.get(name)?.push(figure);
      note?.(`${name} round ${round + 1} of ${rounds}: ${figure.toPrecision(4)}`);
    }
  }
  return new Figures(figures);
}

/** The figures of each round, by contestant. */
export class Figures {
  readonly #figures: ReadonlyMap<string, readonly number[]>;

  constructor(figures: ReadonlyMap<string, readonly number[]>) {
    this.#figures = figures;
  }

  /** In the order of the rounds. */
  of(name: string): readonly number[] {
    const found = this.#figures.get(name);
    if (found === undefined || found.length === 0) throw new Error(`${name} was not measured`);
    return found;
  }

  /** The result of a contestant; with `limit`, compared with another one of the same rounds. */
  result(name: string, unit: string, limit?: string): Result {
    const found = this.of(name);
    const result = resultOf(name, unit, found);
    if (limit === undefined) return result;
    const others = this.of(limit);
    return { ...result, limit, ratio: median(found.map((figure, round) => figure / (others[round] as number))) };
  }
}

/** A result of these rounds' figures. */
export function resultOf(name: string, unit: string, figures: readonly number[]): Result {
  return {
    name,
    value: median(figures),
    unit,
    low: Math.min(...figures),
    high: Math.max(...figures),
    rounds: figures.length,
  };
}

/** The middle one; of an even number, the mean of the middle two. */
export function median(figures: readonly number[]): number {
  if (figures.length === 0) throw new Error("no figures to take the median of");
  const sorted = figures.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] as number) + upper) / 2;
}

/** The figure below which `share` (0.99) of them lie: the nearest rank. */
export function percentile(figures: readonly number[], share: number): number {
  if (figures.length === 0) throw new Error("no figures to take a percentile of");
  const sorted = figures.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}

/**
 * Events a second of a function that handles `events` of them a call and may be called again and again: the median
 * call of about `ms` milliseconds under tinybench, after its warm-up.
 */
export async function perSecond(events: number, call: () => unknown, ms: number): Promise<number> {
  const bench = new Bench({ time: ms, iterations: 3, warmupTime: ms / 5, warmupIterations: 1, throws: true });
  bench.add("call", call);
  await bench.run();
  const result = bench.tasks[0]?.result;
  if (result?.state !== "completed") throw new Error(`not measured: ${result?.state}`);
  return (events * 1000) / result.latency.p50;
}
