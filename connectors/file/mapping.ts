/** From a row of a file to an order event: which column is which field, and how its texts are read. */
import { InputError } from "../../runtime/errors.js";
import { type AmountForm, currencyOf, readAmount } from "./amount.js";
import { type DateForm, parseDate } from "./date.js";
import { type Decimal, minorUnitsOf, parseDecimal, rounded } from "./decimal.js";
import { type Expression, parseExpression } from "./expression.js";
import { parseInstant, type Zone } from "./instant.js";
import { type KindRules, kindOfId } from "./kinds.js";

/** The fields of an order event that a file can give. */
export const FILE_FIELDS = [
  "id",
  "customer",
  "time",
  "amount",
  "channel",
  "currency",
  "kind",
  "order",
  "version",
  "test",
] as const;
export type FileField = (typeof FILE_FIELDS)[number];
const NEEDED: readonly FileField[] = ["id", "customer", "time"];

/**
 * Column (or path, with dots) of each field that is not the column of its own name; "" for none. Of the amount also
 * an expression of several; see expression.ts.
 */
export type ColumnMap = Readonly<Partial<Record<FileField, string>>>;

export interface MappingOptions {
  readonly map: ColumnMap;
  /** Decimal digits after the point that are one minor unit; undefined: amounts are minor units. */
  readonly scale?: number | undefined;
  /** How texts write amounts; undefined: digits with a point. Numbers that are not texts have none. */
  readonly amountForm?: AmountForm | undefined;
  /** How texts write times; undefined: RFC 3339, or ms since 1970. */
  readonly dateForm?: DateForm | undefined;
  /** Of times without an offset; undefined: such a time is left as it is and the kernel refuses it. */
  readonly zone?: Zone | undefined;
  /** Which rows are orders, refunds and cancels. Undefined: the texts of the kind column, where there is one, are kinds. */
  readonly kinds?: KindRules | undefined;
  /** Ids that a spreadsheet wrote as decimals are whole numbers: 17850.0 is 17850. */
  readonly wholeIds?: boolean | undefined;
  /** Where no column gives the currency, an amount's own mark does (zł, EUR); see `currencyOf`. */
  readonly currencyMarks?: boolean | undefined;
  /** Rows of one order id are the lines of one order; see orderlines.ts. */
  readonly lines?: boolean | undefined;
  /** ISO 4217, of amounts for which neither a column nor a mark says one. */
  readonly currency?: string | undefined;
  /** ISO 4217 of texts of the currency column that are none: zł, eur. */
  readonly currencies?: Readonly<Record<string, string>> | undefined;
  /** Where no column is the id: what the row's number is put behind to be it. */
  readonly rowIds?: string | undefined;
}

/** An order event as it goes into a message. What the file lacks is absent; what can't be read is as it was. */
export interface OrderEvent {
  id?: unknown;
  customer?: unknown;
  time?: unknown;
  amount?: unknown;
  channel?: unknown;
  currency?: unknown;
  kind?: unknown;
  order?: unknown;
  version?: unknown;
  test?: unknown;
}

/** The text (CSV) or value (NDJSON, MessagePack) of a field in one row; undefined for none. */
export type Lookup<Row> = (row: Row, field: FileField) => unknown;

/** Reads `customer=CustomerID,time=ts`. Several are merged. Throws InputError (USAGE). */
export function parseMap(texts: readonly string[]): ColumnMap {
  const map: Partial<Record<FileField, string>> = {};
  for (const text of texts) {
    // A column's name may hold a comma: the next pair begins where a comma is followed by a field and "=".
    for (const pair of text.split(new RegExp(`,(?=\\s*(?:${FILE_FIELDS.join("|")})=)`))) {
      const at = pair.indexOf("=");
      const field = pair.slice(0, Math.max(at, 0)).trim();
      if (!isFileField(field)) {
        throw new InputError("USAGE", `--map ${pair}: expected field=column`, {
          remedy: `The fields are ${FILE_FIELDS.join(", ")}.`,
        });
      }
      map[field] = pair.slice(at + 1).trim();
    }
  }
  return map;
}

function isFileField(text: string): text is FileField {
  return (FILE_FIELDS as readonly string[]).includes(text);
}

/** Where the fields stand in a row of a file with a header. */
export interface Columns {
  /** -1 for nowhere. */
  readonly fields: Readonly<Record<FileField, number>>;
  /** Of an amount that is made of several columns: where they stand. */
  readonly operands: readonly number[];
  readonly expression: Expression | undefined;
}

