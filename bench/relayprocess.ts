/** The process of `withRelay`: its main thread reads the ledgers and sends each record to every client. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Worker } from "node:worker_threads";
import { WebSocketServer } from "ws";
import { connectBroker } from "../connectors/nats/broker.js";
import { StreamReader } from "../connectors/nats/reader.js";
import { streamState } from "../connectors/nats/streams.js";
import { childArgument } from "./child.js";
import type { RelayOptions } from "./relay.js";

/** As the engine's own reader of the ledger asks for. */
const READ = { messagesMax: 128, bytesMax: 1_048_576 };
const HEAD = Buffer.from('{"type":"migration","subscription":"load","position":"","event":');
const TAIL = Buffer.from("}");

const options = childArgument<RelayOptions>();
const broker = await connectBroker({ servers: options.nats });
const clients = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
await once(clients, "listening");
clients.on("connection", (client) => {
  client.on("error", () => client.terminate());
  client.on("message", (data: Buffer) => {
    if (data.includes('"subscribe"')) client.send('{"type":"subscribed"}');
  });
});

async function follow(stream: string): Promise<never> {
  const { last_seq } = await streamState(broker, stream);
  const reader = new StreamReader(broker, { stream, from: last_seq + 1, ...READ });
  const never = new AbortController().signal;
  for (;;) {
    const { messages } = await reader.next(never);
    for (const { body } of messages) {
      const frame = Buffer.concat([HEAD, body, TAIL]);
      for (const client of clients.clients) client.send(frame, { binary: false });
    }
  }
}

for (const ledger of options.ledgers) void follow(ledger);
const worker = new Worker(new URL("./relayworker.js", import.meta.url), { workerData: options });
await once(worker, "message");
process.send?.(`ws://127.0.0.1:${(clients.address() as AddressInfo).port}/ws`);
