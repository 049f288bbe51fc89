/** Each preset, through the kernel, on messages of its system's documented form. */
import { describe, expect, test } from "vitest";
import { compileSettings, parseConfigObject } from "../../runtime/config/index.js";
import { PRESETS } from "../../runtime/config/schema.js";
import type { Partition } from "../../runtime/partition.js";
import { type DeadLetter, KINDS, type Migration, OUTCOMES, type OutputRecord } from "../../runtime/record.js";
import { drain, partitionOf } from "../support/kernel-driver.js";
import {
  allegroForm,
  json,
  magentoOrder,
  magentoRefund,
  shopifyOrder,
  shopifyRefund,
  wooOrder,
  wooRefund,
} from "../support/shopmessages.js";
import { retail } from "./retail.js";

type Preset = (typeof PRESETS)[number];
const START = Date.parse("2026-01-31T00:00:00Z");
const DAY = 86_400_000;
const at = (text: string) => Date.parse(text);

class Shop {
  readonly #partition: Partition;
  #sequence = 0;
  readonly records: OutputRecord[] = [];

  constructor(preset: Preset, currency = "EUR", source: object = {}) {
    const config = {
      partitions: 1,
      capacity: { customers: 100, entries: 2_000, idBytes: 30_000 },
      sources: [{ name: "shop", preset, ...source }],
      models: [{ ...retail, currency }],
    };
    this.#partition = partitionOf("debug", compileSettings(config as Parameters<typeof compileSettings>[0]));
  }

