/**
 * Edges of the ready-made models from the customers themselves: thirds for `threebands`, fifths for `quintiles`.
 *
 * An edge lies between two values that differ, so customers who are alike stay together, and at the cut whose share of
 * customers is nearest the wanted one; neither the first nor the last band is left empty. It is then the roundest
 * value that moves no more than one customer in fifty, and never half of what is between it and the next edge.
 * Recency is taken of everyone with an order, frequency of those with one in the window, monetary of those whose orders
 * there are worth something: the others are below the lowest band whatever the edges are.
 */
import { currencyDecimals } from "./currency.js";
import { formatDuration } from "./duration.js";
import { EDGE_DIMENSIONS, type EdgeDimension, type Edges, edgesDefault, type ReadyName } from "./edges.js";
import { roundAge, roundNumber } from "./humane.js";
import type { ReadyConfig } from "./schema.js";

/** The customers with a counting order known, at one instant: a column a measure, an element a customer. */
export interface Measures {
  /** Age of the newest order, ms. */
  readonly recency: Float64Array;
  /** Orders in the last 365 days. */
  readonly frequency: Float64Array;
  /** Their worth, less refunds without order; minor units. */
  readonly monetary: Float64Array;
  /** Age of the oldest order of all, ms; 0 where there is none. */
  readonly history: number;
}

/** Something to know before the edges are used. `message` is one line, with the numbers found. */
export interface SuggestWarning {
  readonly kind: "none" | "few" | "alike" | "idle" | "short";
  readonly dimension?: EdgeDimension;
  readonly message: string;
}

export interface Suggestion {
  readonly config: ReadyConfig;
  readonly warnings: readonly SuggestWarning[];
}

const DAY = 86_400_000;
/** Of the ready-made models. */
const WINDOW_DAYS = 365;
/** Fewer in a band are too few to say where it should end. */
const CUSTOMERS_A_BAND = 10;
/** An edge may be rounded past one customer in so many. */
const MOVED = 50;

/** Where the edges are to lie: so many of `of` equal parts of the customers are below. */
interface Shares {
  readonly of: number;
  readonly below: readonly number[];
}

const THIRDS: Shares = { of: 3, below: [1, 2] };
const FIFTHS: Shares = { of: 5, below: [1, 2, 3, 4] };
const SHARES: Readonly<Record<ReadyName, Partial<Record<EdgeDimension, Shares>>>> = {
  threebands: { recency: THIRDS, frequency: THIRDS, monetary: THIRDS },
  // Points are for the few: a fifth gets the most, three tenths the next.
  points: { recency: THIRDS, frequency: { of: 10, below: [5, 8] }, monetary: { of: 10, below: [5, 8] } },
  // Low begins where a fifth is left behind; the best twentieth is top.
  levels: { monetary: { of: 20, below: [4, 10, 16, 19] } },
  quintiles: { recency: FIFTHS, frequency: FIFTHS, monetary: FIFTHS },
};

/** A ready-made model with edges from the data; where there are none to go by, its own. O(n log n) in the customers. */
export function suggestModel(use: ReadyName, currency: string, measures: Measures): Suggestion {
  const warnings: SuggestWarning[] = [];
  const own = edgesDefault(use, currency);
  const edges: Edges = {};
  if (measures.recency.length === 0) {
    warnings.push({ kind: "none", message: "no customer has an order that counts: these are the model's own edges" });
  } else {
    const bands = Math.max(...Object.values(SHARES[use]).map(({ below }) => below.length + 1));
    if (measures.recency.length < bands * CUSTOMERS_A_BAND) warnings.push(few(measures.recency.length, bands));
  }
  for (const dimension of EDGE_DIMENSIONS) {
    const shares = SHARES[use][dimension];
    if (shares === undefined) continue;
    const values = known(dimension, measures);
    const cuts = cutsAt(values, shares);
    if (cuts.length === 0) Object.assign(edges, { [dimension]: own[dimension] });
    else if (dimension === "recency") edges.recency = roundedAt(values, cuts, roundAge).map(formatDuration);
    else edges[dimension] = roundedAt(values, cuts, roundNumber);
    if (measures.recency.length > 0) warnings.push(...aboutOne(dimension, values, cuts, currency));
  }
  return { config: { use, currency, edges }, warnings };
}

/** The values that an edge can part, in rising order. */
function known(dimension: EdgeDimension, measures: Measures): Float64Array {
  const values = measures[dimension];
  return (dimension === "recency" ? values.slice() : values.filter((value) => value > 0)).sort();
}

/**
 * For each share the number of values below the cut: the nearest one between two values that differ, the lower of two
 * that are as near. Where all are alike, behind all of them. Empty where there is none.
 */
