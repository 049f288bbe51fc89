/** The WebSocket server at /ws: migrations as they are written to the ledger, and live counts. */
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { type WebSocket, WebSocketServer } from "ws";
import { z } from "zod";
import type { EdgeEngine } from "../edge.js";
import { describeCounts } from "./counts.js";
import { compileFilter, unknownName } from "./filter.js";
import { countsFrame, encodeCounts, migrationFrame } from "./frames.js";
import { type CountsSubscription, type End, newTraffic, Peer, type Traffic } from "./peer.js";
import { decodePosition } from "./position.js";
import {
  decodeMessage,
  type Format,
  formatOf,
  LIMITS,
  type Limits,
  type LiveCounts,
  type Reply,
  type Request,
  requestSchema,
  SUBPROTOCOLS,
  type Subprotocol,
  type SubscribeCounts,
  type SubscribeMigrations,
} from "./protocol.js";
import { frameOf, Run } from "./run.js";
import { LedgerGapError, MigrationSubscription } from "./subscription.js";
import { LedgerTail, type TailRecord } from "./tail.js";

export interface WebSocketOptions {
  /** Default `/ws`. */
  readonly path?: string;
  readonly limits?: Partial<Limits>;
  /** Origins (`https://shop.example`) of pages that may connect beside this server's own. */
  readonly origins?: readonly string[];
  /** Told of what goes wrong on the server's side; each is counted too. */
  readonly onError?: (error: unknown) => void;
}

export interface WebSocketStats {
  readonly clients: Readonly<Record<Format, number>>;
  readonly subscriptions: { readonly migrations: number; readonly counts: number };
  readonly opened: number;
  readonly ends: Readonly<Record<End, number>>;
  readonly sent: Readonly<Record<Reply["type"], number>>;
  readonly sentBytes: number;
  /** Bytes that wait for clients, all and of the slowest one. */
  readonly queueBytes: number;
  readonly queueBytesLargest: number;
  readonly resumes: { readonly recovered: number; readonly notRecovered: number };
  readonly refusedUpgrades: number;
  readonly errors: number;
}

export interface WebSocketEdge {
  readonly limits: Limits;
  stats(): WebSocketStats;
  /** Closes every connection with 3001; those that do not answer within a second are cut. */
  close(): Promise<void>;
}

type Source = Pick<EdgeEngine, "settings" | "ledger" | "counts" | "onCounts">;

/** Serves the protocol on the server's upgrade requests. Requests to other paths are answered 404. */
export function attachWebSocket(server: Server, engine: Source, options: WebSocketOptions = {}): WebSocketEdge {
  return new Edge(server, engine, options);
}

class Edge implements WebSocketEdge {
  readonly limits: Limits;
  readonly #engine: Source;
  readonly #options: WebSocketOptions;
  readonly #server: Server;
  readonly #sockets: WebSocketServer;
  readonly #peers = new Set<Peer>();
  readonly #tail: LedgerTail;
  readonly #traffic: Traffic = newTraffic();
  readonly #resumes = { recovered: 0, notRecovered: 0 };
  readonly #recoveries: Gate;
  readonly #pinging: NodeJS.Timeout;
  #lingering: NodeJS.Timeout | undefined;
  #unlisten: (() => void) | undefined;
  #counts: readonly LiveCounts[] | undefined;
  /** Clients with frames that wait for the end of this turn, and the run that theirs begin with. */
  readonly #waiting = new Set<Peer>();
  #empty = new Run();
  /** Subscriptions being made: what they need must not be stopped meanwhile. */
  #arriving = 0;
  #opened = 0;
  #refusedUpgrades = 0;
  #errors = 0;
  #closed = false;

