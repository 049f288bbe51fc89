/** The worker of the relay: reads the inputs, and publishes a record for each order of a new customer. */
import { parentPort, workerData } from "node:worker_threads";
import { connectBroker } from "../connectors/nats/broker.js";
import type { BrokerMessage } from "../connectors/nats/message.js";
import { StreamReader } from "../connectors/nats/reader.js";
import { streamState } from "../connectors/nats/streams.js";
import type { RelayOptions } from "./relay.js";

/** As the owner of a partition reads. */
const READ = { messagesMax: 8_192, bytesMax: 8 * 1_048_576 };
/** Key of the customer in MessagePack, before a short string. */
const CUSTOMER = Buffer.from("\xa8customer", "latin1");
/** Ids of new customers begin with it (see loadgenerator.ts). */
const NEW = "n".charCodeAt(0);
/** Makes a record as large as the engine's of such an order, some 1,100 bytes. */
const PAD = "x".repeat(1_060);
const END = Buffer.from("\r\n");

const options = workerData as RelayOptions;
const broker = await connectBroker({ servers: options.nats });
// Every record is acknowledged, as the engine's are.
const acknowledgements = broker.inbox();
broker.subscribe(acknowledgements, () => {});

function customerOf({ data }: BrokerMessage): string | undefined {
  const at = Buffer.from(data.buffer, data.byteOffset, data.length).indexOf(CUSTOMER) + CUSTOMER.length;
  if (data[at + 1] !== NEW) return undefined;
  const length = (data[at] as number) & 31;
  return Buffer.from(data.buffer, data.byteOffset + at + 1, length).toString("latin1");
}

async function relay(partition: number): Promise<never> {
  const stream = options.inputs[partition] as string;
  const subject = options.subjects[partition] as string;
  const { last_seq } = await streamState(broker, stream);
  const reader = new StreamReader(broker, {
    stream,
    from: last_seq + 1,
    ...READ,
    take: (_sequence, _stamp, message) => {
      const customer = customerOf(message);
      if (customer === undefined) return true;
      const record = Buffer.from(JSON.stringify({ subject: customer, pad: PAD }));
      broker.send(Buffer.concat([Buffer.from(`PUB ${subject} ${acknowledgements} ${record.length}\r\n`), record, END]));
      return true;
    },
  });
  const never = new AbortController().signal;
  for (;;) await reader.ready(never);
}

for (const partition of options.inputs.keys()) void relay(partition);
await broker.flush();
parentPort?.postMessage("ready");
