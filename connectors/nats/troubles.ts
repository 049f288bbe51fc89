/**
 * Tells of troubles that may come dozens of times a second (two owners of a partition, each with its publishes refused
 * by what the other has stored): the first at once, those that follow within some seconds together in one line.
 */
const TELL_MS = 10_000;

export class Troubles {
  readonly #tell: (text: string) => void;
  #more = 0;
  #last = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(tell: (text: string) => void) {
    this.#tell = tell;
  }

  add(reason: string): void {
    if (this.#timer === undefined) {
      this.#tell(reason);
      this.#wait();
      return;
    }
    this.#more++;
    this.#last = reason;
  }

  /** What is yet untold is told now. */
  close(): void {
    clearTimeout(this.#timer);
    this.#tellMore();
  }

  #wait(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#tellMore()) this.#wait();
    }, TELL_MS);
  }

  #tellMore(): boolean {
    if (this.#more === 0) return false;
    this.#tell(this.#more === 1 ? this.#last : `${this.#last}; ${this.#more} times since the last line`);
    this.#more = 0;
    return true;
  }
}
