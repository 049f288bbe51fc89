/** How a text is cut into rows: delimiter, quotes, lines above the header, and whether there is a header at all. */
import { isValue } from "./cell.js";
import { columnNamed } from "./columnnames.js";

export interface Dialect {
  readonly delimiter: string;
  /** Null: quotes are text like any other. */
  readonly quote: string | null;
  /** Lines above the header, or above the first row where there is none. */
  readonly skip: number;
  /** Null: the first row is one of orders. */
  readonly header: readonly string[] | null;
  /** Cells of a row. */
  readonly width: number;
  /** Rows end with empty cells that the header has not. */
  readonly looseEnd: boolean;
  readonly why: string;
}

export const DELIMITERS = ["\t", ";", "|", ","] as const;
const DELIMITER_NAMES: Readonly<Record<string, string>> = { "\t": "tab", ";": "semicolon", "|": "pipe", ",": "comma" };

/** `semicolon`, or the character itself. */
export function delimiterName(delimiter: string): string {
  return DELIMITER_NAMES[delimiter] ?? JSON.stringify(delimiter);
}

export interface DialectHints {
  readonly delimiter?: string | undefined;
  readonly quote?: string | null | undefined;
  /** False: the first row is one of orders. */
  readonly header?: boolean | undefined;
  /** Names that the header has, by --map. */
  readonly names?: readonly string[] | undefined;
}

export interface SampleRow {
  readonly cells: readonly string[];
  /** Line of the text that it begins on, from 0. */
  readonly line: number;
}

/** Rows of the sample that are looked at. */
const ROWS_MAX = 1000;
/** Lines within which a header is looked for. */
const HEADER_WITHIN = 30;
/** A text is cut by a delimiter where so many of its rows have as many cells. */
const EVEN_MIN = 0.02;

interface Cut {
  readonly delimiter: string;
  readonly quote: string | null;
  readonly rows: readonly SampleRow[];
  /** Cells of most rows. */
  readonly width: number;
  /** Share of the rows that have as many, less for few. */
  readonly even: number;
}

/** `text`: the file's beginning, whole lines. Null where it holds no rows at all. */
export function dialectOf(text: string, hints: DialectHints = {}): { dialect: Dialect; rows: SampleRow[] } | null {
  const separator = /^"?sep=([^"\r\n])"?\r?\n/i.exec(text);
  const start = separator === null ? 0 : 1;
  const delimiter = hints.delimiter ?? separator?.[1];
  const body = separator === null ? text : text.slice(separator[0].length);
  const cut = cutting(body, delimiter, hints.quote);
  if (cut === null) return null;
  const above = headerAt(cut, hints);
  const first = cut.rows[above.at];
  const header = above.isHeader && first !== undefined ? first.cells.map((cell) => cell.trim()) : null;
  const rows = cut.rows.slice(above.at + (header === null ? 0 : 1));
  const width = header?.length ?? cut.width;
  const longer = rows.filter(({ cells }) => cells.length > width && cells.slice(width).every((cell) => cell === ""));
  const named = hints.delimiter !== undefined ? "--delimiter" : separator !== null ? "its sep= line" : "rows are even";
  const dialect: Dialect = {
    delimiter: cut.delimiter,
    quote: cut.quote,
    skip: start + (first?.line ?? 0),
    header,
    width,
    looseEnd: longer.length * 2 > rows.length,
    why: named,
  };
  return { dialect, rows };
}

/** The delimiter and quotes under which the rows are most even. */
function cutting(text: string, delimiter: string | undefined, quote: string | null | undefined): Cut | null {
  let best: Cut | null = null;
  for (const one of delimiter === undefined ? DELIMITERS : [delimiter]) {
    for (const q of quote === undefined ? quotesOf(text) : [quote]) {
      const found = split(text, one, q);
      if (found.isBroken && quote === undefined && q !== null) continue;
      const widths = new Map<number, number>();
      for (const { cells } of found.rows) widths.set(cells.length, (widths.get(cells.length) ?? 0) + 1);
      const [width, rows] = [...widths].sort((a, b) => b[1] - a[1] || b[0] - a[0])[0] ?? [0, 0];
      if (width === 0 || (width === 1 && delimiter === undefined)) continue;
      const even = (rows / found.rows.length) * (1 - 1 / (width + 1));
      // Earlier ones hardly ever stand evenly in a text that another one cuts.
      if (best === null || even > best.even + EVEN_MIN)
        best = { delimiter: one, quote: q, rows: found.rows, width, even };
    }
  }
  if (best !== null || delimiter !== undefined) return best;
  const { rows } = split(text, ",", '"');
  return rows.length === 0 ? null : { delimiter: ",", quote: '"', rows, width: 1, even: 0 };
}

