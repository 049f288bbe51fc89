// Customers by number (as they first came, from 1) and by id. What an order touches of a customer lies together: its
// head and the beginnings of its rows, one a model. The rest of both lies in a region of its own.
//
//   customers, from a cache line on:  | head 20 | row of model 0       | row of model 1      | …
//   colds:                            | rest 12 | rest of row 0, 24    | rest of row 1, 24   | …
//
//   row: | bands segment everything that is one value: ROW_BYTES | a cursor and a value a window |

import {
  COLD_HEAD_BYTES,
  COLD_ROW_BYTES,
  HEAD_BYTES,
  ROW_BYTES,
  coldBytes,
  colds,
  customerBytes,
  customers,
  idLineCount,
  idSlots,
  ids,
  rowBytes,
} from "./layout";
import { sameBytes } from "./bytes";
import { sipHash } from "./hash";
import { homeOf, insertKey, isFull, lineAt, nextLine, numberIn, tagOf, tagged } from "./lookup";
import { COUNT, NO_SEGMENT, Window } from "./models";
import { S } from "./status";

@unmanaged export class Customer {
  armedLow: u32; // the instant of its timer, 48 bits; 0: none
  armedHigh: u16;
  epoch: u8; // of the last checkpoint that holds it, or that was begun when it came
  flags: u8;
  id: u32; // where its id lies, in units of 2 bytes
  newest: u32; // its last order in event-time order
  entries: u32; // of the log that are its own
}

@unmanaged export class Cold {
  oldest: u32; // its first order in event-time order
  parked: u32; // its first parked reversal
  lastRecord: u32; // ledger number of its last migration, lower half
}

/** An event of it was applied: it has rows. */
export const HAS_ROWS: u8 = 1;
/** It has parked reversals. */
export const HAS_PARKED: u8 = 2;

@unmanaged export class Row {
  bands: u32; // four bits a dimension: its band number, 0 for none
  segment: u8; // NO_SEGMENT: in none
  pad0: u8;
  sinceHigh: u16; // of the rest's sinceLow
  spendEver: i64;
  ordersEver: u32;
  newest: u32; // newest counting order in the log
  // then for each window: cursor u32 (oldest entry that the model takes and that has not left), and a value:
  // u32 of one that counts, i64 of one that sums
}

@unmanaged export class ColdRow {
  sinceLow: u32; // when it came into its segment, 48 bits; 0 before the first migration
  pastFirstLow: u32; // first and last time of the counting orders that have left the horizon, 48 bits; 0: none
  pastLastLow: u32;
  pastFirstHigh: u16;
  pastLastHigh: u16;
  revision: u32; // migrations so far
  first: u32; // oldest counting order in the log; there is one just where there is a newest
}
if (offsetof<Customer>() != HEAD_BYTES) ERROR("HEAD_BYTES must be the size of Customer");
if (offsetof<Cold>() != COLD_HEAD_BYTES) ERROR("COLD_HEAD_BYTES must be the size of Cold");
if (offsetof<Row>() != ROW_BYTES) ERROR("ROW_BYTES must be the size of Row");
if (offsetof<ColdRow>() != COLD_ROW_BYTES) ERROR("COLD_ROW_BYTES must be the size of ColdRow");

@inline export function customerAt(number: u32): Customer {
  return changetype<Customer>(customers + <usize>number * customerBytes);
}

@inline export function rowAt(customer: Customer, model: u32): Row {
  return changetype<Row>(changetype<usize>(customer) + HEAD_BYTES + <usize>model * rowBytes);
}

/** Number of a customer. Costs a division. */
@inline export function numberOf(customer: Customer): u32 {
  return <u32>(changetype<usize>(customer) - customers) / customerBytes;
}

@inline export function coldAt(number: u32): Cold {
  return changetype<Cold>(colds + <usize>number * coldBytes);
}

@inline export function coldOf(customer: Customer): Cold {
  return coldAt(numberOf(customer));
}

@inline export function coldRowAt(number: u32, model: u32): ColdRow {
  return changetype<ColdRow>(colds + <usize>number * coldBytes + COLD_HEAD_BYTES + <usize>model * COLD_ROW_BYTES);
}

/** The rest of a row. Costs divisions. */
export function coldRowOf(row: Row): ColdRow {
  const from = <u32>(changetype<usize>(row) - customers);
  const number = from / customerBytes;
  const model = S.models == 1 ? 0 : (from - number * customerBytes - HEAD_BYTES) / rowBytes;
  return coldRowAt(number, model);
}

@inline function cursorAddress(row: Row, window: Window): usize {
  return changetype<usize>(row) + window.at;
}

