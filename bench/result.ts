/** What a benchmark says: one figure under a name that stays the same from version to version. */
export interface Result {
  /** "kernel.apply.1m"; the first words "baseline", "limit" and "peer" say that it is not a figure of ours alone. */
  readonly name: string;
  /** Median of the rounds. */
  readonly value: number;
  /** "orders/s", "ms", "bytes", "rows/s" … */
  readonly unit: string;
  /** Least and most of the rounds. */
  readonly low: number;
  readonly high: number;
  readonly rounds: number;
  /** Name of the row that it is compared with. */
  readonly limit?: string;
  /** Median over the rounds of ours / limit in the same round; of a `peer.*` row, of ours / theirs. */
  readonly ratio?: number;
  /** As people say it: "≥ 0.5 of limit.rmw.1m". */
  readonly goal?: string;
  readonly met?: boolean;
  /** What a reader must know to take the figure right: what competes with what, what was left out. */
  readonly note?: string;
}

export interface BenchOptions {
  /** Fewer rounds and smaller inputs: shows that all runs, and the order of magnitude. */
  readonly quick: boolean;
  /** Whether the result of that name is wanted: a bench may leave out what is not. */
  readonly wants: (name: string) => boolean;
  /** Progress, to stderr. */
  readonly note: (text: string) => void;
}

/** A unit that runs as one: results that are compared with each other are measured in turn, so they are together. */
export interface Bench {
  /** Every result it gives. */
  readonly names: readonly string[];
  /** Throws where it can't be measured; children that it started are stopped then, too. */
  readonly run: (options: BenchOptions) => Promise<readonly Result[]>;
}

const HOLDS = {
  "≥": (a: number, b: number) => a >= b,
  "≤": (a: number, b: number) => a <= b,
  "<": (a: number, b: number) => a < b,
};

/** The result with a goal for its value, in its own unit, and whether it is met. */
export function withGoal(result: Result, relation: keyof typeof HOLDS, bound: number): Result {
  return {
    ...result,
    goal: `${relation} ${bound.toLocaleString("en-US")} ${result.unit}`,
    met: HOLDS[relation](result.value, bound),
  };
}

/** The result with a goal for its ratio to its limit, and whether it is met. */
export function withRatioGoal(result: Result, relation: keyof typeof HOLDS, bound: number): Result {
  if (result.ratio === undefined) throw new Error(`${result.name} has no ratio that a goal could be for`);
  const of = result.limit === undefined ? "" : ` of ${result.limit}`;
  return { ...result, goal: `${relation} ${bound}${of}`, met: HOLDS[relation](result.ratio, bound) };
}
