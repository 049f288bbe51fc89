/** From the configuration as written to the tables that the engine runs on. */
import type { Band, Capacity, Channel, Dimension, Field, Model, Settings, Source } from "../settings.js";
import { FIELDS } from "../settings.js";
import { token } from "../subjects.js";
import { checkConfig } from "./check.js";
import {
  CHANNEL_DEFAULT,
  controlOf,
  GROWTH_DEFAULT,
  HORIZON_MS_DEFAULT,
  longestMs,
  msOf,
  nameOf,
  OTHERS,
  partitionsDefault,
} from "./defaults.js";
import {
  CHECKPOINT_MESSAGES_DEFAULT,
  CHECKPOINT_MS_DEFAULT,
  type EdgeSettings,
  HOST_DEFAULT,
  PORT_DEFAULT,
} from "./edge.js";
import { versionOf } from "./hash.js";
import { ConfigError } from "./issue.js";
import { withPreset } from "./presets.js";
import { expandModels } from "./ready.js";
import { allCells, compileRule, stridesOf } from "./rules.js";
import { type Config, DIMENSIONS, type ModelConfig, type SourceConfig } from "./schema.js";
import { settingsVersion } from "./wire.js";

/** Compiles a configuration. Throws ConfigError, with every issue, where it can't work. */
export function compileSettings(config: Config): Settings {
  const { errors } = checkConfig(config);
  if (errors.length > 0) throw new ConfigError(errors);
  return compileChecked(config);
}

/** The same, of a configuration that has passed `checkConfig`. */
export function compileChecked(config: Config): Settings {
  const models = expandModels(config.models).map(({ model }) => compileModel(model));
  const sources = sourcesOf(config);
  const capacity = capacityOf(config);
  const partitions = config.partitions ?? partitionsDefault(config);
  const settings: Omit<Settings, "version"> = {
    name: nameOf(config),
    clock: config.clock ?? "broker",
    horizonMs: horizonOf(config),
    parkForMs: msOf(config.parkFor ?? "30d"),
    futureToleranceMs: msOf(config.futureTolerance ?? "24h"),
    clockJumpMsMax: msOf(config.clockJumpMax ?? "1h"),
    tickMs: config.tickMs ?? 100,
    partitions,
    layout: config.layout ?? 1,
    workers: Math.min(config.workers ?? 1, partitions),
    replicas: config.replicas ?? 1,
    ledgerInFlightMax: config.ledgerInFlightMax ?? 4096,
    messageBytesMax: bytesOf(config.messageBytesMax ?? "8MiB"),
    parkedMax: config.parkedMax ?? 1_000_000,
    ordersPerCustomerMax: config.ordersPerCustomerMax ?? 100_000,
    capacity,
    capacityMax: capacityMaxOf(config, capacity),
    channels: channelsOf(config, models, sources),
    sources,
    models,
  };
  return { ...settings, version: settingsVersion(settings) };
}

export function compileEdge({ server, nats, checkpoints }: Config): EdgeSettings {
  return {
    checkpoints: {
      store: checkpoints?.store ?? "folder",
      ...(checkpoints?.folder === undefined ? {} : { folder: checkpoints.folder }),
      everyMs: checkpoints?.every === undefined ? CHECKPOINT_MS_DEFAULT : msOf(checkpoints.every),
      messagesMax: checkpoints?.messages ?? CHECKPOINT_MESSAGES_DEFAULT,
    },
    server: { port: server?.port ?? PORT_DEFAULT, host: server?.host ?? HOST_DEFAULT },
    nats: defined(nats ?? {}) as EdgeSettings["nats"],
  };
}

/** The object without its undefined values. */
function defined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as Partial<T>;
}

function capacityOf({ capacity }: Config): Capacity {
  const customers = capacity?.customers ?? 1_000_000;
  return { customers, entries: capacity?.entries ?? 8_000_000, idBytes: capacity?.idBytes ?? customers * 40 };
}

/** Never below what is reserved at start. */
function capacityMaxOf({ capacity }: Config, { customers, entries, idBytes }: Capacity): Capacity {
  return {
    customers: Math.max(customers, capacity?.customersMax ?? GROWTH_DEFAULT * customers),
    entries: Math.max(entries, capacity?.entriesMax ?? GROWTH_DEFAULT * entries),
    idBytes: Math.max(idBytes, capacity?.idBytesMax ?? GROWTH_DEFAULT * idBytes),
  };
}

function horizonOf(config: Config): number {
  if (config.horizon !== undefined) return msOf(config.horizon);
  return Math.max(HORIZON_MS_DEFAULT, longestMs(expandModels(config.models).map(({ model }) => model)));
}

