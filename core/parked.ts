// Reversals that wait for their order. They expire in order of arrival, each at its own instant, and are
// dead-lettered then with the bytes that they came with.
import { Customer, HAS_PARKED, coldOf, customerAt, idAt, idLengthAt } from "./customers";
import {
  Parked,
  countEntries,
  entryAddress,
  forgetEvent,
  freeEntry,
  parkedAt,
  reversalAt,
  reversedAt,
  takeEntry,
} from "./log";
import { DEAD_BYTES_MAX, beginDead, deadBytesAt, endDead } from "./output";
import { S, countDead } from "./status";
import { NEVER } from "./timers";

// A chunk: next u32, then bytes. Those of a parked item: full length u32, kept length u32, subject length u32,
// subject, item.
const CHUNK_DATA: u32 = 44;
const TEXT_HEAD: u32 = 12;

/** Chunks that each parked reversal may have on average; the space for all of them is shared. */
const CHUNKS_EACH: u64 = 8;
/** Of the largest item: one of that size finds a place however few may be parked. */
const CHUNKS_MOST: u64 = <u64>((TEXT_HEAD + 0x10000 + 0x10000) / CHUNK_DATA + 1);

/** Chunks for an item of `length` bytes that came on a subject of `subjectLength`. */
export function chunksFor(length: u32, subjectLength: u32): u32 {
  const kept = min(length, DEAD_BYTES_MAX);
  return (TEXT_HEAD + subjectLength + kept + CHUNK_DATA - 1) / CHUNK_DATA;
}

/** Is there a place for one more with so many chunks, once `leaving` have left, and with `parked` (0: none) its chunks? */
export function hasPlace(chunks: u32, leaving: u32, parked: u32): bool {
  const freed = parked == 0 ? 0 : chunksOf(parked);
  return S.parked - leaving < S.parkedMax && <u64>(S.parkedChunks + chunks - freed) <= <u64>S.parkedMax * CHUNKS_EACH + CHUNKS_MOST;
}

function chunksOf(parked: u32): u32 {
  const head = entryAddress(parkedAt(parked).bytes); // the three lengths lie in the first chunk
  return chunksFor(load<u32>(head, 8), load<u32>(head, 12));
}

/** Own reversals whose waiting is over at `now`: the oldest come first, so the count is a prefix. */
export function ownExpired(customer: Customer, now: i64): u32 {
  let count: u32 = 0;
  for (let p = coldOf(customer).parked; p != 0 && parkedAt(p).expiry <= now; p = parkedAt(p).ownNext) count++;
  return count;
}

/** When the first of this customer's reversals expires, NEVER for none. */
@inline export function ownExpiry(customer: Customer): i64 {
  return (customer.flags & HAS_PARKED) == 0 ? NEVER : parkedAt(coldOf(customer).parked).expiry;
}

/** When the first of the partition's expires, NEVER for none. */
@inline export function nextExpiry(): i64 {
  return S.parkedFirst == 0 ? NEVER : parkedAt(S.parkedFirst).expiry;
}

@inline export function expiryOf(parked: u32): i64 {
  return parkedAt(parked).expiry;
}

/** The reversal of this customer that expires first. */
@inline export function ownParked(customer: Customer): u32 {
  return parkedAt(coldOf(customer).parked).reversal;
}

/** The reversal of the partition that expires first. */
@inline export function firstParked(): u32 {
  return parkedAt(S.parkedFirst).reversal;
}

// Writing and reading a chain of chunks byte run by byte run.
let chunk: u32 = 0;
let offset: u32 = 0;

function write(bytes: usize, length: u32): void {
  while (length > 0) {
    if (offset == CHUNK_DATA) {
      const next = takeEntry();
      S.parkedChunks++;
      store<u32>(entryAddress(next), 0);
      store<u32>(entryAddress(chunk), next);
      chunk = next;
      offset = 0;
    }
    const part = min(length, CHUNK_DATA - offset);
    memory.copy(entryAddress(chunk) + 4 + offset, bytes, part);
    bytes += part;
    length -= part;
    offset += part;
  }
}

function read(bytes: usize, length: u32): void {
  while (length > 0) {
    if (offset == CHUNK_DATA) {
      chunk = load<u32>(entryAddress(chunk));
      offset = 0;
    }
    const part = min(length, CHUNK_DATA - offset);
    memory.copy(bytes, entryAddress(chunk) + 4 + offset, part);
    bytes += part;
    length -= part;
    offset += part;
  }
}

