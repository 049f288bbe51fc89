/** Bytes of a file or of stdin, unpacked where they are gzip, with a count of what was read. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { PassThrough, pipeline, type Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { InputError } from "../../runtime/errors.js";

export interface InputFile {
  /** As the user named it; "stdin" for `-`. */
  readonly name: string;
  /** Bytes on disk, null where that is unknown. */
  readonly size: number | null;
  /** Bytes taken from the disk so far, before unpacking. */
  bytesRead(): number;
  /** The first bytes, unpacked; empty for an empty file. */
  readonly head: Buffer;
  /** All bytes, unpacked, the head included. To be read once. */
  chunks(): AsyncGenerator<Buffer, void, undefined>;
  /** Lets go of the file, read to its end or not. */
  close(): void;
}

/** Opens `path` ("-": stdin). Throws InputError (FILE_UNREADABLE). */
export async function openInput(path: string, stdin: Readable = process.stdin): Promise<InputFile> {
  const name = path === "-" ? "stdin" : path;
  const size = path === "-" ? null : await sizeOf(path);
  const raw = path === "-" ? stdin : createReadStream(path, { highWaterMark: 1 << 18 });
  let bytesRead = 0;
  const counted = new PassThrough({ highWaterMark: 1 << 18 });
  raw.on("data", (chunk: Buffer) => {
    bytesRead += chunk.length;
  });
  pipeline(raw, counted, () => undefined); // an error reaches the reader of `counted`
  const packed = counted[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const first = await guarded(name, () => headOf(packed));
  const gzip = first.length >= 2 && first[0] === 0x1f && first[1] === 0x8b;
  const unpacked = gzip ? gunzip(resumed(first, packed)) : resumed(first, packed);
  const head = await guarded(name, () => headOf(unpacked));
  return {
    name,
    size,
    head,
    bytesRead: () => bytesRead,
    async *chunks() {
      for (const rest = resumed(head, unpacked); ; ) {
        const next = await guarded(name, () => rest.next());
        if (next.done === true) return;
        yield next.value;
      }
    },
    close() {
      if (path !== "-") raw.destroy();
      counted.destroy();
    },
  };
}

async function sizeOf(path: string): Promise<number | null> {
  return guarded(path, async () => {
    const found = await stat(path);
    if (found.isDirectory()) throw new InputError("FILE_UNREADABLE", `${path} is a folder`);
    return found.isFile() ? found.size : null;
  });
}

/** The first bytes of a stream: enough to tell gzip and the format, fewer at its end. */
async function headOf(chunks: AsyncIterator<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  while (bytes < 4) {
    const next = await chunks.next();
    if (next.done === true) break;
    parts.push(next.value);
    bytes += next.value.length;
  }
  return Buffer.concat(parts);
}

async function* resumed(head: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  if (head.length > 0) yield head;
  for (;;) {
    const next = await rest.next();
    if (next.done === true) return;
    yield next.value;
  }
}

async function* gunzip(packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  const unzip = createGunzip({ chunkSize: 1 << 18 });
  pipeline(packed, unzip, () => undefined);
  for await (const chunk of unzip) yield chunk as Buffer;
}

async function guarded<T>(name: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (code === "ENOENT") throw new InputError("FILE_UNREADABLE", `there is no file ${name}`, { cause });
    if (code === "EACCES" || code === "EPERM") {
      throw new InputError("FILE_UNREADABLE", `${name} may not be read by this user`, { cause });
    }
    if (code === "Z_BUF_ERROR") {
      throw new InputError("FILE_UNREADABLE", `${name} ends in the middle of its gzip data`, {
        cause,
        remedy: "Copy the file again: it was cut short.",
      });
    }
    if (code.startsWith("Z_")) {
      throw new InputError("FILE_UNREADABLE", `${name} holds broken gzip data`, {
        cause,
        remedy: "Copy or pack the file again.",
      });
    }
    throw new InputError("FILE_UNREADABLE", `${name}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}
