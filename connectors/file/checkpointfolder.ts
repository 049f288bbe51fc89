/**
 * Checkpoints in a folder: `<folder>/<partition>/<position>-<stamp>-<ledger number>.checkpoint`.
 *
 * One is written under a temporary name, synced, renamed, and the folder synced: a name without `.tmp` is a whole
 * checkpoint, also after a power failure. The temporary name carries machine and process, so two owners of a partition
 * don't touch each other's; what a process that has ended left is removed at the next start. What was found to be bad
 * is kept aside as `….bad` for people to look at, at most two of a partition.
 */
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import {
  CHECKPOINTS_KEPT,
  type CheckpointKey,
  type CheckpointStore,
  type CheckpointWriter,
  checkpointKey,
  checkpointName,
  compareNewest,
  type StoredCheckpoint,
} from "../checkpoints.js";

const READ_BYTES = 1_048_576;
const DONE = ".checkpoint";
const BAD = ".bad";
const TEMPORARY = /\.([^.]*)-(\d+)-\d+-\d+\.tmp$/;
/** Of another machine that shares the folder: an unfinished checkpoint that nobody has written to for so long is left over. */
const STRANGE_MS_MAX = 3_600_000;
const HOST = hostname().replace(/[^A-Za-z0-9_-]/g, "_");

/** Of this thread. */
let writers = 0;
const underWay = new Set<string>();

export class CheckpointFolder implements CheckpointStore {
  readonly shown: string;

  constructor(readonly folder: string) {
    this.shown = `folder ${folder}`;
  }

  async list(partition: number): Promise<StoredCheckpoint[]> {
    const folder = this.#folderOf(partition);
    const found = await Promise.all(
      (await namesIn(folder)).map(async (name) => {
        const key = name.endsWith(DONE) ? checkpointKey(name.slice(0, -DONE.length)) : undefined;
        // Another owner may have removed it meanwhile.
        const bytes = key && (await unlessMissing(stat(join(folder, name))))?.size;
        return bytes === undefined ? [] : [{ ...(key as CheckpointKey), bytes }];
      }),
    );
    return found.flat().sort(compareNewest);
  }

  async create(partition: number, key: CheckpointKey): Promise<CheckpointWriter> {
    const folder = this.#folderOf(partition);
    await mkdir(folder, { recursive: true });
    const temporary = join(folder, `${checkpointName(key)}.${HOST}-${process.pid}-${threadId}-${++writers}.tmp`);
    const file = await open(temporary, "wx", 0o600);
    underWay.add(temporary);
    return new Writer(file, temporary, this.#path(partition, key), folder, () => this.#keepNewest(partition));
  }

  async *read(partition: number, key: CheckpointKey): AsyncGenerator<Uint8Array> {
    const file = await open(this.#path(partition, key), "r");
    try {
      for (;;) {
        const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES);
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }

  async discard(partition: number, key: CheckpointKey): Promise<void> {
    const folder = this.#folderOf(partition);
    const path = this.#path(partition, key);
    await unlessMissing(rename(path, path.slice(0, -DONE.length) + BAD));
    const bad = (await namesIn(folder)).filter((name) => name.endsWith(BAD)).sort();
    for (const name of bad.slice(0, -CHECKPOINTS_KEPT)) await rm(join(folder, name), { force: true });
  }

  async sweep(partition: number): Promise<void> {
    const folder = this.#folderOf(partition);
    for (const name of await namesIn(folder)) {
      const [, host, pid] = TEMPORARY.exec(name) ?? [];
      if (host === undefined) continue;
      const path = join(folder, name);
      const isLeft =
        host === HOST
          ? !isRunning(Number(pid)) || (Number(pid) === process.pid && !underWay.has(path))
          : Date.now() - ((await unlessMissing(stat(path)))?.mtimeMs ?? 0) > STRANGE_MS_MAX;
      if (isLeft) await rm(path, { force: true });
    }
  }

  async #keepNewest(partition: number): Promise<void> {
    for (const old of (await this.list(partition)).slice(CHECKPOINTS_KEPT))
      await rm(this.#path(partition, old), { force: true });
  }

  #folderOf(partition: number): string {
    return join(this.folder, String(partition));
  }

  #path(partition: number, key: CheckpointKey): string {
    return join(this.#folderOf(partition), checkpointName(key) + DONE);
  }
}

class Writer implements CheckpointWriter {
  #isOpen = true;

  constructor(
    readonly file: FileHandle,
    readonly temporary: string,
    readonly path: string,
    readonly folder: string,
    readonly prune: () => Promise<void>,
  ) {}

  async write(bytes: Uint8Array): Promise<void> {
    await this.file.appendFile(bytes); // goes on after a write of a part, which a nearly full disk gives
  }

  async commit(): Promise<void> {
    await this.file.sync();
    await this.#close();
    await rename(this.temporary, this.path);
    underWay.delete(this.temporary);
    await syncFolder(this.folder);
    await this.prune();
  }

  async abandon(): Promise<void> {
    try {
      await this.#close();
    } catch {
      // It is to go: what could not be written of it does not matter.
    }
    underWay.delete(this.temporary);
    // Where the disk takes not even this, the next start removes it.
    await rm(this.temporary, { force: true }).catch(() => {});
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.file.close();
  }
}

/** Without it a power failure may take the new name away again. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await unlessMissing(readdir(folder))) ?? [];
}

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
