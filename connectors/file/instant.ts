/** Times as files and command lines write them, to whole milliseconds since 1970 UTC, rounded down. */
import { InputError } from "../../runtime/errors.js";
import { type ZoneRule, zoneRules } from "../../runtime/zone.js";

const FORM =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*([Zz]|[+-]\d{2}:?\d{2})?$/;
const MINUTE = 60_000;

/** What a text says of an instant: the clock on the wall, and how far ahead of UTC that clock is, where it says. */
export interface WallTime {
  /** ms, as if the wall clock were UTC. */
  readonly local: number;
  /** ms; null where the text has none. */
  readonly offset: number | null;
}

/**
 * Milliseconds of an integer in text, of RFC 3339 (also without seconds, with a space for the T, or a date
 * alone), or of such a time without an offset in `zone`. Null where the text is none of these, names no real
 * day, or has no offset and there is no zone. A local time that a change of clocks skips is taken as the
 * instant after the gap; one that it repeats as the earlier of the two.
 */
export function parseInstant(text: string, zone?: Zone): number | null {
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  return instantOf(readIso(text), zone);
}

/** The instant of a wall time; null where it has no offset and there is no zone. */
export function instantOf(time: WallTime | null, zone: Zone | undefined): number | null {
  if (time === null) return null;
  if (time.offset !== null) return time.local - time.offset;
  return zone === undefined ? null : zone.toUtc(time.local);
}

/** RFC 3339, also without seconds, offset or time, or with a space for the T. Null for any other text. */
export function readIso(text: string): WallTime | null {
  const match = FORM.exec(text);
  if (match === null) return null;
  const date = dayOf(Number(match[1]), Number(match[2]), Number(match[3]));
  const time = timeOfDay(Number(match[4] ?? 0), Number(match[5] ?? 0), Number(match[6] ?? 0), match[7]);
  const offset = offsetOf(match[8]);
  return date === null || time === null || offset === undefined ? null : { local: date + time, offset };
}

/** Midnight of a day, ms as if UTC; null where there is no such day. */
export function dayOf(year: number, month: number, day: number): number | null {
  const date = Date.UTC(year, month - 1, day);
  const back = new Date(date);
  return year < 100 || back.getUTCMonth() !== month - 1 || back.getUTCDate() !== day ? null : date;
}

/** ms since midnight, rounded down; null for a clock that does not exist. `fraction`: digits of a second. */
export function timeOfDay(hour: number, minute: number, second: number, fraction = ""): number | null {
  // RFC 3339 allows a leap second; it is the instant after.
  if (hour > 23 || minute > 59 || second > 60) return null;
  return hour * 3_600_000 + minute * MINUTE + second * 1000 + Number(fraction.slice(0, 3).padEnd(3, "0"));
}

/** ms ahead of UTC of `Z`, `+01:00` or `+0100`; null for no text; undefined where it is none. */
export function offsetOf(text: string | undefined): number | null | undefined {
  if (text === undefined) return null;
  if (text === "Z" || text === "z") return 0;
  const minutes = Number(text.slice(-2));
  if (minutes > 59) return undefined;
  const shift = (Number(text.slice(1, 3)) * 60 + minutes) * MINUTE;
  return text.startsWith("-") ? -shift : shift;
}

/** An IANA time zone, read by the same rules as the kernel's. */
export class Zone {
  readonly name: string;
  readonly #rules: readonly ZoneRule[];

  /** Throws InputError (USAGE) for a name that the platform does not know. */
  constructor(name: string) {
    this.name = name;
    try {
      this.#rules = zoneRules(name);
    } catch (cause) {
      throw new InputError("USAGE", `there is no time zone called ${JSON.stringify(name)}`, {
        cause,
        remedy: "Name a zone like Europe/Warsaw, America/New_York or UTC.",
      });
    }
  }

  /** The instant of a wall-clock time, given as if it were UTC. */
  toUtc(local: number): number {
    let low = 0;
    let high = this.#rules.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#rules[middle] as ZoneRule).local <= local) low = middle;
      else high = middle;
    }
    return local - (this.#rules[low]?.offset ?? 0);
  }
}

/** RFC 3339 with milliseconds only where there are any. */
export function instantText(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
