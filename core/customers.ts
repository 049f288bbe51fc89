// Customers by number (as they first came, from 1) and by id. A customer's head and its rows, one a model, lie
// side by side:
//
//   0          HEAD_BYTES             + rowBytes            …
//   | head 32  | row of model 0       | row of model 1      |
//
//   row: | bands since segment everything that is one value: ROW_BYTES | a cursor and a value a window |
import {
  HEAD_BYTES,
  ROW_BYTES,
  WINDOW_BYTES,
  customerBytes,
  customers,
  idSlotCount,
  idSlots,
  ids,
  rowBytes,
} from "./layout";
import { sameBytes } from "./bytes";
import { sipHash } from "./hash";
import { homeOf, insertSlot, nextSlot, slotNumber, slotTag, tagOf } from "./lookup";
import { NO_SEGMENT } from "./models";
import { S } from "./status";

@unmanaged export class Customer {
  armedLow: u32; // the instant of its timer, 48 bits; 0: none
  armedHigh: u16;
  epoch: u8; // of the last checkpoint that holds it
  flags: u8;
  id: u32; // where its id lies, in units of 8 bytes
  oldest: u32; // its orders in event-time order
  newest: u32;
  entries: u32; // of the log that are its own
  parked: u32; // its first parked reversal
  lastRecord: u32; // ledger number of its last migration, lower half
}

/** An event of it was applied: it has rows. */
export const HAS_ROWS: u8 = 1;

@unmanaged export class Row {
  bands: u64; // a byte a dimension: its band number, 0 for none
  sinceLow: u32; // when it came into its segment, 48 bits; 0 before the first migration
  sinceHigh: u16;
  segment: u8; // NO_SEGMENT: in none
  pad0: u8;
  spendEver: i64;
  ordersEver: u32;
  revision: u32; // migrations so far
  newest: u32; // newest and oldest counting order in the log
  first: u32;
  pastFirstLow: u32; // first and last time of the counting orders that have left the horizon, 48 bits; 0: none
  pastLastLow: u32;
  pastFirstHigh: u16;
  pastLastHigh: u16;
  // then for each window: cursor u32 (oldest entry that the model takes and that has not left), value i64
}
if (offsetof<Customer>() != HEAD_BYTES) ERROR("Customer must stay 32 bytes");
if (offsetof<Row>() > 56) ERROR("Row outgrew its place");

@inline export function customerAt(number: u32): Customer {
  return changetype<Customer>(customers + <usize>number * customerBytes);
}

@inline export function rowAt(customer: Customer, model: u32): Row {
  return changetype<Row>(changetype<usize>(customer) + HEAD_BYTES + <usize>model * rowBytes);
}

@inline function windowOf(row: Row, slot: u32): usize {
  return changetype<usize>(row) + ROW_BYTES + <usize>slot * WINDOW_BYTES;
}

@inline export function cursorOf(row: Row, slot: u32): u32 {
  return load<u32>(windowOf(row, slot));
}

@inline export function setCursor(row: Row, slot: u32, entry: u32): void {
  store<u32>(windowOf(row, slot), entry);
}

@inline export function valueOf(row: Row, slot: u32): i64 {
  return load<i64>(windowOf(row, slot), 4);
}

@inline export function addValue(row: Row, slot: u32, by: i64): void {
  const at = windowOf(row, slot);
  store<i64>(at, load<i64>(at, 4) + by, 4);
}

@inline export function armedOf(customer: Customer): i64 {
  return <i64>(<u64>customer.armedLow | (<u64>customer.armedHigh << 32));
}

@inline export function setArmed(customer: Customer, instant: i64): void {
  customer.armedLow = <u32>instant;
  customer.armedHigh = <u16>(instant >> 32);
}

@inline export function sinceOf(row: Row): i64 {
  return <i64>(<u64>row.sinceLow | (<u64>row.sinceHigh << 32));
}

@inline export function setSince(row: Row, instant: i64): void {
  row.sinceLow = <u32>instant;
  row.sinceHigh = <u16>(instant >> 32);
}

@inline export function pastFirstOf(row: Row): i64 {
  return <i64>(<u64>row.pastFirstLow | (<u64>row.pastFirstHigh << 32));
}

@inline export function pastLastOf(row: Row): i64 {
  return <i64>(<u64>row.pastLastLow | (<u64>row.pastLastHigh << 32));
}

/** Notes a counting order of time `time` that is not in the log (any more). */
export function notePast(row: Row, time: i64): void {
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
  return ids + (<usize>customer.id << 3) + 2;
}

@inline export function idLengthAt(customer: Customer): u32 {
  return load<u16>(ids + (<usize>customer.id << 3));
}

export function hashOfId(bytes: usize, length: u32): u64 {
  return sipHash(S.key0, S.key1, 0, bytes, length);
}

/** Number of the customer with this id, 0 if it never came. `hash` is the id's. */
export function findCustomer(hash: u64, bytes: usize, length: u32): u32 {
  const tag = tagOf(hash);
  let slot = homeOf(tag, idSlotCount);
  while (true) {
    const number = slotNumber(idSlots, slot);
    if (number == 0) return 0;
    if (slotTag(idSlots, slot) == tag) {
      const customer = customerAt(number);
      if (idLengthAt(customer) == length && sameBytes(idAt(customer), bytes, length)) return number;
    }
    slot = nextSlot(slot, idSlotCount);
  }
}

/** Units of 8 bytes that an id of `length` bytes takes. */
@inline export function idUnitsOf(length: u32): u32 {
  return (length + 2 + 7) >> 3;
}

/** Numbers a new customer. The caller has seen that there is room. */
export function addCustomer(hash: u64, bytes: usize, length: u32): u32 {
  const number = ++S.customers;
  const customer = customerAt(number);
  memory.fill(changetype<usize>(customer), 0, customerBytes);
  customer.id = S.idUnits;
  S.idUnits += idUnitsOf(length);
  const at = ids + (<usize>customer.id << 3);
  store<u16>(at, <u16>length);
  memory.copy(at + 2, bytes, length);
  for (let model: u32 = 0; model < S.models; model++) rowAt(customer, model).segment = NO_SEGMENT;
  insertSlot(idSlots, idSlotCount, hash, number);
  return number;
}
