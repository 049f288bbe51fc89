// JSON: finds the mapped values of one item. The message was checked before, so nothing is judged here.
import { headWord } from "./scan";
import { unescape } from "./escape";
import { ESCAPED, FALSE, NUMBER, OTHER, TEXT, TRUE, forget, placeOf } from "./found";
import { BACKSLASH, CLOSE_MAP, COMMA, OPEN_LIST, OPEN_MAP, QUOTE, pastSpace } from "./json";
import { childOf, Entry, entryAfter, findEntry, firstEntry, Table } from "./table";

/** Keys with escapes are compared here; longer ones than any mapped key need not be whole. */
const KEY_MAX: u32 = 256;
const KEY: usize = memory.data(264, 8);

/** Position behind the item at `p`; its mapped values are found. */
export function readJsonItem(table: Table, node: usize, p: usize, end: usize): usize {
  return <u32>load<u8>(p) == OPEN_MAP ? readMap(table, node, p + 1, end) : valueEnd(p, end);
}

/** Reads a map from behind its brace on. */
function readMap(table: Table, node: usize, p: usize, end: usize): usize {
  let next = firstEntry(node);
  p = pastSpace(p, end);
  if (<u32>load<u8>(p) == CLOSE_MAP) return p + 1;
  while (true) {
    const key = p + 1;
    p = stringEnd(key, end);
    const found = hasEscapes
      ? findEscaped(table, node, next, key, p)
      : findEntry(table, node, next, headWord(key, <u32>(p - key), end), key, <u32>(p - key));
    p = pastSpace(pastSpace(p + 1, end) + 1, end); // over the colon
    if (found) {
      p = readValue(table, changetype<Entry>(found), p, end);
      next = entryAfter(node, found);
    } else {
      p = valueEnd(p, end);
    }
    p = pastSpace(p, end);
    if (<u32>load<u8>(p) != COMMA) return p + 1;
    p = pastSpace(p + 1, end);
  }
}

function findEscaped(table: Table, node: usize, first: usize, from: usize, to: usize): usize {
  const length = unescape(from, to, KEY, KEY_MAX);
  if (length > KEY_MAX) return 0;
  return findEntry(table, node, first, headWord(KEY, length, KEY + KEY_MAX), KEY, length);
}

/** Keeps the value at `p` that a mapped key leads to, and goes on into a map that paths lead through. */
function readValue(table: Table, entry: Entry, p: usize, end: usize): usize {
  forget(entry.beneath);
  const byte = <u32>load<u8>(p);
  if (byte == OPEN_MAP && entry.child) {
    if (entry.bit) placeOf(entry.slot).type = OTHER;
    return readMap(table, childOf(table, entry), p + 1, end);
  }
  const behind = valueEnd(p, end);
  if (entry.bit == 0 || byte == 0x6e) return behind; // null is no value
  const found = placeOf(entry.slot);
  if (byte == QUOTE) {
    found.type = hasEscapes ? ESCAPED : TEXT;
    found.text = p + 1;
    found.length = <u32>(behind - p) - 2;
  } else if (byte == OPEN_MAP || byte == OPEN_LIST) {
    found.type = OTHER;
  } else if (byte == 0x74 || byte == 0x66) {
    found.type = byte == 0x74 ? TRUE : FALSE;
  } else {
    found.type = NUMBER;
    found.text = p;
    found.length = <u32>(behind - p);
  }
  return behind;
}

/** Did the last string have escapes? */
let hasEscapes: bool = false;

/** Position of the first quote or backslash from `p` on, or one nearer than 16 bytes to `end`. */
@inline function plainEnd(p: usize, end: usize): usize {
  while (end - p >= 16) {
    const bytes = v128.load(p);
    const special = v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x5c)));
    const mask = <u32>i8x16.bitmask(special);
    if (mask) return p + ctz(mask);
    p += 16;
  }
  return p;
}

/** Position of the closing quote of the string from `p` on; notes whether it has escapes. */
function stringEnd(p: usize, end: usize): usize {
  hasEscapes = false;
  while (true) {
    p = plainEnd(p, end);
    const byte = <u32>load<u8>(p);
    if (byte == QUOTE) return p;
    if (byte == BACKSLASH) {
      hasEscapes = true;
      p++;
    }
    p++;
  }
}

/** Position behind the value at `p`. */
function valueEnd(p: usize, end: usize): usize {
  const byte = <u32>load<u8>(p);
  if (byte == QUOTE) return stringEnd(p + 1, end) + 1;
  if (byte == OPEN_MAP || byte == OPEN_LIST) return nestEnd(p + 1, end);
  return scalarEnd(p, end);
}

/** Position behind the list or map from behind its bracket on. */
function nestEnd(p: usize, end: usize): usize {
  let open = 1;
  do {
    const byte = <u32>load<u8>(p++);
    if (byte == QUOTE) p = stringEnd(p, end) + 1;
    else if ((byte | 0x20) == OPEN_MAP) open++;
    else if ((byte | 0x20) == CLOSE_MAP) open--;
  } while (open);
  return p;
}

/** Position behind the number, `true`, `false` or `null` at `p`: of the next comma, bracket or white space, or `end`. */
function scalarEnd(p: usize, end: usize): usize {
  while (end - p >= 16) {
    const bytes = v128.load(p);
    const special = v128.or(
      v128.or(i8x16.lt_u(bytes, i8x16.splat(0x21)), i8x16.eq(bytes, i8x16.splat(0x2c))),
      i8x16.eq(v128.or(bytes, i8x16.splat(0x20)), i8x16.splat(0x7d)),
    );
    const mask = <u32>i8x16.bitmask(special);
    if (mask) return p + ctz(mask);
    p += 16;
  }
  while (p < end) {
    const byte = <u32>load<u8>(p);
    if (byte <= 0x20 || byte == COMMA || (byte | 0x20) == CLOSE_MAP) break;
    p++;
  }
  return p;
}
