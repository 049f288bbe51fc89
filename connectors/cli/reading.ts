/** What a file was taken for, as a person reads it: which column is what, the first row as read, what is left out. */
import { type Dialect, type Doubt, delimiterName, type Reading } from "../file/index.js";
import { type Column, count, counted, cut, printable, type Terminal, table, width } from "./terminal.js";

export function printReading(terminal: Terminal, reading: Reading): void {
  for (const line of readingLines(terminal, reading)) terminal.print(line);
}

/** On stderr, where the result alone goes to stdout: what was taken without being sure, by file. */
export function noteDoubts(terminal: Terminal, readings: readonly Reading[]): void {
  for (const { file, doubts } of readings) {
    if (doubts.length === 0) continue;
    terminal.note(terminal.style("bold", `Not sure of ${printable(file)}`));
    for (const doubt of doubts) for (const line of doubtLines(terminal, doubt, terminal.columns)) terminal.note(line);
  }
}

export function readingLines(terminal: Terminal, reading: Reading): string[] {
  const bold = (text: string) => terminal.style("bold", text);
  const dim = (text: string) => terminal.style("dim", text);
  const { file, encoding, dialect, rows, doubts } = reading;
  const columns = Math.max(40, terminal.columns);
  const cutting = [`${encoding.name} (${encoding.why})`, cells(dialect), above(dialect)];
  return [
    `${bold(printable(file))}  ${counted(rows, "row")}`,
    ...wrapped(cutting.filter((part) => part !== "").join(", "), columns, "  ").map(dim),
    "",
    ...fieldLines(terminal, reading, columns),
    ...unusedLines(reading, columns).map(dim),
    "",
    ...leftOutLines(terminal, reading, columns),
    ...(doubts.length === 0
      ? []
      : [bold("Not sure"), ...doubts.flatMap((doubt) => doubtLines(terminal, doubt, columns)), ""]),
  ];
}

function cells({ delimiter, quote, why }: Dialect): string {
  const quotes = quote === '"' ? "" : quote === null ? ", quotes are text" : `, quoted by ${quote}`;
  return `${delimiterName(delimiter)} between cells${why === "rows are even" ? "" : ` (${why})`}${quotes}`;
}

function above({ header, skip }: Dialect): string {
  if (header === null) return `no header: columns are 1 to …${skip === 0 ? "" : `, rows from line ${skip + 1}`}`;
  return skip === 0 ? "" : `header in line ${skip + 1}`;
}

/** Least that a column of the table is cut to. */
const CELL_MIN = 10;

function fieldLines(terminal: Terminal, { fields, firstRow }: Reading, columns: number): string[] {
  const title = firstRow === null ? "row" : `row ${count(firstRow)}`;
  const head: Column[] = [{ title: "field" }, { title: "column" }, { title }, { title: "read as" }, { title: "" }];
  const rows = fields.map(({ field, columns: names, text, value, why }) => [
    field,
    names.map(printable).join(" × "),
    printable(text ?? ""),
    printable(value ?? ""),
    why,
  ]);
  const wanted = [1, 2, 3].map((i) => Math.max(width(head[i]?.title ?? ""), ...rows.map((row) => width(row[i] ?? ""))));
  const fieldWidth = Math.max(5, ...rows.map(([field = ""]) => width(field)));
  // Reasons go beside the table where there is room, below it where there is not.
  const whyWidth = Math.max(0, ...rows.map((row) => width(row[4] ?? "")));
  const beside = 2 + fieldWidth + wanted.reduce((sum, one) => sum + one + 2, 0) + 2 + whyWidth <= columns;
  const room = columns - 2 - fieldWidth - 6;
  const fitted = beside ? wanted : shrunk(wanted, room);
  const shown = rows.map((row) =>
    row.map((cell, i) => (i >= 1 && i <= 3 ? cut(cell, fitted[i - 1] ?? CELL_MIN) : cell)),
  );
  if (beside)
    return table(
      terminal,
      head,
      shown.map((row) => [...row.slice(0, 4), terminal.style("dim", row[4] ?? "")]),
    );
  const reasons = rows
    .filter(([, , , , why]) => why !== "")
    .flatMap(([field = "", , , , why = ""]) => wrapped(`${field}: ${why}`, columns, "  "));
  return [
    ...table(
      terminal,
      head.slice(0, 4),
      shown.map((row) => row.slice(0, 4)),
    ),
    ...reasons.map((line) => terminal.style("dim", line)),
  ];
}

