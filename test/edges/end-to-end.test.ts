/** A real broker, a real engine, real sockets and a real browser: an order goes in, everyone sees the move. */

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createEngine, type Engine } from "../../connectors/engine.js";
import { createHttp, type Http } from "../../connectors/http/server.js";
import type { Broker } from "../../connectors/nats/broker.js";
import { OrdersPublisher } from "../../connectors/nats/publisher.js";
import { ensureOrdersStreams } from "../../connectors/nats/streams.js";
import { type Followed, follow } from "../../connectors/websocket/client.js";
import type { LiveCounts } from "../../connectors/websocket/protocol.js";
import { compileSettings, defaultConfig } from "../../runtime/config/index.js";
import { partitionOf } from "../../runtime/subjects.js";
import { ready } from "../support/engine.js";
import { serverVersions, TestServer } from "../support/nats.js";
import { launchBrowser, visit } from "./chromium.js";

const DAY = 86_400_000;
const settings = compileSettings({
  ...defaultConfig(),
  name: "e2e",
  partitions: 3,
  capacity: { customers: 5_000, entries: 50_000, idBytes: 200_000 },
});
let server: TestServer;
let broker: Broker;
let engine: Engine;
let http: Http;
let url: string;
let browser: Browser;

async function publish(
  orders: readonly { id: string; customer: string; time: number; amount: number }[],
): Promise<void> {
  const publisher = new OrdersPublisher(broker, settings);
  for (const order of orders) {
    const body = new TextEncoder().encode(JSON.stringify(order));
    await publisher.publish(partitionOf(order.customer, 3), "web", body, { id: order.id, silent: false });
  }
  await publisher.flush();
  publisher.close();
}

beforeAll(async () => {
  server = await TestServer.start(serverVersions[serverVersions.length - 1].binary);
  broker = await server.connect();
  await ensureOrdersStreams(broker, settings);
  const now = Date.now();
  await publish(
    Array.from({ length: 600 }, (_, i) => ({
      id: `h${i}`,
      customer: `c${(i * 37) % 211}`,
      time: now - (600 - i) * 0.25 * DAY,
      amount: 500 + ((i * 7919) % 30_000),
    })),
  );
  engine = createEngine({ settings, broker: { servers: server.url } });
  await engine.start();
  http = await createHttp(engine, { version: "0.0.0" });
  ({ url } = await http.listen(0));
  await vi.waitFor(
    async () => {
      expect(engine.ready().ok).toBe(true);
      expect((await engine.status()).every(({ live }) => live)).toBe(true);
    },
    { timeout: 30_000, interval: 100 },
  );
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await http?.close();
  await engine?.stop();
  await server?.stop();
});

const liveCounts = async () => (await fetch(`${url}/api/counts`)).json() as Promise<LiveCounts[]>;

test("an order is seen on the page and by both kinds of clients, with its cause, as it stands in the ledger", async () => {
  const stopping = new AbortController();
  const followers = (["json", "msgpack"] as const).map((format) =>
    follow({ url, format, signal: stopping.signal, filter: { customer: "newcomer" } }),
  );
  for (const following of followers) expect((await following.next()).value).toMatchObject({ type: "subscribed" });
  const { page, errors } = await visit(browser, url);
  const counts = await liveCounts();
  expect(counts[0].customers).toBe(211);
  await expect.poll(() => page.locator("#customers").textContent()).toBe("211");
  await publish([{ id: "first", customer: "newcomer", time: Date.now(), amount: 12_345 }]);
  const seen = [];
  for (const following of followers)
    seen.push((await following.next()).value as Extract<Followed, { type: "migration" }>);
  expect(seen[0].event).toEqual(seen[1].event);
  expect(seen[0].event).toMatchObject({
    subject: "newcomer",
    data: {
      revision: 1,
      silent: false,
      from: { segment: null },
      cause: { kind: "order", event: "first", channel: "web" },
      after: { orders: 1, spend: 12_345 },
    },
  });
  const partition = partitionOf("newcomer", 3);
  const { last } = await engine.ledger.bounds(partition);
  for await (const [entry] of engine.ledger.read(partition, last, stopping.signal)) {
    expect(JSON.parse(Buffer.from(entry.body).toString())).toEqual(seen[0].event);
    break;
  }
  const move = page.locator("#moves li", { hasText: "newcomer" });
  await move.waitFor();
  expect(await move.innerText()).toMatch(/No segment\s*→[\s\S]*Order first on web/);
  await expect.poll(() => page.locator("#customers").textContent()).toBe("212");
  await expect.poll(() => page.locator("#clock").textContent()).toMatch(/Exact at\s+\d\d:\d\d:\d\d/);
  stopping.abort();
  expect(errors).toEqual([]);
  await page.close();
});

