// A checkpoint: every customer as it was when the checkpoint began, written while orders go on. A pass over the
// customers writes them in their order, a bounded piece at a time; what an event or a timer is about to change is
// written out before, out of its turn. A customer's epoch says whether it is written. So an order waits for the
// customers that it touches, and for no other.
//
// The form is a logical one: no address, no number of an entry, nothing that the log and the rows give again. The
// same state gives the same bytes, but for the order of the customers. The runtime takes what lies in the region
// after every call, so it is empty between calls.
//
//   customer  type, flags u8 | id length u16 | number, last record u32 | instant i64, where OVERDUE | a row a model | id
//   row       bands, orders ever, revision u32 | spend ever i64 | since, first and last past the horizon: 6 bytes each | segment u8
//   event     type u8 | hash, time and currency, amount, channel and flags u64, as in the log | version i64, where VERSIONED
//   parked    as an event, and then: expiry i64 | identity of its order u64 | sequence f64 | index, length, subject length u32 | subject, bytes
//
// Behind a customer come its orders in event-time order, each followed by the reversals that met it, and then its
// parked reversals, both in order of arrival.
import {
  Customer,
  armedOf,
  coldAt,
  coldRowAt,
  customerAt,
  idAt,
  idLengthAt,
  pastFirstOf,
  pastLastOf,
  rowAt,
  sinceOf,
} from "./customers";
import { nextChange } from "./fire";
import { CHECKPOINT, CHECKPOINT_BYTES } from "./layout";
import { KIND, VOID, entryAddress, identityOf, orderAt, parkedAt, reversalAt, reversedAt } from "./log";
import { copyParked, parkedLength, parkedSubjectLength } from "./parked";
import { S } from "./status";

/** Types. */
export const CUSTOMER: u8 = 1;
export const EVENT: u8 = 2;
export const PARKED: u8 = 3;
/** Of a customer's flags, beside its own: something was due already when the checkpoint began. */
export const OVERDUE: u8 = 128;
/** Of an event's flags, beside its kind and VOID: it has a version. */
export const VERSIONED: u8 = 64;

export const CUSTOMER_BYTES: u32 = 12;
export const ROW_BYTES: u32 = 39;
export const EVENT_BYTES: u32 = 25;
/** Of a parked reversal without its texts, behind its event. */
export const PARKED_BYTES: u32 = 36;

/** The largest piece: a parked reversal with its bytes and a subject, each up to 64 KiB. */
const PIECE_BYTES_MAX: u32 = 0x21000;
/** Customers that the pass looks at in one call, written already or not. */
const LOOK_MAX: u32 = 4096;
/** Customers whose cache misses overlap. */
const GROUP: u32 = 16;
/** Checkpoints that may be given up one after the other before an epoch could come again. */
const UNFINISHED_MAX: u32 = 250;

const TIME_AT: usize = 8;
const AMOUNT_AT: usize = 16;

let used: u32 = 0;
/** T when the checkpoint began, and the last customer then. */
let began: i64 = 0;
let last: u32 = 0;
/** The next customer of the pass. */
let pass: u32 = 0;
/** The customer under way, 0 for none, and what of it comes next. */
let under: u32 = 0;
let order: u32 = 0;
let reversal: u32 = 0;
let parked: u32 = 0;

/** Bytes behind CHECKPOINT. The runtime takes them after each call. */
export function checkpointBytes(): u32 {
  const bytes = used;
  used = 0;
  return bytes;
}

/** Begins a checkpoint of the state as it is, between two messages. */
export function beginCheckpoint(): void {
  if (S.unfinished == UNFINISHED_MAX) forgetEpochs();
  S.unfinished++;
  S.epoch++;
  S.saving = 1;
  began = S.clock;
  last = S.customers;
  pass = 1;
  under = 0;
  used = 0;
}

/** Ends the checkpoint under way, written whole or not. */
export function endCheckpoint(whole: u32): void {
  S.saving = 0;
  if (whole != 0) S.unfinished = 0;
}

/** So that no customer is taken for one that is written. */
function forgetEpochs(): void {
  for (let number: u32 = 1; number <= S.customers; number++) customerAt(number).epoch = S.epoch;
  S.unfinished = 0;
}

/**
 * Writes out a customer (0: none) that is about to change. False where the region has no room for the rest of it: the
 * caller returns, and calls again once the runtime has taken what there is.
 */
export function writeOut(number: u32): bool {
  if (number == 0 || number > last || customerAt(number).epoch == S.epoch) return true;
  // A customer lies in one piece: what is under way comes first.
  if (under != 0 && !goOn()) return false;
  if (customerAt(number).epoch == S.epoch) return true;
  return begin(number) && goOn();
}

