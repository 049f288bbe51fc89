/** What a file holds, by its name or else by its first byte. */
export const FORMATS = ["csv", "ndjson", "msgpack"] as const;
export type Format = (typeof FORMATS)[number];

const ENDINGS: Readonly<Record<string, Format>> = {
  csv: "csv",
  tsv: "csv",
  txt: "csv",
  ndjson: "ndjson",
  jsonl: "ndjson",
  json: "ndjson",
  msgpack: "msgpack",
  mpk: "msgpack",
  mp: "msgpack",
};

/** `head`: the first bytes, unpacked. A name like `orders.csv.gz` says csv. */
export function formatOf(name: string, head: Uint8Array): Format {
  const ending = /\.([a-z]+)(?:\.gz)?$/i.exec(name)?.[1]?.toLowerCase();
  const byName = ending === undefined ? undefined : ENDINGS[ending];
  if (byName !== undefined) return byName;
  const first = head[0] ?? 0;
  if (first === 0x7b || first === 0x5b) return "ndjson"; // { [
  // UTF-8 text starts with a byte below 0x80 or from 0xc3 on; MessagePack maps and arrays lie between, or above 0xdb.
  const map = (first >= 0x80 && first <= 0x9f) || (first >= 0xdc && first <= 0xdf);
  return map ? "msgpack" : "csv";
}
