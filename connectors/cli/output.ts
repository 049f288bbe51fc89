/** Where a result goes: stdout ("-") or a file, written no faster than it is taken. */

import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { FatalError, InputError } from "../../runtime/errors.js";

const BUFFER_BYTES = 1 << 16;

export class Output {
  readonly name: string;
  readonly #stream: NodeJS.WritableStream;
  #failure: Error | undefined;
  #text = "";
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  private constructor(name: string, stream: NodeJS.WritableStream) {
    this.name = name;
    this.#stream = stream;
    stream.on("error", (error: Error) => {
      this.#failure ??= error;
    });
  }

  /** Throws InputError (FILE_UNREADABLE) where the file can't be written. */
  static async open(path: string): Promise<Output> {
    if (path === "-") return new Output("stdout", process.stdout);
    const stream: WriteStream = createWriteStream(path);
    const output = new Output(path, stream);
    try {
      await once(stream, "open");
    } catch (cause) {
      throw failureOf(path, cause);
    }
    return output;
  }

  /** To be followed now and then by `await output.drained()`. */
  write(text: string): void {
    this.#text += text;
    if (this.#text.length >= BUFFER_BYTES) this.flush();
  }

  /** The bytes must not change afterwards. */
  writeBytes(bytes: Uint8Array): void {
    this.#close();
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes >= BUFFER_BYTES) this.flush();
  }

  /** What was written is handed on now. */
  flush(): void {
    this.#close();
    if (this.#bytes === 0) return;
    this.#stream.write(Buffer.concat(this.#chunks));
    this.#chunks = [];
    this.#bytes = 0;
  }

  /** Resolves when there is room. Throws what writing met: FatalError (DISK_FULL) where the disk is full. */
  async drained(): Promise<void> {
    if (this.#failure !== undefined) throw failureOf(this.name, this.#failure);
    const stream = this.#stream as WriteStream;
    if (!stream.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        stream.off("drain", done).off("close", done).off("error", done);
        resolve();
      };
      stream.on("drain", done).on("close", done).on("error", done);
    });
    if (this.#failure !== undefined) throw failureOf(this.name, this.#failure);
  }

  /** Everything is with the operating system afterwards. */
  async close(): Promise<void> {
    this.flush();
    await this.drained();
    const stream = this.#stream;
    if (stream === process.stdout) {
      await new Promise<void>((resolve) => stream.write("", () => resolve()));
      return;
    }
    stream.end();
    await once(stream, "close").catch((cause: unknown) => {
      throw failureOf(this.name, cause);
    });
    if (this.#failure !== undefined) throw failureOf(this.name, this.#failure);
  }

  /** Text written so far comes before bytes written next. */
  #close(): void {
    if (this.#text === "") return;
    const bytes = Buffer.from(this.#text);
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
    this.#text = "";
  }
}

function failureOf(name: string, cause: unknown): unknown {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new FatalError("DISK_FULL", `no room to write ${name}`, {
      cause,
      remedy: "Free some space, or write elsewhere.",
    });
  }
  if (["ENOENT", "EACCES", "EPERM", "EISDIR", "EROFS", "ENOTDIR"].includes(code)) {
    const why = { ENOENT: "its folder is not there", EISDIR: "it is a folder" }[code] ?? "this user may not";
    return new InputError("FILE_UNREADABLE", `${name} can't be written: ${why}`, { cause });
  }
  return cause;
}
