/** The decoder alone, built from its sources, with a source's table written as the runtime does. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import { encodeSource } from "../../runtime/fieldtable.js";
import { KINDS, REASONS } from "../../runtime/record.js";
import { FIELDS, type Field, type Source } from "../../runtime/settings.js";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");

const ITEM_FIELDS = [
  "id",
  "idLength",
  "customer",
  "customerLength",
  "order",
  "orderLength",
  "channel",
  "channelLength",
  "start",
  "length",
  "time",
  "amount",
  "version",
  "currency",
  "kind",
  "verdict",
  "isVoid",
] as const;
const ADDRESSES = [
  "SOURCES",
  "SOURCE_BYTES",
  "CHANNELS",
  "CHANNEL_BYTES",
  "ITEMS",
  "ITEM_BYTES",
  "SHAPES",
  "SHAPES_BYTES",
] as const;
const PAGE = 0x10000;

const ENTRY = [
  `export { beginMessage, decodeBlock } from "./core/decode/decode";`,
  `export { ${[...ADDRESSES, "INPUT", "INPUT_BYTES", "SIZED"].join(", ")} } from "./core/layout";`,
  `import { Item } from "./core/item";`,
  ...ITEM_FIELDS.map((field) => `export const at_${field}: usize = offsetof<Item>("${field}");`),
].join("\n");

export interface Built {
  readonly wasm: WebAssembly.Module;
  readonly wat: string;
}

const built = new Map<string, Promise<Built>>();

/** Compiles the decoder; once for each target. */
export function build(target: "debug" | "release"): Promise<Built> {
  const before = built.get(target);
  if (before !== undefined) return before;
  const building = compile(target);
  built.set(target, building);
  return building;
}

async function compile(target: "debug" | "release"): Promise<Built> {
  const files = new Map<string, string | Uint8Array>();
  const { error, stderr } = await asc.main(
    ["decoder.ts", "--config", "asconfig.json", "--target", target, "--outFile", "out.wasm", "--textFile", "out.wat"],
    {
      readFile: (name, base) => {
        if (name === "decoder.ts") return ENTRY;
        try {
          return readFileSync(join(base.startsWith("/") ? base : join(ROOT, base), name), "utf8");
        } catch {
          return null; // asc tries several names for each import
        }
      },
      writeFile: (name, contents) => void files.set(name, contents),
      listFiles: () => [],
    },
  );
  if (error !== null) throw new Error(stderr.toString(), { cause: error });
  const wasm = await WebAssembly.compile(files.get("out.wasm") as Uint8Array<ArrayBuffer>);
  return { wasm, wat: String(files.get("out.wat")) };
}

/** A decoded item as plain values; `reason` where the verdict is one. */
export interface DecodedItem {
  verdict: "fine" | "test" | "skipped" | "anonymous" | "dead";
  reason: string | null;
  id: string | null;
  customer: string | null;
  order: string | null;
  channel: string;
  time: number;
  amount: number;
  version: number;
  currency: string | null;
  kind: string;
  isVoid: boolean;
  start: number;
  length: number;
}

export const SOURCE: Source = {
  name: "tidemark",
  subjects: [],
  channel: "web",
  fields: Object.fromEntries(
    FIELDS.filter((field) => field !== "status" && field !== "cancelled").map((field) => [field, [field]]),
  ) as Partial<Record<Field, readonly string[]>>,
  amounts: "minor",
  status: {},
  guests: [],
  anonymous: "skip",
  negative: "reject",
};

const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { fatal: true });

export class Decoder {
  private readonly exports: Record<string, WebAssembly.Global> & {
    beginMessage(start: number, length: number, source: number): number;
    decodeBlock(from: number, max: number): number;
  };
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly sources = new Map<Source, number>();

