/**
 * A resume position: how far a reader has come in every partition's ledger. Opaque to clients: base64url of
 * version (1 byte), length of the epoch and the epoch (UTF-8), partition count, then each ledger number, all as LEB128.
 */
export interface Position {
  readonly epoch: string;
  /** Number of the last record seen, by partition; 0 for none. */
  readonly numbers: readonly number[];
}

const VERSION = 1;

export function encodePosition({ epoch, numbers }: Position): string {
  const bytes: number[] = [VERSION];
  const name = Buffer.from(epoch, "utf8");
  pushInteger(bytes, name.length);
  bytes.push(...name);
  pushInteger(bytes, numbers.length);
  for (const number of numbers) pushInteger(bytes, number);
  return Buffer.from(bytes).toString("base64url");
}

/** Null for anything that `encodePosition` did not make. */
export function decodePosition(text: string): Position | null {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) return null;
  const reader = { bytes: Buffer.from(text, "base64url"), at: 1 };
  if (reader.bytes[0] !== VERSION) return null;
  const length = readInteger(reader);
  if (length === null || reader.at + length > reader.bytes.length) return null;
  const epoch = reader.bytes.toString("utf8", reader.at, reader.at + length);
  reader.at += length;
  const count = readInteger(reader);
  // Each number takes at least a byte: a count that lies can't make us reserve more than was sent.
  if (count === null || count > reader.bytes.length - reader.at) return null;
  const numbers: number[] = [];
  for (let i = 0; i < count; i++) {
    const number = readInteger(reader);
    if (number === null) return null;
    numbers.push(number);
  }
  return reader.at === reader.bytes.length ? { epoch, numbers } : null;
}

function pushInteger(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
}

function readInteger(reader: { readonly bytes: Buffer; at: number }): number | null {
  let value = 0;
  for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
    const byte = reader.bytes[reader.at++];
    if (byte === undefined) return null;
    value += (byte % 128) * scale;
    if (byte < 128) return Number.isSafeInteger(value) ? value : null;
  }
  return null;
}
