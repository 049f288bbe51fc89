/**
 * The kernel's decoder against `JSON.parse` and `@msgpack/msgpack`: the same items, or both refuse. Known differences:
 * - Numbers are read from their digits: an integer beyond 2^53 keeps them, and 1e-400 is a fraction, not 0.
 * - Lone surrogates and invalid UTF-8 are refused; `JSON.parse` takes the former, `@msgpack/msgpack` (in short texts) the latter.
 * - More than 32 levels below a field are refused; the libraries take any.
 * - `@msgpack/msgpack` refuses the key `__proto__`; here it is a key like any other.
 * - A message that begins with a byte of no MessagePack map or list is JSON, so a MessagePack scalar is refused.
 */
import { decode, ExtData, encode } from "@msgpack/msgpack";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import type { Source } from "../../runtime/settings.js";
import { build, type DecodedItem, Decoder, SOURCE } from "./decoder.js";

const D0 = 1767225600000;
/** Cases of each property; more with FUZZ_RUNS. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 300);

/** Deep paths, two fields on one path and a path below another's value. */
const DEEP: Source = {
  ...SOURCE,
  name: "deep",
  fields: {
    ...SOURCE.fields,
    customer: ["customer", "id"],
    currency: ["customer"],
    amount: ["price", "net", "shop", "amount"],
    channel: ["price", "channel"],
    version: ["time"],
  },
};

let decoder: Decoder;
beforeAll(async () => {
  decoder = new Decoder(await build("debug"));
});

// --- what an item should be, from the value that a library read ---

type Expected = Pick<DecodedItem, "reason" | "verdict" | "id" | "customer" | "channel" | "time" | "amount">;

function valueAt(item: unknown, path: readonly string[] | undefined): unknown {
  let value = path === undefined ? undefined : item;
  for (const key of path ?? []) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    if (value instanceof Uint8Array || value instanceof ExtData || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value === null ? undefined : value;
}

function integerOf(value: unknown): bigint | undefined {
  if (typeof value === "bigint") return value;
  return typeof value === "number" && Number.isInteger(value) ? BigInt(value) : undefined;
}

const bytesOf = (text: string) => new TextEncoder().encode(text).length;

/** Slow and obvious; reads no RFC 3339, of which the generators make none. */
function expectItem(item: unknown, source: Source): Expected {
  let reason: string | null = null;
  const fail = (found: string): null => {
    reason ??= found;
    return null;
  };
  const name = (value: unknown, max: number): string | null => {
    if (value === undefined) return fail("missingField");
    const text = typeof value === "string" ? value : integerOf(value)?.toString();
    if (text === undefined) return fail("wrongType");
    return text === "" || bytesOf(text) > max ? fail("overLimit") : text;
  };
  const field = (key: keyof Source["fields"]) => valueAt(item, source.fields[key]);
  const nothing = { id: null, customer: null, channel: source.channel, time: 0, amount: 0 };
  const isMap = typeof item === "object" && item !== null && !Array.isArray(item);
  if (!isMap || item instanceof Uint8Array || item instanceof ExtData)
    return { verdict: "dead", reason: "wrongType", ...nothing };
  const isTest = field("test");
  if (isTest !== undefined && typeof isTest !== "boolean") fail("wrongType");
  let kind = "order";
  if (field("kind") !== undefined) {
    if (typeof field("kind") !== "string") fail("wrongType");
    else if (["order", "refund", "cancel"].includes(field("kind") as string)) kind = field("kind") as string;
    else fail("unsupported");
  }
  const ms = integerOf(field("time"));
  let time = 0;
  if (field("time") === undefined) fail("missingField");
  else if (ms === undefined) fail("wrongType");
  else if (ms < BigInt(Date.UTC(1990, 0, 1))) fail("timeTooOld");
  else if (ms > 253402300799999n) fail("overLimit");
  else time = Number(ms);
  const id = name(field("id"), 128);
  const customer = name(field("customer"), 256);
  let channel = source.channel;
  if (field("channel") !== undefined) {
    if (typeof field("channel") !== "string") fail("wrongType");
    else channel = name(field("channel"), 64) ?? channel;
  }
  const currency = field("currency");
  if (currency !== undefined && !(typeof currency === "string" && /^[A-Z]{3}$/.test(currency))) fail("wrongType");
  let amount = 0;
  if (kind !== "cancel") {
    const value = field("amount");
    const cents = integerOf(value);
    if (value === undefined) fail("missingField");
    else if (typeof value === "number" && Number.isFinite(value) && cents === undefined) fail("fraction");
    else if (cents === undefined) fail("wrongType");
    else if (cents < 0n || cents > 10n ** 13n) fail("overLimit");
    else amount = Number(cents);
  }
  if (kind !== "order" && (kind === "cancel" || field("order") !== undefined)) name(field("order"), 128);
  const version = field("version");
  const state = integerOf(version);
  if (version !== undefined && state === undefined) fail("wrongType");
  else if (state !== undefined && (state < 0n || state > 2n ** 53n)) fail("overLimit");
  const verdict = isTest === true ? "test" : reason === null ? "fine" : "dead";
  return { verdict, reason: isTest === true ? null : reason, id, customer, channel, time, amount };
}

function expectItems(message: unknown, source: Source): Expected[] {
  return (Array.isArray(message) ? message : [message]).map((item) => expectItem(item, source));
}

function pick(items: DecodedItem[] | null): Expected[] | null {
  return (
    items?.map(({ verdict, reason, id, customer, channel, time, amount }) => {
      return { verdict, reason, id, customer, channel, time, amount };
    }) ?? null
  );
}

// --- what comes in ---

const word = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.string({ maxLength: 300 }),
  fc.constantFrom(
    "",
    "order",
    "refund",
    "cancel",
    "EUR",
    "web",
    "0",
    "é€𝄞",
    "\u0000",
    '"\\/\b\f\n\r\t',
    "k".repeat(257),
  ),
);
const number = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(0, -0, 1, 255, 256, 65536, D0, 10 ** 13, 10 ** 13 + 1, 0.5, -1.25, 1e-7),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -(2 ** 53), max: 2 ** 53 }),
);
const leaf = fc.oneof(word, number, fc.boolean(), fc.constant(null));
const anything = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: "small", withCrossShrink: true }, leaf, tie("list"), tie("map")),
  list: fc.array(tie("value"), { maxLength: 4 }),
  map: fc
    .array(fc.tuple(fc.oneof(word, fc.constantFrom("id", "customer", "net", "amount", "shop")), tie("value")), {
      maxLength: 4,
    })
    .map(toMap),
})).value;

