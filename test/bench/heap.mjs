/**
 * In a process of its own, whose young generation is so large that nothing is collected meanwhile: bytes that V8's
 * heap grows by, a message of one order, on the way from the runtime's door into the kernel. Prints one number a window.
 *   node --max-semi-space-size=256 --min-semi-space-size=256 heap.mjs [extra]
 * With `extra`, an object is made for each message, as a careless change would: to show that it is seen.
 */
import { readFileSync } from "node:fs";
import { encode } from "@msgpack/msgpack";
import { compileSettings } from "../../dist/runtime/config/index.js";
import { Kernel } from "../../dist/runtime/kernel.js";
import { Partition } from "../../dist/runtime/partition.js";

const CUSTOMERS = 500;
const WARM = 80;
const WINDOWS = 5;
const PER_WINDOW = 10;
const FIRST_MS = Date.UTC(2026, 0, 1);

if (process.argv[2] === "extra") {
  const { write } = Kernel.prototype;
  Kernel.prototype.write = function (message) {
    globalThis.last = { sequence: message.sequence };
    return write.call(this, message);
  };
}

const partition = new Partition({
  wasm: new WebAssembly.Module(readFileSync(new URL("../../dist/core/kernel.wasm", import.meta.url))),
  settings: compileSettings({
    partitions: 1,
    capacity: { customers: 2 * CUSTOMERS, entries: 1_000_000 },
    models: [{ use: "threebands", currency: "EUR" }],
  }),
  partition: 0,
  seed: new Uint8Array(16),
  live: true,
});

/** One order of each customer: after a dozen of these their segments change no more, so that no record is made. */
let sequence = 0;
/** All bodies lie in one buffer: memory of their own would call the collector. */
const bodies = new Uint8Array((WARM + WINDOWS * PER_WINDOW) * CUSTOMERS * 80);
let used = 0;
function kept(bytes) {
  bodies.set(bytes, used);
  used += bytes.length;
  return bodies.subarray(used - bytes.length, used);
}

const batches = Array.from({ length: WARM + WINDOWS * PER_WINDOW }, () =>
  Array.from({ length: CUSTOMERS }, (_, customer) => {
    sequence++;
    const time = FIRST_MS + sequence;
    return {
      sequence,
      stamp: time,
      subject: "tidemark.orders.0.web",
      source: 0,
      control: false,
      silent: false,
      body: kept(encode({ id: `o${sequence}`, customer: `c${customer}`, time, amount: 10_000 })),
    };
  }),
);

/** Applies the batches. Returns how many records came of them. */
function apply(from, to) {
  let records = 0;
  for (let batch = from; batch < to; batch++)
    for (const some of partition.records(batches[batch])) records += some.length;
  return records;
}

apply(0, WARM);
for (let window = 0; window < WINDOWS; window++) {
  const from = WARM + window * PER_WINDOW;
  const before = process.memoryUsage().heapUsed;
  const records = apply(from, from + PER_WINDOW);
  const grown = process.memoryUsage().heapUsed - before;
  if (records !== 0) throw new Error(`${records} records came of orders that change nothing`);
  console.log(grown / (PER_WINDOW * CUSTOMERS));
}
