/** Why a customer is where it is: every order that counts or not, the sums they make, what comes, what would bring more. */
import { FatalError } from "./errors.js";
import { CANCELLED, type CustomerHistory, ORDER, type WaitingReversal } from "./history.js";
import { ModelView, type OrderView, viewOf, type Why } from "./modelview.js";
import type { Dimension, Model, Settings } from "./settings.js";

/** Times in ms since 1970, money in minor units. */
export interface Explanation {
  readonly customer: string;
  readonly partition: number;
  /** Input sequence applied. */
  readonly position: number;
  /** The instant that all of this is true at. */
  readonly at: number;
  /** False: the partition is still working off what fell due; the segment shown may be behind its orders. */
  readonly exact: boolean;
  /** Within the horizon: all, and the latest of them, newest first. */
  readonly orderCount: number;
  readonly orders: readonly ExplainedOrder[];
  readonly waitingCount: number;
  readonly waiting: readonly WaitingReversal[];
  /** In configuration order; none where no event of the customer was applied. */
  readonly models: readonly ExplainedModel[];
}

/** Order ids are not kept: an order is known by its time, channel and amount. */
export interface ExplainedOrder {
  readonly kind: "order" | "refund";
  readonly time: number;
  readonly channel: string | null;
  /** Null: each model's own. */
  readonly currency: string | null;
  readonly amount: number;
  readonly refunded: number;
  /** Refunds and cancels that met it. */
  readonly refunds: number;
  readonly cancels: number;
  /** Its state's version (an order that has one may have been amended); null for none. */
  readonly version: number | null;
  readonly state: (typeof CANCELLED)[number];
  /** Ahead of the instant: it counts already. */
  readonly future: boolean;
  /** When it leaves the horizon: then it is forgotten but for sums and times. */
  readonly leavesHorizon: number;
}

export interface ExplainedModel {
  readonly model: string;
  readonly version: string;
  readonly currency: string;
  readonly segment: string | null;
  readonly since: number | null;
  /** Migrations so far. */
  readonly revision: number;
  readonly points: number;
  readonly dimensions: readonly ExplainedDimension[];
  /** What it makes of each of `orders`. */
  readonly orders: readonly OrderInModel[];
  /** What it makes of those that are not listed. */
  readonly rest: { readonly orders: number; readonly counting: number; readonly worth: number };
  /** Of the orders that count and have left the horizon. */
  readonly past: {
    readonly orders: number;
    readonly spend: number;
    readonly first: number | null;
    readonly last: number | null;
  };
  readonly ordersEver: number;
  readonly spendEver: number;
  /** What changes if nothing is bought, the next first; `nextMore`: there is more behind it. */
  readonly next: readonly Change[];
  readonly nextMore: boolean;
  readonly reach: readonly Reach[];
}

export interface ExplainedDimension {
  readonly name: Dimension["name"];
  readonly measure: Dimension["measure"];
  readonly band: string;
  /** Null: ever, and of ages. */
  readonly windowMs: number | null;
  /** Count or sum in the window; of an age the time that it counts from, null for none. */
  readonly value: number | null;
}

export interface OrderInModel extends OrderView {
  /** By dimension: when it leaves the window, past or to come; null: never, or it has no part in it. */
  readonly leaves: readonly (number | null)[];
}

export interface Change {
  readonly at: number;
  /** Of each dimension whose band changes. */
  readonly bands: readonly { readonly dimension: Dimension["name"]; readonly from: string; readonly to: string }[];
  /** Null: the segment stays. */
  readonly segment: { readonly from: string | null; readonly to: string | null } | null;
}

/** What would bring the next better band of a dimension. */
export interface Reach {
  readonly dimension: Dimension["name"];
  readonly from: string;
  readonly to: string;
  /** So many orders, of any amount; or orders worth so much. */
  readonly orders: number | null;
  readonly amount: number | null;
  /** Before this instant, at which less of what there is counts; null: at any time. */
  readonly before: number | null;
  /** The segment, if they were placed now. */
  readonly segment: string | null;
}

