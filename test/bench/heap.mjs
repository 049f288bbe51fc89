/**
 * In a process of its own, whose young generation is so large that little is collected: bytes that V8's heap grows by,
 * a message of one order, between the runtime's door and the ledger records that come of it. Prints one number for
 * each window in which nothing was collected.
 *   node --min-semi-space-size=256 --max-semi-space-size=256 heap.mjs still | moves [extra]
 * `still`: no order moves its customer, so that no record is made. `moves`: each order does, and makes one.
 * `extra`: an object is made for each message, as a careless change would, to show that it is seen.
 */
import { readFileSync } from "node:fs";
import { PerformanceObserver } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import { encode } from "@msgpack/msgpack";
import { compileSettings } from "../../dist/runtime/config/index.js";
import { Kernel } from "../../dist/runtime/kernel.js";
import { Partition } from "../../dist/runtime/partition.js";

const [kind, extra] = process.argv.slice(2);
const CUSTOMERS = 500;
const WARM = 80;
const WINDOWS = 5;
const PER_WINDOW = 10;
const FIRST_MS = Date.UTC(2026, 0, 1);

if (extra === "extra") {
  const { write } = Kernel.prototype;
  Kernel.prototype.write = function (subject, source, silent, sequence, stamp, body) {
    globalThis.last = { sequence };
    return write.call(this, subject, source, silent, sequence, stamp, body);
  };
}

const partition = new Partition({
  wasm: new WebAssembly.Module(readFileSync(new URL("../../dist/core/kernel.wasm", import.meta.url))),
  settings: compileSettings({
    partitions: 1,
    capacity: { customers: 100_000, entries: 200_000 },
    models: [{ use: "threebands", currency: "EUR" }],
  }),
  partition: 0,
  seed: new Uint8Array(16),
  live: true,
});

let sequence = 0;
/** All bodies lie in one buffer: memory of their own would call the collector. */
const bodies = new Uint8Array((WARM + WINDOWS * PER_WINDOW) * CUSTOMERS * 80);
let used = 0;
function kept(bytes) {
  bodies.set(bytes, used);
  used += bytes.length;
  return bodies.subarray(used - bytes.length, used);
}

/**
 * An order of each of the same customers, again and again: after a dozen of these nobody moves any more. Or each of a
 * customer of its own, who comes into a segment with it.
 */
const batches = Array.from({ length: WARM + WINDOWS * PER_WINDOW }, () =>
  Array.from({ length: CUSTOMERS }, (_, customer) => {
    sequence++;
    const time = FIRST_MS + sequence;
    const order = { id: `o${sequence}`, customer: `c${kind === "still" ? customer : sequence}`, time, amount: 10_000 };
    return {
      sequence,
      stamp: time,
      subject: "tidemark.orders.0.web",
      source: 0,
      control: false,
      silent: false,
      body: kept(encode(order)),
    };
  }),
);

/** Applies the batches. Returns how many records came of them. */
function apply(from, to) {
  let records = 0;
  for (let batch = from; batch < to; batch++)
    for (const some of partition.apply(batches[batch])) records += some.length;
  return records;
}

let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ["gc"] });

apply(0, WARM);
for (let window = 0; window < WINDOWS; window++) {
  // Collections are told of later.
  await setTimeout(10);
  collections = 0;
  const from = WARM + window * PER_WINDOW;
  const before = process.memoryUsage().heapUsed;
  const records = apply(from, from + PER_WINDOW);
  const grown = process.memoryUsage().heapUsed - before;
  if (records !== (kind === "still" ? 0 : PER_WINDOW * CUSTOMERS)) throw new Error(`${records} records`);
  await setTimeout(10);
  if (collections === 0) console.log(grown / (PER_WINDOW * CUSTOMERS));
}
