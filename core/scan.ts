// A recount of all customers under other limits: how many would be in each cell of a candidate model, which has the
// windows and measures of one that runs, if its limits held now. Exact at T, also for rows that are due and have not
// fired; nothing changes but digests.
//
// Three tables say of each code of a digest's three parts what it adds to the number of the cell, or that a limit lies
// within the code's range: then the row itself is looked at. One load, three look-ups and one count a row.
import { Row, customerAt, rowAt } from "./customers";
import {
  COUNT_CODES,
  COUNT_SHIFT,
  NEWEST_CODES,
  PAST,
  SUM_CODES,
  SUM_SHIFT,
  TIMED,
  UNSURE,
  codeOfTime,
  columnOf,
  leastCount,
  leastSum,
  refreshDigests,
  touchNewest,
  touchRows,
  unitBits,
} from "./digest";
import { SCAN, SCAN_COUNTS, SCAN_LIST, SCAN_TABLES } from "./layout";
import { Dimension, Model, NO_LIMIT, OLDEST, bandOfAge, bandOfValue, dimensionAt, modelAt } from "./models";
import { bandAt, isNull } from "./rows";
import { S } from "./status";
import { isQuiet, mayBeDue } from "./timers";

const NEWEST_TABLE: usize = SCAN_TABLES;
const COUNT_TABLE: usize = NEWEST_TABLE + <usize>NEWEST_CODES * 4;
const SUM_TABLE: usize = COUNT_TABLE + <usize>COUNT_CODES * 4;

/** In a table: the row must be asked. More than any number of a cell, also three times over. */
const ASK: u32 = 0x1000_0000;
/** Customers of a pass: as many as SCAN_LIST holds. */
const PASS: u32 = 4096;
/** Rows asked whose cache misses overlap. */
const GROUP: u32 = 32;
/** Up to so many cells four rows in turn count in four places: the same cell again would wait for its last count. */
const LANE_CELLS: u32 = 0x4000;

/** Of the words read ahead, so that no compiler leaves the reading out. */
let touched: u32 = 0;

@inline function candidate(): Model {
  return changetype<Model>(SCAN);
}

@inline function countAt(lane: usize, cell: u32): usize {
  return SCAN_COUNTS + lane + (<usize>cell << 2);
}

@inline function countIn(lane: usize, cell: u32): void {
  const at = countAt(lane, cell);
  store<u32>(at, load<u32>(at) + 1);
}

/**
 * Counts the customers in each of the `cells` cells of the candidate that lies at SCAN, as a model does at MODELS; it
 * has the dimensions and windows of model `m`. The counts lie at SCAN_COUNTS then (u32). Cost: about a nanosecond
 * a row, and two cache misses for each of the few that must be asked, and for each that changed since the last scan.
 */
export function scan(m: u32, cells: u32): void {
  refreshDigests();
  const lane: usize = cells < LANE_CELLS ? <usize>LANE_CELLS << 2 : 0;
  for (let n: usize = 0; n < (lane == 0 ? 1 : 4); n++) memory.fill(countAt(n * lane, 0), 0, <usize>(cells + 1) << 2);
  fillTables(cells);
  const quiet = isQuiet(S.clock);
  for (let from: u32 = 0; from <= S.customers; from += PASS) {
    const end = min(from + PASS, S.customers + 1);
    askRows(m, quiet ? pass(m, from, end, lane) : passDue(m, from, end));
  }
  if (lane == 0) return;
  for (let cell: u32 = 0; cell < cells; cell++) {
    const sum = load<u32>(countAt(lane, cell)) + load<u32>(countAt(2 * lane, cell)) + load<u32>(countAt(3 * lane, cell));
    store<u32>(countAt(0, cell), load<u32>(countAt(0, cell)) + sum);
  }
}

/** Number of the cell of a digest, or at least ASK. */
@inline function cellOfDigest(digest: u32): u32 {
  return (
    load<u32>(NEWEST_TABLE + (<usize>(digest & (NEWEST_CODES - 1)) << 2)) +
    load<u32>(COUNT_TABLE + (<usize>((digest >> COUNT_SHIFT) & (COUNT_CODES - 1)) << 2)) +
    load<u32>(SUM_TABLE + (<usize>(digest >> SUM_SHIFT) << 2))
  );
}

@inline function list(place: u32, number: u32): void {
  store<u32>(SCAN_LIST + (<usize>place << 2), number);
}

/** Counts customers from `from` up to `end`, and lists those that must be asked. Returns how many. */
function pass(m: u32, from: u32, end: u32, lane: usize): u32 {
  const column = columnOf(m);
  let listed: u32 = 0;
  let number = from;
  for (; number + 4 <= end; number += 4) {
    const at = column + (<usize>number << 2);
    const cell0 = cellOfDigest(load<u32>(at));
    const cell1 = cellOfDigest(load<u32>(at, 4));
    const cell2 = cellOfDigest(load<u32>(at, 8));
    const cell3 = cellOfDigest(load<u32>(at, 12));
    if ((cell0 | cell1 | cell2 | cell3) < ASK) {
      countIn(0, cell0);
      countIn(lane, cell1);
      countIn(2 * lane, cell2);
      countIn(3 * lane, cell3);
      continue;
    }
    if (cell0 < ASK) countIn(0, cell0);
    else list(listed++, number);
    if (cell1 < ASK) countIn(0, cell1);
    else list(listed++, number + 1);
    if (cell2 < ASK) countIn(0, cell2);
    else list(listed++, number + 2);
    if (cell3 < ASK) countIn(0, cell3);
    else list(listed++, number + 3);
  }
  for (; number < end; number++) {
    const cell = cellOfDigest(load<u32>(column + (<usize>number << 2)));
    if (cell < ASK) countIn(0, cell);
    else list(listed++, number);
  }
  return listed;
}