  constructor(build: Built) {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: PAGE });
    // The addresses first: the memory ends exactly where the input region does.
    this.exports = new WebAssembly.Instance(build.wasm, { env: { memory } }).exports as never;
    memory.grow(Math.ceil(this.address("SIZED") / PAGE) - 1);
    this.bytes = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
  }

  /** Last byte of the memory plus one: what is read from there on traps. */
  get memoryEnd(): number {
    return this.bytes.length;
  }

  private address(name: string): number {
    return (this.exports[name] as WebAssembly.Global).value as number;
  }

  /** Sets the currency that all models share. */
  shareCurrency(currency: string | null): void {
    const packed = [...(currency ?? "")].reduce((word, letter) => (word << 5) | (letter.charCodeAt(0) - 64), 0);
    this.view.setUint16(this.address("CHANNELS") + 255 * this.address("CHANNEL_BYTES"), packed, true);
  }

  private sourceNumber(source: Source): number {
    let number = this.sources.get(source);
    if (number === undefined) {
      number = this.sources.size % 16;
      this.sources.set(source, number);
      const at = this.address("SOURCES") + number * this.address("SOURCE_BYTES");
      this.bytes.fill(0, at, at + this.address("SOURCE_BYTES"));
      this.bytes.set(encodeSource(source), at);
      this.forgetShapes(); // of the source that had this number before
    }
    return number;
  }

  /** What was learnt of earlier messages. */
  forgetShapes(): void {
    const at = this.address("SHAPES");
    this.bytes.fill(0, at, at + this.address("SHAPES_BYTES"));
  }

  /**
   * Items of a message, null where it can't be read. It ends at the memory's last byte, or `behind` follows it. They
   * are given out `block` at a time, in the places from `from` on.
   */
  decode(
    message: Uint8Array | string,
    source: Source = SOURCE,
    behind?: Uint8Array,
    block = 32,
    from = 0,
  ): DecodedItem[] | null {
    const body = typeof message === "string" ? utf8.encode(message) : message;
    const start = this.memoryEnd - body.length - (behind?.length ?? 0);
    this.bytes.set(body, start);
    if (behind !== undefined) this.bytes.set(behind, start + body.length);
    const number = this.sourceNumber(source);
    const count = this.exports.beginMessage(start, body.length, number);
    if (count < 0) return null;
    const items: DecodedItem[] = [];
    for (;;) {
      const read = this.exports.decodeBlock(from, block);
      if (read === 0) break;
      for (let n = 0; n < read; n++) items.push(this.itemAt(from + n, start));
    }
    if (items.length !== count) throw new Error(`${count} items were announced, ${items.length} read`);
    return items;
  }

  private itemAt(n: number, messageStart: number): DecodedItem {
    const at = this.address("ITEMS") + n * this.address("ITEM_BYTES");
    const field = (name: (typeof ITEM_FIELDS)[number]) => at + this.address(`at_${name}`);
    const u32 = (name: (typeof ITEM_FIELDS)[number]) => this.view.getUint32(field(name), true);
    const u8 = (name: (typeof ITEM_FIELDS)[number]) => this.view.getUint8(field(name));
    const i64 = (name: (typeof ITEM_FIELDS)[number]) => Number(this.view.getBigInt64(field(name), true));
    const string = (from: number, length: number) =>
      from === 0 ? null : text.decode(this.bytes.subarray(from, from + length));
    const packed = this.view.getUint16(field("currency"), true);
    const verdict = u8("verdict");
    return {
      verdict:
        verdict === 0
          ? "fine"
          : verdict < 32
            ? "dead"
            : ((["test", "skipped", "anonymous"] as const)[verdict - 32] ?? "dead"),
      reason: verdict > 0 && verdict < 32 ? (REASONS[verdict - 1] ?? "?") : null,
      id: string(u32("id"), u32("idLength")),
      customer: string(u32("customer"), u32("customerLength")),
      order: string(u32("order"), u32("orderLength")),
      channel: string(u32("channel"), u32("channelLength")) ?? "?",
      time: i64("time"),
      amount: i64("amount"),
      version: i64("version"),
      currency:
        packed === 0 ? null : String.fromCharCode(64 + (packed >> 10), 64 + ((packed >> 5) & 31), 64 + (packed & 31)),
      kind: KINDS[u8("kind")] ?? "?",
      isVoid: u8("isVoid") === 1,
      start: u32("start") - messageStart,
      length: u32("length"),
    };
  }
}
