/** `tidemark dlq` on real servers: what was put aside is shown, sent again once its cause is mended, and counts once. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "@msgpack/msgpack";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createEngine, type Engine, type EngineOptions } from "../../connectors/engine.js";
import type { Broker } from "../../connectors/nats/broker.js";
import { OrdersPublisher } from "../../connectors/nats/publisher.js";
import { parseConfig } from "../../runtime/config/index.js";
import type { Settings } from "../../runtime/settings.js";
import { partitionOf } from "../../runtime/subjects.js";
import { allLedgerLines, deadCounts, messagesOf, outcomes, settled, stateOf } from "../support/engine.js";
import { serverVersions, TestServer } from "../support/nats.js";
import { type RunOptions, tidemark } from "./tidemark.js";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 30_000 });

const text = new TextEncoder();
const now = Date.now();
/** Customers of partition 0 and 1 of two. */
const [zeros, ones] = [0, 1].map((partition) =>
  Array.from({ length: 200 }, (_, i) => `c${i}`).filter((customer) => partitionOf(customer, 2) === partition),
) as [string[], string[]];

const store = { channel: "store" };
const configuration = (channels: string) => `name: t
partitions: 2
capacity: { customers: 1000, entries: 10000 }
models:
  - { use: threebands, currency: EUR, channels: ${channels} }
`;

function order(id: string, customer: string | undefined, more: object = {}) {
  return { id, customer, time: now - 1_000, amount: 500, ...more };
}

