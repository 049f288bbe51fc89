/**
 * What is published: a simulated shop, its forty days pressed into the seconds of a run, and more goes wrong with its
 * messages than with a real one's. Durations of the models are pressed alike, so that time alone moves customers, too.
 */
import { encode } from "@msgpack/msgpack";
import { Random } from "../../runtime/random.js";
import { type Arrival, simulateShop } from "../../runtime/simulate.js";
import { partitionOf } from "../../runtime/subjects.js";
import type { ModelWords } from "../oracle/words.js";

const DAY = 86_400_000;
const SHOP_DAYS = 40;

export const NAME = "chaos";
export const PARTITIONS = 3;
export const HORIZON = "15s";
export const PARK_FOR = "4s";
export const FUTURE_TOLERANCE = "24h";

export const MODELS: ModelWords[] = [
  {
    name: "quick",
    channels: "*",
    currency: "EUR",
    recency: {
      bands: [
        { name: "short", max: "2s", points: 5 },
        { name: "medium", max: "6s", points: 3 },
        { name: "long", points: 1 },
      ],
    },
    frequency: {
      window: "10s",
      bands: [
        { name: "often", min: 3, points: 5 },
        { name: "casual", min: 1, points: 1 },
      ],
    },
    monetary: {
      window: "3s",
      bands: [
        { name: "big", min: 8_000, points: 5 },
        { name: "small", min: 1, points: 1 },
      ],
    },
    tenure: { bands: [{ name: "new", max: "4s" }, { name: "known" }] },
    segments: [
      { name: "Best", when: { recency: ["short"], monetary: ["big"] } },
      { name: "New", when: { tenure: ["new"] } },
      { name: "Gone", when: { recency: ["long"] } },
    ],
  },
  {
    name: "till",
    channels: ["store"],
    currency: "EUR",
    fullRefund: "keep",
    recency: { bands: [{ name: "short", max: "3s" }, { name: "long" }] },
    frequency: { window: "ever", bands: [{ name: "some", min: 1 }] },
    monetary: { window: "5s", bands: [{ name: "any", min: 0 }] },
    segments: [{ name: "Regular", when: { recency: ["short"] } }],
  },
];

export interface Publication {
  /** Ms from the start of the run; below 0: before the first engine starts. */
  readonly at: number;
  readonly partition: number;
  readonly channel: string;
  readonly body: Uint8Array;
  readonly silent: boolean;
  /** With a message id, which the broker drops repeats by; without, a publisher's second try is a second message. */
  readonly id?: string;
}

/** Messages in the order of their publication. `start` is the instant of the run's 0, ms. */
export function publicationsOf(seed: number, customers: number, start: number, durationMs: number): Publication[] {
  const random = new Random(seed, 2);
  const shop = simulateShop({ seed, customers, start: 0, end: SHOP_DAYS * DAY });
  // A fifth of it is history when the first engine starts.
  const before = durationMs / 4;
  const press = (ms: number) => Math.floor((ms / (SHOP_DAYS * DAY)) * (durationMs + before)) - before;
  const publications: Publication[] = [];
  const open = new Map<number, { at: number; events: object[]; left: number }>();
  let number = 0;
  const publish = (at: number, partition: number, body: Uint8Array, channel = "web") => {
    const one = { at, partition, channel, body, silent: random.chance(0.03) };
    const named = random.chance(0.6) ? { ...one, id: `${seed}-${number++}` } : one;
    publications.push(named);
    // Sent again by a publisher that knows no ids, at once or much later.
    if (random.chance(0.05))
      publications.push({ ...one, at: at + random.below(random.chance(0.5) ? 20 : durationMs / 4) });
  };
  for (const arrival of shop) {
    const at = press(arrival.at) + (random.chance(0.05) ? random.below(2_000) : 0);
    const event = pressed(arrival, press, start);
    const partition = partitionOf(arrival.event.customer, PARTITIONS);
    if (random.chance(0.02)) publish(at, partition, flawed(random, event));
    const batch = open.get(partition);
    if (batch !== undefined) {
      batch.events.push(event);
      batch.at = Math.max(batch.at, at);
      if (--batch.left > 0) continue;
      open.delete(partition);
      publish(batch.at, partition, bytesOf(random, batch.events));
    } else if (random.chance(0.03)) open.set(partition, { at, events: [event], left: 1 + random.below(8) });
    else publish(at, partition, bytesOf(random, event), arrival.event.channel);
  }
  for (const [partition, { at, events }] of open) publish(at, partition, bytesOf(random, events));
  return publications.filter(({ at }) => at < durationMs).sort((a, b) => a.at - b.at);
}

function pressed({ event }: Arrival, press: (ms: number) => number, start: number): object {
  return { ...event, time: start + press(event.time) };
}

function bytesOf(random: Random, value: object): Uint8Array {
  return random.chance(0.3) ? encode(value) : utf8.encode(JSON.stringify(value));
}
const utf8 = new TextEncoder();

/** The event, wrong in one way. */
function flawed(random: Random, event: object): Uint8Array {
  const { amount: _amount, ...poor } = event as { amount?: unknown };
  const own = { ...event, id: `flawed-${random.below(1e9)}` };
  const bodies = [
    JSON.stringify(poor),
    JSON.stringify({ ...own, amount: 1.5, kind: "order" }),
    JSON.stringify({ ...own, amount: "12", kind: "order" }),
    JSON.stringify({ ...own, kind: "visit" }),
    JSON.stringify({ ...own, currency: "USD", kind: "order", amount: 5 }),
    JSON.stringify({ ...own, time: 5, kind: "order", amount: 5 }),
    // The same order with other content: a conflict.
    JSON.stringify({ ...event, amount: 77_777 }),
    JSON.stringify([own, { ...own, id: 3 }, "none"]),
    '{"id":"cut off',
    "",
  ];
  return utf8.encode(bodies[random.below(bodies.length)] ?? "");
}
