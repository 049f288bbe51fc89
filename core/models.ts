// Compiled models, written by the runtime at start and only read here. A rule is never seen: bands give a cell,
// the cell table gives the segment.
import { CELLS, CELLS_MAX, CHANNELS_MAX, COUNTS, COUNT_BYTES, MODELS, MODEL_BYTES, ROW_BYTES, SUM_BYTES, TAKES } from "./layout";

/** What a dimension measures. */
export const NEWEST: u8 = 0; // age of the newest counting order
export const COUNT: u8 = 1; // counting orders in the window
export const SUM: u8 = 2; // their worth, less refunds without order
export const OLDEST: u8 = 3; // age of the oldest order known

/** A dimension's window slot where it has none: ages, and windows `ever`. */
export const NO_SLOT: u8 = 255;
export const NO_DIMENSION: u8 = 255;
export const NO_LIMIT: i64 = i64.MAX_VALUE;
export const NO_SEGMENT: u8 = 255;

@unmanaged export class Model {
  dimensions: u32;
  windows: u32;
  currency: u16;
  countsOther: u8; // otherCurrency: count
  keepsRefunded: u8; // fullRefund: keep
  countAt: u8; // number of the dimension told as `orders`
  sumAt: u8; // and as `spend`
  newestAt: u8; // number of the dimension of the newest order's age, NO_DIMENSION for none
  oldestAt: u8; // and of the oldest's
}

/** A finite window of a model: entries leave it `length` ms after their time. */
@unmanaged export class Window {
  length: i64;
  measure: u8;
  pad0: u8;
  at: u16; // its place in a row, see `placeWindows`
  pad1: u32;
}

@unmanaged export class Dimension {
  measure: u8;
  bands: u8;
  slot: u8; // its window, or NO_SLOT
  pad0: u8;
  stride: u32; // in the cell table
  // ten limits (i64) follow
}
export const WINDOWS_AT: usize = 16;
export const WINDOW_SPEC_BYTES: usize = 16;
export const DIMENSIONS_AT: usize = 16 + 8 * 16;
export const DIMENSION_BYTES: usize = 8 + 10 * 8;
export const LIMITS_AT: usize = 8;

if (offsetof<Model>() != 16) ERROR("Model must stay 16 bytes");
if (offsetof<Window>() != 16) ERROR("Window must stay 16 bytes");
if (offsetof<Dimension>() != 8) ERROR("Dimension must stay 8 bytes");

@inline export function modelAt(number: u32): Model {
  return changetype<Model>(MODELS + <usize>number * MODEL_BYTES);
}

@inline export function windowAt(model: Model, slot: u32): Window {
  return changetype<Window>(changetype<usize>(model) + WINDOWS_AT + <usize>slot * WINDOW_SPEC_BYTES);
}

@inline export function dimensionAt(model: Model, number: u32): Dimension {
  return changetype<Dimension>(changetype<usize>(model) + DIMENSIONS_AT + <usize>number * DIMENSION_BYTES);
}

/** Ages: exclusive maximum (ms), ascending. Counts and sums: inclusive minimum, descending. */
@inline export function limitAt(dimension: Dimension, band: u32): i64 {
  return load<i64>(changetype<usize>(dimension) + LIMITS_AT + (<usize>band << 3));
}

/** Gives the windows of a model their places in its rows: those of counts are shorter. */
export function placeWindows(model: Model): void {
  let at = ROW_BYTES;
  for (let slot: u32 = 0; slot < model.windows; slot++) {
    const window = windowAt(model, slot);
    window.at = <u16>at;
    at += window.measure == COUNT ? COUNT_BYTES : SUM_BYTES;
  }
}

/** No row of the model changes by time alone sooner than this, in ms, after an order that is all there is to it. */
export function soonestOf(model: Model): i64 {
  let soonest = NO_LIMIT;
  for (let slot: u32 = 0; slot < model.windows; slot++) soonest = min(soonest, windowAt(model, slot).length);
  for (let d: u32 = 0; d < model.dimensions; d++) {
    const dimension = dimensionAt(model, d);
    // Ages: the first limit is the shortest.
    if (dimension.measure == NEWEST || dimension.measure == OLDEST) soonest = min(soonest, limitAt(dimension, 0));
  }
  return soonest;
}

/** Band number of an age, 0 for none. */
export function bandOfAge(dimension: Dimension, age: i64): u32 {
  const bands: u32 = dimension.bands;
  for (let band: u32 = 0; band < bands; band++) if (age < limitAt(dimension, band)) return band + 1;
  return 0;
}

/** Band number of a count or sum, 0 for none. */
export function bandOfValue(dimension: Dimension, value: i64): u32 {
  const bands: u32 = dimension.bands;
  for (let band: u32 = 0; band < bands; band++) if (value >= limitAt(dimension, band)) return band + 1;
  return 0;
}

/** When an entry of time `time` leaves a window (or horizon) of `length` ms. Nothing else adds a duration to a time. */
@inline export function leave(time: i64, length: i64): i64 {
  return time + length;
}

@inline export function takesChannel(model: u32, channel: u32): bool {
  return load<u8>(TAKES + <usize>(model * CHANNELS_MAX + channel)) != 0;
}

@inline export function segmentOfCell(model: u32, cell: u32): u8 {
  return load<u8>(CELLS + <usize>(model * CELLS_MAX + cell));
}

/** Moves one customer of a model into (+1) or out of (−1) a cell. */
@inline export function countCell(model: u32, cell: u32, by: i32): void {
  const at = COUNTS + (<usize>(model * CELLS_MAX + cell) << 2);
  store<i32>(at, load<i32>(at) + by);
}
