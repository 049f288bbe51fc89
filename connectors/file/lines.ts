/** Cuts chunks of bytes into lines, without turning them into text. */
import { InputError } from "../../runtime/errors.js";

/** Bytes of one line; a longer one is no NDJSON file. */
export const LINE_BYTES_MAX = 16 << 20;

/** Lines of each chunk, without their end; empty ones are left out. Throws InputError (FILE_UNREADABLE). */
export async function* linesOf(name: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer[], void, undefined> {
  let rest: Buffer[] = []; // of a line that goes on in the next chunk
  let restBytes = 0;
  let first = true;
  for await (const chunk of chunks) {
    const lines: Buffer[] = [];
    let start = first && chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf ? 3 : 0;
    first = false;
    for (let end = chunk.indexOf(10, start); end >= 0; end = chunk.indexOf(10, start)) {
      const tail = chunk.subarray(start, end);
      const line = trimmed(restBytes === 0 ? tail : Buffer.concat([...rest, tail]));
      if (line.length > 0) lines.push(line);
      rest = [];
      restBytes = 0;
      start = end + 1;
    }
    if (start < chunk.length) {
      rest.push(chunk.subarray(start));
      restBytes += chunk.length - start;
      if (restBytes > LINE_BYTES_MAX) {
        throw new InputError("FILE_UNREADABLE", `${name} has a line of more than ${LINE_BYTES_MAX >> 20} MiB`, {
          remedy: "Write one order event a line.",
        });
      }
    }
    if (lines.length > 0) yield lines;
  }
  const last = trimmed(Buffer.concat(rest));
  if (last.length > 0) yield [last];
}

function trimmed(line: Buffer): Buffer {
  let start = 0;
  let end = line.length;
  while (start < end && isSpace(line[start])) start++;
  while (end > start && isSpace(line[end - 1])) end--;
  return start === 0 && end === line.length ? line : line.subarray(start, end);
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d;
}
