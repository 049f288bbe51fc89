/** In a process of its own: sets up an empty engine's partitions, from the first import on. */
import { childArgument } from "./child.js";

export interface Empty {
  /** From before the first import to the last partition ready. */
  readonly ms: number;
  /** Memory of the whole process, and what came of it with the engine. */
  readonly residentBytes: number;
  readonly addedBytes: number;
  readonly reservedBytes: number;
}

export interface Layout {
  readonly partitions: number;
  /** Of all partitions. */
  readonly customers: number;
  readonly entries: number;
}

const { partitions, customers, entries } = childArgument<Layout>();
const before = process.memoryUsage().rss;
const started = performance.now();
const { loadKernel } = await import("../connectors/cli/kernel.js");
const { Partition } = await import("../runtime/partition.js");
const { compileSettings } = await import("../runtime/config/index.js");
const settings = compileSettings({
  partitions,
  capacity: { customers: customers / partitions, entries: entries / partitions },
  models: [{ use: "threebands", currency: "EUR" }],
});
const wasm = loadKernel();
const seed = new Uint8Array(16).fill(7);
const all = Array.from({ length: partitions }, (_, partition) => new Partition({ wasm, settings, partition, seed }));
const ms = performance.now() - started;
const resident = process.memoryUsage().rss;
const empty: Empty = {
  ms,
  residentBytes: resident,
  addedBytes: resident - before,
  reservedBytes: all.reduce((sum, partition) => sum + partition.stats().memoryBytes, 0),
};
console.log(JSON.stringify(empty));