  /** Messages in this order, all at 31 January; a text goes as it is. */
  send(...messages: readonly unknown[]): this {
    const inputs = messages.map((message) => ({
      sequence: ++this.#sequence,
      stamp: START,
      subject: "tidemark.orders.0.web",
      source: 0,
      control: false,
      silent: false,
      body: new TextEncoder().encode(typeof message === "string" ? message : json(message)),
    }));
    for (const batch of this.#partition.records(inputs)) this.records.push(...batch);
    return this;
  }

  /** Fires what is due up to the instant. */
  until(instant: number): this {
    this.records.push(...drain(this.#partition, instant));
    return this;
  }

  /** Items by outcome, of all kinds; those that are 0 left out. */
  get outcomes(): Record<string, number> {
    const { events } = this.#partition.stats();
    return Object.fromEntries(
      OUTCOMES.map((outcome, o): [string, number] => [
        outcome,
        KINDS.reduce((sum, _, k) => sum + (events[k]?.[o] ?? 0), 0),
      ]).filter(([, count]) => count > 0),
    );
  }

  get dead(): string[] {
    return this.records.filter((record): record is DeadLetter => record.type === "dead").map(({ reason }) => reason);
  }

  /** What each migration is of: cause, orders and spend afterwards, and whether the customer is in a segment then. */
  get migrations(): unknown[] {
    return this.records
      .filter((record): record is Migration => record.type === "migration")
      .map(({ cause, after, to }) => [cause.kind, after.orders, after.spend, to.segment === null ? "none" : "some"]);
  }

  /** Instants of the migrations. */
  get times(): number[] {
    return this.records.flatMap((record) => (record.type === "migration" ? [record.time] : []));
  }

  /** Customer → orders and spend ever, and last order. */
  get state(): unknown {
    return Object.fromEntries(
      this.#partition
        .state()
        .map(({ customer, ordersEver, spendEver, lastOrder }) => [customer, [ordersEver, spendEver, lastOrder]]),
    );
  }
}

/** What differs between the systems, so that one list of expectations holds them all. */
interface System {
  readonly preset: Preset;
  readonly currency: string;
  readonly customer: string;
  readonly time: number;
  readonly order: (more?: Record<string, unknown>) => unknown;
  /** The order's amount, and the change that carries a version. */
  readonly worth: (amount: string | number) => Record<string, unknown>;
  readonly version: (second: number) => Record<string, unknown>;
  readonly status: (status: string) => Record<string, unknown>;
  readonly paid: string;
  readonly unpaid: string;
  readonly gone: readonly string[];
  readonly guest: Record<string, unknown>;
  readonly currencyOf: (code: string, amount: string | number) => Record<string, unknown>;
}

const two = (value: number) => String(value).padStart(2, "0");
const systems: readonly System[] = [
  {
    preset: "shopify",
    currency: "EUR",
    customer: "115310627314723954",
    time: at("2026-01-10T14:00:00Z"),
    order: shopifyOrder,
    worth: (amount) => ({ current_total_price: amount }),
    version: (second) => ({ updated_at: `2026-01-11T09:00:${two(second)}-05:00` }),
    status: (status) => ({ financial_status: status }),
    paid: "partially_paid",
    unpaid: "pending",
    gone: ["voided", "refunded", "expired"],
    guest: { customer: null },
    currencyOf: (currency, amount) => ({ currency, current_total_price: amount }),
  },
  {
    preset: "woocommerce",
    currency: "EUR",
    customer: "26",
    time: at("2026-01-10T14:00:00Z"),
    order: wooOrder,
    worth: (amount) => ({ total: amount }),
    version: (second) => ({ date_modified_gmt: `2026-01-11T14:00:${two(second)}` }),
    status: (status) => ({ status }),
    paid: "completed",
    unpaid: "pending",
    gone: ["cancelled", "refunded", "failed", "on-hold", "trash"],
    guest: { customer_id: 0 },
    currencyOf: (currency, total) => ({ currency, total }),
  },
  {
    preset: "magento",
    currency: "EUR",
    customer: "17",
    time: at("2026-01-10T14:00:00Z"),
    order: magentoOrder,
    worth: (amount) => ({ base_grand_total: amount }),
    version: (second) => ({ updated_at: `2026-01-11 14:00:${two(second)}` }),
    status: (state) => ({ state }),
    paid: "complete",
    unpaid: "pending_payment",
    gone: ["canceled", "closed"],
    guest: { customer_id: undefined, customer_is_guest: 1 },
    currencyOf: (base_currency_code, base_grand_total) => ({ base_currency_code, base_grand_total }),
  },
  {
    preset: "allegro",
    currency: "PLN",
    customer: "23123123",
    time: at("2026-01-10T14:00:00.123Z"),
    order: allegroForm,
    worth: (amount) => ({ summary: { totalToPay: { amount, currency: "PLN" } } }),
    version: (second) => ({ updatedAt: `2026-01-11T14:00:${two(second)}.500Z` }),
    status: (status) => ({ status }),
    paid: "READY_FOR_PROCESSING",
    unpaid: "FILLED_IN",
    gone: ["CANCELLED"],
    guest: { buyer: null },
    currencyOf: (currency, amount) => ({ summary: { totalToPay: { amount, currency } } }),
  },
];

test("every preset is tested here, and can stand in a configuration as it is", () => {
  expect(systems.map(({ preset }) => preset)).toEqual(PRESETS);
  for (const preset of PRESETS) {
    expect(() => parseConfigObject({ models: [retail], sources: [{ name: "s", preset }] })).not.toThrow();
  }
});

describe.each(systems)("$preset", (system) => {
  const { preset, currency, customer, time, order, worth, version, status } = system;
  const shop = () => new Shop(preset, currency);
  const counting = (spend: number) => ({ [customer]: [1, spend, time] });
  const nothing = { [customer]: [0, 0, null] };

  test("an order as documented is one order at its exact time, to the cent", () => {
    const one = shop().send(order());
    expect(one.state).toEqual(counting(5_999));
    expect(one.migrations).toEqual([["order", 1, 5_999, "some"]]);
    expect(one.outcomes).toEqual({ applied: 1 });
  });

  test("time moves it on from the order's own instant, not from when it came", () => {
    const one = shop()
      .send(order())
      .until(START + 60 * DAY);
    expect(one.times).toEqual([START, time + 30 * DAY]);
  });

  test("sent again it counts once; a higher version amends it, a lower one is stale", () => {
    const one = shop().send(
      order(),
      order(),
      order({ ...version(20), ...worth("80.00") }),
      order({ ...version(10), ...worth("70.00") }),
      order({ ...version(20), ...worth("80.00") }),
      order(),
    );
    expect(one.outcomes).toEqual({ applied: 1, duplicate: 2, amended: 1, stale: 2 });
    expect(one.state).toEqual(counting(8_000));
    expect(one.dead).toEqual([]);
  });

  test("updates give the same state in any order", () => {
    const all = [
      order(),
      order({ ...version(10), ...worth("70.00") }),
      order({ ...version(20), ...status(system.gone[0] ?? "") }),
      order({ ...version(30), ...worth("65.00"), ...status(system.paid) }),
    ];
    for (const [a, b, c, d] of [
      [0, 1, 2, 3],
      [3, 2, 1, 0],
      [2, 3, 0, 1],
      [1, 3, 2, 0],
    ]) {
      const messages = [a, b, c, d].map((n) => all[n ?? 0]);
      expect(shop().send(...messages).state, `${a}${b}${c}${d}`).toEqual(counting(6_500));
    }
  });

  test("two updates of the same second with other content: the later in the stream wins", () => {
    const one = shop().send(order(worth("70.00")), order(worth("65.00")));
    expect(one.state).toEqual(counting(6_500));
    expect(one.dead).toEqual([]);
  });

  test.each(system.gone)("%s: the order counts nowhere any more, also where the word comes first", (gone) => {
    const after = order({ ...version(10), ...status(gone) });
    const one = shop().send(order(), after);
    expect(one.state).toEqual(nothing);
    expect(one.migrations).toEqual([
      ["order", 1, 5_999, "some"],
      ["amend", 0, 0, "none"],
    ]);
    const early = shop().send(after, order());
    expect(early.state).toEqual(nothing);
    expect(early.outcomes).toEqual({ applied: 1, stale: 1 });
    expect(early.migrations).toEqual([]);
    const back = shop().send(order(), after, order({ ...version(20), ...status(system.paid) }));
    expect(back.state).toEqual(counting(5_999));
  });

  test("an order that is not paid is left out, and counts as an order once it is", () => {
    const one = shop().send(order(status(system.unpaid)));
    expect(one.outcomes).toEqual({ skipped: 1 });
    expect(one.state).toEqual({});
    one.send(order({ ...version(10), ...status(system.paid) }));
    expect(one.migrations).toEqual([["order", 1, 5_999, "some"]]);
  });

  test("nobody's orders are counted, and otherwise left out", () => {
    const one = shop().send(order(system.guest));
    expect(one.outcomes).toEqual({ anonymous: 1 });
    expect(one.state).toEqual({});
    expect(one.dead).toEqual([]);
  });

  test("amounts as texts and as numbers are the same, read from their digits", () => {
    for (const [amount, cents] of [
      ["59.9", 5_990],
      [59.9, 5_990],
      ["59.9000", 5_990],
      ["0.29", 29],
      [0.29, 29],
      ["60", 6_000],
      [60, 6_000],
      ["99999999999.99", 9_999_999_999_999],
      ["0.00", 0],
    ] as const) {
      expect(shop().send(order(worth(amount))).state, String(amount)).toEqual(counting(cents));
    }
    expect(shop().send(order(worth("59.995"))).dead).toEqual(["fraction"]);
    expect(shop().send(order(worth("59,99"))).dead).toEqual(["wrongType"]);
    expect(shop().send(order(worth("-1.00"))).dead).toEqual(["overLimit"]);
  });

  test("currencies without decimals and with three", () => {
    for (const [code, amount, minor] of [
      ["JPY", "5000", 5_000],
      ["JPY", "5000.00", 5_000],
      ["JPY", 5000, 5_000],
      ["KWD", "12.345", 12_345],
      ["KWD", 12.345, 12_345],
      ["KWD", "12.3", 12_300],
    ] as const) {
      const one = new Shop(preset, code).send(order(system.currencyOf(code, amount)));
      expect(one.state, `${amount} ${code}`).toEqual(counting(minor));
    }
    expect(new Shop(preset, "JPY").send(order(system.currencyOf("JPY", "0.50"))).dead).toEqual(["fraction"]);
    expect(shop().send(order(system.currencyOf("USD", "1.00"))).dead).toEqual(["noModel"]);
  });

  test("ids beyond 2^53 stay apart, though a double could not tell them apart", () => {
    const ids = [9_007_199_254_740_993n, 9_007_199_254_740_992n, 18_446_744_073_709_551_615n];
    const key = preset === "magento" ? "entity_id" : "id";
    const one = shop().send(...ids.map((id) => order({ [key]: id })));
    expect(one.state).toEqual({ [customer]: [3, 3 * 5_999, time] });
  });
});

describe("shopify", () => {
  const customer = "115310627314723954";
  const time = at("2026-01-10T14:00:00Z");

  test("a partial refund comes with the updated order; refunds/create says nothing more, and is nobody's", () => {
    const partial = shopifyOrder({
      current_total_price: "39.99",
      financial_status: "partially_refunded",
      updated_at: "2026-01-12T09:00:00-05:00",
      refunds: [shopifyRefund()],
    });
    const one = new Shop("shopify").send(shopifyOrder(), shopifyRefund(), partial);
    expect(one.state).toEqual({ [customer]: [1, 3_999, time] });
    expect(one.outcomes).toEqual({ applied: 1, anonymous: 1, amended: 1 });
    one.send(
      shopifyOrder({
        current_total_price: "0.00",
        financial_status: "refunded",
        updated_at: "2026-01-13T09:00:00-05:00",
      }),
    );
    expect(one.state).toEqual({ [customer]: [0, 0, null] });
    expect(one.migrations).toEqual([
      ["order", 1, 5_999, "some"],
      ["amend", 0, 0, "none"],
    ]);
    expect(one.dead).toEqual([]);
  });

  test("orders/cancelled says so by its time, whatever was paid", () => {
    const cancelled = shopifyOrder({
      cancelled_at: "2026-01-11T09:00:00-05:00",
      cancel_reason: "customer",
      updated_at: "2026-01-11T09:00:00-05:00",
    });
    expect(new Shop("shopify").send(shopifyOrder(), cancelled).state).toEqual({ [customer]: [0, 0, null] });
  });

  test("test orders are counted as such, and otherwise left out", () => {
    const one = new Shop("shopify").send(shopifyOrder({ test: true }));
    expect(one.outcomes).toEqual({ test: 1 });
    expect(one.state).toEqual({});
  });

  test("an imported order counts when it was processed, not when it was created", () => {
    const one = new Shop("shopify").send(shopifyOrder({ processed_at: "2025-12-01T00:00:00+01:00" }));
    expect(one.state).toEqual({ [customer]: [1, 5_999, at("2025-11-30T23:00:00Z")] });
  });

  test("a status that is not known counts as an order; orders/delete and orders/edited are nobody's", () => {
    const one = new Shop("shopify").send(
      shopifyOrder({ financial_status: "something_new" }),
      { id: 820982911946154508n },
      { order_edit: { id: 78912328793, order_id: 820982911946154508n, created_at: "2026-01-11T09:00:00-05:00" } },
    );
    expect(one.outcomes).toEqual({ applied: 1, anonymous: 2 });
    expect(one.dead).toEqual([]);
  });
});

describe("woocommerce", () => {
  const time = at("2026-01-10T14:00:00Z");

  test("the site's own times are not read: those without offset are UTC", () => {
    const one = new Shop("woocommerce").send(wooOrder({ date_created: "2026-01-10T23:59:59" }));
    expect(one.state).toEqual({ 26: [1, 5_999, time] });
    const own = new Shop("woocommerce", "EUR", { fields: { time: "date_created" }, zone: "Europe/Warsaw" });
    expect(own.send(wooOrder()).state).toEqual({ 26: [1, 5_999, at("2026-01-10T15:00:00Z")] });
  });

  test("a partial refund is in a list that is not read: the order keeps its worth until a refund is sent", () => {
    const partial = wooOrder({
      refunds: [{ id: 726, reason: "", total: "-10.00" }],
      date_modified_gmt: "2026-01-12T14:00:00",
    });
    const one = new Shop("woocommerce").send(wooOrder(), partial);
    expect(one.outcomes).toEqual({ applied: 1, amended: 1 });
    expect(one.state).toEqual({ 26: [1, 5_999, time] });
    one.send(wooRefund(), wooRefund());
    expect(one.state).toEqual({ 26: [1, 4_999, time] });
    // Refunded whole, and so by status too: once is enough.
    one.send(wooRefund({ id: 728, total: "49.99" }));
    expect(one.state).toEqual({ 26: [0, 0, null] });
    one.send(wooOrder({ status: "refunded", date_modified_gmt: "2026-01-13T14:00:00" }));
    expect(one.state).toEqual({ 26: [0, 0, null] });
    expect(one.dead).toEqual([]);
  });

  test("a refund that comes before its order waits for it", () => {
    const one = new Shop("woocommerce").send(wooRefund(), wooOrder());
    expect(one.outcomes).toEqual({ applied: 1, parked: 1 });
    expect(one.state).toEqual({ 26: [1, 4_999, time] });
    expect(one.migrations).toEqual([["order", 1, 4_999, "some"]]);
  });

  test("an order that was paid and is put on hold does not count until it is released", () => {
    const held = wooOrder({ status: "on-hold", date_modified_gmt: "2026-01-12T14:00:00" });
    const one = new Shop("woocommerce").send(wooOrder(), held);
    expect(one.state).toEqual({ 26: [0, 0, null] });
    one.send(wooOrder({ status: "completed", date_modified_gmt: "2026-01-13T14:00:00" }));
    expect(one.state).toEqual({ 26: [1, 5_999, time] });
  });

  test("drafts are left out, statuses of plugins count, order.deleted is nobody's", () => {
    const one = new Shop("woocommerce").send(
      wooOrder({ id: 1, status: "checkout-draft" }),
      wooOrder({ id: 2, status: "auto-draft" }),
      wooOrder({ id: 3, status: "awaiting-shipment" }),
      { id: 727 },
    );
    expect(one.outcomes).toEqual({ applied: 1, skipped: 2, anonymous: 1 });
    expect(one.dead).toEqual([]);
  });

  test("the ping of a new webhook is no JSON, and a dead letter", () => {
    expect(new Shop("woocommerce").send("webhook_id=7").dead).toEqual(["undecodable"]);
  });
});

describe("magento", () => {
  const time = at("2026-01-10T14:00:00Z");

  test("a credit memo sent as a refund lowers its order; what the order says of refunds does not", () => {
    const partial = magentoOrder({
      base_total_refunded: 10,
      total_refunded: 43,
      base_total_offline_refunded: 10,
      updated_at: "2026-01-12 14:00:00",
    });
    const one = new Shop("magento").send(magentoOrder(), partial);
    expect(one.state).toEqual({ 17: [1, 5_999, time] });
    one.send(magentoRefund());
    expect(one.state).toEqual({ 17: [1, 4_999, time] });
    one.send(magentoOrder({ state: "closed", base_total_refunded: 59.99, updated_at: "2026-01-13 14:00:00" }));
    expect(one.state).toEqual({ 17: [0, 0, null] });
    expect(one.dead).toEqual([]);
  });

  test("an order on hold stays what it was: left out where it was not yet paid, counting where it was", () => {
    const held = { state: "holded", updated_at: "2026-01-12 14:00:00" };
    expect(new Shop("magento").send(magentoOrder({ state: "new" }), magentoOrder(held)).state).toEqual({});
    const one = new Shop("magento").send(magentoOrder(), magentoOrder(held));
    expect(one.state).toEqual({ 17: [1, 5_999, time] });
  });

  test("a state that is none of Magento's is a dead letter", () => {
    expect(new Shop("magento").send(magentoOrder({ state: "picking" })).dead).toEqual(["unsupported"]);
  });

  test("the order's own currency, where that is wanted", () => {
    const own = { fields: { amount: "grand_total", currency: "order_currency_code" } };
    expect(new Shop("magento", "PLN", own).send(magentoOrder()).state).toEqual({ 17: [1, 25_796, time] });
  });

  test("totals as the texts of a database row, and ids as texts", () => {
    const row = magentoOrder({ entity_id: "3", customer_id: "17", base_grand_total: "59.9900" });
    const one = new Shop("magento").send(row, magentoOrder());
    expect(one.outcomes).toEqual({ applied: 1, duplicate: 1 });
    expect(one.state).toEqual({ 17: [1, 5_999, time] });
  });
});

describe("allegro", () => {
  test("cash on delivery has no payment's time: a dead letter, until the form's own is added", () => {
    const cash = allegroForm({
      payment: { id: "0f8f", type: "CASH_ON_DELIVERY", provider: null, finishedAt: null, paidAmount: null },
    });
    expect(new Shop("allegro", "PLN").send(cash).dead).toEqual(["missingField"]);
    const copied = new Shop("allegro", "PLN", { fields: { time: "boughtAt" } });
    copied.send({ ...cash, boughtAt: "2026-01-10T13:55:00.123Z" });
    expect(copied.state).toEqual({ 23123123: [1, 5_999, at("2026-01-10T13:55:00.123Z")] });
  });

  test("a changed fulfilment is a new version of the same order: nothing moves", () => {
    const sent = allegroForm({
      fulfillment: { status: "SENT", shipmentSummary: { lineItemsSent: "ALL" } },
      updatedAt: "2026-01-12T14:00:00.000Z",
    });
    const one = new Shop("allegro", "PLN").send(allegroForm(), sent);
    expect(one.state).toEqual({ 23123123: [1, 5_999, at("2026-01-10T14:00:00.123Z")] });
    expect(one.migrations).toEqual([["order", 1, 5_999, "some"]]);
  });

  test("a refund of a payment, sent with its form and buyer", () => {
    const refund = {
      kind: "refund",
      id: "a1e4b4b0-2a8c-11e9-9cbb-0242ac110003",
      order: "29738e61-7f6a-11e8-ac45-09db60ede9d6",
      buyer: { id: "23123123" },
      payment: { finishedAt: "2026-01-12T14:00:00Z" },
      summary: { totalToPay: { amount: "10.00", currency: "PLN" } },
    };
    const one = new Shop("allegro", "PLN").send(allegroForm(), refund);
    expect(one.state).toEqual({ 23123123: [1, 4_999, at("2026-01-10T14:00:00.123Z")] });
  });

  test("a status of the event journal is none of a form", () => {
    expect(new Shop("allegro", "PLN").send(allegroForm({ status: "BUYER_CANCELLED" })).dead).toEqual(["unsupported"]);
  });
});