/** A map without the key that the libraries do not agree on. */
function toMap(pairs: [string, unknown][]): Record<string, unknown> {
  return Object.fromEntries(pairs.filter(([key]) => key !== "__proto__"));
}

const mostly = <T>(usual: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 6, arbitrary: usual }, { weight: 1, arbitrary: anything });
const amount = fc.integer({ min: 0, max: 100_000 });
const usual = {
  id: mostly(fc.oneof(fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }), fc.nat())),
  customer: mostly(fc.oneof(fc.string({ minLength: 1 }), fc.nat(), fc.record({ id: fc.nat() }))),
  time: mostly(fc.integer({ min: D0, max: D0 * 2 })),
  amount: mostly(amount),
  channel: mostly(fc.constantFrom("web", "store", "größe")),
  currency: mostly(fc.constantFrom("EUR", "USD")),
  kind: mostly(fc.constantFrom("order", "refund", "cancel")),
  order: mostly(fc.string({ minLength: 1 })),
  version: mostly(fc.nat()),
  test: mostly(fc.constant(false)),
  price: fc.record(
    {
      net: fc.record({ shop: fc.record({ amount: mostly(amount), x: anything }, { requiredKeys: [] }) }),
      channel: mostly(fc.constant("app")),
    },
    { requiredKeys: [] },
  ),
  note: anything,
};
const fields = fc.record(usual, { requiredKeys: [] });
const item = fc
  .tuple(fields, fc.array(fc.tuple(word, anything), { maxLength: 3 }), fc.infiniteStream(fc.nat()))
  .map(([known, more, order]) => {
    const pairs = [...Object.entries(known), ...more];
    for (let n = pairs.length - 1; n > 0; n--) {
      const other = (order.next().value as number) % (n + 1);
      [pairs[n], pairs[other]] = [pairs[other] as [string, unknown], pairs[n] as [string, unknown]];
    }
    return toMap(pairs);
  });
