/** Numbers drawn with characters. */

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A bar of up to `columns` for the share that `part` has of `whole`; never nothing for something. */
export function bar(part: number, whole: number, columns: number): string {
  const eighths = whole <= 0 ? 0 : Math.max(part > 0 ? 1 : 0, Math.round((part / whole) * columns * 8));
  return "█".repeat(eighths >> 3) + (EIGHTHS[eighths & 7] ?? "");
}

const LEVELS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/** One character a value, the highest one full; a dot for 0. */
export function sparkline(values: readonly number[]): string {
  const most = Math.max(...values);
  return values.map((value) => (value <= 0 ? "·" : LEVELS[Math.ceil((value / most) * 8) - 1])).join("");
}
