// JSON (RFC 8259): is a value well-formed, and where does it end? Nothing is read from `end` on.
import { digitsEnd, isDigit } from "./scan";
import { escapeEnd } from "./escape";
import { sequenceEnd } from "./utf8";

export const QUOTE: u32 = 0x22;
export const COMMA: u32 = 0x2c;
export const COLON: u32 = 0x3a;
export const BACKSLASH: u32 = 0x5c;
export const OPEN_LIST: u32 = 0x5b;
export const CLOSE_LIST: u32 = 0x5d;
export const OPEN_MAP: u32 = 0x7b;
export const CLOSE_MAP: u32 = 0x7d;
const SPACE: u32 = 0x20;
const MINUS: u32 = 0x2d;
const TRUE_WORD: u32 = 0x65757274;
const NULL_WORD: u32 = 0x6c6c756e;
const ALSE_WORD: u32 = 0x65736c61; // "false" without its first letter

/** Lists and maps within a field's value. */
export const DEPTH_MAX: i32 = 32;

/** Position of the next byte that is no white space, at most `end`. */
@inline export function pastSpace(p: usize, end: usize): usize {
  return p < end && <u32>load<u8>(p) <= SPACE ? pastSpaces(p, end) : p;
}

function pastSpaces(p: usize, end: usize): usize {
  while (p < end) {
    const byte = <u32>load<u8>(p);
    if (byte != SPACE && byte != 0x0a && byte != 0x0d && byte != 0x09) break;
    p++;
  }
  return p;
}

/** Which of 16 bytes a string can't just hold: a bit for each. */
@inline export function specials(bytes: v128): u32 {
  // As signed bytes, what is below a space is a control character or no ASCII.
  const special = v128.or(
    i8x16.lt_s(bytes, i8x16.splat(0x20)),
    v128.or(i8x16.eq(bytes, i8x16.splat(0x22)), i8x16.eq(bytes, i8x16.splat(0x5c))),
  );
  return i8x16.bitmask(special);
}

/** Position of the first byte from `p` on that a string can't just hold, or one nearer than 16 bytes to `end`. */
@inline function plainEnd(p: usize, end: usize): usize {
  while (end - p >= 16) {
    const mask = specials(v128.load(p));
    if (mask) return p + ctz(mask);
    p += 16;
  }
  return p;
}

/** Has the string checked last any escapes? */
export let hasEscapes: bool = false;

/** Checks the string whose first byte behind the quote is at `p`: position behind its closing quote, 0 where it is wrong. */
export function checkString(p: usize, end: usize): usize {
  hasEscapes = false;
  while (true) {
    p = plainEnd(p, end);
    if (p >= end) return 0;
    const byte = <u32>load<u8>(p);
    if (byte == QUOTE) return p + 1;
    if (byte < SPACE) return 0;
    if (byte == BACKSLASH) {
      hasEscapes = true;
      p = escapeEnd(p, end);
    } else if (byte < 0x80) {
      p++;
    } else {
      p = sequenceEnd(p, end);
    }
    if (p == 0) return 0;
  }
}

/** Position behind the number at `p` (a digit or a minus), 0 where it is wrong. */
export function numberEnd(p: usize, end: usize): usize {
  if (<u32>load<u8>(p) == MINUS) p++;
  const whole = p;
  p = digitsEnd(p, end);
  if (p == whole || (<u32>load<u8>(whole) == 0x30 && p != whole + 1)) return 0; // none, or a leading zero
  if (p < end && <u32>load<u8>(p) == 0x2e) {
    const fraction = ++p;
    p = digitsEnd(p, end);
    if (p == fraction) return 0;
  }
  if (p < end && (<u32>load<u8>(p) | 0x20) == 0x65) {
    p++;
    if (p < end && (<u32>load<u8>(p) == 0x2b || <u32>load<u8>(p) == MINUS)) p++;
    const exponent = p;
    p = digitsEnd(p, end);
    if (p == exponent) return 0;
  }
  return p;
}

/** Position behind the value at `p`, 0 where it is wrong or nests deeper than `depth`. */
export function checkValue(p: usize, end: usize, depth: i32): usize {
  if (p >= end) return 0;
  const byte = <u32>load<u8>(p);
  if (byte == QUOTE) return checkString(p + 1, end);
  if (isDigit(byte) || byte == MINUS) return numberEnd(p, end);
  if (byte == OPEN_MAP) return depth > 0 ? checkMap(p + 1, end, depth - 1) : 0;
  if (byte == OPEN_LIST) return depth > 0 ? checkList(p + 1, end, depth - 1) : 0;
  if (end - p < 4) return 0;
  const word = load<u32>(p);
  if (word == TRUE_WORD || word == NULL_WORD) return p + 4;
  return byte == 0x66 && end - p >= 5 && load<u32>(p, 1) == ALSE_WORD ? p + 5 : 0;
}

/** Checks a map from behind its brace on. */
function checkMap(p: usize, end: usize, depth: i32): usize {
  p = pastSpace(p, end);
  if (p < end && <u32>load<u8>(p) == CLOSE_MAP) return p + 1;
  while (true) {
    if (p >= end || <u32>load<u8>(p) != QUOTE) return 0;
    p = checkString(p + 1, end);
    if (p == 0) return 0;
    p = pastSpace(p, end);
    if (p >= end || <u32>load<u8>(p) != COLON) return 0;
    p = checkValue(pastSpace(p + 1, end), end, depth);
    if (p == 0) return 0;
    p = pastSpace(p, end);
    if (p >= end) return 0;
    const byte = <u32>load<u8>(p++);
    if (byte == CLOSE_MAP) return p;
    if (byte != COMMA) return 0;
    p = pastSpace(p, end);
  }
}

/** Checks a list from behind its bracket on. */
function checkList(p: usize, end: usize, depth: i32): usize {
  p = pastSpace(p, end);
  if (p < end && <u32>load<u8>(p) == CLOSE_LIST) return p + 1;
  while (true) {
    p = checkValue(p, end, depth);
    if (p == 0) return 0;
    p = pastSpace(p, end);
    if (p >= end) return 0;
    const byte = <u32>load<u8>(p++);
    if (byte == CLOSE_LIST) return p;
    if (byte != COMMA) return 0;
    p = pastSpace(p, end);
  }
}
