/**
 * A connection of the npm package `nats` to the simulated broker, as far as the one adapter (connectors/nats/broker.ts)
 * uses it: the adapter itself is the real one. Both ways keep their order and take their time; a cut loses what is on
 * its way, in either direction.
 */
import { Buffer } from "node:buffer";
import { type NatsConnection, NatsError } from "nats";
import type { Random } from "../../runtime/random.js";
import type { Client, Delivery, SimBroker } from "./broker.js";
import type { VirtualTime } from "./time.js";

type Callback = (error: null, message: Received) => void;
type HeaderValues = { keys(): string[]; get(name: string): string };

const LATENCY_MS_MAX = 4;

class Received {
  readonly headers: {
    readonly code: number;
    readonly description: string;
    get(name: string): string;
    keys(): string[];
  };

  constructor(
    readonly subject: string,
    readonly data: Uint8Array,
    readonly reply: string | undefined,
    { headers, code = 0, description = "" }: Delivery,
  ) {
    this.headers = {
      code,
      description,
      get: (name) => headers?.get(name) ?? "",
      keys: () => [...(headers?.keys() ?? [])],
    };
  }

  json<T>(): T {
    return JSON.parse(Buffer.from(this.data).toString("utf8")) as T;
  }
}

export class SimConnection {
  readonly info = { version: "2.15.1", max_payload: 1_048_576 };
  readonly protocol = { sendCommand: (commands: Uint8Array) => this.#commands(commands) };
  readonly #subscriptions = new Map<string, Callback>();
  readonly #statuses: { type: string; data: string }[] = [];
  #wakeStatus: (() => void) | undefined;
  /** The broker's side of the present connection; undefined while there is none. */
  #session: Session | undefined;
  #closed = false;
  #dead = false;
  #requests = 0;

  constructor(
    private readonly broker: SimBroker,
    private readonly time: VirtualTime,
    private readonly random: Random,
    /** Whether the broker takes connections now. */
    private readonly isUp: () => boolean,
  ) {
    this.#session = new Session(time, random, (inbox, message) => this.#received(inbox, message));
  }

  /** What the adapter takes for a connection. */
  get asNats(): NatsConnection {
    return this as unknown as NatsConnection;
  }

  isClosed(): boolean {
    return this.#closed;
  }

  publish(
    subject: string,
    body: Uint8Array,
    { reply, headers }: { reply?: string; headers?: HeaderValues } = {},
  ): void {
    if (this.#closed) throw new NatsError("closed", "CONNECTION_CLOSED");
    const values = new Map((headers?.keys() ?? []).map((name) => [name, headers?.get(name) ?? ""] as const));
    this.#send(subject, body, values, reply);
  }

  request(
    subject: string,
    data: Uint8Array | string,
    { timeout, headers }: { timeout: number; headers?: HeaderValues },
  ): Promise<Received> {
    if (this.#closed) return Promise.reject(new NatsError("closed", "CONNECTION_CLOSED"));
    const inbox = `_REQUEST.${++this.#requests}`;
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer);
        this.#subscriptions.delete(inbox);
        settle();
      };
      const timer = setTimeout(() => end(() => reject(new NatsError("timeout", "TIMEOUT"))), timeout);
      this.#subscriptions.set(inbox, (_, message) =>
        end(() => {
          if (message.headers.code === 503) reject(new NatsError("503", "503"));
          else resolve(message);
        }),
      );
      this.publish(
        subject,
        typeof data === "string" ? Buffer.from(data) : data,
        headers ? { reply: inbox, headers } : { reply: inbox },
      );
    });
  }

  subscribe(subject: string, { callback }: { callback: Callback }): { unsubscribe(): void } {
    this.#subscriptions.set(subject, callback);
    return { unsubscribe: () => this.#subscriptions.delete(subject) };
  }

  async *status(): AsyncGenerator<{ type: string; data: string }> {
    while (!this.#closed) {
      const next = this.#statuses.shift();
      if (next !== undefined) yield next;
      else
        await new Promise<void>((wake) => {
          this.#wakeStatus = wake;
        });
    }
  }

  flush(): Promise<void> {
    return this.#session === undefined ? Promise.reject(new NatsError("gone", "DISCONNECT")) : Promise.resolve();
  }

  async reconnect(): Promise<void> {
    this.cut();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.kill();
    this.#wakeStatus?.();
  }

  /** Its process has ended: nothing comes out or in any more, and what still runs of it here does not notice. */
  kill(): void {
    this.#dead = true;
    this.#session?.end();
    this.#session = undefined;
  }

  /** Loses the connection; the client connects anew after a while. */
  cut(): void {
    if (this.#session === undefined) return;
    this.#session.end();
    this.#session = undefined;
    this.#tell("disconnect");
    this.#connectLater();
  }

  /** Nothing gets through for a while, and nothing is lost. */
  stall(ms: number): void {
    this.#session?.stall(ms);
  }

  #connectLater(): void {
    this.time.after(20 + this.random.below(400), () => {
      if (this.#dead || this.#session !== undefined) return;
      if (!this.isUp()) return this.#connectLater();
      this.#session = new Session(this.time, this.random, (inbox, message) => this.#received(inbox, message));
      this.#tell("reconnect");
    });
  }

  #tell(type: string): void {
    this.#statuses.push({ type, data: "" });
    this.#wakeStatus?.();
  }

  #received(inbox: string, message: Delivery): void {
    if (this.#closed) return;
    // The reader tells its inboxes apart by subject; a delivery keeps the message's own.
    const listener = this.#subscriptions.get(inbox) ?? this.#subscriptions.get(inbox.replace(/[^.]+$/, "*"));
    listener?.(null, new Received(message.subject, message.body, message.reply, message));
  }

  #send(subject: string, body: Uint8Array, headers: ReadonlyMap<string, string>, reply: string | undefined): void {
    const session = this.#session;
    if (session === undefined) return; // dropped without a word, as the client does
    const bytes = body.slice();
    session.toBroker(() => this.broker.receive(session, subject, bytes, headers, reply));
  }

  /** `HPUB <subject> <reply> <headers> <all>` and its lines, any number. */
  #commands(commands: Uint8Array): void {
    const all = Buffer.from(commands.buffer, commands.byteOffset, commands.length);
    for (let at = 0; at < all.length; ) {
      const lineEnd = all.indexOf("\r\n", at);
      const [verb, subject = "", reply, headerBytes, bytes] = all.toString("utf8", at, lineEnd).split(" ");
      if (verb !== "HPUB") throw new Error(`the simulated connection knows no ${verb}`);
      const from = lineEnd + 2;
      const bodyAt = from + Number(headerBytes);
      const end = from + Number(bytes);
      const lines = all.toString("utf8", from, bodyAt).split("\r\n").slice(1);
      const headers = new Map(
        lines
          .filter((line) => line.includes(": "))
          .map((line) => {
            const colon = line.indexOf(": ");
            return [line.slice(0, colon), line.slice(colon + 2)] as const;
          }),
      );
      this.#send(subject, all.subarray(bodyAt, end), headers, reply);
      at = end + 2;
    }
  }
}