const message = fc.oneof(
  item,
  fc.array(fc.oneof({ weight: 8, arbitrary: item }, { weight: 1, arbitrary: anything }), { maxLength: 40 }),
);
const source = fc.constantFrom(SOURCE, DEEP);

/** Items of one shape, as a producer writes them: the same keys in the same order, one of them perhaps twice. */
const shaped = fc
  .array(fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...Object.keys(usual)) }, { weight: 1, arbitrary: word }), {
    maxLength: 8,
  })
  .map((keys) => keys.filter((key) => key !== "__proto__"))
  .chain((keys) => {
    const known = new Map<string, fc.Arbitrary<unknown>>(Object.entries(usual));
    const values = keys.map((key) => known.get(key) ?? anything);
    return fc.array(
      fc.tuple(...values).map((row) => row.map((value, n) => [keys[n] as string, value] as const)),
      { minLength: 1, maxLength: 8 },
    );
  });
type Pairs = readonly (readonly [key: string, value: unknown])[];

/** Some shapes, item by item in turn. */
const shapes = fc.array(shaped, { minLength: 1, maxLength: 3 }).map((all) => {
  const longest = Math.max(...all.map(({ length }) => length));
  return Array.from({ length: longest }, (_, n) => all.flatMap((items) => items.slice(n, n + 1))).flat();
});

function writeJson(items: readonly Pairs[], space: string): Uint8Array {
  const written = items.map((pairs) => {
    const all = pairs.map(([key, value]) => `${JSON.stringify(key)}:${space}${JSON.stringify(value, null, space)}`);
    return `{${space}${all.join(`,${space}`)}${space}}`;
  });
  return new TextEncoder().encode(`[${written.join(`${space},`)}]`);
}

function writeMsgpack(items: readonly Pairs[]): Uint8Array {
  const written = items.flatMap((pairs) => [
    0x80 + pairs.length,
    ...pairs.flatMap((pair) => pair.flatMap((one) => [...encode(one)])),
  ]);
  return Uint8Array.from([0xdc, 0, items.length, ...written]);
}

/** Writes JSON with random white space, escapes, spellings of numbers and repeated keys. */
function spell(value: unknown, random: () => number): string {
  const space = () => (random() % 4 ? "" : ([" ", "\n", "\t", "\r", "  \n   "][random() % 5] as string));
  const text = (string: string) => {
    let written = "";
    for (const unit of string.split("")) {
      const hex = unit.charCodeAt(0).toString(16).padStart(4, "0");
      const plain = JSON.stringify(unit).slice(1, -1);
      const isHalf = unit >= "\ud800" && unit <= "\udfff";
      written += random() % 6 === 0 ? `\\u${random() % 2 ? hex : hex.toUpperCase()}` : isHalf ? unit : plain;
    }
    // Halves of a pair stay together: both written, or both escaped.
    return `"${isWellFormed(string) && new TextDecoder().decode(new TextEncoder().encode(written)) === written ? written : JSON.stringify(string).slice(1, -1)}"`;
  };
  const write = (value: unknown): string => {
    if (typeof value === "string") return text(value);
    if (typeof value === "number") {
      if (!Number.isInteger(value) || Math.abs(value) > 2 ** 40) return JSON.stringify(value);
      return (
        [`${value}`, `${value}.0`, `${value}e0`, value === 0 ? "0" : `${value}0e-1`, `${value}.000E+0`][random() % 9] ??
        `${value}`
      );
    }
    if (typeof value !== "object" || value === null) return JSON.stringify(value);
    if (Array.isArray(value)) return `[${space()}${value.map((one) => `${space()}${write(one)}${space()}`).join(",")}]`;
    const pairs = Object.entries(value).flatMap(([key, one]) => {
      const pair = `${space()}${text(key)}${space()}:${space()}${write(one)}${space()}`;
      return random() % 8 ? [pair] : [`${space()}${text(key)}:${write([value, 7, null, "x"][random() % 4])}`, pair];
    });
    return `{${space()}${pairs.join(",")}}`;
  };
  return space() + write(value) + space();
}

