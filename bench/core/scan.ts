// The limit of a scan: reading memory, and nothing else.

/** Sum of all 64-bit words from `at` on, `bytes` (a multiple of 64) of them. */
export function read(at: usize, bytes: usize): u64 {
  let a = i64x2.splat(0);
  let b = a;
  let c = a;
  let d = a;
  for (const end = at + bytes; at < end; at += 64) {
    a = i64x2.add(a, v128.load(at));
    b = i64x2.add(b, v128.load(at, 16));
    c = i64x2.add(c, v128.load(at, 32));
    d = i64x2.add(d, v128.load(at, 48));
  }
  const sum = i64x2.add(i64x2.add(a, b), i64x2.add(c, d));
  return i64x2.extract_lane(sum, 0) + i64x2.extract_lane(sum, 1);
}
