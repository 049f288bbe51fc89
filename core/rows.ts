// A row: what one model knows of one customer. What an entry brings into it and takes out of it, and the bands and
// the segment that follow. Everything here is exact at the instant that it is given.
import { Row, addValue, coldRowOf, cursorOf, pastFirstOf, pastLastOf, setCursor, valueOf } from "./customers";
import {
  COUNT,
  Dimension,
  Model,
  NEWEST,
  NO_SEGMENT,
  NO_SLOT,
  OLDEST,
  SUM,
  bandOfAge,
  bandOfValue,
  dimensionAt,
  leave,
  limitAt,
  segmentOfCell,
  takesChannel,
  windowAt,
} from "./models";
import { FINAL, KIND, ORDER, Order, VOID, amountAt, orderAt, reversedAt, timeAt } from "./log";
import { NO_CURRENCY } from "./channels";

/** Does model `model` add up amounts of this currency? */
@inline export function adds(model: Model, currency: u16): bool {
  return currency == NO_CURRENCY || currency == model.currency;
}

/** Does model `number` take an event of this channel and currency? */
@inline export function takes(model: Model, number: u32, channel: u32, currency: u16): bool {
  return takesChannel(number, channel) && (adds(model, currency) || model.countsOther != 0);
}

@inline export function takesEntry(model: Model, number: u32, entry: u32): bool {
  const order = orderAt(entry);
  return takes(model, number, order.channel, order.currency);
}

export function isCancelled(order: Order): bool {
  if ((order.flags & VOID) != 0) return true;
  if (order.reversed == 0) return false;
  const reversed = reversedAt(order.reversed);
  return (reversed.flags & FINAL) != 0 || reversed.cancelVersion >= order.version;
}

/** Does this entry of the chain count as an order in a model that takes it? */
@inline export function counts(model: Model, entry: u32): bool {
  const order = orderAt(entry);
  if (order.reversed == 0) return (order.flags & (KIND | VOID)) == ORDER;
  return countsReversed(model, entry);
}

function countsReversed(model: Model, entry: u32): bool {
  const order = orderAt(entry);
  if ((order.flags & KIND) != ORDER) return false;
  if (isCancelled(order)) return false;
  const refunded = reversedAt(order.reversed).refunded;
  return model.keepsRefunded != 0 || refunded == 0 || refunded < amountAt(entry);
}

/** What a counting order, or a refund without order, adds to the sums of a model that takes it. Minor units. */
export function worth(model: Model, entry: u32): i64 {
  const order = orderAt(entry);
  if (!adds(model, order.currency)) return 0;
  const amount = amountAt(entry);
  if ((order.flags & KIND) != ORDER) return -amount;
  if (order.reversed == 0) return amount;
  const refunded = reversedAt(order.reversed).refunded;
  return refunded < amount ? amount - refunded : 0;
}

/** Takes what an entry adds to a row's figures at `now` out of them. Its place in the chain does not matter. */
export function subtract(row: Row, model: Model, entry: u32, now: i64): void {
  const isOrder = (orderAt(entry).flags & KIND) == ORDER;
  if (isOrder && !counts(model, entry)) return;
  const orders: i64 = isOrder ? 1 : 0;
  const sum = worth(model, entry);
  row.ordersEver -= <u32>orders;
  row.spendEver -= sum;
  const time = timeAt(entry);
  const windows = model.windows;
  for (let slot: u32 = 0; slot < windows; slot++) {
    const window = windowAt(model, slot);
    if (leave(time, window.length) > now) addValue(row, window, window.measure == COUNT ? -orders : -sum);
  }
}

/** The next entry from `entry` on that the model takes, 0 for none. */
function taken(model: Model, number: u32, entry: u32): u32 {
  while (entry != 0 && !takesEntry(model, number, entry)) entry = orderAt(entry).next;
  return entry;
}

function countingFrom(model: Model, number: u32, entry: u32): u32 {
  while (entry != 0 && !(takesEntry(model, number, entry) && counts(model, entry))) entry = orderAt(entry).next;
  return entry;
}

function countingBack(model: Model, number: u32, entry: u32): u32 {
  while (entry != 0 && !(takesEntry(model, number, entry) && counts(model, entry))) entry = orderAt(entry).previous;
  return entry;
}

/**
 * Takes note of an entry that was linked into the chain, with all that it adds to the row's figures at `now`;
 * `isNewest` says that it is the chain's last.
 */
