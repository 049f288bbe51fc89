/** Bytes of an item as people and JSON can read them. */
import { isUtf8 } from "node:buffer";
import { decode } from "@msgpack/msgpack";
import { parseExact } from "./file/ndjson.js";

/**
 * `item`, the value, where the bytes are JSON or MessagePack; else `text`, where they are that; else `base64`. Of long
 * numbers (ids beyond 2^53) the item has the digits, as texts.
 */
export function content(body: Uint8Array): Record<string, unknown> {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  if (isUtf8(bytes)) {
    const text = bytes.toString();
    try {
      return { item: parseExact(text) };
    } catch {
      if (/^[\P{Cc}\s]*$/u.test(text)) return { text };
    }
  }
  try {
    const item = decode(bytes, { useBigInt64: true });
    return { item: JSON.parse(JSON.stringify(item, (_, value: unknown) => plain(value))) as unknown };
  } catch {
    return { base64: bytes.toString("base64") };
  }
}

function plain(value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  return value >= -(2n ** 53n) && value <= 2n ** 53n ? Number(value) : value.toString();
}
