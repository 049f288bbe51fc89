/**
 * The rules of an IANA zone as a list of offsets by local time, so that the kernel can turn a local time into an
 * instant without knowing zones. The rules are those of the running Node (`process.versions.tz`).
 */
import { InputError } from "./errors.js";

/** From the local time `local` on (ms, as if it were UTC) the zone is `offset` ms ahead of UTC. */
export interface ZoneRule {
  readonly local: number;
  readonly offset: number;
}

const FIRST = Date.UTC(1989, 11, 31);
/** Later local times have the last rule's offset. */
const LAST = Date.UTC(2100, 0, 1);
/** Shorter than any time between two changes: the shortest, Morocco's Ramadan, lasts four weeks. */
const STEP = 7 * 86_400_000;
const known = new Map<string, readonly ZoneRule[]>();

/**
 * The rules from 1990 to 2099, the first beginning at −Infinity. Of a local time that occurs twice the earlier
 * instant is meant; one that the clocks skip is read with the offset before the change, and so comes after it.
 * Throws InputError (CONFIG_INVALID) for a zone that is not known.
 */
export function zoneRules(zone: string): readonly ZoneRule[] {
  const before = known.get(zone);
  if (before !== undefined) return before;
  const offsetAt = offsets(zone);
  let offset = offsetAt(FIRST);
  const rules: ZoneRule[] = [{ local: Number.NEGATIVE_INFINITY, offset }];
  for (let from = FIRST; from < LAST; from += STEP) {
    const next = offsetAt(from + STEP);
    if (next === offset) continue;
    let low = from;
    let high = from + STEP;
    while (high - low > 1000) {
      const middle = low + Math.floor((high - low) / 2000) * 1000;
      if (offsetAt(middle) === offset) low = middle;
      else high = middle;
    }
    rules.push({ local: high + Math.max(offset, next), offset: next });
    offset = next;
  }
  known.set(zone, rules);
  return rules;
}

/** Offset of a zone from UTC in ms, at an instant of whole seconds. */
function offsets(zone: string): (instant: number) => number {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch (cause) {
    throw new InputError("CONFIG_INVALID", `zone: an IANA zone such as Europe/Warsaw was expected, found ${zone}`, {
      cause,
    });
  }
  return (instant) => {
    const part: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of format.formatToParts(instant)) part[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
    return Date.UTC(year, month - 1, day, hour, minute, second) - instant;
  };
}
