// Bytes of a message: words of a key, runs of digits.

/** The first up to 8 bytes of a text as one word, the rest zero. Reads nothing from `limit` on. */
@inline export function headWord(text: usize, length: u32, limit: usize): u64 {
  if (length >= 8) return load<u64>(text);
  if (limit - text >= 8) return load<u64>(text) & ((<u64>1 << (length << 3)) - 1);
  return slowHeadWord(text, length);
}

function slowHeadWord(text: usize, length: u32): u64 {
  let word: u64 = 0;
  for (let at: u32 = 0; at < length; at++) word |= <u64>load<u8>(text + at) << (at << 3);
  return word;
}

@inline export function isDigit(byte: u32): bool {
  return byte - 0x30 < 10;
}

/** Position of the first byte from `p` on that is no ASCII digit, `end` if there is none. */
export function digitsEnd(p: usize, end: usize): usize {
  while (end - p >= 16) {
    const digits = i8x16.lt_u(i8x16.sub(v128.load(p), i8x16.splat(0x30)), i8x16.splat(10));
    const others = ~(<u32>i8x16.bitmask(digits)) & 0xffff;
    if (others) return p + ctz(others);
    p += 16;
  }
  while (p < end && isDigit(load<u8>(p))) p++;
  return p;
}

/** Digits that `digitRun` looks at. */
export const RUN_MAX: u32 = 16;

/** How many of the RUN_MAX bytes at `p` are digits, up to the first that is none. All of them can be read. */
@inline export function digitRun(p: usize): u32 {
  const digits = i8x16.lt_u(i8x16.sub(v128.load(p), i8x16.splat(0x30)), i8x16.splat(10));
  return ctz<u32>(~(<u32>i8x16.bitmask(digits)));
}