const isWellFormed = (text: string) => !/\p{Surrogate}/u.test(text);

function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 8;
  };
}

// --- the libraries, with the known differences taken out ---

function hasLoneSurrogate(text: string): boolean {
  let units = "";
  for (let n = 0; n < text.length; n++) {
    if (text[n] !== "\\") units += text[n];
    else if (text[++n] !== "u") units += " ";
    else {
      units += String.fromCharCode(Number.parseInt(text.slice(n + 1, n + 5), 16));
      n += 4;
    }
  }
  return !isWellFormed(units);
}

/** Levels of lists and maps below an item, less the item itself where it is a map. */
function tooDeep(text: string): boolean {
  const bare = text.replace(/"(?:[^"\\]|\\.)*"/g, "0").trim();
  const top = bare.startsWith("[") ? 1 : 0;
  let isMap = false;
  let depth = 0;
  for (const letter of bare) {
    if (letter === "{" || letter === "[") {
      if (depth === top) isMap = letter === "{";
      depth++;
      if (depth - top - (isMap ? 1 : 0) > 32) return true;
    } else if (letter === "}" || letter === "]") depth--;
  }
  return false;
}

/** What `JSON.parse` makes of the bytes; undefined where either refuses. */
function parseJson(bytes: Uint8Array): { value: unknown } | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    const value: unknown = JSON.parse(text);
    return hasLoneSurrogate(text) || tooDeep(text) ? undefined : { value };
  } catch {
    return undefined;
  }
}

/** Texts of a well-formed MessagePack value, and its depth: what the library does not judge. */
class Walk {
  readonly texts: Uint8Array[] = [];
  private at = 0;
  constructor(private readonly bytes: Uint8Array) {}
  private size(width: number): number {
    let size = 0;
    for (let n = 0; n < width; n++) size = size * 256 + (this.bytes[this.at++] as number);
    return size;
  }
  /** Depth of the next value: 0 for a scalar. */
  value(): number {
    const head = this.bytes[this.at++] as number;
    if (head < 0x80 || head >= 0xe0) return 0;
    if (head < 0x90) return this.values(2 * (head & 15));
    if (head < 0xa0) return this.values(head & 15);
    if (head < 0xc0) return this.text(head & 31);
    if (head >= 0xd9 && head <= 0xdb) return this.text(this.size(1 << (head - 0xd9)));
    if (head >= 0xde) return this.values(2 * this.size(2 << (head - 0xde)));
    if (head >= 0xdc) return this.values(this.size(2 << (head - 0xdc)));
    if (head >= 0xc4 && head <= 0xc6) this.at += this.size(1 << (head - 0xc4));
    else if (head >= 0xc7 && head <= 0xc9) this.at += this.size(1 << (head - 0xc7)) + 1;
    else if (head >= 0xd4 && head <= 0xd8) this.at += (1 << (head - 0xd4)) + 1;
    else this.at += [4, 8, 1, 2, 4, 8, 1, 2, 4, 8][head - 0xca] ?? 0; // floats, then integers
    return 0;
  }
  private values(count: number): number {
    let depth = 0;
    for (let n = 0; n < count; n++) depth = Math.max(depth, this.value());
    return depth + 1;
  }
  private text(length: number): number {
    this.texts.push(this.bytes.subarray(this.at, this.at + length));
    this.at += length;
    return 0;
  }
  isRefused(): boolean {
    const head = this.bytes[0] as number;
    const isList = (head & 0xf0) === 0x90 || head === 0xdc || head === 0xdd;
    let count = 1;
    if (isList) {
      this.at = 1;
      count = head < 0xa0 ? head & 15 : this.size(2 << (head - 0xdc));
    }
    for (; count > 0; count--) {
      const item = this.bytes[this.at] as number;
      const isMap = (item & 0xf0) === 0x80 || item === 0xde || item === 0xdf;
      if (this.value() > (isMap ? 33 : 32)) return true;
    }
    try {
      for (const text of this.texts) new TextDecoder("utf-8", { fatal: true }).decode(text);
      return false;
    } catch {
      return true;
    }
  }
}