export function enter(row: Row, model: Model, entry: u32, isNewest: bool, now: i64): void {
  const isOrder = (orderAt(entry).flags & KIND) == ORDER;
  const isCounted = isOrder && counts(model, entry);
  const orders: i64 = isCounted ? 1 : 0;
  const sum = isOrder && !isCounted ? 0 : worth(model, entry);
  const time = timeAt(entry);
  const windows = model.windows;
  for (let slot: u32 = 0; slot < windows; slot++) {
    const window = windowAt(model, slot);
    if (leave(time, window.length) <= now) continue;
    addValue(row, window, window.measure == COUNT ? orders : sum);
    const cursor = cursorOf(row, window);
    if (cursor == 0 || (!isNewest && time < timeAt(cursor))) setCursor(row, window, entry);
  }
  row.spendEver += sum;
  if (!isCounted) return;
  row.ordersEver++;
  if (row.newest == 0) coldRowOf(row).first = entry;
  else if (!isNewest && time < timeAt(coldRowOf(row).first)) coldRowOf(row).first = entry;
  if (row.newest == 0 || isNewest || time >= timeAt(row.newest)) row.newest = entry;
}

/** The same of an order that counts, is the chain's last and in all windows, in a row that knows an order. */
@inline export function enterNewest(row: Row, model: Model, entry: u32, sum: i64): void {
  const windows = model.windows;
  for (let slot: u32 = 0; slot < windows; slot++) {
    const window = windowAt(model, slot);
    addValue(row, window, window.measure == COUNT ? 1 : sum);
    if (cursorOf(row, window) == 0) setCursor(row, window, entry);
  }
  row.spendEver += sum;
  row.ordersEver++;
  row.newest = entry;
}

/** Takes leave of an entry that is about to be unlinked from the chain. */
export function exit(row: Row, model: Model, number: u32, entry: u32): void {
  const next = orderAt(entry).next;
  const windows = model.windows;
  for (let slot: u32 = 0; slot < windows; slot++) {
    const window = windowAt(model, slot);
    if (cursorOf(row, window) == entry) setCursor(row, window, taken(model, number, next));
  }
  if (row.newest == entry) row.newest = countingBack(model, number, orderAt(entry).previous);
  const cold = coldRowOf(row);
  if (cold.first == entry) cold.first = countingFrom(model, number, next);
}

/** Lets leave what has left the row's windows at `now`. */
export function depart(row: Row, model: Model, number: u32, now: i64): void {
  const windows = model.windows;
  for (let slot: u32 = 0; slot < windows; slot++) {
    const window = windowAt(model, slot);
    let cursor = cursorOf(row, window);
    if (cursor == 0 || leave(timeAt(cursor), window.length) > now) continue;
    do {
      addValue(row, window, -shareOf(window.measure, model, cursor));
      cursor = taken(model, number, orderAt(cursor).next);
    } while (cursor != 0 && leave(timeAt(cursor), window.length) <= now);
    setCursor(row, window, cursor);
  }
}

/** What an entry that the model takes has in a window of this measure. */
export function shareOf(measure: u8, model: Model, entry: u32): i64 {
  const isOrder = (orderAt(entry).flags & KIND) == ORDER;
  if (measure == COUNT) return isOrder && counts(model, entry) ? 1 : 0;
  return isOrder && !counts(model, entry) ? 0 : worth(model, entry);
}

export function nextTaken(model: Model, number: u32, entry: u32): u32 {
  return taken(model, number, orderAt(entry).next);
}

/** Time of the newest order known that counts, 0 for none. */
@inline export function lastTime(row: Row): i64 {
  return row.newest != 0 ? timeAt(row.newest) : pastLastOf(coldRowOf(row));
}

/** Time of the first order known that counts, 0 for none. Those past the horizon are older than all others. */
export function firstTime(row: Row): i64 {
  const cold = coldRowOf(row);
  const past = pastFirstOf(cold);
  return past != 0 ? past : cold.first != 0 ? timeAt(cold.first) : 0;
}

@inline export function isNull(row: Row): bool {
  return row.newest == 0 && pastLastOf(coldRowOf(row)) == 0;
}

/** Value of a dimension that counts or sums. */
@inline export function measured(row: Row, model: Model, dimension: Dimension): i64 {
  if (dimension.slot != NO_SLOT) return valueOf(row, windowAt(model, dimension.slot));
  return dimension.measure == COUNT ? <i64>row.ordersEver : row.spendEver;
}

