/**
 * The way of a migration with nothing done on it, for `limit.latency`: a process of its own with the engine's threads
 * and hops. Its worker reads every input through the engine's own reader, and for each order of a new customer it
 * publishes a ready-made record into the ledger; its main thread reads the ledgers and sends each record to every
 * WebSocket client. No state, no kernel, no encoding, no filter, nothing recovered.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface RelayOptions {
  /** Of the broker, whose streams are there. */
  readonly nats: string;
  /** Of each partition. */
  readonly inputs: readonly string[];
  readonly ledgers: readonly string[];
  /** Where a partition's records go. */
  readonly subjects: readonly string[];
}

/** Runs `use` with the relay's WebSocket address; it is stopped whatever happens. Throws where it does not start. */
export async function withRelay<T>(options: RelayOptions, use: (socket: string) => Promise<T>): Promise<T> {
  const child = fork(fileURLToPath(new URL("./relayprocess.js", import.meta.url)), [JSON.stringify(options)]);
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  try {
    const socket = await Promise.race([
      once(child, "message").then(([message]) => message as string),
      once(child, "exit").then(([code, signal]): never => {
        throw new Error(`the relay ended with ${signal ?? `exit code ${code}`}`);
      }),
    ]);
    return await use(socket);
  } finally {
    process.removeListener("exit", kill);
    kill();
  }
}
