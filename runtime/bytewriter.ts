/**
 * Bytes written one behind the other, into chunks that are never written twice: what was taken from one stays good as
 * long as someone holds it. On the path of a migration, so it makes no object but the chunk.
 */
const CHUNK_BYTES = 256 * 1024;
/** Up to here a loop is quicker than `set`. */
const LOOP_BYTES_MAX = 16;
const ZERO = 48;

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

  /** The chunk that is written. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Where the next byte goes in it. */
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

  /** What lies at `from` to `to` of other bytes. */
  part(bytes: Uint8Array, from: number, to: number): void {
    this.#bytes.set(bytes.subarray(from, to), this.#at);
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
}

function lengthOf(value: number): number {
  if (value < 1e6) return value < 1e4 ? 4 : value < 1e5 ? 5 : 6;
  return value < 1e7 ? 7 : value < 1e8 ? 8 : 9;
}
