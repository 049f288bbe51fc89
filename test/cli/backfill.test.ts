/** Years of history on real servers: into a new deployment and into a live one, whole, once, and without a word. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createEngine, type Engine } from "../../connectors/engine.js";
import { createHttp } from "../../connectors/http/server.js";
import type { Broker } from "../../connectors/nats/broker.js";
import { OrdersPublisher } from "../../connectors/nats/publisher.js";
import { ensureOrdersStreams, partitionStreams } from "../../connectors/nats/streams.js";
import { parseConfigObject } from "../../runtime/config/index.js";
import { partitionOf } from "../../runtime/subjects.js";
import { retail } from "../config/retail.js";
import { oracle } from "../oracle/oracle.js";
import type { ModelWords, OracleRow } from "../oracle/words.js";
import { allLedgerLines, outcomes, settled, stateOf } from "../support/engine.js";
import { serverVersions, TestServer } from "../support/nats.js";
import { ended, start, tidemark, until } from "./tidemark.js";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

const DAY = 86_400_000;
const config = { name: "t", partitions: 3, capacity: { customers: 2_000, entries: 50_000 }, models: [retail] };
const { settings } = parseConfigObject(config);

interface Event {
  readonly id: string;
  readonly customer: string;
  readonly time: number;
  readonly amount: number;
  readonly kind?: "refund" | "cancel";
  readonly order?: string;
}

/**
 * Three years of 60 customers. Each of them comes to the end of "short" by the second last order within the next
 * seconds: whoever sees a history without its last order sees that customer lapse.
 */
function history(now: number): Event[] {
  const events: Event[] = [];
  for (let c = 0; c < 60; c++) {
    const customer = `c${c}`;
    const order = (id: number, time: number) =>
      events.push({ id: `${customer}-${id}`, customer, time, amount: 1_000 + ((c * 31 + id * 977) % 40_000) });
    for (let n = 0; n < 12; n++) order(n, now - 1_100 * DAY + n * 60 * DAY + c * 3_600_000);
    order(20, now - 30 * DAY + c * 400);
    order(21, now - 2 * DAY - c * 60_000);
    events.push({
      id: `${customer}-r`,
      customer,
      time: now - DAY,
      amount: 300,
      kind: "refund",
      order: `${customer}-21`,
    });
    if (c % 7 === 0)
      events.push({
        id: `${customer}-x`,
        customer,
        time: now - DAY,
        amount: 0,
        kind: "cancel",
        order: `${customer}-11`,
      });
  }
  return events;
}

function wanted(events: readonly Event[], instant: number): OracleRow[] {
  const inputs = events.map((event) => ({ at: instant, event }));
  const { states } = oracle([retail as ModelWords], { clock: "broker", channel: "default" }, inputs, [instant]);
  return states.get(instant) ?? [];
}