/** Single quotes only where most lines with one begin or end a cell with it: O'Brien has one, too. */
function quotesOf(text: string): (string | null)[] {
  const singles = text.match(/(?<=^|[\t;|,])'[^'\r\n]*'(?=[\t;|,]|\r?$)/gm)?.length ?? 0;
  const doubles = text.match(/(?<=^|[\t;|,])"/gm)?.length ?? 0;
  if (singles > doubles && singles * 4 > (text.match(/\n/g)?.length ?? 0)) return ["'", '"', null];
  return ['"', null];
}

/** Rows of a text; blank lines are none. `isBroken`: a quote stands where none can. */
export function split(text: string, delimiter: string, quote: string | null): { rows: SampleRow[]; isBroken: boolean } {
  const rows: SampleRow[] = [];
  let cells: string[] = [];
  let line = 0;
  let begun = 0;
  let isBroken = false;
  let at = 0;
  const end = (cell: string) => {
    cells.push(cell);
    if (text[at] === delimiter) {
      at++;
      if (at < text.length) return;
      cells.push("");
    }
    if (text[at] === "\r") at++;
    if (text[at] === "\n") at++;
    if (cells.length > 1 || cells[0] !== "") rows.push({ cells, line: begun });
    cells = [];
    begun = ++line;
  };
  const stop = new RegExp(`[${delimiter === "\t" ? "\\t" : `\\${delimiter}`}\\r\\n]|$`, "g");
  while (at < text.length && rows.length < ROWS_MAX) {
    if (quote !== null && text[at] === quote) {
      let cell = "";
      for (;;) {
        const close = text.indexOf(quote, at + 1);
        if (close < 0) return { rows, isBroken }; // goes on beyond the sample
        const piece = text.slice(at + 1, close);
        cell += piece;
        line += piece.split("\n").length - 1;
        at = close + 1;
        if (text[at] !== quote) break;
        cell += quote;
      }
      if (at < text.length && text[at] !== delimiter && text[at] !== "\r" && text[at] !== "\n") isBroken = true;
      stop.lastIndex = at;
      at = stop.exec(text)?.index ?? text.length;
      end(cell);
    } else {
      stop.lastIndex = at;
      const next = stop.exec(text)?.index ?? text.length;
      const cell = text.slice(at, next);
      if (quote !== null && cell.includes(quote)) isBroken = true;
      at = next;
      end(cell);
    }
  }
  return { rows, isBroken };
}

/** The row of the header, or the first one of orders: what stands above is a title. */
function headerAt({ rows, width }: Cut, hints: DialectHints): { at: number; isHeader: boolean } {
  const within = rows.slice(0, HEADER_WITHIN);
  const { names = [] } = hints;
  const named = within.findIndex(
    ({ cells }) => names.length > 0 && names.every((name) => cells.some((cell) => cell.trim() === name)),
  );
  if (named >= 0 && hints.header !== false) return { at: named, isHeader: true };
  const full = (cells: readonly string[]) => cells.filter((cell) => cell.trim() !== "").length;
  const usual = Math.max(1, ...within.map(({ cells }) => full(cells)));
  for (const [at, { cells }] of within.entries()) {
    const filled = full(cells);
    // A title fills a cell or two of many.
    if (filled * 2 < usual || (filled < 2 && width > 1)) continue;
    if (hints.header !== undefined) return { at, isHeader: hints.header };
    if (Math.abs(cells.length - width) > Math.max(1, width / 2)) continue;
    const known = cells.filter((cell) => columnNamed(cell).roles.size > 0).length;
    const values = cells.filter((cell) => isValue(cell)).length;
    if (values === 0 && (known > 0 || hasValues(within.slice(at + 1)))) return { at, isHeader: true };
    if (known > values) return { at, isHeader: true };
    return { at, isHeader: false };
  }
  return { at: 0, isHeader: hints.header ?? true };
}

function hasValues(rows: readonly SampleRow[]): boolean {
  return rows.some(({ cells }) => cells.some(isValue));
}
