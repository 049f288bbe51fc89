/**
 * One customer in one model at one instant, worked out from all that is known of the customer. Nothing is
 * kept from one call to the next.
 */
import { type BandWords, type DimensionName, durationMs, type ModelWords, type ValueWords } from "./words.js";

/** A refund or cancel that found its order, or a refund without one. */
export interface Reversal {
  kind: "refund" | "cancel";
  channel: string;
  id: string;
  order: string | null;
  time: number;
  amount: number;
  currency: string | null;
  version: bigint;
}
export interface Order {
  channel: string;
  id: string;
  time: number;
  amount: number;
  /** Null: each model's own. */
  currency: string | null;
  void: boolean;
  version: bigint;
  /** Came past the horizon: it only moves the first and last order known. */
  late: boolean;
  reversals: Reversal[];
}
export interface Known {
  orders: Order[];
  /** Refunds without order. */
  loose: Reversal[];
}
/** What a row kept of entries that had left the horizon when the models were changed. */
export interface Past {
  first: number | null;
  last: number | null;
  orders: number;
  spend: number;
}
export const NO_PAST: Past = { first: null, last: null, orders: 0, spend: 0 };

export interface View {
  values: ValueWords;
  /** Null: in no segment. */
  segment: string | null;
  /** Name of the band of each dimension of the model. */
  bands: Partial<Record<DimensionName, string>>;
}

export function dimensionsOf(model: ModelWords): DimensionName[] {
  const three: DimensionName[] = ["recency", "frequency", "monetary"];
  return model.tenure === undefined ? three : [...three, "tenure"];
}

/** Does the model take an event of this channel and currency, and its money too? */
export function takes(model: ModelWords, channel: string, currency: string | null): { it: boolean; money: boolean } {
  if (model.channels !== "*" && !model.channels.includes(channel)) return { it: false, money: false };
  const money = currency === null || currency === model.currency;
  return { it: money || model.otherCurrency === "count", money };
}

/** The highest version of the order and of the versioned cancels that matched it. */
export function highVersion(order: Order): bigint {
  let high = order.version;
  for (const reversal of order.reversals) {
    if (reversal.kind === "cancel" && reversal.version > high) high = reversal.version;
  }
  return high;
}

export function cancelled(order: Order): boolean {
  if (order.void) return true;
  const cancels = order.reversals.filter((reversal) => reversal.kind === "cancel");
  return cancels.some((cancel) => cancel.version === 0n || cancel.version >= order.version);
}

export function refunded(order: Order): number {
  let sum = 0;
  for (const reversal of order.reversals) if (reversal.kind === "refund") sum += reversal.amount;
  return sum;
}

export function counts(order: Order, model: ModelWords): boolean {
  if (!takes(model, order.channel, order.currency).it || cancelled(order)) return false;
  const back = refunded(order);
  return !(back > 0 && back >= order.amount) || model.fullRefund === "keep";
}

/** What the order is worth to the model. */
export function worth(order: Order, model: ModelWords): number {
  if (!counts(order, model) || !takes(model, order.channel, order.currency).money) return 0;
  return Math.max(0, order.amount - refunded(order));
}

/** What a refund without order takes from the model. */
export function taken(loose: Reversal, model: ModelWords): number {
  return takes(model, loose.channel, loose.currency).money ? loose.amount : 0;
}

function ageBand(bands: BandWords[], age: number): string {
  for (const band of bands) if (band.max === undefined || age < durationMs(band.max)) return band.name;
  return "none";
}
function minimumBand(bands: BandWords[], value: number): string {
  const highest = [...bands].sort((a, b) => (b.min ?? 0) - (a.min ?? 0));
  for (const band of highest) if (value >= (band.min ?? Number.NEGATIVE_INFINITY)) return band.name;
  return "none";
}

function pointsOf(model: ModelWords, bands: View["bands"], dimensions: DimensionName[]): number {
  let sum = 0;
  for (const dimension of dimensions) {
    sum += model[dimension]?.bands.find((band) => band.name === bands[dimension])?.points ?? 0;
  }
  return sum;
}

