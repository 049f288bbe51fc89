/**
 * Why an item is a dead letter, in words: which field, what was found there, what was expected. The kernel decides and
 * gives only the reason; this finds the first field that fits it, in the kernel's order (core/decode/fields.ts).
 */
import { currencyDecimals } from "./config/currency.js";
import { itemTime } from "./itemtime.js";
import { Digits, isMap, listed, shown, valueAt } from "./itemvalue.js";
import type { Reason } from "./record.js";
import type { Field, Settings, Source } from "./settings.js";
import { partitionOf } from "./subjects.js";

export interface Fault {
  /** Null: none in particular. */
  readonly field: Field | null;
  /** The field's place in the item, keys joined by dots. */
  readonly path: string | null;
  readonly found: string;
  readonly expected: string;
  /** What in the configuration would settle it, where that may be all. */
  readonly hint?: string;
}

/** What an item is judged by beside its source. */
export interface FaultContext {
  readonly settings: Pick<Settings, "models" | "channels" | "partitions" | "futureToleranceMs" | "messageBytesMax">;
  readonly source: Source;
  readonly partition: number;
  /** The clock when it came, ms. */
  readonly clock: number;
}

type Told = Omit<Fault, "field" | "path"> & { readonly reason: Reason };

const YEAR_1990 = 631_152_000_000;
const YEAR_10000 = 253_402_300_800_000;
const AMOUNT_MAX = 10n ** 13n;
const BYTES_MAX = { id: 128, order: 128, customer: 256, channel: 64 } as const;
const INTEGER = /^-?\d+$/;
const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** `item` as itemvalue.ts reads it; undefined where its bytes can't be read. Never throws. */
export function faultOf(reason: Reason, item: unknown, context: FaultContext): Fault {
  const { source } = context;
  if (item !== undefined && !isMap(item) && reason === "wrongType")
    return { field: null, path: null, found: shown(item), expected: "a map of fields, or a list of such maps" };
  if (isMap(item)) {
    for (const field of ORDER) {
      const told = CHECKS[field](valueAt(item, source.fields[field]), item, context);
      if (told?.reason !== reason) continue;
      const { found, expected, hint } = told;
      return {
        field,
        path: source.fields[field]?.join(".") ?? null,
        found: found === "nothing" ? `nothing; the item has ${listed(Object.keys(item), 8)}` : found,
        expected,
        ...(hint === undefined ? {} : { hint }),
      };
    }
  }
  return { field: null, path: null, ...general(reason, context) };
}

const ORDER = [
  "test",
  "status",
  "kind",
  "time",
  "id",
  "customer",
  "channel",
  "currency",
  "amount",
  "order",
  "version",
] as const satisfies readonly Field[];

type Check = (value: unknown, item: unknown, context: FaultContext) => Told | undefined;

