/**
 * A broker in memory, with the semantics of JetStream that the engine relies on: sequences without a gap, the expected
 * last sequence, message ids, stamps of its own clock, consumers without acknowledgement that are pulled, and what they
 * say when they can't. It can refuse, lose publishes and answers, forget its consumers, and lose the tail that it has
 * not yet synced.
 */
import { Buffer } from "node:buffer";

export interface SimMessage {
  readonly sequence: number;
  readonly subject: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  /** Nanoseconds since 1970. */
  readonly nanos: bigint;
}

interface SimStream {
  readonly name: string;
  readonly prefixes: readonly string[];
  /** All that it ever took and did not lose; those before `first` have aged out, and only the simulation knows them. */
  messages: SimMessage[];
  first: number;
  /** Messages up to this one survive a loss of power. */
  synced: number;
  readonly ids: Map<string, number>;
}

interface Pull {
  readonly inbox: string;
  readonly client: Client;
  left: number;
  bytes: number;
  done: boolean;
}

interface Consumer {
  readonly stream: SimStream;
  readonly name: string;
  next: number;
  delivered: number;
  readonly pulls: Pull[];
}

/** One connection as the broker sees it. */
export interface Client {
  /** False once the connection is lost: the broker has dropped its interest. */
  readonly isOpen: boolean;
  deliver(subject: string, message: Delivery): void;
}

export interface Delivery {
  readonly subject: string;
  readonly reply?: string;
  readonly headers?: ReadonlyMap<string, string>;
  /** Of a status message, such as 408. */
  readonly code?: number;
  readonly description?: string;
  readonly body: Uint8Array;
}

const NONE = new Uint8Array(0);
const utf8 = new TextEncoder();

export class SimBroker {
  readonly #streams = new Map<string, SimStream>();
  readonly #consumers = new Map<string, Consumer>();
  #names = 0;
  /** Stamps are a little apart, as real ones: nanoseconds are told, too. */
  #lastNanos = 0n;
  /** `sync_interval: always`: what is stored is on its disk. */
  syncsAlways = false;
  /** What its clock is ahead of true time, ms. */
  aheadMs = 0;
  /** Publishes into streams of these names are refused. */
  readonly refusing = new Set<string>();
  /** Says of each publish whether it gets lost on its way into a stream, or the answer to it. */
  loses: () => "nothing" | "message" | "answer" = () => "nothing";

  constructor(
    private readonly now: () => number,
    private readonly after: (ms: number, run: () => void) => void,
  ) {}

  addStream(name: string, prefixes: readonly string[]): void {
    this.#streams.set(name, { name, prefixes, messages: [], first: 1, synced: 0, ids: new Map() });
  }

  messages(name: string): readonly SimMessage[] {
    return this.#stream(name).messages;
  }

  /** Messages before this one have aged out. */
  ageOut(name: string, first: number): void {
    const stream = this.#stream(name);
    stream.first = Math.max(stream.first, first);
  }

