// A change of models: the rows of every customer are made anew from the log and from what its former rows kept that
// the log does not hold. The former instance stages its customers in its output, a batch at a time, and the runtime
// copies each batch to this one's input:
//
//   | head 20 | rest 12 | for each former model: its row, less what the log will bring again | rest 28 | Figures 48 | … |
//
// Log, ids, indexes and channels are copied whole. MAPS says what a model here has of a former one:
//
//   for each model, MAP_BYTES: the former model's number, or NOTHING; for each of 8 dimensions the former one's number
//   and for each former band (11) its number here; for each former segment (256) its number here
import {
  ColdRow,
  Customer,
  HAS_ROWS,
  Row,
  coldAt,
  coldRowAt,
  customerAt,
  rowAt,
  setArmed,
  setSince,
  sinceOf,
} from "./customers";
import { noteChanged } from "./digest";
import { nextChange, retire } from "./fire";
import {
  COLD_HEAD_BYTES,
  COLD_ROW_BYTES,
  HEAD_BYTES,
  INPUT,
  OUTPUT,
  OUTPUT_BYTES,
  coldBytes,
  customerBytes,
  rowBytes,
} from "./layout";
import { KIND, LOOSE, orderAt, timeAt } from "./log";
import { Model, NO_SEGMENT, countCell, leave, modelAt } from "./models";
import { FIGURES_BYTES, Figures, clearOutput, hasRoom } from "./output";
import { bandIn, bandsOf, cellOf, counts, enter, segmentOf, takesEntry, worth } from "./rows";
import { migrateByModel, writeFigures } from "./settle";
import { S } from "./status";
import { arm } from "./timers";

/** A model, dimension, band or segment that was not there. */
export const NOTHING: u32 = 255;
export const MAPS: usize = INPUT;
export const MAP_BYTES: u32 = 8 + 8 * 12 + 256;
export const STAGE: usize = INPUT + 0x4000;

const STAGED_HEAD: u32 = HEAD_BYTES + COLD_HEAD_BYTES;

/** Bytes of a staged row whose hot part has `bytes`. */
@inline function stagedRow(bytes: u32): u32 {
  return bytes + COLD_ROW_BYTES + <u32>FIGURES_BYTES;
}

let staged: u32 = 0;

/** Bytes that `stage` wrote behind OUTPUT. */
export function stagedBytes(): u32 {
  return staged;
}

/** Stages customers from number `from` on, up to a full output. Returns the number to go on with, 0 at the end. */
export function stage(from: u32): u32 {
  staged = 0;
  const size = STAGED_HEAD + S.models * stagedRow(rowBytes);
  for (let number = from; number <= S.customers; number++) {
    if (staged + size > OUTPUT_BYTES) return number;
    const customer = customerAt(number);
    let at = OUTPUT + staged;
    memory.copy(at, changetype<usize>(customer), HEAD_BYTES);
    memory.copy(at + HEAD_BYTES, changetype<usize>(coldAt(number)), COLD_HEAD_BYTES);
    at += STAGED_HEAD;
    for (let m: u32 = 0; m < S.models; m++) {
      const model = modelAt(m);
      const row = rowAt(customer, m);
      memory.copy(at, changetype<usize>(row), rowBytes);
      memory.copy(at + rowBytes, changetype<usize>(coldRowAt(number, m)), COLD_ROW_BYTES);
      strip(changetype<Row>(at), number, model, m);
      writeFigures(changetype<Figures>(at + rowBytes + COLD_ROW_BYTES), row, model);
      at += stagedRow(rowBytes);
    }
    staged += size;
  }
  return 0;
}

/** Takes out of a row's figures ever what the log holds. */
function strip(row: Row, customer: u32, model: Model, number: u32): void {
  for (let entry = coldAt(customer).oldest; entry != 0; entry = orderAt(entry).next) {
    if (!takesEntry(model, number, entry)) continue;
    const counted = counts(model, entry);
    if (counted) row.ordersEver--;
    if (counted || (orderAt(entry).flags & KIND) == LOOSE) row.spendEver -= worth(model, entry);
  }
}

let stageAt: usize = 0;
let stageEnd: usize = 0;
let nextNumber: u32 = 0;
let formerRow: u32 = 0; // bytes of a former row
let formerModels: u32 = 0;

/** Begins with customer 1; behind it `adoptBatch` is called for each batch. */
export function beginAdoption(models: u32, bytes: u32): void {
  formerModels = models;
  formerRow = bytes;
  nextNumber = 1;
}

/** Opens the next batch, of `bytes` behind STAGE. */
export function openBatch(bytes: u32): void {
  stageAt = STAGE;
  stageEnd = STAGE + bytes;
}

