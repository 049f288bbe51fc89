/** A made-up shop for tests on real servers: its configuration and its orders. */
import type { Broker } from "../../connectors/nats/broker.js";
import { OrdersPublisher } from "../../connectors/nats/publisher.js";
import { compileSettings, defaultConfig } from "../../runtime/config/index.js";
import type { Settings } from "../../runtime/settings.js";
import { partitionOf } from "../../runtime/subjects.js";

export const never = new AbortController().signal;
export const text = new TextEncoder();
export const DAY = 86_400_000;

export function settingsWith(change: object = {}): Settings {
  const capacity = { customers: 20_000, entries: 100_000, idBytes: 800_000 };
  return compileSettings({ ...defaultConfig(), name: "t", partitions: 4, capacity, ...change });
}

export interface Order {
  readonly id: string;
  readonly customer: string;
  readonly time: number;
  readonly amount: number;
  readonly kind?: string;
  readonly order?: string;
}

/** A made-up shop of a few hundred customers, some orders of each, and refunds. */
export function shop(count: number, from: number, step: number): Order[] {
  return Array.from({ length: count }, (_, i) => {
    const customer = `c${(i * 7_919) % 311}`;
    const time = from + i * step;
    if (i % 17 === 16)
      return {
        id: `r${i}`,
        customer: `c${((i - 3) * 7_919) % 311}`,
        time,
        amount: 500,
        kind: "refund",
        order: `o${i - 3}`,
      };
    return { id: `o${i}`, customer, time, amount: 1_000 + ((i * 104_729) % 60_000) };
  });
}

export async function publish(
  broker: Broker,
  settings: Settings,
  orders: readonly Order[],
  silent = false,
): Promise<void> {
  const publisher = new OrdersPublisher(broker, settings);
  for (const order of orders) {
    const id = `web/${order.kind ?? "order"}/${order.customer}/${order.id}/0`;
    await publisher.publish(
      partitionOf(order.customer, settings.partitions),
      "web",
      text.encode(JSON.stringify(order)),
      { id, silent },
    );
  }
  await publisher.flush();
  publisher.close();
}
