// Messages in. A message is checked to its end before its first item is given out, so that one that can't be
// read is refused whole; what is found on the way is kept. Items are given out in blocks, which the engine works
// on pass by pass.
import { Item } from "../item";
import { FOUND_MAX, ITEM_BYTES, ITEMS, ITEMS_MAX, SCRATCH, SCRATCH_BYTES, SOURCE_BYTES, SOURCES } from "../layout";
import { writeFields, writeNoFields } from "./fields";
import { Findings, findingsOf } from "./found";
import { CLOSE_LIST, COMMA, OPEN_LIST, OPEN_MAP, pastSpace } from "./json";
import { readJsonItem } from "./jsonitem";
import { headLength, KIND_LIST, KIND_MAP, kindOf, sizeOf } from "./msgpack";
import { readMsgpackItem } from "./msgpackitem";
import { Table } from "./table";

// The message under way.
let table: Table = changetype<Table>(SOURCES);
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
  if (!(isMsgpack ? readMsgpack(start, kind) : readJson(start))) {
    items = 0;
    return -1;
  }
  return <i32>items;
}

function readMsgpack(p: usize, kind: u32): bool {
  if (kind == KIND_MAP) return readItem(p) == end;
  const first = <u32>load<u8>(p);
  const body = p + 1 + headLength(first);
  if (body > end) return false;
  const count = sizeOf(p, first, kind);
  if (count > <u64>(end - body)) return false; // an item takes at least a byte
  p = body;
  for (let left = count; left > 0; left--) {
    p = readItem(p);
    if (p == 0) return false;
  }
  return p == end;
}

function readJson(p: usize): bool {
  p = pastSpace(p, end);
  if (p == end) return false;
  if (<u32>load<u8>(p) != OPEN_LIST) {
    p = readItem(p);
    return p != 0 && pastSpace(p, end) == end;
  }
  p = pastSpace(p + 1, end);
  if (p < end && <u32>load<u8>(p) == CLOSE_LIST) return pastSpace(p + 1, end) == end;
  let separator: u32 = COMMA;
  while (separator == COMMA) {
    p = readItem(p);
    if (p == 0) return false;
    p = pastSpace(p, end);
    if (p == end) return false;
    separator = load<u8>(p);
    p = pastSpace(p + 1, end);
  }
  return separator == CLOSE_LIST && p == end;
}

/** Reads the next item, at `p`; position behind it, 0 where it is wrong. */
function readItem(p: usize): usize {
  if (items == FOUND_MAX) unread = p;
  return find(items++, p);
}

/** Finds the values of item number `item`, at `p`; position behind it, 0 where it is wrong. */
function find(item: u32, p: usize): usize {
  const findings = findingsOf(item);
  findings.start = p;
  findings.seen = 0;
  if (p >= end) return 0;
  const first = <u32>load<u8>(p);
  findings.isMap = <u32>(isMsgpack ? kindOf(first) == KIND_MAP : first == OPEN_MAP);
  const behind = isMsgpack ? readMsgpackItem(table, p, end) : readJsonItem(table, p, end);
  findings.length = <u32>(behind - p);
  return behind;
}

/** Gives out up to `max` of the items that are left, in the places of ITEMS from `from` on; returns how many, 0 at the end. */
export function decodeBlock(from: u32, max: u32): u32 {
  const count = min(min(max, ITEMS_MAX - from), items - given);
  for (let n: u32 = 0; n < count; n++) {
    if (given >= FOUND_MAX) findAgain();
    giveOut(findingsOf(given++), from + n);
  }
  return count;
}

/** Finds the values of the next item without findings once more. */
function findAgain(): void {
  const behind = find(given, unread);
  unread = isMsgpack ? behind : pastSpace(pastSpace(behind, end) + 1, end); // over the comma or bracket
}

function giveOut(findings: Findings, n: u32): void {
  const item = changetype<Item>(ITEMS + <usize>n * ITEM_BYTES);
  item.start = findings.start;
  item.length = findings.length;
  if (findings.isMap) writeFields(item, table, SCRATCH + <usize>n * SCRATCH_BYTES);
  else writeNoFields(item, table);
}
