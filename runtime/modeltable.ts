/** Models as the kernel holds them, and what one model has of another. */
import type { Dimension, Model } from "./settings.js";

const MEASURES = ["newest", "count", "sum", "oldest"] as const;
const NO_LIMIT = 0x7fff_ffff_ffff_ffffn;
const DIMENSIONS_MAX = 8;

// Drawn in core/models.ts.
const WINDOWS_AT = 16;
const WINDOW_BYTES = 16;
const DIMENSIONS_AT = WINDOWS_AT + DIMENSIONS_MAX * WINDOW_BYTES;
const DIMENSION_BYTES = 88;

// Drawn in core/adopt.ts.
const BANDS_AT = 8;
const BANDS_BYTES = 12;
const SEGMENTS_AT = BANDS_AT + DIMENSIONS_MAX * BANDS_BYTES;
/** A model, dimension or band that was not there. */
const NOTHING = 255;
/** No segment has this number, and it is not that of none. */
const NO_SUCH_SEGMENT = 254;

/** Three letters of five bits each, A = 1. */
export function packCurrency(currency: string): number {
  return [...currency].reduce((packed, letter) => packed * 32 + letter.charCodeAt(0) - 64, 0);
}

/** The currency that was packed so; empty for none (0). */
export function unpackCurrency(packed: number): string {
  if (packed === 0) return "";
  return String.fromCharCode(64 + (packed >> 10), 64 + ((packed >> 5) & 31), 64 + (packed & 31));
}

/** `channel` undefined: one that no model names. */
export function takesChannel(model: Model, channel: string | undefined): boolean {
  return model.channels === "*" || (channel !== undefined && model.channels.includes(channel));
}

/** What `model` has of `former`, by name, as core/adopt.ts reads it. */
export function mapModel(model: Model, former: Model | undefined, formerModels: readonly Model[]): Uint8Array {
  const map = new Uint8Array(SEGMENTS_AT + 256).fill(NOTHING);
  if (former === undefined) return map;
  map[0] = formerModels.indexOf(former);
  for (const [d, { name, bands }] of model.dimensions.entries()) {
    const at = BANDS_AT + d * BANDS_BYTES;
    const dimension = former.dimensions.findIndex((other) => other.name === name);
    if (dimension < 0) continue;
    map[at] = dimension;
    map[at + 1] = 0;
    for (const [number, band] of (former.dimensions[dimension] as Dimension).bands.entries())
      map[at + 2 + number] = bandNumber(bands, band.name);
  }
  for (const [number, name] of former.segments.entries()) {
    const here = model.segments.indexOf(name);
    map[SEGMENTS_AT + number] = here < 0 ? NO_SUCH_SEGMENT : here;
  }
  return map;
}

function bandNumber(bands: Dimension["bands"], name: string): number {
  const index = bands.findIndex((band) => band.name === name);
  return index < 0 ? NOTHING : index + 1;
}

/** Dimensions that need a window of their own: those that are neither an age nor `ever`. */
export function windowsOf(model: Model): Dimension[] {
  return model.dimensions.filter(({ windowMs }) => Number.isFinite(windowMs));
}

/** Bytes of the windows of a model's row, where one that counts and one that sums take so many. */
export function windowBytesOf(model: Model, count: number, sum: number): number {
  return windowsOf(model).reduce((bytes, { measure }) => bytes + (measure === "count" ? count : sum), 0);
}

/** A model as core/models.ts reads it. */
export function encodeModel(model: Model): Uint8Array {
  const bytes = new Uint8Array(DIMENSIONS_AT + DIMENSIONS_MAX * DIMENSION_BYTES);
  const view = new DataView(bytes.buffer);
  const windows = windowsOf(model);
  const place = (measure: string) => model.dimensions.findIndex((dimension) => dimension.measure === measure);
  view.setUint32(0, model.dimensions.length, true);
  view.setUint32(4, windows.length, true);
  view.setUint16(8, packCurrency(model.currency), true);
  view.setUint8(10, model.otherCurrency === "count" ? 1 : 0);
  view.setUint8(11, model.fullRefund === "keep" ? 1 : 0);
  view.setUint8(12, place("count"));
  view.setUint8(13, place("sum"));
  // 255 for none, as the byte of −1.
  view.setUint8(14, place("newest"));
  view.setUint8(15, place("oldest"));
  for (const [slot, { windowMs, measure }] of windows.entries()) {
    view.setBigInt64(WINDOWS_AT + slot * WINDOW_BYTES, BigInt(windowMs), true);
    view.setUint8(WINDOWS_AT + slot * WINDOW_BYTES + 8, MEASURES.indexOf(measure));
  }
  for (const [number, dimension] of model.dimensions.entries()) {
    const to = DIMENSIONS_AT + number * DIMENSION_BYTES;
    view.setUint8(to, MEASURES.indexOf(dimension.measure));
    view.setUint8(to + 1, dimension.bands.length);
    view.setUint8(to + 2, windows.includes(dimension) ? windows.indexOf(dimension) : 255);
    view.setUint32(to + 4, model.strides[number] as number, true);
    for (const [band, { limit }] of dimension.bands.entries())
      view.setBigInt64(to + 8 + band * 8, Number.isFinite(limit) ? BigInt(limit) : NO_LIMIT, true);
  }
  return bytes;
}
