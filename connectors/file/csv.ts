/** CSV by csv-parse: a header, then rows of texts. */
import { TextDecoder } from "node:util";
import { type CsvError, type Options, type Parser, parse } from "csv-parse";
import { InputError } from "../../runtime/errors.js";

export interface CsvRow {
  readonly cells: readonly string[];
  /** More or fewer cells than the header has: which cell is which is then unknown. */
  readonly misfit: boolean;
}

export interface CsvOptions {
  /** One character; default a comma. */
  readonly delimiter?: string;
}

const RECORD_BYTES_MAX = 1 << 20;

/**
 * The header first (as a batch of one row), then the rows. Throws InputError (FILE_UNREADABLE) naming the line
 * where quoting is broken, or where the file is not UTF-8.
 */
export async function* readCsv(
  name: string,
  chunks: AsyncIterable<Buffer>,
  options: CsvOptions = {},
): AsyncGenerator<CsvRow[], void, undefined> {
  const settings: Options = {
    delimiter: options.delimiter ?? ",",
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: RECORD_BYTES_MAX,
  };
  const parser = parse(settings);
  // `more` reads its failure from `errored`; where nobody reads on (a column is missing), it is of no interest.
  parser.on("error", () => undefined);
  const fed = feed(parser, name, chunks);
  let width = 0;
  try {
    for (;;) {
      const batch: CsvRow[] = [];
      for (let found = read(parser); found !== null; found = read(parser)) {
        if (width === 0) {
          width = found.length;
          yield [{ cells: found.map((cell) => cell.trim()), misfit: false }];
        } else batch.push({ cells: found, misfit: found.length !== width });
        if (batch.length >= 1024) break;
      }
      if (batch.length > 0) yield batch;
      else if (parser.readableEnded || !(await more(parser))) break;
    }
  } catch (cause) {
    throw mapped(name, cause);
  } finally {
    parser.destroy();
  }
  await fed;
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

/** Writes the chunks as text into the parser, as fast as it takes them. Its failure is the parser's. */
async function feed(parser: Parser, name: string, chunks: AsyncIterable<Buffer>): Promise<void> {
  const decoder = new TextDecoder("utf-8", { fatal: true }); // takes a byte order mark away
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      if (parser.destroyed) return;
      const text = decoded(decoder, chunk, name, bytes);
      bytes += chunk.length;
      if (!parser.write(text)) await drained(parser);
    }
    decoded(decoder, undefined, name, bytes);
    parser.end();
  } catch (error) {
    parser.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

function decoded(decoder: TextDecoder, chunk: Buffer | undefined, name: string, bytes: number): string {
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
  } catch (cause) {
    throw new InputError("FILE_UNREADABLE", `${name} is not UTF-8 text (after byte ${bytes})`, {
      cause,
      remedy: "Convert it, for example: iconv -f WINDOWS-1252 -t UTF-8 in.csv > out.csv",
    });
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

function mapped(name: string, cause: unknown): unknown {
  if (cause instanceof InputError || !(cause instanceof Error) || !("code" in cause)) return cause;
  const error = cause as CsvError & { lines?: number };
  if (!String(error.code).startsWith("CSV_")) return cause;
  const line = typeof error.lines === "number" ? ` near line ${error.lines}` : "";
  return new InputError("FILE_UNREADABLE", `${name}${line}: ${error.message}`, {
    cause,
    remedy: "Mend the quotes there (a quote inside a quoted text is doubled), or name the --delimiter.",
  });
}
