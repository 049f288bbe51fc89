// One customer's orders, and what its rows keep beside them, for a person who asks why. Nothing changes: its records
// lie at OUTPUT until the next call of the kernel. Cost: a cache miss or two an entry.
//
//   an order:     time f64 | amount f64 | refunded f64 | version f64 | kind u8, cancelled u8, channel u8, pad u8 |
//                 currency u16, pad u16 | refunds u16, cancels u16 | pad u32
//   a row:        past first f64 | past last f64 | since f64 | revision f64 | due f64 | next f64 | next segment u8, pad
//   one waiting:  expiry f64 | amount f64 | sequence f64 | index u32 | kind u8, channel u8, currency u16 |
//                 kept u32, length u32 | `kept` bytes of the item, padding to 8
import { coldAt, coldRowAt, customerAt, findCustomer, hashOfId, pastFirstOf, pastLastOf, rowAt, sinceOf } from "./customers";
import { due, forecast, nextAt, nextSegment } from "./forecast";
import { OUTPUT, OUTPUT_BYTES } from "./layout";
import { CANCEL, KIND, ORDER, VOID, amountAt, orderAt, parkedAt, reversalAt, reversedAt, timeAt } from "./log";
import { modelAt } from "./models";
import { copyParkedItem, parkedLength } from "./parked";
import { isCancelled } from "./rows";
import { S } from "./status";
import { NEVER } from "./timers";

export const ORDER_RECORD_BYTES: u32 = 48;
export const PAST_RECORD_BYTES: u32 = 56;
export const WAITING_RECORD_BYTES: u32 = 40;
/** Of an item that waits. */
const ITEM_BYTES_MAX: u32 = 1024;

/** Reversals that wait, of which more is said than their number. */
const WAITING_MAX: u32 = 100;

/** What became of an order. */
const STANDS: u8 = 0;
const CANCELLED: u8 = 1;
const VOIDED: u8 = 2; // by its own status

let used: u32 = 0;

/** Bytes of records at OUTPUT. */
export function historyBytes(): u32 {
  return used;
}

/** Number of the customer whose id of `length` bytes lies at OUTPUT; 0: it never came. */
export function customerNumber(length: u32): u32 {
  return findCustomer(hashOfId(OUTPUT, length), OUTPUT, length);
}

/**
 * Writes the customer's orders, from the newest in event-time order (`from` 0) or from entry `from` on backwards, as
 * many as fit. Returns the entry to go on with, 0 behind the oldest.
 */
export function writeOrders(customer: u32, from: u32): u32 {
  used = 0;
  let entry = from == 0 ? customerAt(customer).newest : from;
  for (; entry != 0; entry = orderAt(entry).previous) {
    if (used + ORDER_RECORD_BYTES > OUTPUT_BYTES) return entry;
    writeOrder(OUTPUT + used, entry);
    used += ORDER_RECORD_BYTES;
  }
  return 0;
}

function writeOrder(at: usize, entry: u32): void {
  const order = orderAt(entry);
  const kind = order.flags & KIND;
  let refunded: i64 = 0;
  let refunds: u32 = 0;
  let cancels: u32 = 0;
  let cancelled: u8 = (order.flags & VOID) != 0 ? VOIDED : STANDS;
  if (order.reversed != 0 && kind == ORDER) {
    const reversed = reversedAt(order.reversed);
    refunded = reversed.refunded;
    for (let reversal = reversed.first; reversal != 0; reversal = reversalAt(reversal).next) {
      if ((reversalAt(reversal).flags & KIND) == CANCEL) cancels++;
      else refunds++;
    }
    if (cancelled == STANDS && isCancelled(order)) cancelled = CANCELLED;
  }
  store<f64>(at, <f64>timeAt(entry));
  store<f64>(at, <f64>amountAt(entry), 8);
  store<f64>(at, <f64>refunded, 16);
  store<f64>(at, <f64>order.version, 24);
  store<u8>(at, kind, 32);
  store<u8>(at, cancelled, 33);
  store<u8>(at, order.channel, 34);
  store<u8>(at, 0, 35);
  store<u16>(at, order.currency, 36);
  store<u16>(at, 0, 38);
  store<u16>(at, <u16>min(refunds, 0xffff), 40);
  store<u16>(at, <u16>min(cancels, 0xffff), 42);
  store<u32>(at, 0, 44);
}

/** Writes what each of the customer's rows keeps beside its figures, and what it would announce. */
export function writePast(number: u32): void {
  used = 0;
  const customer = customerAt(number);
  for (let m: u32 = 0; m < S.models; m++) {
    const row = rowAt(customer, m);
    const cold = coldRowAt(number, m);
    const at = OUTPUT + used;
    forecast(row, modelAt(m), m, row.bands, row.segment);
    store<f64>(at, <f64>pastFirstOf(cold));
    store<f64>(at, <f64>pastLastOf(cold), 8);
    store<f64>(at, <f64>sinceOf(row, cold), 16);
    store<f64>(at, <f64>cold.revision, 24);
    store<f64>(at, due == NEVER ? 0 : <f64>due, 32);
    store<f64>(at, nextAt == NEVER ? 0 : <f64>nextAt, 40);
    store<u64>(at, nextSegment, 48);
    used += PAST_RECORD_BYTES;
  }
}

/** Writes the customer's reversals that wait for their order, oldest first, 100 at most. Returns how many there are. */
export function writeWaiting(customer: u32): u32 {
  used = 0;
  let count: u32 = 0;
  let parked = coldAt(customer).parked;
  for (; parked != 0; parked = parkedAt(parked).ownNext, count++) {
    if (count >= WAITING_MAX) continue;
    const at = OUTPUT + used;
    const waiting = parkedAt(parked);
    const reversal = reversalAt(waiting.reversal);
    store<f64>(at, <f64>waiting.expiry);
    store<f64>(at, <f64>amountAt(waiting.reversal), 8);
    store<f64>(at, waiting.sequence, 16);
    store<u32>(at, waiting.index, 24);
    store<u8>(at, reversal.flags & KIND, 28);
    store<u8>(at, reversal.channel, 29);
    store<u16>(at, reversal.currency, 30);
    const kept = copyParkedItem(parked, at + WAITING_RECORD_BYTES, ITEM_BYTES_MAX);
    store<u32>(at, kept, 32);
    store<u32>(at, parkedLength(parked), 36);
    used += WAITING_RECORD_BYTES + ((kept + 7) & ~7);
  }
  return count;
}
