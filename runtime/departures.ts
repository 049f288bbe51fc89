/** Who leaves a segment in the coming days if nothing more is bought. */
import type { Outlook } from "./kernel.js";
import type { Model } from "./settings.js";

/** Days looked ahead, of 24 hours, counted from the instant at which the rows are exact. */
export const DAYS = 30;
const DAY_MS = 86_400_000;

/** Customers by the day on which they leave the segment that they are in, with what they are worth now. */
export interface Departures {
  readonly segment: string;
  /** By day: the first is that which begins now. Who leaves at the very end of a day leaves on that day. */
  readonly customers: readonly number[];
  /** Minor units. */
  readonly revenue: readonly bigint[];
  /** The same, by the segment that they go to: in rule order, only where somebody goes. */
  readonly to: readonly Omit<Departures, "to">[];
}

/** Takes outlooks of one model one by one. A customer counts once: when it first leaves the segment it is in. */
export class DepartureCount {
  readonly #model: Model;
  readonly #now: number;
  /** By segment, then the segment behind it. */
  readonly #flows = new Map<number, Map<number, Flow>>();

  /** `now`: the instant, ms, at which the outlooks are exact. */
  constructor(model: Model, now: number) {
    this.#model = model;
    this.#now = now;
  }

  add({
    segment,
    nextAt,
    nextSegment,
    revenue,
  }: Pick<Outlook, "segment" | "nextAt" | "nextSegment" | "revenue">): void {
    if (segment === null || nextAt === null) return;
    const day = Math.ceil((nextAt - this.#now) / DAY_MS) - 1;
    if (day < 0 || day >= DAYS) return;
    const flows = this.#flows.get(segment) ?? new Map<number, Flow>();
    const flow = flows.get(nextSegment) ?? newFlow();
    flow.customers[day] = (flow.customers[day] as number) + 1;
    flow.revenue[day] = (flow.revenue[day] as bigint) + BigInt(revenue);
    this.#flows.set(segment, flows.set(nextSegment, flow));
  }

  /** Of every segment, in rule order. */
  all(): Departures[] {
    return this.#model.segments.map((name, segment) => {
      const flows = [...(this.#flows.get(segment) ?? [])].sort(([a], [b]) => a - b);
      const total = newFlow();
      for (const [, { customers, revenue }] of flows) {
        for (let day = 0; day < DAYS; day++) {
          total.customers[day] = (total.customers[day] as number) + (customers[day] as number);
          total.revenue[day] = (total.revenue[day] as bigint) + (revenue[day] as bigint);
        }
      }
      const to = flows.map(([next, flow]) => ({ segment: this.#model.segments[next] as string, ...flow }));
      return { segment: name, ...total, to };
    });
  }
}

interface Flow {
  readonly customers: number[];
  readonly revenue: bigint[];
}

function newFlow(): Flow {
  return { customers: new Array<number>(DAYS).fill(0), revenue: new Array<bigint>(DAYS).fill(0n) };
}
