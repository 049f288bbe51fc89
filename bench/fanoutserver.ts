/** A process of ws.fanout: the WebSocket server, and an engine in place of the real one whose ledger is in memory. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import type { EdgeEngine, LedgerEntry, LedgerReader } from "../connectors/edge.js";
import { attachWebSocket } from "../connectors/websocket/index.js";
import { shopRecords } from "./shop.js";

/** Records that wait at most for the clients, all together, before more are read. */
const BURST = 64;

const shop = shopRecords(2_000);
const records = shop.outputs.flatMap(shop.newEncoder()).filter(({ subject }) => subject.includes(".segment."));

let wanted = 0;
let wake = () => {};

async function* read(_partition: number, from: number, signal: AbortSignal): AsyncGenerator<readonly LedgerEntry[]> {
  for (let number = from; !signal.aborted; number++) {
    while (number > wanted) await new Promise<void>((resolve) => (wake = resolve));
    // As fast as the slowest client takes it: nobody is closed as slow, and nothing is left out.
    if (number % BURST === 0) while (edge.stats().queueBytesLargest > 128 * 1024) await turn();
    const { subject, body } = records[number % records.length] as (typeof records)[number];
    yield [{ partition: 0, number, subject, body, headers: {}, time: 0 }];
  }
}

const ledger: LedgerReader = {
  partitions: 1,
  epoch: async () => "bench",
  bounds: async () => ({ first: 1, last: wanted }),
  read,
};
const engine: Pick<EdgeEngine, "settings" | "ledger" | "counts" | "onCounts"> = {
  settings: shop.settings,
  ledger,
  counts: async () => [],
  onCounts: () => () => {},
};
const server = createServer();
const edge = attachWebSocket(server, engine, { onError: (error) => console.error(error) });
let before = process.cpuUsage();
server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
/** More records; of none, what those before cost is told. */
process.on("message", (count: number) => {
  if (count === 0) {
    process.send?.(process.cpuUsage(before));
    return;
  }
  before = process.cpuUsage();
  wanted += count;
  wake();
});
process.on("disconnect", () => process.exit());
