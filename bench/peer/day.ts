/**
 * In a process of its own: writes a shop's history and the 24 hours after it, each both as messages and as CSV.
 * Files of hour h: `h.frames`, `h.csv`; of the history: `history.frames`, `history.csv`.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Random } from "../../runtime/random.js";
import { type ShopEvent, simulateTraffic } from "../../runtime/simulate.js";
import { childArgument } from "../child.js";
import { FrameWriter } from "./frame.js";
import { type DaySpec, endOf, HOUR_MS, HOURS, MIDNIGHT } from "./hour.js";

const DAY = HOURS * HOUR_MS;
/** Shorter than the horizon: what the row keeps of orders beyond it is not in question. */
const HISTORY_DAYS = 390;
const REFUNDED = 0.04;
/** Orders of a message of the history; in the day each is a message of its own. */
const PER_MESSAGE = 100;

/** Columns of the CSV. */
const COLUMNS = ["kind", "id", "customer", "channel", "time", "amount", "version", "order"] as const;

/** Writes events both ways. */
class Both {
  readonly #frames: FrameWriter;
  readonly #csv: number;
  #lines: string[] = [];

  constructor(folder: string, name: string, perMessage: number) {
    this.#frames = new FrameWriter(join(folder, `${name}.frames`), perMessage);
    this.#csv = openSync(join(folder, `${name}.csv`), "w");
  }

  write(at: number, event: ShopEvent): void {
    this.#frames.write({ at, event });
    // Test orders are nobody's business.
    if (event.test === true) return;
    const row = { ...event, kind: event.kind ?? "order", version: event.version ?? 0, amount: event.amount ?? 0 };
    this.#lines.push(COLUMNS.map((column) => row[column] ?? "").join(","));
    if (this.#lines.length >= 10_000) this.#flush();
  }

  close(): void {
    this.#frames.close();
    this.#flush();
    closeSync(this.#csv);
  }

  #flush(): void {
    if (this.#lines.length > 0) writeSync(this.#csv, `${this.#lines.join("\n")}\n`);
    this.#lines = [];
  }
}

/** Orders through the history's days, some of them refunded; all of it arrives at midnight. */
function writeHistory({ folder, customers, history }: DaySpec): void {
  const both = new Both(folder, "history", PER_MESSAGE);
  const random = new Random(1, 0);
  const channel = "web";
  for (let n = 0; n < history; n++) {
    const number = (n * 611_953) % customers;
    const customer = `c${String(number).padStart(6, "0")}`;
    const time = Math.floor(MIDNIGHT - HISTORY_DAYS * DAY + (n * HISTORY_DAYS * DAY) / history);
    const amount = 500 + random.below(6000);
    const id = `h${n}`;
    both.write(MIDNIGHT, { id, customer, time, amount, channel });
    if (!random.chance(REFUNDED)) continue;
    const back = random.chance(0.5) ? amount : 1 + random.below(amount);
    both.write(MIDNIGHT, { kind: "refund", id: `${id}-r`, customer, time, amount: back, channel, order: id });
  }
  both.close();
}

function writeDay({ folder, customers, orders }: DaySpec): void {
  const shop = { seed: 20_260_101, customers, start: MIDNIGHT - HISTORY_DAYS * DAY, end: MIDNIGHT };
  const traffic = simulateTraffic({ ...shop, rate: orders / (DAY / 1000) });
  let hour = 0;
  let both = new Both(folder, "0", 1);
  for (const { at, event } of traffic) {
    while (at >= endOf(hour)) {
      both.close();
      if (++hour === HOURS) return;
      both = new Both(folder, String(hour), 1);
    }
    both.write(at, event);
  }
}

const spec = childArgument<DaySpec>();
writeHistory(spec);
writeDay(spec);
console.log("{}");
