// UTF-8 as Unicode defines it: no overlong forms, no surrogates, nothing above U+10FFFF.

@inline function isContinuation(byte: u32): bool {
  return (byte & 0xc0) == 0x80;
}

/** Position behind the sequence of two to four bytes at `p`; 0 where it is not well-formed or cut off by `end`. */
export function sequenceEnd(p: usize, end: usize): usize {
  const left = end - p;
  const first = <u32>load<u8>(p);
  if (first < 0xc2 || left < 2) return 0; // a continuation byte, or an overlong form of ASCII
  const second = <u32>load<u8>(p, 1);
  if (first < 0xe0) return isContinuation(second) ? p + 2 : 0;
  if (left < 3 || !isContinuation(load<u8>(p, 2))) return 0;
  if (first < 0xf0) {
    const low: u32 = first == 0xe0 ? 0xa0 : 0x80; // below: overlong
    const high: u32 = first == 0xed ? 0x9f : 0xbf; // above: surrogates
    return second >= low && second <= high ? p + 3 : 0;
  }
  if (first > 0xf4 || left < 4 || !isContinuation(load<u8>(p, 3))) return 0;
  const low: u32 = first == 0xf0 ? 0x90 : 0x80;
  const high: u32 = first == 0xf4 ? 0x8f : 0xbf; // above: beyond U+10FFFF
  return second >= low && second <= high ? p + 4 : 0;
}

/** Is the text from `p` to `end` well-formed? May look at, but does not judge, the bytes up to `limit`. */
export function isUtf8(p: usize, end: usize, limit: usize): bool {
  while (p < end) {
    if (limit - p >= 16) {
      let mask = <u32>i8x16.bitmask(v128.load(p));
      const left = end - p;
      if (left < 16) mask &= (1 << <u32>left) - 1;
      if (mask == 0) {
        if (left <= 16) return true;
        p += 16;
        continue;
      }
      p += ctz(mask);
    } else if (load<u8>(p) < 0x80) {
      p++;
      continue;
    }
    p = sequenceEnd(p, end);
    if (p == 0) return false;
  }
  return true;
}

/** Writes a code point (no surrogate) and returns how many bytes it took, 1 to 4. */
export function writeCodePoint(at: usize, code: u32): u32 {
  if (code < 0x80) {
    store<u8>(at, <u8>code);
    return 1;
  }
  if (code < 0x800) {
    store<u8>(at, <u8>(0xc0 | (code >> 6)));
    store<u8>(at, <u8>(0x80 | (code & 0x3f)), 1);
    return 2;
  }
  if (code < 0x10000) {
    store<u8>(at, <u8>(0xe0 | (code >> 12)));
    store<u8>(at, <u8>(0x80 | ((code >> 6) & 0x3f)), 1);
    store<u8>(at, <u8>(0x80 | (code & 0x3f)), 2);
    return 3;
  }
  store<u8>(at, <u8>(0xf0 | (code >> 18)));
  store<u8>(at, <u8>(0x80 | ((code >> 12) & 0x3f)), 1);
  store<u8>(at, <u8>(0x80 | ((code >> 6) & 0x3f)), 2);
  store<u8>(at, <u8>(0x80 | (code & 0x3f)), 3);
  return 4;
}
