/** What the schema can't see: whatever takes two values, or a name and its list, to judge. */
import { checkModels } from "./checkmodel.js";
import { checkSources } from "./checksource.js";
import { currencyDecimals } from "./currency.js";
import { CHANNEL_DEFAULT, longestMs, partitionsDefault } from "./defaults.js";
import { formatDuration, parseDuration } from "./duration.js";
import { CHECKPOINT_MS_MAX, CHECKPOINT_MS_MIN } from "./edge.js";
import type { ConfigIssue, ConfigPath, Report } from "./issue.js";
import { withPreset } from "./presets.js";
import { expandModels } from "./ready.js";
import { CHANNELS_MAX, type Config } from "./schema.js";

export interface Checked {
  readonly errors: readonly ConfigIssue[];
  /** Works, but is probably not meant. */
  readonly warnings: readonly ConfigIssue[];
}

/** Every rule over a configuration that the schema has let through. Never throws. */
export function checkConfig(config: Config): Checked {
  const errors: ConfigIssue[] = [];
  const warnings: ConfigIssue[] = [];
  const error: Report = (path, message) => errors.push({ path, message });
  const warn: Report = (path, message) => warnings.push({ path, message });

  checkModels(config, error);
  checkSources(config, error);
  checkTimes(config, error);
  checkLayout(config, error, warn);
  checkChannels(config, error, warn);
  checkCurrencies(config, error, warn);
  checkNats(config, error);
  checkCheckpoints(config, error);
  checkGrowth(config, error);
  return { errors, warnings };
}

function checkTimes(config: Config, error: Report): void {
  const positive = ["horizon", "parkFor", "clockJumpMax", "futureTolerance"] as const;
  for (const key of positive) {
    const text = config[key];
    if (text === undefined) continue;
    const ms = parseDuration(text);
    if (ms === undefined) error([key], `found ${JSON.stringify(text)}, expected at most 36500d`);
    else if (ms === 0 && key !== "futureTolerance") error([key], "found 0, expected more than nothing");
  }
  const horizon = parseDuration(config.horizon ?? "ever") ?? Number.NaN;
  const longest = longestMs(expandModels(config.models).map(({ model }) => model));
  if (horizon < longest) {
    error(
      ["horizon"],
      `found ${config.horizon}, expected at least ${formatDuration(longest)}: the longest window, or recency or tenure max, of the models`,
    );
  }
}

function checkLayout(config: Config, error: Report, warn: Report): void {
  const partitions = config.partitions ?? partitionsDefault(config);
  if (partitionsDefault(config) === 1 && partitions !== 1) {
    error(["partitions"], `found ${partitions}, expected 1: an adopted stream is read whole as one partition`);
  }
  if ((config.workers ?? 1) > partitions) {
    warn(["workers"], `found ${config.workers}, but there is work for ${partitions} only: one a partition`);
  }
}

function checkCheckpoints({ checkpoints }: Config, error: Report): void {
  const { every, store, folder } = checkpoints ?? {};
  const ms = parseDuration(every ?? "60s") ?? Number.NaN;
  if (!(ms >= CHECKPOINT_MS_MIN && ms <= CHECKPOINT_MS_MAX))
    error(
      ["checkpoints", "every"],
      `found ${every}, expected ${formatDuration(CHECKPOINT_MS_MIN)} to ${formatDuration(CHECKPOINT_MS_MAX)}`,
    );
  if (folder !== undefined && store !== undefined && store !== "folder")
    error(["checkpoints", "folder"], `found a folder, expected none with store: ${store}`);
}

function checkGrowth({ capacity }: Config, error: Report): void {
  for (const key of ["customers", "entries", "idBytes"] as const) {
    const [start, max] = [capacity?.[key], capacity?.[`${key}Max`]];
    if (start !== undefined && max !== undefined && max < start)
      error(["capacity", `${key}Max`], `found ${max}, expected at least ${key}, ${start}`);
  }
}

function checkChannels(config: Config, error: Report, warn: Report): void {
  const named: { name: string; path: ConfigPath }[] = [
    ...Object.keys(config.channels ?? {}).map((name) => ({ name, path: ["channels", name] })),
    ...(config.sources ?? []).flatMap(({ channel }, i) =>
      channel === undefined ? [] : [{ name: channel, path: ["sources", i, "channel"] }],
    ),
    ...config.models.flatMap((model, i) =>
      Array.isArray(model.channels)
        ? model.channels.map((name, k) => ({ name, path: ["models", i, "channels", k] }))
        : [],
    ),
  ];
  for (const { name, path } of named) {
    const bytes = new TextEncoder().encode(name).length;
    if (bytes > 64) error(path, `found a name of ${bytes} bytes, expected at most 64`);
  }
  const distinct = new Set(named.map(({ name }) => name)).size;
  if (distinct > CHANNELS_MAX) error(["channels"], `found ${distinct} channels, expected at most ${CHANNELS_MAX}`);
  if (config.models.some((model) => model.channels === undefined || model.channels === "*")) return;
  for (const [i, { channel }] of (config.sources ?? []).entries()) {
    const taken = config.models.some((model) => model.channels?.includes(channel ?? CHANNEL_DEFAULT));
    if (!taken)
      warn(["sources", i, "channel"], `found ${JSON.stringify(channel ?? CHANNEL_DEFAULT)}, which no model takes`);
  }
}

function checkCurrencies(config: Config, error: Report, warn: Report): void {
  const known = new Set(Intl.supportedValuesOf("currency"));
  const named = [
    ...config.models.map((model, i) => ({ code: model.currency, path: ["models", i, "currency"] })),
    ...Object.entries(config.channels ?? {}).flatMap(([name, { currency }]) =>
      currency === undefined ? [] : [{ code: currency, path: ["channels", name, "currency"] }],
    ),
  ];
  for (const { code, path } of named) {
    if (!known.has(code)) warn(path, `found ${JSON.stringify(code)}, which is not a currency that ISO 4217 lists`);
  }
  const decimals = new Map(config.models.map((model) => [currencyDecimals(model.currency), model.currency]));
  if (decimals.size < 2) return;
  for (const [i, source] of (config.sources ?? []).entries()) {
    const { amounts, fields, channel = CHANNEL_DEFAULT } = withPreset(source);
    const mapped = fields === undefined || (fields.currency ?? undefined) !== undefined;
    if (amounts !== "decimal" || mapped || config.channels?.[channel]?.currency !== undefined) continue;
    error(
      ["sources", i, "amounts"],
      `found decimal, but no currency to read it in: the models have ${[...decimals.values()].join(" and ")}, whose decimals differ; map fields.currency or give channels.${channel}.currency`,
    );
  }
}

function checkNats({ nats }: Config, error: Report): void {
  if (nats === undefined) return;
  if ((nats.user === undefined) !== (nats.passwordFile === undefined)) {
    error(["nats"], "found one of user and passwordFile, expected both or none");
  }
  const ways = (["credentialsFile", "tokenFile", "nkeyFile", "user"] as const).filter((way) => nats[way] !== undefined);
  if (ways.length > 1) error(["nats"], `found ${ways.join(" and ")}, expected one way to log in`);
  if ((nats.tls?.certFile === undefined) !== (nats.tls?.keyFile === undefined)) {
    error(["nats", "tls"], "found one of certFile and keyFile, expected both or none");
  }
}
