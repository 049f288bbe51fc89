/** Header lines of a ledger record: `Name: value` and a line break each, in ASCII, as they go over the wire. */
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Throws TypeError for a name or value that would break out of its line. */
export function encodeHead(values: Readonly<Record<string, string>>): Uint8Array {
  let lines = "";
  for (const name in values) {
    const value = values[name] as string;
    if (!/^[!-9;-~]+$/.test(name) || /[\r\n]/.test(value)) throw new TypeError(`no header line: ${name}: ${value}`);
    lines += `${name}: ${value}\r\n`;
  }
  return encoder.encode(lines);
}

export function decodeHead(lines: Uint8Array): Record<string, string> {
  const values: Record<string, string> = {};
  for (const line of decoder.decode(lines).split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) values[line.slice(0, colon)] = line.slice(colon + 1).trim();
  }
  return values;
}