/**
 * Does every band at `now` hold what it held? False also where that is not seen at once: of a band `none`. Bands
 * decide the segment of a row that has any.
 */
export function keepsBands(row: Row, model: Model, now: i64): bool {
  if (row.newest == 0) return false;
  const bands = row.bands;
  for (let d: u32 = 0; d < model.dimensions; d++) {
    const band = bandIn(bands, d);
    if (band == 0) return false;
    const dimension = dimensionAt(model, d);
    const measure = dimension.measure;
    if (measure == COUNT || measure == SUM) {
      const value = measured(row, model, dimension);
      if (value < limitAt(dimension, band - 1) || (band != 1 && value >= limitAt(dimension, band - 2))) return false;
    } else {
      const age = now - (measure == NEWEST ? lastTime(row) : firstTime(row));
      if (age >= limitAt(dimension, band - 1) || (band != 1 && age < limitAt(dimension, band - 2))) return false;
    }
  }
  return true;
}

/**
 * Does an order of worth `sum` leave every band as it is? It is like that of `enterNewest` and no older than the
 * shortest limit of an age, and nothing is due. False also where that is not seen at once.
 */
@inline export function keepsBandsWith(row: Row, model: Model, sum: i64): bool {
  if (row.newest == 0) return false;
  const bands = row.bands;
  for (let d: u32 = 0; d < model.dimensions; d++) {
    const dimension = dimensionAt(model, d);
    const measure = dimension.measure;
    // The age of the first order is what it was.
    if (measure == OLDEST) continue;
    const band = bandIn(bands, d);
    // A count or sum only rises, and there is none above the first band.
    if (band == 1) continue;
    if (band == 0 || measure == NEWEST) return false;
    if (measured(row, model, dimension) + (measure == COUNT ? 1 : sum) >= limitAt(dimension, band - 2)) return false;
  }
  return true;
}

/** Bands of a row at `now`, four bits a dimension; all 0 in no segment. */
export function bandsOf(row: Row, model: Model, now: i64): u32 {
  if (isNull(row)) return 0;
  let bands: u32 = 0;
  for (let d: u32 = 0; d < model.dimensions; d++) {
    const dimension = dimensionAt(model, d);
    const measure = dimension.measure;
    const band =
      measure == NEWEST
        ? bandOfAge(dimension, now - lastTime(row))
        : measure == OLDEST
          ? bandOfAge(dimension, now - firstTime(row))
          : bandOfValue(dimension, measured(row, model, dimension));
    bands |= band << (d << 2);
  }
  return bands;
}

/** Value of a dimension that counts or sums, less what leaves its window up to `now`. */
export function valueAt(row: Row, model: Model, number: u32, dimension: Dimension, now: i64): i64 {
  let value = measured(row, model, dimension);
  if (dimension.slot == NO_SLOT) return value;
  const window = windowAt(model, dimension.slot);
  let cursor = cursorOf(row, window);
  while (cursor != 0 && leave(timeAt(cursor), window.length) <= now) {
    value -= shareOf(window.measure, model, cursor);
    cursor = nextTaken(model, number, cursor);
  }
  return value;
}

/** Band at `now`, also of a row that is due up to there. The dimension is the model's, or has other limits. */
export function bandAt(row: Row, model: Model, number: u32, dimension: Dimension, now: i64): u32 {
  const measure = dimension.measure;
  if (measure == NEWEST) return bandOfAge(dimension, now - lastTime(row));
  if (measure == OLDEST) return bandOfAge(dimension, now - firstTime(row));
  return bandOfValue(dimension, valueAt(row, model, number, dimension, now));
}

@inline export function bandIn(bands: u32, dimension: u32): u32 {
  return (bands >> (dimension << 2)) & 15;
}

/** The same bands, a byte a dimension. */
export function bandBytes(bands: u32): u64 {
  let bytes: u64 = 0;
  for (let d: u32 = 0; d < 8; d++) bytes |= <u64>bandIn(bands, d) << (<u64>d << 3);
  return bytes;
}

export function cellOf(model: Model, bands: u32): u32 {
  let cell: u32 = 0;
  for (let d: u32 = 0; d < model.dimensions; d++) cell += bandIn(bands, d) * dimensionAt(model, d).stride;
  return cell;
}

/** Segment of a row with these bands. */
export function segmentOf(row: Row, model: Model, number: u32, bands: u32): u8 {
  return isNull(row) ? NO_SEGMENT : segmentOfCell(number, cellOf(model, bands));
}