/** Changes told beyond the one of the segment. */
const CHANGES_MAX = 12;

/** Lists at most `ordersMax` orders. Throws FatalError (KERNEL_FAULT) where rows are not what their orders come to. */
export function explain(
  { models, horizonMs }: Pick<Settings, "models" | "horizonMs">,
  history: CustomerHistory,
  ordersMax: number,
): Explanation {
  const { customer, partition, position, clock, overdue, orders, rows, waiting, waitingCount } = history;
  const from = Math.max(0, orders.count - ordersMax);
  const listed = Array.from({ length: orders.count - from }, (_, i) => orders.count - 1 - i);
  const exact = overdue === null;
  return {
    customer,
    partition,
    position,
    at: clock,
    exact,
    orderCount: orders.count,
    orders: listed.map((n) => {
      const time = orders.time[n] as number;
      const version = orders.version[n] as number;
      return {
        kind: orders.kind[n] === ORDER ? "order" : "refund",
        time,
        channel: orders.channels[orders.channel[n] as number] ?? null,
        currency: orders.currencies[orders.currency[n] as number] || null,
        amount: orders.amount[n] as number,
        refunded: orders.refunded[n] as number,
        refunds: orders.refunds[n] as number,
        cancels: orders.cancels[n] as number,
        version: version === 0 ? null : version,
        state: CANCELLED[orders.cancelled[n] as number] as (typeof CANCELLED)[number],
        future: time > clock,
        leavesHorizon: time + horizonMs,
      };
    }),
    waitingCount,
    waiting,
    models: rows.map((_, m) => explainModel(models[m] as Model, m, history, listed, from, exact)),
  };
}

function explainModel(
  model: Model,
  number: number,
  history: CustomerHistory,
  listed: readonly number[],
  from: number,
  exact: boolean,
): ExplainedModel {
  const { orders, clock } = history;
  const row = history.rows[number] as CustomerHistory["rows"][number];
  const view = new ModelView(model, number, history);
  const bands = view.bandsAt(clock, view.values);
  const { changes, more, due, next } = changesOf(model, view, bands);
  if (exact) compare(model, history, number, view, bands, due, next);
  const rest = { orders: from, counting: 0, worth: 0 };
  for (let n = 0; n < from; n++) {
    const { count, worth } = viewOf(model, orders, n);
    rest.counting += count;
    rest.worth += worth;
  }
  const { ordersEver, spendEver, points, segment } = row.row;
  const shown = exact ? bands : row.bands;
  return {
    model: model.name,
    version: model.version,
    currency: model.currency,
    segment,
    since: row.since,
    revision: row.revision,
    points,
    dimensions: model.dimensions.map((dimension, d) => ({
      name: dimension.name,
      measure: dimension.measure,
      band: bandName(dimension, shown[d] as number),
      windowMs: isWindow(dimension) ? dimension.windowMs : null,
      value:
        dimension.measure === "newest"
          ? view.last
          : dimension.measure === "oldest"
            ? view.first
            : (view.values[d] as number),
    })),
    orders: listed.map((n) => {
      const one = viewOf(model, orders, n);
      const time = orders.time[n] as number;
      return {
        ...one,
        leaves: model.dimensions.map((dimension) => (hasPart(dimension, one) ? time + dimension.windowMs : null)),
      };
    }),
    rest,
    past: {
      orders: ordersEver - view.orders,
      spend: spendEver - view.spend,
      first: row.pastFirst,
      last: row.pastLast,
    },
    ordersEver,
    spendEver,
    next: changes,
    nextMore: more,
    reach: reachOf(model, view, bands),
  };
}

function isWindow({ measure, windowMs }: Dimension): boolean {
  return (measure === "count" || measure === "sum") && Number.isFinite(windowMs);
}

function hasPart(dimension: Dimension, { count, worth }: OrderView): boolean {
  return isWindow(dimension) && (dimension.measure === "count" ? count : worth) !== 0;
}