export function cutsAt(values: Float64Array, { of, below }: Shares): number[] {
  const n = values.length;
  if (n === 0) return [];
  return below.map((share) => {
    const wanted = Math.min(n - 1, Math.floor((n * share) / of));
    // The first cut at or below, and the first one above: whole runs of equal values are skipped.
    const low = firstOf(values, values[wanted] ?? 0);
    const high = firstOf(values, (values[wanted] ?? 0) + 1);
    const candidates = [low, high].filter((cut) => cut > 0 && cut < n);
    const off = (cut: number) => Math.abs(cut * of - n * share);
    return candidates.reduce((best, cut) => (best === n || off(cut) < off(best) ? cut : best), n);
  });
}

/** How many values are below `value`: the place of the first that is not. Values are whole. */
function firstOf(values: Float64Array, value: number): number {
  let [from, to] = [0, values.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((values[middle] ?? 0) < value) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** The edges at these cuts, in the same order; equal cuts give equal edges. */
function roundedAt(values: Float64Array, cuts: readonly number[], round: typeof roundNumber): number[] {
  const n = values.length;
  const places = [...new Set(cuts)];
  const edges = new Map(
    places.map((cut, i): [number, number] => {
      const near = values[cut] ?? (values[n - 1] ?? 0) + 1;
      // Behind all of them anything does that is not far.
      if (cut === n) return [cut, round(near, 2 * near + (round === roundAge ? DAY : 0), near)];
      const room = Math.min(cut - (places[i - 1] ?? 0), (places[i + 1] ?? n) - cut);
      const moved = Math.min(Math.floor(n / MOVED), Math.floor((room - 1) / 2));
      return [cut, round((values[cut - 1 - moved] ?? 0) + 1, values[cut + moved] ?? near, near)];
    }),
  );
  return cuts.map((cut) => edges.get(cut) ?? 0);
}

function few(customers: number, bands: number): SuggestWarning {
  return {
    kind: "few",
    message: `${counted(customers, "customer")} for ${bands} bands: with fewer than ${bands * CUSTOMERS_A_BAND} the edges are chance`,
  };
}

/** What is to be known of the data, whatever the model. */
export function measuresWarnings({ recency, frequency, history }: Measures): SuggestWarning[] {
  const warnings: SuggestWarning[] = [];
  const n = recency.length;
  if (n === 0) return warnings;
  const days = Math.floor(history / DAY);
  if (days < WINDOW_DAYS) {
    warnings.push({
      kind: "short",
      message: `the orders span ${counted(days, "day")}, the window is ${WINDOW_DAYS}: counts and sums still grow, so suggest again later`,
    });
  }
  const idle = frequency.filter((orders) => orders <= 0).length;
  if (2 * idle > n) {
    warnings.push({
      kind: "idle",
      message: `${share(idle, n)} of the customers (${count(idle)} of ${count(n)}) have no order in the last ${WINDOW_DAYS} days: their frequency and monetary are none`,
    });
  }
  return warnings;
}

function aboutOne(
  dimension: EdgeDimension,
  values: Float64Array,
  cuts: readonly number[],
  currency: string,
): SuggestWarning[] {
  const n = values.length;
  if (n === 0) {
    const what = dimension === "frequency" ? "no customer has an order" : "no customer's orders are worth anything";
    const message = `${dimension}: ${what} in the last ${WINDOW_DAYS} days; these are the model's own edges`;
    return [{ kind: "none", dimension, message }];
  }
  const left = new Set(cuts.filter((cut) => cut < n)).size + 1;
  if (left === cuts.length + 1) return [];
  const most = commonest(values);
  const what = { recency: "ordered", frequency: "have", monetary: "spent" }[dimension];
  const how = {
    recency: `${counted(Math.floor(most.value / DAY), "day")} before the end, at the same instant`,
    frequency: counted(most.value, "order"),
    monetary: amount(most.value, currency),
  }[dimension];
  return [
    {
      kind: "alike",
      dimension,
      message: `${dimension}: ${share(most.times, n)} (${count(most.times)} of ${count(n)}) ${what} ${how}, so ${left} of ${cuts.length + 1} bands have customers`,
    },
  ];
}

/** The value that most have; the lowest of several. */
function commonest(values: Float64Array): { value: number; times: number } {
  let best = { value: values[0] ?? 0, times: 0 };
  for (let from = 0; from < values.length; ) {
    const value = values[from] ?? 0;
    const to = firstOf(values, value + 1);
    if (to - from > best.times) best = { value, times: to - from };
    from = to;
  }
  return best;
}

const THOUSANDS = new Intl.NumberFormat("en-US");

function count(value: number): string {
  return THOUSANDS.format(value);
}

function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

function share(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(1)} %`;
}

/** `1,200.00 EUR` of minor units. */
function amount(minor: number, currency: string): string {
  return `${amountDigits(minor, currency)} ${currency}`;
}

/** `1,200.00` of minor units, from their digits. */
export function amountDigits(minor: number, currency: string): string {
  const decimals = currencyDecimals(currency);
  const digits = String(Math.abs(minor)).padStart(decimals + 1, "0");
  const whole = count(Number(digits.slice(0, digits.length - decimals)));
  const part = decimals === 0 ? "" : `.${digits.slice(-decimals)}`;
  return `${minor < 0 ? "-" : ""}${whole}${part}`;
}
