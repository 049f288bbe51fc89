/** What holds where the configuration says nothing, and what follows from the little it says. */
import { parseDuration } from "./duration.js";
import type { Config, ModelConfig } from "./schema.js";

export const HORIZON_MS_DEFAULT = 400 * 86_400_000;
/** How many times larger than at the start a partition may get. */
export const GROWTH_DEFAULT = 4;
export const CHANNEL_DEFAULT = "web";
/** The segment of what no rule names. */
export const OTHERS = "Others";

export function nameOf(config: Pick<Config, "name">): string {
  return config.name ?? "tidemark";
}

/** An adopted stream is one partition, read whole. */
export function partitionsDefault(config: Pick<Config, "sources">): number {
  return config.sources?.some((source) => source.stream !== undefined) ? 1 : 8;
}

/** Every finite window and every age that bounds a band, in ms: the horizon is at least the longest. */
export function longestMs(models: readonly ModelConfig[]): number {
  const durations = models.flatMap((model) => [
    model.frequency.window,
    model.monetary.window,
    ...[...model.recency.bands, ...(model.tenure?.bands ?? [])].map((band) => band.max ?? "0d"),
  ]);
  return Math.max(0, ...durations.map(msOf).filter(Number.isFinite));
}

/** Milliseconds of a text that the schema has let through; NaN beyond a hundred years. */
export function msOf(duration: string): number {
  return parseDuration(duration) ?? Number.NaN;
}

/** An adopted stream's first subject with a wildcard, and `_control` in the wildcard's place. */
export function controlOf(subjects: readonly string[]): string | undefined {
  return subjects.find((subject) => /[*>]/.test(subject))?.replaceAll(/[*>]/g, "_control");
}

/** Without a file: Tidemark's own streams, and the ready-made `threebands` in EUR. */
export function defaultConfig(): Config {
  return { name: "tidemark", sources: [{ name: "orders" }], models: [{ use: "threebands", currency: "EUR" }] };
}