/** Widths that together fit: the widest give way first. */
function shrunk(widths: readonly number[], room: number): number[] {
  const fitted = [...widths];
  while (fitted.reduce((sum, one) => sum + one, 0) > room) {
    const widest = fitted.indexOf(Math.max(...fitted));
    if ((fitted[widest] as number) <= CELL_MIN) break;
    fitted[widest] = (fitted[widest] as number) - 1;
  }
  return fitted;
}

function unusedLines({ unused }: Reading, columns: number): string[] {
  return unused.length === 0
    ? []
    : wrapped(`not used: ${unused.map(printable).join(", ")}`, columns, "  ").slice(0, UNUSED_LINES);
}

const UNUSED_LINES = 3;

function leftOutLines(terminal: Terminal, { leftOut, rows, usable }: Reading, columns: number): string[] {
  if (leftOut.length === 0) return [];
  const head: Column[] = [{ title: "rows", right: true }, { title: "reason" }, { title: "first" }];
  const room = columns - 2 - 2 - Math.max(4, ...leftOut.map((one) => count(one.rows).length));
  const reason = Math.max(6, ...leftOut.map((one) => Math.min(40, width(one.reason))));
  return [
    `${terminal.style("bold", "Can't count")}  ${counted(rows - usable, "row")} of ${count(rows)}`,
    ...table(
      terminal,
      head,
      leftOut.map(({ reason: why, rows: n, firstRow, text }) => [
        count(n),
        cut(printable(why), reason),
        cut(
          `row ${count(firstRow)}${text === "" ? "" : `: ${printable(text)}`}`,
          Math.max(CELL_MIN, room - reason - 2),
        ),
      ]),
    ),
    "",
  ];
}

export function doubtLines(terminal: Terminal, { seen, readings, stops }: Doubt, columns: number): string[] {
  const mark = terminal.style(stops ? "red" : "yellow", stops ? "?" : "!");
  const [first = "", ...more] = wrapped(printable(seen), columns - 4, "");
  return [
    `  ${mark} ${first}`,
    ...more.map((line) => `    ${line}`),
    ...readings.flatMap(({ reads, option }, i) => {
      const taken = i === 0 && !stops ? "taken" : stops ? "" : "or";
      const text = `${taken.padEnd(5)}  ${printable(reads)}`;
      if (option === "") return wrapped(text, columns, "    ");
      const said = `${text}  ${terminal.style("cyan", option)}`;
      if (width(said) + 4 <= columns) return [`    ${said}`];
      return [...wrapped(text, columns, "    "), `           ${terminal.style("cyan", option)}`];
    }),
  ];
}

/** Lines of at most so many columns, broken at blanks; what goes on is indented by two more. */
function wrapped(text: string, columns: number, indent: string): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(" ")) {
    if (line.trim() !== "" && width(line) + 1 + width(word) > columns) {
      lines.push(line);
      line = `${indent}  `;
    }
    line += line.trim() === "" ? word : ` ${word}`;
  }
  lines.push(line);
  return lines;
}

/** What --json gives under `reading`, one a file. */
export function readingJson(reading: Reading): object {
  const { file, encoding, dialect, rows, usable, firstRow, fields, unused, leftOut, doubts, currency, mapping } =
    reading;
  const { delimiter, quote, header, skip } = dialect;
  const { scale, amountForm, dateForm, zone, kinds, lines, rowIds } = mapping;
  return {
    file,
    rows,
    usable,
    encoding: encoding.name,
    delimiter,
    quote,
    header: header !== null,
    linesAbove: skip,
    firstRow,
    fields: Object.fromEntries(fields.map(({ field, ...one }) => [field, one])),
    unused,
    currency,
    scale: scale ?? 0,
    decimal: amountForm?.decimal ?? ".",
    date: dateForm?.name ?? "iso",
    zone: zone?.name ?? null,
    lines: lines ?? false,
    idsFromRows: rowIds !== undefined,
    kinds: kinds?.texts ?? null,
    leftOut,
    doubts,
  };
}
