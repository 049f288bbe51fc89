/**
 * In a process of its own: sets up an empty engine's partitions, from the first import on. The configuration comes
 * compiled, as the engine's workers get it.
 */
import { childArgument } from "./child.js";

export interface Empty {
  /** From before the first import to the last partition ready. */
  readonly ms: number;
  /** Processor time of that, of all threads. */
  readonly cpuMs: number;
  /** Memory of the whole process, and what came of it with the engine. */
  readonly residentBytes: number;
  readonly addedBytes: number;
  readonly reservedBytes: number;
}

const text = childArgument<string>();
const before = process.memoryUsage().rss;
const cpuBefore = process.cpuUsage();
const started = performance.now();
const { loadKernel } = await import("../connectors/cli/kernel.js");
const { Partition } = await import("../runtime/partition.js");
const { settingsFromJson } = await import("../runtime/config/wire.js");
const settings = settingsFromJson(text);
if (settings === undefined) throw new Error("these are no settings");
const wasm = loadKernel();
const seed = new Uint8Array(16).fill(7);
const all = Array.from(
  { length: settings.partitions },
  (_, partition) => new Partition({ wasm, settings, partition, seed }),
);
const ms = performance.now() - started;
const cpu = process.cpuUsage(cpuBefore);
const residentBytes = process.memoryUsage().rss;
const empty: Empty = {
  ms,
  cpuMs: (cpu.user + cpu.system) / 1000,
  residentBytes,
  addedBytes: residentBytes - before,
  reservedBytes: all.reduce((sum, partition) => sum + partition.stats().memoryBytes, 0),
};
console.log(JSON.stringify(empty));
