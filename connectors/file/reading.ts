/**
 * What a spreadsheet's export was taken for: encoding, delimiter, header, which column is which field, how amounts and
 * times are written. Judged over the whole file before anything counts. What has two readings that give different
 * numbers is a doubt, with the option that settles it; nothing is guessed in silence.
 */
import { InputError } from "../../runtime/errors.js";
import { type FoundColumns, findColumns } from "./columns.js";
import { type CsvOptions, readCsv } from "./csv.js";
import { csvMapping } from "./csvmapping.js";
import type { DateForm } from "./date.js";
import { decimalText } from "./decimal.js";
import { type Dialect, dialectOf } from "./dialect.js";
import type { Doubt } from "./doubt.js";
import { ByteDecoder, type Encoding, type EncodingFound, EncodingScan } from "./encoding.js";
import { type Format, formatOf } from "./format.js";
import { type InputFile, openInput } from "./input.js";
import { instantText, type Zone } from "./instant.js";
import type { KindRules } from "./kinds.js";
import {
  type ColumnMap,
  type Columns,
  columnsOf,
  FILE_FIELDS,
  type FileField,
  type MappingOptions,
} from "./mapping.js";
import { type Settled, settle } from "./settling.js";
import { Survey } from "./survey.js";

/** What the user has said; all of it settles. */
export interface ReadingOptions {
  readonly map: ColumnMap;
  readonly scale?: number | undefined;
  readonly zone?: Zone | undefined;
  readonly kinds?: KindRules | undefined;
  readonly lines?: boolean | undefined;
  readonly wholeIds?: boolean | undefined;
  readonly format?: Format | undefined;
  readonly delimiter?: string | undefined;
  /** Null: quotes are text. */
  readonly quote?: string | null | undefined;
  readonly encoding?: Encoding | undefined;
  /** False: the first row is one of orders. */
  readonly header?: boolean | undefined;
  readonly decimal?: "." | "," | undefined;
  readonly dateForm?: DateForm | undefined;
  /** ISO 4217, of amounts that have none of their own. */
  readonly currency?: string | undefined;
  /** Of the source that reads the rows: of times without an offset, after `zone`. */
  readonly sourceZone?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((share: number | null, rows: number) => void) | undefined;
}

/** What a field was taken from. */
export interface FieldReading {
  readonly field: FileField;
  readonly columns: readonly string[];
  /** Of the first row that counts: as it stands there, and as it is read; null where there is no such row. */
  readonly text: string | null;
  readonly value: string | null;
  readonly why: string;
}

export interface LeftOutRows {
  readonly reason: string;
  readonly rows: number;
  /** As a spreadsheet numbers it, and what stands there. */
  readonly firstRow: number;
  readonly text: string;
}

export interface Reading {
  readonly file: string;
  readonly encoding: { readonly name: Encoding; readonly why: string };
  readonly dialect: Dialect;
  /** As `readCsv` takes it. */
  readonly csv: CsvOptions;
  /** Names of all columns, each once; numbers where there is no header. */
  readonly header: readonly string[];
  readonly rows: number;
  /** Rows that become events, unless the kernel has something against them. */
  readonly usable: number;
  readonly fields: readonly FieldReading[];
  /** Columns that nothing was taken from. */
  readonly unused: readonly string[];
  readonly leftOut: readonly LeftOutRows[];
  readonly doubts: readonly Doubt[];
  /** The one currency of all amounts; null where there are several, or none is known. */
  readonly currency: string | null;
  /** How rows become events, every option settled. */
  readonly mapping: MappingOptions;
  /** Number of the first row that counts; null for none. */
  readonly firstRow: number | null;
}

/** Bytes of a file's beginning that delimiter, header and columns are told from. */
const HEAD_BYTES = 1 << 20;

/**
 * Reads a file through and says what it is; null for NDJSON and MessagePack, which say it themselves, and for a file
 * without rows. `name`: as the user knows it. Throws InputError (FILE_UNREADABLE, USAGE) where nothing sensible can be made of it.
 */
export async function readingOf(path: string, options: ReadingOptions, name = path): Promise<Reading | null> {
  const file = await openInput(path);
  let start: Start | null;
  try {
    if ((options.format ?? formatOf(name, file.head)) !== "csv") return null;
    start = await startOf(name, file, options);
  } finally {
    file.close();
  }
  if (start === null) return null;
  const { encoding, dialect, header, found } = start;
  const map = mapOf(found, options.map);
  const rowIds = found.fields.id === undefined ? "" : undefined;
  const columns = columnsOf(header, { map, rowIds, kinds: options.kinds }, name);
  const { isState, isExplicit } = found;
  const survey = new Survey({
    columns,
    width: header.length,
    kinds: options.kinds,
    isState,
    isExplicit,
    rowIds: rowIds !== undefined,
  });
  const csv = csvOptions(start);
  await surveyed(survey, path, name, csv, options);
  const isProduct = columns.operands.length > 0;
  const settled = settle({ found, survey, options, encoding, isProduct, rowIds: rowIds !== undefined });
  const mapping = { ...settled.mapping, map };
  const used = new Set([...Object.values(columns.fields), ...columns.operands]);
  return {
    file: name,
    encoding: { name: encoding.encoding as Encoding, why: encoding.why },
    dialect,
    csv,
    header,
    rows: survey.rows,
    usable: survey.usable,
    firstRow: survey.first?.number ?? null,
    fields: fieldsOf(found, columns, mapping, settled, survey, header),
    unused: header.filter((_, i) => !used.has(i)),
    leftOut: [...survey.leftOut.reasons].map(([reason, { rows, first, text }]) => ({
      reason,
      rows,
      firstRow: first,
      text,
    })),
    doubts: [...settled.doubts, ...clockDoubts(survey, columns, header, used)],
    currency: settled.currency,
    mapping,
  };
}

