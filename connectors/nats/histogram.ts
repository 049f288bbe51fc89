/** A histogram of seconds with fixed buckets: plain numbers, so that it crosses threads. */
import type { HistogramValue } from "../edge.js";

const BUCKETS = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

export class Histogram {
  readonly #counts = new Array<number>(BUCKETS.length + 1).fill(0);
  #sum = 0;
  #count = 0;

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < BUCKETS.length && seconds > (BUCKETS[bucket] as number)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += seconds;
    this.#count++;
  }

  value(): HistogramValue {
    return { buckets: BUCKETS, counts: [...this.#counts], sum: this.#sum, count: this.#count };
  }
}
