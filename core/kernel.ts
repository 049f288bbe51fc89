// The kernel's border: what the runtime calls. Messages lie in the input region, each behind its header:
//
//   0  u32 length of the body     8  f64 sequence     24  subject, body, padding to 8
//   4  u16 length of the subject  16 f64 stamp (ms)
//   6  u8  source
//   7  u8  1: silent
//
// `run` takes them one after the other, item by item, in the steps of an event:
//   (1) the clock moves on  (2) what is due for its own customer fires  (3) it is applied  (4) a few more due fire.
// Items are decoded a block ahead, of several messages if these are short, and the memory that they will touch is
// read ahead for the whole block; they are applied one by one. Each step puts out a bounded number of records; where
// the output could not hold the next one (or the checkpoint under way no more), the call returns MORE, the runtime takes what there is, and calls again.
import * as underWay from "./cause";
import { lookAhead } from "./ahead";
import { apply, applyInTime, rejectUnfit } from "./apply";
import { writeOut } from "./checkpoint";
import { beginMessage, decodeBlock } from "./decode/decode";
import { FIRED, NO_ROOM, fireNext, fireOwn, isAnyDue, isOwnDue, overdue as overdueUntil } from "./fire";
import * as ITEM from "./item";
import { Item } from "./item";
import * as judged from "./judge";
import { INPUT, ITEMS, ITEMS_MAX, ITEM_BYTES, OUTPUT } from "./layout";
import { DEAD_BYTES_MAX, beginDead, clearOutput, deadBytesAt, endDead, hasRoom, outputUsed } from "./output";
import { CLOCK_BROKER, S, countDead, countEvent } from "./status";
import { nextArmed } from "./timers";
import { nextExpiry } from "./parked";

export { beginMessage, decodeBlock };
export * from "./adopt";
export * from "./border";
export { DIFFERENCE_BYTES, audit, auditBytes, auditRows } from "./audit";
export {
  beginCheckpoint,
  checkpointBytes,
  endCheckpoint,
  writeCheckpoint,
} from "./checkpoint";
export { OUTLOOK_BYTES, outlookBytesWritten, writeOutlooks } from "./outlook";
export {
  CAUSES_AT,
  CHANNELS_AT,
  ENCODED_AT,
  FIXED_AT,
  FRAGMENTS_AT,
  FRAGMENTS_BYTES,
  FRAGMENTS_EACH,
  INDEX_AT,
  INDEX_BYTES,
  NEXTS_AT,
  TEMPLATE_NUMBER_AT,
  claimTemplate,
  encode,
  resetEncoder,
} from "./encode";
export { CANCEL } from "./log";
export {
  ORDER_RECORD_BYTES,
  PAST_RECORD_BYTES,
  WAITING_RECORD_BYTES,
  customerNumber,
  historyBytes,
  writeOrders,
  writePast,
  writeWaiting,
} from "./history";
export {
  CHANNEL_MAP,
  clearMarks,
  closeCheckpoint,
  customersRestored,
  endRestore,
  mark,
  openCheckpoint,
  restore,
  resumeAt,
  resumeCounts,
  sumMarks,
} from "./restore";
export { scan } from "./scan";

/** What `run` and `tick` return. */
export const DONE: i32 = 0;
export const MORE: i32 = 1; // take the output and call again
export const FULL: i32 = 2; // a region is full; nothing of the event at hand was written

/** More due (instant, customer) pairs that an event fires. */
const FIRE_EVENT: u32 = 8;

const HEADER_BYTES: usize = 24;

// Where the run stands within an event. Between events it is OPEN.
const OPEN: u8 = 0;
const OWN: u8 = 1;
const UNFIT: u8 = 2;
const DUE: u8 = 3;
let stage: u8 = OPEN;
let item: u32 = 0; // in the block
let items: u32 = 0; // of the block
let fires: u32 = 0; // left of this event or tick

// The message that is being decoded, ahead of the events that are applied.
let next: usize = 0; // header of the one behind it
let header: usize = 0;
let place: u32 = 0; // of its next item
let isOpen: bool = false;

@inline function itemAt(number: u32): Item {
  return changetype<Item>(ITEMS + <usize>number * ITEM_BYTES);
}

