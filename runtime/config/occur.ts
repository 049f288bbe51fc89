/**
 * Which cells a customer can be in. Bands are not free of each other: once the newest counting order is as old as
 * a window is long, the window is empty; while it is younger, there is at least one order in it; and nobody's
 * first order is younger than the newest.
 */
import type { Dimension } from "../settings.js";

/** Inclusive below, exclusive above. */
interface Range {
  readonly from: number;
  readonly to: number;
}

/** Whether a customer with a counting order can have these band numbers (one a dimension). */
export function canOccur(dimensions: readonly Dimension[], bands: readonly number[]): boolean {
  const of = (measure: Dimension["measure"]) => {
    const d = dimensions.findIndex((dimension) => dimension.measure === measure);
    const dimension = dimensions[d];
    return dimension === undefined ? undefined : { ...rangeOf(dimension, bands[d] ?? 0), windowMs: dimension.windowMs };
  };
  const newest = of("newest");
  const oldest = of("oldest");
  const count = of("count");
  const sum = of("sum");
  const ages = [newest, oldest].filter((range) => range !== undefined);
  // The last band without an end leaves nothing for `none`.
  if (ages.some(({ from, to }) => from >= to)) return false;
  if (newest !== undefined && oldest !== undefined && newest.from >= oldest.to) return false;
  if (newest !== undefined && count !== undefined) {
    const empty = newest.from >= count.windowMs;
    // An order that came past the horizon counts in no window, so `ever` promises nothing.
    const filled = newest.to <= count.windowMs && newest.to !== Number.POSITIVE_INFINITY;
    if (empty && !(count.from <= 0 && count.to > 0)) return false;
    if (filled && count.to <= 1) return false;
  }
  if (sum !== undefined) {
    // With no order in the window there are at most refunds without order.
    const empty = newest !== undefined && newest.from >= sum.windowMs;
    const none = count !== undefined && count.to <= 1 && sum.windowMs <= count.windowMs;
    if ((empty || none) && sum.from > 0) return false;
  }
  return true;
}

function rangeOf(dimension: Dimension, band: number): Range {
  const limit = (number: number) => dimension.bands[number - 1]?.limit;
  const { length } = dimension.bands;
  if (dimension.measure === "newest" || dimension.measure === "oldest") {
    if (band === 0) return { from: limit(length) ?? 0, to: Number.POSITIVE_INFINITY };
    // Orders may be ahead of the clock: the first band has no lower end.
    return { from: limit(band - 1) ?? Number.NEGATIVE_INFINITY, to: limit(band) ?? Number.POSITIVE_INFINITY };
  }
  const least = dimension.measure === "count" ? 0 : Number.NEGATIVE_INFINITY;
  if (band === 0) return { from: least, to: limit(length) ?? Number.POSITIVE_INFINITY };
  return { from: limit(band) ?? least, to: limit(band - 1) ?? Number.POSITIVE_INFINITY };
}
