/** In a process of its own: fills a partition, writes a checkpoint of it into memory, and restores that again and again. */
import { loadKernel } from "../connectors/cli/kernel.js";
import { Kernel } from "../runtime/kernel.js";
import { Partition } from "../runtime/partition.js";
import { Saving } from "../runtime/saving.js";
import { childArgument } from "./child.js";
import { fill, settingsFor } from "./population.js";

export interface Restored {
  readonly seconds: readonly number[];
  readonly writeSeconds: number;
  /** The longest that one chunk took to write. */
  readonly chunkMs: number;
  readonly bytes: number;
}

const CHUNK_BYTES = 128 * 1024;
const ID_LENGTH = 12;

const { customers, rounds } = childArgument<{ customers: number; rounds: number }>();
const wasm = loadKernel();
const seed = new Uint8Array(16).fill(7);
const capacity = {
  customers: customers + 1,
  entries: Math.ceil(customers * 1.02) + 100,
  idBytes: (customers + 2) * 16,
};
const settings = settingsFor(capacity);

/** Filled without reading the records: a partition would write each of them. */
function write(): { chunks: Uint8Array[]; chunkMs: number; writeSeconds: number } {
  const kernel = new Kernel({ wasm, settings, partition: 0, seed, checksPartition: false });
  fill(kernel, { orders: customers, idLength: ID_LENGTH });
  const empty = new Partition({ wasm, settings, partition: 0, seed }).beginCheckpoint();
  const { clock, recordCount: recordNumber, channels, amountsEver } = kernel;
  const started = performance.now();
  const saving = new Saving(kernel, {
    ...empty,
    clock,
    recordNumber,
    channels,
    customers,
    amountsEver: `${amountsEver}`,
  });
  const chunks: Uint8Array[] = [];
  let chunkMs = 0;
  for (;;) {
    const begun = performance.now();
    const chunk = saving.next(CHUNK_BYTES);
    chunkMs = Math.max(chunkMs, performance.now() - begun);
    if (chunk === undefined) return { chunks, chunkMs, writeSeconds: (performance.now() - started) / 1000 };
    chunks.push(chunk);
  }
}

const { chunks, chunkMs, writeSeconds } = write();
const seconds: number[] = [];
for (let round = 0; round < rounds; round++) {
  const started = performance.now();
  const partition = await Partition.restore({ wasm, settings, partition: 0 }, chunks);
  seconds.push((performance.now() - started) / 1000);
  if (partition.stats().customers !== customers) throw new Error(`${partition.stats().customers} customers came back`);
}
const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
console.log(JSON.stringify({ seconds, writeSeconds, chunkMs, bytes } satisfies Restored));
