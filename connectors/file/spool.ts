/** What comes from stdin, kept in a file: it is looked through before it is read, and stdin can be read once. */
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { FatalError } from "../../runtime/errors.js";

export interface Spool {
  readonly path: string;
  /** Removes it. */
  close(): Promise<void>;
}

/** Copies `stdin` to its end, as it is, packed or not. To be closed. Throws FatalError (DISK_FULL). */
export async function spooled(stdin: Readable, folder: string = tmpdir()): Promise<Spool> {
  const made = await mkdtemp(join(folder, "tidemark-stdin-")).catch((cause: unknown) => {
    throw new FatalError("FILE_UNREADABLE", `${folder} can't be written`, {
      cause,
      remedy: "Name another folder for temporary files with --tmp.",
    });
  });
  const close = () => rm(made, { recursive: true, force: true });
  const path = join(made, "rows");
  try {
    await pipeline(stdin, createWriteStream(path));
  } catch (cause) {
    await close();
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    if (code !== "ENOSPC" && code !== "EDQUOT") throw cause;
    throw new FatalError("DISK_FULL", `no room in ${folder} for what comes from stdin`, {
      cause,
      remedy: "Free some space, name another folder with --tmp, or give a file instead of -.",
    });
  }
  return { path, close };
}
