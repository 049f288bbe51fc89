/**
 * A disk in memory behind `node:fs/promises`, as far as the checkpoints' folder uses it: what is written is there at
 * once and safe only when it was synced, a name only when its folder was. It can be full, lose power and flip a bit.
 * A process that was killed gets no further, not even within a call: each sees the disk below a path of its own, which
 * tells whose call it is (async_hooks would tell, too, and make every promise of a seed dearer).
 */
import { dirname } from "node:path";
import type { Random } from "../../runtime/random.js";
import type { VirtualTime } from "./time.js";

export interface Process {
  readonly killed: boolean;
}

interface File {
  data: Uint8Array;
  /** What a loss of power leaves. */
  synced: Uint8Array;
  mtimeMs: number;
  readonly writer: Process;
}

/** A path as its process names it, and as the disk does. */
const PATH = /^\/process-(\d+)(\/.*)$/;

const CALL_MS_MAX = 3;

export class SimDisk {
  #names = new Map<string, File>();
  /** As of the last sync of each folder. */
  #syncedNames = new Map<string, File>();
  readonly #folders = new Set<string>();
  readonly #processes: Process[] = [];
  isFull = false;

  constructor(
    private readonly time: VirtualTime,
    private readonly random: Random,
  ) {}

  /** Where this process sees the folder. */
  mount(process: Process, folder: string): string {
    this.#processes.push(process);
    return `/process-${this.#processes.length - 1}${folder}`;
  }

  #resolve(path: string): { process: Process; at: string } {
    const [, number, at = ""] = PATH.exec(path) ?? [];
    const process = this.#processes[Number(number)];
    if (process === undefined) throw new Error(`${path} is nowhere on the simulated disk`);
    return { process, at };
  }

  /** Takes effect when it ends, unless its process was killed meanwhile. */
  #call<T>(process: Process, effect: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.time.after(this.random.below(CALL_MS_MAX), () => {
        if (process.killed) return;
        try {
          resolve(effect());
        } catch (error) {
          reject(error as Error);
        }
      });
    });
  }

  mkdir(path: string): Promise<void> {
    const { process, at } = this.#resolve(path);
    return this.#call(process, () => {
      this.#folders.add(at);
    });
  }

  /** What a process that lives is writing, the others do not list: they would know it by its process id. */
  readdir(path: string): Promise<string[]> {
    const { process, at } = this.#resolve(path);
    const isOther = (name: string, { writer }: File) => name.endsWith(".tmp") && writer !== process && !writer.killed;
    return this.#call(process, () => {
      if (!this.#folders.has(at)) throw fault("ENOENT", path);
      return [...this.#names]
        .filter(([name, file]) => dirname(name) === at && !isOther(name, file))
        .map(([name]) => name.slice(at.length + 1));
    });
  }

  stat(path: string): Promise<{ size: number; mtimeMs: number }> {
    const { process, at } = this.#resolve(path);
    return this.#call(process, () => {
      const { data, mtimeMs } = this.#find(at);
      return { size: data.length, mtimeMs };
    });
  }

  rename(from: string, to: string): Promise<void> {
    const { process, at } = this.#resolve(from);
    return this.#call(process, () => {
      this.#names.set(this.#resolve(to).at, this.#find(at));
      this.#names.delete(at);
    });
  }

  rm(path: string): Promise<void> {
    const { process, at } = this.#resolve(path);
    return this.#call(process, () => {
      this.#names.delete(at);
    });
  }

  open(path: string, flags: string): Promise<object> {
    const { process, at } = this.#resolve(path);
    return this.#call(process, () => {
      if (this.#folders.has(at)) return this.#folderHandle(process, at);
      if (flags === "r") return this.#fileHandle(process, this.#find(at));
      if (this.#names.has(at)) throw fault("EEXIST", path);
      const file = { data: new Uint8Array(0), synced: new Uint8Array(0), mtimeMs: this.time.now, writer: process };
      this.#names.set(at, file);
      return this.#fileHandle(process, file);
    });
  }

  #fileHandle(process: Process, file: File): object {
    let at = 0;
    return {
      read: (buffer: Uint8Array, offset: number, length: number) =>
        this.#call(process, () => {
          const part = file.data.subarray(at, at + length);
          buffer.set(part, offset);
          at += part.length;
          return { bytesRead: part.length, buffer };
        }),
      appendFile: (bytes: Uint8Array) => {
        const whole = bytes.slice();
        return this.#call(process, () => {
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
        this.#call(process, () => {
          file.synced = file.data;
        }),
      close: () => this.#call(process, () => undefined),
    };
  }

  #folderHandle(process: Process, path: string): object {
    const syncNames = () => {
      for (const name of [...this.#syncedNames.keys()]) {
        if (dirname(name) === path && !this.#names.has(name)) this.#syncedNames.delete(name);
      }
      for (const [name, file] of this.#names) if (dirname(name) === path) this.#syncedNames.set(name, file);
    };
    return { sync: () => this.#call(process, syncNames), close: () => this.#call(process, () => undefined) };
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
