/** Versions of a configuration: the same meaning gives the same 16 hex digits, on every machine. */

const PRIME = 0x100000001b3n;
const OFFSET = 0xcbf29ce484222325n;
const MASK = 0xffffffffffffffffn;

/** FNV-1a, 64 bits (Fowler, Noll, Vo), as 16 lower-case hex digits. For telling versions apart, not for secrets. */
export function fnv1a64(bytes: Uint8Array): string {
  let hash = OFFSET;
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * PRIME) & MASK;
  return hash.toString(16).padStart(16, "0");
}

/** JSON with the keys in code-unit order, absent ones left out, Infinity as `"ever"`. */
export function canonicalJson(value: unknown): string {
  if (value === Number.POSITIVE_INFINITY) return '"ever"';
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(",")}}`;
}

/** Hash of a plain value. */
export function versionOf(value: unknown): string {
  return fnv1a64(new TextEncoder().encode(canonicalJson(value)));
}
