/** What the service publishes: a migration as a CloudEvent, a dead letter. */
import type { Cause, Reason } from "../../runtime/record.js";
import type { Forecast } from "./forecast.js";
import { bandName, type Plan, segmentName, segmentToken } from "./plan.js";
import { type Bands, pointsOf } from "./row.js";

export interface Output {
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** A row's place and figures at one moment. Times 0: none. */
export interface Snapshot extends Bands {
  segment: number;
  since: number;
  firstTime: number;
  lastTime: number;
  orders: number;
  spend: number;
  ordersEver: number;
  spendEver: number;
}

export interface Origin {
  readonly kind: Cause;
  /** Null where time alone is the cause. */
  readonly event: string | null;
  readonly order: string | null;
  readonly channel: string | null;
  readonly time: number;
}

export interface Change {
  readonly name: string;
  readonly plan: Plan;
  readonly customer: string;
  readonly revision: number;
  readonly time: number;
  readonly silent: boolean;
  readonly from: Snapshot;
  readonly to: Snapshot;
  readonly origin: Origin;
  readonly forecast: Forecast;
  readonly sequence: number;
  readonly clock: number;
}

const utf8 = new TextEncoder();

export function encodeMigration(change: Change): Output {
  const { name, plan, customer, revision, time, silent, from, to, origin, forecast, sequence, clock } = change;
  const kind = from.segment === to.segment ? "bands" : "segment";
  const event = {
    specversion: "1.0",
    type: "dev.tidemark.customer.migrated.v1",
    source: `/${name}`,
    id: `${plan.name}/${customer}/${revision}`,
    subject: customer,
    time: instant(time),
    datacontenttype: "application/json",
    data: {
      model: plan.name,
      modelVersion: plan.version,
      revision,
      change: kind,
      silent,
      currency: plan.currency,
      from: place(plan, from),
      to: place(plan, to),
      cause: {
        kind: origin.kind,
        event: origin.event,
        order: origin.order,
        channel: origin.channel,
        time: instant(origin.time),
        boundaries: boundaries(plan, from, to),
      },
      before: figures(plan, from),
      after: figures(plan, to),
      next:
        forecast.at === Number.POSITIVE_INFINITY
          ? null
          : { at: instant(forecast.at), segment: segmentName(plan, forecast.segment) },
      due: forecast.due === Number.POSITIVE_INFINITY ? null : instant(forecast.due),
    },
  };
  return {
    subject: `${plan.subjects[kind]}.${segmentToken(plan, from.segment)}.${segmentToken(plan, to.segment)}`,
    headers: {
      "Content-Type": "application/cloudevents+json",
      "Tidemark-Position": String(sequence),
      "Tidemark-Clock": String(clock),
    },
    body: utf8.encode(JSON.stringify(event)),
  };
}

function instant(ms: number): string | null {
  return ms === 0 ? null : new Date(ms).toISOString();
}

function place(plan: Plan, { segment, since, recency, frequency, monetary, tenure }: Snapshot) {
  const three = {
    segment: segmentName(plan, segment),
    since: instant(since),
    recency: bandName(plan.recency, recency),
    frequency: bandName(plan.frequency, frequency),
    monetary: bandName(plan.monetary, monetary),
  };
  return plan.tenure === undefined ? three : { ...three, tenure: bandName(plan.tenure, tenure) };
}

function figures(plan: Plan, snapshot: Snapshot) {
  return {
    firstOrder: instant(snapshot.firstTime),
    lastOrder: instant(snapshot.lastTime),
    orders: snapshot.orders,
    spend: snapshot.spend,
    ordersEver: snapshot.ordersEver,
    spendEver: snapshot.spendEver,
    points: pointsOf(plan, snapshot),
  };
}

function boundaries(plan: Plan, from: Bands, to: Bands): string[] {
  const found: string[] = [];
  for (const dimension of ["recency", "frequency", "monetary", "tenure"] as const) {
    const scale = plan[dimension];
    if (scale === undefined || from[dimension] === to[dimension]) continue;
    found.push(`${dimension}: ${bandName(scale, from[dimension])} → ${bandName(scale, to[dimension])}`);
  }
  return found;
}

/** What a dead letter says beside its bytes. */
export interface Dead {
  readonly name: string;
  readonly reason: Reason;
  readonly customer: string | null;
  readonly sequence: number;
  readonly index: number;
  readonly clock: number;
}

export function encodeDead({ name, reason, customer, sequence, index, clock }: Dead, body: Uint8Array): Output {
  return {
    subject: `${name}.dead.0.${reason}`,
    headers: {
      "Tidemark-Reason": reason,
      "Tidemark-Position": String(sequence),
      "Tidemark-Index": String(index),
      "Tidemark-Clock": String(clock),
      ...(customer === null ? {} : { "Tidemark-Customer": encodeURIComponent(customer) }),
    },
    body,
  };
}
