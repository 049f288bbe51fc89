/** The lowest `count` (below 8) bytes of a word. */
@inline function lowBytes(word: u64, count: u32): u64 {
  return word & (((<u64>1) << (<u64>count << 3)) - 1);
}

/** Are the `length` bytes at `a` and at `b` the same? Reads up to 8 bytes behind them. */
export function sameBytes(a: usize, b: usize, length: u32): bool {
  let left = length;
  for (; left >= 8; left -= 8, a += 8, b += 8) if (load<u64>(a) != load<u64>(b)) return false;
  return lowBytes(load<u64>(a) ^ load<u64>(b), left) == 0;
}

/** Copies `length` bytes by words: writes up to 7 bytes more. Quicker than `memory.copy` for an id. */
export function copyWords(to: usize, from: usize, length: u32): void {
  const end = to + length;
  for (; to < end; to += 8, from += 8) store<u64>(to, load<u64>(from));
}
