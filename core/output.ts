// Records out: migrations and dead letters, one behind the other in the output region, each behind its size and
// padded to 8 bytes. Numbers of the ledger, times and money are f64, exact to 2^53.
import { OUTPUT, OUTPUT_BYTES } from "./layout";
import { copyWords } from "./bytes";
import { Customer, coldOf, idAt, idLengthAt } from "./customers";
import { S } from "./status";

export const MIGRATION: u8 = 1;
export const DEAD_LETTER: u8 = 2;

/** Bytes of an item that its dead letter holds. */
export const DEAD_BYTES_MAX: u32 = 0x10000;
/** Every step of an event (one instant of one customer, in every model; one dead letter) fits into this. */
export const STEP_BYTES_MAX: u32 = 0x18000;
/** Length of a customer that could not be read. */
export const UNREADABLE: u16 = 0xffff;

/** Causes, numbered as in `CAUSES` of runtime/record.ts. */
export const BY_ORDER: u8 = 0;
export const BY_REFUND: u8 = 1;
export const BY_CANCEL: u8 = 2;
export const BY_AMEND: u8 = 3;
export const BY_RECENCY: u8 = 4;
export const BY_WINDOW: u8 = 5;
export const BY_TENURE: u8 = 6;
export const BY_MODEL: u8 = 7;

@unmanaged export class Figures {
  firstOrder: f64; // 0: none
  lastOrder: f64;
  orders: f64;
  spend: f64;
  ordersEver: f64;
  spendEver: f64;
}

@unmanaged export class MigrationRecord {
  size: u32;
  type: u8;
  model: u8;
  cause: u8;
  silent: u8;
  number: f64;
  previous: f64; // ledger number of the customer's last migration, 0 for none
  sequence: f64;
  clock: f64;
  time: f64;
  fromSince: f64; // 0: none
  toSince: f64;
  fromBands: u64;
  toBands: u64;
  due: f64; // 0: none
  nextAt: f64; // 0: none
  causeTime: f64; // 0: none
  revision: u32;
  fromSegment: u8;
  toSegment: u8;
  nextSegment: u8;
  channel: u8; // 255: none
  customerLength: u16;
  eventLength: u16;
  orderLength: u16;
  pad0: u16;
  // Figures before, Figures after; then customer, event, order
}
export const BEFORE_AT: usize = 120;
export const FIGURES_BYTES: usize = 48;
export const MIGRATION_TEXT_AT: usize = BEFORE_AT + 2 * FIGURES_BYTES;
if (offsetof<MigrationRecord>() != 120) ERROR("Figures stand behind a MigrationRecord");
if (offsetof<Figures>() != 48) ERROR("Figures must stay 48 bytes");

@unmanaged export class DeadRecord {
  size: u32;
  type: u8;
  reason: u8;
  subjectLength: u16;
  number: f64;
  sequence: f64;
  clock: f64;
  index: u32;
  length: u32; // before the cut
  bytesLength: u32;
  customerLength: u16; // UNREADABLE where it was
  pad0: u16;
  // customer, subject, bytes
}
export const DEAD_TEXT_AT: usize = 48;
if (offsetof<DeadRecord>() != 48) ERROR("the texts stand behind a DeadRecord");

let used: u32 = 0;

export function outputUsed(): u32 {
  return used;
}

export function clearOutput(): void {
  used = 0;
}

@inline export function hasRoom(): bool {
  return used <= OUTPUT_BYTES - STEP_BYTES_MAX;
}

@inline function put(at: usize, bytes: usize, length: u32): usize {
  copyWords(at, bytes, length);
  return at + length;
}

/** Closes a record that begins at the end of the output and whose last byte is before `end`. */
function close(record: usize, end: usize): void {
  while ((end & 7) != 0) store<u8>(end++, 0);
  const size = <u32>(end - record);
  store<u32>(record, size);
  used += size;
  assert(used <= OUTPUT_BYTES, "room was seen before the step");
}

/** The place of the next record, with its ledger number. */
export function beginMigration(customer: Customer): MigrationRecord {
  const record = changetype<MigrationRecord>(OUTPUT + used);
  record.type = MIGRATION;
  const number = ++S.records;
  record.number = <f64>number;
  const cold = coldOf(customer);
  const low = cold.lastRecord;
  // The lower half names it: it lies within the last 2^32 records.
  record.previous = low == 0 ? 0 : <f64>(number - <i64>(<u32>number - low));
  cold.lastRecord = <u32>number;
  return record;
}

export function endMigration(
  record: MigrationRecord,
  customer: Customer,
  event: usize,
  eventLength: u32,
  order: usize,
  orderLength: u32,
): void {
  const length = idLengthAt(customer);
  record.customerLength = <u16>length;
  record.eventLength = <u16>eventLength;
  record.orderLength = <u16>orderLength;
  record.pad0 = 0;
  let at = changetype<usize>(record) + MIGRATION_TEXT_AT;
  at = put(at, idAt(customer), length);
  at = put(at, event, eventLength);
  at = put(at, order, orderLength);
  close(changetype<usize>(record), at);
}

/** Writes a dead letter without its bytes; `endDead` adds them. `customer` 0: could not be read. */
export function beginDead(
  reason: u8,
  sequence: f64,
  index: u32,
  clock: i64,
  length: u32,
  customer: usize,
  customerLength: u32,
  subject: usize,
  subjectLength: u32,
): DeadRecord {
  const record = changetype<DeadRecord>(OUTPUT + used);
  record.type = DEAD_LETTER;
  record.reason = reason;
  record.number = <f64>++S.records;
  record.sequence = sequence;
  record.clock = <f64>clock;
  record.index = index;
  record.length = length;
  record.customerLength = customer == 0 ? UNREADABLE : <u16>customerLength;
  record.subjectLength = <u16>subjectLength;
  record.pad0 = 0;
  let at = changetype<usize>(record) + DEAD_TEXT_AT;
  if (customer != 0) at = put(at, customer, customerLength);
  put(at, subject, subjectLength);
  return record;
}

/** Where the bytes of a dead letter begin. */
export function deadBytesAt(record: DeadRecord): usize {
  const customerLength: u32 = record.customerLength == UNREADABLE ? 0 : record.customerLength;
  return changetype<usize>(record) + DEAD_TEXT_AT + customerLength + record.subjectLength;
}

export function endDead(record: DeadRecord, bytesLength: u32): void {
  record.bytesLength = bytesLength;
  close(changetype<usize>(record), deadBytesAt(record) + bytesLength);
}
