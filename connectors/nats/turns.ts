/**
 * The partitions of one thread tick in turn. When customers of all of them are overdue, each tick brings up to 1,024
 * records: all at once, a live order of any partition would wait for those of every other one.
 */

/** Who does not get on (its stream takes nothing, say) holds the others up for so long. */
export const TURN_MS_MAX = 500;

export class Turns {
  #holder: (() => void) | undefined;
  #since = 0;
  /** In the order in which they came. */
  readonly #waiting = new Set<() => void>();

  /** True where the turn is now that one's. Else it is called when it may be; at the latest it asks again itself. */
  take(who: () => void): boolean {
    const now = performance.now();
    if (this.#holder !== undefined && this.#holder !== who && now - this.#since < TURN_MS_MAX) {
      this.#waiting.add(who);
      return false;
    }
    this.#waiting.delete(who);
    this.#holder = who;
    this.#since = now;
    return true;
  }

  /** Ends the turn, where it is that one's: those who wait are called, the longest first, until one takes it. */
  pass(who: () => void): void {
    if (this.#holder !== who) return;
    this.#holder = undefined;
    for (const next of [...this.#waiting]) {
      next();
      if (this.#holder !== undefined) return;
    }
  }

  /** Nothing is to be ticked any more: it has no turn and waits for none. */
  leave(who: () => void): void {
    this.#waiting.delete(who);
    this.pass(who);
  }
}