const CLOCK = /^\d{1,2}:\d{2}(?::\d{2})?(?: ?[ap]\.?m\.?)?$/i;

/** Dates without a time of day, beside a column that holds one. */
function clockDoubts(
  { first }: Survey,
  { fields }: Columns,
  header: readonly string[],
  used: ReadonlySet<number>,
): Doubt[] {
  if (first === null || /\d[:T]\d/.test(first.cells[fields.time] ?? "")) return [];
  const at = header.findIndex((_, i) => !used.has(i) && CLOCK.test((first.cells[i] ?? "").trim()));
  if (at < 0) return [];
  return [
    {
      about: "date",
      seen: `column ${header[at]} holds a time of day, ${first.cells[at]?.trim()}, that is not read`,
      readings: [
        { reads: "each order is placed at midnight of its date", option: "" },
        { reads: "at that time, once both stand in one column of the file", option: "" },
      ],
      stops: false,
    },
  ];
}

function fieldsOf(
  found: FoundColumns,
  columns: Columns,
  mapping: MappingOptions,
  { why }: Settled,
  { first }: Survey,
  header: readonly string[],
): FieldReading[] {
  const line = first === null ? null : csvMapping(columns, mapping).line(first);
  return FILE_FIELDS.flatMap((field) => {
    const column = columns.fields[field];
    const operands = field === "amount" ? columns.operands : [];
    const names = (operands.length > 0 ? operands : column < 0 ? [] : [column]).map((at) => header[at] as string);
    const told = found.fields[field]?.known;
    const because = [told === undefined || told === "name" || told === "own" ? "" : KNOWN[told], why[field] ?? ""];
    const reason = because.filter((part) => part !== "").join("; ");
    if (
      names.length === 0 &&
      !(field === "id" && mapping.rowIds !== undefined) &&
      !(field === "currency" && reason !== "")
    )
      return [];
    const cells = names.map((name) => first?.cells[header.indexOf(name)]?.trim() ?? "");
    const event = line === null || typeof line === "string" ? null : line;
    const amount = event?.amount === undefined ? null : decimalText(event.amount);
    const time = event?.time == null ? null : instantText(event.time);
    const other = event?.event[field];
    const value = field === "amount" ? amount : field === "time" ? time : other === undefined ? null : String(other);
    const plain = field === "kind" && value === null && event !== null ? "order" : value;
    return [{ field, columns: names, text: first === null ? null : cells.join(" × "), value: plain, why: reason }];
  });
}

const KNOWN = { map: "--map", content: "by what it holds" } as const;

interface Start {
  readonly encoding: EncodingFound;
  readonly dialect: Dialect;
  readonly header: readonly string[];
  readonly found: FoundColumns;
}

/** From all bytes the encoding, from the first of them the rest; null for no rows. */
async function startOf(name: string, file: InputFile, options: ReadingOptions): Promise<Start | null> {
  refuseWorkbook(name, file.head);
  const scan = new EncodingScan();
  const head: Buffer[] = [];
  let headBytes = 0;
  let isWhole = true;
  for await (const chunk of file.chunks()) {
    options.signal?.throwIfAborted();
    if (options.encoding === undefined) scan.add(chunk);
    if (headBytes < HEAD_BYTES) {
      head.push(chunk.subarray(0, HEAD_BYTES - headBytes));
      headBytes += chunk.length;
    } else if (options.encoding !== undefined) break;
    isWhole = headBytes <= HEAD_BYTES;
  }
  const encoding = encodingOf(name, options, scan);
  const text = headText(name, Buffer.concat(head), encoding.encoding as Encoding, isWhole);
  const names = Object.values(options.map).filter((column) => column !== "");
  const { delimiter, quote, header: hasHeader } = options;
  const told = dialectOf(text, { delimiter, quote, header: hasHeader, names });
  if (told === null || told.rows.length === 0) return null;
  const header = unique(told.dialect.header ?? Array.from({ length: told.dialect.width }, (_, i) => String(i + 1)));
  const fits = (cells: readonly string[]) => cells.slice(header.length).every((cell) => cell.trim() === "");
  const rows = told.rows.map(({ cells }) => cells).filter((cells) => cells.length >= header.length && fits(cells));
  const found = findColumns(header, rows, options.map, told.dialect.header !== null);
  refuseOpen(name, header, rows, found);
  return { encoding, dialect: told.dialect, header, found };
}

