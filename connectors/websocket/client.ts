/** A client of the WebSocket protocol for Node: reconnects, resumes by position, pulled by its reader. */
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { InputError } from "../../runtime/errors.js";
import {
  decodeMessage,
  encodeMessage,
  type Filter,
  type Format,
  type LiveCounts,
  type MigrationEvent,
  type Reply,
  type Request,
  worthReconnecting,
} from "./protocol.js";

export interface FollowOptions {
  /** `http(s)://` or `ws(s)://` address of the engine; a path of `/` stands for `/ws`. */
  readonly url: string;
  readonly format?: Format;
  /** Default `migrations`. */
  readonly topic?: "migrations" | "counts";
  readonly filter?: Filter;
  readonly silent?: boolean;
  /** Go on behind this position; without one from now on. */
  readonly position?: string;
  /** Begin with so many of the newest, where there is no position. */
  readonly recent?: number;
  /** Ends the iteration without an error. */
  readonly signal?: AbortSignal;
  /** The first connection must stand after so long; default 5,000. */
  readonly connectMs?: number;
  /** Longest wait between two tries; default 10,000. The first is 100 ms, each twice the last, with jitter. */
  readonly retryMsMax?: number;
  /** A server that says nothing for so long (its pings included) counts as gone; default 40,000. */
  readonly silenceMsMax?: number;
  /** Told of each loss of the connection and of what comes next. */
  readonly onLost?: (reason: string, retryMs: number) => void;
}

export type Followed =
  /** Each time a subscription stands. `recovered` is false where something may have been missed since the last one. */
  | { readonly type: "subscribed"; readonly position: string; readonly recovered: boolean; readonly resumed: boolean }
  | { readonly type: "migration"; readonly event: MigrationEvent; readonly position: string }
  | { readonly type: "counts"; readonly counts: readonly LiveCounts[] };

/** Messages that wait for the reader before the socket is paused. */
const QUEUE_MAX = 1024;
const SUBSCRIPTION = "follow";

/**
 * What the engine sends, for ever: over lost connections, from where it had come. Throws InputError where the engine
 * can't be reached at first, or refuses what was asked for.
 */
