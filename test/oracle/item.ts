/** What one JSON item of a message says, or what is wrong with it: the table of the design's section 2, field by field. */
import { integerOf, type Json, JsonNumber } from "./json.js";
import type { SettingsWords } from "./words.js";

export interface Item {
  id: string;
  customer: string;
  time: number;
  /** 0 of a cancel. */
  amount: number;
  channel: string;
  /** As the event names it; null: it names none. */
  currency: string | null;
  kind: "order" | "refund" | "cancel";
  order: string | null;
  version: bigint;
  /** An order whose status says that it does not count. */
  void: boolean;
}
export type Reading =
  | { item: Item; verdict: "fine" }
  | { verdict: "test" | "skipped" | "anonymous"; time: number | null }
  | { verdict: "dead"; reason: string; id: string | null; customer: string | null };

class Wrong extends Error {
  constructor(readonly reason: string) {
    super(reason);
  }
}

const bytes = (text: string): number => new TextEncoder().encode(text).length;

function textOf(value: Json | undefined, max: number, integers: boolean): string | null {
  if (value === undefined || value === null) return null;
  if (integers && value instanceof JsonNumber) {
    const digits = integerOf(value);
    if (digits === undefined) throw new Wrong("wrongType");
    return String(digits);
  }
  if (typeof value !== "string") throw new Wrong("wrongType");
  if (value === "" || bytes(value) > max) throw new Wrong("overLimit");
  return value;
}

/** Ms of an integer or of RFC 3339 with offset, rounded down to whole ms. */
function instantOf(value: Json | undefined): bigint | null {
  if (value === undefined || value === null) return null;
  if (value instanceof JsonNumber) {
    const digits = integerOf(value);
    if (digits === undefined) throw new Wrong("wrongType");
    return digits;
  }
  if (typeof value !== "string") throw new Wrong("wrongType");
  const parts = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)$/.exec(value);
  if (parts === null) throw new Wrong("wrongType");
  const [, date = "", clock = "", decimals = "", offset = ""] = parts;
  const ms = Date.parse(`${date}T${clock}.${`${decimals}000`.slice(0, 3)}${offset.toUpperCase()}`);
  if (Number.isNaN(ms)) throw new Wrong("wrongType");
  return BigInt(ms);
}

function amountOf(value: Json | undefined): number | null {
  if (value === undefined || value === null) return null;
  if (!(value instanceof JsonNumber)) throw new Wrong("wrongType");
  const amount = integerOf(value);
  if (amount === undefined) throw new Wrong("fraction");
  if (amount < 0n || amount > 10n ** 13n) throw new Wrong("overLimit");
  return Number(amount);
}

function present<T>(value: T | null): T {
  if (value === null) throw new Wrong("missingField");
  return value;
}

/** A text for a dead letter, where it can be read at all. */
function readable(fields: Map<string, Json>, key: string): string | null {
  try {
    return textOf(fields.get(key), key === "id" ? 128 : 256, true);
  } catch {
    return null;
  }
}

export function readItem(json: Json, settings: SettingsWords): Reading {
  if (!(json instanceof Map)) return { verdict: "dead", reason: "wrongType", id: null, customer: null };
  try {
    const test = json.get("test");
    if (test === true) {
      const time = instantOf(json.get("time"));
      return { verdict: "test", time: time === null ? null : Number(time) };
    }
    if (test !== undefined && test !== null && test !== false) throw new Wrong("wrongType");

    const status = settings.status === undefined ? undefined : json.get("status");
    const meaning = typeof status === "string" ? (settings.status?.[status] ?? settings.status?.["*"]) : "order";
    if (meaning === undefined) throw new Wrong("unsupported");
    if (meaning === "skip") {
      const time = instantOf(json.get("time"));
      return { verdict: "skipped", time: time === null ? null : Number(time) };
    }

    const guests = settings.guests ?? [];
    const customer = json.get("customer");
    const named = customer instanceof JsonNumber ? String(integerOf(customer)) : customer;
    if (guests.length > 0 && (named === undefined || named === null || guests.includes(named as string))) {
      if (settings.anonymous === "reject") throw new Wrong("missingField");
      const time = instantOf(json.get("time"));
      return { verdict: "anonymous", time: time === null ? null : Number(time) };
    }

    const kind = textOf(json.get("kind"), Number.POSITIVE_INFINITY, false) ?? "order";
    if (kind !== "order" && kind !== "refund" && kind !== "cancel") throw new Wrong("unsupported");
    const time = Number(present(instantOf(json.get("time"))));
    const item: Item = {
      id: present(textOf(json.get("id"), 128, true)),
      customer: present(textOf(customer, 256, true)),
      time,
      amount: kind === "cancel" ? 0 : present(amountOf(json.get("amount"))),
      channel: textOf(json.get("channel"), 64, false) ?? settings.channel ?? "web",
      currency: textOf(json.get("currency"), 3, false),
      kind,
      order: kind === "order" ? null : textOf(json.get("order"), 128, true),
      version: instantOf(json.get("version")) ?? 0n,
      void: kind === "order" && meaning === "cancel",
    };
    if (kind === "cancel") present(item.order);
    if (time < Date.UTC(1990, 0, 1)) throw new Wrong("timeTooOld");
    return { verdict: "fine", item };
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    return { verdict: "dead", reason: error.reason, id: readable(json, "id"), customer: readable(json, "customer") };
  }
}
