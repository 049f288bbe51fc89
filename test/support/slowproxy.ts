/** A line between client and server that carries so many bytes a second each way, or for a while none at all. */
import net from "node:net";

export class SlowProxy {
  readonly #sockets = new Set<net.Socket>();
  readonly #resume = new Set<() => void>();
  #isHeld = false;

  private constructor(
    readonly server: net.Server,
    readonly url: string,
    readonly bytesPerSecond: number,
  ) {}

  static async start(target: number, bytesPerSecond: number): Promise<SlowProxy> {
    const server = net.createServer();
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as net.AddressInfo;
    const proxy = new SlowProxy(server, `nats://127.0.0.1:${port}`, bytesPerSecond);
    server.on("connection", (client) => {
      const upstream = net.connect(target, "127.0.0.1");
      proxy.#carry(client, upstream);
      proxy.#carry(upstream, client);
    });
    return proxy;
  }

  /** Carries nothing until `release`; the connections stay. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    for (const resume of this.#resume) resume();
    this.#resume.clear();
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((done) => this.server.close(() => done()));
  }

  #carry(from: net.Socket, to: net.Socket): void {
    this.#sockets.add(from);
    from.on("error", () => {});
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    const resume = () => (this.#isHeld ? this.#resume.add(resume) : from.resume());
    from.on("data", (bytes) => {
      // Not read is not taken: TCP itself holds the sender up.
      from.pause();
      to.write(bytes);
      setTimeout(resume, (1_000 * bytes.length) / this.bytesPerSecond);
    });
  }
}
