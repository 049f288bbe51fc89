/**
 * A disk in memory behind `node:fs/promises`, as far as the checkpoints' folder uses it: what is written is there at
 * once and safe only when it was synced, a name only when its folder was. It can be full, lose power and flip a bit.
 * A process that was killed gets no further, not even within a call.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { dirname } from "node:path";
import type { Random } from "../../runtime/random.js";
import type { VirtualTime } from "./time.js";

export interface Process {
  readonly killed: boolean;
}

/** Whose code runs: what it awaits keeps it. */
export const running = new AsyncLocalStorage<Process>();

interface File {
  data: Uint8Array;
  /** What a loss of power leaves. */
  synced: Uint8Array;
  mtimeMs: number;
}

const CALL_MS_MAX = 3;

export class SimDisk {
  #names = new Map<string, File>();
  /** As of the last sync of each folder. */
  #syncedNames = new Map<string, File>();
  readonly #folders = new Set<string>();
  isFull = false;

  constructor(
    private readonly time: VirtualTime,
    private readonly random: Random,
  ) {}

  /** Takes effect when it ends, unless its process was killed meanwhile. */
  #call<T>(effect: () => T): Promise<T> {
    const process = running.getStore();
    return new Promise((resolve, reject) => {
      this.time.after(this.random.below(CALL_MS_MAX), () => {
        if (process?.killed) return;
        try {
          resolve(effect());
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  }

  mkdir(path: string): Promise<void> {
    return this.#call(() => {
      this.#folders.add(path);
    });
  }

  readdir(path: string): Promise<string[]> {
    return this.#call(() => {
      if (!this.#folders.has(path)) throw fault("ENOENT", path);
      return [...this.#names.keys()]
        .filter((name) => dirname(name) === path)
        .map((name) => name.slice(path.length + 1));
    });
  }

  stat(path: string): Promise<{ size: number; mtimeMs: number }> {
    return this.#call(() => {
      const { data, mtimeMs } = this.#find(path);
      return { size: data.length, mtimeMs };
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#call(() => {
      this.#names.set(to, this.#find(from));
      this.#names.delete(from);
    });
  }

  rm(path: string): Promise<void> {
    return this.#call(() => {
      this.#names.delete(path);
    });
  }

  open(path: string, flags: string): Promise<object> {
    return this.#call(() => {
      if (this.#folders.has(path)) return this.#folderHandle(path);
      if (flags === "r") return this.#fileHandle(this.#find(path));
      if (this.#names.has(path)) throw fault("EEXIST", path);
      const file = { data: new Uint8Array(0), synced: new Uint8Array(0), mtimeMs: this.time.now };
      this.#names.set(path, file);
      return this.#fileHandle(file);
    });
  }

  #fileHandle(file: File): object {
    let at = 0;
    return {
      read: (buffer: Uint8Array, offset: number, length: number) =>
        this.#call(() => {
          const part = file.data.subarray(at, at + length);
          buffer.set(part, offset);
          at += part.length;
          return { bytesRead: part.length, buffer };
        }),
      appendFile: (bytes: Uint8Array) => {
        const whole = bytes.slice();
        return this.#call(() => {
          // A full disk takes a part; so does one that fills up.
          const taken = this.isFull ? this.random.below(whole.length + 1) : whole.length;
          const data = new Uint8Array(file.data.length + taken);
          data.set(file.data);
          data.set(whole.subarray(0, taken), file.data.length);
          file.data = data;
          file.mtimeMs = this.time.now;
          if (taken < whole.length) throw fault("ENOSPC", "write");
        });
      },
      sync: () =>
        this.#call(() => {
          file.synced = file.data;
        }),
      close: () => this.#call(() => undefined),
    };
  }

  #folderHandle(path: string): object {
    const syncNames = () => {
      for (const name of [...this.#syncedNames.keys()]) {
        if (dirname(name) === path && !this.#names.has(name)) this.#syncedNames.delete(name);
      }
      for (const [name, file] of this.#names) if (dirname(name) === path) this.#syncedNames.set(name, file);
    };
    return { sync: () => this.#call(syncNames), close: () => this.#call(() => undefined) };
  }

  #find(path: string): File {
    const file = this.#names.get(path);
    if (file === undefined) throw fault("ENOENT", path);
    return file;
  }

  /**
   * Of each name that was not synced, the old or the new state is left; of each file the part that was synced, and as
   * much of the rest as chance has it, the last of it perhaps torn to zeros.
   */
  losePower(): void {
    const { random } = this;
    const names = new Map(this.#syncedNames);
    for (const name of this.#syncedNames.keys()) if (!this.#names.has(name) && random.chance(0.5)) names.delete(name);
    for (const [name, file] of this.#names) if (!names.has(name) && random.chance(0.5)) names.set(name, file);
    for (const file of new Set(names.values())) {
      const kept = file.synced.length + random.below(file.data.length - file.synced.length + 1);
      const data = file.data.slice(0, kept);
      if (random.chance(0.5)) data.fill(0, file.synced.length + random.below(kept - file.synced.length + 1));
      file.data = data;
      file.synced = data;
    }
    this.#names = names;
    this.#syncedNames = new Map(names);
  }

  /** One bit of one file, where there is any. */
  flipBit(): void {
    const files = [...this.#names.values()].filter(({ data }) => data.length > 0);
    const file = files[this.random.below(Math.max(1, files.length))];
    if (file === undefined) return;
    const data = file.data.slice();
    const at = this.random.below(data.length);
    data[at] = (data[at] as number) ^ (1 << this.random.below(8));
    if (file.synced === file.data) file.synced = data;
    file.data = data;
  }
}

function fault(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: ${what}`), { code });
}