test("the state as CSV agrees with the counts", async () => {
  const response = await fetch(`${url}/api/state`);
  expect(response.headers.get("tidemark-position")).toMatch(/^0=\d+,1=\d+,2=\d+$/);
  const lines = (await response.text()).trimEnd().split("\n").slice(1);
  const [counts] = await liveCounts();
  expect(lines).toHaveLength(counts.customers);
  for (const { name, customers } of counts.segments) {
    expect(lines.filter((line) => line.endsWith(`,${name}`))).toHaveLength(customers);
  }
  const names = lines.map((line) => line.split(",")[2]);
  expect(names).toEqual([...names].sort());
});

test("metrics count every order and every acknowledged ledger record", async () => {
  const text = await (await fetch(`${url}/metrics`)).text();
  const sum = (pattern: RegExp) => [...text.matchAll(pattern)].reduce((all, [, value]) => all + Number(value), 0);
  expect(sum(/^tidemark_events_total\{[^}]*kind="order",outcome="applied"\} (\d+)$/gm)).toBe(601);
  const made = sum(/^tidemark_ledger_number\{[^}]*\} (\d+)$/gm);
  expect(sum(/^tidemark_migrations_total\{[^}]*\} (\d+)$/gm)).toBe(made);
  expect(sum(/^tidemark_ledger_acknowledged_number\{[^}]*\} (\d+)$/gm)).toBe(made);
  expect(sum(/^tidemark_delay_seconds_count\{[^}]*\} (\d+)$/gm)).toBeGreaterThan(0);
});

test("what a client missed while HTTP was away is read from the broker's ledger", async () => {
  const stopping = new AbortController();
  const seen: string[] = [];
  const subscribed: Followed[] = [];
  const following = (async () => {
    for await (const message of follow({ url, signal: stopping.signal })) {
      if (message.type === "migration") seen.push(message.event.subject);
      else subscribed.push(message);
    }
  })();
  await expect.poll(() => subscribed.length).toBe(1);
  const port = Number(new URL(url).port);
  await http.close();
  const missed = Array.from({ length: 300 }, (_, i) => `missed-${i}`);
  await publish(
    missed
      .map((customer) => ({ id: "o", customer, time: Date.now(), amount: 100 }))
      .map((order, i) => ({ ...order, id: `o${i}` })),
  );
  await expect
    .poll(async () => (await engine.status()).reduce((all, { stats }) => all + stats.customers, 0), { timeout: 30_000 })
    .toBe(512);
  http = await createHttp(engine, { version: "0.0.0" });
  await http.listen(port);
  await expect.poll(() => seen.length, { timeout: 30_000 }).toBe(300);
  expect(subscribed[1]).toMatchObject({ recovered: true });
  expect(new Set(seen)).toEqual(new Set(missed));
  stopping.abort();
  await following;
});

test("the broker goes and comes back: followers stay and go on", async () => {
  const stopping = new AbortController();
  const following = follow({ url, signal: stopping.signal, filter: { customer: "phoenix" } });
  await following.next();
  await server.restart();
  broker = await server.connect();
  await ready(engine);
  await publish([{ id: "p", customer: "phoenix", time: Date.now(), amount: 100 }]);
  expect((await following.next()).value).toMatchObject({ type: "migration", event: { subject: "phoenix" } });
  stopping.abort();
});
