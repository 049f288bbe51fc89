/** YAML on a terminal: what is a comment steps back, but for tables and warnings. */
import type { Terminal } from "./terminal.js";

/** The line in colours; the same text where there are none. */
export function painted(terminal: Terminal, line: string): string {
  const [, indent = "", mark, text = ""] = /^(\s*)(#)(.*)$/.exec(line) ?? [];
  if (mark !== undefined) {
    if (text.includes("warning:")) return indent + terminal.style("yellow", mark + text);
    return indent + terminal.style("dim", mark) + text.replace(/█+/, (bar) => terminal.style("cyan", bar));
  }
  return line.replace(/ # .*$/, (note) => terminal.style("dim", note));
}