@inline export function cursorOf(row: Row, window: Window): u32 {
  return load<u32>(cursorAddress(row, window));
}

@inline export function setCursor(row: Row, window: Window, entry: u32): void {
  store<u32>(cursorAddress(row, window), entry);
}

@inline export function valueOf(row: Row, window: Window): i64 {
  const at = cursorAddress(row, window);
  return window.measure == COUNT ? load<u32>(at, 4) : load<i64>(at, 4);
}

@inline export function addValue(row: Row, window: Window, by: i64): void {
  const at = cursorAddress(row, window);
  if (window.measure == COUNT) store<u32>(at, load<u32>(at, 4) + <u32>by, 4);
  else store<i64>(at, load<i64>(at, 4) + by, 4);
}

@inline export function armedOf(customer: Customer): i64 {
  return <i64>(<u64>customer.armedLow | (<u64>customer.armedHigh << 32));
}

@inline export function setArmed(customer: Customer, instant: i64): void {
  customer.armedLow = <u32>instant;
  customer.armedHigh = <u16>(instant >> 32);
}

@inline export function sinceOf(row: Row, cold: ColdRow): i64 {
  return <i64>(<u64>cold.sinceLow | (<u64>row.sinceHigh << 32));
}

@inline export function setSince(row: Row, cold: ColdRow, instant: i64): void {
  cold.sinceLow = <u32>instant;
  row.sinceHigh = <u16>(instant >> 32);
}

@inline export function pastFirstOf(row: ColdRow): i64 {
  return <i64>(<u64>row.pastFirstLow | (<u64>row.pastFirstHigh << 32));
}

@inline export function pastLastOf(row: ColdRow): i64 {
  return <i64>(<u64>row.pastLastLow | (<u64>row.pastLastHigh << 32));
}

/** Notes a counting order of time `time` that is not in the log (any more). */
export function notePast(row: ColdRow, time: i64): void {
  const first = pastFirstOf(row);
  if (first == 0 || time < first) {
    row.pastFirstLow = <u32>time;
    row.pastFirstHigh = <u16>(time >> 32);
  }
  if (time > pastLastOf(row)) {
    row.pastLastLow = <u32>time;
    row.pastLastHigh = <u16>(time >> 32);
  }
}

@inline export function idAt(customer: Customer): usize {
  return ids + (<usize>customer.id << 1) + 2;
}

@inline export function idLengthAt(customer: Customer): u32 {
  return load<u16>(ids + (<usize>customer.id << 1));
}

@inline export function hasId(customer: Customer, bytes: usize, length: u32): bool {
  return idLengthAt(customer) == length && sameBytes(idAt(customer), bytes, length);
}

export function hashOfId(bytes: usize, length: u32): u64 {
  return sipHash(S.key0, S.key1, 0, bytes, length);
}

/** Number of the customer with this id, 0 if it never came. `hash` is the id's. */
export function findCustomer(hash: u64, bytes: usize, length: u32): u32 {
  const tag = tagOf(hash);
  let line = homeOf(tag, idLineCount);
  while (true) {
    const at = lineAt(idSlots, line);
    for (let found = tagged(at, tag); found != 0; found &= found - 1) {
      const number = numberIn(at, ctz(found));
      if (number != 0 && hasId(customerAt(number), bytes, length)) return number;
    }
    if (!isFull(at)) return 0;
    line = nextLine(line, idLineCount);
  }
}

/** Units of 2 bytes that an id of `length` bytes takes. */
@inline export function idUnitsOf(length: u32): u32 {
  return (length + 2 + 1) >> 1;
}

/** Numbers a new customer. The caller has seen that there is room. */
export function addCustomer(hash: u64, bytes: usize, length: u32): u32 {
  const number = ++S.customers;
  const customer = customerAt(number);
  memory.fill(changetype<usize>(customer), 0, customerBytes);
  memory.fill(changetype<usize>(coldAt(number)), 0, coldBytes);
  customer.epoch = S.epoch;
  for (let model: u32 = 0; model < S.models; model++) rowAt(customer, model).segment = NO_SEGMENT;
  nameCustomer(number, hash, bytes, length);
  return number;
}

/** Gives a customer its id, of this hash. The caller has seen that there is room. */
export function nameCustomer(number: u32, hash: u64, bytes: usize, length: u32): void {
  const customer = customerAt(number);
  customer.id = S.idUnits;
  S.idUnits += idUnitsOf(length);
  const at = ids + (<usize>customer.id << 1);
  store<u16>(at, <u16>length);
  memory.copy(at + 2, bytes, length);
  insertKey(idSlots, idLineCount, hash, number);
}
