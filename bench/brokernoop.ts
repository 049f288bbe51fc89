/**
 * The limit of everything that reads through this client: a worker thread like the engine's, on the same connection
 * adapter, with the same kind of consumer and the same pulls, whose callback counts messages and does nothing else.
 */
import { parentPort, workerData } from "node:worker_threads";
import { type Broker, connectBroker } from "../connectors/nats/broker.js";

/** `workerData`. */
export interface NoopStart {
  readonly url: string;
  readonly stream: string;
  /** Messages of one pull; two are under way. */
  readonly pullMessages: number;
  /** The clock runs from this message to that one. */
  readonly from: number;
  readonly to: number;
}

const PULLS = 2;

/** Messages a second. */
async function read(broker: Broker, { stream, pullMessages, from, to }: NoopStart): Promise<number> {
  const config = {
    deliver_policy: "all",
    ack_policy: "none",
    replay_policy: "instant",
    inactive_threshold: 60e9,
    mem_storage: true,
    num_replicas: 1,
  };
  const { name } = await broker.api<{ name: string }>(`CONSUMER.CREATE.${stream}`, { stream_name: stream, config });
  const request = new TextEncoder().encode(JSON.stringify({ batch: pullMessages, expires: 5e9 }));
  const inbox = broker.inbox();
  const pull = () => broker.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`, request, inbox);
  return new Promise((resolve) => {
    let count = 0;
    let start = 0;
    broker.subscribe(inbox, () => {
      count++;
      if (count % pullMessages === 0) pull();
      if (count === from) start = performance.now();
      else if (count === to) resolve(((to - from) / (performance.now() - start)) * 1_000);
    });
    for (let n = 0; n < PULLS; n++) pull();
  });
}

const start = workerData as NoopStart;
const broker = await connectBroker({ servers: start.url });
const rate = await read(broker, start);
await broker.close();
parentPort?.postMessage(rate);