function bytesOf(size: number | string): number {
  if (typeof size === "number") return size;
  return Number.parseInt(size, 10) * (size.endsWith("MiB") ? 1024 * 1024 : 1024);
}

/** In the order in which they are first named: `channels`, then sources, then models. */
function channelsOf(config: Config, models: readonly Model[], sources: readonly Source[]): Channel[] {
  const names = new Set([
    ...Object.keys(config.channels ?? {}),
    ...sources.map((source) => source.channel),
    ...models.flatMap((model) => (model.channels === "*" ? [] : model.channels)),
  ]);
  return [...names].map((name) => {
    const currency = config.channels?.[name]?.currency;
    return currency === undefined ? { name } : { name, currency };
  });
}

/** Where no source is configured, one of Tidemark's own under the default names. */
export function sourcesOf(config: Pick<Config, "name" | "sources">): Source[] {
  const sources: readonly SourceConfig[] = config.sources ?? [{ name: "orders" }];
  return sources.map((source, i) => compileSource(withPreset(source), nameOf(config), i));
}

function compileSource(source: SourceConfig, name: string, number: number): Source {
  const channel = source.channel ?? CHANNEL_DEFAULT;
  const subjects = source.subjects ?? [number === 0 ? `${name}.orders.>` : ownSubject(name, channel)];
  return {
    name: source.name,
    ...(source.stream === undefined
      ? {}
      : { adopt: { stream: source.stream, control: source.control ?? controlOf(subjects) ?? "" } }),
    subjects,
    channel,
    fields: fieldsOf(source.fields),
    amounts: source.amounts ?? "minor",
    ...(source.zone === undefined ? {} : { zone: source.zone }),
    status: source.status ?? {},
    guests: (source.guests ?? []).map(String),
    anonymous: source.anonymous ?? "skip",
    negative: source.negative ?? "reject",
  };
}

/** What a further source of Tidemark's own streams reads: the events published to its channel. */
function ownSubject(name: string, channel: string): string {
  return `${name}.orders.*.${token(channel)}`;
}

/** The names of DESIGN, or only those that are mapped. */
function fieldsOf(fields: SourceConfig["fields"]): Source["fields"] {
  if (fields === undefined) {
    // `status` and `cancelled` mean nothing until a source says so.
    return Object.fromEntries(
      FIELDS.filter((field) => field !== "status" && field !== "cancelled").map((field) => [field, [field]]),
    );
  }
  return Object.fromEntries(
    FIELDS.flatMap((field): [Field, readonly string[]][] => {
      const path = fields[field];
      if (path === undefined || path === null) return [];
      return [[field, typeof path === "string" ? path.split(".") : path]];
    }),
  );
}

/** One model, its rules compiled into a table of cells. */
export function compileModel(config: ModelConfig): Model {
  const dimensions = dimensionsOf(config);
  const rules = config.segments.map((segment) => compileRule(segment, dimensions));
  const cells = allCells(dimensions).map((bands) => {
    const found = rules.findIndex((rule) => rule.matches(bands));
    return found === -1 ? rules.length : found;
  });
  const model: Omit<Model, "version"> = {
    name: config.name,
    channels: config.channels ?? "*",
    currency: config.currency,
    otherCurrency: config.otherCurrency ?? "ignore",
    fullRefund: config.fullRefund ?? "drop",
    dimensions,
    segments: [...rules.map((rule) => rule.segment), OTHERS],
    cells,
    strides: stridesOf(dimensions),
  };
  return { ...model, version: versionOf(model) };
}

const MEASURE = { recency: "newest", frequency: "count", monetary: "sum", tenure: "oldest" } as const;

/** In the order recency, frequency, monetary, tenure; bands best first. */
export function dimensionsOf(config: ModelConfig): Dimension[] {
  return DIMENSIONS.flatMap((name): Dimension[] => {
    const own = config[name];
    if (own === undefined) return [];
    const windowMs = "window" in own ? msOf(own.window) : Number.POSITIVE_INFINITY;
    const bands = own.bands.map((band): Band => {
      const limit = "min" in band ? band.min : msOf(("max" in band ? band.max : undefined) ?? "ever");
      return { name: band.name, limit, points: band.points ?? 0 };
    });
    const ascending = name === "recency" || name === "tenure";
    bands.sort((a, b) => (a.limit === b.limit ? 0 : a.limit < b.limit === ascending ? -1 : 1));
    return [{ name, measure: MEASURE[name], windowMs, bands }];
  });
}
