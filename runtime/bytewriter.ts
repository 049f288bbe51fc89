/**
 * Bytes written one behind the other, into chunks that are never written twice: what was taken from one stays good as
 * long as someone holds it. On the path of a migration, so it makes no object but the chunk.
 */
const CHUNK_BYTES = 256 * 1024;
const DAY_MS = 86_400_000;
// The days whose dates have four digits of a year; others are left to Date.
const DAY_MIN = -719_528;
const DAY_MAX = 2_932_896;
// An event has some ten times, nearly all of a few hundred days: a date is formatted once.
const DAYS_KEPT = 4096;
const DATE_BYTES = 12; // `"2026-01-31T`
/** Up to here a loop is quicker than `set`. */
const LOOP_BYTES_MAX = 16;
const ZERO = 48;
const QUOTE = 34;
const BACKSLASH = 92;
const NULL = new Uint8Array([110, 117, 108, 108]);

const utf8 = new TextEncoder();
const dayNumbers = new Int32Array(DAYS_KEPT).fill(DAY_MIN - 1);
const dates = new Uint8Array(DAYS_KEPT * DATE_BYTES);

export class ByteWriter {
  #bytes = new Uint8Array(0);
  #at = 0;

  /** Whether so many bytes fit behind what is written. */
  fits(most: number): boolean {
    return this.#at + most <= this.#bytes.length;
  }

  /** Makes room for `most` bytes. What is written until the next call lies in one piece. */
  reserve(most: number): void {
    if (this.fits(most)) return;
    this.#bytes = new Uint8Array(Math.max(CHUNK_BYTES, most));
    this.#at = 0;
  }

  /** Where the next byte goes. */
  get at(): number {
    return this.#at;
  }

  /** What was written from `from` (an earlier `at`, behind the last `reserve`) on. Throws RangeError where it passed what was reserved. */
  since(from: number): Uint8Array {
    if (this.#at > this.#bytes.length) throw new RangeError(`${this.#at - from} bytes are more than were reserved`);
    return this.#bytes.subarray(from, this.#at);
  }

  byte(value: number): void {
    this.#bytes[this.#at++] = value;
  }

  fragment(fragment: Uint8Array): void {
    const { length } = fragment;
    const at = this.#at;
    this.#at = at + length;
    if (length > LOOP_BYTES_MAX) {
      this.#bytes.set(fragment, at);
      return;
    }
    const bytes = this.#bytes;
    for (let i = 0; i < length; i++) bytes[at + i] = fragment[i] as number;
  }

  /** Writes again what lies at `from` to `to`. */
  again(from: number, to: number): void {
    this.#bytes.copyWithin(this.#at, from, to);
    this.#at += to - from;
  }

  /** Digits of an integer within ±2^53. */
  integer(value: number): void {
    if (value < 0) {
      this.byte(45);
      this.integer(-value);
    } else if (value < 1e9) {
      this.#digits(value, value < 10 ? 1 : value < 1000 ? (value < 100 ? 2 : 3) : lengthOf(value));
    } else {
      const high = Math.floor(value / 1e9);
      this.integer(high);
      this.#digits(value - high * 1e9, 9);
    }
  }

  #digits(value: number, count: number): void {
    const bytes = this.#bytes;
    let rest = value | 0;
    for (let at = this.#at + count - 1; at >= this.#at; at--) {
      const tenth = (rest / 10) | 0;
      bytes[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.#at += count;
  }

  /** `"2026-01-31T08:00:00.000Z"` of milliseconds since 1970, with its quotes, as Date writes it; `null` of 0. */
  instant(ms: number): void {
    const day = Math.floor(ms / DAY_MS);
    if (ms === 0 || day < DAY_MIN || day > DAY_MAX) {
      this.fragment(ms === 0 ? NULL : utf8.encode(JSON.stringify(new Date(ms))));
      return;
    }
    const slot = day & (DAYS_KEPT - 1);
    if (dayNumbers[slot] !== day) keepDate(slot, day);
    const bytes = this.#bytes;
    let at = this.#at;
    for (let from = slot * DATE_BYTES, end = from + DATE_BYTES; from < end; from++) bytes[at++] = dates[from] as number;
    const rest = ms - day * DAY_MS;
    const seconds = (rest / 1000) | 0;
    const minutes = (seconds / 60) | 0;
    const hours = (minutes / 60) | 0;
    at = two(bytes, at, hours, 58);
    at = two(bytes, at, minutes - hours * 60, 58);
    at = two(bytes, at, seconds - minutes * 60, 46);
    const fraction = rest - seconds * 1000;
    const tenth = (fraction / 10) | 0;
    at = two(bytes, at, tenth, ZERO + fraction - tenth * 10);
    bytes[at] = 90;
    bytes[at + 1] = QUOTE;
    this.#at = at + 2;
  }

  /** UTF-8 as it stands inside the quotes of a JSON string: as JSON.stringify writes it. */
  text(from: Uint8Array, start: number, length: number): void {
    const bytes = this.#bytes;
    for (let i = start; i < start + length; i++) {
      const value = from[i] as number;
      if (value < 32 || value === QUOTE || value === BACKSLASH) this.#escape(value);
      else bytes[this.#at++] = value;
    }
  }

  #escape(value: number): void {
    const escaped = JSON.stringify(String.fromCharCode(value));
    for (let i = 1; i < escaped.length - 1; i++) this.byte(escaped.charCodeAt(i));
  }
}

function lengthOf(value: number): number {
  if (value < 1e6) return value < 1e4 ? 4 : value < 1e5 ? 5 : 6;
  return value < 1e7 ? 7 : value < 1e8 ? 8 : 9;
}

/** Two digits and what stands behind them. */
function two(bytes: Uint8Array, at: number, value: number, behind: number): number {
  const tens = (value / 10) | 0;
  bytes[at] = ZERO + tens;
  bytes[at + 1] = ZERO + value - tens * 10;
  bytes[at + 2] = behind;
  return at + 3;
}

function keepDate(slot: number, day: number): void {
  dayNumbers[slot] = day;
  dates.set(utf8.encode(JSON.stringify(new Date(day * DAY_MS)).slice(0, DATE_BYTES)), slot * DATE_BYTES);
}
