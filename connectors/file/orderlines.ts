/**
 * Rows that are the lines of orders: those of one order id are one order. Its amount is the exact sum of theirs, its
 * time the earliest. A cell that is empty says nothing; other lines of the order may say it. Lines that name several
 * customers (or channels, currencies, kinds) are an order each, and counted: nothing is merged that disagrees.
 *
 * Lines of one order may lie anywhere. Neighbours are folded as they come; what that leaves is sorted by order id,
 * on disk beyond the memory allowed, and folded again.
 */
import { Decoder, Encoder } from "@msgpack/msgpack";
import { InputError } from "../../runtime/errors.js";
import { customerHash } from "../../runtime/subjects.js";
import { add } from "./decimal.js";
import type { FileItem } from "./item.js";
import type { Line, OrderEvent } from "./mapping.js";
import { Sorter, type SortOptions } from "./sort.js";

/** What some lines of one order say together. */
export interface Order extends Line {
  readonly lines: number;
  /** Number of the first of its rows. */
  readonly row: number;
}

export interface LineTally {
  /** Orders that the lines make. */
  orders: number;
  /** Order ids whose lines name several customers: each customer's lines are an order. */
  severalCustomers: number;
  /** The first such order id; null for none. */
  example: string | null;
}

/** Customers (channels, currencies, kinds) of one order id; more are a wrong column. */
const PER_ID_MAX = 1000;
/** Fields in which lines of one order agree, or say nothing. */
const AGREEING = ["customer", "channel", "currency", "kind", "order"] as const;

const encoder = new Encoder({ ignoreUndefined: true });
const decoder = new Decoder();

/** Takes lines with `add`, then gives back orders. To be closed, whatever happens. */
export class OrderLines {
  readonly tally: LineTally = { orders: 0, severalCustomers: 0, example: null };
  readonly #sorter: Sorter;
  #open: Order | null = null;
  #batch: FileItem[] = [];

  constructor(sort: SortOptions) {
    this.#sorter = new Sorter({ ...sort, by: "customer" }); // the "customer" is the order
  }

  /** A line whose id is a text. `flush` is to follow before many more. */
  add(line: Line, row: number): void {
    const order = { ...line, lines: 1, row };
    const open = this.#open;
    if (open !== null && open.event.id === line.event.id && agree(open.event, line.event, "exactly")) {
      this.#open = merged(open, order);
      return;
    }
    if (open !== null) this.#batch.push(packed(open));
    this.#open = order;
  }

  /** Makes room, on the disk where there is none in memory. Throws FatalError (DISK_FULL). */
  async flush(): Promise<void> {
    await this.#sorter.add(this.#batch);
    this.#batch = [];
  }

  /** Every order once, in no particular order. Throws InputError (USAGE) for ids of more than 1,000 customers. */
  async *orders(): AsyncGenerator<Order[], void, undefined> {
    if (this.#open !== null) this.#batch.push(packed(this.#open));
    this.#open = null;
    await this.flush();
    const ids = new Map<unknown, Order[]>(); // those of one hash
    let hash = -1;
    for await (const items of this.#sorter.sorted()) {
      const done: Order[] = [];
      for (const item of items) {
        if (item.hash !== hash) done.push(...this.#closed(ids));
        hash = item.hash;
        const order = unpacked(item);
        const same = ids.get(order.event.id);
        if (same === undefined) ids.set(order.event.id, [order]);
        else gather(same, order);
      }
      if (done.length > 0) yield done;
    }
    yield this.#closed(ids);
  }

  async close(): Promise<void> {
    await this.#sorter.close();
  }

  #closed(ids: Map<unknown, Order[]>): Order[] {
    const done = [...ids.values()].flatMap((orders) => this.#completed(orders));
    ids.clear();
    this.tally.orders += done.length;
    return done;
  }

  /** What says less than exactly one other goes into it. */
  #completed(orders: Order[]): Order[] {
    let left = [...orders].sort((a, b) => a.row - b.row);
    for (const order of orders) {
      if (left.length === 1) break;
      const [into, ...others] = left.filter((other) => other !== order && agree(order.event, other.event, "within"));
      if (into === undefined || others.length > 0) continue;
      left = left.flatMap((one) => (one === order ? [] : one === into ? [merged(into, order)] : [one]));
    }
    const customers = new Set(left.flatMap(({ event: { customer } }) => (customer === undefined ? [] : [customer])));
    if (customers.size > 1) {
      this.tally.severalCustomers++;
      this.tally.example ??= String(left[0]?.event.id);
    }
    return left;
  }
}

/** "exactly": the same in every field; "within": what `a` says, `b` says, too. */
function agree(a: OrderEvent, b: OrderEvent, how: "exactly" | "within"): boolean {
  return AGREEING.every((field) => a[field] === b[field] || (how === "within" && a[field] === undefined));
}

function gather(orders: Order[], order: Order): void {
  const at = orders.findIndex(({ event }) => agree(event, order.event, "exactly"));
  if (at >= 0) orders[at] = merged(orders[at] as Order, order);
  else if (orders.push(order) > PER_ID_MAX) {
    throw new InputError(
      "USAGE",
      `rows of order id ${JSON.stringify(order.event.id)} name more than ${PER_ID_MAX} customers`,
      { remedy: "Name the column of the order's id with --map id=COLUMN, or leave out --lines." },
    );
  }
}

/** Both together. What the earlier row says stands where both say it. */
function merged(a: Order, b: Order): Order {
  if (b.row < a.row) return merged(b, a);
  const event = { ...b.event, ...a.event };
  const times = [a.time, b.time].filter((time) => time !== null);
  const unreadable = [a, b].find(({ event, time }) => time === null && event.time !== undefined);
  const time = unreadable === undefined && times.length > 0 ? Math.min(...times) : null;
  const eventTime = unreadable?.event.time ?? time;
  if (eventTime !== null) event.time = eventTime;
  // One line that can't be read makes the sum unknown: the order keeps that text, for the kernel to refuse.
  event.amount = a.event.amount ?? b.event.amount;
  if (typeof a.event.version === "number" && typeof b.event.version === "number") {
    event.version = Math.max(a.event.version, b.event.version);
  }
  if (b.event.test === true) event.test = true;
  const amount = a.amount === undefined || b.amount === undefined ? (a.amount ?? b.amount) : add(a.amount, b.amount);
  return {
    event,
    time,
    amount: event.amount === undefined ? amount : undefined,
    lines: a.lines + b.lines,
    row: a.row,
  };
}

type Packed = readonly [row: number, lines: number, time: number | null, units: string, places: number, event: object];

/** As the sorter takes it; `units` is empty where there is no amount. */
function packed({ event, time, amount, lines, row }: Order): FileItem {
  const fields: Packed = [
    row,
    lines,
    time,
    amount === undefined ? "" : String(amount.units),
    amount?.places ?? 0,
    event,
  ];
  const body = encoder.encode(fields);
  return {
    time: 0,
    partition: 0,
    hash: customerHash(String(event.id)),
    channel: "",
    form: "msgpack",
    whole: false,
    body,
  };
}

function unpacked({ body }: FileItem): Order {
  const [row, lines, time, units, places, event] = decoder.decode(body) as Packed;
  return { event, time, amount: units === "" ? undefined : { units: BigInt(units), places }, lines, row };
}