/** Adopts the customers of the batch: 0 done, 1 more (take the output and call again). */
export function adoptBatch(): i32 {
  clearOutput();
  while (stageAt < stageEnd) {
    if (!hasRoom()) return 1;
    adopt(nextNumber++, stageAt);
    stageAt += STAGED_HEAD + formerModels * stagedRow(formerRow);
  }
  return 0;
}

function adopt(number: u32, from: usize): void {
  const customer = customerAt(number);
  memory.fill(changetype<usize>(customer), 0, customerBytes);
  memory.copy(changetype<usize>(customer), from, HEAD_BYTES);
  const cold = coldAt(number);
  memory.fill(changetype<usize>(cold), 0, coldBytes);
  memory.copy(changetype<usize>(cold), from + HEAD_BYTES, COLD_HEAD_BYTES);
  setArmed(customer, 0);
  for (let m: u32 = 0; m < S.models; m++) fill(number, customer, m, from);
  while (cold.oldest != 0 && leave(timeAt(cold.oldest), S.horizon) <= S.clock) retire(customer);
  if ((customer.flags & HAS_ROWS) != 0) for (let m: u32 = 0; m < S.models; m++) compare(customer, m, from);
  noteChanged(number);
  arm(number, nextChange(customer));
}

@inline function mapOf(model: u32): usize {
  return MAPS + <usize>(model * MAP_BYTES);
}

/** The former row that a model takes over, 0 for none. */
@inline function formerOf(model: u32, from: usize): usize {
  const former: u32 = load<u8>(mapOf(model));
  return former == NOTHING ? 0 : from + STAGED_HEAD + <usize>(former * stagedRow(formerRow));
}

/** Gives a row what its former one kept, and all that the log holds. */
function fill(owner: u32, customer: Customer, number: u32, from: usize): void {
  const model = modelAt(number);
  const row = rowAt(customer, number);
  const former = changetype<Row>(formerOf(number, from));
  row.segment = NO_SEGMENT;
  if (changetype<usize>(former) != 0) {
    row.spendEver = former.spendEver;
    row.ordersEver = former.ordersEver;
    const kept = changetype<ColdRow>(changetype<usize>(former) + formerRow);
    const cold = coldRowAt(owner, number);
    cold.revision = kept.revision;
    cold.pastFirstLow = kept.pastFirstLow;
    cold.pastFirstHigh = kept.pastFirstHigh;
    cold.pastLastLow = kept.pastLastLow;
    cold.pastLastHigh = kept.pastLastHigh;
    setSince(row, cold, sinceOf(former, kept));
  }
  for (let entry = coldAt(owner).oldest; entry != 0; entry = orderAt(entry).next) {
    if (!takesEntry(model, number, entry)) continue;
    enter(row, model, entry, true, S.clock);
  }
}

/** Bands and segment of the new row against the former one's: by name, so what is only numbered anew is the same. */
function compare(customer: Customer, number: u32, from: usize): void {
  const model = modelAt(number);
  const row = rowAt(customer, number);
  const former = changetype<Row>(formerOf(number, from));
  const bands = bandsOf(row, model, S.clock);
  const segment = segmentOf(row, model, number, bands);
  if (segment != NO_SEGMENT) countCell(number, cellOf(model, bands), 1);
  const isNew = changetype<usize>(former) == 0;
  const formerBands: u32 = isNew ? 0 : former.bands;
  const formerSegment = isNew ? NO_SEGMENT : former.segment;
  const sameSegment = isNew ? segment == NO_SEGMENT : segment == segmentHere(number, formerSegment);
  const same = sameSegment && (isNew ? bands == 0 : haveSameBands(model, number, formerBands, bands));
  if (same) {
    row.bands = bands;
    row.segment = segment;
    return;
  }
  const figures: usize = isNew ? 0 : changetype<usize>(former) + formerRow + COLD_ROW_BYTES;
  migrateByModel(customer, row, model, number, bands, segment, formerBands, formerSegment, !sameSegment, figures);
}

function segmentHere(model: u32, former: u8): u8 {
  return former == NO_SEGMENT ? NO_SEGMENT : load<u8>(mapOf(model) + 8 + 8 * 12 + former);
}

function haveSameBands(model: Model, number: u32, former: u32, bands: u32): bool {
  for (let d: u32 = 0; d < model.dimensions; d++) {
    const map = mapOf(number) + 8 + <usize>(d * 12);
    const dimension: u32 = load<u8>(map);
    // A dimension that was not there had no band.
    const before: u32 = dimension == NOTHING ? 0 : load<u8>(map + 1 + bandIn(former, dimension));
    if (before != bandIn(bands, d)) return false;
  }
  return true;
}