/**
 * Where each field stands in a row of this header. A column that is called so comes before an expression. Throws InputError (USAGE) where a column that
 * the options name, or one that every event needs, is not there.
 */
export function columnsOf(header: readonly string[], options: MappingOptions, name: string): Columns {
  const fields = {} as Record<FileField, number>;
  let expression: Expression | undefined;
  for (const field of FILE_FIELDS) {
    const wanted = options.map[field];
    fields[field] = wanted === "" ? -1 : header.indexOf(wanted ?? field);
    if (wanted === undefined || wanted === "" || fields[field] >= 0) continue;
    if (field === "amount") expression = parseExpression(wanted) ?? undefined;
    const absent = expression === undefined ? wanted : expression.columns.find((column) => !header.includes(column));
    if (absent !== undefined) {
      throw new InputError("USAGE", `${name} has no column ${JSON.stringify(absent)}`, { remedy: has(header) });
    }
  }
  const needed = options.kinds?.texts === undefined ? NEEDED : [...NEEDED, "kind" as const];
  const missing = needed.filter((field) => fields[field] < 0 && !(field === "id" && options.rowIds !== undefined));
  if (missing.length > 0) {
    throw new InputError("USAGE", `${name} has no column for ${missing.join(", ")}`, {
      remedy: `Name it: --map ${missing.map((field) => `${field}=COLUMN`).join(",")}. ${has(header)}`,
    });
  }
  return { fields, expression, operands: (expression?.columns ?? []).map((column) => header.indexOf(column)) };
}

/** Of rows with named members: the expression that the amount is, undefined where it is one member. */
export function memberExpression(amount: string | undefined): Expression | undefined {
  if (amount === undefined) return undefined;
  const found = parseExpression(amount);
  return found === null || found.columns[0] === amount ? undefined : found;
}

function has(header: readonly string[]): string {
  return `Its columns are ${header.join(", ")}.`;
}

/** Of a value with named members: the member of that name, or what a path with dots leads to. */
export function memberAt(value: unknown, path: string): unknown {
  if (typeof value !== "object" || value === null || path === "") return undefined;
  const members = value as Readonly<Record<string, unknown>>;
  if (Object.hasOwn(members, path)) return members[path];
  const dot = path.indexOf(".");
  return dot < 0 ? undefined : memberAt(members[path.slice(0, dot)], path.slice(dot + 1));
}

export interface Mapped {
  readonly event: OrderEvent;
  /** Event time in ms, null where it can't be read. */
  readonly time: number | null;
}

/** What a row says, its amount exact and apart. */
export interface Line extends Mapped {
  /** Undefined for none, or for one that can't be read: that is in the event as it was. */
  readonly amount: Decimal | undefined;
}

/** How an amount that is an expression finds its columns in a row. */
export interface Operands<Row> {
  readonly expression: Expression;
  /** The text or value of the expression's n-th column. */
  readonly lookup: (row: Row, n: number) => unknown;
}

/** Turns rows into events. One for each file: it knows how to look a field up. */
export class Mapping<Row> {
  readonly #options: MappingOptions;
  readonly #lookup: Lookup<Row>;
  readonly #operands: Operands<Row> | undefined;

  constructor(options: MappingOptions, lookup: Lookup<Row>, operands?: Operands<Row>) {
    this.#options = options;
    this.#lookup = lookup;
    this.#operands = operands;
  }

