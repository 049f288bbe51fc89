// MessagePack: reads one item, checking all of it and finding its mapped values on the way.
import { headWord } from "./scan";
import { FALSE, FLOAT, forget, INTEGER, OTHER, placeOf, TEXT, TRUE, UNSIGNED } from "./found";
import { DEPTH_MAX } from "./json";
import {
  bigEndian,
  checkText,
  checkValue,
  headLength,
  KIND_FALSE,
  KIND_FLOAT,
  KIND_INTEGER,
  KIND_MAP,
  KIND_NIL,
  KIND_TEXT,
  KIND_TRUE,
  kindOf,
  sizeOf,
} from "./msgpack";
import { childOf, Entry, entryAfter, findEntry, firstEntry, isKey, rootOf, Table } from "./table";

/** Position behind the item at `p`, 0 where it is wrong. Its values below a field, or below itself where it is no map, may nest DEPTH_MAX deep. */
export function readMsgpackItem(table: Table, p: usize, end: usize): usize {
  if (p < end && kindOf(load<u8>(p)) == KIND_MAP) return readMap(table, rootOf(table), p, end, DEPTH_MAX);
  return checkValue(p, end, DEPTH_MAX);
}

/** Reads the map at `p`. */
function readMap(table: Table, node: usize, p: usize, end: usize, depth: i32): usize {
  let next = firstEntry(node);
  const first = <u32>load<u8>(p);
  const body = p + 1 + headLength(first);
  if (body > end) return 0;
  let pairs = sizeOf(p, first, KIND_MAP);
  if (pairs > <u64>(end - body)) return 0;
  p = body;
  for (; pairs > 0; pairs--) {
    const key = p;
    let found = next;
    if (isNext(table, next, key, end)) {
      p = key + 1 + changetype<Entry>(next).length;
    } else {
      p = checkValue(p, end, depth);
      if (p == 0) return 0;
      found = findKey(table, node, next, key, p, end);
    }
    if (found) {
      p = readValue(table, changetype<Entry>(found), p, end, depth);
      next = entryAfter(node, found);
    } else {
      p = checkValue(p, end, depth);
    }
    if (p == 0) return 0;
  }
  return p;
}

/** Does the key of the entry stand at `p`, as a short text? Longer ones, and the message's last, are looked for another way. */
@inline function isNext(table: Table, at: usize, p: usize, end: usize): bool {
  if (end - p < 1 + SHORT_MAX + 8) return false;
  const first = <u32>load<u8>(p);
  return (first & 0xe0) == 0xa0 && isKey(table, at, p + 1, first & 0x1f);
}

/** Longest text whose size is in its first byte. */
const SHORT_MAX: usize = 31;

/** The node's entry for the checked key from `from` to `to`, 0 where there is none: no path has a key that is no text. */
@inline function findKey(table: Table, node: usize, first: usize, from: usize, to: usize, end: usize): usize {
  const head = <u32>load<u8>(from);
  if (kindOf(head) != KIND_TEXT) return 0;
  const text = from + 1 + headLength(head);
  const length = <u32>(to - text);
  return findEntry(table, node, first, headWord(text, length, end), text, length);
}

/** Keeps the value at `p` that a mapped key leads to, or goes on into a map that paths lead through. */
function readValue(table: Table, entry: Entry, p: usize, end: usize, depth: i32): usize {
  forget(entry.beneath);
  if (p >= end) return 0;
  const first = <u32>load<u8>(p);
  if (entry.bit == 0 || entry.child) return readBranch(table, entry, p, end, depth);
  if (first < 0x80 || first >= 0xe0) {
    keep(entry, INTEGER, <u64>(<i64>(<i8>first)));
    return p + 1;
  }
  if ((first & 0xe0) == 0xa0) {
    const behind = checkText(p + 1, first & 0x1f, end);
    if (behind) keepText(entry, p + 1, behind);
    return behind;
  }
  return readLeaf(entry, p, end, first, depth);
}

@inline function keep(entry: Entry, type: u32, bits: u64): void {
  const found = placeOf(entry.slot);
  found.type = type;
  found.bits = bits;
}

@inline function keepText(entry: Entry, from: usize, to: usize): void {
  const found = placeOf(entry.slot);
  found.type = TEXT;
  found.bits = from;
  found.length = <u32>(to - from);
}

/** Reads the value of a key that paths lead through. */
function readBranch(table: Table, entry: Entry, p: usize, end: usize, depth: i32): usize {
  const first = <u32>load<u8>(p);
  if (kindOf(first) == KIND_MAP && entry.child) {
    if (entry.bit) keep(entry, OTHER, 0);
    return readMap(table, childOf(table, entry), p, end, depth - 1);
  }
  return entry.bit ? readLeaf(entry, p, end, first, depth) : checkValue(p, end, depth);
}

/** Reads a value that a path ends at. */
function readLeaf(entry: Entry, p: usize, end: usize, first: u32, depth: i32): usize {
  const behind = checkValue(p, end, depth);
  if (behind == 0) return 0;
  const kind = kindOf(first);
  if (kind == KIND_INTEGER) {
    const value = integerAt(p, first);
    keep(entry, first == 0xcf && <i64>value < 0 ? UNSIGNED : INTEGER, value);
  } else if (kind == KIND_TEXT) {
    keepText(entry, p + 1 + headLength(first), behind);
  } else if (kind == KIND_FLOAT) {
    const bits = bigEndian(p + 1, headLength(first));
    keep(entry, FLOAT, first == 0xcb ? bits : reinterpret<u64>(<f64>reinterpret<f32>(<u32>bits)));
  } else if (kind != KIND_NIL) {
    keep(entry, kind == KIND_TRUE ? TRUE : kind == KIND_FALSE ? FALSE : OTHER, 0);
  }
  return behind;
}

/** The integer at `p` in 64 bits, its sign extended. */
function integerAt(p: usize, first: u32): u64 {
  if (first < 0x80 || first >= 0xe0) return <u64>(<i64>(<i8>first));
  const value = bigEndian(p + 1, headLength(first));
  if (first == 0xd0) return <u64>(<i64>(<i8>value));
  if (first == 0xd1) return <u64>(<i64>(<i16>value));
  if (first == 0xd2) return <u64>(<i64>(<i32>value));
  return value;
}
