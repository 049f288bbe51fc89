/** Which system's orders a sample holds, or which paths its fields are. */
import { describe, expect, test } from "vitest";
import { shapeOf } from "../../connectors/nats/shape.js";
import { FILL_IN } from "../../runtime/config/index.js";
import { itemsOf } from "../../runtime/itemvalue.js";
import { allegroForm, json, magentoOrder, shopifyOrder, wooOrder } from "../support/shopmessages.js";

const items = (all: readonly unknown[]) => all.flatMap((one) => itemsOf(new TextEncoder().encode(json(one))) ?? []);
const many = (count: number, make: (i: number) => object) => items(Array.from({ length: count }, (_, i) => make(i)));

describe("a known system", () => {
  test.each([
    ["shopify", (i: number) => shopifyOrder({ id: i, customer: i % 3 ? { id: i } : null })],
    ["woocommerce", (i: number) => wooOrder({ id: i, customer_id: i % 3 })],
    ["magento", (i: number) => magentoOrder({ entity_id: i })],
    [
      "allegro",
      (i: number) => allegroForm({ id: String(i), payment: i % 3 ? { finishedAt: "2026-01-10T14:00:00Z" } : null }),
    ],
  ])("%s", (preset, make) => {
    expect(shapeOf(many(20, make))).toMatchObject({ source: { preset }, missing: [], isOwn: false });
    expect(shapeOf(many(20, make)).source.fields).toBeUndefined();
  });

  test("some messages of other kinds are no matter, many are", () => {
    const mixed = (others: number) => [...many(20, (i) => shopifyOrder({ id: i })), ...many(others, (id) => ({ id }))];
    expect(shapeOf(mixed(2)).source.preset).toBe("shopify");
    expect(shapeOf(mixed(20)).source.preset).toBeUndefined();
  });
});

describe("fields found by name and content", () => {
  test("nested, in camel case, with an offset that is missing, guests and statuses", () => {
    const shape = shapeOf(
      many(60, (i) => ({
        orderId: `W-${i}`,
        createdAt: `2026-01-${String(1 + (i % 28)).padStart(2, "0")} 10:00:00`,
        updatedAt: "2026-01-31 10:00:00",
        buyer: { id: i % 5 === 0 ? null : i % 16, email: `${i}@example.com` },
        total: { gross: i + 0.5, currency: "PLN" },
        deliveryDate: "2026-02-01 10:00:00",
        status: ["PAID", "NEW", "CANCELLED", "PARTIALLY_REFUNDED"][i % 4],
        cancelledAt: i % 4 === 2 ? "2026-01-31 10:00:00" : null,
        isTest: i % 9 === 0,
        lines: [{ id: i, total: 5 }],
      })),
    );
    expect(shape.missing).toEqual([]);
    expect(shape.source).toEqual({
      fields: {
        id: "orderId",
        customer: "buyer.id",
        time: "createdAt",
        amount: "total.gross",
        currency: "total.currency",
        version: "updatedAt",
        test: "isTest",
        status: "status",
        cancelled: "cancelledAt",
      },
      amounts: "decimal",
      zone: "UTC",
      status: { CANCELLED: "cancel", NEW: "skip", PAID: "order", PARTIALLY_REFUNDED: "order" },
      guests: ["", "0"],
    });
    expect(shape.notes.guests).toBe(`${FILL_IN} customer 0 is taken for nobody; 20 % of the items have none`);
    for (const key of ["zone", "status"]) expect(shape.notes[key]).toContain(FILL_IN);
    expect(shape.notes["fields.customer"]).toContain("buyer.email");
  });

  test("in another language", () => {
    const shape = shapeOf(
      many(30, (i) => ({
        numer_zamowienia: i,
        klient: { numer: `K${i % 7}` },
        data_zamowienia: "2026-01-31T10:00:00+01:00",
        kwota_brutto: `${i}.50`,
        waluta: "PLN",
      })),
    );
    expect(shape.source).toEqual({
      fields: {
        id: "numer_zamowienia",
        customer: "klient.numer",
        time: "data_zamowienia",
        amount: "kwota_brutto",
        currency: "waluta",
      },
      amounts: "decimal",
    });
  });

  test("the order event's own names need no mapping; whole amounts are said to be a guess elsewhere", () => {
    const own = { time: 1_769_000_000_000, currency: "EUR", channel: "web", kind: "order" };
    const shape = shapeOf(many(30, (i) => ({ ...own, id: i, customer: `c${i % 5}`, amount: 500 + i })));
    expect(shape).toMatchObject({ isOwn: true, missing: [] });
    expect(shape.notes.amounts).toContain(FILL_IN);
  });

  test("what is not there is marked, not made up", () => {
    const shape = shapeOf(many(30, (i) => ({ id: i, when: 1_769_000_000, note: "x", items: [{ price: 5 }] })));
    expect(shape.missing).toEqual(["customer", "time", "amount"]);
    for (const field of shape.missing) expect(shape.notes[`fields.${field}`]).toContain(FILL_IN);
    expect(shapeOf([]).missing).toEqual(["id", "customer", "time", "amount"]);
    expect(shapeOf([5, "x", null]).missing).toHaveLength(4);
  });
});
