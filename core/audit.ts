// Rows recounted from their orders, while nothing is overdue. What is kept and what comes out differ only where
// memory is damaged, or where this program is wrong: nothing is mended, all is told. A number that is kept is compared
// and never followed, for it may be the damage.
//
// A difference lies at OUTPUT:  what, model, dimension u8 | pad u8 | customer u32 | kept, recounted f64
import {
  HAS_ROWS,
  Row,
  armedOf,
  coldAt,
  coldRowAt,
  cursorOf,
  customerAt,
  findCustomer,
  hashOfId,
  idAt,
  idLengthAt,
  rowAt,
  valueOf,
} from "./customers";
import { nextChange } from "./fire";
import { OUTPUT, OUTPUT_BYTES } from "./layout";
import { KIND, LOOSE, ORDER, findEvent, orderAt, reversalAt, reversedAt, timeAt } from "./log";
import { Model, dimensionAt, leave, modelAt, windowAt } from "./models";
import { bandsOf, counts, segmentOf, shareOf, takesEntry } from "./rows";
import { S } from "./status";

/** What differs, numbered as in `AUDITED` of runtime/audit.ts. */
const ID: u8 = 0; // the customer that the index has for the id
const CHAIN: u8 = 1; // orders, one after the other in event-time order: the place where that ends
const ENTRIES: u8 = 2; // how many entries are its own
const EVENT: u8 = 3; // the entry that the index has for an event
const VALUE: u8 = 4; // of a dimension that counts or sums
const OLDEST: u8 = 5; // time of the oldest entry in a window
const LAST: u8 = 6; // time of the newest counting order in the log
const FIRST: u8 = 7; // time of the oldest
const ORDERS_EVER: u8 = 8; // at least as many as the log holds
const BANDS: u8 = 9;
const SEGMENT: u8 = 10;
const TIMER: u8 = 11; // not later than what comes next

export const DIFFERENCE_BYTES: u32 = 24;
/** Differences of one customer at most: what is more is left out. */
const EACH_MAX: u32 = 256;
/** Entries looked at for each customer asked for, on average. */
const ENTRIES_EACH: u32 = 32;

let used: u32 = 0;
let rows: u32 = 0;
let number: u32 = 0;
let left: u32 = 0; // differences that may yet be told of this customer

/** Bytes of differences at OUTPUT. */
export function auditBytes(): u32 {
  return used;
}

/** Rows that the last call recounted. */
export function auditRows(): u32 {
  return rows;
}

/** Recounts the rows of up to `count` customers from number `from` on. Returns the number to go on with, 0 at the end. */
export function audit(from: u32, count: u32): u32 {
  used = 0;
  rows = 0;
  let entries: u64 = 0;
  const most = <u64>count * ENTRIES_EACH;
  for (number = from; number <= S.customers && count > 0 && entries < most; number++, count--) {
    if (used + EACH_MAX * DIFFERENCE_BYTES > OUTPUT_BYTES) break;
    left = EACH_MAX;
    entries += auditCustomer();
  }
  return number > S.customers ? 0 : number;
}

function tell(what: u8, model: u32, dimension: u32, kept: f64, recounted: f64): void {
  if (left == 0) return;
  left--;
  const at = OUTPUT + used;
  store<u8>(at, what);
  store<u8>(at, <u8>model, 1);
  store<u8>(at, <u8>dimension, 2);
  store<u8>(at, 0, 3);
  store<u32>(at, number, 4);
  store<f64>(at, kept, 8);
  store<f64>(at, recounted, 16);
  used += DIFFERENCE_BYTES;
}

@inline function compare(what: u8, model: u32, dimension: u32, kept: i64, recounted: i64): void {
  if (kept != recounted) tell(what, model, dimension, <f64>kept, <f64>recounted);
}

/** Returns the entries looked at. */
function auditCustomer(): u32 {
  const customer = customerAt(number);
  const length = idLengthAt(customer);
  compare(ID, 0, 0, number, findCustomer(hashOfId(idAt(customer), length), idAt(customer), length));
  const entries = auditChain();
  if (entries == u32.MAX_VALUE) return 0;
  if ((customer.flags & HAS_ROWS) == 0) return entries;
  for (let m: u32 = 0; m < S.models; m++) {
    auditRow(rowAt(customer, m), m);
    rows++;
  }
  const change = nextChange(customer);
  const armed = armedOf(customer);
  if ((armed == 0 || armed > change) && change < 0xffff_ffff_ffff) tell(TIMER, 0, 0, <f64>armed, <f64>change);
  return entries;
}

