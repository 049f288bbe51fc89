/** From what a file's rows say, and what the user said, to how each value is read; and what stays in doubt. */
import { currencyDecimals } from "../../runtime/config/currency.js";
import { type AmountForm, currencyOf, readAmount } from "./amount.js";
import type { FoundColumns } from "./columns.js";
import { type DateForm, parseDate } from "./date.js";
import { type Decimal, decimalText } from "./decimal.js";
import { type Doubt, shellWord } from "./doubt.js";
import type { EncodingFound } from "./encoding.js";
import { instantText, Zone } from "./instant.js";
import type { KindRules, RowKind } from "./kinds.js";
import type { FileField, MappingOptions } from "./mapping.js";
import type { ReadingOptions } from "./reading.js";
import type { Survey } from "./survey.js";

export interface Settled {
  readonly mapping: Omit<MappingOptions, "map">;
  readonly doubts: readonly Doubt[];
  /** The one currency of all amounts; null where there are several, or none is known. */
  readonly currency: string | null;
  /** Where form and scale of a field come from. */
  readonly why: Readonly<Partial<Record<FileField, string>>>;
}

export interface Evidence {
  readonly found: FoundColumns;
  readonly survey: Survey;
  readonly options: ReadingOptions;
  readonly encoding: EncodingFound;
  /** The amount is made of several columns. */
  readonly isProduct: boolean;
  readonly rowIds: boolean;
}

export function settle(evidence: Evidence): Settled {
  const { found, survey, options, rowIds } = evidence;
  const doubts: Doubt[] = [...encodingDoubts(evidence.encoding), ...columnDoubts(found)];
  if (rowIds) {
    doubts.push({
      about: "id",
      seen: "no column says which order a row is of",
      readings: [
        { reads: "each row is an order of its own, named by its number", option: "" },
        { reads: "rows with the same id are the same order", option: "--map id=COLUMN" },
      ],
      stops: false,
    });
  }
  const date = settleDate(evidence, doubts);
  const currency = settleCurrency(evidence, doubts);
  const lines = settleLines(evidence, doubts);
  const amount = settleAmount(evidence, currency.all, lines === true, doubts);
  const kinds = settleKinds(evidence, doubts);
  negativeDoubts(evidence, kinds, doubts);
  const wholeIds = survey.wholeDecimals > 0 && (!found.isExplicit || lines === true);
  const mapping: Omit<MappingOptions, "map"> = {
    scale: amount.scale,
    amountForm: amount.form,
    dateForm: date.form,
    zone: date.zone,
    kinds,
    lines,
    wholeIds: options.wholeIds ?? wholeIds,
    currencyMarks: currency.marks,
    currency: currency.rest,
    currencies: currency.texts,
    rowIds: rowIds ? "" : undefined,
  };
  const one = currency.all.length === 1 ? (currency.all[0] as string) : null;
  return { mapping, doubts, currency: one, why: { time: date.why, amount: amount.why, currency: currency.why } };
}

function encodingDoubts({ encoding, others, example }: EncodingFound): Doubt[] {
  if (encoding === null || others.length === 0) return [];
  return [
    {
      about: "encoding",
      seen: "letters beyond ASCII make sense in more than one encoding",
      readings: [encoding, ...others].map((name, i) => ({ reads: example[i] ?? "", option: `--encoding ${name}` })),
      stops: false,
    },
  ];
}

function columnDoubts({ fields, product }: FoundColumns): Doubt[] {
  const doubts: Doubt[] = [];
  for (const field of ["customer", "time", "amount"] as const) {
    const found = fields[field];
    if (found === undefined || found.others.length === 0) continue;
    doubts.push({
      about: "column",
      seen: `more than one column could be the ${field}`,
      readings: [found.name, ...found.others.slice(0, 3)].map((name) => ({
        reads: name,
        option: `--map ${shellWord(`${field}=${name}`)}`,
      })),
      stops: false,
    });
  }
  if (product !== undefined && product.price.others.length > 0) {
    doubts.push({
      about: "column",
      seen: "more than one column could be the price of a line",
      readings: [product.price.name, ...product.price.others.slice(0, 3)].map((name) => ({
        reads: `${product.quantity.name} × ${name}`,
        option: `--map ${shellWord(`amount="${product.quantity.name}" * "${name}"`)}`,
      })),
      stops: false,
    });
  }
  return doubts;
}

