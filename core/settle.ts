// After a row's figures changed, or time passed: its bands are compared once, and where one or the segment changed,
// that is a migration.
import * as underWay from "./cause";
import { Customer, Row, coldRowOf, pastFirstOf, pastLastOf, rowAt, setSince, sinceOf } from "./customers";
import { due, forecast, nextAt, nextSegment } from "./forecast";
import { timeAt } from "./log";
import { COUNT, Model, NEWEST, NO_SEGMENT, SUM, countCell, dimensionAt, modelAt } from "./models";
import {
  BEFORE_AT,
  BY_MODEL,
  BY_ORDER,
  BY_RECENCY,
  BY_TENURE,
  BY_WINDOW,
  FIGURES_BYTES,
  Figures,
  MigrationRecord,
  beginMigration,
  endMigration,
} from "./output";
import { bandBytes, bandIn, bandsOf, cellOf, firstTime, keepsBands, lastTime, measured, segmentOf } from "./rows";
import { BEFORE, S } from "./status";
import { NEVER } from "./timers";

/** Cause of a migration that time alone brought: found from the bands. */
export const BY_TIME: u8 = 255;

// A row's figures before a change. The times of its newest and first order are looked up only if it migrates: most
// orders change no band, and what they stand in is cold.
@unmanaged class Before {
  orders: i64;
  spend: i64;
  spendEver: i64;
  pastFirst: i64;
  pastLast: i64;
  ordersEver: u32;
  newest: u32;
  first: u32;
  pad0: u32;
}
if (offsetof<Before>() > 64) ERROR("Before outgrew its place");

@inline function beforeOf(model: u32): Before {
  return changetype<Before>(BEFORE + (<usize>model << 6));
}

/** In place of the first order, where it and what is past the horizon stay as they are. */
const AS_IS: u32 = u32.MAX_VALUE;

// An amendment moves an order in time: its time before.
let moved: u32 = 0;
let movedFrom: i64 = 0;

/** Notes that the entry had another time when the figures were captured; 0 for none. */
export function noteMoved(entry: u32, time: i64): void {
  moved = entry;
  movedFrom = time;
}

/** Keeps a row's figures before any change. */
export function capture(row: Row, model: Model, number: u32): void {
  captureHot(row, model, number);
  const before = beforeOf(number);
  const cold = coldRowOf(row);
  before.first = cold.first;
  before.pastFirst = pastFirstOf(cold);
  before.pastLast = pastLastOf(cold);
}

/** The same where the change leaves alone what is cold: the first order, and what is past the horizon. */
@inline export function captureHot(row: Row, model: Model, number: u32): void {
  const before = beforeOf(number);
  before.orders = measured(row, model, dimensionAt(model, model.countAt));
  before.spend = measured(row, model, dimensionAt(model, model.sumAt));
  before.spendEver = row.spendEver;
  before.ordersEver = row.ordersEver;
  before.newest = row.newest;
  before.first = AS_IS;
}

function timeBefore(entry: u32): i64 {
  return entry == 0 ? 0 : entry == moved ? movedFrom : timeAt(entry);
}

function writeBefore(figures: Figures, row: Row, number: u32): void {
  const before = beforeOf(number);
  if (before.first == AS_IS) {
    const cold = coldRowOf(row);
    before.first = cold.first;
    before.pastFirst = pastFirstOf(cold);
    before.pastLast = pastLastOf(cold);
  }
  figures.firstOrder = <f64>(before.pastFirst != 0 ? before.pastFirst : timeBefore(before.first));
  figures.lastOrder = <f64>(before.newest != 0 ? timeBefore(before.newest) : before.pastLast);
  figures.orders = <f64>before.orders;
  figures.spend = <f64>before.spend;
  figures.ordersEver = <f64>before.ordersEver;
  figures.spendEver = <f64>before.spendEver;
}

/** Writes a row's figures as they are. */
export function writeFigures(figures: Figures, row: Row, model: Model): void {
  figures.firstOrder = <f64>firstTime(row);
  figures.lastOrder = <f64>lastTime(row);
  figures.orders = <f64>measured(row, model, dimensionAt(model, model.countAt));
  figures.spend = <f64>measured(row, model, dimensionAt(model, model.sumAt));
  figures.ordersEver = <f64>row.ordersEver;
  figures.spendEver = <f64>row.spendEver;
}

/** The first of recency, window and tenure whose band differs. */
function causeInTime(model: Model, differing: u32): u8 {
  let cause = BY_TENURE;
  for (let d: u32 = 0; d < model.dimensions; d++) {
    if (bandIn(differing, d) == 0) continue;
    const measure = dimensionAt(model, d).measure;
    if (measure == NEWEST) return BY_RECENCY;
    if (measure == COUNT || measure == SUM) cause = BY_WINDOW;
  }
  return cause;
}

