/** Input messages as plain values: for showing and guessing. What is applied, the kernel reads for itself. */
import { Decoder } from "@msgpack/msgpack";

/** A number as the message has it: no digit is lost. */
export class Digits {
  constructor(readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

const decoder = new Decoder({ useBigInt64: true });
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
/** Begins the text that stands for a number while JSON is read. */
const MARK = "\u0001#";

/** The items of a message, numbers as Digits; undefined where it can't be read to its end. Never throws. */
export function itemsOf(body: Uint8Array): readonly unknown[] | undefined {
  const value = messageValue(body);
  if (value === undefined) return undefined;
  return Array.isArray(value) ? value : [value];
}

/** The value of JSON or MessagePack bytes, told apart by the first one; undefined where they can't be read. */
export function messageValue(body: Uint8Array): unknown {
  try {
    return (body[0] ?? 0) < 0x80 ? fromJson(body) : exact(decoder.decode(body));
  } catch {
    return undefined; // the kernel says so too: `undecodable`
  }
}

function fromJson(body: Uint8Array): unknown {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  JSON.parse(text); // what is no JSON must not become it by the marks
  const marked = text.replace(STRING_OR_NUMBER, (found) => (found[0] === '"' ? found : `"\\u0001#${found}"`));
  return JSON.parse(marked, (_, value: unknown) =>
    typeof value === "string" && value.startsWith(MARK) ? new Digits(value.slice(MARK.length)) : value,
  );
}

function exact(value: unknown): unknown {
  if (typeof value === "number" || typeof value === "bigint") return new Digits(String(value));
  if (Array.isArray(value)) return value.map(exact);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, exact(member)]));
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  return !Array.isArray(value) && !(value instanceof Digits) && !(value instanceof Uint8Array);
}

/** What lies at the path; undefined where nothing does, or null. */
export function valueAt(item: unknown, path: readonly string[] | undefined): unknown {
  if (path === undefined) return undefined;
  let found = item;
  for (const key of path) {
    if (!isMap(found) || !Object.hasOwn(found, key)) return undefined;
    found = found[key];
  }
  return found ?? undefined;
}

/** A value in a message to a person: short, on one line, as the message has it. */
export function shown(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (value instanceof Digits) return value.text;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (isMap(value)) return `a map of ${Object.keys(value).length} (${listed(Object.keys(value), 3)})`;
  const text = String(value);
  return typeof value === "string" ? JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text) : text;
}

/** `a, b, c, …` */
export function listed(names: readonly string[], max: number): string {
  return names.length > max ? `${names.slice(0, max).join(", ")}, …` : names.join(", ");
}
