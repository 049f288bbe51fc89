/**
 * Edges of the ready-made models: where one band ends and the next begins, the lowest first. A recency edge is
 * exclusive, as `max` is; one of frequency or monetary is inclusive, as `min` is. Two equal ones leave no band between.
 */
import { currencyDecimals } from "./currency.js";
import { parseDuration } from "./duration.js";
import type { ConfigPath, Report } from "./issue.js";
import { type ModelConfig, READY, type ReadyConfig } from "./schema.js";

export type ReadyName = (typeof READY)[number];
export type Edges = NonNullable<ReadyConfig["edges"]>;
export type EdgeDimension = keyof Edges;
export const READY_NAMES: readonly ReadyName[] = READY;
export const EDGE_DIMENSIONS = ["recency", "frequency", "monetary"] as const satisfies readonly EdgeDimension[];

/**
 * What holds where an entry gives no edges; a dimension that is absent has none to give: the bands of `levels` are
 * named after their weeks, months and quarters. Sums are in minor units of a currency with two decimals; those with
 * three get ten times as much, those without any the same number (50,000 JPY is about what 500.00 EUR is).
 */
export function edgesDefault(use: ReadyName, currency: string): Edges {
  const minor = (...amounts: number[]) => amounts.map((sum) => sum * 10 ** Math.max(0, currencyDecimals(currency) - 2));
  switch (use) {
    case "threebands":
    case "points":
      return { recency: ["30d", "90d"], frequency: [4, 12], monetary: minor(10_000, 50_000) };
    case "levels":
      return { monetary: minor(5_000, 20_000, 50_000, 200_000) };
    case "quintiles":
      return {
        recency: ["14d", "30d", "90d", "180d"],
        frequency: [2, 3, 5, 12],
        monetary: minor(5_000, 10_000, 20_000, 50_000),
      };
  }
}

/** Number, order and size of the edges that an entry gives. */
export function checkEdges({ use, currency, edges }: ReadyConfig, path: ConfigPath, error: Report): void {
  for (const dimension of EDGE_DIMENSIONS) {
    const given: readonly (number | string)[] | undefined = edges?.[dimension];
    if (given === undefined) continue;
    const at = [...path, "edges", dimension];
    const wanted = edgesDefault(use, currency)[dimension]?.length ?? 0;
    if (wanted === 0) error(at, `found edges, expected none: the bands of ${use} are named after theirs`);
    else if (given.length !== wanted) error(at, `found ${given.length}, expected ${wanted} edges of ${use}`);
    let before = { value: 0, text: "nothing" };
    for (const [i, edge] of given.entries()) {
      const value = typeof edge === "string" ? parseDuration(edge) : edge;
      if (value === undefined) error([...at, i], `found ${JSON.stringify(edge)}, expected at most 36500d`);
      else if (value <= 0) error([...at, i], `found ${edge}, expected more than nothing`);
      else if (value < before.value) {
        error([...at, i], `found ${edge} after ${before.text}, expected at least that: edges go from low to high`);
      } else before = { value, text: String(edge) };
    }
  }
}

/** Bands by age, the youngest first: one more than the edges, without those that equal edges leave no room for. */
export function ageBands(names: readonly string[], points: readonly number[], edges: readonly string[]) {
  const bands: { name: string; max?: string; points: number }[] = [];
  for (const [i, name] of names.entries()) {
    const max = edges[i];
    if (max !== undefined && i > 0 && parseDuration(max) === parseDuration(edges[i - 1] ?? "")) continue;
    bands.push({ name, ...(max === undefined ? {} : { max }), points: points[i] ?? 0 });
  }
  return bands;
}

/** Bands by a minimum, the highest first, without those that no value can be in. `edges` is one a band, lowest first. */
export function minimumBands(names: readonly string[], points: readonly number[], edges: readonly number[]) {
  const falling = [...edges].reverse();
  return names.flatMap((name, i) => {
    const min = falling[i];
    return min === undefined || (i > 0 && min === falling[i - 1]) ? [] : [{ name, min, points: points[i] ?? 0 }];
  });
}

/** Rules without the bands that are not there; one that named only such is gone. */
export function rulesThatDecide(model: ModelConfig): ModelConfig {
  const segments = model.segments.flatMap((segment) => {
    const when = { ...segment.when };
    for (const dimension of EDGE_DIMENSIONS) {
      const named = when[dimension];
      if (named === undefined) continue;
      const kept = named.filter((name) => name === "none" || model[dimension].bands.some((band) => band.name === name));
      if (kept.length === 0) return [];
      when[dimension] = kept;
    }
    return [{ ...segment, when }];
  });
  return { ...model, segments };
}
