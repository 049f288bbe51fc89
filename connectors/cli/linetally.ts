/** What became of rows that are the lines of orders, as sentences. */
import type { LineTally } from "../file/index.js";
import { count, counted } from "./terminal.js";

export function lineSentences(rows: number, { orders, severalCustomers, example }: LineTally): string[] {
  const sentences = [`${counted(rows, "row")}, lines of ${counted(orders, "order")}.`];
  if (severalCustomers > 0) {
    const ids = severalCustomers === 1 ? "order id names" : "order ids name";
    sentences.push(
      `${count(severalCustomers)} ${ids} several customers (the first: ${example}): each customer's lines are taken as an order.`,
    );
  }
  return sentences;
}
