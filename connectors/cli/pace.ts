/** So many events a second, and not more. */
import { setTimeout as delay } from "node:timers/promises";

/** Shorter waits are not worth a timer. */
const WAIT_MS_MIN = 4;

export class Pace {
  readonly #rate: number | undefined;
  readonly #signal: AbortSignal;
  readonly #started = performance.now();
  #events = 0;

  /** Without a rate it never waits. */
  constructor(rate: number | undefined, signal: AbortSignal) {
    this.#rate = rate;
    this.#signal = signal;
  }

  /** How long these events have to wait, ms. */
  get wait(): number {
    if (this.#rate === undefined) return 0;
    const ms = this.#started + (1000 * this.#events) / this.#rate - performance.now();
    return ms < WAIT_MS_MIN ? 0 : ms;
  }

  /** Resolves when it is their turn. Rejects when the signal aborts. */
  async turn(events: number): Promise<void> {
    const { wait } = this;
    if (wait > 0) await delay(wait, undefined, { signal: this.#signal });
    this.#signal.throwIfAborted();
    this.#events += events;
  }
}
