/**
 * The one adapter around the npm package `nats`: no other file imports it. It connects, names what is wrong in
 * one line, reconnects for ever, and hands out five verbs: api, publish, send, subscribe, flush.
 *
 * Traps of nats 2.29.3 that are kept in here: what was published while the connection was down may be dropped
 * without a word (callers count acknowledgements); a callback that throws ends the connection's reader; user and
 * password in a URL are ignored; `JsMsg` is slow and rounds times (see ackreply.ts); its parser is slow (see parser.ts).
 */
import { readFileSync } from "node:fs";
import {
  type Authenticator,
  type ConnectionOptions,
  connect,
  createInbox,
  credsAuthenticator,
  Events,
  headers as emptyHeaders,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  nkeyAuthenticator,
} from "nats";
import { FatalError, InputError, RetryableError } from "../../runtime/errors.js";
import { type Listener, MessageParser, type PackageParser } from "./parser.js";

/** Plain values only: they are handed to worker threads. */
export interface BrokerOptions {
  /** `nats://host:4222` or `tls://…`; several for a cluster. `user:password@` or `token@` may stand in it. */
  readonly servers: string | readonly string[];
  /** Shown by the broker's monitoring. */
  readonly name?: string;
  readonly credentialsFile?: string;
  readonly nkeyFile?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly user?: string;
  readonly password?: string;
  readonly passwordFile?: string;
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string };
  /** Wait for the first connection, 5,000 by default. */
  readonly connectMsMax?: number;
}

/** An answer of the JetStream API that is an error. `errorCode` is the server's own (10059: no such stream). */
export class ApiError extends Error {
  override readonly name = "ApiError";
  constructor(
    readonly status: number,
    readonly errorCode: number,
    readonly description: string,
  ) {
    super(`${description} (${status}/${errorCode})`);
  }
}

export const STREAM_NOT_FOUND = 10059;
export const NO_MESSAGE_FOUND = 10037;

/** Within a connection of nats 2.29.3. */
interface WithProtocol {
  readonly protocol: {
    /** What `publish` itself calls: a publish through the public method costs several times as much. */
    sendCommand(commands: Uint8Array): void;
    /** Gets all that the socket brings. Each attempt to connect sets a new one. */
    parser: PackageParser;
  };
}

const VERSION_MIN = [2, 9, 10] as const;
const RECONNECT_MS_MIN = 50;
const RECONNECT_MS_MAX = 2_000;
const API_MS_MAX = 5_000;
/** Commands that wait for the end of a turn. */
const COMMAND_BYTES_MAX = 64 * 1024;
const RETRY_MS_MIN = 20;
const RETRY_MS_MAX = 1_000;

/** Headers of a message to publish. */
export function headersOf(values: Readonly<Record<string, string>>): MsgHdrs {
  const made = emptyHeaders();
  for (const name in values) made.set(name, values[name] ?? "");
  return made;
}

/** A connection with a JetStream that suits. Throws FatalError (BROKER_UNREACHABLE, BROKER_UNSUITABLE) or InputError. */
export async function connectBroker(options: BrokerOptions): Promise<Broker> {
  const servers = typeof options.servers === "string" ? options.servers.split(",") : [...options.servers];
  const shown = servers.map(withoutSecrets).join(", ");
  const backoff = new Backoff();
  let connection: NatsConnection;
  try {
    connection = await connect(clientOptions(options, servers, backoff));
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new FatalError("BROKER_UNREACHABLE", `no connection to ${shown}: ${reasonOf(error)}`, { cause: error });
  }
  const broker = new Broker(connection, shown, backoff);
  try {
    await broker.check();
  } catch (error) {
    await broker.close();
    throw error;
  }
  return broker;
}

export class Broker {
  readonly #connection: NatsConnection;
  readonly #listeners = new Set<(connected: boolean) => void>();
  /** Who gets messages, by the client's number of the subscription. */
  readonly #subscribers = new Map<number, Listener>();
  #connected = true;
  #reconnects = 0;
  /** Commands of this turn of the event loop: one write takes them all, whichever partition they are of. */
  #commands: Uint8Array[] = [];
  #commandBytes = 0;