/** Goes on with the messages that the runtime has written at `from`, an offset from INPUT. All before are done. */
export function begin(from: u32): void {
  next = INPUT + from;
  isOpen = false;
  item = 0;
  items = 0;
  stage = OPEN;
}

/** Takes the messages up to `end`, an offset from INPUT. DONE, MORE or FULL. */
export function run(end: u32): i32 {
  clearOutput();
  while (true) {
    const status = applyBlock();
    if (status != DONE) return status;
    decodeNext(INPUT + end);
    if (items == 0) return DONE;
    startBlock(items);
  }
}

/** Begins with the `count` items that lie in ITEMS. */
export function startBlock(count: u32): void {
  item = 0;
  items = count;
  lookAhead(count);
}

/** Fills a block with the items that come next: the last of one message and the first of the one behind it, too. */
function decodeNext(end: usize): void {
  items = 0;
  while (items < ITEMS_MAX) {
    if (!isOpen) {
      if (next >= end) return;
      header = next;
      place = 0;
      const count = openBody();
      isOpen = count > 0;
      if (!isOpen) {
        const none = itemAt(items++);
        none.header = header;
        none.place = 0;
        none.verdict = count < 0 ? ITEM.UNREADABLE : ITEM.EMPTY;
        continue;
      }
    }
    const count = decodeBlock(items, ITEMS_MAX - items);
    if (count == 0) isOpen = false;
    for (const behind = items + count; items < behind; items++) {
      itemAt(items).header = header;
      itemAt(items).place = place++;
    }
  }
}

@inline function bodyOf(at: usize): usize {
  return at + HEADER_BYTES + load<u16>(at, 4);
}

/** Begins to decode the message; how many items it has, -1 where it can't be read. */
function openBody(): i32 {
  const length = load<u32>(header);
  const body = bodyOf(header);
  next = (body + length + 7) & ~7;
  return beginMessage(body, length, load<u8>(header, 6));
}

/** Applies the items of the block. DONE, MORE or FULL. */
export function applyBlock(): i32 {
  if (stage != OPEN) {
    const status = finishEvent(stage);
    if (status != DONE) return status;
  }
  while (item != items) {
    const opened = itemAt(item);
    if (opened.verdict >= ITEM.UNREADABLE) {
      if (!hasRoom()) return MORE;
      closeUnread(opened);
    } else {
      if (opened.place == 0) openMessage(opened.header);
      if (applyInTime(opened)) {
        item++;
        fires = FIRE_EVENT;
        stage = DUE;
      } else {
        if (!judgeItem(opened)) return FULL;
        stage = OWN;
      }
    }
    const status = finishEvent(stage);
    if (status != DONE) return status;
  }
  return DONE;
}

/** Goes on with the event from stage `from` on. DONE or MORE. */
@inline function finishEvent(from: u8): i32 {
  switch (from) {
    case OWN:
      if (S.saving != 0 && !writeOut(judged.customer)) return MORE;
      if (!fireAllOwn()) return MORE;
    case UNFIT:
      stage = UNFIT;
      do {
        if (!hasRoom()) return MORE;
      } while (rejectUnfit(itemAt(item)));
      applyItem(itemAt(item++));
      fires = FIRE_EVENT;
    case DUE:
      stage = DUE;
      if (!fireMore()) return MORE;
    default:
      stage = OPEN;
      return DONE;
  }
}

/** Fires what is due for the event's own customer. False where the output had no room for more. */
@inline function fireAllOwn(): bool {
  if (judged.customer == 0 || !isOwnDue(judged.customer, S.clock)) return true;
  do {
    if (!hasRoom()) return false;
  } while (fireOwn(judged.customer, S.clock));
  return true;
}

/** Fires what an event or tick may fire. False where the output had no room for more. */
@inline function fireMore(): bool {
  while (fires != 0 && isAnyDue(S.clock)) {
    if (!hasRoom()) return false;
    const status = fireNext(S.clock);
    if (status == NO_ROOM) return false;
    if (status != FIRED) break;
    fires--;
  }
  return true;
}

