// What comes for a row if nothing more is bought: time alone passes over a copy of its cursors and values.
import { Row, cursorOf, valueOf } from "./customers";
import { timeAt } from "./log";
import {
  COUNT,
  Model,
  NEWEST,
  NO_DIMENSION,
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

// The scene: for each window a cursor (u32) and, 8 bytes on, a value and the instant at which the cursor leaves (i64).
const SCENE_CURSOR: usize = 0;
const SCENE_VALUE: usize = 8;
const SCENE_LEAVES: usize = 16;
@inline function sceneOf(slot: u32): usize {
  return SCENE + (<usize>slot << 5);
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

/** When the band of dimension `number`, the age of an order of `time`, ends; NEVER for never. */
@inline function endOfAge(model: Model, number: u8, bands: u32, time: i64): i64 {
  const band = bandIn(bands, number);
  if (band == 0) return NEVER;
  const limit = limitAt(dimensionAt(model, number), band - 1);
  return limit == NO_LIMIT ? NEVER : leave(time, limit);
}

/** When the recency or tenure band of a row with these bands ends, NEVER for none. */
export function boundary(row: Row, model: Model, bands: u32): i64 {
  if (isNull(row)) return NEVER;
  const newest = model.newestAt == NO_DIMENSION ? NEVER : endOfAge(model, model.newestAt, bands, lastTime(row));
  if (model.oldestAt == NO_DIMENSION) return newest;
  return min(newest, endOfAge(model, model.oldestAt, bands, firstTime(row)));
}

function sceneBands(row: Row, model: Model, now: i64): u32 {
  let bands: u32 = 0;
  for (let d: u32 = 0; d < model.dimensions; d++) {
    const dimension = dimensionAt(model, d);
    const measure = dimension.measure;
    let band: u32;
    if (measure == NEWEST) band = bandOfAge(dimension, now - lastTime(row));
    else if (measure == OLDEST) band = bandOfAge(dimension, now - firstTime(row));
    else if (dimension.slot != NO_SLOT) band = bandOfValue(dimension, load<i64>(sceneOf(dimension.slot), SCENE_VALUE));
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
    const scene = sceneOf(slot);
    const window = windowAt(model, slot);
    const cursor = cursorOf(row, window);
    store<u32>(scene, cursor, SCENE_CURSOR);
    store<i64>(scene, valueOf(row, window), SCENE_VALUE);
    store<i64>(scene, cursor == 0 ? NEVER : leave(timeAt(cursor), window.length), SCENE_LEAVES);
  }
  let current = bands;
  while (true) {
    let now = boundary(row, model, current);
    for (let slot: u32 = 0; slot < windows; slot++) now = min(now, load<i64>(sceneOf(slot), SCENE_LEAVES));
    if (now == NEVER) return;
    for (let slot: u32 = 0; slot < windows; slot++)
      if (load<i64>(sceneOf(slot), SCENE_LEAVES) <= now) passScene(sceneOf(slot), model, number, slot, now);
    current = sceneBands(row, model, now);
    if (current == bands) continue;
    if (due == NEVER) due = now;
    const next = segmentOfCell(number, cellOf(model, current));
    if (next != segment) {
      nextAt = now;
      nextSegment = next;
      return;
    }
  }
}

/** Lets leave what has left a window of the scene at `now`. */
function passScene(scene: usize, model: Model, number: u32, slot: u32, now: i64): void {
  const window = windowAt(model, slot);
  let cursor = load<u32>(scene, SCENE_CURSOR);
  let value = load<i64>(scene, SCENE_VALUE);
  let leaves: i64;
  do {
    value -= shareOf(window.measure, model, cursor);
    cursor = nextTaken(model, number, cursor);
    leaves = cursor == 0 ? NEVER : leave(timeAt(cursor), window.length);
  } while (leaves <= now);
  store<u32>(scene, cursor, SCENE_CURSOR);
  store<i64>(scene, value, SCENE_VALUE);
  store<i64>(scene, leaves, SCENE_LEAVES);
}