/** The pass goes on until it wrote about so many bytes, or nothing is left. 1: there is more; 0: all are written. */
export function writeCheckpoint(bytes: u32): u32 {
  for (let looked: u32 = 0; looked < LOOK_MAX && used < bytes; looked++) {
    if (under != 0 && !goOn()) return 1;
    if (pass > last) return 0;
    if (pass % GROUP == 1) readAhead(pass, min(pass + GROUP, last + 1));
    if (customerAt(pass).epoch != S.epoch && !begin(pass)) return 1;
    pass++;
  }
  return 1;
}

@inline function isFull(): bool {
  return used > CHECKPOINT_BYTES - PIECE_BYTES_MAX;
}

@inline function put<T>(value: T): void {
  store<T>(CHECKPOINT + used, value);
  used += sizeof<T>();
}

/** 48 bits. */
@inline function putInstant(instant: i64): void {
  store<u64>(CHECKPOINT + used, <u64>instant);
  used += 6;
}

function begin(number: u32): bool {
  if (isFull()) return false;
  const customer = customerAt(number);
  const cold = coldAt(number);
  const length = idLengthAt(customer);
  const due = overdueFrom(customer);
  put<u8>(CUSTOMER);
  put<u8>(due != 0 ? customer.flags | OVERDUE : customer.flags);
  put<u16>(<u16>length);
  put<u32>(number);
  put<u32>(cold.lastRecord);
  if (due != 0) put<i64>(due);
  for (let m: u32 = 0; m < S.models; m++) putRow(number, customer, m);
  memory.copy(CHECKPOINT + used, idAt(customer), length);
  used += length;
  under = number;
  order = cold.oldest;
  reversal = 0;
  parked = cold.parked;
  return true;
}

/** The instant from which on the customer's rows are not exact, where that was past when the checkpoint began; or 0. */
function overdueFrom(customer: Customer): i64 {
  const armed = armedOf(customer);
  if (armed == 0 || armed > began) return 0;
  const change = nextChange(customer);
  return change <= began ? change : 0;
}

function putRow(number: u32, customer: Customer, m: u32): void {
  const row = rowAt(customer, m);
  const cold = coldRowAt(number, m);
  put<u32>(row.bands);
  put<u32>(row.ordersEver);
  put<u32>(cold.revision);
  put<i64>(row.spendEver);
  putInstant(sinceOf(row, cold));
  putInstant(pastFirstOf(cold));
  putInstant(pastLastOf(cold));
  put<u8>(row.segment);
}

/** Goes on with the customer under way. False where the region has no room for the rest of it. */
function goOn(): bool {
  while (order != 0 || reversal != 0) {
    if (isFull()) return false;
    if (reversal != 0) {
      putEvent(EVENT, reversal);
      reversal = reversalAt(reversal).next;
      continue;
    }
    putEvent(EVENT, order);
    const list = orderAt(order).reversed;
    if (list != 0) reversal = reversedAt(list).first;
    order = orderAt(order).next;
  }
  for (; parked != 0; parked = parkedAt(parked).ownNext) {
    if (isFull()) return false;
    putParked(parked);
  }
  customerAt(under).epoch = S.epoch;
  under = 0;
  return true;
}

function putEvent(type: u8, entry: u32): void {
  const at = entryAddress(entry);
  const version = orderAt(entry).version;
  const flags = orderAt(entry).flags & (KIND | VOID);
  put<u8>(type);
  put<u64>(orderAt(entry).hash);
  put<u64>(load<u64>(at, TIME_AT));
  put<u64>(
    (load<u64>(at, AMOUNT_AT) & 0x00ff_ffff_ffff_ffff) | (<u64>(version != 0 ? flags | VERSIONED : flags) << 56),
  );
  if (version != 0) put<i64>(version);
}

function putParked(number: u32): void {
  const waiting = parkedAt(number);
  const entry = waiting.reversal;
  const subjectLength = parkedSubjectLength(number);
  putEvent(PARKED, entry);
  put<i64>(waiting.expiry);
  put<u64>(identityOf(reversedAt(reversalAt(entry).reversed)));
  put<f64>(waiting.sequence);
  put<u32>(waiting.index);
  put<u32>(parkedLength(number));
  put<u32>(subjectLength);
  used += copyParked(number, CHECKPOINT + used);
}

/** Of the words read ahead, so that no compiler leaves the reading out. */
let touched: u32 = 0;

/** Reads what writing these customers will touch, in passes whose cache misses overlap. */
function readAhead(from: u32, end: u32): void {
  let sum: u32 = 0;
  for (let number = from; number < end; number++) sum += customerAt(number).id + coldAt(number).oldest;
  for (let number = from; number < end; number++) {
    sum += idLengthAt(customerAt(number));
    const oldest = orderAt(coldAt(number).oldest);
    sum += oldest.next + orderAt(customerAt(number).newest).reversed;
  }
  for (let number = from; number < end; number++) sum += orderAt(orderAt(coldAt(number).oldest).next).next;
  touched = sum;
}
