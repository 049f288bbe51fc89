/** JSON that keeps the digits of its numbers, so that ids and amounts beyond 2^53 stay what was written. */

export class JsonNumber {
  constructor(readonly text: string) {}
}
export type Json = null | boolean | string | JsonNumber | Json[] | Map<string, Json>;

/** The value of `text`; undefined where it is not JSON to its end. Of repeated keys the last counts. */
export function parseJson(text: string): Json | undefined {
  let at = 0;

  function fail(): never {
    throw new SyntaxError(`not JSON at ${at}`);
  }
  function space(): void {
    while (at < text.length && " \t\n\r".includes(text.charAt(at))) at++;
  }
  function matched(pattern: RegExp): string {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) fail();
    at = pattern.lastIndex;
    return found[0];
  }
  function value(): Json {
    space();
    const first = text.charAt(at);
    if (first === "{") return object();
    if (first === "[") return array();
    if (first === '"') return string();
    if (first === "-" || (first >= "0" && first <= "9")) {
      return new JsonNumber(matched(/-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y));
    }
    const word = matched(/true|false|null/y);
    return word === "null" ? null : word === "true";
  }
  function string(): string {
    // The host's parser unescapes one string well; only its numbers are of no use here.
    const parsed: unknown = JSON.parse(matched(/"(?:[^"\\]|\\.)*"/suy));
    if (typeof parsed !== "string" || /\p{Surrogate}/u.test(parsed)) fail();
    return parsed;
  }
  function array(): Json[] {
    const items: Json[] = [];
    at++;
    space();
    if (text.charAt(at) === "]") {
      at++;
      return items;
    }
    for (;;) {
      items.push(value());
      space();
      const next = text.charAt(at++);
      if (next === "]") return items;
      if (next !== ",") fail();
    }
  }
  function object(): Map<string, Json> {
    const fields = new Map<string, Json>();
    at++;
    space();
    if (text.charAt(at) === "}") {
      at++;
      return fields;
    }
    for (;;) {
      space();
      if (text.charAt(at) !== '"') fail();
      const key = string();
      space();
      if (text.charAt(at++) !== ":") fail();
      fields.set(key, value());
      space();
      const next = text.charAt(at++);
      if (next === "}") return fields;
      if (next !== ",") fail();
    }
  }

  try {
    const parsed = value();
    space();
    return at === text.length ? parsed : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The integer that a JSON number stands for (`12.0` and `1e3` are integers); undefined for a fraction. */
export function integerOf(number: JsonNumber): bigint | undefined {
  const parts = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(number.text);
  if (parts === null) return undefined;
  const [, sign = "", whole = "", decimals = "", exponent = "0"] = parts;
  const shift = Number(exponent) - decimals.length;
  let digits = BigInt(whole + decimals);
  if (digits === 0n) return 0n;
  if (shift > 400) return undefined;
  if (shift >= 0) digits *= 10n ** BigInt(shift);
  else {
    const divisor = 10n ** BigInt(-shift);
    if (digits % divisor !== 0n) return undefined;
    digits /= divisor;
  }
  return sign === "-" ? -digits : digits;
}