const limits = { maxStrLength: 1e6, maxBinLength: 1e6, maxArrayLength: 1e6, maxMapLength: 1e6, maxExtLength: 1e6 };
const extensionCodec = {
  tryToEncode: () => null,
  decode: (data: Uint8Array, type: number) => new ExtData(type, data),
};

/** What `@msgpack/msgpack` makes of the bytes; undefined where either refuses. */
function parseMsgpack(bytes: Uint8Array): { value: unknown } | undefined {
  let value: unknown;
  try {
    // Keys that are no text are none of ours: their names here must not be.
    const mapKeyConverter = (key: unknown) => (typeof key === "string" ? key : `(${String(key)})`);
    value = decode(bytes, { ...limits, extensionCodec, useBigInt64: true, mapKeyConverter, keyDecoder: null });
  } catch {
    return undefined;
  }
  return new Walk(bytes).isRefused() ? undefined : { value };
}

/** May the bytes hold numbers that JSON.parse reads otherwise than by their digits? */
function hasWideNumber(bytes: Uint8Array): boolean {
  return /\d{16}|\d\.?\d*[eE]/.test(new TextDecoder().decode(bytes));
}

function isMsgpackHead(bytes: Uint8Array): boolean {
  const head = bytes[0] ?? 0;
  return (head >= 0x80 && head <= 0x9f) || (head >= 0xdc && head <= 0xdf);
}

function agrees(bytes: Uint8Array, from: Source): void {
  const isMsgpack = isMsgpackHead(bytes);
  const parsed = isMsgpack ? parseMsgpack(bytes) : parseJson(bytes);
  const items = decoder.decode(bytes, from);
  if (parsed === undefined) {
    expect(items).toBeNull();
  } else if (!isMsgpack && hasWideNumber(bytes)) {
    expect(items).toHaveLength(Array.isArray(parsed.value) ? parsed.value.length : 1);
  } else {
    expect(pick(items)).toEqual(expectItems(parsed.value, from));
  }
}

// --- properties ---

test("JSON of any spelling is read as JSON.parse reads it", () => {
  fc.assert(
    fc.property(message, fc.integer(), source, (value, seed, from) => {
      const bytes = new TextEncoder().encode(spell(value, randomFrom(seed)));
      const parsed = parseJson(bytes);
      expect(parsed).toBeDefined();
      expect(pick(decoder.decode(bytes, from))).toEqual(expectItems(parsed?.value, from));
    }),
    { numRuns: RUNS },
  );
});

test("MessagePack is read as @msgpack/msgpack reads it", () => {
  fc.assert(
    fc.property(message, fc.boolean(), source, (value, forceFloat32, from) => {
      const bytes = encode(value, { forceFloat32 });
      expect(pick(decoder.decode(bytes, from))).toEqual(expectItems(parseMsgpack(bytes)?.value, from));
    }),
    { numRuns: RUNS },
  );
});

const mutation = fc.tuple(fc.nat(), fc.constantFrom("set", "flip", "insert", "delete", "swap"), fc.nat(255));

function mutate(bytes: Uint8Array, mutations: [number, string, number][]): Uint8Array {
  const out = [...bytes];
  for (const [where, how, value] of mutations) {
    const at = where % Math.max(out.length, 1);
    if (how === "set") out[at] = value;
    else if (how === "flip") out[at] = (out[at] ?? 0) ^ (1 << (value & 7));
    else if (how === "insert") out.splice(at, 0, value);
    else if (how === "delete") out.splice(at, 1 + (value & 3));
    else out.splice(at, 0, ...out.slice(at, at + (value & 15)));
  }
  return Uint8Array.from(out);
}

test.each(["JSON", "MessagePack"])("mutated %s is read alike or refused by both", (format) => {
  fc.assert(
    fc.property(
      message,
      fc.integer(),
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
      source,
      (value, seed, how, from) => {
        const whole = format === "JSON" ? new TextEncoder().encode(spell(value, randomFrom(seed))) : encode(value);
        agrees(mutate(whole, how), from);
      },
    ),
    { numRuns: 2 * RUNS },
  );
});