function segmentOf(model: ModelWords, bands: View["bands"]): string {
  const all = dimensionsOf(model);
  for (const { name, when } of model.segments) {
    if (all.some((dimension) => when[dimension] !== undefined && !when[dimension].includes(bands[dimension] ?? ""))) {
      continue;
    }
    if (when.points !== undefined) {
      const points = pointsOf(model, bands, when.points.of ?? all);
      if (points < (when.points.min ?? Number.NEGATIVE_INFINITY)) continue;
      if (points > (when.points.max ?? Number.POSITIVE_INFINITY)) continue;
    }
    return name;
  }
  return "Others";
}

/** The customer in the model at `instant`. */
export function viewAt(known: Known, model: ModelWords, instant: number, past: Past = NO_PAST): View {
  const frequencyMs = durationMs(model.frequency.window);
  const monetaryMs = durationMs(model.monetary.window);
  const counting = known.orders.filter((order) => counts(order, model));
  const full = counting.filter((order) => !order.late);
  const times = [...counting.map((order) => order.time), past.first, past.last].filter((time) => time !== null);
  const first = times.length === 0 ? null : times.reduce((a, b) => Math.min(a, b));
  const last = times.length === 0 ? null : times.reduce((a, b) => Math.max(a, b));

  const ordersEver = full.length + past.orders;
  const inWindow = full.filter((order) => instant < order.time + frequencyMs).length;
  const orders = frequencyMs === Infinity ? ordersEver : inWindow;
  // Their sums are exact; on the way there they may pass 2^53.
  let spend = monetaryMs === Infinity ? BigInt(past.spend) : 0n;
  let spendEver = BigInt(past.spend);
  for (const order of full) {
    spendEver += BigInt(worth(order, model));
    if (instant < order.time + monetaryMs) spend += BigInt(worth(order, model));
  }
  for (const loose of known.loose) {
    spendEver -= BigInt(taken(loose, model));
    if (instant < loose.time + monetaryMs) spend -= BigInt(taken(loose, model));
  }

  const bands: View["bands"] = { recency: "none", frequency: "none", monetary: "none" };
  if (model.tenure !== undefined) bands.tenure = "none";
  let segment: string | null = null;
  if (first !== null && last !== null) {
    bands.recency = ageBand(model.recency.bands, instant - last);
    bands.frequency = minimumBand(model.frequency.bands, orders);
    bands.monetary = minimumBand(model.monetary.bands, Number(spend));
    if (model.tenure !== undefined) bands.tenure = ageBand(model.tenure.bands, instant - first);
    segment = segmentOf(model, bands);
  }
  return {
    values: {
      firstOrder: first,
      lastOrder: last,
      orders,
      spend: Number(spend),
      ordersEver,
      spendEver: Number(spendEver),
      points: segment === null ? 0 : pointsOf(model, bands, dimensionsOf(model)),
    },
    segment,
    bands,
  };
}

/** Every instant after `after` at which time alone could change anything in the model, ascending. */
export function instantsAfter(known: Known, model: ModelWords, after: number, past: Past = NO_PAST): number[] {
  const lengths = [durationMs(model.frequency.window), durationMs(model.monetary.window)];
  for (const band of [...model.recency.bands, ...(model.tenure?.bands ?? [])]) {
    if (band.max !== undefined) lengths.push(durationMs(band.max));
  }
  const instants = new Set<number>();
  const kept = [past.first, past.last].flatMap((time) => (time === null ? [] : [{ time }]));
  for (const { time } of [...known.orders, ...known.loose, ...kept]) {
    for (const length of lengths) if (time + length > after && length < Infinity) instants.add(time + length);
  }
  return [...instants].sort((a, b) => a - b);
}

export function sameBands(a: View["bands"], b: View["bands"], model: ModelWords): boolean {
  return dimensionsOf(model).every((dimension) => a[dimension] === b[dimension]);
}
