/** The roundest value of a range: what a person would have said. */

const DAY = 86_400_000;
/** Ages that have a name in people's heads, and then ever finer steps; all in ms. */
const AGES = [7, 14, 30, 60, 90, 180, 365, 730, 1095].map((days) => days * DAY);
const AGE_STEPS = [30 * DAY, 10 * DAY, 5 * DAY, DAY, 3_600_000, 60_000, 1000, 1];

/**
 * Of `least` to `most` (whole, at least 1, both included) a multiple of the coarsest of 1, 2 and 5 times a power of ten
 * that has one there; of several the nearest to `near`.
 */
export function roundNumber(least: number, most: number, near: number): number {
  for (let power = 10 ** Math.floor(Math.log10(most)); power >= 1; power /= 10) {
    for (const step of [5 * power, 2 * power, power]) {
      const found = multiple(step, least, most, near);
      if (found !== undefined) return found;
    }
  }
  return near; // not met: every whole number is a multiple of 1
}

/** The same of ages in ms: a named one (7, 14, 30, 60, 90, 180 or 365 days, …), else multiples of 30, 10, 5 and 1 days, hours, … */
export function roundAge(least: number, most: number, near: number): number {
  const named = AGES.filter((age) => age >= least && age <= most);
  if (named.length > 0) return nearest(named, near);
  for (const step of AGE_STEPS) {
    const found = multiple(step, least, most, near);
    if (found !== undefined) return found;
  }
  return near;
}

/** The multiple of `step`, above 0, in the range that is nearest to `near`. */
function multiple(step: number, least: number, most: number, near: number): number | undefined {
  const first = Math.max(1, Math.ceil(least / step)) * step;
  const last = Math.floor(most / step) * step;
  if (first > last) return undefined;
  const inside = (value: number) => Math.min(last, Math.max(first, value));
  return nearest([inside(Math.floor(near / step) * step), inside(Math.ceil(near / step) * step)], near);
}

/** The lower of two that are as near. */
function nearest(values: readonly number[], near: number): number {
  return values.reduce((best, value) => (Math.abs(value - near) < Math.abs(best - near) ? value : best));
}
