import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createEngine, type Engine, type EngineOptions } from "../../connectors/engine.js";
import type { Broker } from "../../connectors/nats/broker.js";
import type { OwnerStatus } from "../../connectors/nats/owner.js";
import { OrdersPublisher } from "../../connectors/nats/publisher.js";
import { ensureOrdersStreams, partitionStreams } from "../../connectors/nats/streams.js";
import type { Settings } from "../../runtime/settings.js";
import { ledgerLines as dump, allLedgerLines as ledgers, ready, settled } from "../support/engine.js";
import { serverVersions, TestServer } from "../support/nats.js";
import { DAY, never, publish, settingsWith, shop, text } from "../support/shop.js";

describe.each(serverVersions)("the engine on nats-server $version", ({ binary }) => {
  let server: TestServer;
  let broker: Broker;
  const engines: Engine[] = [];
  const startEngine = async (settings: Settings, more: Partial<EngineOptions> = {}) => {
    const engine = createEngine({ settings, broker: { servers: server.url }, ...more });
    engines.push(engine);
    await engine.start();
    return engine;
  };
  beforeEach(async () => {
    server = await TestServer.start(binary);
    broker = await server.connect();
  });
  afterEach(async () => {
    for (const engine of engines.splice(0)) await engine.stop();
    await server.stop();
  });

  test("orders in, migrations out: silent history first, then live, in the ledgers and the gathering streams", async () => {
    const settings = settingsWith();
    await ensureOrdersStreams(broker, settings);
    const now = Date.now();
    const orders = shop(1_200, now - 100 * DAY, (100 * DAY) / 1_200);
    await publish(broker, settings, orders.slice(0, 1_000));
    const engine = await startEngine(settings);
    await settled(engine);
    await publish(broker, settings, orders.slice(1_000));
    const status = await settled(engine);
    const applied = status.reduce((sum, { stats }) => sum + stats.events.flat().reduce((a, b) => a + b, 0), 0);
    expect(applied).toBe(1_200);
    const lines = await ledgers(broker, settings);
    expect(lines.length).toBeGreaterThan(300);
    const silent = lines.filter((line) => line.includes('"silent":true')).length;
    expect(silent).toBeGreaterThan(0);
    expect(silent).toBeLessThan(lines.length);
    await expect.poll(async () => (await dump(broker, "t_migrations")).length).toBe(lines.length);
    // Copies made by the engine carry their ledger number, and another subject.
    const bodies = (all: string[]) =>
      all
        .map((line) =>
          line
            .replace(/^\d+ /, "")
            .replace("t.gathered.", "t.")
            .replace(/ Tidemark-Record=\d+/, ""),
        )
        .sort();
    expect(bodies(await dump(broker, "t_migrations"))).toEqual(bodies(lines));

    const counts = await engine.counts();
    const state = await engine.state();
    const rows = [];
    for await (const part of state.rows) rows.push(...part);
    expect(rows.length).toBe(311);
    expect(counts[0]?.customers).toBe(311);
    expect(rows.map(({ customer }) => customer)).toEqual(rows.map(({ customer }) => customer).sort());
    expect(state.instant).toBeGreaterThan(now);
    await ready(engine);

    const entries = [];
    const aborter = new AbortController();
    const { last } = await engine.ledger.bounds(0);
    for await (const together of engine.ledger.read(0, 3, aborter.signal)) {
      entries.push(...together);
      if (entries.at(-1)?.number === last) aborter.abort();
    }
    expect(entries.map(({ number }) => number)).toEqual(Array.from({ length: last - 2 }, (_, i) => i + 3));
    expect(entries[0]?.headers["Tidemark-Position"]).toMatch(/^\d+$/);
    expect(await engine.ledger.epoch()).toMatch(/^[0-9a-f]{16}$/);
  });

  test("the state is of one instant, however many fall due meanwhile", async () => {
    const model = {
      ...{ name: "m", channels: "*", currency: "EUR", segments: [] },
      recency: { bands: [{ name: "short", max: "20s" }, { name: "long" }] },
      frequency: { window: "30d", bands: [{ name: "any", min: 1 }] },
      monetary: { window: "30d", bands: [{ name: "any", min: 0 }] },
    };
    const settings = settingsWith({ partitions: 3, workers: 2, models: [model] });
    await ensureOrdersStreams(broker, settings);
    // One falls due each millisecond, for ten seconds.
    const now = Date.now();
    const orders = Array.from({ length: 10_000 }, (_, n) => ({
      ...{ id: `o${n}`, customer: `c${n}`, time: now - 10_000 + n, amount: 100 },
    }));
    await publish(broker, settings, orders);
    const engine = await startEngine(settings);
    await ready(engine);
    let mixed = 0;
    for (let at = 0; at < now + 18_000 && mixed < 30; ) {
      const { instant, rows } = await engine.state();
      const wrong = [];
      let long = 0;
      let all = 0;
      for await (const part of rows) {
        all += part.length;
        for (const row of part) {
          const isLong = instant - (row.lastOrder ?? 0) >= 20_000;
          if (isLong) long++;
          if (row.recency !== (isLong ? "long" : "short")) wrong.push(row);
        }
      }
      expect(wrong, `at ${instant}`).toEqual([]);
      expect(all).toBe(10_000);
      expect(instant).toBeGreaterThan(at);
      if (long > 0 && long < all) mixed++;
      at = instant;
    }
    expect(mixed).toBeGreaterThan(0);
    for (const { statePausesCut } of await settled(engine)) expect(statePausesCut).toBe(0);
  }, 120_000);

  test("a restart publishes nothing twice and goes on; one worker or three give the same bytes", async () => {
    const one = settingsWith({ workers: 1 });
    const three = settingsWith({ workers: 3 });
    await ensureOrdersStreams(broker, one);
    const orders = shop(900, Date.now() - 60 * DAY, (60 * DAY) / 900);
    await publish(broker, one, orders.slice(0, 600));
    const first = await startEngine(one);
    await settled(first);
    await first.stop();
    await publish(broker, one, orders.slice(600));
    const second = await startEngine(three);
    const status = await settled(second);
    expect(new Set(status.map(({ worker }) => worker)).size).toBe(3);
    await second.stop();
    const lines = await ledgers(broker, one);
    for (const { ledger } of partitionStreams(one)) await broker.api(`STREAM.DELETE.${ledger}`);
    for (const stream of ["t_migrations", "t_dead"]) await broker.api(`STREAM.DELETE.${stream}`);
    await settled(await startEngine(one));
    expect(await ledgers(broker, one)).toEqual(lines);
  });

  test("the broker dies and comes back while orders flow", async () => {
    const settings = settingsWith({ workers: 2 });
    const engine = await startEngine(settings);
    await settled(engine);
    const orders = shop(3_000, Date.now() - 60 * DAY, (60 * DAY) / 3_000);
    const publishing = publish(broker, settings, orders);
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      await server.restart(signal);
    }
    await publishing;
    // The engine may not be connected again yet, and then knows no newer end of its input than it had read.
    for (const { partition, input } of partitionStreams(settings)) {
      const { state } = await broker.apiRetried<{ state: { last_seq: number } }>(
        `STREAM.INFO.${input}`,
        {},
        undefined,
        never,
      );
      await expect
        .poll(async () => (await engine.status())[partition]?.position, { timeout: 45_000, interval: 50 })
        .toBeGreaterThanOrEqual(state.last_seq);
    }
    const status = await settled(engine);
    expect(
      status.reduce((sum, { stats }) => sum + stats.events.flat().reduce((a, b) => a + b, 0), 0),
    ).toBeGreaterThanOrEqual(3_000);
    const lines = await ledgers(broker, settings);
    await engine.stop();
    for (const { ledger } of partitionStreams(settings)) await broker.api(`STREAM.DELETE.${ledger}`);
    for (const stream of ["t_migrations", "t_dead"]) await broker.api(`STREAM.DELETE.${stream}`);
    await settled(await startEngine(settings));
    expect(await ledgers(broker, settings)).toEqual(lines);
  });

  test("time alone makes a customer lapse: a tick comes when it is due, and none when nothing is", async () => {
    const settings = settingsWith({ partitions: 1 });
    const engine = await startEngine(settings);
    await settled(engine);
    const recency = settings.models[0]?.dimensions[0]?.bands[0]?.limit ?? 0;
    // Far enough ahead for a busy machine to have applied the order before.
    const due = Date.now() + 4_000;
    await publish(broker, settings, [{ id: "o1", customer: "c1", time: due - recency, amount: 5_000 }]);
    await expect.poll(async () => (await ledgers(broker, settings)).length, { timeout: 30_000, interval: 100 }).toBe(2);
    const [, lapse] = await ledgers(broker, settings);
    expect(lapse).toContain('"kind":"recency"');
    expect(lapse).toContain(`"time":"${new Date(due).toISOString()}"`);
    const ticks = ((await engine.status()) as OwnerStatus[])[0]?.ticksPublished ?? 0;
    expect(ticks).toBeGreaterThan(0);
    expect(ticks).toBeLessThan(5);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(((await engine.status()) as OwnerStatus[])[0]?.ticksPublished).toBe(ticks);
  });

  test("bad input is dead-lettered, and the stream goes on", async () => {
    const settings = settingsWith({ partitions: 1 });
    const engine = await startEngine(settings);
    const publisher = new OrdersPublisher(broker, settings);
    await publisher.publish(0, "web", text.encode("not json"));
    await publisher.publish(0, "web", text.encode('{"id":"1","customer":"c","amount":5}'));
    await publisher.publish(
      0,
      "web",
      text.encode(JSON.stringify({ id: "2", customer: "c", time: Date.now(), amount: 700 })),
    );
    await publisher.publishTo("t.orders.0._control", text.encode('{"type":"merge"}'));
    await publisher.flush();
    publisher.close();
    await settled(engine);
    const lines = await ledgers(broker, settings);
    expect(lines.map((line) => line.split(" ")[1])).toEqual([
      "t.dead.0.undecodable",
      "t.dead.0.missingField",
      expect.stringMatching(/^t\.migrations\.0\./),
      "t.dead.0.unsupported",
    ]);
    await expect.poll(async () => (await dump(broker, "t_dead")).length).toBe(3);
  });

  test("an adopted stream is one partition, with its own field names", async () => {
    await broker.api("STREAM.CREATE.SHOP", { name: "SHOP", subjects: ["shop.orders.>"], storage: "file" });
    const settings = settingsWith({
      partitions: 1,
      sources: [
        {
          name: "shop",
          stream: "SHOP",
          subjects: ["shop.orders.>"],
          channel: "web",
          control: "shop.orders._control",
          fields: { id: "id", customer: "customer.id", time: "processed_at", amount: "total", currency: "currency" },
          amounts: "decimal",
        },
      ],
    });
    const orders = Array.from({ length: 50 }, (_, i) => ({
      id: i,
      customer: { id: `c${i % 9}` },
      processed_at: new Date(Date.now() - i * DAY).toISOString(),
      total: "59.99",
      currency: "EUR",
    }));
    for (const order of orders) await broker.publishStored("shop.orders.new", text.encode(JSON.stringify(order)));
    const engine = await startEngine(settings);
    await settled(engine);
    const state = await engine.state();
    const rows = [];
    for await (const part of state.rows) rows.push(...part);
    expect(rows).toHaveLength(9);
    expect(rows.reduce((sum, { spendEver }) => sum + spendEver, 0)).toBe(50 * 5_999);
  });

  test("a control subject that we may not publish to stops the engine with the remedy", async () => {
    const config = join(server.folder, "server.conf");
    writeFileSync(
      config,
      'authorization { users = [ { user: all, password: x }, { user: few, password: x, permissions: { publish: { deny: ["t.orders.*._control"] } } } ] }',
    );
    const guarded = await TestServer.start(binary, config);
    try {
      const settings = settingsWith({ partitions: 1 });
      const engine = createEngine({ settings, broker: { servers: guarded.url, user: "few", password: "x" } });
      await engine.start();
      await expect(engine.failed).rejects.toMatchObject({
        code: "STREAM_UNSUITABLE",
        message: expect.stringContaining("t.orders.0._control"),
        remedy: expect.stringContaining("Allow"),
      });
      await engine.stop();
    } finally {
      await guarded.stop();
    }
  });

  test("a message stamped far ahead of the machine's clock stops the partition before it is applied", async () => {
    // The same as a broker whose clock is ahead: ours is a minute behind the limit.
    const settings = { ...settingsWith({ partitions: 1 }), clockJumpMsMax: -60_000 };
    const engine = await startEngine(settings);
    await expect(engine.failed).rejects.toMatchObject({ code: "CLOCK_JUMP" });
    const [status] = await engine.status();
    expect(status).toMatchObject({ state: "failed", position: 0, error: expect.stringContaining("CLOCK_JUMP") });
  });

  test("a changed model is refused, unless told to hold from now on", async () => {
    const before = settingsWith({ partitions: 1 });
    const first = await startEngine(before);
    await publish(broker, before, shop(50, Date.now() - 10 * DAY, 10_000));
    await settled(first);
    await first.stop();
    const after = settingsWith({ partitions: 1, parkFor: "10d" });
    const refused = createEngine({ settings: after, broker: { servers: server.url } });
    await refused.start();
    await expect(refused.failed).rejects.toMatchObject({
      code: "MODEL_CHANGED",
      message: expect.stringContaining("parkForMs: 2592000000 → 864000000"),
    });
    await refused.stop();
    await settled(await startEngine(after, { applyModel: "silent" }));
    await engines.at(-1)?.stop();
    await settled(await startEngine(after));
  });

  test("a backlog is read within its limits, whatever the broker holds", async () => {
    const settings = settingsWith({ partitions: 1 });
    await ensureOrdersStreams(broker, settings);
    const publisher = new OrdersPublisher(broker, settings);
    for (let part = 0; part < 30_000; part++) {
      await publisher.publish(
        0,
        "web",
        text.encode(
          JSON.stringify({
            id: `o${part}`,
            customer: `c${part % 50}`,
            time: Date.now() - (part % 90) * DAY,
            amount: 100,
          }),
        ),
      );
    }
    await publisher.flush();
    publisher.close();
    const [status] = await settled(await startEngine(settings));
    expect(status?.position).toBeGreaterThan(30_000);
    // What the kernel's input region holds, and what two pulls bring.
    expect(status?.bufferedMax).toBeLessThanOrEqual(16_384 + 8_192);
  });

  test("a full partition stops with a clear error, and nothing is lost", async () => {
    const settings = settingsWith({ partitions: 1, capacity: { customers: 20, entries: 1_000, idBytes: 1_000 } });
    const engine = await startEngine(settings);
    await publish(broker, settings, shop(200, Date.now() - 10 * DAY, 10_000));
    await expect(engine.failed).rejects.toMatchObject({ code: "PARTITION_FULL" });
    expect(engine.ready().ok).toBe(false);
    await engine.stop();
    const larger = settingsWith({ partitions: 1 });
    await settled(await startEngine(larger));
    const counts = await engines.at(-1)?.counts();
    expect(counts?.[0]?.customers).toBeGreaterThan(20);
  });
});
