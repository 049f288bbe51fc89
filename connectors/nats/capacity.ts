/** How large a partition is made, and how much larger when it is full: never beyond the configured limit. */
import type { Capacity } from "../../runtime/settings.js";

const REGIONS = ["customers", "entries", "idBytes"] as const;
/** From here on a region counts as the one that was full: of tiny ones, the last item may need more than is left. */
const FULL_SHARE = 0.75;
const WARN_SHARE = 0.9;

/** What is in use, by region. */
export type Use = Readonly<Record<(typeof REGIONS)[number], number>>;

/** At least `capacity`, doubled until what is in use fills no more than nine tenths of it; never beyond `max`. */
export function fitting(capacity: Capacity, use: Use, max: Capacity): Capacity {
  return map((region) => {
    let size = capacity[region];
    while (use[region] > WARN_SHARE * size && size < max[region]) size *= 2;
    return Math.max(capacity[region], Math.min(size, max[region]));
  });
}

/** Twice as large where it is full. Undefined where all that is full has reached its limit. */
export function grown(capacity: Capacity, use: Use, max: Capacity): Capacity | undefined {
  const isFull = (region: (typeof REGIONS)[number]) => use[region] >= FULL_SHARE * capacity[region];
  const full = REGIONS.some(isFull) ? REGIONS.filter(isFull) : REGIONS;
  if (full.every((region) => capacity[region] >= max[region])) return undefined;
  return map((region) =>
    full.includes(region) ? Math.max(capacity[region], Math.min(2 * capacity[region], max[region])) : capacity[region],
  );
}

/** The regions that are nine tenths full, for the log: `customers 901 of 1000`. */
export function nearlyFull(capacity: Capacity, use: Use): string[] {
  return REGIONS.filter((region) => use[region] >= WARN_SHARE * capacity[region]).map(
    (region) => `${region} ${use[region]} of ${capacity[region]}`,
  );
}

function map(size: (region: (typeof REGIONS)[number]) => number): Capacity {
  return { customers: size("customers"), entries: size("entries"), idBytes: size("idBytes") };
}
