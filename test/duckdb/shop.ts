/** A simulated shop for the comparison with SQL: seeded, in order of arrival, every kind of event. */

export const DAY = 86_400_000;
export const EPOCH = Date.UTC(2026, 0, 1);
const HOUR = 3_600_000;

export interface ShopEvent {
  arrival: number;
  kind: "order" | "refund" | "cancel";
  id: string;
  customer: string;
  channel: "web" | "store";
  time: number;
  amount: number;
  version: number;
  /** Empty: names none. */
  order: string;
}

/** Numbers in [0, 1), the same for the same seed (mulberry32, public domain). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Orders over `days` days. Half the times fall on whole hours, so that windows end exactly at an instant asked for. */
export function shopEvents(customers: number, days: number, seed: number): ShopEvent[] {
  const random = generator(seed);
  const whole = (max: number) => Math.floor(random() * max);
  const soon = (daysMax: number) => (random() < 0.5 ? whole(daysMax * 24) * HOUR : whole(daysMax * DAY));
  const events: ShopEvent[] = [];
  for (let c = 0; c < customers; c++) {
    const customer = `c${c}`;
    // Most buy a few times, some often.
    const orders = 1 + Math.floor(-Math.log(1 - random()) * 7.5);
    for (let o = 0; o < orders; o++) {
      const id = `o${o}`;
      const channel = random() < 0.7 ? "web" : "store";
      const time = EPOCH + soon(days);
      const amount = 100 * whole(200);
      const arrival = time + (random() < 0.1 ? soon(10) : 0);
      const base = { id, customer, channel, order: "" } as const;
      const order: ShopEvent = { ...base, arrival, kind: "order", time, amount, version: 1 };
      events.push(order);
      if (random() < 0.01) events.push({ ...order, arrival: arrival + soon(20) });
      if (random() < 0.04) {
        // Corrected, half of them in their time too.
        const corrected = random() < 0.5 ? time : time - soon(5);
        events.push({ ...order, arrival: arrival + soon(30), time: corrected, amount: 100 * whole(200), version: 2 });
      }
      // Reversals are told from the order's own time on: some come before a late order does.
      if (random() < 0.05) {
        const at = time + soon(20);
        events.push({ ...base, arrival: at, kind: "cancel", id: `x${o}`, time: at, amount: 0, version: 0, order: id });
      }
      for (let r = 0; r < 2 && random() < 0.08; r++) {
        const at = time + soon(25);
        const back = random() < 0.4 ? amount : whole(amount + 1000);
        const own = { kind: "refund", id: `r${o}-${r}`, time: at, amount: back, version: 0 } as const;
        events.push({ ...base, ...own, arrival: at, order: id });
      }
      if (random() < 0.03) {
        const at = time + soon(60);
        events.push({
          ...base,
          arrival: at,
          kind: "refund",
          id: `l${o}`,
          time: at,
          amount: 50 * whole(100),
          version: 0,
        });
      }
    }
  }
  return events.sort((a, b) => a.arrival - b.arrival);
}