/** As `pass` while some are due: what has not fired must be asked, for its digest is of before. */
function passDue(m: u32, from: u32, end: u32): u32 {
  const column = columnOf(m);
  let listed: u32 = 0;
  for (let number = from; number < end; number++) {
    const digest = load<u32>(column + (<usize>number << 2));
    const cell = cellOfDigest(digest);
    if (digest == 0 || (cell < ASK && !mayBeDue(number, S.clock))) countIn(0, cell);
    else list(listed++, number);
  }
  return listed;
}

/** Counts the first `count` of SCAN_LIST by what their rows say. */
function askRows(m: u32, count: u32): void {
  let sum: u32 = 0;
  for (let from: u32 = 0; from < count; from += GROUP) {
    const end = min(from + GROUP, count);
    for (let n = from; n < end; n++) sum += touchRows(load<u32>(SCAN_LIST + (<usize>n << 2)));
    for (let n = from; n < end; n++) sum += touchNewest(load<u32>(SCAN_LIST + (<usize>n << 2)));
    for (let n = from; n < end; n++) {
      const row = rowAt(customerAt(load<u32>(SCAN_LIST + (<usize>n << 2))), m);
      assert(!isNull(row), "the digest of one in no segment is clear");
      countIn(0, cellOfRow(row, m));
    }
  }
  touched = sum;
}

/** The cell of the candidate that a row of model `m` is in at T. */
function cellOfRow(row: Row, m: u32): u32 {
  const model = modelAt(m);
  let cell: u32 = 0;
  for (let d: u32 = 0; d < candidate().dimensions; d++) {
    const dimension = dimensionAt(candidate(), d);
    cell += bandAt(row, model, m, dimension, S.clock) * dimension.stride;
  }
  return cell;
}

@inline function set(table: usize, code: u32, adds: u32): void {
  store<u32>(table + (<usize>code << 2), adds);
}

function fillTables(cells: u32): void {
  const model = candidate();
  const count = dimensionAt(model, model.countAt);
  for (let code: u32 = 0; code < COUNT_CODES; code++) {
    const most = code == COUNT_CODES - 1 ? i64.MAX_VALUE : leastCount(code);
    set(COUNT_TABLE, code, addsOfValue(count, leastCount(code), most));
  }
  const sum = dimensionAt(model, model.sumAt);
  set(SUM_TABLE, 0, addsOfValue(sum, i64.MIN_VALUE, -1));
  for (let code: u32 = 1; code < SUM_CODES; code++) {
    const most = code == SUM_CODES - 1 ? i64.MAX_VALUE : leastSum(code + 1) - 1;
    set(SUM_TABLE, code, addsOfValue(sum, leastSum(code), most));
  }
  // One in no segment counts behind the cells.
  set(NEWEST_TABLE, 0, cells - load<u32>(COUNT_TABLE) - load<u32>(SUM_TABLE));
  const newest = dimensionAt(model, model.newestAt);
  // The age of the first order is in no digest.
  const base: u32 = hasTenure(model) ? ASK : 0;
  // What has left the horizon is at least that old.
  set(NEWEST_TABLE, PAST, base + addsOfAge(newest, S.horizon, NO_LIMIT - 1));
  set(NEWEST_TABLE, UNSURE, ASK);
  const bits = unitBits();
  // From the newest that may be down: each code once.
  const top = (S.clock + S.tolerance) >> <i64>bits;
  for (let back: i64 = 0; back < <i64>TIMED; back++) {
    const time = (top - back) << <i64>bits;
    const youngest = S.clock - (time + ((<i64>1) << <i64>bits) - 1);
    set(NEWEST_TABLE, codeOfTime(time, bits), base + addsOfAge(newest, youngest, S.clock - time));
  }
}

function hasTenure(model: Model): bool {
  for (let d: u32 = 0; d < model.dimensions; d++) if (dimensionAt(model, d).measure == OLDEST) return true;
  return false;
}

/** What ages from `youngest` to `oldest` add to the number of the cell; ASK where they are of two bands. */
function addsOfAge(dimension: Dimension, youngest: i64, oldest: i64): u32 {
  const band = bandOfAge(dimension, youngest);
  return band == bandOfAge(dimension, oldest) ? band * dimension.stride : ASK;
}

function addsOfValue(dimension: Dimension, least: i64, most: i64): u32 {
  const band = bandOfValue(dimension, least);
  return band == bandOfValue(dimension, most) ? band * dimension.stride : ASK;
}
