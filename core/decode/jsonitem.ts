// JSON: reads one item, checking all of it and finding its mapped values on the way.
import { headWord } from "./scan";
import { unescape } from "./escape";
import { ESCAPED, FALSE, forget, NUMBER, OTHER, placeOf, TEXT, TRUE } from "./found";
import {
  checkString,
  checkValue,
  CLOSE_MAP,
  COLON,
  COMMA,
  DEPTH_MAX,
  hasEscapes,
  OPEN_LIST,
  OPEN_MAP,
  pastSpace,
  QUOTE,
} from "./json";
import { childOf, Entry, entryAfter, findEntry, firstEntry, isKey, rootOf, Table } from "./table";

/** Keys with escapes are compared here; of longer ones than any mapped key the first bytes are enough. */
const KEY_MAX: u32 = 256;
const KEY: usize = memory.data(264, 8);

/** Position behind the item at `p`, 0 where it is wrong. Its values below a field, or below itself where it is no map, may nest DEPTH_MAX deep. */
export function readJsonItem(table: Table, p: usize, end: usize): usize {
  if (p < end && <u32>load<u8>(p) == OPEN_MAP) return readMap(table, rootOf(table), p + 1, end, DEPTH_MAX);
  return checkValue(p, end, DEPTH_MAX);
}

/** Reads a map from behind its brace on. */
function readMap(table: Table, node: usize, p: usize, end: usize, depth: i32): usize {
  let next = firstEntry(node);
  p = pastSpace(p, end);
  if (p < end && <u32>load<u8>(p) == CLOSE_MAP) return p + 1;
  while (true) {
    if (p >= end || <u32>load<u8>(p) != QUOTE) return 0;
    const key = p + 1;
    let found = next;
    if (isNext(table, next, key, end)) {
      p = key + changetype<Entry>(next).length + 1;
    } else {
      p = checkString(key, end);
      if (p == 0) return 0;
      found = findKey(table, node, next, key, p - 1, end);
    }
    p = pastSpace(p, end);
    if (p >= end || <u32>load<u8>(p) != COLON) return 0;
    p = pastSpace(p + 1, end);
    if (found) {
      p = readValue(table, changetype<Entry>(found), p, end, depth);
      next = entryAfter(node, found);
    } else {
      p = checkValue(p, end, depth);
    }
    if (p == 0) return 0;
    p = pastSpace(p, end);
    if (p >= end) return 0;
    const byte = <u32>load<u8>(p++);
    if (byte == CLOSE_MAP) return p;
    if (byte != COMMA) return 0;
    p = pastSpace(p, end);
  }
}

/** Does the key of the entry, and a quote, stand at `key`? A key that needs escapes is looked for another way. */
@inline function isNext(table: Table, at: usize, key: usize, end: usize): bool {
  const entry = changetype<Entry>(at);
  const length = entry.length;
  if (!entry.isPlain || end - key < <usize>length + 8 || <u32>load<u8>(key + length) != QUOTE) return false;
  return isKey(table, at, key, length);
}

/** The node's entry for the checked key from `from` to `to`, 0 where there is none. */
@inline function findKey(table: Table, node: usize, first: usize, from: usize, to: usize, end: usize): usize {
  if (hasEscapes) return findEscaped(table, node, first, from, to);
  const length = <u32>(to - from);
  return findEntry(table, node, first, headWord(from, length, end), from, length);
}

function findEscaped(table: Table, node: usize, first: usize, from: usize, to: usize): usize {
  const length = unescape(from, to, KEY, KEY_MAX);
  if (length > KEY_MAX) return 0;
  return findEntry(table, node, first, headWord(KEY, length, KEY + KEY_MAX), KEY, length);
}

/** Keeps the value at `p` that a mapped key leads to, or goes on into a map that paths lead through. */
function readValue(table: Table, entry: Entry, p: usize, end: usize, depth: i32): usize {
  forget(entry.beneath);
  if (p >= end) return 0;
  const byte = <u32>load<u8>(p);
  if (byte == OPEN_MAP && entry.child) {
    if (entry.bit) placeOf(entry.slot).type = OTHER;
    return readMap(table, childOf(table, entry), p + 1, end, depth - 1);
  }
  const behind = checkValue(p, end, depth);
  if (entry.bit == 0 || byte == 0x6e || behind == 0) return behind; // null is no value
  const found = placeOf(entry.slot);
  if (byte == QUOTE) {
    found.type = hasEscapes ? ESCAPED : TEXT;
    found.bits = p + 1;
    found.length = <u32>(behind - p) - 2;
  } else if (byte == OPEN_MAP || byte == OPEN_LIST) {
    found.type = OTHER;
  } else if (byte == 0x74 || byte == 0x66) {
    found.type = byte == 0x74 ? TRUE : FALSE;
  } else {
    found.type = NUMBER;
    found.bits = p;
    found.length = <u32>(behind - p);
  }
  return behind;
}
