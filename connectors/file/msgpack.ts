/** MessagePack files: values one after the other, or arrays of them, taken apart without decoding. */
import { isUtf8 } from "node:buffer";
import { Decoder } from "@msgpack/msgpack";
import type { RawItem } from "./raw.js";

const DEPTH_PLAIN_MAX = 16;
/** Bytes of one item: more are not waited for. */
const ITEM_BYTES_MAX = 16 << 20;
const decoder = new Decoder({ useBigInt64: true, maxStrLength: ITEM_BYTES_MAX, maxBinLength: ITEM_BYTES_MAX });

/** Yields the items of each chunk. What can't be read to the end of the file is one last item, not plain. */
export async function* readMsgpack(chunks: AsyncIterable<Buffer>): AsyncGenerator<RawItem[], void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  let waitFor = 0; // bytes below which looking again is in vain
  let broken = false;
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    if (rest.length < waitFor || broken) {
      if (broken && rest.length > ITEM_BYTES_MAX) break;
      continue;
    }
    const items: RawItem[] = [];
    const walk = new Walk(rest);
    let at = 0;
    while (at < rest.length) {
      const header = walk.arrayHeader(at);
      if (header === SHORT) break;
      if (header > 0) {
        at = header; // the array's elements follow as items
        continue;
      }
      walk.plain = true;
      const end = walk.skip(at, 0);
      if (end === SHORT) break;
      broken = end === BROKEN;
      if (broken) break;
      items.push(itemOf(rest.subarray(at, end), walk.plain));
      at = end;
    }
    rest = rest.subarray(at);
    // A long item is looked at again only when there is twice as much of it.
    waitFor = rest.length > 1 << 16 ? Math.min(rest.length * 2, ITEM_BYTES_MAX) : 0;
    if (rest.length > ITEM_BYTES_MAX) broken = true;
    if (items.length > 0) yield items;
  }
  if (rest.length > 0) yield [{ bytes: rest, form: "msgpack", value: undefined, plain: false }];
}

function itemOf(bytes: Buffer, plain: boolean): RawItem {
  try {
    return { bytes, form: "msgpack", value: decoder.decode(bytes), plain };
  } catch {
    return { bytes, form: "msgpack", value: undefined, plain: false };
  }
}

const SHORT = -1;
const BROKEN = -2;

class Walk {
  /** Cleared by what the kernel might refuse. */
  plain = true;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Where the first element of an array at `at` begins; 0 where there is no array; or SHORT. */
  arrayHeader(at: number): number {
    const tag = this.#bytes[at] ?? 0;
    if (tag >= 0x90 && tag <= 0x9f) return at + 1;
    const width = tag === 0xdc ? 2 : tag === 0xdd ? 4 : 0;
    if (width === 0) return 0;
    return at + 1 + width > this.#bytes.length ? SHORT : at + 1 + width;
  }

  /** Where the value at `at` ends, or SHORT or BROKEN. */
  skip(at: number, depth: number): number {
    const bytes = this.#bytes;
    if (at >= bytes.length) return SHORT;
    const tag = bytes[at] as number;
    if (tag <= 0x7f || tag >= 0xe0) return at + 1;
    if (tag <= 0x8f) return this.#members(at + 1, tag & 15, true, depth);
    if (tag <= 0x9f) return this.#members(at + 1, tag & 15, false, depth);
    if (tag <= 0xbf) return this.#text(at + 1, tag & 31);
    switch (tag) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return at + 1;
      case 0xc1:
        return BROKEN;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#sized(at + 1, 1 << (tag - 0xc4), 0);
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#sized(at + 1, 1 << (tag - 0xc7), 1);
      case 0xca:
        return this.#fixed(at + 5);
      case 0xcb:
        return this.#fixed(at + 9);
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf:
        return this.#fixed(at + 1 + (1 << (tag - 0xcc)));
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3:
        return this.#fixed(at + 1 + (1 << (tag - 0xd0)));
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.#fixed(at + 2 + (1 << (tag - 0xd4)));
      case 0xd9:
      case 0xda:
      case 0xdb: {
        const width = 1 << (tag - 0xd9);
        if (at + 1 + width > bytes.length) return SHORT;
        return this.#text(at + 1 + width, bytes.readUIntBE(at + 1, width));
      }
      default: {
        const width = tag === 0xdc || tag === 0xde ? 2 : 4;
        if (at + 1 + width > bytes.length) return SHORT;
        return this.#members(at + 1 + width, bytes.readUIntBE(at + 1, width), tag >= 0xde, depth);
      }
    }
  }

  #members(at: number, count: number, map: boolean, depth: number): number {
    // Every member has at least a byte, so a count that lies is found before it is walked far.
    if (depth + 1 >= DEPTH_PLAIN_MAX) this.plain = false;
    if (depth > 512) return BROKEN;
    let next = at;
    for (let i = 0; i < count; i++) {
      if (map) {
        const tag = this.#bytes[next];
        if (tag !== undefined && !((tag >= 0xa0 && tag <= 0xbf) || (tag >= 0xd9 && tag <= 0xdb))) this.plain = false;
        next = this.skip(next, depth + 1);
        if (next < 0) return next;
      }
      next = this.skip(next, depth + 1);
      if (next < 0) return next;
    }
    return next;
  }

  #text(at: number, length: number): number {
    const end = this.#fixed(at + length);
    if (end > 0 && length > 0 && !isUtf8(this.#bytes.subarray(at, end))) this.plain = false;
    return end;
  }

  #sized(at: number, width: number, extra: number): number {
    if (at + width > this.#bytes.length) return SHORT;
    return this.#fixed(at + width + extra + this.#bytes.readUIntBE(at, width));
  }

  #fixed(end: number): number {
    return end > this.#bytes.length ? SHORT : end;
  }
}
