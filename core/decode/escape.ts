// Escapes in JSON strings.
import { writeCodePoint } from "./utf8";

const BACKSLASH: u32 = 0x5c;

/** Value of four hex digits, -1 where they are none. */
function hex4(p: usize): i32 {
  let value = 0;
  for (let at: usize = 0; at < 4; at++) {
    const byte = <u32>load<u8>(p + at);
    let digit = byte - 0x30;
    if (digit > 9) {
      digit = (byte | 0x20) - 0x61;
      if (digit > 5) return -1;
      digit += 10;
    }
    value = (value << 4) | <i32>digit;
  }
  return value;
}

@inline function isSurrogate(unit: i32): bool {
  return (unit & 0xf800) == 0xd800;
}

/** Code point of `\uXXXX`, or of a pair of them, whose first hex digit is at `p`; -1 for bad digits or a lone surrogate. */
function unicodeEscape(p: usize, end: usize): i32 {
  if (end - p < 4) return -1;
  const unit = hex4(p);
  if (unit < 0 || !isSurrogate(unit)) return unit;
  if (unit >= 0xdc00 || end - p < 10 || load<u16>(p, 4) != 0x755c) return -1; // "\u" must follow
  const low = hex4(p + 6);
  if (low < 0xdc00 || low > 0xdfff) return -1;
  return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

/** What the one-letter escape stands for, 0 for a letter that is none. */
function shortEscape(letter: u32): u32 {
  switch (letter) {
    case 0x22:
    case 0x2f:
    case BACKSLASH:
      return letter;
    case 0x62:
      return 8;
    case 0x66:
      return 12;
    case 0x6e:
      return 10;
    case 0x72:
      return 13;
    case 0x74:
      return 9;
    default:
      return 0;
  }
}

/** Position behind the escape whose backslash is at `p`; 0 where it is none. */
export function escapeEnd(p: usize, end: usize): usize {
  if (end - p < 2) return 0;
  const letter = <u32>load<u8>(p, 1);
  if (letter != 0x75) return shortEscape(letter) ? p + 2 : 0;
  const code = unicodeEscape(p + 2, end);
  if (code < 0) return 0;
  return p + (code < 0x10000 ? 6 : 12);
}

/**
 * Writes what the checked string from `p` to `end` means to `target`, and returns its bytes; stops at the
 * first of them beyond `max` and returns `max + 1`. May write up to 3 bytes more than `max`.
 */
export function unescape(p: usize, end: usize, target: usize, max: u32): u32 {
  let length: u32 = 0;
  while (p < end && length <= max) {
    const byte = <u32>load<u8>(p);
    if (byte != BACKSLASH) {
      store<u8>(target + length++, <u8>byte);
      p++;
      continue;
    }
    const letter = <u32>load<u8>(p, 1);
    const code = letter == 0x75 ? <u32>unicodeEscape(p + 2, end) : shortEscape(letter);
    length += writeCodePoint(target + length, code);
    p += letter != 0x75 ? 2 : code < 0x10000 ? 6 : 12;
  }
  return min(length, max + 1);
}