const CHECKS: Readonly<Record<(typeof ORDER)[number], Check>> = {
  test: (value) =>
    value === undefined || typeof value === "boolean" ? undefined : wrong(value, "true or false, or nothing"),
  status: (value, _, { source }) => {
    if (value === undefined) return undefined;
    if (typeof value !== "string") return wrong(value, "a text");
    const { "*": other, ...known } = source.status;
    if (other !== undefined || Object.hasOwn(known, value) || Object.keys(known).length === 0) return undefined;
    const expected = `one of ${Object.keys(known).join(", ")}`;
    return { reason: "unsupported", found: shown(value), expected, hint: `status: { ${JSON.stringify(value)}: … }` };
  },
  kind: (value) => {
    if (value === undefined || value === "order" || value === "refund" || value === "cancel") return undefined;
    if (typeof value !== "string") return wrong(value, "a text");
    return { reason: "unsupported", found: shown(value), expected: "order, refund or cancel" };
  },
  time: timeFault,
  id: (value) => nameFault(value, "id"),
  customer: (value, _, { source, settings, partition }) => {
    const text = textOf(value);
    const isNobody = source.guests.length > 0 && (value === undefined || source.guests.includes(text ?? "\u0000"));
    if (isNobody)
      return { reason: "missingField", found: shown(value), expected: "a customer: source has anonymous: reject" };
    const fault = nameFault(value, "customer");
    if (fault !== undefined || text === undefined || source.adopt !== undefined) return fault;
    const own = partitionOf(text, settings.partitions);
    if (own === partition) return undefined;
    const found = `${shown(value)}, of partition ${own}`;
    return { reason: "foreignPartition", found, expected: `a customer of partition ${partition}` };
  },
  channel: (value, item, context) => {
    if (value !== undefined && typeof value !== "string") return wrong(value, "a text");
    if (value !== undefined) {
      const bytes = byteLength(value as string);
      if (bytes < 1 || bytes > BYTES_MAX.channel) return tooLong(value, bytes, BYTES_MAX.channel);
    }
    const channel = channelOf(item, context.source);
    const takers = context.settings.models.filter(({ channels }) => channels === "*" || channels.includes(channel));
    if (takers.length > 0) return undefined;
    const taken = [...new Set(context.settings.models.flatMap(({ channels }) => channels))];
    return { reason: "noModel", found: JSON.stringify(channel), expected: `a channel of a model: ${taken.join(", ")}` };
  },
  currency: (value, item, context) => {
    if (value !== undefined && !(typeof value === "string" && /^[A-Z]{3}$/.test(value)))
      return wrong(value, "three capital letters of ISO 4217 such as EUR");
    const currency = currencyOf(item, context);
    const taken = context.settings.models.filter(
      ({ currency: own, otherCurrency }) => own === currency || otherCurrency === "count",
    );
    if (taken.length > 0) return undefined;
    const own = [...new Set(context.settings.models.map((model) => model.currency))];
    return {
      reason: "noModel",
      found: currency,
      expected: `a model's currency: ${own.join(", ")}`,
      hint: `a model with currency: ${currency}, or otherCurrency: count`,
    };
  },
  amount: amountFault,
  order: (value, item, { source }) => {
    const kind = valueAt(item, source.fields.kind);
    if (kind !== "cancel" && (kind !== "refund" || value === undefined)) return undefined;
    return nameFault(value, "order");
  },
  version: (value, _, { source }) => {
    if (value === undefined) return undefined;
    const time = itemTime(value, source.zone);
    if (time === undefined || "lacks" in time)
      return wrong(value, "an integer, or RFC 3339 with an offset", zoneHint(time));
    return time.ms < 0 ? { reason: "overLimit", found: shown(value), expected: "0 to 2^53" } : undefined;
  },
};

function timeFault(value: unknown, _: unknown, { source, settings, clock }: FaultContext): Told | undefined {
  if (value === undefined) return { reason: "missingField", found: "nothing", expected: "when the order was placed" };
  const time = itemTime(value, source.zone);
  const form = "milliseconds since 1970, or RFC 3339 with an offset such as 2026-01-31T12:00:00Z";
  if (time === undefined) return wrong(value, form);
  if ("lacks" in time) return wrong(value, form, zoneHint(time));
  const { ms } = time;
  const seconds = ms > YEAR_1990 / 1000 && ms < YEAR_10000 / 1000 ? ", which looks like seconds" : "";
  if (ms < YEAR_1990)
    return { reason: "timeTooOld", found: `${shown(value)}${seconds}`, expected: `${form}, from 1990 on` };
  if (ms >= YEAR_10000) return { reason: "overLimit", found: shown(value), expected: `${form}, before the year 10000` };
  if (ms <= clock + settings.futureToleranceMs) return undefined;
  const ahead = `${shown(value)}, ${Math.round((ms - clock) / 60_000).toLocaleString("en-US")} minutes ahead`;
  return {
    reason: "tooFarAhead",
    found: ahead,
    expected: `at most ${settings.futureToleranceMs / 60_000} minutes ahead of its message (futureTolerance)`,
  };
}

function amountFault(value: unknown, item: unknown, context: FaultContext): Told | undefined {
  const { source } = context;
  const kind = valueAt(item, source.fields.kind);
  if (kind === "cancel") return undefined;
  if (value === undefined) return { reason: "missingField", found: "nothing", expected: "what the order came to" };
  const isDecimal = source.amounts === "decimal";
  const currency = currencyOf(item, context);
  const decimals = isDecimal ? currencyDecimals(currency) : 0;
  const form = isDecimal
    ? `an amount such as ${decimals === 0 ? "60" : `59.${"9".repeat(decimals)}`}, with at most ${decimals} decimals (${currency})`
    : "minor units as an integer: 5999 for 59.99";
  const text = value instanceof Digits ? value.text : isDecimal && typeof value === "string" ? value : undefined;
  const hint = !isDecimal && NUMBER.test(String(value)) ? "amounts: decimal" : undefined;
  if (text === undefined || !NUMBER.test(text)) return wrong(value, form, hint);
  const minor = scaled(text, decimals);
  if (minor === undefined)
    return { reason: "fraction", found: shown(value), expected: form, ...(hint ? { hint } : {}) };
  if (minor > AMOUNT_MAX || minor < -AMOUNT_MAX)
    return { reason: "overLimit", found: shown(value), expected: "at most 10^13 minor units" };
  if (minor >= 0n) return undefined;
  if (source.negative === "refund" && (kind ?? "order") === "order")
    return {
      reason: "unsupported",
      found: `${shown(value)}, cancelled`,
      expected: "0 or more: a refund can't be cancelled",
    };
  return { reason: "overLimit", found: shown(value), expected: "0 or more", hint: "negative: refund" };
}

