import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Broker } from "../../connectors/nats/broker.js";
import { Gatherer } from "../../connectors/nats/gatherer.js";
import { LedgerWriter } from "../../connectors/nats/ledger.js";
import { NatsLedgerReader } from "../../connectors/nats/ledgerreader.js";
import { OrdersPublisher } from "../../connectors/nats/publisher.js";
import { StreamReader } from "../../connectors/nats/reader.js";
import { ensureStreams, gathersItself, type StreamConfig } from "../../connectors/nats/streams.js";
import { compileSettings, defaultConfig } from "../../runtime/config/index.js";
import { encodeHead } from "../../runtime/head.js";
import { LedgerRecord } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import { CutProxy, serverVersions, TestServer } from "../support/nats.js";

const never = new AbortController().signal;
const text = new TextEncoder();

function settingsWith(change: object = {}): Settings {
  return compileSettings({ ...defaultConfig(), name: "t", partitions: 2, ...change });
}

function adopting(more: object = {}): Settings {
  return settingsWith({
    sources: [{ name: "shop", stream: "SHOP", subjects: ["shop.orders.>"], channel: "web" }],
    partitions: 1,
    ...more,
  });
}

async function configOf(broker: Broker, stream: string): Promise<StreamConfig> {
  return (await broker.api<{ config: StreamConfig }>(`STREAM.INFO.${stream}`)).config;
}

async function messagesOf(broker: Broker, stream: string, count: number) {
  const reader = new StreamReader(broker, { stream, from: 1, messagesMax: 1_000, bytesMax: 2_000_000 });
  const found = [];
  while (found.length < count) {
    const { messages } = await reader.next(never, 5_000);
    if (messages.length === 0) break;
    found.push(...messages);
  }
  reader.close();
  return found;
}

