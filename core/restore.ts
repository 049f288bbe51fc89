// A partition from a checkpoint, drawn in checkpoint.ts: the runtime puts one piece after the other into the region,
// and customers, log and indexes are filled from it; what the checkpoint does not hold (windows, timers, counts) is
// made anew from them. Of savepoints of another layout only the customers that belong here are taken, and they are
// numbered anew: in the order of the savepoints, and in that of the numbers that they had. For that each savepoint is
// read twice, and in between a bit a customer lies at INPUT, and behind the bits how many were set before each word.
import { bring, newReversed } from "./apply";
import {
  CUSTOMER,
  CUSTOMER_BYTES,
  EVENT,
  EVENT_BYTES,
  OVERDUE,
  PARKED,
  PARKED_BYTES,
  ROW_BYTES,
  VERSIONED,
} from "./checkpoint";
import {
  HAS_PARKED,
  HAS_ROWS,
  coldAt,
  coldRowAt,
  customerAt,
  hashOfId,
  idUnitsOf,
  nameCustomer,
  rowAt,
  setSince,
} from "./customers";
import { noteChanged } from "./digest";
import { nextChange } from "./fire";
import { partitionOf } from "./judge";
import { CHECKPOINT, INPUT, INPUT_BYTES, customerMax, idBytesMax } from "./layout";
import {
  CANCEL,
  KIND,
  LOOSE,
  ORDER,
  REFUND,
  REVERSED,
  VOID,
  countEntries,
  enterEvent,
  entriesFree,
  entryAddress,
  findEvent,
  kindAt,
  link,
  orderAt,
  reversalAt,
  reversedAt,
  takeEntry,
} from "./log";
import { NO_SEGMENT, countCell, modelAt } from "./models";
import { DEAD_BYTES_MAX } from "./output";
import { chunksFor, parkUntil, sortParked } from "./parked";
import { cellOf, enter, takesEntry } from "./rows";
import { S, SCENE } from "./status";
import { arm } from "./timers";

/** What `restore` and `mark` return. */
const RESTORED: u32 = 0;
/** A region is full. */
const FULL: u32 = 2;
/** No checkpoint of this kernel looks like that. */
const BAD: u32 = 3;

/** Where the number of a channel here lies for each number in the checkpoint: 256 bytes, written by the runtime. */
export const CHANNEL_MAP: usize = INPUT + INPUT_BYTES - 256;
/** Customers of one savepoint of another layout: as many as there are bits before the sums. */
export const MARKS_MAX: u32 = 0x4000000;
const SUMS: usize = INPUT + <usize>(MARKS_MAX >> 3);
if (SUMS + <usize>(MARKS_MAX >> 6) * 4 > CHANNEL_MAP) ERROR("marks and sums must fit the input");

/** T of the checkpoint under way, its last customer; whether others' customers are left out. */
let clock: i64 = 0;
let last: u32 = 0;
let picks: bool = false;
/** Customers here before it, and how many of it came so far. */
let before: u32 = 0;
let came: u32 = 0;
/** The customer under way, 0 for none; until when its rows are exact; and its last order. */
let under: u32 = 0;
let exact: i64 = 0;
let order: u32 = 0;
/** The customer under way belongs elsewhere. */
let skips: bool = false;

/** Begins with a checkpoint of `customers` customers at T `at`; `own` 1: only those of this partition, numbered anew. */
export function openCheckpoint(at: f64, customers: u32, own: u32): void {
  clock = <i64>at;
  last = customers;
  picks = own != 0;
  before = S.customers;
  came = 0;
  under = 0;
  order = 0;
  S.epoch = 1;
}

/** Customers taken from it. */
export function customersRestored(): u32 {
  return came;
}

/** Bytes of the record at `at`; 0 where it passes `end` or is none. */
function sizeOf(at: usize, end: usize): u32 {
  const type = load<u8>(at);
  let size: u32 = 0;
  if (type == CUSTOMER) {
    size = CUSTOMER_BYTES + ((load<u8>(at, 1) & OVERDUE) != 0 ? 8 : 0) + S.models * ROW_BYTES + load<u16>(at, 2);
  } else if (type == EVENT || type == PARKED) {
    size = EVENT_BYTES + ((load<u8>(at, 24) & VERSIONED) != 0 ? 8 : 0);
    if (type == PARKED) {
      const texts = at + size + PARKED_BYTES - 8;
      size += PARKED_BYTES + min(load<u32>(texts), DEAD_BYTES_MAX) + <u32>load<u16>(texts, 4);
    }
  }
  return <usize>size > end - at ? 0 : size;
}

@inline function idOf(at: usize): usize {
  return at + CUSTOMER_BYTES + ((load<u8>(at, 1) & OVERDUE) != 0 ? 8 : 0) + <usize>(S.models * ROW_BYTES);
}

