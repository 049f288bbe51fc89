import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { decode, encode } from "@msgpack/msgpack";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type Followed, follow } from "../../connectors/websocket/client.js";
import { decodePosition, encodePosition } from "../../connectors/websocket/position.js";
import type { Limits, LiveCounts, MigrationEvent } from "../../connectors/websocket/protocol.js";
import { attachWebSocket, type WebSocketEdge, type WebSocketOptions } from "../../connectors/websocket/server.js";
import { MemorySource } from "./source.js";

let source: MemorySource;
let server: Server;
let edge: WebSocketEdge;
let port: number;
const open: WebSocket[] = [];

async function start(limits: Partial<Limits> = {}, options: WebSocketOptions = {}): Promise<void> {
  server = createServer();
  edge = attachWebSocket(server, source, { ...options, limits });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
}

async function stop(): Promise<void> {
  await edge.close();
  await new Promise((resolve) => server.close(resolve));
}

beforeEach(() => {
  source = new MemorySource();
  port = 0;
});

afterEach(async () => {
  for (const socket of open.splice(0)) socket.terminate();
  await stop();
});

interface Message {
  readonly type: string;
  readonly subscription: string;
  readonly position: string;
  readonly recovered: boolean;
  readonly event: MigrationEvent;
  readonly counts: readonly LiveCounts[];
}

class Client {
  readonly socket: WebSocket;
  readonly #format: string;
  readonly messages: Message[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  #wake: (() => void) | undefined;

  constructor(format = "json", headers: Record<string, string> = {}, protocols = [`tidemark.v1.${format}`]) {
    this.#format = format;
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, protocols, { headers });
    open.push(this.socket);
    this.socket.on("message", (data: Buffer) => {
      this.messages.push((format === "json" ? JSON.parse(data.toString()) : decode(data)) as Message);
      this.#wake?.();
    });
    this.closed = new Promise((resolve) =>
      this.socket.on("close", (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#wake?.();
      }),
    );
    this.socket.on("error", () => undefined);
  }

  async opened(): Promise<this> {
    await new Promise<void>((resolve, reject) => this.socket.once("open", resolve).once("error", reject));
    return this;
  }

  async greeted(): Promise<this> {
    await this.opened();
    this.send({ type: "hello" });
    expect(await this.next()).toMatchObject({ type: "welcome", name: "shop", models: ["retail", "stores"] });
    return this;
  }