describe.each(serverVersions)("backfill on nats-server $version", ({ binary }) => {
  let server: TestServer;
  let broker: Broker;
  let folder: string;
  const closing: (() => Promise<void>)[] = [];
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "tidemark-backfill-"));
    writeFileSync(join(folder, "tidemark.yaml"), JSON.stringify(config));
    server = await TestServer.start(binary);
    broker = await server.connect();
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function run(): Promise<{ engine: Engine; url: string }> {
    const engine = createEngine({ settings, broker: { servers: server.url } });
    closing.push(() => engine.stop());
    await engine.start();
    const http = await createHttp(engine, { version: "0" });
    closing.push(() => http.close());
    const { url } = await http.listen(0, "127.0.0.1");
    await settled(engine);
    return { engine, url };
  }

  function write(name: string, events: readonly Event[]): void {
    writeFileSync(join(folder, name), events.map((event) => `${JSON.stringify(event)}\n`).join(""));
  }

  async function publish(...args: string[]): Promise<Record<string, unknown>> {
    const result = await tidemark(["publish", ...args, "--nats", server.url, "--json"], { cwd: folder });
    expect(result).toMatchObject({ code: 0, stderr: "" });
    return JSON.parse(result.stdout) as Record<string, unknown>;
  }

  /** Every customer's state is what the oracle and the streams' own replay say. */
  async function check(engine: Engine, events: readonly Event[]): Promise<void> {
    const { instant, lines, rows } = await stateOf(engine);
    const found = rows.map(({ customer, lastOrder, firstOrder, orders, spend, segment }) => [
      customer,
      lastOrder,
      firstOrder,
      orders,
      spend,
      segment,
    ]);
    const expected = wanted(events, instant).map((row) => [
      row.customer,
      row.last_order_ms,
      row.first_order_ms,
      row.orders,
      row.spend,
      row.segment,
    ]);
    expect(found).toEqual(expected);
    const replayed = await tidemark(["replay", "--nats", server.url, "--at", String(instant), "--state", "-"], {
      cwd: folder,
    });
    expect(replayed.stdout.trim().split("\n").slice(1)).toEqual(lines);
  }

  /** Migrations that are not silent: their customers and causes. */
  async function outward(): Promise<string[]> {
    const lines = await allLedgerLines(broker, settings);
    return lines
      .filter((line) => line.includes('"silent":false'))
      .map(
        (line) =>
          /"subject":"([^"]+)".*"cause":\{"kind":"(\w+)","event":(?:"([^"]+)"|null)/.exec(line)?.slice(1).join(" ") ??
          line,
      );
  }

  test("into a new deployment, before its first start", async () => {
    const events = history(Date.now());
    write("years.ndjson", events);
    const late = events.filter(({ time, kind }) => kind === undefined && time < Date.now() - 400 * DAY).length;
    expect(late).toBeGreaterThan(300);
    expect(await publish("years.ndjson")).toMatchObject({ events: events.length, silent: true, beyondHorizon: late });
    const { engine } = await run();
    expect(await outward()).toEqual([]);
    await check(engine, events);
  });

  test("into a live one: whole customers, while they order; again, it counts once", async () => {
    const { engine, url } = await run();
    const now = Date.now();
    const events = history(now);
    write("years.ndjson", events);
    const live = Array.from({ length: 20 }, (_, n): Event => {
      return { id: `live-${n}`, customer: n % 2 === 0 ? `c${n}` : `new${n}`, time: now - 1_000 - n, amount: 7_000 };
    });
    const publisher = new OrdersPublisher(broker, settings);
    const publishing = publish("years.ndjson", "--backfill", "--rate", "150", "--wait", "--url", url);
    for (const event of live) {
      await publisher.publish(
        partitionOf(event.customer, 3),
        "default",
        new TextEncoder().encode(JSON.stringify(event)),
      );
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    await publisher.flush();
    publisher.close();
    const late = events.filter(({ time, kind }) => kind === undefined && time < now - 400 * DAY).length;
    const report = await publishing;
    expect(report).toMatchObject({ events: events.length, silent: true, beyondHorizon: late, splitCustomers: 0 });
    // The cancels of orders beyond the horizon wait for them in vain.
    expect(report).toMatchObject({ made: { events: { late, parked: 9 } } });
    await settled(engine);
    const told = await outward();
    expect(told.length).toBeGreaterThan(0);
    expect(told.filter((one) => !/ order live-\d+$/.test(one))).toEqual([]);
    await check(engine, [...events, ...live]);

    // Beyond what the broker remembers: other messages with the same events.
    const before = await outward();
    const again = await publish("years.ndjson", "--batch", "7", "--wait", "--url", url);
    expect(again).toMatchObject({ repeated: 0, made: { events: { late, duplicate: events.length - late } } });
    expect(await outward()).toEqual(before);
    await check(engine, [...events, ...live]);
  });

  // Says nothing of the server, so one of them does.
  const isLast = binary === serverVersions.at(-1)?.binary;
  test.runIf(isLast)(
    "the same in order of time, a customer's history in parts, is heard of: that is what --backfill is for",
    async () => {
      const { engine, url } = await run();
      const events = history(Date.now());
      write("years.ndjson", events);
      await publish("years.ndjson", "--rate", "100", "--batch", "5", "--wait", "--url", url);
      await settled(engine);
      expect((await outward()).filter((one) => / recency $/.test(one)).length).toBeGreaterThan(0);
      await check(engine, events);
    },
  );

  test("a full stream holds the publisher up; Ctrl-C leaves nothing half; the next run ends it", async () => {
    const events = history(Date.now());
    write("years.ndjson", events);
    await ensureOrdersStreams(broker, settings);
    const limit = async (max_msgs: number) => {
      for (const { input } of partitionStreams(settings)) {
        const { config: found } = await broker.api<{ config: object }>(`STREAM.INFO.${input}`);
        await broker.api(`STREAM.UPDATE.${input}`, { ...found, max_msgs });
      }
    };
    await limit(5);
    const args = ["publish", "years.ndjson", "--nats", server.url, "--batch", "1", "--backfill"];
    const first = start(args, { cwd: folder });
    const said = await until(first, "stderr", /waiting until the broker takes more/);
    expect(said).toMatch(/maximum messages exceeded/);
    first.kill("SIGINT");
    const interrupted = until(first, "stderr", /Interrupted: \d+ of 909 events sent, .*Run it again/);
    await interrupted;
    expect(await ended(first)).toBe(130);

    const second = start(args, { cwd: folder });
    const done = until(second, "stdout", /Published 909 events/);
    await until(second, "stderr", /waiting until the broker takes more/);
    await limit(-1);
    await done;
    expect(await ended(second)).toBe(0);
    const { engine } = await run();
    expect(outcomes(await settled(engine)).applied).toBeGreaterThan(0);
    expect(await outward()).toEqual([]);
    await check(engine, events);
  });
});
