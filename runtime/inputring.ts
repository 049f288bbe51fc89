/**
 * Where messages wait in the kernel's input region: a ring of bytes, cut into slices that are applied one after the
 * other. Numbers only; `Kernel.write` puts the bytes there.
 *
 *   0 ───── tail          head ───── size      wrapped: the free part is between tail and head
 *   0   head ───── tail              size      else it is behind the tail, or before the head
 *
 * Messages of a slice lie side by side and their sequences run on, so one look at its ends says what is in it.
 */

/** Of all slices that wait and the one under way. */
export const WAITING_MESSAGES_MAX = 16_384;
/** So that no slice holds the thread for long. */
const SLICE_MESSAGES_MAX = 512;
const SLICE_BYTES_MAX = 1_048_576;
/** A message ends at the next multiple of 8; the tail never meets the head. */
const SLACK = 8;

/** Messages that are applied together: bytes `from` to `to` of the region. Used again once it was released. */
export class Slice {
  from = 0;
  to = 0;
  count = 0;
  /** Sequence of the first message. */
  first = 0;
  /** The latest of the stamps, which are not ordered. */
  stampMax = 0;
  /** Of each message, ms. */
  readonly stamps = new Float64Array(SLICE_MESSAGES_MAX);

  get last(): number {
    return this.first + this.count - 1;
  }

  /** The first message that is stamped later than `latest`. Throws where there is none. */
  firstAfter(latest: number): { sequence: number; stamp: number } {
    const found = this.stamps.subarray(0, this.count).findIndex((stamp) => stamp > latest);
    if (found < 0) throw new RangeError("no message is stamped later");
    return { sequence: this.first + found, stamp: this.stamps[found] as number };
  }

  /** Stamp of a message of this slice. */
  stampOf(sequence: number): number {
    return this.stamps[sequence - this.first] as number;
  }
}

export class InputRing {
  readonly #size: number;
  #head = 0;
  #tail = 0;
  #waiting = 0;
  #waitingMax = 0;
  /** In the order of the messages. */
  readonly #slices: Slice[] = [];
  /** The one that still grows; undefined when it is under way or there is none. */
  #growing: Slice | undefined;
  #underWay: Slice | undefined;
  /** To be used again. */
  readonly #free: Slice[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  /** Messages written and not yet released. */
  get waiting(): number {
    return this.#waiting;
  }

  /** The most that ever waited. */
  get waitingMax(): number {
    return this.#waitingMax;
  }

  /** True while at most half of the ring is in use. */
  get isHalfFree(): boolean {
    const used = this.#tail < this.#head ? this.#size - this.#head + this.#tail : this.#tail - this.#head;
    return used <= this.#size / 2 && this.#waiting <= WAITING_MESSAGES_MAX / 2;
  }

  /** The slice that comes next. */
  get next(): Slice | undefined {
    return this.#slices[0];
  }

  /** Offset at which a message of so many bytes goes, -1 where there is no room for it now. */
  place(bytes: number): number {
    if (this.#waiting >= WAITING_MESSAGES_MAX) return -1;
    const end = this.#tail + bytes + SLACK;
    if (this.#tail < this.#head) return end <= this.#head ? this.#tail : -1;
    if (end <= this.#size) return this.#tail;
    return bytes + SLACK <= this.#head ? 0 : -1;
  }

  /** Takes in that a message lies from `from` to `to`. */
  add(from: number, to: number, sequence: number, stamp: number): void {
    let slice = this.#growing;
    if (
      slice === undefined ||
      slice.to !== from ||
      slice.count === SLICE_MESSAGES_MAX ||
      from - slice.from >= SLICE_BYTES_MAX ||
      sequence !== slice.first + slice.count
    ) {
      slice = this.#open(from, sequence, stamp);
    }
    slice.stamps[slice.count++] = stamp;
    if (stamp > slice.stampMax) slice.stampMax = stamp;
    slice.to = to;
    this.#tail = to;
    if (++this.#waiting > this.#waitingMax) this.#waitingMax = this.#waiting;
  }

  #open(from: number, first: number, stamp: number): Slice {
    const slice = this.#free.pop() ?? new Slice();
    slice.from = from;
    slice.count = 0;
    slice.first = first;
    slice.stampMax = stamp;
    this.#slices.push(slice);
    this.#growing = slice;
    return slice;
  }

  /** The next slice is under way from now on: it grows no more, and its bytes stay until `release`. */
  take(): Slice | undefined {
    const slice = this.#slices.shift();
    if (slice === this.#growing) this.#growing = undefined;
    this.#underWay = slice;
    return slice;
  }

  /** The slice under way is done. */
  release(): void {
    const done = this.#underWay;
    if (done === undefined) return;
    this.#underWay = undefined;
    this.#waiting -= done.count;
    this.#free.push(done);
    const next = this.#slices[0];
    if (next === undefined) {
      this.#head = 0;
      this.#tail = 0;
    } else {
      this.#head = next.from;
    }
  }
}
