/** What the service keeps: customers, their orders as a list in event-time order, reversals, rows. */

/** An order, or a refund without order, from its arrival until it leaves the horizon. */
export class Order {
  previous: Order | undefined = undefined;
  next: Order | undefined = undefined;
  reversals: Reversal[] | undefined = undefined;
  /** Sum of the refunds that name it, minor units. */
  refunded = 0;
  /** Highest version of its cancels that have one; −1: none. */
  cancelVersion = -1;
  /** A cancel without version. */
  isFinal = false;

  constructor(
    readonly isOrder: boolean,
    readonly id: string,
    readonly channel: string,
    public time: number,
    public amount: number,
    public currency: string | null,
    public version: number,
  ) {}
}

/** A refund or cancel that names an order: with it, or waiting for it. */
export interface Reversal {
  readonly isOrder?: never;
  readonly kind: "refund" | "cancel";
  readonly id: string;
  readonly channel: string;
  readonly orderId: string;
  readonly time: number;
  readonly amount: number;
  readonly currency: string | null;
  readonly version: number;
  /** Undefined while it waits. */
  order: Order | undefined;
  /** The end of its waiting; 0: over. */
  waitsUntil: number;
  readonly customer: Customer;
  /** For a dead letter. */
  readonly value: unknown;
  readonly index: number;
}

/** One model's view of a customer. Times 0: none. */
export class Row {
  recency = 0;
  frequency = 0;
  monetary = 0;
  tenure = 0;
  /** −1: in none. */
  segment = -1;
  since = 0;
  revision = 0;
  orders = 0;
  spend = 0;
  ordersEver = 0;
  spendEver = 0;
  firstTime = 0;
  lastTime = 0;
  /** First and last time of the counting orders that have left the horizon. */
  pastFirst = 0;
  pastLast = 0;
  newest: Order | undefined = undefined;
  first: Order | undefined = undefined;
  /** Oldest entry in each window. */
  countFrom: Order | undefined = undefined;
  sumFrom: Order | undefined = undefined;
}

// A customer with more entries finds them by key; with fewer a look at each is quicker, and there are no maps to keep.
const LISTED_MAX = 12;

export class Customer {
  oldest: Order | undefined = undefined;
  newest: Order | undefined = undefined;
  entries = 0;
  /** Reversals that wait, in order of arrival. */
  waiting: Reversal[] | undefined = undefined;
  hasRows = false;
  /** Instant of the timer; Infinity: none. */
  armed = Number.POSITIVE_INFINITY;
  #byKey: Map<string, Order> | undefined = undefined;

  constructor(
    readonly id: string,
    readonly number: number,
    readonly rows: readonly Row[],
  ) {}

  findOrder(isOrder: boolean, channel: string, id: string): Order | undefined {
    if (this.#byKey !== undefined) return this.#byKey.get(keyOf(isOrder, channel, id));
    for (let order = this.newest; order !== undefined; order = order.previous) {
      if (order.id === id && order.isOrder === isOrder && order.channel === channel) return order;
    }
    return undefined;
  }

  /** The same reversal of an order, with it or waiting. */
  findReversal(kind: "refund" | "cancel", channel: string, id: string): Reversal | undefined {
    const isSame = (it: Reversal) => it.id === id && it.kind === kind && it.channel === channel;
    for (let order = this.newest; order !== undefined; order = order.previous) {
      const found = order.reversals?.find(isSame);
      if (found !== undefined) return found;
    }
    return this.waiting?.find(isSame);
  }

  /** Links an entry in event-time order, behind those of its own time. */
  link(order: Order): void {
    // Newest first: most orders belong there.
    let before = this.newest;
    while (before !== undefined && before.time > order.time) before = before.previous;
    const after = before === undefined ? this.oldest : before.next;
    order.previous = before;
    order.next = after;
    if (before === undefined) this.oldest = order;
    else before.next = order;
    if (after === undefined) this.newest = order;
    else after.previous = order;
  }

  unlink({ previous, next }: Order): void {
    if (previous === undefined) this.oldest = next;
    else previous.next = next;
    if (next === undefined) this.newest = previous;
    else next.previous = previous;
  }

  /** Keeps a new entry; `link` gives it its place. */
  keep(order: Order): void {
    this.entries++;
    if (this.#byKey === undefined && this.entries > LISTED_MAX) this.#list();
    this.#byKey?.set(keyOf(order.isOrder, order.channel, order.id), order);
  }

  /** Forgets an entry that is unlinked. */
  forget(order: Order): void {
    this.entries--;
    this.#byKey?.delete(keyOf(order.isOrder, order.channel, order.id));
  }

  #list(): void {
    this.#byKey = new Map();
    for (let order = this.oldest; order !== undefined; order = order.next) {
      this.#byKey.set(keyOf(order.isOrder, order.channel, order.id), order);
    }
  }
}

function keyOf(isOrder: boolean, channel: string, id: string): string {
  return `${isOrder ? "o" : "r"}${channel}\0${id}`;
}
