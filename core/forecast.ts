// What comes for a row if nothing more is bought: time alone passes over a copy of its cursors and values.
import { Row, cursorOf, valueOf } from "./customers";
import { timeAt } from "./log";
import {
  COUNT,
  Model,
  NEWEST,
  NO_LIMIT,
  NO_SLOT,
  OLDEST,
  bandOfAge,
  bandOfValue,
  dimensionAt,
  leave,
  limitAt,
  segmentOfCell,
  windowAt,
} from "./models";
import { bandIn, cellOf, firstTime, isNull, lastTime, nextTaken, shareOf } from "./rows";
import { SCENE } from "./status";
import { NEVER } from "./timers";

/** The next change of a band, NEVER for none. Set by `forecast`. */
export let due: i64 = 0;
/** The next change of segment, NEVER for none, and the segment then. */
export let nextAt: i64 = 0;
export let nextSegment: u8 = 0;

// The scene: for each window a cursor (u32) and, 8 bytes on, a value (i64).
@inline function sceneOf(slot: u32): usize {
  return SCENE + (<usize>slot << 4);
}

/** The first instant after `now` at which the row changes: a boundary or an entry that leaves a window. */
export function nextOf(row: Row, model: Model, bands: u32): i64 {
  let instant = boundary(row, model, bands);
  const windows = model.windows;
  for (let slot: u32 = 0; slot < windows; slot++) {
    const window = windowAt(model, slot);
    const cursor = cursorOf(row, window);
    if (cursor == 0) continue;
    const at = leave(timeAt(cursor), window.length);
    if (at < instant) instant = at;
  }
  return instant;
}

/** When the recency or tenure band of a row with these bands ends, NEVER for none. */
export function boundary(row: Row, model: Model, bands: u32): i64 {
  let instant = NEVER;
  if (isNull(row)) return instant;
  for (let d: u32 = 0; d < model.dimensions; d++) {
    const dimension = dimensionAt(model, d);
    const measure = dimension.measure;
    if (measure != NEWEST && measure != OLDEST) continue;
    const band = bandIn(bands, d);
    if (band == 0) continue;
    const limit = limitAt(dimension, band - 1);
    if (limit == NO_LIMIT) continue;
    const at = leave(measure == NEWEST ? lastTime(row) : firstTime(row), limit);
    if (at < instant) instant = at;
  }
  return instant;
}

function sceneBands(row: Row, model: Model, now: i64): u32 {
  let bands: u32 = 0;
  for (let d: u32 = 0; d < model.dimensions; d++) {
    const dimension = dimensionAt(model, d);
    const measure = dimension.measure;
    let band: u32;
    if (measure == NEWEST) band = bandOfAge(dimension, now - lastTime(row));
    else if (measure == OLDEST) band = bandOfAge(dimension, now - firstTime(row));
    else if (dimension.slot != NO_SLOT) band = bandOfValue(dimension, load<i64>(sceneOf(dimension.slot), 8));
    else band = bandOfValue(dimension, measure == COUNT ? <i64>row.ordersEver : row.spendEver);
    bands |= band << (d << 2);
  }
  return bands;
}

/** Looks ahead from a row that has these bands and this segment. Cost: the entries in its windows. */
export function forecast(row: Row, model: Model, number: u32, bands: u32, segment: u8): void {
  due = NEVER;
  nextAt = NEVER;
  nextSegment = segment;
  if (isNull(row)) return;
  const windows = model.windows;
  for (let slot: u32 = 0; slot < windows; slot++) {
    const window = windowAt(model, slot);
    store<u32>(sceneOf(slot), cursorOf(row, window));
    store<i64>(sceneOf(slot), valueOf(row, window), 8);
  }
  let current = bands;
  while (true) {
    let now = boundary(row, model, current);
    for (let slot: u32 = 0; slot < windows; slot++) {
      const cursor = load<u32>(sceneOf(slot));
      if (cursor == 0) continue;
      const at = leave(timeAt(cursor), windowAt(model, slot).length);
      if (at < now) now = at;
    }
    if (now == NEVER) return;
    for (let slot: u32 = 0; slot < windows; slot++) {
      const window = windowAt(model, slot);
      let cursor = load<u32>(sceneOf(slot));
      let value = load<i64>(sceneOf(slot), 8);
      while (cursor != 0 && leave(timeAt(cursor), window.length) <= now) {
        value -= shareOf(window.measure, model, cursor);
        cursor = nextTaken(model, number, cursor);
      }
      store<u32>(sceneOf(slot), cursor);
      store<i64>(sceneOf(slot), value, 8);
    }
    current = sceneBands(row, model, now);
    if (due == NEVER && current != bands) due = now;
    const next = segmentOfCell(number, cellOf(model, current));
    if (next != segment) {
      nextAt = now;
      nextSegment = next;
      return;
    }
  }
}
