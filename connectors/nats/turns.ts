/**
 * The partitions of one thread tick in turn. When customers of all of them are overdue, each tick brings many records:
 * all at once, a live order of any partition would wait for those of every other one. Two have their turn at a time: the
 * one fires while what the other has fired is being stored.
 */

/** Who does not get on (its stream takes nothing, say) holds the others up for so long. */
export const TURN_MS_MAX = 500;
const AT_ONCE = 2;

export class Turns {
  readonly #atOnce: number;
  /** Those who have their turn, and since when: the longest first. */
  readonly #holders = new Map<() => void, number>();
  /** In the order in which they came. */
  readonly #waiting = new Set<() => void>();

  constructor(atOnce = AT_ONCE) {
    this.#atOnce = atOnce;
  }

  /** True where the turn is now that one's. Else it is called when it may be; at the latest it asks again itself. */
  take(who: () => void): boolean {
    const now = performance.now();
    if (!this.#holders.has(who) && this.#areTaken(now)) {
      this.#waiting.add(who);
      return false;
    }
    this.#waiting.delete(who);
    this.#holders.delete(who);
    this.#holders.set(who, now);
    return true;
  }

  /** Ends the turn, where it is that one's: those who wait are called, the longest first, until one takes it. */
  pass(who: () => void): void {
    if (!this.#holders.delete(who)) return;
    for (const next of [...this.#waiting]) {
      if (this.#holders.size >= this.#atOnce) return;
      next();
    }
  }

  /** Nothing is to be ticked any more: it has no turn and waits for none. */
  leave(who: () => void): void {
    this.#waiting.delete(who);
    this.pass(who);
  }

  /** True where all turns are taken by those whose time is not over. */
  #areTaken(now: number): boolean {
    if (this.#holders.size < this.#atOnce) return false;
    const [longest] = this.#holders;
    if (longest === undefined || now - longest[1] < TURN_MS_MAX) return true;
    this.#holders.delete(longest[0]);
    return false;
  }
}
