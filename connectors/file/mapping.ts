/** From a row of a file to an order event: which column is which field, and how its texts are read. */
import { InputError } from "../../runtime/errors.js";
import { KINDS, type Kind } from "../../runtime/record.js";
import { type AmountForm, parseAmount } from "./amount.js";
import { type DateForm, parseDate } from "./date.js";
import { minorUnits } from "./decimal.js";
import { parseInstant, type Zone } from "./instant.js";

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

/** Column (or path, with dots) of each field that is not the column of its own name; "" for none. */
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
  /** Kind of each text of the kind column; rows with another text are left out. Undefined: the texts are kinds. */
  readonly kinds?: Readonly<Record<string, Kind>> | undefined;
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

/** Reads `sale=order,refund=refund`. Throws InputError (USAGE). */
export function parseKinds(texts: readonly string[]): Readonly<Record<string, Kind>> | undefined {
  if (texts.length === 0) return undefined;
  const kinds: Record<string, Kind> = Object.create(null) as Record<string, Kind>;
  for (const pair of texts.flatMap((text) => text.split(","))) {
    const at = pair.lastIndexOf("=");
    const kind = KINDS.find((known) => known === pair.slice(at + 1).trim());
    if (at < 0 || kind === undefined) {
      throw new InputError("USAGE", `--kind ${pair}: expected text=kind`, {
        remedy: `The kinds are ${KINDS.join(", ")}; for example --kind sale=order,refund=refund.`,
      });
    }
    kinds[pair.slice(0, at).trim()] = kind;
  }
  return kinds;
}

function isFileField(text: string): text is FileField {
  return (FILE_FIELDS as readonly string[]).includes(text);
}

/**
 * Where each field stands in a row of this header, -1 for nowhere. Throws InputError (USAGE) where a column that
 * the options name, or one that every event needs, is not there.
 */
export function columnsOf(header: readonly string[], options: MappingOptions, name: string): Record<FileField, number> {
  const columns = {} as Record<FileField, number>;
  for (const field of FILE_FIELDS) {
    const wanted = options.map[field];
    columns[field] = header.indexOf(wanted ?? field);
    if (wanted !== undefined && wanted !== "" && columns[field] < 0) {
      throw new InputError("USAGE", `${name} has no column ${JSON.stringify(wanted)}`, { remedy: has(header) });
    }
  }
  const needed = options.kinds === undefined ? NEEDED : [...NEEDED, "kind" as const];
  const missing = needed.filter((field) => columns[field] < 0);
  if (missing.length > 0) {
    throw new InputError("USAGE", `${name} has no column for ${missing.join(", ")}`, {
      remedy: `Name it: --map ${missing.map((field) => `${field}=COLUMN`).join(",")}. ${has(header)}`,
    });
  }
  return columns;
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

/** Turns rows into events. One for each file: it knows how to look a field up. */
export class Mapping<Row> {
  readonly #options: MappingOptions;
  readonly #lookup: Lookup<Row>;

  constructor(options: MappingOptions, lookup: Lookup<Row>) {
    this.#options = options;
    this.#lookup = lookup;
  }

  /** The event of a row, or the text of its kind where `kinds` leaves it out. Never throws. */
  event(row: Row): Mapped | string {
    const { kinds } = this.#options;
    const event: OrderEvent = {};
    let kind: unknown = textOf(this.#lookup(row, "kind"));
    if (kinds !== undefined) {
      const known = kinds[kind === undefined ? "" : String(kind)];
      if (known === undefined) return kind === undefined ? "" : String(kind);
      kind = known;
    }
    for (const field of ["id", "customer", "channel", "currency", "order"] as const) {
      const value = textOf(this.#lookup(row, field));
      if (value !== undefined) event[field] = value;
    }
    if (kind !== undefined && kind !== "order") event.kind = kind;
    const time = textOf(this.#lookup(row, "time"));
    const instant = typeof time === "string" ? this.#instant(time) : null;
    if (time !== undefined) event.time = instant ?? time;
    const found = this.#lookup(row, "amount");
    const amount = textOf(found);
    if (typeof amount === "string") {
      const units = this.#units(amount, typeof found === "string");
      // A refund says what was given back; shops write it below zero.
      event.amount = kind === "refund" && typeof units === "number" ? Math.abs(units) : units;
    } else if (amount !== undefined) event.amount = amount;
    const version = textOf(this.#lookup(row, "version"));
    if (version !== undefined) event.version = typeof version === "string" ? this.#version(version) : version;
    const test = textOf(this.#lookup(row, "test"));
    if (test !== undefined) event.test = typeof test === "string" ? truthOr(test) : test;
    return { event, time: instant };
  }

  #instant(text: string): number | null {
    const { dateForm, zone } = this.#options;
    return dateForm === undefined ? parseInstant(text, zone) : parseDate(text, dateForm, zone);
  }

  /** A version is a time or a number of its own. */
  #version(text: string): number | string {
    return this.#instant(text) ?? parseInstant(text, this.#options.zone) ?? text;
  }

  /** A number of JSON or MessagePack has a decimal point, whatever the texts of its column have. */
  #units(amount: string, isText: boolean): number | string {
    const { amountForm, scale = 0 } = this.#options;
    return amountForm === undefined || !isText ? minorUnits(amount, scale) : parseAmount(amount, amountForm, scale);
  }
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
