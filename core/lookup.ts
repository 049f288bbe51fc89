// Open addressing by lines (Knuth, TAOCP 6.4: buckets). A line is a cache line with places for eight keys, filled from
// the front: their tags, which are the upper halves of their hashes, and the numbers of what they name, 0 for a free
// place. The home of a key is a line, found from its tag; a key whose home is full lies in the next line that is not.
// So nearly every search reads one line, and ends at the first one that is not full. Removal moves keys back without
// looking at more than tags (algorithm R), and no marker of a removed key is left behind.
//
//   | 8 tags | 8 numbers |
const KEYS: u32 = 8;
const NUMBERS_AT: usize = 32;
const LAST_NUMBER_AT: usize = 60;

@inline export function tagOf(hash: u64): u32 {
  return <u32>(hash >> 32);
}

/** Home of a key, of `count` lines. */
@inline export function homeOf(tag: u32, count: u32): u32 {
  return <u32>((<u64>tag * <u64>count) >> 32);
}

@inline export function lineAt(lines: usize, line: u32): usize {
  return lines + (<usize>line << 6);
}

@inline export function nextLine(line: u32, count: u32): u32 {
  return line + 1 == count ? 0 : line + 1;
}

/** The number at this place of the line at `at`. */
@inline export function numberIn(at: usize, place: u32): u32 {
  return load<u32>(at + (<usize>place << 2), NUMBERS_AT);
}

@inline function tagIn(at: usize, place: u32): u32 {
  return load<u32>(at + (<usize>place << 2));
}

@inline function put(at: usize, place: u32, tag: u32, number: u32): void {
  store<u32>(at + (<usize>place << 2), tag);
  store<u32>(at + (<usize>place << 2), number, NUMBERS_AT);
}

/** A bit for each of the eight words at `at` that is `value`. */
@inline function equals(at: usize, value: u32): u32 {
  const values = i32x4.splat(value);
  const low = i32x4.bitmask(i32x4.eq(v128.load(at), values));
  const high = i32x4.bitmask(i32x4.eq(v128.load(at, 16), values));
  return <u32>(low | (high << 4));
}

/** A bit for each place of the line that has this tag; of tag 0 also for the free ones. */
@inline export function tagged(at: usize, tag: u32): u32 {
  return equals(at, tag);
}

/** Has the line no free place? */
@inline export function isFull(at: usize): bool {
  return load<u32>(at, LAST_NUMBER_AT) != 0;
}

/** First free place of a line, KEYS where there is none. */
@inline function freeIn(at: usize): u32 {
  return ctz(equals(at + NUMBERS_AT, 0) | (1 << KEYS));
}

/** Enters `number` under `hash`. There is always a free place: there are more places than numbers. */
@inline export function insertKey(lines: usize, count: u32, hash: u64, number: u32): void {
  const tag = tagOf(hash);
  let line = homeOf(tag, count);
  while (isFull(lineAt(lines, line))) line = nextLine(line, count);
  const at = lineAt(lines, line);
  put(at, freeIn(at), tag, number);
}

/** The line in which `number` lies, which is entered under `hash`. */
function lineOf(lines: usize, count: u32, hash: u64, number: u32): u32 {
  let line = homeOf(tagOf(hash), count);
  while (equals(lineAt(lines, line) + NUMBERS_AT, number) == 0) {
    assert(isFull(lineAt(lines, line)), "the number is entered under this hash");
    line = nextLine(line, count);
  }
  return line;
}

/** Lets `hash` name `to` in place of `from`. */
export function replaceKey(lines: usize, count: u32, hash: u64, from: u32, to: u32): void {
  const at = lineAt(lines, lineOf(lines, count, hash, from));
  put(at, ctz(equals(at + NUMBERS_AT, from)), tagOf(hash), to);
}

/** Takes `number`, which is entered under `hash`, out again. */
export function removeKey(lines: usize, count: u32, hash: u64, number: u32): void {
  let line = lineOf(lines, count, hash, number);
  let at = lineAt(lines, line);
  let place = ctz(equals(at + NUMBERS_AT, number));
  while (true) {
    const last = freeIn(at) - 1;
    put(at, place, tagIn(at, last), numberIn(at, last));
    put(at, last, 0, 0);
    if (last != KEYS - 1) return;
    // The line was full, so keys may have gone past it. One of them comes back, and leaves a place of its own.
    let from = line;
    do {
      if (from != line && !isFull(lineAt(lines, from))) return;
      from = nextLine(from, count);
      place = pastIn(lineAt(lines, from), line, from, count);
    } while (place == KEYS);
    put(at, last, tagIn(lineAt(lines, from), place), numberIn(lineAt(lines, from), place));
    line = from;
    at = lineAt(lines, from);
  }
}

/** A place of the line at `at`, which is number `from`, whose key may lie in `line`, too; KEYS where there is none. */
function pastIn(at: usize, line: u32, from: u32, count: u32): u32 {
  const end = freeIn(at);
  for (let place: u32 = 0; place < end; place++) {
    const home = homeOf(tagIn(at, place), count);
    // Where its home lies behind `line` (cyclically), it stays.
    const stays = line <= from ? line < home && home <= from : line < home || home <= from;
    if (!stays) return place;
  }
  return KEYS;
}
