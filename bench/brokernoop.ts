/**
 * What reading costs where nothing is done: a worker thread like the engine's, with the same kind of consumer and the
 * same pulls, whose callback counts messages. It takes them from the npm package `nats` as it comes, or from the
 * engine's adapter around it, which has a parser of its own.
 */
import { parentPort, workerData } from "node:worker_threads";
import { connect, createInbox } from "nats";
import { connectBroker } from "../connectors/nats/broker.js";

/** `workerData`. */
export interface NoopStart {
  readonly url: string;
  readonly client: "package" | "adapter";
  readonly stream: string;
  /** Messages of one pull; two are under way. */
  readonly pullMessages: number;
  /** The clock runs from this message to that one. */
  readonly from: number;
  readonly to: number;
}

/** What a client is needed for. */
interface Client {
  /** Of the JetStream API. */
  readonly request: (subject: string, request: object) => Promise<{ readonly name: string }>;
  readonly publish: (subject: string, body: Uint8Array, reply: string) => void;
  readonly subscribe: (subject: string, callback: () => void) => void;
  readonly close: () => Promise<void>;
}

const PULLS = 2;

async function packageClient(servers: string): Promise<Client> {
  const connection = await connect({ servers });
  return {
    request: async (subject, request) =>
      (await connection.request(`$JS.API.${subject}`, JSON.stringify(request))).json<{ name: string }>(),
    publish: (subject, body, reply) => connection.publish(subject, body, { reply }),
    subscribe: (subject, callback) => void connection.subscribe(subject, { callback }),
    close: () => connection.close(),
  };
}

async function adapterClient(servers: string): Promise<Client> {
  const broker = await connectBroker({ servers });
  return {
    request: (subject, request) => broker.api(subject, request),
    publish: (subject, body, reply) => broker.publish(subject, body, reply),
    subscribe: (subject, callback) => void broker.subscribe(subject, callback),
    close: () => broker.close(),
  };
}

/** Messages a second. */
async function read(client: Client, { stream, pullMessages, from, to }: NoopStart): Promise<number> {
  const config = {
    deliver_policy: "all",
    ack_policy: "none",
    replay_policy: "instant",
    inactive_threshold: 60e9,
    mem_storage: true,
    num_replicas: 1,
  };
  const { name } = await client.request(`CONSUMER.CREATE.${stream}`, { stream_name: stream, config });
  const request = new TextEncoder().encode(JSON.stringify({ batch: pullMessages, expires: 5e9 }));
  const inbox = createInbox();
  const pull = () => client.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`, request, inbox);
  return new Promise((resolve) => {
    let count = 0;
    let start = 0;
    client.subscribe(inbox, () => {
      count++;
      if (count % pullMessages === 0) pull();
      if (count === from) start = performance.now();
      else if (count === to) resolve(((to - from) / (performance.now() - start)) * 1_000);
    });
    for (let n = 0; n < PULLS; n++) pull();
  });
}

const start = workerData as NoopStart;
const client = await (start.client === "package" ? packageClient : adapterClient)(start.url);
const rate = await read(client, start);
await client.close();
parentPort?.postMessage(rate);
