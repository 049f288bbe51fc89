// The head of a partition's state: its clock, its settings, the heads of its lists and its counters.
import { STATUS } from "./layout";

export const CLOCK_BROKER: u8 = 0;
export const CLOCK_EVENT: u8 = 1;

/** Outcomes of an item, numbered as in `OUTCOMES` of runtime/record.ts. */
export const APPLIED: u32 = 0;
export const AMENDED: u32 = 1;
export const DUPLICATE: u32 = 2;
export const STALE: u32 = 3;
export const PARKED: u32 = 4;
export const LATE: u32 = 5;
export const TESTED: u32 = 6;
export const SKIPPED: u32 = 7;
export const ANONYMOUS: u32 = 8;
export const REJECTED: u32 = 9;
export const OUTCOMES: u32 = 10;

@unmanaged export class Status {
  clock: i64; // T, ms; 0 before the first message
  records: i64; // ledger number of the last record made
  key0: u64; // of the hashes
  key1: u64;
  // settings, written by the runtime
  horizon: i64; // ms
  parkFor: i64; // ms
  tolerance: i64; // ms that an event may lie ahead of T
  soonest: i64; // no order changes anything by time alone sooner than this behind it, ms
  parkedMax: u32;
  entriesPerCustomerMax: u32;
  partitions: u32; // 0: no check of the partition
  partition: u32;
  models: u32;
  channels: u32; // numbered so far
  clockKind: u8;
  live: u8; // 0: every migration is silent
  epoch: u8; // of the last checkpoint begun: a customer that is of this epoch is in it, or came later
  saving: u8; // 1: a checkpoint is under way
  unfinished: u32; // checkpoints begun since the last that was written whole
  // customers
  customers: u32; // numbered so far; the first is 1
  applied: u32; // of them with an event applied: those that have rows
  idUnits: u32; // of 2 bytes, used
  // log
  entryTop: u32; // entries ever used; the first is 1
  entryFree: u32; // head of the free list
  entries: u32; // in use
  // parked reversals, in order of arrival
  parkedFirst: u32;
  parkedLast: u32;
  parked: u32;
  parkedChunks: u32;
  // timers
  timers: u32; // armed
  dueAt: u32; // the block of those due: the place of the first of them
  dueCount: u32; // and behind the last
  pad3: u32;
  dueLast: i64; // the instant of the last; 0: there is no block
  amountsEver: i64; // of all events applied: no sum of a customer is larger
  // counters
  messages: i64;
  ticks: i64;
  fired: i64; // (instant, customer) pairs fired
  spurious: i64; // timers that fired early
  chainSteps: i64; // entries looked at to find an order's place
  chainLongest: u32; // entries of the customer with most, ever
  pad2: u32;
}

export const EVENTS: usize = STATUS + 0x200; // i64 counters [kind][outcome]
export const DEAD: usize = STATUS + 0x400; // i64 counters [reason]
export const BEFORE: usize = STATUS + 0x600; // values of each model's row before a change, 16 × 64 bytes
export const SCENE: usize = STATUS + 0xa00; // windows of a row while its future is looked at, 8 × 32 bytes
export const DUE: usize = STATUS + 0xb00; // numbers of the customers that are due next, 32 × u32

if (offsetof<Status>() > 0x200) ERROR("Status outgrew its place");

export const S: Status = changetype<Status>(STATUS);

@inline export function countEvent(kind: u32, outcome: u32): void {
  const at = EVENTS + <usize>((kind * OUTCOMES + outcome) << 3);
  store<i64>(at, load<i64>(at) + 1);
}

@inline export function countDead(reason: u32): void {
  const at = DEAD + <usize>(reason << 3);
  store<i64>(at, load<i64>(at) + 1);
}
