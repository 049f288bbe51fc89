// Messages in: a message is checked to its end before its first item is read, so that one that can't be read
// is refused whole. Items are then read in blocks, which the engine works on pass by pass.
import { Item } from "../item";
import { ITEM_BYTES, ITEMS, ITEMS_MAX, SCRATCH, SCRATCH_BYTES, SOURCE_BYTES, SOURCES } from "../layout";
import { writeFields, writeNoFields } from "./fields";
import { forgetAll } from "./found";
import { checkJson, COMMA, OPEN_LIST, OPEN_MAP, pastSpace } from "./json";
import { readJsonItem } from "./jsonitem";
import { checkMsgpack, headLength, KIND_LIST, KIND_MAP, kindOf } from "./msgpack";
import { readMsgpackItem } from "./msgpackitem";
import { rootOf, Table } from "./table";

// The message under way.
let table: Table = changetype<Table>(SOURCES);
let isMsgpack: bool = false;
let next: usize = 0; // its next item
let end: usize = 0;
let left: u32 = 0; // items not yet read

/** Is it MessagePack? A map or a list begins with a byte that no JSON text begins with. */
function isMsgpackHead(first: u32): bool {
  const kind = kindOf(first);
  return kind == KIND_MAP || kind == KIND_LIST;
}

/**
 * Begins with the message of `length` bytes at `start`, of source number `source`, and checks it to its end.
 * Returns its number of items (1 for a message that is no list), or -1 where it can't be read: its format is
 * broken, it is cut off or longer than its value, its texts are not UTF-8, or it nests too deep.
 */
export function beginMessage(start: usize, length: u32, source: u32): i32 {
  left = 0;
  if (length == 0) return -1;
  table = changetype<Table>(SOURCES + <usize>source * SOURCE_BYTES);
  end = start + length;
  const first = <u32>load<u8>(start);
  isMsgpack = isMsgpackHead(first);
  const items = isMsgpack ? checkMsgpack(start, end) : checkJson(start, end);
  if (items <= 0) return items;
  left = <u32>items;
  if (isMsgpack) {
    next = kindOf(first) == KIND_LIST ? start + 1 + headLength(first) : start;
  } else {
    next = pastSpace(start, end);
    if (<u32>load<u8>(next) == OPEN_LIST) next = pastSpace(next + 1, end);
  }
  return items;
}

/** Reads up to `max` (at most ITEMS_MAX) of the items that are left into ITEMS; returns how many, 0 at the end. */
export function decodeBlock(max: u32): u32 {
  const count = min(min(max, ITEMS_MAX), left);
  const root = rootOf(table);
  for (let n: u32 = 0; n < count; n++) {
    const item = changetype<Item>(ITEMS + <usize>n * ITEM_BYTES);
    item.start = next;
    const isMap = isMsgpack ? kindOf(load<u8>(next)) == KIND_MAP : <u32>load<u8>(next) == OPEN_MAP;
    forgetAll();
    const behind = isMsgpack ? readMsgpackItem(table, root, next, end) : readJsonItem(table, root, next, end);
    item.length = <u32>(behind - next);
    if (isMap) writeFields(item, table, SCRATCH + <usize>n * SCRATCH_BYTES);
    else writeNoFields(item, table);
    next = isMsgpack ? behind : pastComma(behind);
  }
  left -= count;
  return count;
}

/** Position of the item behind the comma, where there is one. */
function pastComma(p: usize): usize {
  p = pastSpace(p, end);
  return p < end && <u32>load<u8>(p) == COMMA ? pastSpace(p + 1, end) : p;
}
