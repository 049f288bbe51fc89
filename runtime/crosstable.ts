/** Customers of a model by two of its dimensions at a time. */
import type { Dimension, Model } from "./settings.js";

/** Customers and what they are worth, by the bands of one dimension down and of another across. */
export interface Crosstable {
  readonly rows: Axis;
  readonly columns: Axis;
  /** By row, then column. */
  readonly customers: readonly (readonly number[])[];
  /** Minor units. */
  readonly revenue: readonly (readonly bigint[])[];
}

export interface Axis {
  readonly dimension: Dimension["name"];
  /** Best first, `none` last. */
  readonly bands: readonly string[];
}

const PAIRS = [
  ["recency", "frequency"],
  ["recency", "monetary"],
  ["frequency", "monetary"],
] as const;

/**
 * Recency by frequency, recency by monetary, frequency by monetary, of the customers and their worth in each cell of
 * the model. Who is in no segment is in no cell.
 */
export function crosstables(model: Model, customers: readonly number[], revenue: readonly bigint[]): Crosstable[] {
  return PAIRS.map(([down, across]) => {
    const rows = axisOf(model, down);
    const columns = axisOf(model, across);
    const counted = rows.bands.map(() => columns.bands.map(() => 0));
    const worth = rows.bands.map(() => columns.bands.map(() => 0n));
    for (const [cell, count] of customers.entries()) {
      if (count === 0) continue;
      const [row, column] = [rows.placeOf(cell), columns.placeOf(cell)];
      add(counted, row, column, count);
      add(worth, row, column, revenue[cell] as bigint);
    }
    return {
      rows: { dimension: down, bands: rows.bands },
      columns: { dimension: across, bands: columns.bands },
      customers: counted,
      revenue: worth,
    };
  });
}

function axisOf(model: Model, name: Dimension["name"]): Axis & { placeOf(cell: number): number } {
  const d = model.dimensions.findIndex((dimension) => dimension.name === name);
  const bands = (model.dimensions[d] as Dimension).bands.map((band) => band.name);
  const stride = model.strides[d] as number;
  // Band 0 is `none`, and stands last.
  const placeOf = (cell: number) => (Math.floor(cell / stride) + bands.length) % (bands.length + 1);
  return { dimension: name, bands: [...bands, "none"], placeOf };
}

function add<T extends number | bigint>(table: T[][], row: number, column: number, value: T): void {
  const line = table[row] as T[];
  line[column] = ((line[column] as number) + (value as number)) as T;
}
