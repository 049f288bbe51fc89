/** One order event of a decoded message: read field by field, or refused with a reason. */
import type { Kind, Reason } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";

export interface Item {
  readonly kind: Kind;
  readonly id: string;
  readonly customer: string;
  /** Ms since 1970. */
  readonly time: number;
  /** Minor units; 0 of a cancel. */
  readonly amount: number;
  readonly channel: string;
  /** Null: it names none. */
  readonly currency: string | null;
  /** The order that a refund or cancel is about. */
  readonly order: string | null;
  readonly version: number;
}

/** A test order, or one of nobody: counted, otherwise ignored. */
export type Ignored =
  | { readonly kind: "test"; readonly time: number }
  | { readonly kind: "anonymous"; readonly time: number };

/** What is wrong with an item. */
export class Refused extends Error {
  constructor(readonly reason: Reason) {
    super(reason);
  }
}

/** What a service reads items by. */
export interface Reading {
  readonly channel: string;
  readonly guests: ReadonlySet<string>;
  readonly rejectsGuests: boolean;
}

export function readingOf(settings: Settings): Reading {
  const [source] = settings.sources;
  if (source === undefined) throw new TypeError("settings without a source");
  return {
    channel: source.channel,
    guests: new Set(source.guests),
    rejectsGuests: source.anonymous === "reject",
  };
}

const AMOUNT_MAX = 1e13;
const TIME_MIN = Date.UTC(1990, 0, 1);
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

type Fields = Readonly<Record<string, unknown>>;

/** Reads what a message held. Throws Refused. */
export function readItem(value: unknown, reading: Reading): Item | Ignored {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Refused("wrongType");
  const fields = value as Fields;
  const { test } = fields;
  if (test !== undefined && test !== null && test !== false) {
    if (test !== true) throw new Refused("wrongType");
    return { kind: "test", time: instant(fields["time"]) ?? 0 };
  }
  if (reading.guests.size > 0 && isGuest(fields["customer"], reading.guests)) {
    if (reading.rejectsGuests) throw new Refused("missingField");
    return { kind: "anonymous", time: instant(fields["time"]) ?? 0 };
  }
  const kind = fields["kind"] ?? "order";
  if (kind !== "order" && kind !== "refund" && kind !== "cancel") {
    throw new Refused(typeof kind === "string" ? "unsupported" : "wrongType");
  }
  const time = instant(fields["time"]) ?? missing();
  if (time < TIME_MIN) throw new Refused("timeTooOld");
  return {
    kind,
    id: text(fields["id"], 128, true) ?? missing(),
    customer: text(fields["customer"], 256, true) ?? missing(),
    time,
    amount: kind === "cancel" ? 0 : (amount(fields["amount"]) ?? missing()),
    channel: text(fields["channel"], 64, false) ?? reading.channel,
    currency: text(fields["currency"], 3, false) ?? null,
    order: kind === "order" ? null : (text(fields["order"], 128, true) ?? (kind === "cancel" ? missing() : null)),
    version: instant(fields["version"]) ?? 0,
  };
}

/** Text of a field for a dead letter, where it can be read at all. */
export function readable(value: unknown, field: "id" | "customer"): string | null {
  if (typeof value !== "object" || value === null) return null;
  try {
    return text((value as Fields)[field], field === "id" ? 128 : 256, true) ?? null;
  } catch {
    return null; // what is wrong with it is told by the item's own reason
  }
}

function missing(): never {
  throw new Refused("missingField");
}

function isGuest(customer: unknown, guests: ReadonlySet<string>): boolean {
  if (customer === undefined || customer === null) return true;
  return (typeof customer === "string" || typeof customer === "number") && guests.has(String(customer));
}

/** A text of 1 to `bytesMax` bytes, or the digits of an integer. */
function text(value: unknown, bytesMax: number, integers: boolean): string | undefined {
  if (typeof value === "string") {
    // No UTF-16 unit is more than three bytes: most texts need no count.
    if (value.length === 0 || (value.length * 3 > bytesMax && Buffer.byteLength(value) > bytesMax)) {
      throw new Refused("overLimit");
    }
    return value;
  }
  if (value === undefined || value === null) return undefined;
  if (integers && Number.isSafeInteger(value)) return String(value);
  throw new Refused("wrongType");
}

/** Ms of an integer, or of RFC 3339 with an offset, rounded down. */
function instant(value: unknown): number | undefined {
  if (typeof value === "number") {
    if (!Number.isInteger(value)) throw new Refused("wrongType");
    return value;
  }
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string" || !RFC_3339.test(value)) throw new Refused("wrongType");
  const ms = Date.parse(value.toUpperCase());
  if (Number.isNaN(ms)) throw new Refused("wrongType");
  return ms;
}

function amount(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number") throw new Refused("wrongType");
  if (!Number.isInteger(value)) throw new Refused("fraction");
  if (value < 0 || value > AMOUNT_MAX) throw new Refused("overLimit");
  return value;
}
