/**
 * Records of the ledger: migrations as CloudEvents 1.0 in JSON, dead letters as the bytes they are about.
 * The bytes of a body are a pure function of input and configuration; headers carry what depends on the layout.
 */
import type { DeadLetter, LedgerRecord, Migration, Place, Values } from "./record.js";
import type { Dimension, Model, Settings } from "./settings.js";
import { deadSubject, migrationSubject } from "./subjects.js";

export const MIGRATION_TYPE = "dev.tidemark.customer.migrated.v1";
export const MIGRATION_CONTENT_TYPE = "application/cloudevents+json";
export const DEAD_CONTENT_TYPE = "application/octet-stream";

/** A migration as readers see it. Causes and fields may come that this version does not know. */
export interface MigrationEvent {
  readonly specversion: "1.0";
  readonly type: string;
  /** `/<name>` */
  readonly source: string;
  /** `<model>/<customer>/<revision>` */
  readonly id: string;
  /** The customer. */
  readonly subject: string;
  /** Instant of the change. All times are RFC 3339 in UTC with milliseconds. */
  readonly time: string;
  readonly datacontenttype: string;
  readonly data: MigrationData;
}

export interface MigrationData {
  readonly model: string;
  readonly modelVersion: string;
  readonly revision: number;
  readonly change: "segment" | "bands";
  readonly silent: boolean;
  readonly currency: string;
  readonly from: EventPlace;
  readonly to: EventPlace;
  readonly cause: {
    readonly kind: string;
    readonly event: string | null;
    readonly order: string | null;
    readonly channel: string | null;
    readonly time: string | null;
    /** `recency: medium → long` */
    readonly boundaries: readonly string[];
  };
  readonly before: EventValues;
  readonly after: EventValues;
  /** Next change of segment if nothing is bought; null for none. */
  readonly next: { readonly at: string; readonly segment: string } | null;
  /** Next change of a band; null for none. */
  readonly due: string | null;
}

export interface EventPlace {
  readonly segment: string | null;
  readonly since: string | null;
  readonly recency: string;
  readonly frequency: string;
  readonly monetary: string;
  /** Where the model has it. */
  readonly tenure?: string;
}

export interface EventValues {
  readonly firstOrder: string | null;
  readonly lastOrder: string | null;
  readonly orders: number;
  /** Minor units of the model's currency. */
  readonly spend: number;
  readonly ordersEver: number;
  readonly spendEver: number;
  readonly points: number;
}

const utf8 = new TextEncoder();

/**
 * The ledger record of a migration. `from`: the settings before, where the cause is `model` and `migration.from`
 * speaks of the model as it was.
 */
export function encodeMigration(
  migration: Migration,
  settings: Settings,
  partition: number,
  from: Settings = settings,
): LedgerRecord {
  const model = modelOf(migration, settings);
  const before = formerModel(model, settings, from);
  const left = segmentName(before, migration.from.segment);
  const right = segmentName(model, migration.to.segment);
  return {
    number: migration.number,
    subject: migrationSubject(settings.name, partition, model.name, changeOf(left, right), left, right),
    headers: {
      "Content-Type": MIGRATION_CONTENT_TYPE,
      "Tidemark-Position": String(migration.sequence),
      "Tidemark-Clock": String(migration.clock),
      "Tidemark-Previous": String(migration.previous),
    },
    body: utf8.encode(migrationBody(migration, settings, from)),
  };
}

/** The CloudEvent of a migration, as JSON. Throws TypeError where the migration names what the settings have not. */
export function migrationBody(migration: Migration, settings: Settings, from: Settings = settings): string {
  const model = modelOf(migration, settings);
  const before = formerModel(model, settings, from);
  const { customer, cause, next } = migration;
  const change = changeOf(segmentName(before, migration.from.segment), segmentName(model, migration.to.segment));
  // Built by hand: half the time of JSON.stringify of an object, and the order of fields is in plain sight.
  return (
    `{"specversion":"1.0","type":"${MIGRATION_TYPE}","source":"/${settings.name}",` +
    `"id":${JSON.stringify(`${model.name}/${customer}/${migration.revision}`)},"subject":${JSON.stringify(customer)},` +
    `"time":${instant(migration.time)},"datacontenttype":"application/json",` +
    `"data":{"model":${JSON.stringify(model.name)},"modelVersion":"${model.version}","revision":${migration.revision},` +
    `"change":"${change}","silent":${migration.silent},"currency":"${model.currency}",` +
    `"from":${place(migration.from, before)},"to":${place(migration.to, model)},` +
    `"cause":{"kind":"${cause.kind}","event":${JSON.stringify(cause.event)},"order":${JSON.stringify(cause.order)},` +
    `"channel":${JSON.stringify(cause.channel)},"time":${instant(cause.time)},` +
    `"boundaries":${JSON.stringify(boundaries(migration, before, model))}},` +
    `"before":${values(migration.before)},"after":${values(migration.after)},` +
    `"next":${next === null ? "null" : `{"at":${instant(next.at)},"segment":${JSON.stringify(segmentName(model, next.segment))}}`},` +
    `"due":${instant(migration.due)}}}`
  );
}