  send(message: object): void {
    this.socket.send(this.#format === "json" ? JSON.stringify(message) : encode(message));
  }

  async next(type?: string): Promise<Message> {
    for (;;) {
      const index = this.messages.findIndex((message) => type === undefined || message.type === type);
      if (index >= 0) return this.messages.splice(index, 1)[0];
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error("closed");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async subscribe(fields: object = {}): Promise<Message> {
    this.send({ type: "subscribe", id: "a", topic: "migrations", ...fields });
    return this.next("subscribed");
  }
}

const greet = (format?: string) => new Client(format).greeted();

test.each(["json", "msgpack"])("a migration arrives as the very event of the ledger (%s)", async (format) => {
  await start();
  const client = await greet(format);
  expect(await client.subscribe()).toMatchObject({ id: "a", recovered: false, position: expect.any(String) });
  const { body } = source.move("zoë");
  const { event, ...rest } = await client.next();
  expect(rest).toEqual({ type: "migration", subscription: "a", position: expect.any(String) });
  expect(event).toEqual(JSON.parse(Buffer.from(body).toString()));
  expect(decodePosition(rest.position)).toEqual({ epoch: "epoch-1", numbers: [1, 0] });
});

test("only what every filter wants comes: by default segment changes that are not silent", async () => {
  await start();
  const client = await greet();
  await client.subscribe({ id: "all" });
  await client.subscribe({
    id: "some",
    filter: { model: "retail", from: [null, "Loyal"], to: "VIP", cause: ["order", "amend"], customer: ["a", "b"] },
  });
  await client.subscribe({ id: "bands", silent: true, filter: { change: "bands" } });
  source.move("a", { change: "bands" });
  source.move("a", { silent: true });
  source.dead();
  source.move("a", { change: "bands", silent: true });
  source.move("c");
  source.move("a", { cause: "recency" });
  source.move("b", { from: null, cause: "amend" }, 1);
  source.move("a", { model: "stores" });
  const seen: string[] = [];
  while (seen.length < 7) {
    const { subscription, event } = await client.next("migration");
    seen.push(`${subscription} ${event.subject} ${event.data.change} ${event.data.model} ${event.data.cause.kind}`);
  }
  expect(seen.sort()).toEqual([
    "all a segment retail recency",
    "all a segment stores order",
    "all b segment retail amend",
    "all c segment retail order",
    "bands a bands retail order",
    "bands a bands retail order",
    "some b segment retail amend",
  ]);
  client.send({ type: "unsubscribe", id: "all" });
  expect(await client.next()).toEqual({ type: "unsubscribed", id: "all" });
  expect(edge.stats().subscriptions).toEqual({ migrations: 2, counts: 0 });
});

test("a resume brings everything missed, from memory and from the ledger, once and in order", async () => {
  for (let i = 0; i < 300; i++) source.move(`old-${i}`, {}, i % 2);
  await start({ tailRecordsMax: 10, prefill: 4 });
  const position = encodePosition({ epoch: "epoch-1", numbers: [20, 140] });
  const client = await greet();
  expect(await client.subscribe({ position })).toMatchObject({ recovered: true, position });
  for (let i = 0; i < 50; i++) source.move(`new-${i}`, {}, i % 2);
  const numbers: number[][] = [[], []];
  let last = "";
  for (let i = 0; i < 130 + 10 + 50; i++) {
    const message = await client.next("migration");
    const partition = Number(message.event.subject.split("-")[1]) % 2;
    numbers[partition].push(message.event.data.revision);
    last = message.position;
  }
  expect(numbers[0]).toEqual(Array.from({ length: 155 }, (_, i) => 21 + i));
  expect(numbers[1]).toEqual(Array.from({ length: 35 }, (_, i) => 141 + i));
  expect(decodePosition(last)).toEqual({ epoch: "epoch-1", numbers: [175, 175] });
  expect(edge.stats().resumes).toEqual({ recovered: 1, notRecovered: 0 });
});

test("resuming at any message of a stream that goes on loses and repeats nothing", async () => {
  await start({ tailRecordsMax: 16, prefill: 8 });
  for (let i = 0; i < 20; i++) source.move(`c-${i}`, {}, i % 2);
  let position = encodePosition({ epoch: "epoch-1", numbers: [0, 0] });
  const seen = new Set<string>();
  let made = 20;
  for (let round = 0; round < 12; round++) {
    const client = await greet(round % 2 === 0 ? "json" : "msgpack");
    expect((await client.subscribe({ position })).recovered).toBe(true);
    for (let i = 0; i < 10; i++) source.move(`c-${made}`, {}, made++ % 2);
    for (let i = 0; i < 3 + round; i++) {
      if (seen.size === made) break;
      const message = await client.next("migration");
      expect(seen.has(message.event.id)).toBe(false);
      seen.add(message.event.id);
      position = message.position;
    }
    client.socket.terminate();
  }
  const client = await greet();
  await client.subscribe({ position });
  while (seen.size < made) {
    const { event } = await client.next("migration");
    expect(seen.has(event.id)).toBe(false);
    seen.add(event.id);
  }
});

test.each([
  ["another epoch", { epoch: "other", numbers: [0, 0] }],
  ["another layout", { epoch: "epoch-1", numbers: [0] }],
  ["beyond the end", { epoch: "epoch-1", numbers: [99, 0] }],
  ["what has left the ledger", { epoch: "epoch-1", numbers: [3, 0] }],
  ["more than the limit", { epoch: "epoch-1", numbers: [10, 0] }],
])("not recovered: %s", async (_, position) => {
  for (let i = 0; i < 50; i++) source.move(`c-${i}`);
  source.first[0] = 8;
  await start({ recoverMax: 20, prefill: 4 });
  const client = await greet();
  const answer = await client.subscribe({ position: encodePosition(position) });
  expect(answer.recovered).toBe(false);
  expect(decodePosition(answer.position)).toEqual({ epoch: "epoch-1", numbers: [50, 0] });
  source.move("next");
  expect((await client.next("migration")).event.subject).toBe("next");
});

test("recent brings the newest in memory first, by time", async () => {
  for (let i = 0; i < 30; i++) source.move(`c-${i}`, { at: 1_767_225_600_000 + i }, i % 2);
  await start();
  const client = await greet();
  const { position } = await client.subscribe({ recent: 5 });
  const seen = [];
  for (let i = 0; i < 5; i++) seen.push(await client.next("migration"));
  expect(seen.map(({ event }) => event.subject)).toEqual(["c-25", "c-26", "c-27", "c-28", "c-29"]);
  expect(new Set(seen.map((message) => message.position))).toEqual(new Set([position]));
});

test("a filter that wants nothing still learns how far the ledger has come", async () => {
  await start({ pingMs: 50 });
  const client = await greet();
  await client.subscribe({ filter: { customer: "nobody" } });
  source.move("a");
  const { position } = await client.next("position");
  expect(decodePosition(position)?.numbers).toEqual([1, 0]);
});

test("records that leave the ledger before they are read end the followers with 3010", async () => {
  await start();
  const client = await greet();
  await client.subscribe();
  source.first[0] = 3;
  for (let i = 0; i < 3; i++) source.move(`c-${i}`);
  expect((await client.closed).code).toBe(3010);
});

test("live counts: the value now, then the latest", async () => {
  await start();
  source.count(0, 0, 7);
  source.count(0, 21, 5);
  const client = await greet();
  client.send({ type: "subscribe", id: "n", topic: "counts", model: "retail" });
  expect(await client.next()).toEqual({ type: "subscribed", id: "n", topic: "counts" });
  const first = await client.next("counts");
  expect(first.counts).toHaveLength(1);
  expect(first).toMatchObject({ subscription: "n", counts: [{ model: "retail", customers: 12, none: 7 }] });
  expect(first.counts[0].segments[0]).toEqual({ name: "VIP", customers: 5 });
  expect(first.counts[0].cells[21]).toBe(5);
  source.count(0, 21, 1);
  expect((await client.next("counts")).counts[0].customers).toBe(13);
  client.socket.close();
  await client.closed;
  await expect.poll(() => source.listeners).toBe(0);
});

test("a client that reads nothing has one counts message under way, not hundreds", async () => {
  await start();
  const client = await greet("msgpack");
  client.send({ type: "subscribe", id: "n", topic: "counts" });
  await client.next("counts");
  client.socket.pause();
  for (let i = 0; i < 20_000; i++) source.count(0, 21, 1);
  await expect.poll(() => edge.stats().sent.counts).toBeLessThan(200);
  expect(edge.stats().queueBytes).toBeLessThan(64 * 1024);
  client.socket.resume();
  for (;;) if ((await client.next("counts")).counts[0].customers === 20_000) break;
});

test("a slow client is closed with 3008; others are not held up", async () => {
  await start({ queueBytesMax: 256 * 1024, stallMs: 500 });
  const slow = await greet();
  const quick = await greet();
  await slow.subscribe();
  await quick.subscribe();
  slow.socket.pause();
  for (let i = 0; i < 400; i++) source.move(`c-${i}`, { padding: 30_000 });
  for (let i = 0; i < 400; i++) await quick.next("migration");
  await expect.poll(() => edge.stats().ends.slow).toBe(1);
  slow.socket.resume();
  expect([3008, 1006]).toContain((await slow.closed).code);
  await expect.poll(() => edge.stats().clients.json).toBe(1);
});

test("a resuming client is sent no faster than it reads", async () => {
  for (let i = 0; i < 600; i++) source.move(`c-${i}`, { padding: 30_000 });
  await start({ queueBytesMax: 256 * 1024, prefill: 1 });
  const client = await greet();
  await client.subscribe({ position: encodePosition({ epoch: "epoch-1", numbers: [0, 0] }) });
  client.socket.pause();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(edge.stats().queueBytes).toBeLessThan(256 * 1024);
  expect(edge.stats().sent.migration).toBeLessThan(600);
  client.socket.resume();
  for (let i = 0; i < 600; i++) expect((await client.next("migration")).event.data.revision).toBe(i + 1);
  expect(edge.stats().ends.slow).toBe(0);
});

test.each([
  ["no JSON", "{", 4400],
  ["an unknown type", '{"type":"dance"}', 4400],
  ["an unknown field", '{"type":"subscribe","id":"b","topic":"counts","modle":"retail"}', 4400],
  ["an unknown model", '{"type":"subscribe","id":"b","topic":"migrations","filter":{"model":"x"}}', 4400],
  ["an unknown segment", '{"type":"subscribe","id":"b","topic":"migrations","filter":{"to":["VIP","x"]}}', 4400],
  ["a bad position", '{"type":"subscribe","id":"b","topic":"migrations","position":"AAAA"}', 4400],
  ["an unknown subscription", '{"type":"unsubscribe","id":"b"}', 4400],
  ["a second hello", '{"type":"hello"}', 4400],
  ["the same id twice", '{"type":"subscribe","id":"a","topic":"counts"}', 4409],
  [
    "too many customers",
    `{"type":"subscribe","id":"b","topic":"migrations","filter":{"customer":[${'"c",'.repeat(100)}"c"]}}`,
    4400,
  ],
  ["a message too large", JSON.stringify({ type: "hello", client: "x".repeat(70_000) }), 1009],
])("%s closes the connection with its code and says why", async (_, text, code) => {
  await start();
  const client = await greet();
  await client.subscribe();
  client.socket.send(text);
  const { reason, ...end } = await client.closed;
  expect(end.code).toBe(code);
  if (code !== 1009) {
    expect(reason).not.toBe("");
    expect(await client.next("error")).toMatchObject({ code });
  }
});

test("limits: clients, subscriptions, requests, time to hello", async () => {
  await start({ helloMs: 100 });
  const silent = await new Client().opened();
  expect((await silent.closed).code).toBe(4408);
  expect(edge.stats().ends).toMatchObject({ noHello: 1, tooMany: 0 });
  await stop();
  await start({ clientsMax: 2, subscriptionsMax: 2, requestsMax: 8 });
  const first = await greet();
  const second = await greet();
  expect((await (await new Client().opened()).closed).code).toBe(4429);
  for (const id of ["a", "b", "c"]) first.send({ type: "subscribe", id, topic: "counts" });
  expect((await first.closed).code).toBe(4429);
  for (let i = 0; i < 40; i++) second.send({ type: "subscribe", id: String(i), topic: "counts" });
  expect((await second.closed).code).toBe(4429);
  expect(edge.stats().ends).toMatchObject({ noHello: 0, tooMany: 3 });
});

test("a peer that answers no ping is cut", async () => {
  await start({ pingMs: 50, pongMs: 1_000 });
  const client = await greet();
  client.socket.pause();
  await expect.poll(() => edge.stats().ends.noPong).toBe(1);
  client.socket.resume();
  expect((await client.closed).code).toBe(1006);
});

test("handshakes: another path, another origin, no known subprotocol", async () => {
  await start({}, { origins: ["https://shop.example"] });
  const status = (socket: WebSocket) =>
    new Promise((resolve) => {
      open.push(socket);
      socket.on("unexpected-response", (_, response) => resolve(response.statusCode)).on("open", () => resolve(101));
      socket.on("error", () => undefined);
    });
  const url = `ws://127.0.0.1:${port}`;
  const known = ["tidemark.v1.json"];
  expect(await status(new WebSocket(`${url}/other`, known))).toBe(404);
  expect(await status(new WebSocket(`${url}/ws`))).toBe(400);
  expect(await status(new WebSocket(`${url}/ws`, ["graphql-ws"]))).toBe(400);
  expect(await status(new WebSocket(`${url}/ws`, known, { origin: "https://evil.example" }))).toBe(403);
  expect(await status(new WebSocket(`${url}/ws`, known, { origin: "https://shop.example" }))).toBe(101);
  expect(await status(new WebSocket(`${url}/ws`, known, { origin: `http://127.0.0.1:${port}` }))).toBe(101);
  expect(await status(new WebSocket(`${url}/ws`, ["tidemark.v9.json", ...known]))).toBe(101);
  expect(edge.stats().refusedUpgrades).toBe(4);
});

test("bytes that are no WebSocket do no harm", async () => {
  await start();
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(
    "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: tidemark.v1.json\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
  );
  await new Promise((resolve) => socket.once("data", resolve));
  socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff]));
  await new Promise((resolve) => socket.once("close", resolve));
  const client = await greet();
  client.send({ type: "ping" });
  expect(await client.next()).toEqual({ type: "pong" });
});

