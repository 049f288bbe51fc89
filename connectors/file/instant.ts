/** Times as files and command lines write them, to whole milliseconds since 1970 UTC, rounded down. */
import { InputError } from "../../runtime/errors.js";
import { type ZoneRule, zoneRules } from "../../runtime/zone.js";

const FORM =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*([Zz]|[+-]\d{2}:?\d{2})?$/;
const MINUTE = 60_000;

/**
 * Milliseconds of an integer in text, of RFC 3339 (also without seconds, with a space for the T, or a date
 * alone), or of such a time without an offset in `zone`. Null where the text is none of these, names no real
 * day, or has no offset and there is no zone. A local time that a change of clocks skips is taken as the
 * instant after the gap; one that it repeats as the earlier of the two.
 */
export function parseInstant(text: string, zone?: Zone): number | null {
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  const match = FORM.exec(text);
  if (match === null) return null;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const [hour, minute, second] = [Number(match[4] ?? 0), Number(match[5] ?? 0), Number(match[6] ?? 0)];
  // RFC 3339 allows a leap second; it is the instant after.
  if (hour > 23 || minute > 59 || second > 60) return null;
  const date = Date.UTC(year, month - 1, day);
  const back = new Date(date);
  if (year < 100 || back.getUTCMonth() !== month - 1 || back.getUTCDate() !== day) return null;
  const local = date + hour * 3_600_000 + minute * MINUTE + second * 1000 + millis(match[7]);
  const offset = match[8];
  if (offset === undefined) return zone === undefined ? null : zone.toUtc(local);
  if (offset === "Z" || offset === "z") return local;
  const shift = Number(offset.slice(1, 3)) * 60 + Number(offset.slice(-2));
  if (Number(offset.slice(-2)) > 59) return null;
  return offset.startsWith("-") ? local + shift * MINUTE : local - shift * MINUTE;
}

function millis(fraction: string | undefined): number {
  return fraction === undefined ? 0 : Number(fraction.slice(0, 3).padEnd(3, "0"));
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
