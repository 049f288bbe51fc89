/** `tidemark init --nats` as a person runs it: what it writes loads, and reads the messages it was made from. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Broker } from "../../connectors/nats/broker.js";
import { ensureOrdersStreams } from "../../connectors/nats/streams.js";
import { FILL_IN, parseConfig } from "../../runtime/config/index.js";
import { serverVersions, TestServer } from "../support/nats.js";
import { publish, settingsWith, shop, text } from "../support/shop.js";
import { json, wooOrder } from "../support/shopmessages.js";
import { tidemark } from "./tidemark.js";

const DAY = 86_400_000;

describe.each(serverVersions)("tidemark init --nats on nats-server $version", ({ binary }) => {
  let server: TestServer;
  let broker: Broker;
  let folder: string;
  beforeEach(async () => {
    server = await TestServer.start(binary);
    broker = await server.connect();
    folder = mkdtempSync(join(tmpdir(), "tidemark-init-"));
  });
  afterEach(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const run = (...args: string[]) => tidemark([...args, "--nats", server.url], { cwd: folder });
  const written = (name = "tidemark.yaml") => readFileSync(join(folder, name), "utf8");
  const stream = (name: string, subjects: string[]) =>
    broker.api(`STREAM.CREATE.${name}`, { name, subjects, storage: "memory" });

  test("a shop of one's own: paths by name and content, thresholds from the sample, the rest marked", async () => {
    await stream("ORDERS", ["orders.*"]);
    const now = Date.now();
    for (let i = 0; i < 400; i++) {
      const at = new Date(now - (400 - i) * 0.6 * DAY).toISOString();
      const order = {
        orderNumber: `W-${i}`,
        placedAt: at,
        buyer: { id: 1 + ((i * 37) % 131) },
        total: { gross: Number((5 + ((i * 7_919) % 20_000) / 100).toFixed(2)), currency: "PLN" },
        state: i % 20 === 7 ? "cancelled" : "paid",
      };
      await broker.publishStored("orders.web", text.encode(JSON.stringify(order)));
    }
    const { code, stdout } = await run("init", "--subject", "orders.*");
    expect(code).toBe(0);
    expect(stdout).toContain("Of 400 items: 400 taken, 0 left out, 0 dead-lettered.");
    const yaml = written();
    const { config, settings, warnings } = parseConfig(yaml);
    expect(warnings).toEqual([]);
    expect(settings.sources[0]).toMatchObject({
      adopt: { stream: "ORDERS", control: "orders._control" },
      fields: { id: ["orderNumber"], customer: ["buyer", "id"], time: ["placedAt"], amount: ["total", "gross"] },
      status: { cancelled: "cancel", paid: "order" },
      amounts: "decimal",
    });
    expect(config.models).toEqual([
      {
        use: "threebands",
        currency: "PLN",
        edges: { recency: expect.any(Array), frequency: expect.any(Array), monetary: expect.any(Array) },
      },
    ]);
    expect(yaml).toContain(`# ${FILL_IN} taken by their words`);
    expect(yaml).toContain("# Thresholds from the sample:");
    expect((await run("check")).code).toBe(0);

    const again = await run("init", "--subject", "orders.*");
    expect(again.code).toBe(2);
    expect(again.stderr).toContain("tidemark.yaml is there already");
    expect(written()).toBe(yaml);
    const shown = await run("init", "--subject", "orders.*", "-o", "-", "--currency", "EUR");
    expect(shown.code).toBe(0);
    expect(shown.stdout).toContain("currency: EUR");
    const { consumer_count } = (await broker.api<{ state: { consumer_count: number } }>("STREAM.INFO.ORDERS")).state;
    expect(consumer_count).toBe(0);
  });

  test("a known system is a preset; a small sample suggests no thresholds", async () => {
    await stream("WOO", ["woo.>"]);
    for (let i = 0; i < 30; i++) {
      const at = new Date(Date.now() - i * 60_000).toISOString().slice(0, 19);
      const order = wooOrder({ id: i, customer_id: i % 4, date_created_gmt: at, date_modified_gmt: at });
      await broker.publishStored("woo.order.created", text.encode(json(order)));
    }
    const { code, stdout } = await run("init", "--stream", "WOO", "-o", "woo.yaml");
    expect(code).toBe(0);
    expect(stdout).toContain("22 taken, 8 left out, 0 dead-lettered");
    const { config } = parseConfig(written("woo.yaml"));
    expect(config.sources).toMatchObject([
      { preset: "woocommerce", stream: "WOO", subjects: ["woo.>"], control: "woo._control" },
    ]);
    expect(config.models).toEqual([{ use: "threebands", currency: "EUR" }]);
    expect(written("woo.yaml")).toMatch(/FILL IN: thresholds: the sample has 3 customers over 0 days/);
  });

  test("Tidemark's own streams need no source", async () => {
    const settings = settingsWith({ name: "tidemark" });
    await ensureOrdersStreams(broker, settings);
    await publish(broker, settings, shop(300, Date.now() - 20 * DAY, 60_000));
    expect((await run("init", "--subject", "tidemark.orders.>")).code).toBe(0);
    const { config } = parseConfig(written());
    expect(config.sources).toBeUndefined();
  });

  test("nowhere to look, and nothing there", async () => {
    expect((await run("init")).code).toBe(2);
    const nothing = await run("init", "--subject", "nothing.>", "--wait", "0");
    expect(nothing.code).toBe(1);
    expect(nothing.stderr).toContain("no stream takes nothing.>");
    expect(existsSync(join(folder, "tidemark.yaml"))).toBe(false);
    writeFileSync(join(folder, "tidemark.yaml"), "");
    expect((await run("init", "--subject", "nothing.>", "--force", "--wait", "0")).code).toBe(1);
    expect(written()).toBe("");
  });
});
