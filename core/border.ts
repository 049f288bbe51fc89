// Addresses, limits and counters for the runtime, which never types one a second time.
import { openMessage } from "./cause";
import { CHANNEL_NAME, UNLISTED, addChannel, channelAt, findChannel } from "./channels";
import { Customer, HAS_ROWS, Row, customerAt, idAt, idLengthAt, rowAt } from "./customers";
import { nextOf } from "./forecast";
import {
  CELLS,
  CELLS_MAX,
  CHANNELS,
  CHANNELS_MAX,
  CHANNEL_BYTES,
  CHECKPOINT,
  CHECKPOINT_BYTES,
  COUNTS,
  INPUT,
  INPUT_BYTES,
  MODELS,
  MODELS_MAX,
  MODEL_BYTES,
  OUTPUT,
  OUTPUT_BYTES,
  SCAN,
  SCAN_COUNTS,
  SOURCES,
  SOURCES_MAX,
  SOURCE_BYTES,
  STATUS,
  TAKES,
  eventLineCount,
  eventSlots,
  idLineCount,
  idSlots,
  ids,
  log,
  plan,
  rowBytes,
  COUNT_BYTES,
  ENTRY_BYTES,
  SUM_BYTES,
  customers,
} from "./layout";
import { Model, dimensionAt, modelAt, placeWindows, soonestOf } from "./models";
import { BEFORE_AT, DEAD_BYTES_MAX, DEAD_TEXT_AT, Figures, MIGRATION_TEXT_AT, STEP_BYTES_MAX } from "./output";
import { bandAt, bandBytes, isNull, segmentOf, valueAt } from "./rows";
import { DEAD, EVENTS, S } from "./status";
import { writeFigures } from "./settle";
import { forgetBlock } from "./timers";

export {
  BEFORE_AT,
  CELLS,
  CELLS_MAX,
  CHANNELS,
  CHANNELS_MAX,
  CHANNEL_BYTES,
  CHECKPOINT,
  CHECKPOINT_BYTES,
  COUNTS,
  COUNT_BYTES,
  DEAD,
  DEAD_BYTES_MAX,
  DEAD_TEXT_AT,
  ENTRY_BYTES,
  EVENTS,
  INPUT,
  INPUT_BYTES,
  MIGRATION_TEXT_AT,
  MODELS,
  MODELS_MAX,
  MODEL_BYTES,
  OUTPUT,
  OUTPUT_BYTES,
  SCAN,
  SCAN_COUNTS,
  SOURCES,
  SOURCES_MAX,
  SOURCE_BYTES,
  STATUS,
  STEP_BYTES_MAX,
  SUM_BYTES,
  TAKES,
  customers,
  eventLineCount,
  eventSlots,
  idLineCount,
  idSlots,
  ids,
  log,
  plan,
  rowBytes,
};

/** Settings, once, behind `plan` and the models, and before the first message. Durations in ms. */
export function configure(
  key0: u64,
  key1: u64,
  models: u32,
  clockKind: u32,
  horizon: f64,
  parkFor: f64,
  tolerance: f64,
  parkedMax: u32,
  entriesPerCustomerMax: u32,
  partitions: u32,
  partition: u32,
): void {
  S.key0 = key0;
  S.key1 = key1;
  S.models = models;
  S.clockKind = <u8>clockKind;
  S.horizon = <i64>horizon;
  S.parkFor = <i64>parkFor;
  S.tolerance = <i64>tolerance;
  S.parkedMax = parkedMax;
  S.entriesPerCustomerMax = entriesPerCustomerMax;
  S.partitions = partitions;
  S.partition = partition;
  S.soonest = S.horizon;
  for (let m: u32 = 0; m < models; m++) {
    placeWindows(modelAt(m));
    S.soonest = min(S.soonest, soonestOf(modelAt(m)));
  }
}

/** Gives the channel whose name lies at INPUT its currency, and a number if it has none. Called behind `configure`. */
export function nameChannel(length: u32, currency: u32): void {
  const known = findChannel(INPUT, length);
  channelAt(known == UNLISTED ? addChannel(INPUT, length) : known).currency = <u16>currency;
}

/** Takes over the status that was copied from the former instance, under this one's settings: no timer is armed. */
export function resume(): void {
  S.timers = 0;
  forgetBlock();
  // The former instance goes on with a checkpoint that is under way.
  S.saving = 0;
}

/** The message under way while customers are adopted. */
export function openAdoption(sequence: f64, silent: u32): void {
  openMessage(sequence, silent != 0, 0, 0);
}

/** The currency that all models share, 0 for none. */
export function shareCurrency(currency: u32): void {
  channelAt(UNLISTED).currency = <u16>currency;
}

export function channelCount(): u32 {
  return S.channels;
}

