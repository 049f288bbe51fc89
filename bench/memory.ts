/**
 * memory.customer, memory.order: bytes that a full partition has reserved, for each customer and each order in it.
 * Customers: index, head, one model's row, bits for those due, and what an id takes beside its own bytes. Orders:
 * index and log. Nothing is estimated: the addresses are the kernel's, the counts are those of what it took.
 */
import { runChild } from "./child.js";
import type { Filled } from "./filled.js";
import type { Orders } from "./population.js";
import { type Bench, type BenchOptions, type Result, withGoal } from "./result.js";

const MILLION = 1_000_000;
const ID_LENGTHS = [12, 18];
const CUSTOMER_BYTES_MAX = 128;
const ORDER_BYTES_MAX = 64;

async function run({ quick, note }: BenchOptions): Promise<readonly Result[]> {
  const measured: (Filled & Orders)[] = [];
  for (const orders of quick ? [MILLION] : [MILLION, 10 * MILLION]) {
    for (const idLength of ID_LENGTHS) {
      const filled = await runChild<Filled>("filled", { orders, idLength });
      note(`${orders / MILLION} M customers with ids of ${idLength} bytes: ${filled.seconds.toFixed(1)} s to fill`);
      measured.push({ ...filled, orders, idLength });
    }
  }
  const left = quick ? "; 10 M left out (--quick)" : "";
  const most = (name: string, bytes: (filled: Filled) => number, more: (one: Filled & Orders) => string): Result => {
    const each = measured.map((one) => bytes(one) / one.orders);
    const parts = measured.map(
      (one, n) => `${one.orders / MILLION} M, ids of ${one.idLength}: ${each[n]?.toFixed(1)}${more(one)}`,
    );
    // The most of the populations, not their median: the goal is for each of them.
    const value = Math.max(...each);
    return {
      name,
      value,
      unit: "bytes",
      low: Math.min(...each),
      high: value,
      rounds: each.length,
      note: `the most of ${parts.join("; ")}${left}`,
    };
  };
  const resident = ({ residentBytes, orders }: Filled & Orders) =>
    ` (resident, with the id, one order and the input: ${(residentBytes / orders).toFixed(1)})`;
  return [
    withGoal(
      most("memory.customer", ({ customerBytes }) => customerBytes, resident),
      "≤",
      CUSTOMER_BYTES_MAX,
    ),
    withGoal(
      most(
        "memory.order",
        ({ orderBytes }) => orderBytes,
        () => "",
      ),
      "≤",
      ORDER_BYTES_MAX,
    ),
  ];
}

export const memoryBenches: readonly Bench[] = [{ names: ["memory.customer", "memory.order"], run }];
