// Keyed hashing of ids. SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; one
// compression and three finalization rounds, as Rust's and Python's tables use it): who does not know the key
// can't make ids that collide.

let v0: u64 = 0;
let v1: u64 = 0;
let v2: u64 = 0;
let v3: u64 = 0;

@inline function round(): void {
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

@inline function absorb(word: u64): void {
  v3 ^= word;
  round();
  v0 ^= word;
}

/** Hash of `length` bytes at `bytes` behind one word, under the key (`key0`, `key1`). */
export function sipHash(key0: u64, key1: u64, first: u64, bytes: usize, length: u32): u64 {
  v0 = key0 ^ 0x736f6d6570736575;
  v1 = key1 ^ 0x646f72616e646f6d;
  v2 = key0 ^ 0x6c7967656e657261;
  v3 = key1 ^ 0x7465646279746573;
  absorb(first);
  let at = bytes;
  const words = bytes + (<usize>length & ~7);
  for (; at < words; at += 8) absorb(load<u64>(at));
  let last: u64 = (<u64>length + 8) << 56;
  const end = bytes + length;
  for (let shift: u64 = 0; at < end; at++, shift += 8) last |= <u64>load<u8>(at) << shift;
  absorb(last);
  v2 ^= 0xff;
  round();
  round();
  round();
  return v0 ^ v1 ^ v2 ^ v3;
}
