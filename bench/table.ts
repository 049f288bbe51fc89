/** Results as a table: aligned for a terminal, or in Markdown. */
import type { Result } from "./result.js";

const TITLES = ["name", "value", "unit", "spread", "limit", "ratio", "goal", "met"];
/** Columns of figures. */
const RIGHT = new Set(["value", "spread", "ratio"]);

/** Lines of the table, its heading first, notes below. Nothing of it is coloured. */
export function textTable(results: readonly Result[]): string[] {
  const rows = [TITLES, ...results.map(cellsOf)];
  const widths = TITLES.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] as number;
        return RIGHT.has(TITLES[column] as string) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd(),
  );
  lines.splice(1, 0, widths.map((width) => "─".repeat(width)).join("──"));
  const notes = results.flatMap(({ name, note }) => (note === undefined ? [] : [`${name}: ${note}`]));
  return notes.length === 0 ? lines : [...lines, "", ...notes];
}

/** The same in Markdown. */
export function markdownTable(results: readonly Result[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [
    line(TITLES),
    line(TITLES.map((title) => (RIGHT.has(title) ? "---:" : "---"))),
    ...results.map((result) => {
      const [name, value, unit, spread, limit, ...others] = cellsOf(result);
      const code = (text: string | undefined) => (text ? `\`${text}\`` : "");
      return line([code(name), value ?? "", unit ?? "", spread ?? "", code(limit), ...others]);
    }),
    ...results.flatMap(({ name, note }) => (note === undefined ? [] : ["", `\`${name}\`: ${note}.`])),
  ];
}

/** A figure in its unit, for a line: `11.5 M orders/s`. */
export function figure({ value, unit }: Pick<Result, "value" | "unit">): string {
  const scale = scaleOf(value);
  return `${scaled(value, scale)}${scale.sign} ${unit}`;
}

function cellsOf({ name, value, unit, low, high, rounds, limit, ratio, goal, met }: Result): string[] {
  const scale = scaleOf(value);
  const spread = rounds > 1 ? `${scaled(low, scale)} – ${scaled(high, scale)}${scale.sign}` : "";
  return [
    name,
    `${scaled(value, scale)}${scale.sign}`,
    unit,
    spread,
    limit ?? "",
    ratio === undefined ? "" : ratio.toFixed(ratio < 10 ? 2 : 1),
    goal ?? "",
    met === undefined ? "" : met ? "yes" : "no",
  ];
}

interface Scale {
  readonly by: number;
  readonly sign: string;
  readonly digits: number;
}

/** Four digits that count, in thousands or millions where there are many. */
function scaleOf(value: number): Scale {
  const size = Math.abs(value);
  const [by, sign] = size >= 999_950 ? [1e6, " M"] : size >= 9_999.5 ? [1e3, " k"] : [1, ""];
  if (Number.isInteger(value) && by === 1) return { by, sign, digits: 0 };
  const whole = size < by ? 1 : Math.floor(Math.log10(size / by)) + 1;
  return { by, sign, digits: Math.max(0, Math.min(3, 4 - whole)) };
}

function scaled(value: number, { by, digits }: Scale): string {
  return (value / by).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
