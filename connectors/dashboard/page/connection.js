// @ts-check
/** The page's side of the WebSocket: comes back by itself and goes on where it was. */

const PING_MS = 20_000;
const SILENCE_MS = 45_000;
const RETRY_MS = { first: 250, most: 10_000 };
const RECENT = 50;
/** Refused for what was asked: asking again would not help. */
const HOPELESS = new Set([4400, 4409, 1009]);

/**
 * @typedef {{ model: string, bands: boolean }} Wanted
 * @typedef {object} Handlers
 * @property {(state: "connecting" | "live" | "lost" | "refused", text: string) => void} state
 * @property {(counts: import("./segments.js").Counts) => void} counts
 * @property {(event: import("./stream.js").MigrationEvent, recent: boolean) => void} migration  Recent: happened before we subscribed.
 * @property {() => void} gap  Moves may be missing between those before and those to come.
 */

export class Connection {
  /** @type {WebSocket | undefined} */
  #socket;
  /** @type {Wanted | undefined} */
  #wanted;
  #handlers;
  /** @type {string | undefined} */
  #position;
  /** Where the newest subscription began. */
  #began = "";
  #generation = 0;
  #retryMs = RETRY_MS.first;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  #heard = 0;

  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
    setInterval(() => this.#check(), PING_MS);
    addEventListener("online", () => this.#again());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible" && this.#retry !== undefined) this.#again();
    });
  }

  /** Follows another model or other changes: from the newest moves on. @param {Wanted} wanted */
  follow(wanted) {
    const before = this.#generation++;
    this.#wanted = wanted;
    this.#position = undefined;
    if (this.#socket?.readyState === WebSocket.OPEN) {
      if (before > 0)
        for (const topic of ["counts", "moves"]) this.#send({ type: "unsubscribe", id: `${topic}-${before}` });
      this.#subscribe();
    } else if (this.#socket === undefined) {
      this.#connect();
    }
  }

  #connect() {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const url = new URL("/ws", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url, "tidemark.v1.json");
    this.#socket = socket;
    this.#heard = Date.now();
    socket.addEventListener("open", () => {
      this.#send({ type: "hello", client: "page" });
      this.#subscribe();
    });
    socket.addEventListener("message", ({ data }) => {
      this.#heard = Date.now();
      this.#receive(JSON.parse(data));
    });
    socket.addEventListener("close", ({ code, reason }) => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      if (HOPELESS.has(code)) return this.#handlers.state("refused", reason);
      this.#handlers.state("lost", "Reconnecting");
      this.#retry = setTimeout(() => this.#connect(), this.#retryMs * (0.5 + Math.random() / 2));
      this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS.most);
    });
  }

  #again() {
    if (this.#socket !== undefined || this.#wanted === undefined) return;
    this.#retryMs = RETRY_MS.first;
    this.#connect();
  }

  /** A browser shows no ping frames: we ask, and give up a server that is silent. */
  #check() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    if (Date.now() - this.#heard > SILENCE_MS) this.#socket.close();
    else this.#send({ type: "ping" });
  }

  #subscribe() {
    if (this.#wanted === undefined) return;
    const { model, bands } = this.#wanted;
    this.#send({ type: "subscribe", id: `counts-${this.#generation}`, topic: "counts", model });
    const filter = bands ? { model, change: ["segment", "bands"] } : { model };
    const from = this.#position === undefined ? { recent: RECENT } : { position: this.#position };
    this.#send({ type: "subscribe", id: `moves-${this.#generation}`, topic: "migrations", filter, ...from });
  }

  /** @param {any} message */
  #receive(message) {
    const id = message.subscription ?? message.id;
    // What an earlier subscription still sends is of another model.
    if (typeof id === "string" && !id.endsWith(`-${this.#generation}`)) return;
    switch (message.type) {
      case "subscribed":
        if (message.topic !== "migrations") return;
        this.#retryMs = RETRY_MS.first;
        if (this.#position !== undefined && !message.recovered) this.#handlers.gap();
        this.#began = message.recovered ? "" : message.position;
        this.#position = message.position;
        return this.#handlers.state("live", "Live");
      case "migration":
        this.#position = message.position;
        return this.#handlers.migration(message.event, message.position === this.#began);
      case "position":
        this.#position = message.position;
        return;
      case "counts":
        if (message.counts[0] !== undefined) this.#handlers.counts(message.counts[0]);
    }
  }

  /** @param {object} message */
  #send(message) {
    this.#socket?.send(JSON.stringify(message));
  }
}