function skip(length: u32): void {
  while (length > 0) {
    if (offset == CHUNK_DATA) {
      chunk = load<u32>(entryAddress(chunk));
      offset = 0;
    }
    const part = min(length, CHUNK_DATA - offset);
    length -= part;
    offset += part;
  }
}

/** Lets a reversal wait until `expiry`, behind all others. `scratch` holds 12 bytes to write from. */
export function park(
  customer: Customer,
  reversal: u32,
  expiry: i64,
  sequence: f64,
  index: u32,
  subject: usize,
  subjectLength: u32,
  item: usize,
  length: u32,
  scratch: usize,
): void {
  // In order of arrival, also where `parkFor` became shorter with a change of models.
  const last = S.parkedLast == 0 ? expiry : max(expiry, parkedAt(S.parkedLast).expiry);
  parkUntil(customer, reversal, last, sequence, index, subject, subjectLength, item, length, scratch);
}

/** As `park`, also where others that come first expire later: `sortParked` sets that right. */
export function parkUntil(
  customer: Customer,
  reversal: u32,
  expiry: i64,
  sequence: f64,
  index: u32,
  subject: usize,
  subjectLength: u32,
  item: usize,
  length: u32,
  scratch: usize,
): void {
  const number = takeEntry();
  const parked = parkedAt(number);
  parked.expiry = expiry;
  parked.sequence = sequence;
  parked.index = index;
  parked.pad0 = 0;
  parked.reversal = reversal;
  reversalAt(reversal).parked = number;
  countEntries(customer, 1);

  const first = takeEntry();
  S.parkedChunks++;
  store<u32>(entryAddress(first), 0);
  parked.bytes = first;
  chunk = first;
  offset = 0;
  const kept = min(length, DEAD_BYTES_MAX);
  store<u32>(scratch, length);
  store<u32>(scratch, kept, 4);
  store<u32>(scratch, subjectLength, 8);
  write(scratch, TEXT_HEAD);
  write(subject, subjectLength);
  write(item, kept);

  append(number);
  S.parked++;

  parked.ownNext = 0;
  const cold = coldOf(customer);
  if (cold.parked == 0) {
    customer.flags |= HAS_PARKED;
    cold.parked = number;
    parked.ownPrevious = number;
  } else {
    const head = parkedAt(cold.parked);
    parked.ownPrevious = head.ownPrevious;
    parkedAt(head.ownPrevious).ownNext = number;
    head.ownPrevious = number;
  }
}

/** Puts the partition's parked reversals in order of arrival, whose expiries never fall (a merge sort of the list). */
export function sortParked(): void {
  for (let width: u32 = 1; width < S.parked; width <<= 1) {
    let rest = S.parkedFirst;
    S.parkedFirst = 0;
    S.parkedLast = 0;
    while (rest != 0) {
      let left = rest;
      let right = left;
      for (let n: u32 = 0; n < width && right != 0; n++) right = parkedAt(right).fifoNext;
      let lefts = width;
      let rights = width;
      while ((lefts > 0 && left != 0) || (rights > 0 && right != 0)) {
        if (rights == 0 || right == 0 || (lefts > 0 && left != 0 && !arrivedBefore(right, left))) {
          const next = parkedAt(left).fifoNext;
          append(left);
          left = next;
          lefts--;
        } else {
          const next = parkedAt(right).fifoNext;
          append(right);
          right = next;
          rights--;
        }
      }
      rest = right;
    }
  }
}

function arrivedBefore(a: u32, b: u32): bool {
  const one = parkedAt(a);
  const other = parkedAt(b);
  if (one.expiry != other.expiry) return one.expiry < other.expiry;
  if (one.sequence != other.sequence) return one.sequence < other.sequence;
  return one.index < other.index;
}

function append(number: u32): void {
  const parked = parkedAt(number);
  parked.fifoNext = 0;
  parked.fifoPrevious = S.parkedLast;
  if (S.parkedLast == 0) S.parkedFirst = number;
  else parkedAt(S.parkedLast).fifoNext = number;
  S.parkedLast = number;
}

