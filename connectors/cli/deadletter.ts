/** A dead letter as a line of JSON for people: its headers, and its bytes as far as they can be read. */
import { isUtf8 } from "node:buffer";
import { decode } from "@msgpack/msgpack";
import { decodeHead } from "../../runtime/head.js";
import type { LedgerRecord } from "../../runtime/record.js";
import { parseExact } from "../file/ndjson.js";

export function deadLetterLine({ head, body }: Pick<LedgerRecord, "head" | "body">): string {
  const headers = decodeHead(head);
  const customer = headers["Tidemark-Customer"];
  return JSON.stringify({
    reason: headers["Tidemark-Reason"],
    customer: customer === undefined ? null : decoded(customer),
    subject: headers["Tidemark-Subject"],
    position: Number(headers["Tidemark-Position"]),
    index: Number(headers["Tidemark-Index"]),
    length: Number(headers["Tidemark-Length"]),
    ...content(body),
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not percent-encoded UTF-8: shown as it is
  }
}

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