export async function* follow(options: FollowOptions): AsyncGenerator<Followed, void, undefined> {
  const { signal, retryMsMax = 10_000 } = options;
  let position = options.position;
  let connected = false;
  let retryMs = 100;
  const stopped = () => signal?.aborted === true;
  const firstBy = Date.now() + (options.connectMs ?? 5_000);
  while (!stopped()) {
    const connection = new Connection(options, position, !connected);
    try {
      for await (const message of connection.messages()) {
        connected = true;
        retryMs = 100;
        if (message.type === "subscribed" && message.topic === "migrations") {
          const resumed = position !== undefined;
          position = message.position;
          yield { type: "subscribed", position, recovered: message.recovered, resumed };
        } else if (message.type === "migration") {
          position = message.position;
          yield { type: "migration", event: message.event, position };
        } else if (message.type === "position") {
          position = message.position;
        } else if (message.type === "counts") {
          yield { type: "counts", counts: message.counts };
        }
      }
    } finally {
      connection.close();
    }
    if (stopped()) return;
    const { code, text } = connection.end;
    if (!worthReconnecting(code)) throw new InputError("ENGINE_REFUSED", `${options.url}: ${text} (${code})`);
    if (!connected && Date.now() >= firstBy) throw new InputError("ENGINE_UNREACHABLE", `${options.url}: ${text}`);
    const waitMs = Math.round(retryMs * (0.5 + Math.random() / 2));
    options.onLost?.(text, waitMs);
    await delay(waitMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
    retryMs = Math.min(2 * retryMs, retryMsMax);
  }
}

class Connection {
  /** How it ended; 1006 where nobody said. */
  end = { code: 1006, text: "the connection was lost" };
  readonly #socket: WebSocket;
  readonly #queue: Reply[] = [];
  readonly #format: Format;
  readonly #abort = () => this.#wake?.();
  readonly #options: FollowOptions;
  #silence: NodeJS.Timeout | undefined;
  #wake: (() => void) | undefined;
  #over = false;

  constructor(options: FollowOptions, position: string | undefined, first: boolean) {
    this.#options = options;
    this.#format = options.format ?? "json";
    const handshakeTimeout = options.connectMs ?? 5_000;
    const socket = new WebSocket(socketUrl(options.url), `tidemark.v1.${this.#format}`, {
      perMessageDeflate: false,
      handshakeTimeout,
    });
    this.#socket = socket;
    socket.on("open", () => {
      this.#send({ type: "hello", client: "tidemark" });
      this.#send(subscribe(options, position, first));
    });
    socket.on("message", (data: Buffer) => {
      this.#heard();
      try {
        this.#queue.push(decodeMessage(this.#format, data) as Reply);
      } catch (error) {
        this.end.text = `a message can't be read: ${(error as Error).message}`;
        socket.terminate();
        return;
      }
      if (this.#queue.length >= QUEUE_MAX) socket.pause();
      this.#wake?.();
    });
    socket.on("ping", () => this.#heard());
    socket.on("error", (error) => {
      this.end.text = error.message === "" ? String((error as NodeJS.ErrnoException).code) : error.message;
    });
    socket.on("close", (code, reason) => {
      this.end.code = code;
      if (reason.length > 0) this.end.text = reason.toString("utf8");
      this.#over = true;
      this.#wake?.();
    });
    options.signal?.addEventListener("abort", this.#abort, { once: true });
    this.#heard();
  }

  /** What has come, until the connection is over. */
  async *messages(): AsyncGenerator<Reply, void, undefined> {
    for (;;) {
      const message = this.#queue.shift();
      if (this.#options.signal?.aborted === true) return;
      if (message !== undefined) {
        if (this.#queue.length === 0 && this.#socket.isPaused) this.#socket.resume();
        yield message;
      } else if (this.#over) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  close(): void {
    clearTimeout(this.#silence);
    this.#options.signal?.removeEventListener("abort", this.#abort);
    if (this.#socket.isPaused) this.#socket.resume();
    if (this.#over) return;
    this.#socket.close(1000);
    setTimeout(() => this.#socket.terminate(), 1_000).unref();
  }

  /** A connection can die without a word: what has been silent too long is cut. */
  #heard(): void {
    clearTimeout(this.#silence);
    const check = () => {
      // Paused by our own reader: the silence is ours.
      if (this.#socket.isPaused) return this.#heard();
      this.end.text = "the server fell silent";
      this.#socket.terminate();
    };
    this.#silence = setTimeout(check, this.#options.silenceMsMax ?? 40_000);
  }

  #send(request: Request): void {
    this.#socket.send(encodeMessage(this.#format, request));
  }
}

function subscribe(options: FollowOptions, position: string | undefined, first: boolean): Request {
  const { topic = "migrations", filter, silent, recent } = options;
  if (topic === "counts") {
    const model = filter?.model;
    return { type: "subscribe", id: SUBSCRIPTION, topic, ...(model === undefined ? {} : { model }) };
  }
  return {
    type: "subscribe",
    id: SUBSCRIPTION,
    topic,
    ...(filter === undefined ? {} : { filter }),
    ...(silent === undefined ? {} : { silent }),
    ...(position === undefined ? {} : { position }),
    ...(recent === undefined || position !== undefined || !first ? {} : { recent }),
  };
}

function socketUrl(text: string): string {
  if (!URL.canParse(text))
    throw new InputError("USAGE", `"${text}" is no URL; one like http://localhost:7077 was expected`);
  const url = new URL(text);
  url.protocol = url.protocol.replace("http", "ws");
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    throw new InputError("USAGE", `"${text}": http, https, ws or wss was expected`);
  }
  if (url.pathname === "/") url.pathname = "/ws";
  return url.href;
}