  /** Everything is on its disk now. */
  sync(): void {
    for (const stream of this.#streams.values()) stream.synced = stream.messages.length;
  }

  /** Its process ends: nothing stored is lost, all consumers are. */
  forgetConsumers(): void {
    for (const { pulls } of this.#consumers.values()) for (const pull of pulls) pull.done = true;
    this.#consumers.clear();
  }

  /** A loss of power: of what was not synced, a stream keeps as much as `keep` says. Returns the messages lost by stream. */
  losePower(keep: (unsynced: number) => number): Record<string, number> {
    this.forgetConsumers();
    const lost: Record<string, number> = {};
    for (const stream of this.#streams.values()) {
      const unsynced = stream.messages.length - stream.synced;
      const kept = stream.synced + (unsynced === 0 ? 0 : keep(unsynced));
      if (kept === stream.messages.length) continue;
      lost[stream.name] = stream.messages.length - kept;
      stream.messages = stream.messages.slice(0, kept);
      for (const [id, sequence] of stream.ids) if (sequence > kept) stream.ids.delete(id);
    }
    return lost;
  }

  /** A message of a client. */
  receive(
    client: Client,
    subject: string,
    body: Uint8Array,
    headers: ReadonlyMap<string, string>,
    reply?: string,
  ): void {
    if (subject.startsWith("$JS.API.")) {
      this.#api(client, subject.slice("$JS.API.".length), body, reply);
      return;
    }
    const stream = [...this.#streams.values()].find(({ prefixes }) =>
      prefixes.some((prefix) => subject.startsWith(prefix)),
    );
    const lost = this.loses();
    if (lost === "message") return;
    const answer = stream === undefined ? undefined : this.store(stream.name, subject, body, headers);
    if (reply === undefined || lost === "answer") return;
    if (answer === undefined)
      client.deliver(reply, { subject: reply, code: 503, description: "No Responders", body: NONE });
    else client.deliver(reply, { subject: reply, body: utf8.encode(answer) });
  }

  /** Stores a message, or not. Returns what the broker answers. */
  store(name: string, subject: string, body: Uint8Array, headers: ReadonlyMap<string, string> = new Map()): string {
    const stream = this.#stream(name);
    const last = stream.messages.length;
    const refused = (code: number, errorCode: number, description: string) =>
      JSON.stringify({ error: { code, err_code: errorCode, description }, stream: name, seq: 0 });
    if (this.refusing.has(name)) return refused(503, 10077, "maximum bytes exceeded");
    const id = headers.get("Nats-Msg-Id");
    const known = id === undefined ? undefined : stream.ids.get(id);
    if (known !== undefined) return `{"stream":"${name}","seq":${known},"duplicate":true}`;
    const expected = headers.get("Nats-Expected-Last-Sequence");
    if (expected !== undefined && Number(expected) !== last) return refused(400, 10071, `wrong last sequence: ${last}`);
    const sequence = last + 1;
    stream.messages.push({ sequence, subject, headers, body: body.slice(), nanos: this.#nanos() });
    if (id !== undefined) stream.ids.set(id, sequence);
    if (this.syncsAlways) stream.synced = sequence;
    for (const consumer of this.#consumers.values()) if (consumer.stream === stream) this.#serve(consumer);
    return `{"stream":"${name}","seq":${sequence}}`;
  }

  #nanos(): bigint {
    const nanos = BigInt(this.now() + this.aheadMs) * 1_000_000n;
    // Within a millisecond they grow; a clock that is set back takes them back.
    this.#lastNanos = nanos / 1_000_000n === this.#lastNanos / 1_000_000n ? this.#lastNanos + 1_000n : nanos;
    return this.#lastNanos;
  }

  #stream(name: string): SimStream {
    const found = this.#streams.get(name);
    if (found === undefined) throw new RangeError(`there is no stream ${name}`);
    return found;
  }

  #api(client: Client, subject: string, body: Uint8Array, reply: string | undefined): void {
    const answer = (value: object) => {
      if (reply !== undefined) client.deliver(reply, { subject: reply, body: utf8.encode(JSON.stringify(value)) });
    };
    const fail = (code: number, errorCode: number, description: string) =>
      answer({ error: { code, err_code: errorCode, description } });
    const request = (body.length === 0 ? {} : JSON.parse(Buffer.from(body).toString())) as Record<string, unknown>;
    const [kind, verb, name = "", more = ""] = subject.split(".");
    if (kind === "INFO") {
      answer({ streams: this.#streams.size });
      return;
    }
    if (kind === "CONSUMER" && verb === "MSG") {
      this.#pull(client, more, subject.split(".")[4] ?? "", request, reply ?? "");
      return;
    }
    const found = kind === "STREAM" && verb === "MSG" ? more : name;
    const stream = this.#streams.get(found);
    if (stream === undefined) {
      fail(404, 10059, "stream not found");
      return;
    }
    if (kind === "STREAM" && verb === "INFO") {
      answer({ config: { name }, state: stateOf(stream), created: "" });
      return;
    }
    if (kind === "STREAM" && verb === "MSG") {
      const message = find(stream, request);
      if (message === undefined) {
        fail(404, 10037, "no message found");
        return;
      }
      answer({ message: describe(message) });
      return;
    }
    if (kind === "CONSUMER" && verb === "CREATE") {
      const { opt_start_seq: from = 1 } = request["config"] as { opt_start_seq?: number };
      const consumer = { stream, name: `c${++this.#names}`, next: from, delivered: 0, pulls: [] };
      this.#consumers.set(consumer.name, consumer);
      answer({ name: consumer.name, num_pending: Math.max(0, stream.messages.length - from + 1) });
      return;
    }
    if (kind === "CONSUMER" && verb === "DELETE") {
      this.#consumers.delete(more);
      answer({ success: true });
      return;
    }
    throw new Error(`the simulated broker knows no ${subject}`);
  }

  #pull(client: Client, stream: string, name: string, request: Record<string, unknown>, inbox: string): void {
    const consumer = this.#consumers.get(name);
    const end = (code: number, description: string) =>
      client.deliver(inbox, { subject: inbox, code, description, body: NONE });
    if (consumer === undefined || consumer.stream.name !== stream) {
      end(503, "No Responders");
      return;
    }
    const pull: Pull = {
      inbox,
      client,
      left: Number(request["batch"]),
      bytes: Number(request["max_bytes"]),
      done: false,
    };
    consumer.pulls.push(pull);
    this.after(Number(request["expires"]) / 1e6, () => {
      if (pull.done) return;
      pull.done = true;
      end(408, "Request Timeout");
    });
    this.#serve(consumer);
  }

  #serve(consumer: Consumer): void {
    const { stream, pulls } = consumer;
    consumer.next = Math.max(consumer.next, stream.first);
    while (consumer.next <= stream.messages.length) {
      while (pulls[0] !== undefined && (pulls[0].done || !pulls[0].client.isOpen)) pulls.shift();
      const pull = pulls[0];
      if (pull === undefined) return;
      const message = stream.messages[consumer.next - 1] as SimMessage;
      const bytes = message.body.length + message.subject.length + 100;
      if (bytes > pull.bytes) {
        pull.done = true;
        const { inbox } = pull;
        pull.client.deliver(inbox, {
          subject: inbox,
          code: 409,
          description: "Message Size Exceeds MaxBytes",
          body: NONE,
        });
        continue;
      }
      const pending = stream.messages.length - consumer.next;
      consumer.next++;
      consumer.delivered++;
      pull.bytes -= bytes;
      if (--pull.left === 0) pull.done = true;
      const reply = `$JS.ACK.${stream.name}.${consumer.name}.1.${message.sequence}.${consumer.delivered}.${message.nanos}.${pending}`;
      const { subject, headers, body } = message;
      pull.client.deliver(pull.inbox, { subject, reply, headers, body });
    }
  }
}

function stateOf({ messages, first }: SimStream): object {
  const last = messages.length;
  const count = last - first + 1;
  return {
    messages: count,
    bytes: count * 100,
    first_seq: last === 0 ? 0 : first,
    last_seq: last,
    first_ts: "",
    last_ts: "",
  };
}

function find({ messages, first }: SimStream, request: Record<string, unknown>): SimMessage | undefined {
  const {
    seq,
    next_by_subj: next,
    last_by_subj: last,
  } = request as { seq?: number; next_by_subj?: string; last_by_subj?: string };
  if (next !== undefined) return messages.slice(Math.max(seq ?? 1, first) - 1).find(({ subject }) => subject === next);
  if (last !== undefined) return messages.slice(first - 1).findLast(({ subject }) => subject === last);
  return (seq ?? 0) < first ? undefined : messages[(seq ?? 0) - 1];
}

function describe({ sequence, subject, headers, body, nanos }: SimMessage): object {
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const ms = nanos / 1_000_000n;
  const time = `${new Date(Number(ms)).toISOString().slice(0, -1)}${String(nanos % 1_000_000n).padStart(6, "0")}Z`;
  return {
    seq: sequence,
    subject,
    ...(lines === "" ? {} : { hdrs: Buffer.from(`NATS/1.0\r\n${lines}\r\n`).toString("base64") }),
    data: Buffer.from(body).toString("base64"),
    time,
  };
}