/** Bands and segment of a row at `at`; a migration where they changed. `capture` was called before the change. */
@inline export function settle(customer: Customer, number: u32, at: i64, cause: u8): void {
  if (!keepsBands(rowAt(customer, number), modelAt(number), at)) settleChanged(customer, number, at, cause);
}

function settleChanged(customer: Customer, number: u32, at: i64, cause: u8): void {
  const model = modelAt(number);
  const row = rowAt(customer, number);
  const bands = bandsOf(row, model, at);
  const segment = segmentOf(row, model, number, bands);
  if (bands == row.bands && segment == row.segment) return;
  if (row.segment != NO_SEGMENT) countCell(number, cellOf(model, row.bands), -1);
  if (segment != NO_SEGMENT) countCell(number, cellOf(model, bands), 1);
  const told = cause == BY_TIME ? causeInTime(model, row.bands ^ bands) : cause;
  const silent = S.live == 0 || (cause != BY_TIME && underWay.silent);
  const differs = segment != row.segment;
  const record = beginRecord(customer, row, number, at, told, silent, row.bands, row.segment);
  writeBefore(figuresOf(record, 0), row, number);
  finishRecord(record, row, model, number, at, bands, segment, differs);
  const event = underWay.event;
  if (cause == BY_TIME || changetype<usize>(event) == 0) return endWithoutEvent(record, customer);
  record.causeTime = <f64>event.time;
  record.channel = underWay.channel;
  // An order is its own order.
  if (event.kind == BY_ORDER) endMigration(record, customer, event.id, event.idLength, event.id, event.idLength);
  else endMigration(record, customer, event.id, event.idLength, event.order, event.orderLength);
}

/**
 * A migration because the models changed: the row has its new figures; `fromBands` and `fromSegment` are numbers of
 * the former model, and `figures` its Figures, 0 for none.
 */
export function migrateByModel(
  customer: Customer,
  row: Row,
  model: Model,
  number: u32,
  bands: u32,
  segment: u8,
  fromBands: u32,
  fromSegment: u8,
  differs: bool,
  figures: usize,
): void {
  const silent = S.live == 0 || underWay.silent;
  const record = beginRecord(customer, row, number, S.clock, BY_MODEL, silent, fromBands, fromSegment);
  const before = changetype<usize>(figuresOf(record, 0));
  if (figures == 0) memory.fill(before, 0, FIGURES_BYTES);
  else memory.copy(before, figures, FIGURES_BYTES);
  finishRecord(record, row, model, number, S.clock, bands, segment, differs);
  endWithoutEvent(record, customer);
}

@inline function figuresOf(record: MigrationRecord, place: usize): Figures {
  return changetype<Figures>(changetype<usize>(record) + BEFORE_AT + place * FIGURES_BYTES);
}

function beginRecord(
  customer: Customer,
  row: Row,
  number: u32,
  at: i64,
  cause: u8,
  silent: bool,
  fromBands: u32,
  fromSegment: u8,
): MigrationRecord {
  const record = beginMigration(customer);
  record.model = <u8>number;
  record.cause = cause;
  record.silent = silent ? 1 : 0;
  record.sequence = underWay.sequence;
  record.clock = <f64>S.clock;
  record.time = <f64>at;
  record.fromBands = bandBytes(fromBands);
  record.fromSegment = fromSegment;
  record.fromSince = <f64>sinceOf(row, coldRowOf(row));
  return record;
}

/** Moves the row to its new bands and segment and tells of it, and of what comes next. */
function finishRecord(
  record: MigrationRecord,
  row: Row,
  model: Model,
  number: u32,
  at: i64,
  bands: u32,
  segment: u8,
  differs: bool,
): void {
  const cold = coldRowOf(row);
  row.bands = bands;
  row.segment = segment;
  if (differs || sinceOf(row, cold) == 0) setSince(row, cold, at);
  record.toBands = bandBytes(bands);
  record.toSegment = segment;
  record.toSince = <f64>sinceOf(row, cold);
  record.revision = ++cold.revision;
  forecast(row, model, number, bands, segment);
  record.due = due == NEVER ? 0 : <f64>due;
  record.nextAt = nextAt == NEVER ? 0 : <f64>nextAt;
  record.nextSegment = nextSegment;
  writeFigures(figuresOf(record, 1), row, model);
}

function endWithoutEvent(record: MigrationRecord, customer: Customer): void {
  record.causeTime = 0;
  record.channel = 255;
  endMigration(record, customer, 0, 0, 0, 0);
}
