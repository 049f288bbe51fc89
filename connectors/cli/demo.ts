/** `tidemark run --demo`: a simulated shop, its history first and silent, then orders of now at a gentle rate. */
import { setTimeout as delay } from "node:timers/promises";
import type { Settings } from "../../runtime/settings.js";
import { type ShopOptions, simulateShop, simulateTraffic } from "../../runtime/simulate.js";
import { BATCH_BYTES, BATCH_EVENTS, Batcher, placeEvent } from "../file/index.js";
import { type Broker, type BrokerOptions, connectBroker } from "../nats/broker.js";
import { ensureOrdersStreams, streamState } from "../nats/streams.js";
import { Publishing } from "./publishing.js";
import { counted, percent, progress } from "./terminal.js";

const DAY = 86_400_000;
const HISTORY_DAYS = 400;
const SEED = 1;
/** The buyers of these days reach the ends of recency bands from soon after the start on: something moves at once. */
const NEWSLETTER_DAYS = [30, 90, 365];
const FIRST_DEPARTURE_MS = 15_000;

function shopUntil(end: number, customers: number): ShopOptions {
  const newsletters = NEWSLETTER_DAYS.map((days) => end - days * DAY + FIRST_DEPARTURE_MS);
  return { seed: SEED, customers, start: end - HISTORY_DAYS * DAY, end, newsletters };
}

/**
 * Publishes the shop's history where the orders streams are empty: before the engine's first start, so that it is
 * silent. Returns the events published, 0 where there was a history.
 */
export async function publishHistory(
  options: BrokerOptions,
  settings: Settings,
  customers: number,
  signal: AbortSignal,
): Promise<number> {
  const broker = await connectBroker({ ...options, name: "tidemark demo" });
  try {
    if (!(await isEmpty(broker, settings))) return 0;
  } finally {
    await broker.close();
  }
  const publishing = await Publishing.open({ ...options, name: "tidemark demo" }, settings);
  try {
    const bytesMax = Math.min(BATCH_BYTES, settings.messageBytesMax);
    const batcher = new Batcher({ partitions: settings.partitions, eventsMax: BATCH_EVENTS, bytesMax });
    const shop = shopUntil(Date.now(), customers);
    for (const { at, event } of simulateShop(shop)) {
      signal.throwIfAborted();
      for (const message of batcher.add(placeEvent(event, settings))) await publishing.send(message, true);
      progress.show(
        () => `history: ${percent(at - shop.start, shop.end - shop.start)}, ${counted(publishing.events, "event")}`,
      );
    }
    for (const message of batcher.flush()) await publishing.send(message, true);
    await publishing.flush();
  } finally {
    await publishing.close();
    progress.clear();
  }
  return publishing.events;
}

async function isEmpty(broker: Broker, settings: Settings): Promise<boolean> {
  for (const { input } of await ensureOrdersStreams(broker, settings)) {
    if ((await streamState(broker, input)).last_seq > 0) return false;
  }
  return true;
}

/** Publishes orders as they happen, `rate` a second, until the signal aborts. */
export async function publishTraffic(
  options: BrokerOptions,
  settings: Settings,
  customers: number,
  rate: number,
  signal: AbortSignal,
): Promise<void> {
  const publishing = await Publishing.open({ ...options, name: "tidemark demo" }, settings);
  try {
    for (const { at, event } of simulateTraffic({ ...shopUntil(Date.now(), customers), rate })) {
      const early = at - Date.now();
      if (early > 0) await delay(early, undefined, { signal });
      signal.throwIfAborted();
      const batcher = new Batcher({
        partitions: settings.partitions,
        eventsMax: 1,
        bytesMax: settings.messageBytesMax,
      });
      for (const message of batcher.add(placeEvent(event, settings))) await publishing.send(message, false);
    }
  } finally {
    await publishing.close();
  }
}
