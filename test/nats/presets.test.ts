/** The presets end to end: one adopted stream with four shops' messages, as their systems send them. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createEngine } from "../../connectors/engine.js";
import type { Broker } from "../../connectors/nats/broker.js";
import type { StateRow } from "../../runtime/state.js";
import { allLedgerLines, settled } from "../support/engine.js";
import { serverVersions, TestServer } from "../support/nats.js";
import { settingsWith, text } from "../support/shop.js";
import { allegroForm, json, magentoOrder, shopifyOrder, wooOrder, wooRefund } from "../support/shopmessages.js";

describe.each(serverVersions)("presets on nats-server $version", ({ binary }) => {
  let server: TestServer;
  let broker: Broker;
  beforeEach(async () => {
    server = await TestServer.start(binary);
    broker = await server.connect();
  });
  afterEach(() => server.stop());

  test("orders, updates, repeats, cancellations and refunds of four systems come to each customer's state", async () => {
    await broker.api("STREAM.CREATE.SHOPS", { name: "SHOPS", subjects: ["shops.>"], storage: "file" });
    const systems = ["shopify", "woocommerce", "magento", "allegro"] as const;
    const currency = { shopify: "EUR", woocommerce: "EUR", magento: "EUR", allegro: "PLN" };
    const settings = settingsWith({
      partitions: 1,
      sources: systems.map((preset) => ({
        name: preset,
        preset,
        stream: "SHOPS",
        subjects: [`shops.${preset}.>`],
        control: "shops._control",
        channel: preset,
      })),
      models: systems.map((name) => ({ use: "threebands", name, channels: [name], currency: currency[name] })),
    });
    const now = Date.now();
    const iso = (daysAgo: number) => new Date(now - daysAgo * 86_400_000).toISOString();
    const bare = (daysAgo: number) => iso(daysAgo).slice(0, 19);
    const messages: [string, unknown][] = [
      ["shopify.orders.create", shopifyOrder({ processed_at: iso(20), updated_at: iso(20) })],
      ["shopify.orders.updated", shopifyOrder({ processed_at: iso(20), updated_at: iso(20) })],
      [
        "shopify.orders.updated",
        shopifyOrder({ processed_at: iso(20), updated_at: iso(9), current_total_price: "39.99" }),
      ],
      ["shopify.orders.updated", shopifyOrder({ processed_at: iso(20), updated_at: iso(19) })],
      ["woocommerce.order.created", wooOrder({ date_created_gmt: bare(5), date_modified_gmt: bare(5) })],
      ["woocommerce.refund", wooRefund({ date_created_gmt: bare(4) })],
      ["woocommerce.order.created", wooOrder({ id: 728, customer_id: 0 })],
      ["magento.order", magentoOrder({ created_at: bare(3).replace("T", " "), updated_at: bare(3).replace("T", " ") })],
      [
        "magento.order",
        magentoOrder({
          created_at: bare(3).replace("T", " "),
          updated_at: bare(2).replace("T", " "),
          state: "canceled",
        }),
      ],
      ["allegro.form", allegroForm({ status: "BOUGHT", payment: null, updatedAt: iso(2) })],
      ["allegro.form", allegroForm({ payment: { finishedAt: iso(1) }, updatedAt: iso(1) })],
    ];
    for (const [subject, message] of messages)
      await broker.publishStored(`shops.${subject}`, text.encode(json(message)));
    const engine = createEngine({ settings, broker: { servers: server.url } });
    await engine.start();
    try {
      const [status] = await settled(engine);
      const events = (status?.stats.events ?? []).map((outcomes) => outcomes.reduce((a, b) => a + b, 0));
      expect(events).toEqual([10, 1, 0]);
      expect(status?.stats.dead.reduce((a, b) => a + b, 0)).toBe(0);
      const rows: StateRow[] = [];
      for await (const part of (await engine.state()).rows) rows.push(...part);
      const own = { shopify: "115310627314723954", woocommerce: "26", magento: "17", allegro: "23123123" };
      const values = systems.map((name) => {
        const row = rows.find(({ model, customer }) => model === name && customer === own[name]);
        return [row?.ordersEver, row?.spendEver, row?.lastOrder, row?.segment];
      });
      expect(values).toEqual([
        [1, 3_999, now - 20 * 86_400_000, "Active"],
        [1, 4_999, Math.floor(now / 1000) * 1000 - 5 * 86_400_000, "Active"],
        [0, 0, null, null],
        [1, 5_999, now - 86_400_000, "Active"],
      ]);
      const causes = (await allLedgerLines(broker, settings)).map((line) => /"cause":\{"kind":"(\w+)"/.exec(line)?.[1]);
      expect(causes).toEqual(["order", "order", "order", "amend", "order"]);
    } finally {
      await engine.stop();
    }
  });
});
