/** Live counts of several partitions as one. */
import type { ModelCounts } from "./edge.js";

/** Sums them by model. Partitions of one configuration have the same models; while it changes, the larger one's. */
export function addCounts(partitions: readonly (readonly ModelCounts[])[]): ModelCounts[] {
  const sum: { model: string; cells: Uint32Array; segments: number[]; none: number; customers: number }[] = [];
  for (const models of partitions) {
    for (const [i, { model, cells, segments, none, customers }] of models.entries()) {
      sum[i] ??= { model, cells: new Uint32Array(cells.length), segments: [], none: 0, customers: 0 };
      const into = sum[i];
      if (into.cells.length < cells.length) into.cells = concat(into.cells, cells.length);
      for (let cell = 0; cell < cells.length; cell++)
        into.cells[cell] = (into.cells[cell] as number) + (cells[cell] as number);
      for (const [segment, count] of segments.entries()) into.segments[segment] = (into.segments[segment] ?? 0) + count;
      into.none += none;
      into.customers += customers;
    }
  }
  return sum;
}

function concat(cells: Uint32Array, length: number): Uint32Array {
  const longer = new Uint32Array(length);
  longer.set(cells);
  return longer;
}
