/** Settings as JSON, as a `model` control message carries them. JSON has no Infinity: it is written `"ever"`. */
import type { Settings } from "../settings.js";
import { canonicalJson, versionOf } from "./hash.js";

/** What decides the output, and nothing else: another number of workers is not another version. */
const DECIDING = [
  "clock",
  "horizonMs",
  "parkForMs",
  "futureToleranceMs",
  "messageBytesMax",
  "parkedMax",
  "ordersPerCustomerMax",
  "channels",
  "sources",
  "models",
] as const satisfies readonly (keyof Settings)[];

/** Version of settings: the same where the output is. */
export function settingsVersion(settings: Omit<Settings, "version">): string {
  return versionOf(Object.fromEntries(DECIDING.map((key) => [key, settings[key]])));
}

/** `decided` where it decides the output; how to run (name, partitions, capacities, …) stays as `running` has it. */
export function runningUnder(decided: Settings, running: Settings): Settings {
  const deciding = Object.fromEntries(DECIDING.map((key) => [key, decided[key]])) as Pick<
    Settings,
    (typeof DECIDING)[number]
  >;
  return { ...running, ...deciding, version: decided.version };
}

/** Of settings, which never change: each checkpoint of a partition holds them. */
const texts = new WeakMap<Settings, string>();

/** One line of JSON; `settingsFromJson` reads it back. */
export function settingsToJson(settings: Settings): string {
  const text = texts.get(settings) ?? canonicalJson(settings);
  texts.set(settings, text);
  return text;
}

/**
 * Reads what `settingsToJson` wrote, as text or as the value that `JSON.parse` made of it. Undefined where it is
 * not settings, or was changed on its way: the version is their hash. Never throws.
 */
export function settingsFromJson(json: unknown): Settings | undefined {
  let value: unknown;
  try {
    value = revived("", typeof json === "string" ? JSON.parse(json) : json);
  } catch {
    return undefined; // not JSON: the caller dead-letters the message
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const settings = value as Settings;
  return DECIDING.every((key) => settings[key] !== undefined) && settingsVersion(settings) === settings.version
    ? settings
    : undefined;
}

/** A copy with `"ever"` as Infinity, in the two places that may hold it. */
function revived(key: string, value: unknown): unknown {
  if (value === "ever" && (key === "windowMs" || key === "limit")) return Number.POSITIVE_INFINITY;
  if (Array.isArray(value)) return value.map((item) => revived("", item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, revived(name, item)]));
}
