/** Times as files and command lines write them, to whole milliseconds since 1970 UTC, rounded down. */
import { InputError } from "../../runtime/errors.js";

const FORM =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*([Zz]|[+-]\d{2}:?\d{2})?$/;
const MINUTE = 60_000;
const DAY = 86_400_000;

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

/** An IANA time zone. Offsets are looked up once a UTC day where they do not change in it. */
export class Zone {
  readonly name: string;
  readonly #format: Intl.DateTimeFormat;
  readonly #days = new Map<number, number | null>();

  /** Throws InputError (USAGE) for a name that the platform does not know. */
  constructor(name: string) {
    this.name = name;
    try {
      this.#format = new Intl.DateTimeFormat("en-US", {
        timeZone: name,
        hourCycle: "h23",
        year: "numeric",
        month: "numeric",
        day: "numeric",
        hour: "numeric",
        minute: "numeric",
        second: "numeric",
      });
    } catch (cause) {
      throw new InputError("USAGE", `there is no time zone called ${JSON.stringify(name)}`, {
        cause,
        remedy: "Name a zone like Europe/Warsaw, America/New_York or UTC.",
      });
    }
  }

  /** The instant of a wall-clock time, given as if it were UTC. */
  toUtc(local: number): number {
    // The offset a day before and a day after differ only around a change of clocks.
    const before = this.#offset(local - DAY);
    const after = this.#offset(local + DAY);
    if (before === after) return local - before;
    // Valid readings are those whose own offset leads back to them; the earlier one has the larger offset.
    const early = local - Math.max(before, after);
    if (this.#exact(early) === Math.max(before, after)) return early;
    const late = local - Math.min(before, after);
    if (this.#exact(late) === Math.min(before, after)) return late;
    return local - before; // in the gap: as far after the change as the clock was set forward
  }

  #offset(utc: number): number {
    const day = Math.floor(utc / DAY);
    let known = this.#days.get(day);
    if (known === undefined) {
      const first = this.#exact(day * DAY);
      known = first === this.#exact((day + 1) * DAY - 1000) ? first : null;
      if (this.#days.size >= 100_000) this.#days.clear();
      this.#days.set(day, known);
    }
    return known ?? this.#exact(utc);
  }

  #exact(utc: number): number {
    const part: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(utc)) part[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(utc / 1000) * 1000;
  }
}

/** RFC 3339 with milliseconds only where there are any. */
export function instantText(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
