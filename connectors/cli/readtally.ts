/** What became of the rows of a file, where that takes a sentence. */
import type { ReadTally } from "../file/index.js";
import { counted } from "./terminal.js";

export function tallySentences({ rows, lines, negative }: Pick<ReadTally, "rows" | "lines" | "negative">): string[] {
  const sentences: string[] = [];
  if (lines !== null) sentences.push(`${counted(rows, "row")}, lines of ${counted(lines.orders, "order")}.`);
  if (lines !== null && lines.severalCustomers > 0) {
    const ids = counted(lines.severalCustomers, "order id");
    sentences.push(`${ids} with several customers (the first: ${lines.example}): an order each.`);
  }
  if (negative > 0) {
    const orders = counted(negative, "order");
    sentences.push(`${orders} refused for a negative amount: --kind refund=negative or skip=negative.`);
  }
  return sentences;
}
