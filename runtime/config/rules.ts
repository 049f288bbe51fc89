/** Segment rules over cells: which cells there are, which of them a rule names. */
import type { Dimension } from "../settings.js";
import type { SegmentConfig } from "./schema.js";

export interface Rule {
  readonly segment: string;
  /** True of a cell, given as the band number of each dimension (0 is `none`). */
  matches(bands: readonly number[]): boolean;
}

/** cell = Σ band × stride: the first dimension runs fastest. */
export function stridesOf(dimensions: readonly Dimension[]): number[] {
  let stride = 1;
  return dimensions.map((dimension) => {
    const own = stride;
    stride *= dimension.bands.length + 1;
    return own;
  });
}

/** Band numbers of every cell, in the order of cells. */
export function allCells(dimensions: readonly Dimension[]): number[][] {
  return dimensions.reduce<number[][]>(
    (cells, dimension) =>
      Array.from({ length: dimension.bands.length + 1 }, (_, band) => cells.map((bands) => [...bands, band])).flat(),
    [[]],
  );
}

/** Name of band `number`; 0 is `none`. */
export function bandName(dimension: Dimension, number: number): string {
  return number === 0 ? "none" : (dimension.bands[number - 1]?.name ?? `band ${number}`);
}

/** A rule whose names are known to exist. */
export function compileRule({ name, when }: SegmentConfig, dimensions: readonly Dimension[]): Rule {
  const allowed = dimensions.map((dimension) => when[dimension.name]);
  const { of, min = 0, max = Number.POSITIVE_INFINITY } = when.points ?? {};
  const summed = dimensions.map((dimension) => of === undefined || of.includes(dimension.name));
  return {
    segment: name,
    matches(bands) {
      const named = dimensions.every((dimension, d) => {
        const names = allowed[d];
        return names === undefined || names.includes(bandName(dimension, bands[d] ?? 0));
      });
      if (!named) return false;
      const points = dimensions.reduce(
        (sum, dimension, d) => sum + (summed[d] ? (dimension.bands[(bands[d] ?? 0) - 1]?.points ?? 0) : 0),
        0,
      );
      return points >= min && points <= max;
    },
  };
}
