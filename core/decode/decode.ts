// Messages in. A message is checked to its end before its first item is given out, so that one that can't be
// read is refused whole; what is found on the way is kept. Items are given out in blocks, which the engine works
// on pass by pass.
import { Item } from "../item";
import { FOUND_MAX, ITEM_BYTES, ITEMS, ITEMS_MAX, SCRATCH, SCRATCH_BYTES, SOURCE_BYTES, SOURCES } from "../layout";
import { writeFields, writeNoFields } from "./fields";
import { findingsOf } from "./found";
import { CLOSE_LIST, COMMA, OPEN_LIST, OPEN_MAP, pastSpace } from "./json";
import { followJsonItem, readJsonItem } from "./jsonitem";
import { headLength, KIND_LIST, KIND_MAP, kindOf, sizeOf } from "./msgpack";
import { followMsgpackItem, readMsgpackItem } from "./msgpackitem";
import { AHEAD, firstStep, Step } from "./shape";
import { Table } from "./table";

// The message under way.
let table: Table = changetype<Table>(SOURCES);
let first: Step = changetype<Step>(0); // of its items
let isMsgpack: bool = false;
let end: usize = 0;
let items: u32 = 0; // of it
let given: u32 = 0; // of these given out
let unread: usize = 0; // where the next item without findings begins

/**
 * Begins with the message of `length` bytes at `start`, of source number `source`, and checks it to its end.
 * Returns its number of items (1 for a message that is no list), or -1 where it can't be read: its format is
 * broken, it is cut off or longer than its value, its texts are not UTF-8, or it nests too deep.
 */
export function beginMessage(start: usize, length: u32, source: u32): i32 {
  table = changetype<Table>(SOURCES + <usize>source * SOURCE_BYTES);
  end = start + length;
  items = 0;
  given = 0;
  if (length == 0) return -1;
  // A MessagePack map or list begins with a byte that no JSON text begins with.
  const kind = kindOf(load<u8>(start));
  isMsgpack = kind == KIND_MAP || kind == KIND_LIST;
  first = firstStep(source, isMsgpack);
  const count = isMsgpack ? readMsgpack(start, kind) : readJson(start);
  items = <u32>max(count, 0);
  return count;
}

/** Checks a message in MessagePack and returns its number of items, -1 where it can't be read. */
function readMsgpack(p: usize, kind: u32): i32 {
  if (kind == KIND_MAP) return findMsgpack(0, p) == end ? 1 : -1;
  const first = <u32>load<u8>(p);
  const body = p + 1 + headLength(first);
  if (body > end) return -1;
  const count = sizeOf(p, first, kind);
  if (count > <u64>(end - body)) return -1; // an item takes at least a byte
  p = body;
  for (let item: u32 = 0; item < <u32>count; item++) {
    if (item == FOUND_MAX) unread = p;
    p = findMsgpack(item, p);
    if (p == 0) return -1;
  }
  return p == end ? <i32>count : -1;
}

/** The same of one in JSON. */
function readJson(p: usize): i32 {
  p = pastSpace(p, end);
  if (p == end) return -1;
  if (<u32>load<u8>(p) != OPEN_LIST) {
    p = findJson(0, p);
    return p != 0 && pastSpace(p, end) == end ? 1 : -1;
  }
  p = pastSpace(p + 1, end);
  if (p < end && <u32>load<u8>(p) == CLOSE_LIST) return pastSpace(p + 1, end) == end ? 0 : -1;
  let item: u32 = 0;
  let separator: u32 = COMMA;
  while (separator == COMMA) {
    if (item == FOUND_MAX) unread = p;
    p = findJson(item++, p);
    if (p == 0) return -1;
    p = pastSpace(p, end);
    if (p == end) return -1;
    separator = load<u8>(p);
    p = pastSpace(p + 1, end);
  }
  return separator == CLOSE_LIST && p == end ? <i32>item : -1;
}

/** Finds the values of item number `item`, at `p`; position behind it, 0 where it is wrong. */
function findMsgpack(item: u32, p: usize): usize {
  if (p >= end) return 0;
  const findings = findingsOf(item);
  findings.start = p;
  findings.isMap = <u32>(kindOf(load<u8>(p)) == KIND_MAP);
  let behind = followMsgpackItem(findings, first, p, end, farEnd());
  if (behind == 0) behind = readMsgpackItem(table, findings, first, p, end);
  findings.length = <u32>(behind - p);
  return behind;
}

function findJson(item: u32, p: usize): usize {
  if (p >= end) return 0;
  const findings = findingsOf(item);
  findings.start = p;
  findings.isMap = <u32>(<u32>load<u8>(p) == OPEN_MAP);
  let behind = followJsonItem(findings, first, p, end, farEnd());
  if (behind == 0) behind = readJsonItem(table, findings, first, p, end);
  findings.length = <u32>(behind - p);
  return behind;
}

/** Near the memory's end items are not followed: steps are compared by more bytes than they have. */
@inline function farEnd(): usize {
  return (<usize>memory.size() << 16) - AHEAD;
}

/** Gives out up to `max` of the items that are left, in the places of ITEMS from `from` on; returns how many, 0 at the end. */
export function decodeBlock(from: u32, max: u32): u32 {
  const count = min(min(max, ITEMS_MAX - from), items - given);
  for (let n: u32 = 0; n < count; n++) {
    if (given >= FOUND_MAX) findAgain();
    giveOut(given++, from + n);
  }
  return count;
}

/** Finds the values of the next item without findings once more. */
function findAgain(): void {
  if (isMsgpack) unread = findMsgpack(given, unread);
  else unread = pastSpace(pastSpace(findJson(given, unread), end) + 1, end); // over the comma or bracket
}

function giveOut(number: u32, place: u32): void {
  const findings = findingsOf(number);
  const item = changetype<Item>(ITEMS + <usize>place * ITEM_BYTES);
  item.start = findings.start;
  item.length = findings.length;
  if (findings.isMap) writeFields(item, table, findings, SCRATCH + <usize>place * SCRATCH_BYTES);
  else writeNoFields(item, table);
}
