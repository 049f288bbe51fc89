/**
 * A partition that is watched: calls that cross into the kernel, and each load and store of the kernel itself. Counts
 * are the same on every machine and at every hour.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import binaryen from "assemblyscript/binaryen";
import { Partition } from "../../runtime/partition.js";
import type { Settings } from "../../runtime/settings.js";
import { SEED } from "../support/kernel-driver.js";

const KERNEL = resolve(import.meta.dirname, "../../dist/core/kernel.wasm");
/** Of the processors there are today. */
const LINE_BYTES = 64;

/** The release build, with a call before each load and store (binaryen's pass of that name). Bulk copies have none. */
export function instrumentedKernel(): WebAssembly.Module {
  const module = binaryen.readBinary(readFileSync(KERNEL));
  module.setFeatures(binaryen.Features.All);
  module.runPasses(["instrument-memory"]);
  return new WebAssembly.Module(module.emitBinary() as Uint8Array<ArrayBuffer>);
}

export class Counted {
  readonly partition: Partition;
  /** Calls of functions that the kernel exports. */
  calls = 0;
  /** Bytes of the input region that `run` was given. */
  inputBytes = 0;
  /** Loads and stores, and of those the ones beyond the input: index, customers, ids, log. */
  accesses = 0;
  stateAccesses = 0;
  /** Cache lines of the state that they fell into, since `reset`. */
  readonly lines = new Set<number>();
  #stateAt = Number.POSITIVE_INFINITY;

  constructor(wasm: WebAssembly.Module, settings: Settings) {
    const { Instance } = WebAssembly;
    const counted = this;
    // The only way in without a hook in the runtime: what it instantiates is watched.
    WebAssembly.Instance = class {
      readonly exports: WebAssembly.Exports;
      constructor(module: WebAssembly.Module, imports: { env: object }) {
        const hooks = Object.fromEntries(
          WebAssembly.Module.imports(module)
            .filter(({ kind, name }) => kind === "function" && name !== "abort")
            .map(({ name }) => [name, counted.#hook(name)]),
        );
        const instance = new Instance(module, { env: { ...hooks, ...imports.env } });
        this.exports = counted.#watched(instance.exports);
      }
    } as unknown as typeof WebAssembly.Instance;
    try {
      this.partition = new Partition({ wasm, settings, partition: 0, seed: SEED, live: true });
    } finally {
      WebAssembly.Instance = Instance;
    }
  }

  reset(): void {
    this.calls = 0;
    this.inputBytes = 0;
    this.accesses = 0;
    this.stateAccesses = 0;
    this.lines.clear();
  }

  #hook(name: string): (...args: number[]) => unknown {
    if (name !== "load_ptr" && name !== "store_ptr") return (_, value) => value;
    return (_, _bytes, offset, pointer) => {
      const address = ((pointer as number) >>> 0) + (offset as number);
      this.accesses++;
      if (address >= this.#stateAt) {
        this.stateAccesses++;
        this.lines.add(Math.floor(address / LINE_BYTES));
      }
      return pointer;
    };
  }

  #watched(exports: WebAssembly.Exports): WebAssembly.Exports {
    return Object.fromEntries(
      Object.entries(exports).map(([name, exported]) => {
        if (typeof exported !== "function") return [name, exported];
        const call = exported as (...args: unknown[]) => unknown;
        const watched = (...args: unknown[]) => {
          this.calls++;
          if (name === "run") this.inputBytes += Number(args[0]);
          const answer = call(...args);
          if (name === "plan") this.#stateAt = Number((exports.idSlots as WebAssembly.Global).value);
          return answer;
        };
        return [name, watched];
      }),
    );
  }
}