/** The number times 10^decimals; undefined where something is left behind the point. */
function scaled(text: string, decimals: number): bigint | undefined {
  const [, sign, whole = "", fraction = "", power = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const shift = Number(power) + decimals - fraction.length;
  const digits = BigInt(whole + fraction) * (sign === "-" ? -1n : 1n);
  if (digits === 0n) return 0n;
  if (shift > 30) return digits * 10n ** 30n; // beyond every limit already
  if (shift >= 0) return digits * 10n ** BigInt(shift);
  if (shift < -text.length) return undefined;
  const divisor = 10n ** BigInt(-shift);
  return digits % divisor === 0n ? digits / divisor : undefined;
}

function nameFault(value: unknown, field: "id" | "customer" | "order"): Told | undefined {
  const expected = `a text of 1 to ${BYTES_MAX[field]} bytes, or an integer`;
  if (value === undefined) return { reason: "missingField", found: "nothing", expected };
  const text = textOf(value);
  if (text === undefined) return wrong(value, expected);
  const bytes = byteLength(text);
  return bytes < 1 || bytes > BYTES_MAX[field] ? tooLong(value, bytes, BYTES_MAX[field]) : undefined;
}

function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (!(value instanceof Digits)) return undefined;
  if (INTEGER.test(value.text)) return value.text;
  return scaled(value.text, 0)?.toString();
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

function tooLong(value: unknown, bytes: number, max: number): Told {
  return { reason: "overLimit", found: `${shown(value)}, ${bytes} bytes`, expected: `1 to ${max} bytes` };
}

function wrong(value: unknown, expected: string, hint?: string): Told {
  return { reason: "wrongType", found: shown(value), expected, ...(hint === undefined ? {} : { hint }) };
}

function zoneHint(time: ReturnType<typeof itemTime>): string | undefined {
  return time !== undefined && "lacks" in time ? "zone: UTC (or the shop's own, such as Europe/Warsaw)" : undefined;
}

/** The channel that an item is on. */
export function channelOf(item: unknown, source: Source): string {
  const named = valueAt(item, source.fields.channel);
  return typeof named === "string" && named !== "" ? named : source.channel;
}

/** The currency that an item is in, or is taken to be in. */
export function currencyOf(item: unknown, { source, settings }: Pick<FaultContext, "source" | "settings">): string {
  const named = valueAt(item, source.fields.currency);
  if (typeof named === "string") return named;
  const channel = channelOf(item, source);
  return settings.channels.find(({ name }) => name === channel)?.currency ?? settings.models[0]?.currency ?? "";
}

function general(reason: Reason, { settings }: FaultContext): { found: string; expected: string } {
  switch (reason) {
    case "undecodable":
      return {
        found: "bytes that can't be read to their end",
        expected: "one JSON or MessagePack item, or a list of them",
      };
    case "overLimit":
      return {
        found: "a message, or a customer's orders, over a limit",
        expected: `messages up to messageBytesMax (${settings.messageBytesMax})`,
      };
    case "noModel":
      return { found: "a channel and a currency that no model takes together", expected: "a model with both" };
    case "conflict":
      return {
        found: "an event known already, with other content and no version",
        expected: "a version, or the same content",
      };
    case "overflow":
      return { found: "a sum beyond 2^53", expected: "sums within 2^53 minor units" };
    case "unmatched":
      return { found: "no order of that id", expected: "a reversal's order within parkFor" };
    case "parkedFull":
      return { found: "more reversals waiting than parkedMax", expected: "their orders, or a larger parkedMax" };
    default:
      return { found: "an item that can't be used", expected: "an order event as the README has it" };
  }
}
