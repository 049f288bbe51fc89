/** Blocks of lines, set side by side where the terminal is wide enough. */
import { width } from "./terminal.js";

const GAP = 3;

/** Blocks in their order, as many in a row as fit into `columns`, rows of blocks an empty line apart. */
export function arrange(blocks: readonly (readonly string[])[], columns: number): string[] {
  const lines: string[] = [];
  for (const row of rowsOf(blocks, columns)) {
    if (lines.length > 0) lines.push("");
    const widths = row.map(widthOf);
    const height = Math.max(...row.map((block) => block.length));
    for (let n = 0; n < height; n++) {
      const line = row.map((block, b) => pad(block[n] ?? "", (widths[b] as number) + GAP));
      lines.push(line.join("").trimEnd());
    }
  }
  return lines;
}

/** Columns that all blocks take beside each other. */
export function widthBeside(blocks: readonly (readonly string[])[]): number {
  return blocks.reduce((sum, block) => sum + widthOf(block), GAP * (blocks.length - 1));
}

export function widthOf(block: readonly string[]): number {
  return Math.max(0, ...block.map(width));
}

function rowsOf(blocks: readonly (readonly string[])[], columns: number): (readonly string[])[][] {
  const rows: (readonly string[])[][] = [];
  for (const block of blocks) {
    const last = rows.at(-1);
    if (last !== undefined && widthBeside([...last, block]) <= columns) last.push(block);
    else rows.push([block]);
  }
  return rows;
}

function pad(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - width(text)));
}
