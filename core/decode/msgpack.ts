// MessagePack: is a value well-formed, and where does it end? Lengths are compared with what is left before they
// are believed.
import { isUtf8 } from "./utf8";

/** Kinds of a value, by its first byte. */
export const KIND_INTEGER: u32 = 0;
export const KIND_TEXT: u32 = 1;
export const KIND_MAP: u32 = 2;
export const KIND_LIST: u32 = 3;
export const KIND_FLOAT: u32 = 4;
export const KIND_NIL: u32 = 5;
export const KIND_FALSE: u32 = 6;
export const KIND_TRUE: u32 = 7;
const KIND_BYTES: u32 = 8;
const KIND_EXTENSION: u32 = 9;
const KIND_NONE: u32 = 10;

// For each first byte, two bytes: its kind and how many bytes of size or value follow it (of an extension its
// type included). What a byte says by itself (a fixint, the size in a fixstr) is told from the byte.
const HEADS: usize = memory.data<u8>([
  // 0xc0: nil, (never used), false, true
  5, 0, 10, 0, 6, 0, 7, 0,
  // 0xc4: bin 8, 16, 32
  8, 1, 8, 2, 8, 4,
  // 0xc7: ext 8, 16, 32
  9, 1, 9, 2, 9, 4,
  // 0xca: float 32, 64
  4, 4, 4, 8,
  // 0xcc: uint 8, 16, 32, 64
  0, 1, 0, 2, 0, 4, 0, 8,
  // 0xd0: int 8, 16, 32, 64
  0, 1, 0, 2, 0, 4, 0, 8,
  // 0xd4: fixext 1, 2, 4, 8, 16
  9, 0, 9, 0, 9, 0, 9, 0, 9, 0,
  // 0xd9: str 8, 16, 32
  1, 1, 1, 2, 1, 4,
  // 0xdc: list 16, 32
  3, 2, 3, 4,
  // 0xde: map 16, 32
  2, 2, 2, 4,
]);

@inline export function kindOf(first: u32): u32 {
  if (first < 0x80 || first >= 0xe0) return KIND_INTEGER;
  if (first < 0xc0) return first >= 0xa0 ? KIND_TEXT : first >= 0x90 ? KIND_LIST : KIND_MAP;
  return load<u8>(HEADS + (<usize>(first - 0xc0) << 1));
}

/** Bytes that follow the first one before what it announces. */
@inline export function headLength(first: u32): u32 {
  return first < 0xc0 || first >= 0xe0 ? 0 : load<u8>(HEADS + (<usize>(first - 0xc0) << 1), 1);
}

/** Big-endian number of 1, 2, 4 or 8 bytes. */
@inline export function bigEndian(p: usize, bytes: u32): u64 {
  if (bytes == 1) return load<u8>(p);
  if (bytes == 2) return bswap<u16>(load<u16>(p));
  if (bytes == 4) return bswap<u32>(load<u32>(p));
  return bswap<u64>(load<u64>(p));
}

/**
 * Size that the value at `p` announces: bytes of a text, of bytes or of an extension (its type included),
 * elements of a list, pairs of a map. 0 for other kinds.
 */
export function sizeOf(p: usize, first: u32, kind: u32): u64 {
  if (first < 0xc0) return kind == KIND_TEXT ? first & 0x1f : kind == KIND_INTEGER ? 0 : first & 0x0f;
  if (kind < KIND_TEXT || (kind >= KIND_FLOAT && kind <= KIND_TRUE)) return 0;
  if (first >= 0xd4 && first <= 0xd8) return (1 << (first - 0xd4)) + 1;
  return bigEndian(p + 1, headLength(first)) + <u64>(kind == KIND_EXTENSION);
}

/** Position behind the value at `p`, 0 where it is wrong, cut off, or nests deeper than `depth`. */
@inline export function checkValue(p: usize, end: usize, depth: i32): usize {
  return checkValues(p, end, 1, depth);
}

/** Position behind `count` values from `p` on, 0 where one of them is wrong. */
function checkValues(p: usize, end: usize, count: u64, depth: i32): usize {
  if (count > <u64>(end - p)) return 0; // a value takes at least a byte
  for (; count > 0; count--) {
    if (p >= end) return 0;
    const first = <u32>load<u8>(p);
    if (first < 0x80 || first >= 0xe0) p++;
    else if ((first & 0xe0) == 0xa0) p = checkText(p + 1, first & 0x1f, end);
    else p = checkHead(p, end, first, depth);
    if (p == 0) return 0;
  }
  return p;
}

/** Position behind the text of `size` bytes at `p`, 0 where it is cut off or no UTF-8. */
@inline export function checkText(p: usize, size: u64, end: usize): usize {
  const left = end - p;
  if (size > <u64>left) return 0;
  const behind = p + <usize>size;
  // Short ones, the usual, by one look at 16 bytes.
  if (size <= 16 && left >= 16 && (<u32>i8x16.bitmask(v128.load(p)) & ((1 << <u32>size) - 1)) == 0) return behind;
  return isUtf8(p, behind, end) ? behind : 0;
}

/** The same for a value that is neither a small integer nor a short text. */
function checkHead(p: usize, end: usize, first: u32, depth: i32): usize {
  const kind = kindOf(first);
  const body = p + 1 + headLength(first);
  if (body > end || body < p || kind == KIND_NONE) return 0;
  const size = sizeOf(p, first, kind);
  if (kind == KIND_TEXT) return checkText(body, size, end);
  if (kind == KIND_MAP) return depth > 0 ? checkValues(body, end, size << 1, depth - 1) : 0;
  if (kind == KIND_LIST) return depth > 0 ? checkValues(body, end, size, depth - 1) : 0;
  return size <= <u64>(end - body) ? body + <usize>size : 0; // 0 but of bytes and extensions
}
