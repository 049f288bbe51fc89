// MessagePack: finds the mapped values of one item. The message was checked before, so nothing is judged here.
import { headWord } from "./scan";
import { FALSE, FLOAT, INTEGER, OTHER, TEXT, TRUE, UNSIGNED, forget, placeOf } from "./found";
import {
  bigEndian,
  headLength,
  KIND_FALSE,
  KIND_FLOAT,
  KIND_INTEGER,
  KIND_LIST,
  KIND_MAP,
  KIND_NIL,
  KIND_TEXT,
  KIND_TRUE,
  kindOf,
  sizeOf,
} from "./msgpack";
import { childOf, Entry, entryAfter, findEntry, firstEntry, Table } from "./table";

/** Position behind the item at `p`; its mapped values are found. */
export function readMsgpackItem(table: Table, node: usize, p: usize, end: usize): usize {
  const first = <u32>load<u8>(p);
  return kindOf(first) == KIND_MAP ? readMap(table, node, p, end) : valuesEnd(p, 1);
}

/** Reads the map at `p`. */
function readMap(table: Table, node: usize, p: usize, end: usize): usize {
  let next = firstEntry(node);
  const first = <u32>load<u8>(p);
  let pairs = sizeOf(p, first, KIND_MAP);
  p += 1 + headLength(first);
  for (; pairs > 0; pairs--) {
    const head = <u32>load<u8>(p);
    let found: usize = 0;
    if (kindOf(head) == KIND_TEXT) {
      const key = p + 1 + headLength(head);
      const length = <u32>sizeOf(p, head, KIND_TEXT);
      found = findEntry(table, node, next, headWord(key, length, end), key, length);
      p = key + length;
    } else {
      p = valuesEnd(p, 1); // no path has a key that is no text
    }
    if (found) {
      p = readValue(table, changetype<Entry>(found), p, end);
      next = entryAfter(node, found);
    } else {
      p = valuesEnd(p, 1);
    }
  }
  return p;
}

/** Keeps the value at `p` that a mapped key leads to, and goes on into a map that paths lead through. */
function readValue(table: Table, entry: Entry, p: usize, end: usize): usize {
  forget(entry.beneath);
  const first = <u32>load<u8>(p);
  const kind = kindOf(first);
  if (kind == KIND_MAP && entry.child) {
    if (entry.bit) placeOf(entry.slot).type = OTHER;
    return readMap(table, childOf(table, entry), p, end);
  }
  if (entry.bit == 0 || kind == KIND_NIL) return valuesEnd(p, 1);
  const found = placeOf(entry.slot);
  const body = p + 1 + headLength(first);
  if (kind == KIND_TEXT) {
    found.type = TEXT;
    found.text = body;
    found.length = <u32>sizeOf(p, first, kind);
    return body + found.length;
  }
  if (kind == KIND_INTEGER) {
    found.bits = integerAt(p, first);
    found.type = first == 0xcf && <i64>found.bits < 0 ? UNSIGNED : INTEGER;
    return body;
  }
  if (kind == KIND_FLOAT) {
    found.type = FLOAT;
    const bits = bigEndian(p + 1, headLength(first));
    found.bits = first == 0xcb ? bits : reinterpret<u64>(<f64>reinterpret<f32>(<u32>bits));
    return body;
  }
  found.type = kind == KIND_TRUE ? TRUE : kind == KIND_FALSE ? FALSE : OTHER;
  return valuesEnd(p, 1);
}

/** The integer at `p` in 64 bits, its sign extended. */
function integerAt(p: usize, first: u32): u64 {
  if (first < 0x80) return first;
  if (first >= 0xe0) return <u64>(<i64>(<i8>first));
  if (first == 0xd0) return <u64>(<i64>load<i8>(p, 1));
  const bytes = headLength(first);
  const value = bigEndian(p + 1, bytes);
  if (first == 0xd1) return <u64>(<i64>(<i16>value));
  if (first == 0xd2) return <u64>(<i64>(<i32>value));
  return value;
}

/** Position behind `open` values from `p` on. */
function valuesEnd(p: usize, open: u64): usize {
  for (; open > 0; open--) {
    const first = <u32>load<u8>(p);
    const kind = kindOf(first);
    const size = sizeOf(p, first, kind);
    p += 1 + headLength(first);
    if (kind == KIND_MAP) open += size << 1;
    else if (kind == KIND_LIST) open += size;
    else p += <usize>size;
  }
  return p;
}