/** Ends a reversal's waiting; the reversal itself stays. */
export function unpark(customer: Customer, reversal: u32): void {
  const number = reversalAt(reversal).parked;
  const parked = parkedAt(number);
  reversalAt(reversal).parked = 0;
  if (parked.fifoPrevious == 0) S.parkedFirst = parked.fifoNext;
  else parkedAt(parked.fifoPrevious).fifoNext = parked.fifoNext;
  if (parked.fifoNext == 0) S.parkedLast = parked.fifoPrevious;
  else parkedAt(parked.fifoNext).fifoPrevious = parked.fifoPrevious;
  S.parked--;
  leaveOwn(customer, number, parked);
  for (let at = parked.bytes; at != 0; ) {
    const next = load<u32>(entryAddress(at));
    freeEntry(at);
    S.parkedChunks--;
    at = next;
  }
  freeEntry(number);
  countEntries(customer, -1);
}

function leaveOwn(customer: Customer, number: u32, parked: Parked): void {
  const next = parked.ownNext;
  const previous = parked.ownPrevious;
  const cold = coldOf(customer);
  if (cold.parked == number) {
    cold.parked = next;
    if (next == 0) customer.flags &= ~HAS_PARKED;
    else parkedAt(next).ownPrevious = previous;
    return;
  }
  parkedAt(previous).ownNext = next;
  if (next != 0) parkedAt(next).ownPrevious = previous;
  else parkedAt(cold.parked).ownPrevious = previous;
}

/** Takes a reversal out of the list of its Reversed, and that away with its last one if it waits for its order. */
export function detach(reversal: u32): void {
  const list = reversalAt(reversal).reversed;
  const reversed = reversedAt(list);
  if (reversed.first == reversal) {
    reversed.first = reversalAt(reversal).next;
    if (reversed.first == 0) reversed.last = 0;
  } else {
    let before = reversed.first;
    while (reversalAt(before).next != reversal) before = reversalAt(before).next;
    reversalAt(before).next = reversalAt(reversal).next;
    if (reversed.last == reversal) reversed.last = before;
  }
  reversalAt(reversal).next = 0;
  if (reversed.first == 0 && reversed.order == 0) dropWaiting(list);
}

function dropWaiting(number: u32): void {
  forgetEvent(number);
  freeEntry(number);
}

/** Dead-letters a parked reversal for `reason`, as found at `clock`, and forgets it. One step of output. */
export function rejectParked(reversal: u32, reason: u8, clock: i64): void {
  const customer = customerAt(reversedAt(reversalAt(reversal).reversed).customer);
  const parked = parkedAt(reversalAt(reversal).parked);
  const head = parked.bytes; // the three lengths lie in the first chunk
  const length = load<u32>(entryAddress(head) + 4);
  const kept = load<u32>(entryAddress(head) + 8);
  const subjectLength = load<u32>(entryAddress(head) + 12);
  const record = beginDead(
    reason,
    parked.sequence,
    parked.index,
    clock,
    length,
    idAt(customer),
    idLengthAt(customer),
    0,
    0,
  );
  record.subjectLength = <u16>subjectLength;
  chunk = head;
  offset = TEXT_HEAD;
  read(deadBytesAt(record) - subjectLength, subjectLength + kept);
  endDead(record, kept);
  countDead(reason);
  forgetReversal(customer, reversal);
}

/** Forgets a reversal wholly, parked or not. */
export function forgetReversal(customer: Customer, reversal: u32): void {
  if (reversalAt(reversal).parked != 0) unpark(customer, reversal);
  forgetEvent(reversal);
  detach(reversal);
  freeEntry(reversal);
  countEntries(customer, -1);
}

/** Bytes of a parked item before it was cut. */
export function parkedLength(number: u32): u32 {
  return load<u32>(entryAddress(parkedAt(number).bytes), 4);
}

export function parkedSubjectLength(number: u32): u32 {
  return load<u32>(entryAddress(parkedAt(number).bytes), 12);
}

/** Copies the item of a parked reversal, the first `most` bytes of it. Returns how many bytes. */
export function copyParkedItem(number: u32, to: usize, most: u32): u32 {
  chunk = parkedAt(number).bytes;
  const kept = min(load<u32>(entryAddress(chunk), 8), most);
  const subjectLength = load<u32>(entryAddress(chunk), 12);
  offset = TEXT_HEAD;
  skip(subjectLength);
  read(to, kept);
  return kept;
}

/** Copies subject and item of a parked reversal. Returns how many bytes. */
export function copyParked(number: u32, to: usize): u32 {
  chunk = parkedAt(number).bytes;
  const length = load<u32>(entryAddress(chunk), 8) + load<u32>(entryAddress(chunk), 12);
  offset = TEXT_HEAD;
  read(to, length);
  return length;
}
