/**
 * Amounts as people and programs of several countries write them. What a mark between digits means, decimal or
 * thousands, is a form of the whole column: no single text is guessed at.
 */
import { type Decimal, minorUnitsOf, parseDecimal } from "./decimal.js";

/**
 * How a column writes its amounts. `group`: the mark between thousands, "" where none was seen. Spaces of any kind
 * and apostrophes between thousands mean nothing else, so they are understood in every form; so are signs before
 * and after, parentheses (below zero) and currency marks on either side.
 */
export interface AmountForm {
  readonly decimal: "." | ",";
  readonly group: "" | "." | "," | " " | "'";
}

/** What stands beside the digits, and the currency it surely means; "" where several use it. */
const MARKS: Readonly<Record<string, string>> = {
  "€": "EUR",
  "£": "GBP",
  "₽": "RUB",
  "руб.": "RUB",
  руб: "RUB",
  "р.": "RUB",
  р: "RUB",
  zł: "PLN",
  zl: "PLN",
  Ft: "HUF",
  "Ft.": "HUF",
  Kč: "CZK",
  "₴": "UAH",
  "грн.": "UAH",
  грн: "UAH",
  "₸": "KZT",
  "₺": "TRY",
  "₹": "INR",
  "₪": "ILS",
  "₩": "KRW",
  "₫": "VND",
  "฿": "THB",
  R$: "BRL",
  US$: "USD",
  "Fr.": "CHF",
  lei: "RON",
  "лв.": "BGN",
  лв: "BGN",
  $: "",
  "¥": "",
  kr: "",
  "kr.": "",
};
const CURRENCIES = new Map(Object.entries(MARKS).map(([mark, code]) => [mark.toLowerCase(), code]));
for (const code of Intl.supportedValuesOf("currency")) CURRENCIES.set(code.toLowerCase(), code);