test("nobody subscribed: the ledger is not read; after a while not any more", async () => {
  await start({ lingerMs: 50 });
  const client = await greet();
  expect(source.reads).toBe(0);
  await client.subscribe();
  expect(source.reads).toBe(2);
  client.send({ type: "unsubscribe", id: "a" });
  await new Promise((resolve) => setTimeout(resolve, 150));
  await client.subscribe();
  expect(source.reads).toBe(4);
  source.move("after");
  expect((await client.next("migration")).event.subject).toBe("after");
});

test("a ledger that can't be read: 1013, counted, and it works again later", async () => {
  await start();
  source.refusedLedger = true;
  const client = await greet();
  client.send({ type: "subscribe", id: "a", topic: "migrations" });
  expect((await client.closed).code).toBe(1013);
  expect(edge.stats().errors).toBe(1);
  source.refusedLedger = false;
  await (await greet()).subscribe();
});

test("positions: any vector comes back, anything else is null", () => {
  for (const numbers of [[], [0], [127, 128, 16_383, 16_384], [Number.MAX_SAFE_INTEGER, 2 ** 32]]) {
    const text = encodePosition({ epoch: "é-1", numbers });
    expect(decodePosition(text)).toEqual({ epoch: "é-1", numbers });
    for (let cut = 0; cut < text.length; cut++) expect(decodePosition(text.slice(0, cut))).toBeNull();
  }
  for (const text of ["", "!", "AQ", "AQD_____________", "____"]) expect(decodePosition(text)).toBeNull();
});