function encodingOf(name: string, { encoding }: ReadingOptions, scan: EncodingScan): EncodingFound {
  if (encoding !== undefined) return { encoding, why: "--encoding", others: [], example: [] };
  const found = scan.found();
  if (found.encoding !== null) return found;
  throw new InputError("FILE_UNREADABLE", `${name}: ${found.why}`, {
    remedy: "Save it as UTF-8, or name its encoding, for example --encoding iso-8859-2.",
  });
}

/** The text of the first bytes, up to its last whole line. */
function headText(name: string, bytes: Buffer, encoding: Encoding, isWhole: boolean): string {
  const decoder = new ByteDecoder(name, encoding);
  const text = decoder.text(bytes) + (isWhole ? decoder.end() : "");
  return isWhole ? text : text.slice(0, text.lastIndexOf("\n") + 1);
}

/** A spreadsheet's own file is no text. */
function refuseWorkbook(name: string, head: Buffer): void {
  const start = head.subarray(0, 4).toString("latin1");
  if (start !== "PK\x03\x04" && start !== "\xd0\xcf\x11\xe0") return;
  throw new InputError("FILE_UNREADABLE", `${name} is a workbook or an archive, not a text of rows`, {
    remedy: "Save the sheet as CSV (in the spreadsheet: Save as, CSV UTF-8), or unpack it.",
  });
}

/** Names that come twice get a number: `Total (2)`. */
function unique(names: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return names.map((name, i) => {
    const plain = name === "" ? `column ${i + 1}` : name;
    const times = (seen.get(plain) ?? 0) + 1;
    seen.set(plain, times);
    return times === 1 ? plain : `${plain} (${times})`;
  });
}

/** Customer and time must be known; which is which is never a guess. */
function refuseOpen(
  name: string,
  header: readonly string[],
  rows: readonly (readonly string[])[],
  { fields, open }: FoundColumns,
): void {
  const wanted = (["customer", "time"] as const).filter((field) => fields[field] === undefined);
  const unsure = open.find(({ field, among }) => field === "amount" && among.length > 1);
  const asked: FileField[] = [...wanted, ...(unsure === undefined ? [] : (["amount"] as const))];
  if (asked.length === 0) return;
  const choices = asked.map((field) => {
    const among = open.find((one) => one.field === field)?.among ?? [];
    return among.length > 1 ? `${field}: ${among.map((column) => shown(column, header, rows)).join(" or ")}` : null;
  });
  const told = choices.filter((choice) => choice !== null);
  const columns = header.map((column) => shown(column, header, rows)).join(", ");
  throw new InputError("USAGE", `${name} has no column that is surely the ${asked.join(", the ")}`, {
    remedy: `Name it: --map ${asked.map((field) => `${field}=COLUMN`).join(",")}. ${
      told.length > 0 ? `It could be ${told.join("; ")}. ` : ""
    }Its columns, with the first row: ${columns}.`,
  });
}

function shown(column: string, header: readonly string[], rows: readonly (readonly string[])[]): string {
  const text = rows[0]?.[header.indexOf(column)] ?? "";
  return `${column} (${text.length > 24 ? `${text.slice(0, 23)}…` : text})`;
}

/** The columns found, as --map would name them; "" for a field that no column is. */
function mapOf(found: FoundColumns, told: ColumnMap): ColumnMap {
  const map: Partial<Record<FileField, string>> = {};
  for (const field of FILE_FIELDS) map[field] = found.fields[field]?.name ?? told[field] ?? "";
  if (found.product !== undefined) map.amount = `"${found.product.quantity.name}" * "${found.product.price.name}"`;
  return map;
}

/** How the file is cut into rows; those without a single text are passed over, unless all is as today. */
function csvOptions({ encoding, dialect, header, found }: Start): CsvOptions {
  return {
    delimiter: dialect.delimiter,
    quote: dialect.quote,
    encoding: encoding.encoding as Encoding,
    skip: dialect.skip,
    headerless: dialect.header === null ? header.length : undefined,
    looseEnd: dialect.looseEnd && !found.isExplicit,
    skipBlank: !found.isExplicit,
  };
}

async function surveyed(
  survey: Survey,
  path: string,
  name: string,
  csv: CsvOptions,
  { signal, progress }: ReadingOptions,
): Promise<void> {
  const file = await openInput(path);
  try {
    const batches = readCsv(name, file.chunks(), csv);
    await batches.next(); // the header
    for await (const rows of batches) {
      signal?.throwIfAborted();
      for (const row of rows) survey.add(row);
      progress?.(file.size === null ? null : Math.min(1, file.bytesRead() / Math.max(1, file.size)), survey.rows);
    }
  } finally {
    file.close();
  }
}