  constructor(server: Server, engine: Source, options: WebSocketOptions) {
    this.limits = { ...LIMITS, ...options.limits };
    this.#engine = engine;
    this.#options = options;
    this.#server = server;
    this.#recoveries = new Gate(this.limits.recoveriesMax);
    this.#sockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: this.limits.messageBytesMax,
      handleProtocols: (offered) => SUBPROTOCOLS.find((name) => offered.has(name)) ?? false,
    });
    this.#tail = new LedgerTail(engine, engine.settings.name, this.limits, {
      record: (record) => this.#broadcast(record),
      gap: (partition) => this.#gap(partition),
      error: (error) => this.#report(error),
      pace: () => this.#pace(),
    });
    server.on("upgrade", this.#upgrade);
    this.#pinging = setInterval(() => this.#ping(), this.limits.pingMs).unref();
  }

  stats(): WebSocketStats {
    const clients = { json: 0, msgpack: 0 };
    const subscriptions = { migrations: 0, counts: 0 };
    let queueBytes = 0;
    let queueBytesLargest = 0;
    for (const peer of this.#peers) {
      clients[peer.format]++;
      for (const { topic } of peer.subscriptions.values()) subscriptions[topic]++;
      queueBytes += peer.queueBytes;
      queueBytesLargest = Math.max(queueBytesLargest, peer.queueBytes);
    }
    return {
      clients,
      subscriptions,
      queueBytes,
      queueBytesLargest,
      opened: this.#opened,
      ends: { ...this.#traffic.ends },
      sent: { ...this.#traffic.sent },
      sentBytes: this.#traffic.bytes,
      resumes: { ...this.#resumes },
      refusedUpgrades: this.#refusedUpgrades,
      errors: this.#errors,
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#server.off("upgrade", this.#upgrade);
    clearInterval(this.#pinging);
    clearTimeout(this.#lingering);
    this.#unlisten?.();
    this.#tail.stop();
    const sockets = [...this.#sockets.clients];
    const gone = sockets.map((socket) => new Promise<void>((resolve) => socket.once("close", () => resolve())));
    for (const peer of this.#peers) peer.close("shutdown", "shutdown");
    const cut = setTimeout(() => {
      for (const socket of sockets) socket.terminate();
    }, 1000);
    await Promise.all(gone);
    clearTimeout(cut);
    this.#sockets.close();
  }

  readonly #upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on("error", () => socket.destroy());
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    if (path !== (this.#options.path ?? "/ws")) {
      this.#refuse(socket, "404 Not Found", "there is nothing here\n");
      return;
    }
    if (!this.#allows(request)) {
      this.#refuse(socket, "403 Forbidden", "this origin may not connect\n");
      return;
    }
    const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
    if (!SUBPROTOCOLS.some((name) => offered.includes(name))) {
      this.#refuse(socket, "400 Bad Request", `ask for one of the subprotocols ${SUBPROTOCOLS.join(", ")}\n`);
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (accepted) => this.#accept(accepted));
  };

  /** A page of another origin must not read customers through its visitor's browser. Programs send no origin. */
  #allows({ headers }: IncomingMessage): boolean {
    if (headers.origin === undefined) return true;
    if (this.#options.origins?.includes(headers.origin)) return true;
    return URL.canParse(headers.origin) && new URL(headers.origin).host === headers.host;
  }

  #refuse(socket: Duplex, status: string, text: string): void {
    this.#refusedUpgrades++;
    const head = `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain\r\n`;
    socket.end(`${head}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  }

  #accept(socket: WebSocket): void {
    const peer = new Peer(socket, formatOf(socket.protocol as Subprotocol), this.limits, this.#traffic);
    this.#opened++;
    if (this.#peers.size >= this.limits.clientsMax) {
      peer.refuse("tooMany", `this server takes ${this.limits.clientsMax} clients; try again later`);
      return;
    }
    this.#peers.add(peer);
    const noHello = setTimeout(() => peer.refuse("noHello", "no hello in time"), this.limits.helloMs);
    let turn = Promise.resolve();
    socket.on("message", (data: Buffer) => {
      if (!peer.open) return;
      if (++peer.requests > this.limits.requestsMax) return peer.refuse("tooMany", "too many requests at once");
      turn = turn.then(async () => {
        await this.#request(peer, socket, data).catch((error: unknown) => this.#fault(peer, error));
        if (peer.greeted) clearTimeout(noHello);
        peer.requests--;
      });
    });
    socket.on("pong", () => {
      peer.awaitsPong = false;
    });
    socket.on("close", () => {
      clearTimeout(noHello);
      this.#peers.delete(peer);
      peer.subscriptions.clear();
      this.#rest();
    });
  }

  async #request(peer: Peer, socket: WebSocket, data: Buffer): Promise<void> {
    if (!peer.open) return;
    let message: unknown;
    try {
      message = decodeMessage(peer.format, data);
    } catch (error) {
      return peer.refuse("badRequest", `the message can't be read: ${(error as Error).message}`);
    }
    const parsed = requestSchema.safeParse(message);
    if (!parsed.success) return peer.refuse("badRequest", describe(parsed.error));
    const request: Request = parsed.data;
    if (!peer.greeted && request.type !== "hello") return peer.refuse("badRequest", "say hello first");
    switch (request.type) {
      case "hello":
        if (peer.greeted) return peer.refuse("badRequest", "hello was said already");
        peer.greeted = true;
        return peer.send({
          type: "welcome",
          protocol: socket.protocol as Subprotocol,
          name: this.#engine.settings.name,
          models: this.#engine.settings.models.map(({ name }) => name),
          pingMs: this.limits.pingMs,
        });
      case "ping":
        return peer.send({ type: "pong" });
      case "unsubscribe":
        if (!peer.subscriptions.delete(request.id)) {
          return peer.refuse("badRequest", `there is no subscription "${request.id}"`, request.id);
        }
        this.#rest();
        return peer.send({ type: "unsubscribed", id: request.id });
      case "subscribe":
        if (peer.subscriptions.has(request.id)) {
          return peer.refuse("duplicate", `the subscription "${request.id}" exists already`, request.id);
        }
        if (peer.subscriptions.size >= this.limits.subscriptionsMax) {
          return peer.refuse(
            "tooMany",
            `a client has ${this.limits.subscriptionsMax} subscriptions at most`,
            request.id,
          );
        }
        this.#arriving++;
        try {
          await (request.topic === "migrations" ? this.#migrations(peer, request) : this.#countsFor(peer, request));
        } finally {
          this.#arriving--;
          this.#rest();
        }
    }
  }

  async #migrations(
    peer: Peer,
    { id, filter, silent = false, position, recent = 0 }: SubscribeMigrations,
  ): Promise<void> {
    const unknown = unknownName(filter, this.#engine.settings);
    if (unknown !== undefined) return peer.refuse("badRequest", unknown, id);
    const resumed = position === undefined ? undefined : decodePosition(position);
    if (resumed === null) return peer.refuse("badRequest", "the position is not one of this protocol", id);
    if (recent > 0 && position !== undefined) {
      return peer.refuse("badRequest", "recent goes with no position: a resume brings what was missed", id);
    }
    await withinMs(this.#tail.start(), this.limits.stallMs);
    const recovered = resumed !== undefined && (await this.#canRecover(resumed.epoch, resumed.numbers));
    // Nothing waits from here on: between the position told and the first record delivered there is no gap.
    if (!peer.open) return;
    const wants = compileFilter(filter, silent);
    const subscription = new MigrationSubscription(
      id,
      peer,
      wants,
      this.#tail,
      recovered ? resumed.numbers : undefined,
    );
    if (resumed !== undefined) this.#resumes[recovered ? "recovered" : "notRecovered"]++;
    peer.send({ type: "subscribed", id, topic: "migrations", position: subscription.position, recovered });
    peer.subscriptions.set(id, subscription);
    if (recent > 0) subscription.sendRecent(Math.min(recent, this.limits.recentMax), 4 * this.limits.recentMax);
    if (!recovered) return;
    // Not awaited: the client's next requests need not wait for what it missed.
    void subscription
      .catchUp(this.#engine.ledger, (work) => this.#recoveries.run(work))
      .catch((error: unknown) => {
        if (error instanceof LedgerGapError)
          return peer.close("gap", "records left the ledger before they could be sent");
        this.#fault(peer, error);
      });
  }

  /** Whether all that came behind this position is still there, and not more than we are ready to send. */
  async #canRecover(epoch: string, numbers: readonly number[]): Promise<boolean> {
    const { ledger } = this.#engine;
    if (epoch !== this.#tail.epoch || numbers.length !== ledger.partitions) return false;
    const bounds = await Promise.all(numbers.map((_, partition) => ledger.bounds(partition)));
    let missed = 0;
    for (const [partition, { first, last }] of bounds.entries()) {
      const number = numbers[partition] ?? 0;
      if (number > last || (number < last && number + 1 < first)) return false;
      missed += last - number;
    }
    return missed <= this.limits.recoverMax;
  }

  async #countsFor(peer: Peer, { id, model }: SubscribeCounts): Promise<void> {
    const unknown = unknownName(model === undefined ? undefined : { model }, this.#engine.settings);
    if (unknown !== undefined) return peer.refuse("badRequest", unknown, id);
    this.#unlisten ??= this.#engine.onCounts((counts) => {
      this.#counts = describeCounts(this.#engine.settings, counts);
      this.#broadcastCounts();
    });
    this.#counts ??= describeCounts(this.#engine.settings, await this.#engine.counts());
    if (!peer.open) return;
    const models = model === undefined ? undefined : new Set(Array.isArray(model) ? model : [model]);
    const subscription: CountsSubscription = { topic: "counts", id, models, sending: false, stale: false };
    peer.subscriptions.set(id, subscription);
    peer.send({ type: "subscribed", id, topic: "counts" });
    this.#sendCounts(peer, subscription, new Map());
  }

  #broadcastCounts(): void {
    const encoded = new Map<string, Uint8Array>();
    for (const peer of this.#peers) {
      for (const subscription of peer.subscriptions.values()) {
        if (subscription.topic === "counts") this.#sendCounts(peer, subscription, encoded);
      }
    }
  }

  #sendCounts(peer: Peer, subscription: CountsSubscription, encoded: Map<string, Uint8Array>): void {
    const { id, models } = subscription;
    if (subscription.sending || this.#counts === undefined) {
      subscription.stale = true;
      return;
    }
    subscription.sending = true;
    subscription.stale = false;
    const key = `${peer.format} ${models === undefined ? "" : JSON.stringify([...models])}`;
    const counts = this.#counts.filter(({ model }) => models === undefined || models.has(model));
    const bytes = encoded.get(key) ?? encodeCounts(peer.format, counts);
    encoded.set(key, bytes);
    peer.sendFrame("counts", countsFrame(peer.format, id, bytes), () => {
      subscription.sending = false;
      if (subscription.stale && peer.subscriptions.get(id) === subscription) {
        this.#sendCounts(peer, subscription, new Map());
      }
    });
  }

  #broadcast(record: TailRecord): void {
    // Most records of a busy ledger are wanted by nobody, and those that are by many.
    let frames: Map<string, Buffer> | undefined;
    for (const peer of this.#peers) {
      for (const subscription of peer.subscriptions.values()) {
        if (subscription.topic !== "migrations") continue;
        try {
          if (!subscription.takes(record)) continue;
          frames ??= new Map();
          this.#queue(peer, subscription.id, record, frames);
        } catch (error) {
          this.#fault(peer, error);
        }
      }
    }
  }

  /** `frames`: those of this record, by format and subscription. */
  #queue(peer: Peer, id: string, record: TailRecord, frames: Map<string, Buffer>): void {
    const { format } = peer;
    const key = `${format} ${id}`;
    let frame = frames.get(key);
    if (frame === undefined) {
      frame = frameOf(format, migrationFrame(format, id, this.#tail.position, record));
      frames.set(key, frame);
    }
    peer.queueFrame("migration", frame, this.#empty);
    if (this.#waiting.size === 0) setImmediate(() => this.#flush());
    this.#waiting.add(peer);
  }

  /** What came in this turn goes out in one write a client: a write costs more than what it writes. */
  #flush(): void {
    for (const peer of this.#waiting) peer.flush();
    this.#waiting.clear();
    this.#empty = new Run();
  }

  /**
   * Reading faster than the quickest follower takes it would only make all of them slow. The others get no such
   * patience, and nobody for more than a second at a time.
   */
  async #pace(): Promise<void> {
    let quickest: Peer | undefined;
    for (const peer of this.#peers) {
      const follows = [...peer.subscriptions.values()].some(({ topic }) => topic === "migrations");
      if (follows && peer.queueBytes < (quickest?.queueBytes ?? Number.POSITIVE_INFINITY)) quickest = peer;
    }
    if (quickest === undefined || quickest.queueBytes <= this.limits.queueBytesMax / 4) return;
    await Promise.race([quickest.drained(), delay(1_000)]);
  }

  #gap(partition: number): void {
    this.#report(new Error(`ledger ${partition}: records were gone before they could be read`));
    for (const peer of this.#peers) {
      const follows = [...peer.subscriptions.values()].some(({ topic }) => topic === "migrations");
      if (follows) peer.close("gap", "records left the ledger before they could be sent");
    }
  }

  #ping(): void {
    const asked = [...this.#peers].filter((peer) => peer.open);
    for (const peer of asked) {
      for (const subscription of peer.subscriptions.values()) {
        if (subscription.topic === "migrations") subscription.tellPosition();
      }
      peer.ping();
    }
    setTimeout(() => {
      for (const peer of asked) if (peer.awaitsPong && peer.open) peer.terminate("noPong");
    }, this.limits.pongMs).unref();
  }

  /** Stops reading what nobody subscribes to any more. */
  #rest(): void {
    clearTimeout(this.#lingering);
    if (this.#arriving > 0 || this.#closed) return;
    const { migrations, counts } = this.stats().subscriptions;
    if (counts === 0) {
      this.#unlisten?.();
      this.#unlisten = undefined;
      this.#counts = undefined;
    }
    if (migrations === 0 && this.#tail.reading) {
      this.#lingering = setTimeout(() => this.#tail.stop(), this.limits.lingerMs).unref();
    }
  }

  #fault(peer: Peer, error: unknown): void {
    this.#report(error);
    peer.refuse("unavailable", "the engine can't answer just now; try again");
  }

  #report(error: unknown): void {
    this.#errors++;
    this.#options.onError?.(error);
  }
}

/** Runs at most so many at once; the others wait in order. */
class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#free = most;
  }

  async run(work: () => Promise<void>): Promise<void> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free--;
    try {
      await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

/** Rejects when the promise has not settled in time. */
async function withinMs<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the ledger did not answer within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** One line: what was found where. */
function describe(error: z.ZodError): string {
  return z
    .prettifyError(error)
    .replace(/✖ /g, "")
    .replace(/\s*\n\s*→ at /g, " at ")
    .replace(/\n/g, "; ");
}
