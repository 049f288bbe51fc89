/** Where a result goes: stdout ("-") or a file, written no faster than it is taken. */

import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { FatalError, InputError } from "../../runtime/errors.js";

const BUFFER_CHARACTERS = 1 << 16;

export class Output {
  readonly name: string;
  readonly #stream: NodeJS.WritableStream;
  #failure: Error | undefined;
  #buffer = "";

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

  /** To be awaited now and then: `await output.drained()`. */
  write(text: string): void {
    this.#buffer += text;
    if (this.#buffer.length >= BUFFER_CHARACTERS) this.#push();
  }

  /** What was written is handed on now. */
  flush(): void {
    this.#push();
  }

  writeBytes(bytes: Uint8Array): void {
    this.#push();
    this.#stream.write(bytes);
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
    this.#push();
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

  #push(): void {
    if (this.#buffer === "") return;
    this.#stream.write(this.#buffer);
    this.#buffer = "";
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
