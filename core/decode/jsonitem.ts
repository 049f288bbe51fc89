// JSON: reads one item, checking all of it and finding its mapped values on the way.
import { digitRun, headWord, RUN_MAX } from "./scan";
import { unescape } from "./escape";
import {
  ABSENT,
  ESCAPED,
  FALSE,
  Findings,
  Found,
  foundIn,
  INTEGER,
  keepDigits,
  keepText,
  NO_PLACE,
  NUMBER,
  OTHER,
  placeOf,
  TEXT,
  TRUE,
} from "./found";
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
  specials,
} from "./json";
import { runValue } from "./number";
import { beginLearning, isAt, learnEnd, learnMap, learnOther, learnValue, Step } from "./shape";
import { childOf, Entry, entryAfter, findEntry, firstEntry, isKey, rootOf, Table } from "./table";

/** Keys with escapes are compared here; of longer ones than any mapped key the first bytes are enough. */
const KEY_MAX: u32 = 256;
const KEY: usize = memory.data(264, 8);

/** Position behind the item at `p`, 0 where no known steps lead through it. From `far` on too little can be read. */
export function followJsonItem(findings: Findings, first: Step, p: usize, end: usize, far: usize): usize {
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
    if (byte == QUOTE) {
      const from = p + 1;
      p = from;
      let mask = specials(v128.load(p));
      while (mask == 0) {
        p += 16;
        if (p >= far) return 0;
        mask = specials(v128.load(p));
      }
      p += ctz(mask);
      if (<u32>load<u8>(p) == QUOTE) {
        keepText(found, TEXT, from, p++);
      } else {
        if (p >= end) return 0;
        p = checkString(from, end);
        if (p == 0) return 0;
        keepText(found, hasEscapes ? ESCAPED : TEXT, from, p - 1);
      }
    } else if (isDigits(p, digitRun(p))) {
      const length = digitRun(p);
      keepDigits(found, p, length, runValue(p, length));
      p += length;
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

/** Is the number at `p` nothing but its `length` digits, and are these few? */
@inline function isDigits(p: usize, length: u32): bool {
  if (length == 0 || length == RUN_MAX) return false;
  const behind = <u32>load<u8>(p + length);
  if (behind == 0x2e || (behind | 0x20) == 0x65) return false;
  return length == 1 || load<u8>(p) != 0x30;
}

/** Position behind the item at `p`, 0 where it is wrong. Its values below a field, or below itself where it is no map, may nest DEPTH_MAX deep. */
export function readJsonItem(table: Table, findings: Findings, first: Step, p: usize, end: usize): usize {
  if (<u32>load<u8>(p) != OPEN_MAP) return checkValue(p, end, DEPTH_MAX);
  beginLearning(first, p);
  findings.seen = 0;
  const behind = readMap(table, findings, rootOf(table), p + 1, end, DEPTH_MAX);
  if (behind) learnEnd(behind);
  return behind;
}

/** Reads a map from behind its brace on. */
function readMap(table: Table, findings: Findings, node: usize, p: usize, end: usize, depth: i32): usize {
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
    const value = pastSpace(p + 1, end);
    if (found) {
      p = readValue(table, findings, changetype<Entry>(found), value, end, depth);
      next = entryAfter(node, found);
    } else {
      p = checkValue(value, end, depth);
      if (p) learnOther(value, p, depth);
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
function readValue(table: Table, findings: Findings, entry: Entry, p: usize, end: usize, depth: i32): usize {
  if (p >= end) return 0;
  findings.seen &= ~entry.beneath; // of repeated keys the last counts
  const found = foundIn(findings, entry.bit ? placeOf(entry.slot) : NO_PLACE);
  if (entry.child && <u32>load<u8>(p) == OPEN_MAP) {
    learnMap(entry);
    found.type = OTHER;
    findings.seen |= entry.bit;
    return readMap(table, findings, childOf(table, entry), p + 1, end, depth - 1);
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
  const byte = <u32>load<u8>(p);
  if (byte == QUOTE) keepText(found, hasEscapes ? ESCAPED : TEXT, p + 1, behind - 1);
  else if (byte == OPEN_MAP || byte == OPEN_LIST) found.type = OTHER;
  else if (byte == 0x6e) found.type = ABSENT;
  else if (byte == 0x74 || byte == 0x66) found.type = byte == 0x74 ? TRUE : FALSE;
  else keepText(found, NUMBER, p, behind);
  return behind;
}