const ORDER_OF_DATE: Readonly<Record<string, string>> = {
  iso: "year-month-day",
  ymd: "year, month, day",
  dmy: "day, month, year",
  mdy: "month, day, year",
  "epoch-s": "seconds since 1970",
  "epoch-ms": "milliseconds since 1970",
  excel: "a spreadsheet's day numbers",
};

function settleDate(
  { survey, options, found }: Evidence,
  doubts: Doubt[],
): { form: DateForm | undefined; zone: Zone | undefined; why: string } {
  const { dates } = survey;
  const picked = dateForm(survey, options, found.isExplicit, doubts);
  const name = picked.form?.name ?? "iso";
  const isAbsolute = name === "epoch-s" || name === "epoch-ms" || dates.zoneless === null;
  const form = found.isExplicit && (name === "iso" || name === "epoch-ms") ? undefined : picked.form;
  if (isAbsolute || options.zone !== undefined) return { form, zone: options.zone, why: picked.why };
  if (options.sourceZone !== undefined) {
    return {
      form,
      zone: new Zone(options.sourceZone),
      why: `${picked.why}; in ${options.sourceZone}, the source's zone`,
    };
  }
  const zone = new Zone("UTC");
  const text = dates.zoneless ?? "";
  const as = (one: Zone) => instantText(parseDate(text, picked.form ?? { name: "iso" }, one) ?? 0);
  doubts.push({
    about: "zone",
    seen: "times don't say their zone",
    readings: [
      { reads: `UTC: ${text} is ${as(zone)}`, option: "--zone UTC" },
      { reads: `Warsaw's clocks: it is ${as(new Zone("Europe/Warsaw"))}`, option: "--zone Europe/Warsaw" },
    ],
    stops: false,
  });
  return { form, zone, why: `${picked.why}; taken as UTC` };
}

function dateForm(
  { dates, plainInstants }: Survey,
  options: ReadingOptions,
  isExplicit: boolean,
  doubts: Doubt[],
): { form: DateForm | undefined; why: string } {
  const said = (form: DateForm, because: string) => ({ form, why: `${ORDER_OF_DATE[form.name]}${because}` });
  if (options.dateForm !== undefined) return said(options.dateForm, " (--date)");
  if (plainInstants > 0) return { form: undefined, why: ORDER_OF_DATE["epoch-ms"] as string };
  const ranked = dates.ranked();
  const forms = dates.judged.forms();
  const [first, second] = forms;
  const doubt = dates.judged.doubt;
  if (first !== undefined && (second === undefined || doubt === null)) {
    const rival = ranked.find(({ form, miss }) => isOrder(form) && form.name !== first.name && miss !== null);
    const proof = isOrder(first) && rival?.miss != null ? `, as row ${rival.miss.row} shows: ${rival.miss.text}` : "";
    return said(first, first.name === "dmy" || first.name === "mdy" ? proof : "");
  }
  const stop = (seen: string, among: readonly DateForm[], text: string) => {
    doubts.push({
      about: "date",
      seen,
      readings: among.map((form) => ({
        reads: `${ORDER_OF_DATE[form.name]}: ${text} is ${dayText(text, form)}`,
        option: `--date ${form.name}`,
      })),
      stops: true,
    });
  };
  if (first !== undefined) {
    stop(`all dates read in more than one order, such as ${doubt}`, forms, doubt ?? "");
    return said(first, "");
  }
  const [best, next] = ranked;
  if (best === undefined || dates.texts === 0) return { form: undefined, why: "" };
  // Today an instant may be of RFC 3339 in one row and of milliseconds in the next.
  const today = ranked.filter(({ form }) => form.name === "iso" || form.name === "epoch-ms");
  if (isExplicit && today.reduce((sum, { reads }) => sum + reads, 0) === dates.texts) {
    return { form: undefined, why: ORDER_OF_DATE.iso as string };
  }
  if (best.reads >= dates.texts * SURELY && (next === undefined || next.reads < dates.texts * HARDLY)) {
    const { miss, reads } = best;
    const missing = dates.texts - reads;
    return said(
      best.form,
      `; not so in ${missing === 1 ? "one row" : `${missing} rows`}, such as row ${miss?.row}: ${miss?.text}`,
    );
  }
  const among = ranked.filter(({ reads }) => reads > 0).slice(0, 2);
  const text = among[1]?.miss?.text ?? best.miss?.text ?? "";
  stop(
    `dates are not all written alike: row ${best.miss?.row} (${best.miss?.text}) does not read as ${ORDER_OF_DATE[best.form.name]}`,
    among.map(({ form }) => form),
    text,
  );
  return said(best.form, "");
}

