/** The nats-server that the broker's benches measure against: a child on 127.0.0.1 with a store of its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type Broker, connectBroker } from "../connectors/nats/broker.js";
import { EmbeddedServer } from "../connectors/nats/server.js";
import { streamState } from "../connectors/nats/streams.js";

export interface BenchServer {
  /** `nats://127.0.0.1:port` */
  readonly url: string;
  /** For what is not measured: streams made, filled, looked at. */
  readonly broker: Broker;
}

const versions = new Set<string>();

/** Versions of the servers that have run so far, as they said themselves. */
export function versionsUsed(): readonly string[] {
  return [...versions];
}

/** Runs `use` with a server, which is stopped and its store removed whatever happens. Throws where there is none. */
export async function withServer<T>(use: (server: BenchServer) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-bench-"));
  // npm run bench names the newest that there is.
  const binary = process.env.TIDEMARK_NATS_SERVERS?.split(delimiter).at(-1);
  const server = await EmbeddedServer.start({ folder, ...(binary === undefined ? {} : { binary }) });
  try {
    const broker = await connectBroker({ servers: server.url });
    versions.add(broker.version);
    try {
      return await use({ url: server.url, broker });
    } finally {
      await broker.close();
    }
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Bytes published ahead of the server: it is asked to read them before more is sent. */
const AHEAD_BYTES_MAX = 4 * 1_048_576;

/**
 * Publishes `count` messages into an empty stream, as fast as the server reads, and waits until it holds them all.
 * Throws Error where some are missing: without acknowledgements nothing else would say so.
 */
export async function fillStream(
  broker: Broker,
  stream: string,
  subject: string,
  count: number,
  bodyOf: (number: number) => Uint8Array,
): Promise<void> {
  let ahead = 0;
  for (let number = 0; number < count; number++) {
    const body = bodyOf(number);
    broker.publish(subject, body);
    ahead += body.length + 64;
    if (ahead < AHEAD_BYTES_MAX) continue;
    await broker.flush();
    ahead = 0;
  }
  await broker.flush();
  const end = performance.now() + 30_000;
  for (;;) {
    const { last_seq, messages } = await streamState(broker, stream);
    if (messages === count && last_seq === count) return;
    if (performance.now() > end) throw new Error(`stream ${stream} holds ${messages} of ${count} messages`);
    await new Promise((done) => setTimeout(done, 10));
  }
}
