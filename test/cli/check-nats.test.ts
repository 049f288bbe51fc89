/** `tidemark check --nats` as a person runs it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Broker } from "../../connectors/nats/broker.js";
import { ensureOrdersStreams } from "../../connectors/nats/streams.js";
import { serverVersions, TestServer } from "../support/nats.js";
import { publish, settingsWith, shop, text } from "../support/shop.js";
import { json, shopifyOrder } from "../support/shopmessages.js";
import { tidemark } from "./tidemark.js";

const CONFIG = `
models:
  - { use: threebands, currency: EUR }
sources:
  - { name: shop, preset: shopify, stream: SHOP, subjects: ["shop.orders.>"], control: shop._control }
`;

describe.each(serverVersions)("tidemark check --nats on nats-server $version", ({ binary }) => {
  let server: TestServer;
  let broker: Broker;
  let folder: string;
  beforeEach(async () => {
    server = await TestServer.start(binary);
    broker = await server.connect();
    folder = mkdtempSync(join(tmpdir(), "tidemark-check-"));
    writeFileSync(join(folder, "tidemark.yaml"), CONFIG);
  });
  afterEach(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const check = (...args: string[]) => tidemark(["check", "--nats", server.url, ...args], { cwd: folder });

  test("says what would be taken, left out and dead-lettered, each reason with an example", async () => {
    await broker.api("STREAM.CREATE.SHOP", { name: "SHOP", subjects: ["shop.>"], storage: "memory" });
    const at = (daysAgo: number) => new Date(Date.now() - daysAgo * 86_400_000).toISOString();
    const order = (id: number, more: object = {}) =>
      json(shopifyOrder({ id, processed_at: at(id), updated_at: at(id), ...more }));
    const good = [
      order(1),
      order(1),
      order(2, { customer: null }),
      order(3, { test: true }),
      order(4, { financial_status: "pending" }),
    ];
    for (const body of good) await broker.publishStored("shop.orders.new", text.encode(body));
    await broker.publishStored("shop._control", text.encode('{"type":"tick"}'));
    const fine = await check();
    expect(fine.code).toBe(0);
    expect(fine.stdout).toContain("6 messages of 6 in stream SHOP, read by tidemark.yaml");
    expect(fine.stdout).toContain("Of 5 items: 2 taken, 3 left out, 0 dead-lettered; 1 control message besides.");
    expect(fine.stderr).toBe("");

    const bad = [
      order(5, { current_total_price: "1.001" }),
      order(6, { current_total_price: "1.002" }),
      order(7, { processed_at: "2026-01-10T09:00:00" }),
      order(8, { currency: "USD" }),
      "not json",
    ];
    for (const body of bad) await broker.publishStored("shop.orders.new", text.encode(body));
    const found = await check();
    expect(found.code).toBe(1);
    expect(found.stdout).toContain("fraction of amount (current_total_price): 2 items");
    expect(found.stdout).toContain('found       "1.001"');
    expect(found.stdout).toContain("perhaps     zone: UTC");
    expect(found.stdout).toContain('undecodable: 1 item\n  found       "not json"');
    expect(Math.max(...found.stdout.split("\n").map(({ length }) => length))).toBeLessThanOrEqual(80);

    const told = await check("--json", "--last", "5");
    expect(told.code).toBe(1);
    expect(JSON.parse(told.stdout)).toMatchObject({
      ok: false,
      messages: 5,
      events: { order: { rejected: 4 } },
      dead: [
        {
          reason: "fraction",
          items: 2,
          field: "amount",
          path: "current_total_price",
          found: '"1.001"',
          example: { stream: "SHOP", sequence: 7, index: 0, item: { id: 5 } },
        },
        { reason: "wrongType", field: "time", hint: expect.stringContaining("zone") },
        { reason: "noModel", field: "currency", found: "USD" },
        { reason: "undecodable", field: null, example: { text: "not json" } },
      ],
      currencies: [
        { text: "EUR", items: 3 },
        { text: "USD", items: 1 },
      ],
    });
    const { consumer_count } = (await broker.api<{ state: { consumer_count: number } }>("STREAM.INFO.SHOP")).state;
    expect(consumer_count).toBe(0);
    expect((await broker.api<{ total: number }>("STREAM.NAMES")).total).toBe(1);
  });

  test("Tidemark's own streams, as the engine would read each of them", async () => {
    const settings = settingsWith({ name: "tidemark" });
    await ensureOrdersStreams(broker, settings);
    await publish(broker, settings, shop(300, Date.now() - 20 * 86_400_000, 60_000));
    writeFileSync(join(folder, "own.yaml"), "partitions: 4\nmodels: [{ use: threebands, currency: EUR }]\n");
    const { code, stdout } = await check("-c", "own.yaml");
    expect(stdout).toContain("300 messages of 300 in 4 streams");
    expect(stdout).toContain("0 dead-lettered");
    expect(code).toBe(0);
  });

  test("without a broker, a stream or a message it says what to do", async () => {
    const nothing = await check("--subject", "live.x", "--wait", "0");
    expect(nothing.code).toBe(1);
    expect(nothing.stderr).toContain("no stream takes live.x");
    const missing = await check();
    expect(missing.stderr).toContain("there is no stream SHOP");
    const away = await tidemark(["check", "--nats", "nats://127.0.0.1:1"], { cwd: folder });
    expect(away.code).toBe(1);
    expect(away.stderr).toContain("no connection");
    expect((await check("--last", "0")).code).toBe(2);
  });
});