  constructor(
    connection: NatsConnection,
    /** Addresses without secrets, for messages. */
    readonly shown: string,
    backoff: Backoff,
  ) {
    this.#connection = connection;
    readMessages((connection as unknown as WithProtocol).protocol, this.#subscribers);
    void this.#watch(backoff);
  }

  get connected(): boolean {
    return this.#connected && !this.#connection.isClosed();
  }

  get closed(): boolean {
    return this.#connection.isClosed();
  }

  /** Times the connection came back. */
  get reconnects(): number {
    return this.#reconnects;
  }

  /** Version of the server, such as `2.9.10`. */
  get version(): string {
    return this.#connection.info?.version ?? "unknown";
  }

  /** True where the server is of this version (major, minor, patch) or newer. */
  isAtLeast(version: readonly number[]): boolean {
    const found = this.version.split(/[.-]/).map(Number);
    const differs = version.findIndex((wanted, i) => found[i] !== wanted);
    return differs < 0 || (found[differs] ?? 0) > (version[differs] ?? 0);
  }

  /** Bytes of the largest message, headers included, that the server takes. */
  get payloadBytesMax(): number {
    return this.#connection.info?.max_payload ?? 1_048_576;
  }

  /** A new subject that only we listen to. Append `.token` and subscribe to `.*` to tell answers apart. */
  inbox(): string {
    return createInbox();
  }

  /** Calls the listener with false when the connection is lost and true when it is back. Returns how to stop that. */
  onConnection(listener: (connected: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Sends without waiting: whether the broker has it, only an answer to `reply` tells. Throws RetryableError when closed. */
  publish(subject: string, body: Uint8Array, reply?: string, headers?: MsgHdrs): void {
    try {
      this.#connection.publish(subject, body, {
        ...(reply === undefined ? {} : { reply }),
        ...(headers === undefined ? {} : { headers }),
      });
    } catch (error) {
      throw new RetryableError("BROKER_UNREACHABLE", `can't publish to ${subject}: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }

  /**
   * Sends commands of the client protocol as they are, such as thousands of publishes made at once (see wire.ts), with
   * those of others at the end of this turn of the event loop, or when they are many. The bytes must not change
   * afterwards. Throws RetryableError when closed.
   */
  send(commands: Uint8Array): void {
    if (this.#connection.isClosed()) throw new RetryableError("BROKER_UNREACHABLE", `${this.shown}: closed`);
    this.#commands.push(commands);
    this.#commandBytes += commands.length;
    if (this.#commandBytes >= COMMAND_BYTES_MAX) this.#sendCommands();
    else if (this.#commands.length === 1) setImmediate(() => this.#sendCommands());
  }

  #sendCommands(): void {
    const commands = this.#commands;
    this.#commands = [];
    this.#commandBytes = 0;
    for (const piece of commands) (this.#connection as unknown as WithProtocol).protocol.sendCommand(piece);
  }

  /**
   * Publishes into a stream and waits for the stream's sequence. Throws ApiError where the stream refuses, and
   * RetryableError where no answer came: then it may be stored all the same.
   */
  async publishStored(subject: string, body: Uint8Array, headers?: MsgHdrs, msMax = API_MS_MAX): Promise<number> {
    let answer: Msg;
    try {
      answer = await this.#connection.request(subject, body, {
        timeout: msMax,
        ...(headers === undefined ? {} : { headers }),
      });
    } catch (error) {
      throw new RetryableError("BROKER_UNREACHABLE", `no stream took a message on ${subject}: ${reasonOf(error)}`, {
        cause: error,
      });
    }
    return resultOf<{ seq: number }>(answer).seq;
  }

  /** The listener gets every message, in order, and must not throw. Returns how to unsubscribe. */
  subscribe(subject: string, listener: Listener): () => void {
    // Ours gets the messages; the package's callback only what it says when the server refuses the subscription.
    const subscription = this.#connection.subscribe(subject, { callback: () => {} });
    this.#subscribers.set(subscription.getID(), listener);
    return () => {
      this.#subscribers.delete(subscription.getID());
      if (!this.#connection.isClosed()) subscription.unsubscribe();
    };
  }

  /** Resolves when the server has read everything sent before. Rejects with RetryableError when the connection is lost. */
  async flush(): Promise<void> {
    this.#sendCommands();
    try {
      await this.#connection.flush();
    } catch (error) {
      throw new RetryableError("BROKER_UNREACHABLE", `${this.shown}: ${reasonOf(error)}`, { cause: error });
    }
  }

  /**
   * One request to the JetStream API (`STREAM.INFO.x`). Throws ApiError for an error answer, and RetryableError
   * when none came in time or no JetStream listens.
   */
  async api<T>(subject: string, request: object = {}, msMax = API_MS_MAX): Promise<T> {
    let answer: Msg;
    try {
      answer = await this.#connection.request(`$JS.API.${subject}`, JSON.stringify(request), { timeout: msMax });
    } catch (error) {
      throw new RetryableError("BROKER_UNREACHABLE", `${this.shown} did not answer ${subject}: ${reasonOf(error)}`, {
        cause: error,
      });
    }
    return resultOf<T>(answer);
  }

  /**
   * The same, tried again with growing pauses while the broker is away or without a leader, until `msMax` is over
   * (Infinity: until the signal aborts). Throws what the last try threw.
   */
  async apiRetried<T>(
    subject: string,
    request: object = {},
    msMax = Number.POSITIVE_INFINITY,
    signal?: AbortSignal,
  ): Promise<T> {
    const end = performance.now() + msMax;
    for (let pause = RETRY_MS_MIN; ; pause = Math.min(2 * pause, RETRY_MS_MAX)) {
      try {
        return await this.api<T>(subject, request, Math.min(API_MS_MAX, Math.max(1, end - performance.now())));
      } catch (error) {
        const passing = error instanceof RetryableError || (error instanceof ApiError && error.status >= 500);
        if (!passing || this.closed || signal?.aborted || performance.now() + pause > end) throw error;
      }
      await sleep(pause, signal);
    }
  }

  /** Throws FatalError (BROKER_UNSUITABLE) where the server is too old or has no JetStream for this account. */
  async check(): Promise<void> {
    if (!this.isAtLeast(VERSION_MIN)) {
      throw new FatalError("BROKER_UNSUITABLE", `${this.shown} is nats-server ${this.version}, older than 2.9.10`);
    }
    try {
      await this.apiRetried("INFO", {}, API_MS_MAX);
    } catch (error) {
      throw new FatalError("BROKER_UNSUITABLE", `${this.shown} has no JetStream for us: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Drops the TCP connection; the client connects anew. Tests cut lines with it. */
  async reconnect(): Promise<void> {
    await this.#connection.reconnect();
  }

  async close(): Promise<void> {
    this.#sendCommands();
    await this.#connection.close();
  }

  async #watch(backoff: Backoff): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (status.type !== Events.Disconnect && status.type !== Events.Reconnect) continue;
      const connected = status.type === Events.Reconnect;
      if (connected) {
        this.#reconnects++;
        backoff.reset();
      }
      this.#connected = connected;
      for (const listener of this.#listeners) listener(connected);
    }
    this.#connected = false;
  }
}

/** From now on the subscribers get their messages without a detour through the package's parser (see parser.ts). */
function readMessages(protocol: WithProtocol["protocol"], subscribers: ReadonlyMap<number, Listener>): void {
  let parser = new MessageParser(protocol.parser, subscribers);
  Object.defineProperty(protocol, "parser", {
    get: () => parser,
    set: (inner: PackageParser) => {
      parser = new MessageParser(inner, subscribers);
    },
  });
}

/** An API answer. Throws ApiError where it is an error. */
function resultOf<T>(answer: Msg): T {
  const parsed = answer.json<{ error?: { code?: number; err_code?: number; description?: string } }>();
  const { error } = parsed;
  if (error) throw new ApiError(error.code ?? 0, error.err_code ?? 0, error.description ?? "unknown error");
  return parsed as T;
}

/** Resolves after `ms`, or at once when the signal aborts. Never rejects. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
  });
}

/**
 * Resolves when `work` does, after `ms`, or when the signal aborts. Rejects as `work` does. Leaves no timer that would
 * keep a thread from its end.
 */
export async function within(ms: number, work: Promise<unknown> | undefined, signal?: AbortSignal): Promise<void> {
  const over = new AbortController();
  const end = () => over.abort();
  signal?.addEventListener("abort", end);
  if (signal?.aborted) end();
  try {
    await Promise.race([work, sleep(ms, over.signal)]);
  } finally {
    signal?.removeEventListener("abort", end);
    end();
  }
}

/** Pauses between tries to connect: doubling, with jitter so that workers don't come all at once. */
class Backoff {
  #ms = RECONNECT_MS_MIN;

  next(): number {
    this.#ms = Math.min(2 * this.#ms, RECONNECT_MS_MAX);
    return this.#ms * (0.5 + Math.random() / 2);
  }

  reset(): void {
    this.#ms = RECONNECT_MS_MIN;
  }
}

function clientOptions(options: BrokerOptions, servers: string[], backoff: Backoff): ConnectionOptions {
  const first = parseServer(servers[0] ?? "");
  const user = options.user ?? (first.password === undefined ? undefined : first.user);
  const pass = options.password ?? secretFrom(options.passwordFile) ?? first.password;
  const token =
    options.token ?? secretFrom(options.tokenFile) ?? (first.password === undefined ? first.user : undefined);
  let authenticator: Authenticator | undefined;
  if (options.credentialsFile !== undefined) authenticator = credsAuthenticator(bytesFrom(options.credentialsFile));
  else if (options.nkeyFile !== undefined)
    authenticator = nkeyAuthenticator(new TextEncoder().encode(secretFrom(options.nkeyFile)));
  const wantsTls = options.tls !== undefined || servers.some((server) => server.startsWith("tls://"));
  return {
    servers: servers.map((server) => parseServer(server).address),
    name: options.name ?? "tidemark",
    timeout: options.connectMsMax ?? 5_000,
    reconnect: true,
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    reconnectDelayHandler: () => backoff.next(),
    // A broker that is stopped (SIGSTOP, a dead link) is noticed after two unanswered pings.
    pingInterval: 10_000,
    maxPingOut: 2,
    ...(user === undefined ? {} : { user }),
    ...(pass === undefined ? {} : { pass }),
    ...(token === undefined ? {} : { token }),
    ...(authenticator === undefined ? {} : { authenticator }),
    ...(wantsTls ? { tls: { ...options.tls } } : {}),
  };
}

function parseServer(server: string): { address: string; user?: string; password?: string } {
  const text = server.trim();
  let url: URL;
  try {
    url = new URL(text.includes("://") ? text : `nats://${text}`);
  } catch (error) {
    throw new InputError("USAGE", `"${withoutSecrets(text)}" is no broker address; expected nats://host:4222`, {
      cause: error,
    });
  }
  if (!["nats:", "tls:"].includes(url.protocol) || url.hostname === "") {
    throw new InputError(
      "USAGE",
      `"${withoutSecrets(text)}" is no broker address; expected nats://host:4222 or tls://host:4222`,
    );
  }
  return {
    address: `${url.hostname}:${url.port || "4222"}`,
    ...(url.username ? { user: decodeURIComponent(url.username) } : {}),
    ...(url.password ? { password: decodeURIComponent(url.password) } : {}),
  };
}

function withoutSecrets(server: string): string {
  return server.trim().replace(/\/\/[^@/]*@/, "//…@");
}

function bytesFrom(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new InputError("FILE_UNREADABLE", `${path}: ${reasonOf(error)}`, { cause: error });
  }
}

function secretFrom(path: string | undefined): string | undefined {
  return path === undefined ? undefined : new TextDecoder().decode(bytesFrom(path)).trim();
}

/** No stream takes what was published: a refusal, or nobody listens on the subject. A slow answer is neither. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ApiError || causeOf(error) === "503" || isForbidden(error);
}

/** The broker's permissions forbid it: nothing that passes by itself. */
export function isForbidden(error: unknown): boolean {
  return causeOf(error) === "PERMISSIONS_VIOLATION";
}

function causeOf(error: unknown): unknown {
  return error instanceof RetryableError ? (error.cause as { code?: unknown } | undefined)?.code : undefined;
}

/** What a foreign error says, in one line. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error ?? "connection refused");
  const { code, chainedError } = error as Error & { code?: string; chainedError?: Error };
  const text = chainedError?.message || error.message || code || error.name;
  const meaning: Record<string, string> = {
    CONNECTION_REFUSED: "connection refused",
    AUTHORIZATION_VIOLATION: "the broker refused the credentials",
    TIMEOUT: "no answer in time",
    CONNECTION_TIMEOUT: "no answer in time",
    "503": "JetStream does not answer (is it enabled?)",
  };
  return meaning[code ?? ""] ?? text.split("\n")[0] ?? text;
}
