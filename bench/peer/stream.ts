/** In a process of its own: writes the messages of one row to a file, so that nobody's heap or clock knows of it. */
import { Random } from "../../runtime/random.js";
import { type ShopEvent, simulateTraffic } from "../../runtime/simulate.js";
import { childArgument } from "../child.js";
import { type Arrival, FrameWriter } from "./frame.js";

const DAY = 86_400_000;
/** All bought within the last month, as they do in a shop as busy as the measured one. */
const HISTORY_DAYS = 25;
/** When the measured orders begin. */
const NOW = Date.UTC(2026, 0, 1);

export interface StreamSpec {
  readonly file: string;
  readonly customers: number;
  /** Orders before the measured ones, in all; each customer has one at least. A multiple of `perMessage`. */
  readonly history: number;
  readonly perMessage: number;
  /** Messages that are measured. */
  readonly messages: number;
  /** What is measured: the shop's own mix of live orders, or orders of customers drawn evenly, all in time. */
  readonly mix: "shop" | "intime";
  /** Orders a second of the measured stream's own time. */
  readonly rate: number;
}

/** In time order; the n-th order of everyone comes before the next one of anyone. */
function* history({ customers, history: orders }: StreamSpec): Generator<Arrival> {
  const start = NOW - HISTORY_DAYS * DAY;
  const gap = (HISTORY_DAYS * DAY) / orders;
  const random = new Random(1, 0);
  for (let n = 0; n < orders; n++) {
    // A prime step goes through all customers in an order that has nothing to do with their ids.
    const number = (n * 611_953) % customers;
    const time = Math.floor(start + n * gap);
    yield { at: time, event: order(number, `h${n}`, time, random) };
  }
}

function* inTime({ customers, rate }: StreamSpec): Generator<Arrival> {
  const random = new Random(2, 0);
  for (let n = 0; ; n++) {
    const time = NOW + Math.floor((n * 1000) / rate);
    yield { at: time, event: order(random.below(customers), `i${n}`, time, random) };
  }
}

function order(number: number, id: string, time: number, random: Random): ShopEvent {
  // So little that of someone who bought before hardly a band changes.
  const amount = 100 + random.below(400);
  return { id, customer: `c${String(number).padStart(6, "0")}`, time, amount, channel: "web" };
}

const spec = childArgument<StreamSpec>();
const { customers, rate, perMessage } = spec;
const file = new FrameWriter(spec.file, perMessage);
for (const arrival of history(spec)) file.write(arrival);
const shop = { seed: 20_260_101, customers, start: NOW - 400 * DAY, end: NOW, rate };
let left = spec.messages * perMessage;
for (const arrival of spec.mix === "shop" ? simulateTraffic(shop) : inTime(spec)) {
  if (left-- === 0) break;
  file.write(arrival);
}
file.close();
console.log("{}");