/** Address of a channel's name. */
export function channelName(number: u32): usize {
  return changetype<usize>(channelAt(number)) + CHANNEL_NAME;
}

export function channelNameLength(number: u32): u32 {
  return channelAt(number).length;
}

/** From now on migrations go outward. */
export function goLive(): void {
  S.live = 1;
}

export function isLive(): u32 {
  return S.live;
}

export function recordCount(): f64 {
  return <f64>S.records;
}

/** The next record has the number behind this one. */
export function renumber(last: f64): void {
  S.records = <i64>last;
}

export function customerCount(): u32 {
  return S.customers;
}

/** Customers that have rows. */
export function appliedCount(): u32 {
  return S.applied;
}

/** Address of a customer's id. */
export function customerId(number: u32): usize {
  return idAt(customerAt(number));
}

export function customerIdLength(number: u32): u32 {
  return idLengthAt(customerAt(number));
}

/** Entries ever used: behind them the log is untouched. */
export function entryTop(): u32 {
  return S.entryTop;
}

export function entryCount(): u32 {
  return S.entries;
}

export function idByteCount(): u32 {
  return S.idUnits << 1;
}

export function parkedCount(): u32 {
  return S.parked;
}

export function timerCount(): u32 {
  return S.timers;
}

/** An upper bound for the sums of customers, minor units. */
export function amountsEver(): i64 {
  return S.amountsEver;
}

export function messageCount(): f64 {
  return <f64>S.messages;
}

export function tickCount(): f64 {
  return <f64>S.ticks;
}

export function firedCount(): f64 {
  return <f64>S.fired;
}

export function spuriousCount(): f64 {
  return <f64>S.spurious;
}

export function chainSteps(): f64 {
  return <f64>S.chainSteps;
}

export function chainLongest(): u32 {
  return S.chainLongest;
}

/** Rows also of what is due and has not fired: no instant is as early. */
const AS_THEY_ARE: i64 = 0;
export const ROW_RECORD_BYTES: u32 = 24 + 48;
let written: u32 = 0;

export function rowBytesWritten(): u32 {
  return written;
}

/**
 * Writes rows of customers from number `from` on, one behind the other at OUTPUT: number u32, model u8, segment u8,
 * id length u16, id address u32, pad u32, bands u64, Figures. Up to a full output. What changes by time alone up to
 * `instant` (ms, 0 for nothing) has changed in them, and nowhere else. Returns the number to go on with, 0 at the end;
 * the bytes written are in `rowBytesWritten`.
 */
export function writeRows(from: u32, instant: f64): u32 {
  written = 0;
  for (let number = from; number <= S.customers; number++) {
    const customer = customerAt(number);
    if ((customer.flags & HAS_ROWS) == 0) continue;
    if (written + S.models * ROW_RECORD_BYTES > OUTPUT_BYTES) return number;
    for (let m: u32 = 0; m < S.models; m++) writeRow(number, customer, m, <i64>instant);
  }
  return 0;
}

/** Writes the rows of one customer as they are; none where no event of it was applied. */
export function writeRowsOf(number: u32): void {
  written = 0;
  const customer = customerAt(number);
  if ((customer.flags & HAS_ROWS) == 0) return;
  for (let m: u32 = 0; m < S.models; m++) writeRow(number, customer, m, AS_THEY_ARE);
}

function writeRow(number: u32, customer: Customer, m: u32, instant: i64): void {
  const model = modelAt(m);
  const row = rowAt(customer, m);
  const isDue = nextOf(row, model, row.bands) <= instant;
  const bands = isDue ? bandsAt(row, model, m, instant) : row.bands;
  const at = OUTPUT + written;
  store<u32>(at, number);
  store<u8>(at, <u8>m, 4);
  store<u8>(at, isDue ? segmentOf(row, model, m, bands) : row.segment, 5);
  store<u16>(at, <u16>idLengthAt(customer), 6);
  store<u32>(at, <u32>idAt(customer), 8);
  store<u32>(at, 0, 12);
  store<u64>(at, bandBytes(bands), 16);
  const figures = changetype<Figures>(at + 24);
  writeFigures(figures, row, model);
  if (isDue) {
    figures.orders = <f64>valueAt(row, model, m, dimensionAt(model, model.countAt), instant);
    figures.spend = <f64>valueAt(row, model, m, dimensionAt(model, model.sumAt), instant);
  }
  written += ROW_RECORD_BYTES;
}

function bandsAt(row: Row, model: Model, m: u32, instant: i64): u32 {
  if (isNull(row)) return 0;
  let bands: u32 = 0;
  for (let d: u32 = 0; d < model.dimensions; d++)
    bands |= bandAt(row, model, m, dimensionAt(model, d), instant) << (d << 2);
  return bands;
}
