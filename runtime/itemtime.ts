/** The time of an item as the kernel reads it (core/decode/time.ts): for showing how far times lie back. */
import { Digits } from "./itemvalue.js";
import { type ZoneRule, zoneRules } from "./zone.js";

const FORM = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))?$/;
const MINUTE = 60_000;

export type ItemTime =
  | { readonly ms: number }
  /** A text that is a time but for its offset, and no zone says which it has. */
  | { readonly lacks: "offset" }
  | undefined;

/** Milliseconds since 1970, rounded down, of an integer or RFC 3339; undefined for what is none. */
export function itemTime(value: unknown, zone: string | undefined): ItemTime {
  if (value instanceof Digits) {
    const ms = Number(value.text);
    return Number.isSafeInteger(ms) ? { ms } : undefined;
  }
  const match = typeof value === "string" ? FORM.exec(value) : null;
  if (match === null) return undefined;
  const part = (n: number) => Number(match[n] ?? 0);
  const days = new Date(0);
  days.setUTCFullYear(part(1), part(2) - 1, part(3));
  if (days.getUTCMonth() !== part(2) - 1 || days.getUTCDate() !== part(3)) return undefined;
  if (part(4) > 23 || part(5) > 59 || part(6) > 60 || part(10) > 23 || part(11) > 59) return undefined;
  const fraction = Number((match[7] ?? "").slice(0, 3).padEnd(3, "0"));
  const local = days.getTime() + (part(4) * 60 + part(5)) * MINUTE + part(6) * 1000 + fraction;
  if (match[8] !== undefined) return { ms: local };
  if (match[9] !== undefined) {
    const ahead = (part(10) * 60 + part(11)) * MINUTE;
    return { ms: match[9] === "+" ? local - ahead : local + ahead };
  }
  return zone === undefined ? { lacks: "offset" } : { ms: local - offsetAt(rulesOf(zone), local) };
}

const known = new Map<string, readonly ZoneRule[]>();

function rulesOf(zone: string): readonly ZoneRule[] {
  const rules = known.get(zone) ?? zoneRules(zone);
  if (known.size < 16) known.set(zone, rules); // as many as a configuration has sources
  return rules;
}

function offsetAt(rules: readonly ZoneRule[], local: number): number {
  let found = rules[0]?.offset ?? 0;
  for (const rule of rules) if (rule.local <= local) found = rule.offset;
  return found;
}