const MINUS = /[\u2212\u2010\u2011\u2012\u2013\ufe63\uff0d]/g;
/** Spaces that stand between thousands: plain, no-break, figure, thin, narrow no-break. */
const SPACES = /[ \u00a0\u2007\u2009\u202f]/g;
const APOSTROPHES = /[\u2019\u02bc]/g;
const MARK = String.raw`\p{Sc}|\p{L}[\p{L}$]{0,3}\.?`;
const AROUND = new RegExp(String.raw`^([-+( ]*)(${MARK})?([-+( ]*)([\d.,].*?)([-+) ]*)(${MARK})?([-+) ]*)$`, "u");
/** "12,-" is twelve and no cents. */
const NO_CENTS = /(?<=\d[.,])-{1,2}(?=\D*$)/;
/** Characters of one amount, spaces and marks included; a longer text is none. */
const LENGTH_MAX = 64;
const NUMBER: Readonly<Record<string, RegExp>> = {
  ".": /^(?:\d*|[1-9]\d{0,2}(?:\.\d{3})+|[1-9]\d{0,2}(?:[ ']\d{3})+)$/,
  ",": /^(?:\d*|[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d{0,2}(?:[ ']\d{3})+)$/,
  "": /^(?:\d*|[1-9]\d{0,2}(?:[ ']\d{3})+)$/,
};
const FRACTION = /^\d*(?:[eE][+-]?\d{1,3})?$/;

interface Taken {
  readonly below: boolean;
  /** The digits and the marks between them; spaces plain, apostrophes straight. */
  readonly body: string;
  readonly marks: readonly string[];
}

/** What stands around the digits taken away; null where something there is no sign and no currency. */
function taken(text: string): Taken | null {
  if (text.length > LENGTH_MAX) return null;
  const plain = text.replace(MINUS, "-").replace(NO_CENTS, "").replace(SPACES, " ").replace(APOSTROPHES, "'").trim();
  const match = AROUND.exec(plain);
  if (match === null) return null;
  const [, before = "", mark, between = "", body = "", after = "", lastMark, last = ""] = match;
  const signs = (before + between + after + last).replaceAll(" ", "");
  const marks = [mark, lastMark].filter((one) => one !== undefined);
  if (marks.some((one) => !CURRENCIES.has(one.toLowerCase()))) return null;
  if (!["", "-", "+", "()"].includes(signs)) return null;
  return { below: signs === "-" || signs === "()", body, marks };
}

/** The exact value of an amount under a form; null where the text is no amount in it. An empty text is none. */
export function readAmount(text: string, { decimal, group }: AmountForm): Decimal | null {
  const found = taken(text);
  if (found === null) return null;
  const at = found.body.lastIndexOf(decimal);
  const exponent = at < 0 ? /[eE]/.exec(found.body)?.index : undefined;
  const end = at < 0 ? (exponent ?? found.body.length) : at;
  const whole = found.body.slice(0, end);
  const fraction = found.body.slice(at < 0 ? end : at + 1);
  const mark = group === "." || group === "," ? group : "";
  if (NUMBER[mark]?.test(whole) !== true || !FRACTION.test(fraction)) return null;
  const digits = whole.replace(/\D/g, "");
  const value = parseDecimal(at < 0 ? digits + fraction : `${digits}.${fraction}`);
  if (value === null || !found.below) return value;
  return { ...value, units: -value.units };
}

/**
 * Minor units at `scale`, exactly; the text itself where it is no amount in this form, and what is a fraction of a
 * minor unit as a number that is not whole, for the kernel to refuse each with its reason.
 */
export function parseAmount(text: string, form: AmountForm, scale: number): number | string {
  const value = readAmount(text, form);
  return value === null ? text : minorUnitsOf(value, scale);
}

/** The currency that an amount's mark surely means, as ISO 4217 has it; undefined for none, or one of several. */
export function currencyOf(text: string): string | undefined {
  const codes = new Set(taken(text)?.marks.map((mark) => CURRENCIES.get(mark.toLowerCase()) ?? ""));
  codes.delete("");
  return codes.size === 1 ? [...codes][0] : undefined;
}

/** Whether two forms give a text the same value, or neither gives it one. */
export function sameAmount(text: string, a: AmountForm, b: AmountForm): boolean {
  const [left, right] = [readAmount(text, a), readAmount(text, b)];
  if (left === null || right === null) return left === right;
  return left.units * 10n ** BigInt(right.places) === right.units * 10n ** BigInt(left.places);
}

/** Forms under which every sample reads, likeliest first; see `AmountJudge`. Empty: these are not amounts. */
export function amountForms(samples: readonly string[]): AmountForm[] {
  const judge = new AmountJudge();
  for (const sample of samples) judge.add(sample);
  return judge.forms();
}

const DECIMALS = [".", ","] as const;

/**
 * Tells the forms of a column, one text at a time, in constant memory. Texts that are empty are passed over. A mark
 * is decimal or thousands; the form's `group` is what was seen and no more, so that a later text that would tell the
 * readings apart fails to read instead of being misread.
 */
export class AmountJudge {
  /** By decimal mark: every text so far reads under it; some text needs the other mark between thousands. */
  readonly #alive = { ".": true, ",": true };
  readonly #grouped = { ".": false, ",": false };
  #texts = 0;
  #space = false;
  #apostrophe = false;
  /** The first text that the two readings, where both are left, give different values; null while there is none. */
  doubt: string | null = null;

  add(text: string): void {
    if (text.trim() === "") return;
    this.#texts++;
    for (const decimal of DECIMALS) {
      if (!this.#alive[decimal]) continue;
      if (readAmount(text, { decimal, group: "" }) !== null) continue;
      this.#grouped[decimal] = true;
      this.#alive[decimal] = readAmount(text, wide(decimal)) !== null;
    }
    const body = taken(text)?.body ?? "";
    this.#space ||= body.includes(" ");
    this.#apostrophe ||= body.includes("'");
    if (this.doubt === null && !sameAmount(text, wide("."), wide(","))) this.doubt = text;
  }

  /** None, one, or two: then both give every text the same value, or `doubt` is one that they don't. */
  forms(): AmountForm[] {
    if (this.#texts === 0) return [];
    // A doubt is a mark before three digits, and money has seldom three decimals.
    return DECIMALS.filter((decimal) => this.#alive[decimal])
      .map((decimal) => ({ decimal, group: this.#group(decimal) }))
      .sort((a, b) => Number(this.#grouped[b.decimal]) - Number(this.#grouped[a.decimal]));
  }

  #group(decimal: "." | ","): AmountForm["group"] {
    if (this.#grouped[decimal]) return other(decimal);
    return this.#apostrophe ? "'" : this.#space ? " " : "";
  }
}

function other(decimal: "." | ","): "." | "," {
  return decimal === "." ? "," : ".";
}

function wide(decimal: "." | ","): AmountForm {
  return { decimal, group: other(decimal) };
}