  /** What a row says, or what left it out: the text or the pattern of its kind. Never throws. */
  line(row: Row): Line | string {
    const { kinds } = this.#options;
    const event: OrderEvent = {};
    const id = this.#id(row, "id");
    const byId = kindOfId(kinds, id);
    let kind = byId?.kind ?? textOf(this.#lookup(row, "kind"));
    if (byId === undefined && kinds?.texts !== undefined) {
      const text = kind === undefined ? "" : String(kind);
      kind = kinds.texts[text] ?? "skip";
      if (kind === "skip") return text;
    }
    if (byId?.kind === "skip") return byId.pattern;
    if (id !== undefined) event.id = id;
    const customer = this.#id(row, "customer");
    if (customer !== undefined) event.customer = customer;
    const channel = textOf(this.#lookup(row, "channel"));
    if (channel !== undefined) event.channel = channel;
    const currency = textOf(this.#lookup(row, "currency"));
    if (currency !== undefined) event.currency = this.#options.currencies?.[String(currency)] ?? currency;
    const order = this.#id(row, "order");
    if (order !== undefined) event.order = order;
    if (kind !== undefined && kind !== "order") event.kind = kind;
    const time = textOf(this.#lookup(row, "time"));
    const instant = typeof time === "string" ? this.#instant(time) : null;
    if (time !== undefined) event.time = instant ?? time;
    const amount = this.#amount(row, event);
    if (this.#options.currency !== undefined) event.currency ??= this.#options.currency;
    const version = textOf(this.#lookup(row, "version"));
    if (version !== undefined) event.version = typeof version === "string" ? this.#version(version) : version;
    const test = textOf(this.#lookup(row, "test"));
    if (test !== undefined) event.test = typeof test === "string" ? truthOr(test) : test;
    return { event, time: instant, amount };
  }

  /** The event of a row that is an order of its own; null where it is left out for its sign. */
  settled(line: Line): Mapped | null {
    return settled(line, this.#options, this.#operands !== undefined);
  }

  #id(row: Row, field: "id" | "customer" | "order"): unknown {
    const value = textOf(this.#lookup(row, field));
    if (this.#options.wholeIds !== true || typeof value !== "string") return value;
    return /^\d+\.0+$/.test(value) ? value.slice(0, value.indexOf(".")) : value;
  }

  #instant(text: string): number | null {
    const { dateForm, zone } = this.#options;
    return dateForm === undefined ? parseInstant(text, zone) : parseDate(text, dateForm, zone);
  }

  /** A version is a time or a number of its own. */
  #version(text: string): number | string {
    return this.#instant(text) ?? parseInstant(text, this.#options.zone) ?? text;
  }

  /** The exact amount; one that can't be read goes into the event as it is. */
  #amount(row: Row, event: OrderEvent): Decimal | undefined {
    const operands = this.#operands;
    const found =
      operands === undefined
        ? [this.#lookup(row, "amount")]
        : operands.expression.columns.map((_, n) => operands.lookup(row, n));
    const texts = found.map((value) => textOf(value));
    if (texts.every((text) => text === undefined)) return undefined;
    const values = found.map((value, n) => this.#decimal(texts[n], typeof value === "string"));
    if (this.#options.currencyMarks === true) {
      const marked = texts.map((text) => (typeof text === "string" ? currencyOf(text) : undefined));
      const currency = marked.find((one) => one !== undefined);
      if (currency !== undefined) event.currency ??= currency;
    }
    if (values.every((value) => value !== null)) {
      event.amount = undefined; // keeps its place among the fields
      return operands === undefined ? values[0] : operands.expression.value(values);
    }
    event.amount = operands === undefined ? texts[0] : texts.map((text) => String(text ?? "")).join(" ; ");
    return undefined;
  }

  /** A number of JSON or MessagePack has a decimal point, whatever the texts of its column have. */
  #decimal(text: unknown, isText: boolean): Decimal | null {
    if (typeof text !== "string") return null;
    const { amountForm } = this.#options;
    return amountForm === undefined || !isText ? parseDecimal(text) : readAmount(text, amountForm);
  }
}

/** What an order of a negative amount is counted under where it is left out. */
export const NEGATIVE = "negative";

/**
 * The event of a line, or of all lines of an order, with its amount in minor units; null where it is left out for
 * its sign. `made`: the amount is a sum or a product, rounded here, once; where no scale says to what, and in a
 * column's own amounts, a fraction of a minor unit is left for the kernel to refuse.
 */
export function settled({ event, time, amount }: Line, options: MappingOptions, made: boolean): Mapped | null {
  if (amount === undefined) return { event, time };
  const { scale, kinds } = options;
  let units = made && scale !== undefined ? Number(rounded(amount, scale)) : minorUnitsOf(amount, scale ?? 0);
  if (units < 0 && event.kind === undefined && kinds?.negative !== undefined) {
    if (kinds.negative === "skip") return null;
    event.kind = "refund";
  }
  // A refund says what was given back; shops write it below zero.
  if (event.kind === "refund") units = Math.abs(units);
  event.amount = units;
  return { event, time };
}

/** A cell as trimmed text; numbers and booleans as theirs; undefined for an empty one; {} for what has members. */
function textOf(value: unknown): unknown {
  if (typeof value === "string") return value.trim() === "" ? undefined : value.trim();
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") return String(value);
  return value === null || value === undefined ? undefined : {};
}

function truthOr(text: string): boolean | string {
  if (/^(?:true|1|yes)$/i.test(text)) return true;
  return /^(?:false|0|no)$/i.test(text) ? false : text;
}
