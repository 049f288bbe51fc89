/** Drives a `Partition` with the inputs of a case or a property, to the oracle's shape of a result. */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { compileSettings, settingsToJson } from "../../runtime/config/index.js";
import { Partition } from "../../runtime/partition.js";
import {
  type DeadLetter,
  type InputMessage,
  KINDS,
  type Migration,
  OUTCOMES,
  type OutputRecord,
  type Place,
  type Values,
} from "../../runtime/record.js";
import type { Model, Settings } from "../../runtime/settings.js";
import { type Json, JsonNumber, parseJson } from "../oracle/json.js";
import { byBytes } from "../oracle/oracle.js";
import type {
  DeadWords,
  Input,
  MigrationWords,
  ModelWords,
  OracleRow,
  OutcomeWords,
  PlaceWords,
  Result,
  SettingsWords,
  ValueWords,
} from "../oracle/words.js";

export type Build = "debug" | "release";
const FILES: Record<Build, string> = { debug: "kernel.debug.wasm", release: "kernel.wasm" };
const modules = new Map<Build, WebAssembly.Module>();

/** The compiled kernel of `dist/core`. */
export function kernelModule(build: Build): WebAssembly.Module {
  const found = modules.get(build);
  if (found !== undefined) return found;
  const file = resolve(import.meta.dirname, "../../dist/core", FILES[build]);
  if (!existsSync(file)) throw new Error(`${file} is missing: run \`npm run build\` first`);
  const module = new WebAssembly.Module(readFileSync(file));
  modules.set(build, module);
  return module;
}

/** The configuration of a person who wrote these words: the same settings for the same models in any number of runs. */
export function settingsOf(models: readonly ModelWords[], words: SettingsWords, more: object = {}): Settings {
  const rest = JSON.stringify([words, more]);
  const made = known.get(models) ?? new Map<string, Settings>();
  known.set(models, made);
  const settings = made.get(rest) ?? newSettings(models, words, more);
  made.set(rest, settings);
  return settings;
}
const known = new WeakMap<readonly ModelWords[], Map<string, Settings>>();

function newSettings(models: readonly ModelWords[], words: SettingsWords, more: object): Settings {
  const { clock, horizon, parkFor, parkedMax, futureTolerance, channel, guests, anonymous, currencies, status } = words;
  const fields = ["id", "customer", "time", "amount", "channel", "currency", "kind", "order", "version", "test"];
  const source = {
    name: "own",
    channel: channel ?? "web",
    guests: guests ?? [],
    anonymous: anonymous ?? "skip",
    ...(status === undefined
      ? {}
      : { status, fields: Object.fromEntries([...fields, "status"].map((field) => [field, field])) }),
  };
  const config = {
    clock: clock ?? "broker",
    horizon: horizon ?? "400d",
    parkFor: parkFor ?? "30d",
    parkedMax: parkedMax ?? 1_000_000,
    futureTolerance: futureTolerance ?? "24h",
    partitions: 1,
    capacity: { customers: 100, entries: 2000, idBytes: 30_000 },
    channels: Object.fromEntries(Object.entries(currencies ?? {}).map(([name, currency]) => [name, { currency }])),
    sources: [source],
    models,
    ...more,
  };
  const settings = compileSettings(config as Parameters<typeof compileSettings>[0]);
  compiled.set(settings, (others) => settingsOf(others, words, more));
  return settings;
}
/** The same configuration with other models, for each that was compiled here. */
const compiled = new WeakMap<Settings, (models: readonly ModelWords[]) => Settings>();

export const SEED = Uint8Array.from({ length: 16 }, (_, n) => n * 7 + 1);

export function partitionOf(build: Build, settings: Settings, seed: Uint8Array = SEED, live = true): Partition {
  return new Partition({ wasm: kernelModule(build), settings, partition: 0, seed, live });
}

const utf8 = new TextEncoder();

/** The message of one input; `sequence` is its place in the stream. */
export function messageOf(input: Input, sequence: number, settings: Settings): InputMessage {
  const control = controlOf(input, settings);
  const body =
    control ??
    ("raw" in input ? input.raw : JSON.stringify("event" in input ? input.event : "message" in input && input.message));
  return {
    sequence,
    stamp: "tick" in input ? input.tick : (input.at ?? 0),
    subject: `tidemark.orders.0.${control === undefined ? "web" : "_control"}`,
    source: 0,
    control: control !== undefined,
    silent: control === undefined && (input.silent ?? false),
    body: utf8.encode(body),
  };
}

