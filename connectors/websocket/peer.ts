/** One connected client as the server sees it: a bounded queue, its subscriptions, and an end with a reason. */
import { WebSocket } from "ws";
import { CLOSE, type CloseReason, encodeMessage, type Format, type Limits, type Reply } from "./protocol.js";
import type { Run } from "./run.js";
import type { MigrationSubscription } from "./subscription.js";

/** What `send` of ws 8 itself calls, with the frames already made (as engine.io does, too). */
interface WithSender {
  readonly _sender: { sendFrame(frames: readonly Buffer[], done: () => void): void };
}

/** Why a connection ended, as it is counted. `gone`: the client left by itself. */
export const ENDS = [...(Object.keys(CLOSE) as CloseReason[]), "noPong", "gone"] as const;
export type End = (typeof ENDS)[number];

export interface Traffic {
  readonly sent: Record<Reply["type"], number>;
  bytes: number;
  readonly ends: Record<End, number>;
}

export function newTraffic(): Traffic {
  const sent = { welcome: 0, pong: 0, subscribed: 0, unsubscribed: 0, migration: 0, position: 0, counts: 0, error: 0 };
  return { sent, bytes: 0, ends: Object.fromEntries(ENDS.map((end) => [end, 0])) as Record<End, number> };
}

/** A subscription to `counts`: at most one message under way; what comes meanwhile replaces what waits. */
export interface CountsSubscription {
  readonly topic: "counts";
  readonly id: string;
  readonly models: ReadonlySet<string> | undefined;
  sending: boolean;
  /** Something newer came while one was under way. */
  stale: boolean;
}

export class Peer {
  readonly format: Format;
  readonly subscriptions = new Map<string, MigrationSubscription | CountsSubscription>();
  greeted = false;
  awaitsPong = false;
  /** Requests that wait for their turn. */
  requests = 0;
  /** Aborts when the connection is over for whatever reason. */
  readonly ended = new AbortController();
  readonly #socket: WebSocket;
  readonly #limits: Limits;
  readonly #traffic: Traffic;
  #drained: (() => void)[] = [];
  #end: End | undefined;
  /** Frames that wait for the end of this turn. */
  #run: Run | undefined;

  constructor(socket: WebSocket, format: Format, limits: Limits, traffic: Traffic) {
    this.#socket = socket;
    this.format = format;
    this.#limits = limits;
    this.#traffic = traffic;
    socket.on("close", () => {
      this.#finish("gone");
      this.#wake();
    });
    // A broken connection or a frame against the protocol (ws answers 1002, 1007 or 1009 itself); "close" follows.
    socket.on("error", (error: Error & { code?: string }) => {
      if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") this.#finish("tooLarge");
    });
  }

  /** Bytes handed over that the system has not taken yet. */
  get queueBytes(): number {
    return this.#socket.bufferedAmount + (this.#run?.bytes ?? 0);
  }

  get open(): boolean {
    return this.#end === undefined && this.#socket.readyState === WebSocket.OPEN;
  }

  send(message: Reply, done?: () => void): void {
    this.sendFrame(message.type, encodeMessage(this.format, message), done);
  }

  /** Sends bytes already in this client's format; closes the client as slow where too many wait already. */
  sendFrame(type: Reply["type"], data: string | Uint8Array, done?: () => void): void {
    if (!this.#takes(type, data.length)) return;
    this.flush();
    this.#socket.send(data, { binary: this.format === "msgpack" }, () => {
      done?.();
      this.#wrote();
    });
  }

  /**
   * Puts a frame (see `frameOf`) that others get, too, behind those that wait; `flush` sends them. `empty`: the run of
   * no frames that is common to all. Closes the client as slow where too many bytes wait already.
   */
  queueFrame(type: Reply["type"], frame: Buffer, empty: Run): void {
    if (this.#takes(type, frame.length)) this.#run = (this.#run ?? empty).with(frame);
  }

  /** Sends the frames that wait in one write. */
  flush(): void {
    const run = this.#run;
    this.#run = undefined;
    if (run === undefined || this.#socket.readyState !== WebSocket.OPEN) return;
    (this.#socket as unknown as WithSender)._sender.sendFrame([run.data], () => this.#wrote());
  }

  /** Whether one more message may be sent; it is counted. */
  #takes(type: Reply["type"], bytes: number): boolean {
    if (!this.open) return false;
    if (this.queueBytes > this.#limits.queueBytesMax) {
      this.close("slow", "slow");
      return false;
    }
    this.#traffic.sent[type]++;
    this.#traffic.bytes += bytes;
    return true;
  }

  #wrote(): void {
    if (this.queueBytes <= this.#limits.queueBytesMax / 4) this.#wake();
  }

  /** Room for more without risking to be closed as slow. */
  get roomy(): boolean {
    return this.queueBytes <= this.#limits.queueBytesMax / 2;
  }

  /** Resolves when most of the queue has gone out, or the connection is over; a client that takes nothing is closed as slow. */
  async drained(): Promise<void> {
    if (!this.open || this.queueBytes <= this.#limits.queueBytesMax / 4) return;
    await new Promise<void>((resolve) => {
      const stalled = setTimeout(() => this.close("slow", "slow"), this.#limits.stallMs);
      this.#drained.push(() => {
        clearTimeout(stalled);
        resolve();
      });
    });
  }

  /** Sends an error message and closes with the reason's code. */
  refuse(
    reason: "badRequest" | "duplicate" | "tooMany" | "noHello" | "unavailable",
    message: string,
    id?: string,
  ): void {
    this.send({ type: "error", code: CLOSE[reason], message, ...(id === undefined ? {} : { id }) });
    this.close(reason, message);
  }

  /** `text`: cut to what a close frame holds. */
  close(reason: CloseReason, text: string): void {
    if (!this.#finish(reason)) return;
    this.flush();
    this.#socket.close(CLOSE[reason], cut(text, 123));
    // What waits goes out first; a client that takes nothing must not hold its queue for ever.
    setTimeout(() => this.#socket.terminate(), this.#limits.stallMs).unref();
  }

  ping(): void {
    this.awaitsPong = true;
    this.#socket.ping();
  }

  terminate(end: End): void {
    this.#finish(end);
    this.#socket.terminate();
  }

  #finish(end: End): boolean {
    if (this.#end !== undefined) return false;
    this.#end = end;
    this.#traffic.ends[end]++;
    this.ended.abort();
    this.#wake();
    return true;
  }

  #wake(): void {
    const waiting = this.#drained;
    this.#drained = [];
    for (const resume of waiting) resume();
  }
}

/** The longest start of the text that is at most so many bytes of UTF-8. */
function cut(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length <= bytesMax) return text;
  return bytes
    .subarray(0, bytesMax)
    .toString("utf8")
    .replace(/\uFFFD+$/, "");
}