test.each(["json", "msgpack"] as const)(
  "the client goes on where it was when the server restarts (%s)",
  async (format) => {
    await start();
    const stopping = new AbortController();
    const lost: string[] = [];
    const seen: string[] = [];
    const subscribed: Followed[] = [];
    const reading = (async () => {
      const url = `http://127.0.0.1:${port}`;
      for await (const message of follow({
        url,
        format,
        signal: stopping.signal,
        onLost: (reason) => lost.push(reason),
      })) {
        if (message.type === "migration") seen.push(message.event.subject);
        else subscribed.push(message);
      }
    })();
    await expect.poll(() => subscribed).toHaveLength(1);
    source.move("a");
    await expect.poll(() => seen).toEqual(["a"]);
    await stop();
    source.move("b");
    source.move("c", {}, 1);
    await expect.poll(() => lost.length).toBeGreaterThan(1);
    await start();
    await expect.poll(() => seen).toHaveLength(3);
    source.move("d");
    await expect.poll(() => seen.slice().sort()).toEqual(["a", "b", "c", "d"]);
    expect(lost[0]).toBe("shutdown");
    expect(subscribed[1]).toMatchObject({ recovered: true, resumed: true });
    stopping.abort();
    await reading;
  },
);

test("the client says what is wrong at once: no engine, a wrong filter, a wrong address", async () => {
  await start();
  const first = (options: Parameters<typeof follow>[0]) => follow(options).next();
  await expect(first({ url: "http://127.0.0.1:1", connectMs: 300 })).rejects.toMatchObject({
    code: "ENGINE_UNREACHABLE",
  });
  await expect(first({ url: `http://127.0.0.1:${port}`, filter: { to: "Vip" } })).rejects.toMatchObject({
    code: "ENGINE_REFUSED",
    message: expect.stringContaining('no segment is named "Vip"'),
  });
  await expect(first({ url: "nonsense" })).rejects.toMatchObject({ code: "USAGE" });
  await expect(first({ url: "ftp://x" })).rejects.toMatchObject({ code: "USAGE" });
});