/** A form that reads this share of the dates is theirs; the rest is left out, and said. */
const SURELY = 0.98;
/** Unless another reads so many. */
const HARDLY = 0.7;

function isOrder({ name }: DateForm): boolean {
  return name === "dmy" || name === "mdy" || name === "ymd";
}

function dayText(text: string, form: DateForm): string {
  const ms = parseDate(text, form, new Zone("UTC"));
  return ms === null ? "no date" : new Date(ms).toUTCString().slice(5, 16);
}

interface Currencies {
  /** All that amounts are in. */
  readonly all: readonly string[];
  /** Of amounts without one of their own. */
  readonly rest: string | undefined;
  readonly marks: boolean;
  /** ISO 4217 of texts of the currency column that are not. */
  readonly texts: Readonly<Record<string, string>> | undefined;
  readonly why: string;
}

/** Marks that several currencies share: the likeliest first, where one is. */
const SHARED: Readonly<Record<string, { taken: string | undefined; among: readonly string[] }>> = {
  $: { taken: "USD", among: ["USD", "CAD", "AUD"] },
  "¥": { taken: undefined, among: ["JPY", "CNY"] },
  kr: { taken: undefined, among: ["SEK", "NOK", "DKK"] },
};

function settleCurrency({ found, survey, options }: Evidence, doubts: Doubt[]): Currencies {
  const { marks } = survey.amounts;
  const told = options.currency ?? found.currency;
  if (found.fields.currency !== undefined) {
    const texts: Record<string, string> = {};
    const all = new Set<string>();
    for (const text of survey.currencies.rows.keys()) {
      const code = text === "" ? told : isoOf(text);
      if (code === undefined) continue;
      if (code !== text && text !== "") texts[text] = code;
      all.add(code);
    }
    return {
      all: [...all],
      rest: told,
      marks: marks.size > 0,
      texts: Object.keys(texts).length === 0 ? undefined : texts,
      why: "",
    };
  }
  const own = [...marks.keys()].filter((mark) => /^[A-Z]{3}$/.test(mark));
  const shared = [...marks.keys()]
    .map((mark) => ({ mark, ...SHARED[mark.toLowerCase()] }))
    .filter(({ among }) => among);
  const [one] = shared;
  const rest = told ?? (own.length === 0 ? one?.taken : undefined);
  const all = [...new Set([...own, ...(rest === undefined ? [] : [rest])])];
  const why =
    options.currency !== undefined
      ? "--currency"
      : found.currency !== undefined
        ? "the column's name"
        : "as marked in the amounts";
  if (told === undefined && one !== undefined) {
    doubts.push({
      about: "currency",
      seen: `several currencies are written ${one.mark}`,
      readings: (one.among ?? []).map((code) => ({ reads: code, option: `--currency ${code}` })),
      stops: false,
    });
  } else if (all.length === 0 && !found.isExplicit) {
    doubts.push({
      about: "currency",
      seen: "nothing says the currency of the amounts",
      readings: [
        { reads: "the configuration's, EUR where there is none", option: "" },
        { reads: "another", option: "--currency PLN" },
      ],
      stops: false,
    });
  }
  return { all, rest, marks: own.length > 0, texts: undefined, why: all.length === 0 ? "" : why };
}

function isoOf(text: string): string | undefined {
  const upper = text.toUpperCase();
  return /^[A-Z]{3}$/.test(upper) && CODES.has(upper)
    ? upper
    : (currencyOf(`1 ${text}`) ?? SHARED[text.toLowerCase()]?.taken);
}

const CODES = new Set(Intl.supportedValuesOf("currency"));