@inline function isOwn(at: usize): bool {
  return S.partitions == 0 || partitionOf(idOf(at), load<u16>(at, 2)) == S.partition;
}

/** Before the first `mark` of a savepoint. */
export function clearMarks(): void {
  memory.fill(INPUT, 0, INPUT_BYTES);
}

/** Notes which of the customers in the piece of `length` bytes belong here. */
export function mark(length: u32): u32 {
  const end = CHECKPOINT + length;
  for (let at: usize = CHECKPOINT; at < end; ) {
    const size = sizeOf(at, end);
    if (size == 0) return BAD;
    if (load<u8>(at) == CUSTOMER && isOwn(at)) {
      const number = load<u32>(at, 4);
      if (number >= MARKS_MAX) return FULL;
      const word = INPUT + <usize>((number >> 6) << 3);
      store<u64>(word, load<u64>(word) | ((<u64>1) << (number & 63)));
    }
    at += size;
  }
  return RESTORED;
}

/** Behind the last `mark`: adds up what was set. */
export function sumMarks(): void {
  let sum: u32 = 0;
  for (let word: u32 = 0; word < MARKS_MAX >> 6; word++) {
    store<u32>(SUMS + (<usize>word << 2), sum);
    sum += <u32>popcnt(load<u64>(INPUT + (<usize>word << 3)));
  }
}

/** How many were marked up to this number. */
function rankOf(number: u32): u32 {
  const word: usize = number >> 6;
  const below = load<u64>(INPUT + (word << 3)) & (u64.MAX_VALUE >> (63 - (number & 63)));
  return load<u32>(SUMS + (word << 2)) + <u32>popcnt(below);
}

/** Takes what is in the piece of `length` bytes. */
export function restore(length: u32): u32 {
  const end = CHECKPOINT + length;
  for (let at: usize = CHECKPOINT; at < end; ) {
    const size = sizeOf(at, end);
    if (size == 0) return BAD;
    const type = load<u8>(at);
    if (type == CUSTOMER) {
      finish();
      const status = restoreCustomer(at);
      if (status != RESTORED) return status;
    } else if (!skips) {
      if (under == 0) return BAD;
      const status = type == EVENT ? restoreEvent(at) : restoreParked(at);
      if (status != RESTORED) return status;
    }
    at += size;
  }
  return RESTORED;
}

/** Ends a checkpoint: its last customer. */
export function closeCheckpoint(): void {
  finish();
}

/** Ends it all, behind the last checkpoint. The map of channels and the marks are forgotten. */
export function endRestore(): void {
  sortParked();
  // Without marks the rest of the input was never touched.
  if (picks) memory.fill(INPUT, 0, INPUT_BYTES);
  else memory.fill(CHANNEL_MAP, 0, 256);
}

@inline function instantAt(at: usize): i64 {
  return <i64>(load<u64>(at) & 0xffff_ffff_ffff);
}

function restoreCustomer(at: usize): u32 {
  skips = picks && !isOwn(at);
  if (skips) return RESTORED;
  const flags = load<u8>(at, 1);
  const length: u32 = load<u16>(at, 2);
  const formerly = load<u32>(at, 4);
  const number = picks ? before + rankOf(formerly) : formerly;
  if (formerly == 0 || formerly > last) return BAD;
  if (number > customerMax || (S.idUnits + idUnitsOf(length)) << 1 > idBytesMax) return FULL;
  const customer = customerAt(number);
  if (customer.epoch != 0) return BAD;
  customer.epoch = S.epoch;
  // Parked reversals set theirs.
  customer.flags = flags & ~(OVERDUE | HAS_PARKED);
  // A ledger of another layout is not the one that goes on.
  coldAt(number).lastRecord = picks ? 0 : load<u32>(at, 8);
  let from = at + CUSTOMER_BYTES;
  exact = clock;
  if ((flags & OVERDUE) != 0) {
    exact = load<i64>(from) - 1;
    from += 8;
  }
  for (let m: u32 = 0; m < S.models; m++, from += ROW_BYTES) restoreRow(number, m, from);
  nameCustomer(number, hashOfId(from, length), from, length);
  if ((flags & HAS_ROWS) != 0) S.applied++;
  S.customers++;
  came++;
  under = number;
  order = 0;
  return RESTORED;
}

function restoreRow(number: u32, m: u32, from: usize): void {
  const row = rowAt(customerAt(number), m);
  const cold = coldRowAt(number, m);
  row.bands = load<u32>(from);
  row.ordersEver = load<u32>(from, 4);
  cold.revision = load<u32>(from, 8);
  row.spendEver = load<i64>(from, 12);
  setSince(row, cold, instantAt(from + 20));
  const first = instantAt(from + 26);
  cold.pastFirstLow = <u32>first;
  cold.pastFirstHigh = <u16>(first >> 32);
  const newest = instantAt(from + 32);
  cold.pastLastLow = <u32>newest;
  cold.pastLastHigh = <u16>(newest >> 32);
  row.segment = load<u8>(from, 38);
  if (row.segment != NO_SEGMENT) countCell(m, cellOf(modelAt(m), row.bands), 1);
}

