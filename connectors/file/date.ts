/**
 * Dates and times as files of several countries write them. Which number is the day and which the month is a form
 * of the whole column: no single text is guessed at.
 */
import { parseDecimal, rounded } from "./decimal.js";
import { dayOf, instantOf, offsetOf, readIso, timeOfDay, type WallTime, type Zone } from "./instant.js";
import { monthOf } from "./months.js";

/**
 * iso: RFC 3339 and what is near it. ymd, dmy, mdy: the order of year, month and day, with any of - / . between
 * them or a month's name. epoch-s, epoch-ms: since 1970 UTC. excel: a spreadsheet's day number (1900 system).
 */
export const DATE_FORMS = ["iso", "ymd", "dmy", "mdy", "epoch-s", "epoch-ms", "excel"] as const;

export interface DateForm {
  /** As `--date` takes it. */
  readonly name: (typeof DATE_FORMS)[number];
}

/** What a date says, in the form it was read by. */
export interface ReadDate extends WallTime {
  /** Its year had two digits: 70 to 99 are of the last century. */
  readonly shortYear: boolean;
}

const NUMBERS = /^(\d{1,4})([-/.])\s?(\d{1,2})\2\s?(\d{1,4})\.?(?!\d)/;
const COMPACT = /^(\d{4})(\d{2})(\d{2})(?=$|[T\s])/;
const WORD = String.raw`(\p{L}+)\.?`;
const DAY_MONTH = new RegExp(
  String.raw`^(\d{1,2})(?:er|\.)?[-/\s]\s?${WORD}[-/\s,]\s?(\d{4}|\d{2})(?!\d)(?:\s?[гr]\.)?`,
  "u",
);
const MONTH_DAY = new RegExp(String.raw`^${WORD}[-/\s](\d{1,2}),?[-/\s](\d{4}|\d{2})(?!\d)`, "u");
const YEAR_MONTH = new RegExp(String.raw`^(\d{4})\.?[-/\s]\s?${WORD}[-/\s]\s?(\d{1,2})\.?(?!\d)`, "u");
const WEEKDAY = /^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+/i;
const CLOCK =
  /^(?:T|,?\s*(?:@|at|à|o|в)?\s+|,)(\d{1,2})(?::|\s?h\s?)(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?:\s?([ap])\.?\s?m\.?)?\s*(?:(Z|[+-]\d{2}:?\d{2})|(?:UTC|GMT)([+-]\d{2}:?\d{2})?)?$/iu;
const UTC = /(?:UTC|GMT)$/i;

/** Texts of one date; a longer one is none. */
const LENGTH_MAX = 64;
/** Times that a number may stand for: orders are of these years. */
const TIME_MIN = Date.UTC(1990, 0);
const TIME_MAX = Date.UTC(2100, 0);
/** Day 0 of a spreadsheet, for days after its 29 February 1900, which never was. */
const EXCEL_ZERO = Date.UTC(1899, 11, 30);
const DAY_MS = 86_400_000;

/** What a text says in a form; null where it does not read in it, or names no real day. */
export function readDate(text: string, form: DateForm): ReadDate | null {
  if (text.length > LENGTH_MAX) return null;
  const plain = text.replace(/[\u00a0\u2007\u2009\u202f]/g, " ").trim();
  switch (form.name) {
    case "iso": {
      const found = readIso(plain);
      return found === null ? null : { ...found, shortYear: false };
    }
    case "epoch-s":
      return numbered(plain, 1000n, 0, 0);
    case "epoch-ms":
      return numbered(plain, 1n, 0, 0);
    case "excel":
      return numbered(plain.replace(",", "."), BigInt(DAY_MS), EXCEL_ZERO, null);
    default:
      return written(plain.replace(WEEKDAY, ""), form.name);
  }
}

/** Instant in ms, rounded down; null where the text does not read, or has no offset and there is no zone. */
export function parseDate(text: string, form: DateForm, zone: Zone | undefined): number | null {
  return instantOf(readDate(text, form), zone);
}

/** `unit`: ms of one. A spreadsheet's time is a fraction of a day with 15 digits, so it is the nearest ms. */
function numbered(text: string, unit: bigint, zero: number, offset: 0 | null): ReadDate | null {
  const value = /^\d{1,15}(?:\.\d*)?$/.test(text) ? parseDecimal(text) : null;
  if (value === null) return null;
  const ms = { units: value.units * unit, places: value.places };
  const local = zero + Number(offset === 0 ? ms.units / 10n ** BigInt(ms.places) : rounded(ms, 0));
  return local >= TIME_MIN && local < TIME_MAX ? { local, offset, shortYear: false } : null;
}

interface Day {
  readonly year: string;
  readonly month: number;
  readonly day: string;
  readonly length: number;
}

function written(text: string, order: "ymd" | "dmy" | "mdy"): ReadDate | null {
  const day = numbersOf(text, order) ?? namedOf(text, order);
  if (day === null) return null;
  const date = dayOf(yearOf(day.year), day.month, Number(day.day));
  const rest = text.slice(day.length).trimEnd();
  const clock = rest === "" ? { time: 0, offset: null } : clockOf(rest);
  if (date === null || clock === null) return null;
  return { local: date + clock.time, offset: clock.offset, shortYear: day.year.length === 2 };
}