function settleLines({ survey, options, found, isProduct, rowIds }: Evidence, doubts: Doubt[]): boolean | undefined {
  const { rows, different, empty, first } = survey.repeats;
  if (options.lines !== undefined || rowIds || first === null) return options.lines;
  if (found.isExplicit) return undefined;
  if (isProduct) return true;
  const { id, amounts } = first;
  const seen = `${rows === 1 ? "a row repeats the id of an earlier one" : `${rows} rows repeat the id of an earlier one`}: ${id}, ${amounts[0] || "no amount"} and ${amounts[1] || "no amount"}`;
  const sum = { reads: "lines of one order: their amounts are added", option: "--lines" };
  const once = { reads: "the order's total, repeated: it counts once", option: "--no-lines" };
  if (different > 0 || empty === rows) {
    // Another amount under the same id is no repeat; an empty one adds nothing.
    if (different > 0)
      doubts.push({
        about: "lines",
        seen,
        readings: [sum, { ...once, reads: "the first row counts, the others are dead letters" }],
        stops: false,
      });
    return true;
  }
  doubts.push({ about: "lines", seen, readings: [once, sum], stops: true });
  return undefined;
}

function settleAmount(
  { survey, options, found, isProduct }: Evidence,
  currencies: readonly string[],
  lines: boolean,
  doubts: Doubt[],
): { form: AmountForm | undefined; scale: number | undefined; why: string } {
  const { amounts } = survey;
  if (amounts.texts === 0) return { form: undefined, scale: options.scale, why: "" };
  const form = amountForm(survey, options, found, doubts);
  const ranked = amounts.ranked();
  const {
    places = 0,
    areWhole = true,
    areMostlyWhole = true,
  } = ranked.find(({ decimal }) => decimal === (form?.decimal ?? ".")) ?? {};
  const decimals = Math.max(...(currencies.length === 0 ? ["EUR"] : currencies).map(currencyDecimals));
  const isWhole = areWhole && !isProduct;
  const how = form === undefined || (areWhole && form.group === "") ? "" : formText(form);
  const why = (more: string) => [how, more].filter((part) => part !== "").join("; ");
  if (options.scale !== undefined)
    return { form, scale: options.scale, why: why(`${options.scale} decimals (--scale)`) };
  if (found.minor && isWhole) return { form, scale: 0, why: why("minor units, as its name says") };
  if (found.isExplicit && areMostlyWhole && !isProduct && !isWhole) {
    doubts.push({
      about: "scale",
      seen: "a few amounts have decimals, most are whole numbers",
      readings: [
        { reads: "minor units: one with decimals is refused", option: "" },
        { reads: "all have decimals", option: `--scale ${Math.max(places, decimals)}` },
      ],
      stops: false,
    });
  }
  if (found.isExplicit && areMostlyWhole && !isProduct) return { form, scale: undefined, why: why("minor units") };
  if (isProduct || (lines && places > decimals))
    return { form, scale: decimals, why: why(`rounded to ${decimals} decimals, once an order`) };
  if (places > decimals) return { form, scale: Math.min(places, SCALE_MAX), why: why(`${places} decimals are seen`) };
  const isSettled = !doubts.some(({ stops, about }) => stops && about === "decimal");
  if (isWhole && isSettled && decimals > 0 && amounts.marks.size === 0 && found.currency === undefined) {
    const text = survey.first === null ? "" : amounts.example;
    const whole = readAmount(text, form ?? { decimal: ".", group: "" });
    doubts.push({
      about: "scale",
      seen: "amounts are whole numbers",
      readings: [
        {
          reads: `whole units: ${text} is ${whole === null ? "" : fixed(whole, decimals)}`,
          option: `--scale ${decimals}`,
        },
        {
          reads: `the smallest unit: ${text} is ${whole === null ? "" : fixed({ units: whole.units, places: whole.places + decimals }, decimals)}`,
          option: "--scale 0",
        },
      ],
      stops: false,
    });
  }
  return { form, scale: decimals, why: how };
}

const SCALE_MAX = 6;

/** `12.30` */
function fixed({ units, places }: Decimal, decimals: number): string {
  return decimalText({
    units: units * 10n ** BigInt(Math.max(0, decimals - places)),
    places: Math.max(places, decimals),
  });
}

