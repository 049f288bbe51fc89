/** CSV by csv-parse: a header, then rows of texts. */
import { type CsvError, type Options, type Parser, parse } from "csv-parse";
import { InputError } from "../../runtime/errors.js";
import { ByteDecoder, type Encoding } from "./encoding.js";

export interface CsvRow {
  readonly cells: readonly string[];
  /** More or fewer cells than the header has: which cell is which is then unknown. Empty ones at the end are none. */
  readonly misfit: boolean;
  /** As a spreadsheet numbers it: 1 for the first row of the file. */
  readonly number: number;
}

export interface CsvOptions {
  /** One character; default a comma. */
  readonly delimiter?: string | undefined;
  /** Around texts; default `"`. Null: quotes are text like any other. */
  readonly quote?: string | null | undefined;
  /** Default UTF-8. */
  readonly encoding?: Encoding | undefined;
  /** Lines before the header that belong to no row; default 0. */
  readonly skip?: number | undefined;
  /** Cells of a row where there is no header: one is made, `1`, `2`, … */
  readonly headerless?: number | undefined;
  /** Rows may end with empty cells that the header has not; default false. */
  readonly looseEnd?: boolean | undefined;
  /** Rows of empty cells are passed over as empty lines are; default false. */
  readonly skipBlank?: boolean | undefined;
}

const RECORD_BYTES_MAX = 1 << 20;

/**
 * The header first (as a batch of one row), then the rows. Throws InputError (FILE_UNREADABLE) naming the row
 * where quoting is broken, or the byte that is no text.
 */
export async function* readCsv(
  name: string,
  chunks: AsyncIterable<Buffer>,
  options: CsvOptions = {},
): AsyncGenerator<CsvRow[], void, undefined> {
  const { delimiter = ",", quote = '"', encoding = "utf-8", skip = 0, headerless } = options;
  const { looseEnd = false, skipBlank = false } = options;
  const settings: Options = {
    delimiter,
    quote,
    relax_column_count: true,
    max_record_size: RECORD_BYTES_MAX,
  };
  const parser = parse(settings);
  // `more` reads its failure from `errored`; where nobody reads on (a column is missing), it is of no interest.
  parser.on("error", () => undefined);
  const fed = feed(parser, linesFrom(skip, texts(new ByteDecoder(name, encoding), chunks)));
  let number = skip;
  let width = headerless ?? 0;
  if (headerless !== undefined) {
    yield [{ cells: Array.from({ length: width }, (_, i) => String(i + 1)), misfit: false, number }];
  }
  try {
    for (;;) {
      const batch: CsvRow[] = [];
      for (let cells = read(parser); cells !== null; cells = read(parser)) {
        number++;
        if (cells.length === 1 && cells[0] === "") continue; // an empty line
        if (skipBlank && cells.every((cell) => cell.trim() === "")) continue;
        if (width === 0) {
          width = cells.length;
          yield [{ cells: cells.map((cell) => cell.trim()), misfit: false, number }];
        } else batch.push({ cells, misfit: cells.length !== width && !(looseEnd && fits(cells, width)), number });
        if (batch.length >= 1024) break;
      }
      if (batch.length > 0) yield batch;
      else if (parser.readableEnded || !(await more(parser))) break;
    }
  } catch (cause) {
    throw mapped(name, skip, cause);
  } finally {
    parser.destroy();
  }
  await fed;
}

function fits(cells: readonly string[], width: number): boolean {
  return cells.length > width && cells.slice(width).every((cell) => cell.trim() === "");
}

async function* texts(decoder: ByteDecoder, chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  for await (const chunk of chunks) yield decoder.text(chunk);
  yield decoder.end();
}

/** The text after its first lines. */
async function* linesFrom(skip: number, pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let left = skip;
  for await (const piece of pieces) {
    let at = 0;
    while (left > 0) {
      const end = piece.indexOf("\n", at);
      if (end < 0) break;
      at = end + 1;
      left--;
    }
    if (left === 0) yield at === 0 ? piece : piece.slice(at);
  }
}

function read(parser: Parser): string[] | null {
  return parser.read() as string[] | null;
}

/** Resolves true when there may be something to read, false at the end; rejects with the parser's error. */
function more(parser: Parser): Promise<boolean> {
  return new Promise((resolve, reject) => {
    if (parser.errored !== null) return reject(parser.errored);
    const done = (result: boolean, error?: Error) => {
      parser.off("readable", onReadable).off("end", onEnd).off("error", onError);
      if (error === undefined) resolve(result);
      else reject(error);
    };
    const onReadable = () => done(true);
    const onEnd = () => done(false);
    const onError = (error: Error) => done(false, error);
    parser.on("readable", onReadable).on("end", onEnd).on("error", onError);
  });
}

/** Writes the text into the parser, as fast as it takes it. Its failure is the parser's. */
async function feed(parser: Parser, pieces: AsyncIterable<string>): Promise<void> {
  try {
    for await (const text of pieces) {
      if (parser.destroyed) return;
      if (text !== "" && !parser.write(text)) await drained(parser);
    }
    parser.end();
  } catch (error) {
    parser.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

function drained(parser: Parser): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      parser.off("drain", done).off("close", done);
      resolve();
    };
    parser.on("drain", done).on("close", done);
  });
}

function mapped(name: string, skip: number, cause: unknown): unknown {
  if (cause instanceof InputError || !(cause instanceof Error) || !("code" in cause)) return cause;
  const error = cause as CsvError & { lines?: number };
  if (!String(error.code).startsWith("CSV_")) return cause;
  const line = typeof error.lines === "number" ? ` near line ${skip + error.lines}` : "";
  return new InputError("FILE_UNREADABLE", `${name}${line}: ${error.message}`, {
    cause,
    remedy: "Mend the quotes there (a quote inside a quoted text is doubled), or name the --delimiter.",
  });
}
