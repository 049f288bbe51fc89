// MessagePack: reads one item, checking all of it and finding its mapped values on the way.
import { headWord } from "./scan";
import {
  ABSENT,
  FALSE,
  Findings,
  FLOAT,
  Found,
  foundIn,
  INTEGER,
  keepNumber,
  keepText,
  NO_PLACE,
  OTHER,
  placeOf,
  TEXT,
  TRUE,
  UNSIGNED,
} from "./found";
import { DEPTH_MAX } from "./json";
import {
  bigEndian,
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
import { beginLearning, isAt, learnEnd, learnMap, learnOther, learnValue, Step } from "./shape";
import { childOf, Entry, entryAfter, findEntry, firstEntry, isKey, rootOf, Table } from "./table";
import { isUtf8 } from "./utf8";

/** Position behind the item at `p`, 0 where no known steps lead through it. From `far` on too little can be read. */
export function followMsgpackItem(findings: Findings, first: Step, p: usize, end: usize, far: usize): usize {
  let seen: u32 = 0;
  let at = first.next;
  while (at != 0 && p < far) {
    const step = changetype<Step>(at);
    if (!isAt(step, p)) {
      at = step.other;
      continue;
    }
    at = step.next;
    p += step.length;
    if (step.isEnd) {
      findings.seen = seen;
      return p <= end ? p : 0;
    }
    const found = foundIn(findings, step.place);
    const byte = <u32>load<u8>(p);
    if (byte - 0xcc < 4) {
      const size: u64 = 1 << (byte & 3);
      const bits = bswap<u64>(load<u64>(p, 1)) >> (64 - (size << 3));
      keepNumber(found, <i64>bits < 0 ? UNSIGNED : INTEGER, bits);
      p += 1 + <usize>size;
    } else if ((byte & 0xe0) == 0xa0) {
      const from = p + 1;
      const size = byte & 0x1f;
      p = from + size;
      const others = <u32>i8x16.bitmask(v128.load(from)) | (<u32>i8x16.bitmask(v128.load(from, 16)) << 16);
      if (others & ((1 << size) - 1) && (p > end || !isUtf8(from, p, end))) return 0;
      keepText(found, TEXT, from, p);
    } else if (byte < 0x80 || byte >= 0xe0) {
      keepNumber(found, INTEGER, <u64>(<i64>(<i8>byte)));
      p++;
    } else {
      if (p >= end) return 0;
      p = readLeaf(found, p, end, step.depth);
      if (p == 0) return 0;
      if (found.type == ABSENT) continue;
    }
    seen |= step.bit;
  }
  return 0;
}

/** Position behind the item at `p`, 0 where it is wrong. Its values below a field, or below itself where it is no map, may nest DEPTH_MAX deep. */
export function readMsgpackItem(table: Table, findings: Findings, first: Step, p: usize, end: usize): usize {
  if (kindOf(load<u8>(p)) != KIND_MAP) return checkValue(p, end, DEPTH_MAX);
  beginLearning(first, p);
  findings.seen = 0;
  const behind = readMap(table, findings, rootOf(table), p, end, DEPTH_MAX);
  if (behind) learnEnd(behind);
  return behind;
}

/** Reads the map at `p`. */
function readMap(table: Table, findings: Findings, node: usize, p: usize, end: usize, depth: i32): usize {
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
    const value = p;
    if (found) {
      p = readValue(table, findings, changetype<Entry>(found), value, end, depth);
      next = entryAfter(node, found);
    } else {
      p = checkValue(value, end, depth);
      if (p) learnOther(value, p, depth);
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
function readValue(table: Table, findings: Findings, entry: Entry, p: usize, end: usize, depth: i32): usize {
  if (p >= end) return 0;
  findings.seen &= ~entry.beneath; // of repeated keys the last counts
  const found = foundIn(findings, entry.bit ? placeOf(entry.slot) : NO_PLACE);
  if (entry.child && kindOf(load<u8>(p)) == KIND_MAP) {
    learnMap(entry);
    found.type = OTHER;
    findings.seen |= entry.bit;
    return readMap(table, findings, childOf(table, entry), p, end, depth - 1);
  }
  const behind = readLeaf(found, p, end, depth);
  if (behind == 0) return 0;
  learnValue(entry, p, behind, depth);
  if (found.type != ABSENT) findings.seen |= entry.bit;
  return behind;
}

/** Reads the value at `p`, which no path leads into; position behind it, 0 where it is wrong. */
function readLeaf(found: Found, p: usize, end: usize, depth: i32): usize {
  const behind = checkValue(p, end, depth);
  if (behind == 0) return 0;
  const first = <u32>load<u8>(p);
  const kind = kindOf(first);
  if (kind == KIND_INTEGER) {
    const value = integerAt(p, first);
    keepNumber(found, first == 0xcf && <i64>value < 0 ? UNSIGNED : INTEGER, value);
  } else if (kind == KIND_TEXT) {
    keepText(found, TEXT, p + 1 + headLength(first), behind);
  } else if (kind == KIND_FLOAT) {
    const bits = bigEndian(p + 1, headLength(first));
    keepNumber(found, FLOAT, first == 0xcb ? bits : reinterpret<u64>(<f64>reinterpret<f32>(<u32>bits)));
  } else {
    found.type = kind == KIND_NIL ? ABSENT : kind == KIND_TRUE ? TRUE : kind == KIND_FALSE ? FALSE : OTHER;
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
