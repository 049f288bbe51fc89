/** Durations as people write them: a whole number and a unit, or `ever`. A day is 86,400 s. */

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
type Unit = keyof typeof UNIT_MS;

/** What a duration looks like, for the JSON Schema. */
export const DURATION_PATTERN = /^\d{1,12}(ms|s|m|h|d)$/;
/** One hundred years: beyond it a time plus a duration could leave the calendar. */
export const DURATION_MS_MAX = 36_500 * UNIT_MS.d;
export const DURATION_EXAMPLES = "a duration such as 30d, 12h, 90m, 45s or 500ms";

/** Milliseconds of `30d`; Infinity of `ever`. Undefined where the text is neither, or longer than a hundred years. */
export function parseDuration(text: string): number | undefined {
  if (text === "ever") return Number.POSITIVE_INFINITY;
  const unit = DURATION_PATTERN.exec(text)?.[1] as Unit | undefined;
  if (unit === undefined) return undefined;
  const ms = Number.parseInt(text, 10) * UNIT_MS[unit];
  return ms <= DURATION_MS_MAX ? ms : undefined;
}

/** The shortest text that `parseDuration` reads back: 2592000000 → `30d`. */
export function formatDuration(ms: number): string {
  if (ms === Number.POSITIVE_INFINITY) return "ever";
  for (const unit of ["d", "h", "m", "s"] as const) {
    if (ms !== 0 && ms % UNIT_MS[unit] === 0) return `${ms / UNIT_MS[unit]}${unit}`;
  }
  return `${ms}ms`;
}
