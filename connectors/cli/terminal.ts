/** What goes to the terminal: results on stdout, messages on stderr, colour only where someone looks. */
import { stripVTControlCharacters, styleText } from "node:util";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

export interface Terminal {
  /** Columns of the stream that results go to. */
  readonly columns: number;
  /** Results are looked at, not piped. */
  readonly isTty: boolean;
  style(style: Style, text: string): string;
  /** A line of the result. */
  print(line?: string): void;
  /** A line about what is going on. */
  note(line: string): void;
}

/** NO_COLOR (any value but the empty one) and TERM=dumb turn colour off, FORCE_COLOR turns it on. */
export function coloured(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== "") return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "" && env.FORCE_COLOR !== "0") return true;
  return stream.isTTY === true && env.TERM !== "dumb";
}

function terminalOn(stream: NodeJS.WriteStream): Terminal {
  const colour = coloured(stream);
  return {
    get columns() {
      return stream.columns ?? 80;
    },
    isTty: stream.isTTY === true,
    style: (style, text) => (colour ? styleText(style, text, { validateStream: false }) : text),
    print: (line = "") => stream.write(`${line}\n`),
    note: (line) => {
      progress.clear();
      process.stderr.write(`${line}\n`);
    },
  };
}

/** One line on stderr that is written over; nothing where stderr is no terminal. */
class Progress {
  #shown = false;
  #last = 0;

  /** At most ten times a second. */
  show(line: () => string): void {
    if (process.stderr.isTTY !== true) return;
    const now = performance.now();
    if (now - this.#last < 100) return;
    this.#last = now;
    this.#shown = true;
    process.stderr.write(`\r\x1b[K${line().slice(0, (process.stderr.columns ?? 80) - 1)}`);
  }

  clear(): void {
    if (!this.#shown) return;
    this.#shown = false;
    process.stderr.write("\r\x1b[K");
  }
}

export const progress = new Progress();
export const out = terminalOn(process.stdout);
/** The same on stderr, for a summary whose results went to stdout. */
export const err = terminalOn(process.stderr);

const THOUSANDS = new Intl.NumberFormat("en-US");

/** `18,536` */
export function count(value: number): string {
  return THOUSANDS.format(value);
}

/** `1 row`, `2 rows` */
export function counted(value: number, noun: string, plural = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : plural}`;
}

/** `12.3 %` */
export function percent(part: number, whole: number): string {
  return whole === 0 ? "–" : `${((100 * part) / whole).toFixed(1)} %`;
}

/** `0.8 s`, `1 min 20 s` */
export function seconds(ms: number): string {
  if (ms < 100_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

/** Rows under a heading, columns aligned, two spaces apart, indented by two. */
export function table(terminal: Terminal, columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map(({ title }, i) => Math.max(width(title), ...rows.map((row) => width(row[i] ?? ""))));
  const line = (cells: readonly string[]) =>
    columns
      .map(({ right }, i) => {
        const cell = cells[i] ?? "";
        const pad = " ".repeat(Math.max(0, (widths[i] ?? 0) - width(cell)));
        return right === true ? pad + cell : cell + pad;
      })
      .join("  ")
      .trimEnd();
  return [
    `  ${terminal.style("dim", line(columns.map(({ title }) => title)))}`,
    ...rows.map((row) => `  ${line(row)}`),
  ];
}

/** What a terminal would act on instead of showing it, made visible: a customer's id may hold anything. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "�");
}

/** The longest start of a text (without colours) that takes at most so many columns, with `…` where it is not all. */
export function cut(text: string, columns: number): string {
  if (width(text) <= columns) return text;
  let kept = "";
  let taken = 1;
  for (const character of text) {
    taken += width(character);
    if (taken > columns) break;
    kept += character;
  }
  return `${kept}…`;
}

/** Columns that a text takes, wide characters counted as two, colours as nothing. */
export function width(text: string): number {
  let columns = 0;
  for (const character of stripVTControlCharacters(text)) {
    const code = character.codePointAt(0) ?? 0;
    if (/\p{Mark}/u.test(character)) continue;
    const wide =
      (code >= 0x1100 && code <= 0x115f) ||
      (code >= 0x2e80 && code <= 0xa4cf) ||
      (code >= 0xac00 && code <= 0xd7a3) ||
      (code >= 0xf900 && code <= 0xfaff) ||
      (code >= 0xfe30 && code <= 0xfe6f) ||
      (code >= 0xff00 && code <= 0xff60) ||
      (code >= 0x1f300 && code <= 0x1faff);
    columns += wide ? 2 : 1;
  }
  return columns;
}

/** A text in lines of at most so many columns, cut between words. */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && width(line) + 1 + width(word) > columns) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