function controlOf(input: Input, settings: Settings): string | undefined {
  if ("tick" in input) {
    return JSON.stringify(settings.clock === "event" ? { type: "tick", time: input.tick } : { type: "tick" });
  }
  if ("live" in input) return JSON.stringify({ type: "live" });
  if (!("models" in input)) return undefined;
  const changed = compiled.get(settings)?.(input.models);
  if (changed === undefined) throw new Error("settings that settingsOf did not compile");
  return `{"type":"model","settings":${settingsToJson(changed)},"silent":${input.silent ?? false}}`;
}

/** Ticks at `instant` until nothing waits. Returns what they yield. */
export function drain(partition: Partition, instant: number): OutputRecord[] {
  const found: OutputRecord[] = [];
  for (let ticks = 0; ticks < 100_000; ticks++) {
    const message = messageOf({ tick: instant }, partition.position.sequence + 1, partition.settings);
    for (const records of partition.records([message])) found.push(...records);
    if (partition.overdue === null) return found;
  }
  throw new Error(`still overdue after 100,000 ticks at ${instant}`);
}

/** The clock after each input, as the stamps (or times) alone say it. */
export function clocks(inputs: readonly Input[], settings: Settings): number[] {
  let clock = 0;
  return inputs.map((input) => {
    let at = "tick" in input ? input.tick : (input.at ?? 0);
    if (settings.clock === "event" && !("tick" in input)) {
      const items = "event" in input ? [input.event] : "message" in input ? input.message : [];
      for (const item of items) at = Math.max(at, Number((item as { time?: unknown } | null)?.time ?? 0));
    }
    clock = Math.max(clock, at);
    return clock;
  });
}

export interface KernelOptions {
  build: Build;
  seed?: Uint8Array;
  /** Messages of each call of `records`; default 1. */
  batch?: number;
  /**
   * Where the states come from: `fresh`, a partition of its own for each instant, or `ticked`, one for all that is
   * ticked at each. Default `fresh`.
   */
  states?: "fresh" | "ticked";
  more?: object;
}

/** All that comes of `inputs`, as the oracle tells it. Migrations come from a partition that no extra tick disturbs. */
export function kernelRun(
  models: readonly ModelWords[],
  words: SettingsWords,
  inputs: readonly Input[],
  instants: readonly number[],
  { build, seed = SEED, batch = 1, states: from = "fresh", more = {} }: KernelOptions,
): Result {
  const settings = settingsOf(models, words, more);
  const after = clocks(inputs, settings);
  const messages = inputs.map((input, n) => messageOf(input, n + 1, settings));

  const live = words.history !== true;
  const whole = partitionOf(build, settings, seed, live);
  const records: OutputRecord[] = [];
  for (let at = 0; at < messages.length; at += batch) {
    for (const some of whole.records(messages.slice(at, at + batch))) records.push(...some);
  }
  const stats = whole.stats();
  const end = Math.max(whole.clock, ...instants);
  records.push(...drain(whole, end));

  const states = new Map<number, OracleRow[]>();
  let partition: Partition | undefined;
  let applied = 0;
  for (const instant of [...new Set(instants)].sort((a, b) => a - b)) {
    if (instant === end) {
      states.set(instant, rowsOf(whole));
      continue;
    }
    if (partition === undefined || from === "fresh") {
      partition = partitionOf(build, settings, seed, live);
      applied = 0;
    }
    const later = after.findIndex((clock) => clock > instant);
    const until = later < 0 ? messages.length : later;
    for (const _ of partition.records(messages.slice(applied, until)));
    applied = until;
    drain(partition, instant);
    states.set(instant, rowsOf(partition));
  }
  const counts = Object.fromEntries(
    OUTCOMES.map((outcome, o) => [outcome, KINDS.reduce((sum, _, k) => sum + (stats.events[k]?.[o] ?? 0), 0)]),
  ) as Record<OutcomeWords, number>;
  const migrations = records.flatMap((record) =>
    record.type === "migration" ? [migrationOf(record, ...inForce(record, inputs, settings))] : [],
  );
  const dead = records.flatMap((record) => (record.type === "dead" ? [deadOf(record)] : []));
  return { states, migrations, dead, counts };
}

