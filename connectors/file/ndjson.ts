/** NDJSON: one JSON value a line. An array stands for its elements. */
import { isUtf8 } from "node:buffer";
import { linesOf } from "./lines.js";
import type { RawItem } from "./raw.js";

/** Nested this deep or deeper, an item travels alone: the kernel's own limit lies above. */
const DEPTH_PLAIN_MAX = 16;
const STRING_OR_LONG_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]{14,}/g;
const SURROGATE = /\\u[dD][89a-fA-F]/;

export async function* readNdjson(
  name: string,
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<RawItem[], void, undefined> {
  for await (const lines of linesOf(name, chunks)) {
    const items: RawItem[] = [];
    for (const line of lines) for (const item of itemsOf(line)) items.push(item);
    yield items;
  }
}

function itemsOf(bytes: Buffer): RawItem[] {
  const unreadable: RawItem = { bytes, form: "json", value: undefined, plain: false };
  if (!isUtf8(bytes)) return [unreadable];
  const text = bytes.toString("utf8");
  let value: unknown;
  try {
    value = parseExact(text);
  } catch {
    return [unreadable]; // the kernel sees the same bytes and says so
  }
  const plain = !SURROGATE.test(text) && depthMost(bytes) < DEPTH_PLAIN_MAX;
  if (!Array.isArray(value)) return [{ bytes, form: "json", value, plain }];
  // Elements of one line may belong to several partitions, so each becomes an item of its own.
  const parts = elementsOf(text);
  return value.map((element: unknown, i) => ({
    bytes: Buffer.from(parts[i] ?? ""),
    form: "json",
    value: element,
    plain,
  }));
}

/** JSON.parse, but a number of more than 15 characters becomes a string of its digits. Throws SyntaxError. */
export function parseExact(text: string): unknown {
  const exact = text.replace(STRING_OR_LONG_NUMBER, (found) => (found.startsWith('"') ? found : exactNumber(found)));
  const value: unknown = JSON.parse(exact);
  if (exact.length !== text.length) JSON.parse(text); // a "number" that is none must not pass as a string
  return value;
}

function exactNumber(found: string): string {
  return /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(found) ? `"${found}"` : found;
}

/** The texts of an array's elements. `text` is known to be valid JSON. */
function elementsOf(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let inString = false;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (inString) {
      if (c === "\\") i++;
      else if (c === '"') inString = false;
    } else if (c === '"') inString = true;
    else if (c === "[" || c === "{") {
      if (++depth === 1) start = i + 1;
    } else if ((c === "]" || c === "}") && --depth > 0) continue;
    else if (depth === 0 || (c === "," && depth === 1)) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  return parts;
}

/** No less than the deepest nesting: brackets inside strings count, too. */
function depthMost(bytes: Uint8Array): number {
  let depth = 0;
  let most = 0;
  for (const byte of bytes) {
    if (byte === 0x7b || byte === 0x5b) most = Math.max(most, ++depth);
    else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return most;
}