function formText({ decimal, group }: AmountForm): string {
  const names: Readonly<Record<string, string>> = { ".": "point", ",": "comma", " ": "space", "'": "apostrophe" };
  const thousands = group === "" ? "" : `, ${names[group]} between thousands`;
  return `decimal ${names[decimal]}${thousands}`;
}

function amountForm(
  { amounts }: Survey,
  options: ReadingOptions,
  found: FoundColumns,
  doubts: Doubt[],
): AmountForm | undefined {
  const other = (decimal: "." | ","): AmountForm => ({ decimal, group: decimal === "." ? "," : "." });
  if (options.decimal !== undefined) return other(options.decimal);
  // Today's options say that amounts are digits with a point.
  if (found.isExplicit && amounts.arePlain && (options.scale !== undefined || amounts.judged.doubt === null))
    return undefined;
  const forms = amounts.judged.forms();
  const [first] = forms;
  const doubt = amounts.judged.doubt;
  const stop = (seen: string, text: string) => {
    doubts.push({
      about: "decimal",
      seen,
      readings: ([".", ","] as const).map((decimal) => {
        const value = readAmount(text, other(decimal));
        return {
          reads: `decimal ${decimal === "." ? "point" : "comma"}: ${text} is ${value === null ? "no amount" : decimalText(value)}`,
          option: `--decimal ${decimal}`,
        };
      }),
      stops: true,
    });
  };
  if (first !== undefined) {
    if (forms.length > 1 && doubt !== null) stop(`amounts read with either decimal mark, such as ${doubt}`, doubt);
    return first;
  }
  const [best, next] = amounts.ranked();
  if (best === undefined) return undefined;
  const [row, text] = [best.miss?.row, best.miss?.text ?? ""];
  if (best.reads >= amounts.texts * SURELY && (next === undefined || next.reads < amounts.texts * HARDLY))
    return other(best.decimal);
  stop(`amounts are not all written alike: row ${row} has ${text}`, text);
  return other(best.decimal);
}

function settleKinds({ survey, options, found }: Evidence, doubts: Doubt[]): KindRules | undefined {
  if (options.kinds !== undefined || found.fields.kind === undefined || found.isExplicit) return options.kinds;
  const texts: Record<string, RowKind> = {};
  const unknown: string[] = [];
  for (const text of survey.kinds.rows.keys()) {
    const kind = survey.kindOf(text);
    if (kind === undefined) unknown.push(text);
    texts[text] = kind ?? "skip";
  }
  if (unknown.length > 0) {
    const told = Object.entries(texts).filter(([text]) => text !== "");
    const option = (kind: RowKind) =>
      `--kind ${shellWord(told.map(([text, each]) => `${text}=${unknown.includes(text) ? kind : each}`).join(","))}`;
    const rows = unknown.reduce((sum, text) => sum + (survey.kinds.rows.get(text) ?? 0), 0);
    doubts.push({
      about: "kind",
      seen: `${rows === 1 ? "one row is" : `${rows} rows are`} of a kind not known here: ${unknown
        .slice(0, 4)
        .map((text) => text || "(none)")
        .join(", ")}`,
      readings: [
        { reads: "left out", option: option("skip") },
        { reads: "orders", option: option("order") },
      ],
      stops: false,
    });
  }
  return { texts, ids: [] };
}

function negativeDoubts({ survey, options, found }: Evidence, kinds: KindRules | undefined, doubts: Doubt[]): void {
  const { rows, row, text, initials } = survey.negative;
  if (rows === 0 || kinds?.negative !== undefined || (options.kinds?.ids ?? []).length > 0) return;
  if (found.fields.kind !== undefined) return; // a refund's sign says nothing
  const [initial] = initials;
  const byId = initials.size === 1 && initial !== undefined && initial !== "" && !survey.initials.has(initial);
  doubts.push({
    about: "negative",
    seen: `${rows === 1 ? "one row has" : `${rows} rows have`} an amount below zero, the first is row ${row}: ${text}`,
    readings: [
      { reads: "no orders: an order below zero is refused", option: "--kind skip=negative" },
      { reads: "refunds", option: byId ? `--kind 'refund=${initial}*'` : "--kind refund=negative" },
    ],
    stops: false,
  });
}
