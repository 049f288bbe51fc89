// The kernel's border: what the runtime calls. Messages lie in the input region, each behind its header:
//
//   0  u32 length of the body     8  f64 sequence     24  subject, body, padding to 8
//   4  u16 length of the subject  16 f64 stamp (ms)
//   6  u8  source
//   7  u8  1: silent
//
// `run` takes them one after the other, item by item, in the steps of an event:
//   (1) the clock moves on  (2) what is due for its own customer fires  (3) it is applied  (4) a few more due fire.
// Each step puts out a bounded number of records; where the output could not hold the next one, the call returns
// MORE, the runtime takes what there is, and calls again.
import * as underWay from "./cause";
import { apply, rejectUnfit } from "./apply";
import { beginMessage, decodeBlock } from "./decode/decode";
import { fireNext, fireOwn, overdue as overdueUntil } from "./fire";
import * as ITEM from "./item";
import { Item } from "./item";
import * as judged from "./judge";
import { INPUT, ITEMS, ITEMS_MAX, ITEM_BYTES, OUTPUT } from "./layout";
import { DEAD_BYTES_MAX, beginDead, clearOutput, deadBytesAt, endDead, hasRoom, outputUsed } from "./output";
import { CLOCK_BROKER, CLOCK_EVENT, S, TESTED, countDead, countEvent } from "./status";
import { nextArmed } from "./timers";
import { nextExpiry } from "./parked";

export { beginMessage, decodeBlock };
export * from "./adopt";
export * from "./border";

/** What `run` and `tick` return. */
export const DONE: i32 = 0;
export const MORE: i32 = 1; // take the output and call again
export const FULL: i32 = 2; // a region is full; nothing of the event at hand was written

/** More due (instant, customer) pairs that an event fires, and a tick. */
const FIRE_EVENT: u32 = 8;
const FIRE_TICK: u32 = 1024;

const HEADER_BYTES: usize = 24;

// Where the run stands. Between messages it is BETWEEN, and nothing here matters.
const BETWEEN: u8 = 0;
const UNREADABLE: u8 = 1; // a message that can't be read is to be dead-lettered
const NEXT_ITEM: u8 = 2;
const JUDGE: u8 = 3;
const OWN: u8 = 4;
const UNFIT: u8 = 5;
const APPLY: u8 = 6;
const DUE: u8 = 7;
let stage: u8 = BETWEEN;
let at: usize = 0; // header of the next message
let body: usize = 0;
let bodyLength: u32 = 0;
let item: u32 = 0; // in the block
let items: u32 = 0; // of the block
let place: u32 = 0; // in the message
let fires: u32 = 0; // left of this event or tick

@inline function itemAt(number: u32): Item {
  return changetype<Item>(ITEMS + <usize>number * ITEM_BYTES);
}

/** Starts over with the messages that the runtime has written behind INPUT. */
export function begin(): void {
  at = INPUT;
  stage = BETWEEN;
}

/** Takes the messages up to `end`, an offset from INPUT. DONE, MORE or FULL. */
export function run(end: u32): i32 {
  clearOutput();
  while (true) {
    if (!hasRoom()) return MORE;
    switch (stage) {
      case BETWEEN:
        if (at >= INPUT + end) return DONE;
        openMessage();
        break;
      case UNREADABLE:
        dropMessage();
        break;
      case NEXT_ITEM:
        nextItem();
        break;
      case JUDGE:
        if (!judgeItem()) return FULL;
        break;
      case OWN:
        if (judged.customer == 0 || !fireOwn(judged.customer, S.clock)) stage = UNFIT;
        break;
      case UNFIT:
        if (!rejectUnfit(itemAt(item))) stage = APPLY;
        break;
      case APPLY:
        applyItem();
        break;
      default:
        fireMore();
    }
  }
}

function openMessage(): void {
  bodyLength = load<u32>(at);
  const subjectLength: u32 = load<u16>(at, 4);
  const source: u32 = load<u8>(at, 6);
  const silent = load<u8>(at, 7) != 0;
  const stamp = <i64>load<f64>(at, 16);
  underWay.openMessage(load<f64>(at, 8), silent, at + HEADER_BYTES, subjectLength);
  body = at + HEADER_BYTES + subjectLength;
  at = (body + bodyLength + 7) & ~7;
  if (S.clockKind == CLOCK_BROKER && stamp > S.clock) S.clock = stamp;
  S.messages++;
  place = 0;
  item = 0;
  items = 0;
  stage = beginMessage(body, bodyLength, source) < 0 ? UNREADABLE : NEXT_ITEM;
}

function dropMessage(): void {
  letterDead(ITEM.UNDECODABLE, 0, body, bodyLength, 0, 0);
  // It has no items any more: what is due fires as after an item, then comes the next message.
  bodyLength = 0;
  items = 0;
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

function nextItem(): void {
  if (item == items) {
    items = bodyLength == 0 ? 0 : decodeBlock(0, ITEMS_MAX);
    item = 0;
    if (items == 0) {
      stage = BETWEEN;
      return;
    }
  }
  stage = JUDGE;
}

/** Judges the item and moves the clock. False where the partition is full. */
function judgeItem(): bool {
  const next = itemAt(item);
  if (next.verdict == ITEM.FINE && !judged.hasCapacity(next, underWay.subjectLength)) return false;
  underWay.openEvent(next, place);
  const now = judged.clockWith(next);
  judged.judge(next, now);
  if (judged.reason == judged.NO_REASON && now > S.clock) S.clock = now;
  stage = OWN;
  return true;
}

function applyItem(): void {
  const done = itemAt(item);
  countEvent(done.kind, judged.outcome);
  if (judged.reason != judged.NO_REASON)
    letterDead(judged.reason, place, done.start, done.length, done.customer, done.customerLength);
  else apply(done);
  underWay.closeEvent();
  item++;
  place++;
  fires = FIRE_EVENT;
  stage = DUE;
}

function fireMore(): void {
  if (fires != 0 && fireNext(S.clock)) {
    fires--;
    return;
  }
  stage = NEXT_ITEM;
}

/**
 * Begins a tick stamped (clock event: timed) `instant`: the clock moves on, and `tick` fires what is due.
 * `sequence` is its input position.
 */
export function beginTick(instant: f64, sequence: f64): void {
  underWay.openMessage(sequence, false, 0, 0);
  if (<i64>instant > S.clock) S.clock = <i64>instant;
  S.messages++;
  S.ticks++;
  fires = FIRE_TICK;
}

/** Fires what the tick may fire. DONE or MORE. */
export function tick(): i32 {
  clearOutput();
  while (fires != 0) {
    if (!hasRoom()) return MORE;
    if (!fireNext(S.clock)) break;
    fires--;
  }
  return DONE;
}

/** Lets `tick` fire all that is due, as before a change of models or at the end of the input. */
export function fireAll(): void {
  fires = u32.MAX_VALUE;
}

/** Counts a message that the runtime handled itself, moves the clock by its stamp, and fires like an event. */
export function beginControl(stamp: f64, sequence: f64): void {
  beginTick(S.clockKind == CLOCK_BROKER ? stamp : 0, sequence);
  S.ticks--;
  fires = FIRE_EVENT;
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