function bandName({ bands }: Dimension, band: number): string {
  return bands[band - 1]?.name ?? "none";
}

/** What time alone changes; `due` and `next` are the first change of a band, and of the segment. */
function changesOf(model: Model, view: ModelView, bands: readonly number[]) {
  const changes: Change[] = [];
  const now = view.segmentOf(bands);
  let [before, segment] = [bands, now];
  let due: number | null = null;
  let next: { at: number; segment: string | null } | null = null;
  let more = false;
  for (const { at, bands: then } of view.ahead()) {
    if (changes.length >= CHANGES_MAX && next !== null) {
      more = true;
      break;
    }
    const to = view.segmentOf(then);
    due ??= at;
    if (to !== now) next ??= { at, segment: to };
    const isNext = next !== null && next.at === at;
    if (changes.length < CHANGES_MAX || isNext)
      changes.push({
        at,
        bands: model.dimensions.flatMap((dimension, d) =>
          before[d] === then[d]
            ? []
            : {
                dimension: dimension.name,
                from: bandName(dimension, before[d] as number),
                to: bandName(dimension, then[d] as number),
              },
        ),
        segment: to === segment ? null : { from: segment, to },
      });
    else more = true;
    [before, segment] = [then, to];
  }
  return { changes, more, due, next };
}

function reachOf(model: Model, view: ModelView, bands: readonly number[]): Reach[] {
  return model.dimensions.flatMap((dimension, d): Reach[] => {
    const { name, measure, bands: all } = dimension;
    const band = bands[d] as number;
    // The age of the first order only grows.
    if (measure === "oldest" || band === 1) return [];
    const better = measure === "newest" ? 0 : band === 0 ? all.length - 1 : band - 2;
    const missing = (all[better]?.limit as number) - (view.values[d] as number);
    const orders = measure === "newest" ? 1 : measure === "count" ? Math.max(1, missing) : null;
    const amount = measure === "sum" ? Math.max(0, missing) : null;
    return [
      {
        dimension: name,
        from: bandName(dimension, band),
        to: all[better]?.name as string,
        orders,
        amount,
        before: view.fallsAt(d),
        segment: view.segmentOf(view.bandsNow(orders ?? 1, amount ?? 0), true),
      },
    ];
  });
}

/** The rules in plain form and the kernel's row, one against the other. Throws FatalError (KERNEL_FAULT). */
function compare(
  model: Model,
  history: CustomerHistory,
  number: number,
  view: ModelView,
  bands: readonly number[],
  due: number | null,
  next: { at: number; segment: string | null } | null,
): void {
  const { row, bands: kept, due: keptDue, next: keptNext } = history.rows[number] as CustomerHistory["rows"][number];
  const recounted = (measure: Dimension["measure"]) =>
    view.values[model.dimensions.findIndex((dimension) => dimension.measure === measure)];
  const pairs: [string, unknown, unknown][] = [
    ["orders", row.orders, recounted("count")],
    ["spend", row.spend, recounted("sum")],
    ["last order", row.lastOrder, view.last],
    ["first order", row.firstOrder, view.first],
    ["bands", kept.join(), bands.join()],
    ["segment", row.segment, view.segmentOf(bands)],
    ["next change", keptDue, due],
    ["next segment", JSON.stringify(keptNext), JSON.stringify(next)],
  ];
  const differing = pairs.filter(([, one, other]) => one !== other);
  if (differing.length === 0) return;
  throw new FatalError(
    "KERNEL_FAULT",
    `model ${model.name} of customer ${JSON.stringify(history.customer)}: ` +
      differing.map(([what, one, other]) => `${what} is ${one}, its orders come to ${other}`).join("; "),
    {
      remedy:
        "Memory is damaged, or this is a bug in Tidemark: please report it. A restart with --discard-checkpoints makes the rows anew.",
    },
  );
}

export type { OrderView, Why };
