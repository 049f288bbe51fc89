/** A few customers' orders, with everything that can be wrong with them, drawn from a seed; times within seconds. */
import type { Random } from "../../runtime/random.js";

const CUSTOMERS = 6;
const utf8 = new TextEncoder();

export class Orders {
  readonly #sent: Uint8Array[] = [];
  #ids = 0;

  constructor(private readonly random: Random) {}

  /** The next message, at this instant (ms). */
  next(now: number): Uint8Array {
    const { random } = this;
    const again = this.#sent[random.below(Math.max(1, this.#sent.length))];
    if (again !== undefined && random.chance(0.1)) return again;
    const value = random.chance(0.1)
      ? Array.from({ length: 1 + random.below(20) }, () => this.#event(now))
      : this.#event(now);
    const body = random.chance(0.02) ? utf8.encode('{"id":"cut of') : utf8.encode(JSON.stringify(value));
    this.#sent.push(body);
    return body;
  }

  #event(now: number): object {
    const { random } = this;
    const order = `o${random.below(Math.max(1, this.#ids))}`;
    const customer = `c${random.below(CUSTOMERS)}`;
    const common = { customer, time: now - random.below(random.chance(0.2) ? 2_000 : 50) };
    const amount = random.below(12_000);
    const kind = random.uniform();
    if (kind < 0.1) return { ...common, id: `r${this.#ids++}`, kind: "refund", order, amount: random.below(3_000) };
    if (kind < 0.15) return { ...common, id: `x${this.#ids++}`, kind: "cancel", order };
    if (kind < 0.25) return { ...common, id: order, amount, version: 1 + random.below(3) };
    if (kind < 0.28) return { ...common, id: `o${this.#ids++}` };
    return { ...common, id: `o${this.#ids++}`, amount, ...(random.chance(0.3) ? { channel: "store" } : {}) };
  }
}