/** Are the customer's entries where they belong? Returns how many there are, MAX_VALUE where they can't be followed. */
function auditChain(): u32 {
  const customer = customerAt(number);
  let entries: u32 = 0;
  let previous: u32 = 0;
  for (let entry = coldAt(number).oldest; entry != 0; entry = orderAt(entry).next) {
    const kind = entry > S.entryTop ? 0 : orderAt(entry).flags & KIND;
    const belongs =
      (kind == ORDER || kind == LOOSE) &&
      orderAt(entry).customer == number &&
      orderAt(entry).previous == previous &&
      (previous == 0 || timeAt(previous) <= timeAt(entry)) &&
      entries <= S.entriesPerCustomerMax;
    if (!belongs) {
      tell(CHAIN, 0, 0, <f64>entry, <f64>previous);
      return u32.MAX_VALUE;
    }
    compare(EVENT, 0, 0, entry, findEvent(orderAt(entry).hash, number));
    entries++;
    const list = orderAt(entry).reversed;
    if (list > S.entryTop) {
      tell(CHAIN, 0, 0, <f64>list, <f64>entry);
      return u32.MAX_VALUE;
    }
    if (list != 0) {
      for (let reversal = reversedAt(list).first; reversal != 0; reversal = reversalAt(reversal).next) {
        if (reversal > S.entryTop || reversalAt(reversal).reversed != list) {
          tell(CHAIN, 0, 0, <f64>reversal, <f64>entry);
          return u32.MAX_VALUE;
        }
        compare(EVENT, 0, 0, reversal, findEvent(reversalAt(reversal).hash, number));
        entries++;
      }
    }
    previous = entry;
  }
  compare(CHAIN, 0, 0, customer.newest, previous);
  // Parked reversals count twice.
  const parked = customer.entries - entries;
  if (coldAt(number).parked == 0) compare(ENTRIES, 0, 0, customer.entries, entries);
  else if (customer.entries < entries || (parked & 1) != 0) tell(ENTRIES, 0, 0, <f64>customer.entries, <f64>entries);
  return customer.newest == previous ? entries : u32.MAX_VALUE;
}

/** Time of an entry that may be none. */
function timeOf(entry: u32): i64 {
  return entry == 0 || entry > S.entryTop ? 0 : timeAt(entry);
}

function auditRow(row: Row, m: u32): void {
  const model = modelAt(m);
  for (let slot: u32 = 0; slot < model.windows; slot++) auditWindow(row, model, m, slot);
  let orders: u32 = 0;
  let newest: u32 = 0;
  let first: u32 = 0;
  for (let entry = coldAt(number).oldest; entry != 0; entry = orderAt(entry).next) {
    if (!takesEntry(model, m, entry) || !counts(model, entry)) continue;
    orders++;
    newest = entry;
    if (first == 0) first = entry;
  }
  if (row.newest != newest) tell(LAST, m, 0, <f64>timeOf(row.newest), <f64>timeOf(newest));
  const kept = coldRowAt(number, m).first;
  if (newest != 0 && kept != first) tell(FIRST, m, 0, <f64>timeOf(kept), <f64>timeOf(first));
  if (row.ordersEver < orders) tell(ORDERS_EVER, m, 0, <f64>row.ordersEver, <f64>orders);
  // Where a number of the row is wrong, so may be what follows from it.
  if (row.newest != newest || (newest != 0 && kept != first)) return;
  const bands = bandsOf(row, model, S.clock);
  compare(BANDS, m, 0, row.bands, bands);
  compare(SEGMENT, m, 0, row.segment, segmentOf(row, model, m, bands));
}

/** Dimension of a window. */
function dimensionOf(model: Model, slot: u32): u32 {
  let d: u32 = 0;
  while (d < model.dimensions && dimensionAt(model, d).slot != <u8>slot) d++;
  return d;
}

function auditWindow(row: Row, model: Model, m: u32, slot: u32): void {
  const window = windowAt(model, slot);
  let value: i64 = 0;
  let oldest: u32 = 0;
  for (let entry = coldAt(number).oldest; entry != 0; entry = orderAt(entry).next) {
    if (leave(timeAt(entry), window.length) <= S.clock || !takesEntry(model, m, entry)) continue;
    if (oldest == 0) oldest = entry;
    value += shareOf(window.measure, model, entry);
  }
  compare(VALUE, m, dimensionOf(model, slot), valueOf(row, window), value);
  const cursor = cursorOf(row, window);
  if (cursor != oldest) tell(OLDEST, m, dimensionOf(model, slot), <f64>timeOf(cursor), <f64>timeOf(oldest));
}