describe.each(serverVersions)("streams on nats-server $version", ({ binary }) => {
  let server: TestServer;
  let broker: Broker;
  beforeAll(async () => {
    server = await TestServer.start(binary);
    broker = await server.connect();
  });
  afterEach(async () => {
    const { streams } = await broker.api<{ streams: string[] | null }>("STREAM.NAMES");
    for (const stream of streams ?? []) await broker.api(`STREAM.DELETE.${stream}`);
  });
  afterAll(() => server?.stop());

  test("a layout's streams are made once and found again", async () => {
    await ensureStreams(broker, settingsWith());
    const day = 86_400e9;
    expect(await configOf(broker, "t_orders_1")).toMatchObject({
      subjects: ["t.orders.1.>"],
      retention: "limits",
      storage: "file",
      discard: "new",
      max_age: 430 * day,
    });
    expect(await configOf(broker, "t_ledger_0")).toMatchObject({
      subjects: ["t.migrations.0.>", "t.dead.0.>"],
      discard: "old",
      max_age: 90 * day,
    });
    expect(await configOf(broker, "t_dead")).toMatchObject({ max_age: 30 * day });
    await ensureStreams(broker, settingsWith());
    await ensureStreams(broker, settingsWith({ horizon: "500d" }));
    expect(await configOf(broker, "t_orders_0")).toMatchObject({ max_age: 530 * day });
  });

  test("another partition count is another layout", async () => {
    await ensureStreams(broker, settingsWith());
    await expect(ensureStreams(broker, settingsWith({ partitions: 4 }))).rejects.toThrow(
      /STREAM_UNSUITABLE.*made for 2 partitions.*has 4/,
    );
  });

  test("a stream in the way is named with the remedy", async () => {
    await broker.api("STREAM.CREATE.OTHER", { name: "OTHER", subjects: ["t.orders.>"], storage: "file" });
    await expect(ensureStreams(broker, settingsWith())).rejects.toMatchObject({
      code: "STREAM_UNSUITABLE",
      remedy: expect.stringContaining("stands in the way"),
    });
  });

  test("the gathering streams hold every partition's records, though they carry an expected sequence", async () => {
    const settings = settingsWith();
    const partitions = await ensureStreams(broker, settings);
    const gather = async () => {
      if (!(await gathersItself(broker, settings))) return undefined;
      const gatherer = new Gatherer(broker, settings, new NatsLedgerReader(broker, partitions), (note) =>
        expect.fail(note),
      );
      gatherer.start();
      return gatherer;
    };
    let gatherer = await gather();
    expect(gatherer !== undefined).toBe(!broker.isAtLeast([2, 10, 14]));
    for (const partition of [0, 1]) {
      const writer = await LedgerWriter.open(broker, { stream: `t_ledger_${partition}`, inFlightMax: 10 });
      const records: LedgerRecord[] = Array.from({ length: 200 }, (_, i) =>
        LedgerRecord.of({
          number: i + 1,
          subject: i % 4 === 3 ? `t.dead.${partition}.conflict` : `t.migrations.${partition}.m.segment.null.vip`,
          position: i,
          head: encodeHead({ "Tidemark-Position": String(i) }),
          body: text.encode(`${partition}/${i + 1}`),
        }),
      );
      await writer.append(records.slice(0, 90), never);
      // Gathering stops somewhere in the middle, and goes on where it was.
      await gatherer?.stop();
      gatherer = await gather();
      await writer.append(records.slice(90), never);
      await writer.flush(never);
      writer.close();
    }
    const migrations = await messagesOf(broker, "t_migrations", 300);
    const dead = await messagesOf(broker, "t_dead", 100);
    await gatherer?.stop();
    expect(migrations).toHaveLength(300);
    expect(dead).toHaveLength(100);
    for (const partition of [0, 1]) {
      const own = migrations.filter(({ subject }) => subject.includes(`migrations.${partition}.`));
      const numbers = own.map(({ body }) => Number(new TextDecoder().decode(body).split("/")[1]));
      expect(numbers).toEqual(Array.from({ length: 200 }, (_, i) => i + 1).filter((n) => n % 4 !== 0));
    }
  });

  test("several that gather at once copy each record once, those of a partition in their order", async (context) => {
    if (broker.isAtLeast([2, 10, 14])) return context.skip("this broker gathers by itself");
    const [partitions, each, sources] = [3, 2_000, 3];
    const settings = settingsWith({ partitions });
    const streams = await ensureStreams(broker, settings);
    const gather = async () => {
      const own = await server.connect();
      const gatherer = new Gatherer(own, settings, new NatsLedgerReader(own, streams), () => {});
      gatherer.start();
      return gatherer;
    };
    const gatherers = await Promise.all(Array.from({ length: sources }, gather));
    const record = (partition: number, number: number) =>
      LedgerRecord.of({
        number,
        subject: number % 17 === 0 ? `t.dead.${partition}.conflict` : `t.migrations.${partition}.m.segment.null.vip`,
        position: number,
        head: encodeHead({ "Tidemark-Position": String(number) }),
        body: text.encode(`${partition}/${number}`),
      });
    const writers = await Promise.all(
      streams.map(({ ledger }) => LedgerWriter.open(broker, { stream: ledger, inFlightMax: 100 })),
    );
    for (let from = 1; from <= each; from += 50) {
      const numbers = Array.from({ length: 50 }, (_, i) => from + i);
      await Promise.all(
        writers.map((writer, p) =>
          writer.append(
            numbers.map((number) => record(p, number)),
            never,
          ),
        ),
      );
      // One after the other goes away at any moment, and another comes.
      if (from % 400 === 1) {
        await gatherers.shift()?.stop();
        gatherers.push(await gather());
      }
    }
    const last = async (stream: string) =>
      (await broker.api<{ state: { last_seq: number } }>(`STREAM.INFO.${stream}`)).state.last_seq;
    await expect
      .poll(async () => (await last("t_migrations")) + (await last("t_dead")), { timeout: 40_000 })
      .toBeGreaterThanOrEqual(partitions * each);
    for (const gatherer of gatherers) await gatherer.stop();
    for (const writer of writers) writer.close();
    const found = (
      await Promise.all(
        ["t_migrations", "t_dead"].map(async (stream) => messagesOf(broker, stream, await last(stream))),
      )
    )
      .flat()
      .map(({ body }) => new TextDecoder().decode(body).split("/").map(Number));
    for (let partition = 0; partition < partitions; partition++) {
      const numbers = found.filter(([p]) => p === partition).map(([, number]) => number as number);
      const wanted = Array.from({ length: each }, (_, i) => i + 1);
      expect(numbers.filter((number) => number % 17 !== 0)).toEqual(wanted.filter((number) => number % 17 !== 0));
      expect(numbers.filter((number) => number % 17 === 0)).toEqual(wanted.filter((number) => number % 17 === 0));
    }
  });

  test.each([
    ["limits a subject", { max_msgs_per_subject: 1 }, /1 messages a subject/, "--max-msgs-per-subject=-1"],
    ["interest retention", { retention: "interest" }, /interest retention/, "--source SHOP"],
    ["work queue", { retention: "workqueue" }, /workqueue retention/, "--source SHOP"],
    ["no acknowledgements", { no_ack: true }, /acknowledges nothing/, "--ack"],
    [
      "no control subject",
      { subjects: ["shop.orders.*"] },
      /control subject shop.tidemark/,
      '--subjects "shop.orders.*,shop.tidemark"',
    ],
  ])("adopting refuses a stream with %s", async (_, config, message, remedy) => {
    await broker.api("STREAM.CREATE.SHOP", {
      name: "SHOP",
      subjects: ["shop.orders.>", "shop.tidemark"],
      storage: "file",
      ...config,
    });
    const settings = adopting({
      sources: [
        { name: "shop", stream: "SHOP", subjects: ["shop.orders.>"], control: "shop.tidemark", channel: "web" },
      ],
    });
    const error = await ensureStreams(broker, settings).catch((failure: unknown) => failure);
    expect(error).toMatchObject({
      code: "STREAM_UNSUITABLE",
      message: expect.stringMatching(message),
      remedy: expect.stringContaining(remedy),
    });
  });

  test("adopting a missing stream says so, and a good one makes no orders stream", async () => {
    await expect(ensureStreams(broker, adopting())).rejects.toThrow(/stream SHOP does not exist/);
    await broker.api("STREAM.CREATE.SHOP", { name: "SHOP", subjects: ["shop.orders.>"], storage: "file" });
    expect(await ensureStreams(broker, adopting())).toMatchObject([{ partition: 0, input: "SHOP", adopted: true }]);
    const { streams } = await broker.api<{ streams: string[] }>("STREAM.NAMES");
    expect(streams.sort()).toEqual(["SHOP", "t_dead", "t_ledger_0", "t_migrations"]);
  });

  test("the publisher pipelines, drops repeats by id, and survives a cut line", async () => {
    const settings = settingsWith();
    await ensureStreams(broker, settings);
    const proxy = await CutProxy.start(server.port);
    const line = await server.connect({ servers: proxy.url });
    const publisher = new OrdersPublisher(line, settings, { inFlightMax: 500 });
    proxy.cutAfter(100_000);
    for (let n = 0; n < 4_000; n++)
      await publisher.publish(n % 2, "web", text.encode(`order ${n}`), { id: `web/order/${n}/0`, silent: true });
    await publisher.flush();
    await publisher.publish(1, "web", text.encode("order 1"), { id: "web/order/1/0" });
    await publisher.tick(0, 1_700_000_000_000);
    await publisher.flush();
    expect(publisher.stored + publisher.repeated).toBe(4_002);
    expect(publisher.repeated).toBeGreaterThan(0);
    publisher.close();
    await line.close();
    await proxy.stop();
    const found = await messagesOf(broker, "t_orders_0", 2_001);
    expect(new Set(found.map(({ body }) => new TextDecoder().decode(body))).size).toBe(2_001);
    expect(found).toHaveLength(2_001);
    expect(found[0]?.subject).toBe("t.orders.0.web");
    expect(found[0]?.header("Tidemark-Silent")).toBe("1");
    expect(found.at(-1)?.subject).toBe("t.orders.0._control");
    expect(new TextDecoder().decode(found.at(-1)?.body)).toBe('{"type":"tick","time":1700000000000}');
  });

  test("a publisher without a stream to publish to gives up with the remedy", async () => {
    const publisher = new OrdersPublisher(broker, settingsWith(), { stalledMsMax: 300 });
    await publisher.publish(0, "web", text.encode("{}"));
    await expect(publisher.flush()).rejects.toThrow(/BROKER_UNREACHABLE.*no stream takes t.orders.0.web/);
    publisher.close();
  });
});
