/** Reversals that wait for their orders, in order of arrival. */
import type { Reversal } from "./customer.js";

export class Parking {
  #queue: Reversal[] = [];
  #head = 0;
  /** How many wait. */
  size = 0;

  park(reversal: Reversal, until: number): void {
    reversal.waitsUntil = until;
    const { customer } = reversal;
    if (customer.waiting === undefined) customer.waiting = [reversal];
    else customer.waiting.push(reversal);
    this.#queue.push(reversal);
    this.size++;
  }

  /** Ends a reversal's waiting. */
  unpark(reversal: Reversal): void {
    const { customer } = reversal;
    reversal.waitsUntil = 0;
    const left = customer.waiting?.filter((it) => it !== reversal);
    customer.waiting = left === undefined || left.length === 0 ? undefined : left;
    this.size--;
  }

  /** The reversal that waits longest. */
  first(): Reversal | undefined {
    // Those that were met on the way are dropped when they come to the front.
    while (this.#head < this.#queue.length && (this.#queue[this.#head] as Reversal).waitsUntil === 0) this.#head++;
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return this.#queue[this.#head];
  }
}