/** One connection while it lasts: a line each way. */
class Session implements Client {
  isOpen = true;
  readonly #out: Line;
  readonly #in: Line;

  constructor(
    time: VirtualTime,
    random: Random,
    private readonly receive: (inbox: string, message: Delivery) => void,
  ) {
    this.#out = new Line(time, random);
    this.#in = new Line(time, random);
  }

  toBroker(act: () => void): void {
    this.#out.carry(act);
  }

  deliver(inbox: string, message: Delivery): void {
    this.#in.carry(() => this.receive(inbox, message));
  }

  stall(ms: number): void {
    this.#out.stall(ms);
    this.#in.stall(ms);
  }

  end(): void {
    this.isOpen = false;
    this.#out.cut();
    this.#in.cut();
  }
}

/** Carries in order. What leaves within a moment arrives at once, as one piece of a socket's stream. */
class Line {
  #waiting: (() => void)[] = [];
  #isCut = false;
  #stalledUntil = 0;

  constructor(
    private readonly time: VirtualTime,
    private readonly random: Random,
  ) {}

  carry(act: () => void): void {
    if (this.#isCut) return;
    this.#waiting.push(act);
    if (this.#waiting.length === 1) this.#arriveAfter(this.random.below(LATENCY_MS_MAX));
  }

  stall(ms: number): void {
    this.#stalledUntil = this.time.now + ms;
  }

  cut(): void {
    this.#isCut = true;
    this.#waiting = [];
  }

  #arriveAfter(ms: number): void {
    this.time.after(ms, () => {
      if (this.#isCut) return;
      const held = this.#stalledUntil - this.time.now;
      if (held > 0) return this.#arriveAfter(held);
      const arrived = this.#waiting;
      this.#waiting = [];
      for (const act of arrived) {
        if (this.#isCut) return; // cut in the middle of the piece
        act();
      }
    });
  }
}