/** The words of an entry that has an identity. */
function restoreEntry(at: usize): u32 {
  const number = takeEntry();
  const to = entryAddress(number);
  const rest = load<u64>(at, 17);
  const flags = <u8>(rest >> 56);
  const channel = load<u8>(CHANNEL_MAP + <usize>((rest >> 48) & 255));
  store<u64>(to, load<u64>(at, 1));
  store<u64>(to, load<u64>(at, 9), 8);
  store<u64>(
    to,
    (rest & 0xffff_ffff_ffff) | (<u64>channel << 48) | (<u64>(flags & (KIND | VOID)) << 56),
    16,
  );
  orderAt(number).version = (flags & VERSIONED) != 0 ? load<i64>(at, EVENT_BYTES) : 0;
  return number;
}

function restoreEvent(at: usize): u32 {
  // An order may need a second one for the lane, and the first reversal its Reversed.
  if (entriesFree() < 2) return FULL;
  const kind = load<u8>(at, 24) & KIND;
  if (kind == ORDER || kind == LOOSE) {
    const customer = customerAt(under);
    order = restoreEntry(at);
    orderAt(order).customer = under;
    link(customer, order);
    enterEvent(order);
    countEntries(customer, 1);
    return RESTORED;
  }
  if ((kind != REFUND && kind != CANCEL) || order == 0) return BAD;
  if (orderAt(order).reversed == 0) {
    orderAt(order).reversed = newReversed(under, 0);
    reversedAt(orderAt(order).reversed).order = order;
  }
  bring(reversedAt(orderAt(order).reversed), restoreReversal(at, orderAt(order).reversed));
  return RESTORED;
}

function restoreReversal(at: usize, list: u32): u32 {
  const number = restoreEntry(at);
  const reversed = reversedAt(list);
  reversalAt(number).reversed = list;
  if (reversed.last == 0) reversed.first = number;
  else reversalAt(reversed.last).next = number;
  reversed.last = number;
  enterEvent(number);
  countEntries(customerAt(under), 1);
  return number;
}

function restoreParked(at: usize): u32 {
  const kind = load<u8>(at, 24) & KIND;
  if (kind != REFUND && kind != CANCEL) return BAD;
  const from = at + EVENT_BYTES + ((load<u8>(at, 24) & VERSIONED) != 0 ? 8 : 0);
  const identity = load<u64>(from, 8);
  const length = load<u32>(from, 28);
  const subjectLength: u32 = load<u16>(from, 32);
  if (entriesFree() < 3 + chunksFor(length, subjectLength)) return FULL;
  let waiting = findEvent(identity, under);
  if (waiting == 0) {
    waiting = newReversed(under, identity);
    enterEvent(waiting);
  }
  if (kindAt(waiting) != REVERSED) return BAD;
  const reversal = restoreReversal(at, waiting);
  parkUntil(
    customerAt(under),
    reversal,
    load<i64>(from),
    load<f64>(from, 16),
    load<u32>(from, 24),
    from + PARKED_BYTES,
    subjectLength,
    from + PARKED_BYTES + subjectLength,
    length,
    SCENE,
  );
  return RESTORED;
}

/** Makes the rest of the customer under way anew: windows, and its timer. */
function finish(): void {
  if (under == 0) return;
  const customer = customerAt(under);
  for (let m: u32 = 0; m < S.models; m++) {
    const model = modelAt(m);
    const row = rowAt(customer, m);
    const ordersEver = row.ordersEver;
    const spendEver = row.spendEver;
    for (let entry = coldAt(under).oldest; entry != 0; entry = orderAt(entry).next)
      if (takesEntry(model, m, entry)) enter(row, model, entry, true, exact);
    row.ordersEver = ordersEver;
    row.spendEver = spendEver;
  }
  noteChanged(under);
  arm(under, nextChange(customer));
  under = 0;
}

/** The partition's own figures, behind all customers. Its clock never moves back. */
export function resumeAt(at: f64, records: f64, live: u32, amountsEver: i64): void {
  S.clock = <i64>at;
  S.records = <i64>records;
  S.live = <u8>live;
  S.amountsEver = amountsEver;
}

/** What it counted. */
export function resumeCounts(
  messages: f64,
  ticks: f64,
  fired: f64,
  spurious: f64,
  chainSteps: f64,
  chainLongest: u32,
): void {
  S.messages = <i64>messages;
  S.ticks = <i64>ticks;
  S.fired = <i64>fired;
  S.spurious = <i64>spurious;
  S.chainSteps = <i64>chainSteps;
  S.chainLongest = max(chainLongest, S.chainLongest);
}
