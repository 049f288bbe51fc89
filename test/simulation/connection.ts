/**
 * A connection of the npm package `nats` to the simulated broker, as far as the one adapter (connectors/nats/broker.ts)
 * uses it: the adapter itself is the real one. Both ways keep their order and take their time; a cut loses what is on
 * its way, in either direction.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type NatsConnection, NatsError } from "nats";
import type { PackageParser } from "../../connectors/nats/parser.js";
import type { Random } from "../../runtime/random.js";
import type { Client, Delivery, SimBroker } from "./broker.js";
import type { VirtualTime } from "./time.js";

type HeaderValues = { keys(): string[]; get(name: string): string };

const LATENCY_MS_MAX = 4;

const packageParser: PackageParser = {
  state: 0,
  parse: (bytes) => assert.fail(`nobody takes ${Buffer.from(bytes).toString("utf8")}`),
};

/** An answer to a request. */
interface Answer {
  json<T>(): T;
}

export class SimConnection {
  readonly info = { version: "2.15.1", max_payload: 1_048_576 };
  /** The adapter puts its own parser in the place of this one, and reads all that comes for a subscription by itself. */
  readonly protocol: { sendCommand(commands: Uint8Array): void; parser: PackageParser } = {
    sendCommand: (commands) => this.#commands(commands),
    parser: packageParser,
  };
  /** Numbers of the subscriptions, by subject. */
  readonly #subscriptions = new Map<string, number>();
  #subscribed = 0;
  readonly #requests = new Map<string, (message: Delivery) => void>();
  readonly #statuses: { type: string; data: string }[] = [];
  #wakeStatus: (() => void) | undefined;
  /** The broker's side of the present connection; undefined while there is none. */
  #session: Session | undefined;
  #closed = false;
  #dead = false;
  #requested = 0;

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
  ): Promise<Answer> {
    if (this.#closed) return Promise.reject(new NatsError("closed", "CONNECTION_CLOSED"));
    const inbox = `_REQUEST.${++this.#requested}`;
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer);
        this.#requests.delete(inbox);
        settle();
      };
      const timer = setTimeout(() => end(() => reject(new NatsError("timeout", "TIMEOUT"))), timeout);
      this.#requests.set(inbox, ({ code, body }) =>
        end(() => {
          if (code === 503) reject(new NatsError("503", "503"));
          else resolve({ json: <T>() => JSON.parse(Buffer.from(body).toString("utf8")) as T });
        }),
      );
      this.publish(
        subject,
        typeof data === "string" ? Buffer.from(data) : data,
        headers ? { reply: inbox, headers } : { reply: inbox },
      );
    });
  }

  subscribe(subject: string): { getID(): number; unsubscribe(): void } {
    const id = ++this.#subscribed;
    this.#subscriptions.set(subject, id);
    return { getID: () => id, unsubscribe: () => this.#subscriptions.delete(subject) };
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
      this.protocol.parser = packageParser;
      this.#tell("reconnect");
    });
  }

  #tell(type: string): void {
    this.#statuses.push({ type, data: "" });
    this.#wakeStatus?.();
  }

  #received(inbox: string, message: Delivery): void {
    if (this.#closed) return;
    this.#requests.get(inbox)?.(message);
    // The reader tells its inboxes apart by subject; a delivery keeps the message's own.
    const id = this.#subscriptions.get(inbox) ?? this.#subscriptions.get(inbox.replace(/[^.]+$/, "*"));
    if (id === undefined) return;
    // As a socket cuts them: anywhere.
    const bytes = messageBytes(id, message);
    const cut = this.random.below(bytes.length + 1);
    this.protocol.parser.parse(bytes.subarray(0, cut));
    this.protocol.parser.parse(bytes.subarray(cut));
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

/** `MSG` or `HMSG`, as a server sends it to a subscription. */
function messageBytes(id: number, { subject, reply, headers, code, description, body }: Delivery): Buffer {
  const words = [subject, id, ...(reply === undefined ? [] : [reply])];
  const lines = [...(headers ?? [])].map(([name, value]) => `${name}: ${value}\r\n`);
  if (code === undefined && lines.length === 0)
    return Buffer.concat([Buffer.from(`MSG ${[...words, body.length].join(" ")}\r\n`), body, Buffer.from("\r\n")]);
  const status = code === undefined ? "" : ` ${code} ${description}`;
  const head = Buffer.from(`NATS/1.0${status}\r\n${lines.join("")}\r\n`);
  const line = Buffer.from(`HMSG ${[...words, head.length, head.length + body.length].join(" ")}\r\n`);
  return Buffer.concat([line, head, body, Buffer.from("\r\n")]);
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
