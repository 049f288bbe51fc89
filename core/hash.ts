// Keyed hashing of ids. SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; one
// compression and three finalization rounds, as Rust's and Python's tables use it): who does not know the key
// can't make ids that collide.

/**
 * Hash of `length` bytes at `bytes` behind one word, under the key (`key0`, `key1`). Reads up to 7 bytes behind them.
 * The round stands here twice: as a function it would have to keep its four words in globals, which live in memory.
 */
export function sipHash(key0: u64, key1: u64, first: u64, bytes: usize, length: u32): u64 {
  let v0 = key0 ^ 0x736f6d6570736575;
  let v1 = key1 ^ 0x646f72616e646f6d;
  let v2 = key0 ^ 0x6c7967656e657261;
  let v3 = key1 ^ 0x7465646279746573;
  const rest = <u64>(length & 7) << 3;
  const last = bytes + <usize>(length & ~7);
  let at = bytes;
  let word = first;
  while (true) {
    v3 ^= word;
    v0 += v1;
    v2 += v3;
    v1 = rotl(v1, 13) ^ v0;
    v3 = rotl(v3, 16) ^ v2;
    v0 = rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = rotl(v1, 17) ^ v2;
    v3 = rotl(v3, 21) ^ v0;
    v2 = rotl(v2, 32);
    v0 ^= word;
    if (at > last) break;
    word = load<u64>(at);
    // What is left, behind it the length: also where nothing is left.
    if (at == last) word = (word & (((<u64>1) << rest) - 1)) | ((<u64>length + 8) << 56);
    at += 8;
  }
  v2 ^= 0xff;
  for (let round = 0; round < 3; round++) {
    v0 += v1;
    v2 += v3;
    v1 = rotl(v1, 13) ^ v0;
    v3 = rotl(v3, 16) ^ v2;
    v0 = rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = rotl(v1, 17) ^ v2;
    v3 = rotl(v3, 21) ^ v0;
    v2 = rotl(v2, 32);
  }
  return v0 ^ v1 ^ v2 ^ v3;
}