function numbersOf(text: string, order: "ymd" | "dmy" | "mdy"): Day | null {
  const compact = order === "ymd" ? COMPACT.exec(text) : null;
  if (compact !== null) {
    const [{ length }, year = "", month, day = ""] = compact;
    return { year, month: Number(month), day, length };
  }
  const match = NUMBERS.exec(text);
  if (match === null) return null;
  const [{ length }, first = "", , second = "", third = ""] = match;
  const [year, month, day] =
    order === "ymd" ? [first, second, third] : order === "dmy" ? [third, second, first] : [third, first, second];
  if ((year.length !== 4 && year.length !== 2) || month.length > 2 || day.length > 2) return null;
  return { year, month: Number(month), day, length };
}

/** A month's name says itself where it stands, so such a text reads in one order alone. */
function namedOf(text: string, order: "ymd" | "dmy" | "mdy"): Day | null {
  const match = (order === "dmy" ? DAY_MONTH : order === "mdy" ? MONTH_DAY : YEAR_MONTH).exec(text);
  if (match === null) return null;
  const [{ length }, first = "", second = "", third = ""] = match;
  const [year, name, day] =
    order === "ymd" ? [first, second, third] : order === "dmy" ? [third, second, first] : [third, first, second];
  const month = monthOf(name);
  return month === undefined ? null : { year, month, day, length };
}

function yearOf(text: string): number {
  const year = Number(text);
  return text.length === 4 ? year : year < 70 ? 2000 + year : 1900 + year;
}

function clockOf(text: string): { time: number; offset: number | null } | null {
  const match = CLOCK.exec(text);
  if (match === null) return null;
  const [, hours, minute, second, fraction, half, offset, fromUtc] = match;
  const hour = hourOf(Number(hours), half?.toLowerCase());
  const time = hour === null ? null : timeOfDay(hour, Number(minute), Number(second ?? 0), fraction);
  const shift = offsetOf(fromUtc ?? offset ?? (UTC.test(text) ? "Z" : undefined));
  return time === null || shift === undefined ? null : { time, offset: shift };
}

function hourOf(hour: number, half: string | undefined): number | null {
  if (half === undefined) return hour;
  if (hour < 1 || hour > 12) return null;
  return (hour % 12) + (half === "p" ? 12 : 0);
}

/** Forms under which every sample reads, likeliest first; see `DateJudge`. Empty: these are not dates. */
export function dateForms(samples: readonly string[]): DateForm[] {
  const judge = new DateJudge();
  for (const sample of samples) judge.add(sample);
  return judge.forms();
}

/** Tells the forms of a column, one text at a time, in constant memory. Texts that are empty are passed over. */
export class DateJudge {
  #alive: DateForm[] = DATE_FORMS.map((name) => ({ name }));
  #texts = 0;
  #halves = false;
  #shortYears = 0;
  /** Different numbers in the first and the last place of texts with short years. */
  readonly #first = new Set<string>();
  readonly #last = new Set<string>();
  /** By pair of forms the first text to which they give different instants. */
  readonly #different = new Map<string, string>();
  /** Texts without an offset from UTC, which need a zone. */
  zoneless = 0;

  add(text: string): void {
    if (text.trim() === "") return;
    this.#texts++;
    const read = this.#alive.flatMap((form) => {
      const date = readDate(text, form);
      return date === null ? [] : [{ form, date }];
    });
    this.#alive = read.map(({ form }) => form);
    for (const [i, a] of read.entries()) {
      for (const b of read.slice(i + 1)) {
        const pair = `${a.form.name} ${b.form.name}`;
        if (a.date.local !== b.date.local && !this.#different.has(pair)) this.#different.set(pair, text);
      }
    }
    const found = read[0]?.date;
    if (found?.offset === null) this.zoneless++;
    this.#halves ||= /[ap]\.?\s?m\.?$/i.test(text);
    const numbers = NUMBERS.exec(text.trim());
    if (numbers !== null) {
      // Nobody writes the month first between full stops.
      if (numbers[2] === ".") this.#drop("mdy");
      if (found?.shortYear === true) {
        this.#shortYears++;
        this.#first.add(numbers[1] ?? "");
        this.#last.add(numbers[4] ?? "");
      }
    }
  }

  /** Texts whose year had two digits. */
  get shortYears(): number {
    return this.#shortYears;
  }

  /** A text to which the forms that are left give different instants; null where they agree. */
  get doubt(): string | null {
    const names = this.forms().map(({ name }) => name);
    for (const [pair, text] of this.#different) {
      const [a, b] = pair.split(" ");
      if (names.some((name) => name === a) && names.some((name) => name === b)) return text;
    }
    return null;
  }

  /** Several forms: they give every text the same instant, or `doubt` is one to which they don't. */
  forms(): DateForm[] {
    if (this.#texts === 0) return [];
    const has = (name: DateForm["name"]) => this.#alive.some((form) => form.name === name);
    // RFC 3339 is year, month, day, and says more exactly what it is.
    let forms = has("iso") ? this.#alive.filter(({ name }) => name !== "ymd") : this.#alive;
    // Years change more slowly than days: a short year comes first only where the first number changes less.
    if (this.#shortYears > 0 && this.#first.size >= this.#last.size) forms = forms.filter(({ name }) => name !== "ymd");
    return this.#halves ? [...forms].sort((a, b) => Number(b.name === "mdy") - Number(a.name === "mdy")) : [...forms];
  }

  #drop(name: DateForm["name"]): void {
    this.#alive = this.#alive.filter((form) => form.name !== name);
  }
}
