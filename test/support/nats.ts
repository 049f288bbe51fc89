/** Real servers for tests, on free ports, each with a store of its own that goes when the test ends. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type Broker, type BrokerOptions, connectBroker } from "../../connectors/nats/broker.js";
import { EmbeddedServer, findBinary } from "../../connectors/nats/server.js";

export interface ServerVersion {
  readonly version: string;
  readonly binary: string;
}

/** The servers to test against: TIDEMARK_NATS_SERVERS (set by `npm test`), else the one of this machine. */
export const serverVersions: readonly ServerVersion[] = (
  process.env.TIDEMARK_NATS_SERVERS?.split(delimiter) ?? [findBinary()]
).map((binary) => ({
  binary,
  version: /v?(\d+\.\d+\.\d+)/.exec(execFileSync(binary, ["--version"], { encoding: "utf8" }))?.[1] ?? "unknown",
}));

export class TestServer {
  readonly #brokers: Broker[] = [];
  #server: EmbeddedServer;

  private constructor(
    readonly binary: string,
    readonly folder: string,
    server: EmbeddedServer,
    readonly configFile: string | undefined,
  ) {
    this.#server = server;
  }

  /** `parent`: where its store is made, the system's temporary folder where not said. */
  static async start(binary: string, configFile?: string, parent = tmpdir()): Promise<TestServer> {
    const folder = mkdtempSync(join(parent, "tidemark-nats-"));
    const config = configFile === undefined ? {} : { configFile };
    return new TestServer(binary, folder, await EmbeddedServer.start({ folder, binary, ...config }), configFile);
  }

  get url(): string {
    return this.#server.url;
  }

  get port(): number {
    return this.#server.port;
  }

  get pid(): number {
    return this.#server.pid;
  }

  signal(signal: NodeJS.Signals): void {
    this.#server.signal(signal);
  }

  /** A connection that is closed with the server. */
  async connect(options: Partial<BrokerOptions> = {}): Promise<Broker> {
    const broker = await connectBroker({ servers: this.url, ...options });
    this.#brokers.push(broker);
    return broker;
  }

  /** Ends it with the signal and starts it again on the same port and store. */
  async restart(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    await this.#server.stop(signal);
    const config = this.configFile === undefined ? {} : { configFile: this.configFile };
    this.#server = await EmbeddedServer.start({ folder: this.folder, binary: this.binary, port: this.port, ...config });
  }

  async stop(): Promise<void> {
    for (const broker of this.#brokers) await broker.close();
    await this.#server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A line between client and server that can be cut at any byte, held up for a while, or lost without a word. */
export class CutProxy {
  /** Swallows what of the broker's bytes it matches, and counts it. */
  hides: RegExp | undefined;
  hidden = 0;
  readonly #sockets = new Set<net.Socket>();
  #bytesLeft = Number.POSITIVE_INFINITY;
  #held = false;

  private constructor(
    readonly server: net.Server,
    readonly url: string,
  ) {}

  static async start(target: number): Promise<CutProxy> {
    const server = net.createServer();
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as net.AddressInfo;
    const proxy = new CutProxy(server, `nats://127.0.0.1:${port}`);
    server.on("connection", (client) => proxy.#join(client, net.connect(target, "127.0.0.1")));
    return proxy;
  }

  /** Cuts every connection once the clients have sent `bytes` more. */
  cutAfter(bytes: number): void {
    this.#bytesLeft = bytes;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  /** Nothing gets through, and nothing is lost, until `resume`. */
  hold(): void {
    this.#held = true;
    for (const socket of this.#sockets) socket.pause();
  }

  resume(): void {
    this.#held = false;
    for (const socket of this.#sockets) socket.resume();
  }

  /**
   * What the present connections carry from here on is lost, and neither side learns that the other has closed: as when
   * a machine between them dies. New connections are not concerned.
   */
  loseTouch(): void {
    for (const socket of this.#sockets) {
      this.#sockets.delete(socket);
      this.#lost.add(socket);
      socket.removeAllListeners("data").removeAllListeners("close").resume();
      socket.on("close", () => this.#lost.delete(socket));
    }
  }
  readonly #lost = new Set<net.Socket>();

  async stop(): Promise<void> {
    this.cut();
    for (const socket of this.#lost) socket.destroy();
    await new Promise<void>((done) => this.server.close(() => done()));
  }

  #withoutHidden(bytes: Buffer, hides: RegExp): Buffer {
    const text = bytes.toString("latin1").replace(hides, () => {
      this.hidden++;
      return "";
    });
    return Buffer.from(text, "latin1");
  }

  #join(client: net.Socket, target: net.Socket): void {
    for (const socket of [client, target]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        client.destroy();
        target.destroy();
      });
    }
    let severed = false;
    target.on("data", (bytes) =>
      client.write(this.hides === undefined ? bytes : this.#withoutHidden(bytes, this.hides)),
    );
    client.on("data", (bytes) => {
      // A line that is cut carries nothing more: with a hole in the middle it would be no TCP connection.
      if (severed) return;
      if (bytes.length < this.#bytesLeft) {
        this.#bytesLeft -= bytes.length;
        target.write(bytes);
        return;
      }
      // The last bytes go through, so that a message is cut in the middle.
      severed = true;
      target.write(bytes.subarray(0, this.#bytesLeft));
      this.#bytesLeft = Number.POSITIVE_INFINITY;
      setImmediate(() => this.cut());
    });
    if (this.#held) for (const socket of [client, target]) socket.pause();
  }
}