describe.each(serverVersions)("tidemark dlq on nats-server $version", ({ binary }) => {
  let server: TestServer;
  let broker: Broker;
  let folder: string;
  const engines: Engine[] = [];
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "tidemark-dlq-"));
    server = await TestServer.start(binary);
    broker = await server.connect();
  });
  afterEach(async () => {
    for (const engine of engines.splice(0)) await engine.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function configure(channels: string): Settings {
    const source = configuration(channels);
    writeFileSync(join(folder, "tidemark.yaml"), source);
    return parseConfig(source).settings;
  }

  async function run(settings: Settings, more: Partial<EngineOptions> = {}): Promise<Engine> {
    const engine = createEngine({ settings, broker: { servers: server.url }, ...more });
    engines.push(engine);
    await engine.start();
    await settled(engine);
    return engine;
  }

  async function dlq(args: readonly string[], options: RunOptions = {}) {
    const result = await tidemark(["dlq", ...args, "--nats", server.url], { cwd: folder, ...options });
    expect(result).toMatchObject({ code: 0, stderr: "" });
    return result.stdout;
  }
  const dlqJson = async (...args: string[]) => JSON.parse(await dlq([...args, "--json"])) as Record<string, unknown>;

  async function gathered(count: number): Promise<void> {
    await expect.poll(async () => (await messagesOf(broker, "t_dead")).length).toBe(count);
  }

  async function publish(settings: Settings, work: (publisher: OrdersPublisher) => Promise<void>): Promise<void> {
    const publisher = new OrdersPublisher(broker, settings);
    await work(publisher);
    await publisher.flush();
    publisher.close();
  }

  test("items put aside under one configuration count under the next, once, as silent as they were sent", async () => {
    const before = configure("[web]");
    const first = await run(before);
    const long = order("long", zeros[4], { ...store, note: "x".repeat(100_000) });
    await publish(before, async (publisher) => {
      const list = [
        order("w", zeros[0]),
        order("a", zeros[1], store),
        5,
        order("b", zeros[2], store),
        [order("n", "n")],
      ];
      await publisher.publish(0, "web", text.encode(JSON.stringify(list)));
      await publisher.publish(1, "store", encode(order("m", ones[0], store)));
      await publisher.publish(0, "store", text.encode(JSON.stringify(order("s", zeros[3], store))), { silent: true });
      await publisher.publish(0, "web", text.encode(JSON.stringify([order("x", zeros[0]), long])));
      await publisher.publish(0, "web", text.encode(JSON.stringify(order("f", ones[1]))));
      await publisher.publish(0, "web", text.encode("not json"));
      await publisher.publishTo("t.orders.0._control", text.encode('{"type":"merge"}'));
    });
    expect(deadCounts(await settled(first))).toEqual({
      noModel: 5,
      wrongType: 2,
      foreignPartition: 1,
      undecodable: 1,
      unsupported: 1,
    });
    await first.stop();
    await gathered(10);

    // Nothing is sent by looking at it, nor while the cause still holds without it being told to.
    const dry = await dlq(["replay", "--reason", "noModel"]);
    expect(dry).toMatch(
      /^Would replay 5 dead letters, 1 of them silent\.\n.*\n {2}noModel +5\nNothing was published: add --yes\.\n$/,
    );
    const sent = async () =>
      (await messagesOf(broker, "t_orders_1")).filter(({ subject }) => subject.endsWith("store"));
    expect(await sent()).toHaveLength(1);

    const after = configure('"*"');
    const second = await run(after, { applyModel: "yes" });
    const lines = (await allLedgerLines(broker, after)).length;
    const [report] = [await dlqJson("replay", "--yes")];
    expect(report).toEqual({
      published: true,
      letters: 7,
      byReason: { noModel: 5, foreignPartition: 1, undecodable: 1 },
      silent: 1,
      unknownMark: 0,
      rerouted: 1,
      repeated: 0,
      leftOut: { control: 1, cut: 0, noEvent: 2, again: 0 },
    });
    const status = await settled(second);
    expect(outcomes(status)).toMatchObject({ applied: 8, duplicate: 0 });
    const state = await stateOf(second);
    const customers = [...zeros.slice(0, 5), ones[0], ones[1]].sort();
    expect(state.rows.map(({ customer }) => customer)).toEqual(customers);
    const migrations = (await allLedgerLines(broker, after)).slice().filter((line) => line.includes('"specversion"'));
    expect(
      migrations.filter((line) => line.includes('"silent":true')).map((line) => /"subject":"(\w+)"/.exec(line)?.[1]),
    ).toEqual([zeros[3]]);
    expect((await allLedgerLines(broker, after)).length).toBeGreaterThan(lines);

    // What can't be read was put aside again; all the rest counts once, however often it is sent.
    await gathered(11);
    const again = await dlqJson("replay", "--yes");
    expect(again).toMatchObject({ letters: 7, leftOut: { again: 1 } });
    expect(outcomes(await settled(second))).toMatchObject({ applied: 8, duplicate: 6 });
    expect((await stateOf(second)).rows).toEqual(state.rows);
    await gathered(12);
    await second.stop();

    // At once once more, and nothing new was put aside: the broker drops all of it.
    expect(await dlqJson("replay", "--reason", "noModel", "--yes")).toMatchObject({ letters: 5, repeated: 0 });
    expect(await dlqJson("replay", "--reason", "noModel", "--yes")).toMatchObject({ letters: 5, repeated: 5 });
  });

  test("a letter that was cut is sent whole from its message, or left out and told where that is gone", async () => {
    const settings = configure("[web]");
    const engine = await run(settings);
    const note = "y".repeat(70_000);
    const list = [1, 2, 3].map((n) => order(`o${n}`, zeros[n], { channel: "store", note: `${note}${n}` }));
    await publish(settings, async (publisher) => {
      await publisher.publish(0, "web", text.encode(JSON.stringify(list)));
      await publisher.publish(0, "web", text.encode(JSON.stringify(list[0])));
    });
    const [{ streamLast = 0 } = {}] = await settled(engine);
    await gathered(4);
    await engine.stop();
    const letters = (await dlq(["list", "--json"]))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { length: number });
    expect(letters.map(({ length }) => length)).toEqual(
      [1, 2, 3, 1].map((n) => text.encode(JSON.stringify(list[n - 1])).length),
    );
    expect(await dlqJson("replay", "--yes", "--live", "--limit", "2")).toMatchObject({ letters: 2, silent: 0 });
    const sent = (await messagesOf(broker, "t_orders_0")).slice(-2);
    expect(sent.map(({ subject, body }) => [subject, JSON.parse(new TextDecoder().decode(body)) as unknown])).toEqual([
      ["t.orders.0.web", list[0]],
      ["t.orders.0.web", list[1]],
    ]);
    await broker.api("STREAM.MSG.DELETE.t_orders_0", { seq: streamLast - 1 });
    expect(await dlqJson("replay", "--silent")).toMatchObject({
      published: false,
      letters: 1,
      silent: 1,
      leftOut: { cut: 3 },
    });
    const told = await dlq(["replay"]);
    expect(told).toMatch(/3 letters left out: longer than the 64 KiB/);
  });

  test("letters are listed by reason, customer, partition and time, on wide and narrow terminals, in bounded memory", async () => {
    const settings = configure("[web]");
    const engine = await run(settings);
    const evil = "c\u001b[2J\u0007";
    await publish(settings, async (publisher) => {
      for (let n = 0; n < 30; n++)
        await publisher.publish(0, "store", text.encode(JSON.stringify(order(`o${n}`, zeros[n % 3], store))));
      await publisher.publish(1, "store", text.encode(JSON.stringify(order("one", ones[0], store))));
      await publisher.publish(partitionOf(evil, 2), "store", text.encode(JSON.stringify(order("evil", evil, store))));
      await publisher.publish(0, "web", text.encode("not json"));
    });
    await settled(engine);
    await gathered(33);
    const all = await dlq(["list"]);
    expect(all).toMatch(/^ {2}reason +letters +oldest +newest\n {2}noModel +32 +20\S+ +20\S+\n {2}undecodable +1 /);
    const rows = (listed: string) => listed.split("\n\n")[1]?.trimEnd().split("\n").slice(1) ?? [];
    expect(rows(all)).toHaveLength(20);
    expect(/\p{Cc}/u.test(all.replaceAll("\n", ""))).toBe(false);
    for (const line of all.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    expect(rows(await dlq(["list", "--customer", zeros[1] as string, "-n", "4"]))).toHaveLength(4);
    expect(rows(await dlq(["list", "--partition", "1", "--reason", "noModel"])).length).toBeLessThan(3);
    expect(await dlq(["list", "--reason", "conflict"])).toBe("No dead letters.\n");
    expect(await dlqJson("list", "--counts")).toMatchObject([
      { reason: "noModel", letters: 32 },
      { reason: "undecodable", letters: 1 },
    ]);
    const json = (await dlq(["list", "--json"]))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { at: string; item?: { id: string }; customer: string | null });
    expect(json).toHaveLength(33);
    expect(json.filter(({ customer }) => customer === evil)).toHaveLength(1);
    expect(json.filter(({ item }) => item?.id === "o7")).toHaveLength(1);
    const last = json
      .map(({ at }) => at)
      .sort()
      .at(-1) as string;
    const since = (await dlq(["list", "--json", "--since", last])).trim().split("\n");
    expect(since.length).toBeGreaterThan(0);
    expect(since.length).toBeLessThan(33);
    expect(await dlq(["list", "--until", "2001-01-01"])).toBe("No dead letters.\n");
    const wrong = await tidemark(["dlq", "list", "--reason", "noModle", "--nats", server.url], { cwd: folder });
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/Allowed choices are undecodable/);
  });
});