test("bytes without any form are read alike or refused by both", () => {
  const head = fc.constantFrom(0x80, 0x81, 0x91, 0x92, 0x93, 0xdc, 0xde, 0x5b, 0x7b, 0x22);
  fc.assert(
    fc.property(head, fc.uint8Array({ maxLength: 40 }), (first, rest) => {
      agrees(Uint8Array.from([first, ...rest]), SOURCE);
    }),
    { numRuns: 2 * RUNS },
  );
});

test("a message cut off at any byte is refused, as the libraries refuse it", () => {
  fc.assert(
    fc.property(fc.oneof(item, fc.array(item, { maxLength: 2 })), fc.integer(), (value, seed) => {
      for (const bytes of [new TextEncoder().encode(spell(value, randomFrom(seed))), encode(value)]) {
        for (let length = 0; length < bytes.length; length++) agrees(bytes.slice(0, length), SOURCE);
      }
    }),
    { numRuns: RUNS / 20 },
  );
});

test("what lies behind a message changes nothing", () => {
  const behind = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 40 }),
    fc.constantFrom(...'0"}],:\\ e.'.split("")).map((text) => new TextEncoder().encode(text.repeat(20))),
  );
  fc.assert(
    fc.property(message, fc.integer(), fc.array(mutation, { maxLength: 2 }), behind, (value, seed, how, poison) => {
      for (const whole of [new TextEncoder().encode(spell(value, randomFrom(seed))), encode(value)]) {
        const bytes = mutate(whole, how);
        expect(decoder.decode(bytes, SOURCE, poison)).toEqual(decoder.decode(bytes));
      }
    }),
    { numRuns: RUNS },
  );
});

test("items of the same shape are read as the libraries read them, mutated or not", () => {
  const space = fc.constantFrom("", " ", "\n  ");
  fc.assert(
    fc.property(shapes, space, fc.array(mutation, { minLength: 1, maxLength: 3 }), source, (items, gap, how, from) => {
      for (const bytes of [writeJson(items, gap), writeMsgpack(items)]) {
        agrees(bytes, from);
        agrees(mutate(bytes, how), from);
      }
    }),
    { numRuns: RUNS },
  );
});

test("what came before a message changes nothing", () => {
  const poison = new TextEncoder().encode('0"}],:\\ e.'.repeat(20));
  fc.assert(
    fc.property(shapes, fc.array(mutation, { maxLength: 2 }), fc.integer({ min: 1 }), (items, how, cut) => {
      for (const whole of [writeJson(items, ""), writeMsgpack(items)]) {
        const bytes = mutate(whole, how);
        decoder.decode(whole);
        for (const one of [bytes, bytes.slice(0, cut % (bytes.length + 1))]) {
          const after = decoder.decode(one, SOURCE, poison);
          decoder.forgetShapes();
          expect(after).toEqual(decoder.decode(one, SOURCE, poison));
        }
      }
    }),
    { numRuns: RUNS },
  );
});

test("integers keep their digits, however long they are", () => {
  const digits = fc
    .tuple(fc.constantFrom("", "-"), fc.stringMatching(/^[1-9][0-9]{0,126}$/))
    .map(([sign, text]) => sign + text);
  fc.assert(
    fc.property(digits, fc.nat(30), (text, shift) => {
      for (const id of [
        text,
        `${text}.0`,
        `${text}.${"0".repeat(shift)}0e0`,
        `${text}${"0".repeat(shift)}e-${shift}`,
      ]) {
        const [item] = decoder.decode(`{"id":${id},"customer":"c","time":${D0},"amount":1}`) ?? [];
        expect(item).toMatchObject({ verdict: "fine", id: text });
      }
    }),
  );
});

test("debug and release builds read alike", async () => {
  const release = new Decoder(await build("release"));
  fc.assert(
    fc.property(message, fc.integer(), fc.array(mutation, { maxLength: 2 }), source, (value, seed, how, from) => {
      for (const whole of [new TextEncoder().encode(spell(value, randomFrom(seed))), encode(value)]) {
        const bytes = mutate(whole, how);
        expect(release.decode(bytes, from)).toEqual(decoder.decode(bytes, from));
      }
    }),
    { numRuns: RUNS / 4 },
  );
});