/** Reads the body of a migration's record. Undefined where it is not one. */
export function parseMigration(body: Uint8Array | string): MigrationEvent | undefined {
  let event: Partial<MigrationEvent> | null;
  try {
    event = JSON.parse(typeof body === "string" ? body : new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined; // not JSON: the caller says what that means for it
  }
  return event?.type === MIGRATION_TYPE && typeof event.data === "object" ? (event as MigrationEvent) : undefined;
}

/** The ledger record of a dead letter: the item's own bytes, and in headers what is known of it. */
export function encodeDeadLetter(dead: DeadLetter, settings: Settings, partition: number): LedgerRecord {
  return {
    number: dead.number,
    subject: deadSubject(settings.name, partition, dead.reason),
    headers: {
      "Content-Type": DEAD_CONTENT_TYPE,
      "Tidemark-Reason": dead.reason,
      "Tidemark-Subject": dead.subject,
      "Tidemark-Position": String(dead.sequence),
      "Tidemark-Index": String(dead.index),
      "Tidemark-Length": String(dead.length),
      "Tidemark-Clock": String(dead.clock),
      // Percent-encoded: a header holds neither line breaks nor, on every client, more than ASCII.
      ...(dead.customer === null ? {} : { "Tidemark-Customer": encodeURIComponent(dead.customer) }),
    },
    body: dead.bytes,
  };
}

/** `2026-01-31T08:00:00.000Z` of milliseconds since 1970. */
export function formatInstant(ms: number): string {
  const day = Math.floor(ms / DAY_MS);
  let date = dates.get(day);
  if (date === undefined) {
    if (dates.size >= DATES_MAX) dates.clear();
    date = new Date(day * DAY_MS).toISOString().slice(0, -13);
    dates.set(day, date);
  }
  const rest = ms - day * DAY_MS;
  return (
    `${date}${two(Math.floor(rest / 3_600_000))}:${two(Math.floor(rest / 60_000) % 60)}:` +
    `${two(Math.floor(rest / 1000) % 60)}.${String(rest % 1000).padStart(3, "0")}Z`
  );
}

const DAY_MS = 86_400_000;
// An event has some ten times, nearly all of a few hundred days: the date is formatted once a day.
const DATES_MAX = 4096;
const dates = new Map<number, string>();

function two(number: number): string {
  return number < 10 ? `0${number}` : String(number);
}

function instant(ms: number | null): string {
  return ms === null ? "null" : `"${formatInstant(ms)}"`;
}

function changeOf(from: string | null, to: string | null): "segment" | "bands" {
  return from === to ? "bands" : "segment";
}

function modelOf(migration: Migration, settings: Settings): Model {
  const model = settings.models[migration.model];
  if (model === undefined) throw new TypeError(`no model ${migration.model} in the settings`);
  return model;
}

/** The model of the same name as it was; a new model has no former one, and its customers come from null. */
function formerModel(model: Model, settings: Settings, from: Settings): Model {
  return from === settings ? model : (from.models.find(({ name }) => name === model.name) ?? model);
}

function segmentName(model: Model, segment: number | null): string | null {
  if (segment === null) return null;
  const name = model.segments[segment];
  if (name === undefined) throw new TypeError(`model ${model.name} has no segment ${segment}`);
  return name;
}

function bandName(dimension: Dimension, band: number): string {
  if (band === 0) return "none";
  const name = dimension.bands[band - 1]?.name;
  if (name === undefined) throw new TypeError(`${dimension.name} has no band ${band}`);
  return name;
}

function place({ segment, since, bands }: Place, model: Model): string {
  let text = `{"segment":${JSON.stringify(segmentName(model, segment))},"since":${instant(since)}`;
  for (const [d, dimension] of model.dimensions.entries()) {
    text += `,"${dimension.name}":${JSON.stringify(bandName(dimension, bands[d] ?? 0))}`;
  }
  return `${text}}`;
}

/** Every band that changed, in the order of dimensions. A dimension that one of the models lacks is `none` there. */
function boundaries({ from, to }: Migration, before: Model, after: Model): string[] {
  const found: string[] = [];
  for (const name of ["recency", "frequency", "monetary", "tenure"] as const) {
    const left = nameAt(before, name, from.bands);
    const right = nameAt(after, name, to.bands);
    if (left !== right) found.push(`${name}: ${left} → ${right}`);
  }
  return found;
}

function nameAt(model: Model, name: Dimension["name"], bands: readonly number[]): string {
  const d = model.dimensions.findIndex((dimension) => dimension.name === name);
  const dimension = model.dimensions[d];
  return dimension === undefined ? "none" : bandName(dimension, bands[d] ?? 0);
}

function values(row: Values): string {
  return (
    `{"firstOrder":${instant(row.firstOrder)},"lastOrder":${instant(row.lastOrder)},"orders":${row.orders},` +
    `"spend":${row.spend},"ordersEver":${row.ordersEver},"spendEver":${row.spendEver},"points":${row.points}}`
  );
}
