/** In a process of its own: fills a partition to its capacity and says what it reserved for that. */
import { loadKernel } from "../connectors/cli/kernel.js";
import { Kernel } from "../runtime/kernel.js";
import { childArgument } from "./child.js";
import { fill, type Orders, settingsFor } from "./population.js";

export interface Filled {
  /** Reserved for all that belongs to customers but the bytes of their ids, and for all that belongs to orders. */
  readonly customerBytes: number;
  readonly orderBytes: number;
  /** Memory of the process that came with them: what the system sees of both, ids included. */
  readonly residentBytes: number;
  readonly seconds: number;
}

const { orders, idLength } = childArgument<Orders>();
// Room for any id; what is used of it is counted, not reserved.
const idBytes = orders * (idLength + 16);
// Some orders have a second entry, which links the lane of a long chain: one in 128, by their hashes.
const entryMax = Math.ceil(orders * 1.02);
const kernel = new Kernel({
  wasm: loadKernel(),
  settings: settingsFor({ customers: orders, entries: entryMax, idBytes }),
  partition: 0,
  seed: new Uint8Array(16).fill(7),
  checksPartition: false,
});
const before = process.memoryUsage().rss;
const started = performance.now();
fill(kernel, { orders, idLength });
const { reserved } = kernel;
const { entries, idBytes: idBytesUsed } = kernel.counters();
const filled: Filled = {
  customerBytes: reserved.customers - idBytes + idBytesUsed - orders * idLength,
  // Index and log are as large as the capacity says, entry by entry.
  orderBytes: (reserved.orders / entryMax) * entries,
  residentBytes: process.memoryUsage().rss - before,
  seconds: (performance.now() - started) / 1000,
};
console.log(JSON.stringify(filled));
