/** Models as the API and the page see them. */
import type { Settings } from "../../runtime/settings.js";

export interface ModelDescription {
  readonly name: string;
  readonly version: string;
  readonly currency: string;
  readonly channels: "*" | readonly string[];
  /** In rule order. */
  readonly segments: readonly string[];
  readonly dimensions: readonly {
    readonly name: string;
    readonly measure: string;
    /** Null: ever. */
    readonly windowMs: number | null;
    /** Of a cell's number: cell = Σ band × stride; band 0 is `none`, band b is `bands[b - 1]`. */
    readonly stride: number;
    /** `limit`: exclusive maximum age in ms, or inclusive minimum count or sum; null: no limit. */
    readonly bands: readonly { readonly name: string; readonly limit: number | null; readonly points: number }[];
  }[];
  /** Segment number of each cell. */
  readonly cells: readonly number[];
}

export function describeModels(settings: Settings): {
  readonly name: string;
  readonly version: string;
  readonly clock: string;
  readonly partitions: number;
  readonly models: readonly ModelDescription[];
} {
  const { name, version, clock, partitions } = settings;
  const models = settings.models.map((model) => ({
    name: model.name,
    version: model.version,
    currency: model.currency,
    channels: model.channels,
    segments: model.segments,
    dimensions: model.dimensions.map((dimension, index) => ({
      name: dimension.name,
      measure: dimension.measure,
      windowMs: finite(dimension.windowMs),
      stride: model.strides[index] ?? 0,
      bands: dimension.bands.map((band) => ({ name: band.name, limit: finite(band.limit), points: band.points })),
    })),
    cells: model.cells,
  }));
  return { name, version, clock, partitions, models };
}

/** JSON has no Infinity. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