export function rowsOf(partition: Partition): OracleRow[] {
  const rows = partition.state().map((row) => ({
    model: row.model,
    customer: row.customer,
    last_order_ms: row.lastOrder,
    first_order_ms: row.firstOrder,
    orders: row.orders,
    spend: row.spend,
    orders_ever: row.ordersEver,
    spend_ever: row.spendEver,
    recency: row.recency ?? "none",
    frequency: row.frequency ?? "none",
    monetary: row.monetary ?? "none",
    tenure: row.tenure,
    points: row.points,
    segment: row.segment,
  }));
  for (let n = 1; n < rows.length; n++) {
    const [a, b] = [rows[n - 1], rows[n]];
    if (a === undefined || b === undefined) continue;
    if ((byBytes(a.model, b.model) || byBytes(a.customer, b.customer)) >= 0) throw new Error("rows out of order");
  }
  return rows;
}

function placeOf(place: Place, model: Model): PlaceWords {
  const names = model.dimensions.map((dimension, d) => {
    const band = place.bands[d] ?? 0;
    return [dimension.name, band === 0 ? "none" : (dimension.bands[band - 1]?.name ?? `band ${band}?`)];
  });
  const segment = place.segment === null ? null : (model.segments[place.segment] ?? `segment ${place.segment}?`);
  return { segment, since: place.since, ...(Object.fromEntries(names) as Omit<PlaceWords, "segment" | "since">) };
}

function valuesOf(values: Values): ValueWords {
  const { firstOrder, lastOrder, orders, spend, ordersEver, spendEver, points } = values;
  return { firstOrder, lastOrder, orders, spend, ordersEver, spendEver, points };
}

/** The settings that held when a record was made, and those before where a change of models made it. */
function inForce({ sequence, cause }: Migration, inputs: readonly Input[], settings: Settings): [Settings, Settings] {
  const held = [settings];
  for (const input of inputs.slice(0, sequence)) {
    if ("models" in input) held.push(compiled.get(settings)?.(input.models) ?? settings);
  }
  const byChange = cause.kind === "model";
  const last = inputs[sequence - 1];
  // What was due fires before the models of its message hold.
  const due = !byChange && last !== undefined && "models" in last ? 1 : 0;
  const now = held.at(-1 - due) ?? settings;
  return [now, byChange ? (held.at(-2) ?? now) : now];
}

export function migrationOf(migration: Migration, settings: Settings, former: Settings = settings): MigrationWords {
  const model = settings.models[migration.model];
  if (model === undefined) throw new Error(`no model ${migration.model}`);
  const from = placeOf(migration.from, former.models.find(({ name }) => name === model.name) ?? model);
  const to = placeOf(migration.to, model);
  const boundaries = (["recency", "frequency", "monetary", "tenure"] as const).flatMap((name) => {
    const [left, right] = [from[name] ?? "none", to[name] ?? "none"];
    return left === right ? [] : [`${name}: ${left} → ${right}`];
  });
  const { kind, event, order, channel, time } = migration.cause;
  const { next } = migration;
  return {
    model: model.name,
    customer: migration.customer,
    revision: migration.revision,
    time: migration.time,
    change: from.segment === to.segment ? "bands" : "segment",
    silent: migration.silent,
    from,
    to,
    cause: { kind, event, order, channel, time, boundaries },
    before: valuesOf(migration.before),
    after: valuesOf(migration.after),
    next: next === null ? null : { at: next.at, segment: model.segments[next.segment] ?? `segment ${next.segment}?` },
    due: migration.due,
  };
}

function textOf(json: Json | undefined): string | null {
  if (json instanceof JsonNumber) return json.text;
  return typeof json === "string" ? json : null;
}

export function deadOf({ reason, clock, index, bytes, customer }: DeadLetter): DeadWords {
  const item = parseJson(new TextDecoder().decode(bytes));
  const id = item instanceof Map ? textOf(item.get("id")) : null;
  return { reason, at: clock, index, id: id === "" ? null : id, customer };
}