function openMessage(at: usize): void {
  const subjectLength: u32 = load<u16>(at, 4);
  const stamp = <i64>load<f64>(at, 16);
  underWay.openMessage(load<f64>(at, 8), load<u8>(at, 7) != 0, at + HEADER_BYTES, subjectLength);
  if (S.clockKind == CLOCK_BROKER && stamp > S.clock) S.clock = stamp;
  S.messages++;
}

/** A message without an item; one that can't be read is dead-lettered, and fires like an event. */
function closeUnread(none: Item): void {
  item++;
  openMessage(none.header);
  if (none.verdict == ITEM.EMPTY) return;
  letterDead(ITEM.UNDECODABLE, 0, bodyOf(none.header), load<u32>(none.header), 0, 0);
  fires = FIRE_EVENT;
  stage = DUE;
}

function letterDead(reason: u8, index: u32, bytes: usize, length: u32, customer: usize, customerLength: u32): void {
  const kept = min(length, DEAD_BYTES_MAX);
  const record = beginDead(
    reason,
    underWay.sequence,
    index,
    S.clock,
    length,
    customer,
    customerLength,
    underWay.subject,
    underWay.subjectLength,
  );
  memory.copy(deadBytesAt(record), bytes, kept);
  endDead(record, kept);
  countDead(reason);
}

/** Judges the item and moves the clock. False where the partition is full. */
function judgeItem(next: Item): bool {
  if (next.verdict == ITEM.FINE && !judged.hasCapacity(next, underWay.subjectLength)) return false;
  underWay.openEvent(next, next.place);
  const now = judged.clockWith(next);
  judged.judge(next, now);
  if (judged.reason == judged.NO_REASON && now > S.clock) S.clock = now;
  return true;
}

function applyItem(done: Item): void {
  countEvent(done.kind, judged.outcome);
  if (judged.reason != judged.NO_REASON)
    letterDead(judged.reason, done.place, done.start, done.length, done.customer, done.customerLength);
  else apply(done);
  underWay.closeEvent();
}

/**
 * Begins a tick stamped (clock event: timed) `instant`: the clock moves on, and `tick` fires up to `most` (instant,
 * customer) pairs that are due. `sequence` is its input position.
 */
export function beginTick(instant: f64, sequence: f64, most: u32): void {
  underWay.openMessage(sequence, false, 0, 0);
  if (<i64>instant > S.clock) S.clock = <i64>instant;
  S.messages++;
  S.ticks++;
  fires = most;
}

/** Fires what the tick may fire. DONE or MORE. */
export function tick(): i32 {
  clearOutput();
  return fireMore() ? DONE : MORE;
}

/** Lets `tick` fire all that is due, as before a change of models or at the end of the input. */
export function fireAll(): void {
  fires = u32.MAX_VALUE;
}

/** Counts a message that the runtime handled itself, moves the clock by its stamp, and fires like an event. */
export function beginControl(stamp: f64, sequence: f64): void {
  beginTick(S.clockKind == CLOCK_BROKER ? stamp : 0, sequence, FIRE_EVENT);
  S.ticks--;
}

/**
 * Dead-letters a whole message of `length` bytes, whose first `kept` lie at INPUT behind its subject. Called after
 * `beginControl`; the output is then read like that of `run`.
 */
export function rejectMessage(reason: u32, subjectLength: u32, kept: u32, length: u32): void {
  clearOutput();
  const record = beginDead(<u8>reason, underWay.sequence, 0, S.clock, length, 0, 0, INPUT, subjectLength);
  memory.copy(deadBytesAt(record), INPUT + subjectLength, kept);
  endDead(record, kept);
  countDead(<u8>reason);
}

/** Bytes of records behind OUTPUT. */
export function outputBytes(): u32 {
  return outputUsed();
}

/** T, ms. */
export function clock(): f64 {
  return <f64>S.clock;
}

/** The oldest instant not yet fired, 0 where all rows are exact at T. */
export function overdue(): f64 {
  const instant = overdueUntil(S.clock);
  return instant > S.clock ? 0 : <f64>instant;
}

/** No row changes by time alone before this instant; 0 for never. */
export function nextDue(): f64 {
  const armed = nextArmed();
  const expiry = nextExpiry();
  const instant = armed < expiry ? armed : expiry;
  return instant == 0xffff_ffff_ffff ? 0 : <f64>instant;
}
