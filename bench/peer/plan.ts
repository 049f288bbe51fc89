/** A model as the service runs it: limits and points in arrays, rules in the compiled cell table. */
import type { Dimension, Model, Settings } from "../../runtime/settings.js";
import { NULL_TOKEN, nameToken } from "../../runtime/subjects.js";

/** Best band first; band number b (0 is `none`) is at b − 1. */
export interface Scale {
  readonly names: readonly string[];
  readonly limits: readonly number[];
  readonly points: readonly number[];
}

export interface Plan {
  readonly index: number;
  readonly name: string;
  readonly version: string;
  readonly currency: string;
  /** Undefined: all. */
  readonly channels: ReadonlySet<string> | undefined;
  readonly countsOther: boolean;
  readonly keepsRefunded: boolean;
  readonly recency: Scale;
  readonly frequency: Scale;
  readonly monetary: Scale;
  readonly tenure: Scale | undefined;
  /** Infinity: ever. */
  readonly frequencyMs: number;
  readonly monetaryMs: number;
  readonly segments: readonly string[];
  readonly cells: readonly number[];
  readonly strides: readonly number[];
  /** Subjects of migrations by change, and the segments' names in them. */
  readonly subjects: { readonly segment: string; readonly bands: string };
  readonly tokens: readonly string[];
}

export function plansOf(settings: Settings): Plan[] {
  return settings.models.map((model, index) => planOf(model, index, settings.name));
}

function planOf(model: Model, index: number, name: string): Plan {
  const [recency, frequency, monetary, tenure] = model.dimensions;
  if (recency === undefined || frequency === undefined || monetary === undefined) {
    throw new TypeError(`model ${model.name} lacks a dimension`);
  }
  const subject = `${name}.migrations.0.${nameToken(model.name)}`;
  return {
    index,
    name: model.name,
    version: model.version,
    currency: model.currency,
    channels: model.channels === "*" ? undefined : new Set(model.channels),
    countsOther: model.otherCurrency === "count",
    keepsRefunded: model.fullRefund === "keep",
    recency: scaleOf(recency),
    frequency: scaleOf(frequency),
    monetary: scaleOf(monetary),
    tenure: tenure === undefined ? undefined : scaleOf(tenure),
    frequencyMs: frequency.windowMs,
    monetaryMs: monetary.windowMs,
    segments: model.segments,
    cells: model.cells,
    strides: model.strides,
    subjects: { segment: `${subject}.segment`, bands: `${subject}.bands` },
    tokens: model.segments.map(nameToken),
  };
}

function scaleOf({ bands }: Dimension): Scale {
  return {
    names: bands.map(({ name }) => name),
    limits: bands.map(({ limit }) => limit),
    points: bands.map(({ points }) => points),
  };
}

/** Band of an age: limits are exclusive maxima, ascending. */
export function ageBand({ limits }: Scale, age: number): number {
  for (let b = 0; b < limits.length; b++) if (age < (limits[b] as number)) return b + 1;
  return 0;
}

/** Band of a count or sum: limits are inclusive minima, descending. */
export function valueBand({ limits }: Scale, value: number): number {
  for (let b = 0; b < limits.length; b++) if (value >= (limits[b] as number)) return b + 1;
  return 0;
}

export function bandName({ names }: Scale, band: number): string {
  return band === 0 ? "none" : (names[band - 1] as string);
}

export function segmentName(plan: Plan, segment: number): string | null {
  return segment < 0 ? null : (plan.segments[segment] as string);
}

export function segmentToken(plan: Plan, segment: number): string {
  return segment < 0 ? NULL_TOKEN : (plan.tokens[segment] as string);
}

/** Does the model add up amounts of this currency? Null: each model's own. */
export function adds(plan: Plan, currency: string | null): boolean {
  return currency === null || currency === plan.currency;
}

/** Does the model take an event of this channel and currency? */
export function takes(plan: Plan, channel: string, currency: string | null): boolean {
  return (plan.channels === undefined || plan.channels.has(channel)) && (adds(plan, currency) || plan.countsOther);
}
