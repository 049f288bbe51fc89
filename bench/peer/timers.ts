/** When customers fall due: a binary heap by (instant, customer number). An entry whose customer is armed anew is stale. */
import type { Customer } from "./customer.js";

export class Timers {
  // Side by side, so that the instants are plain doubles and a comparison looks at no object.
  readonly #instants: number[] = [];
  readonly #customers: Customer[] = [];

  /** The earliest entry's instant; Infinity: none. It may be stale. */
  get first(): number {
    return this.#instants.length === 0 ? Number.POSITIVE_INFINITY : (this.#instants[0] as number);
  }

  push(instant: number, customer: Customer): void {
    const instants = this.#instants;
    const customers = this.#customers;
    let at = instants.length;
    instants.push(instant);
    customers.push(customer);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = instants[parent] as number;
      if (above < instant || (above === instant && (customers[parent] as Customer).number <= customer.number)) break;
      instants[at] = above;
      customers[at] = customers[parent] as Customer;
      at = parent;
    }
    instants[at] = instant;
    customers[at] = customer;
  }

  /** Takes the earliest entry out. There must be one. */
  pop(): Customer {
    const instants = this.#instants;
    const customers = this.#customers;
    const top = customers[0] as Customer;
    const instant = instants.pop() as number;
    const customer = customers.pop() as Customer;
    const { length } = instants;
    if (length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && this.#precedes(child + 1, child)) child++;
      const below = instants[child] as number;
      if (instant < below || (instant === below && customer.number <= (customers[child] as Customer).number)) break;
      instants[at] = below;
      customers[at] = customers[child] as Customer;
      at = child;
    }
    instants[at] = instant;
    customers[at] = customer;
    return top;
  }

  #precedes(a: number, b: number): boolean {
    const left = this.#instants[a] as number;
    const right = this.#instants[b] as number;
    return (
      left < right ||
      (left === right && (this.#customers[a] as Customer).number < (this.#customers[b] as Customer).number)
    );
  }
}
