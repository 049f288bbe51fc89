/**
 * How the orders of known systems look: sources filled in by `preset:`. What a source sets itself wins. What each
 * system's messages do not give is said here and in the README; test/config/presets.test.ts has them as documented.
 *
 * A status that an order has before it is paid is left out (`skip`), so that the first thing heard of an order is its
 * placing; one that says that it counts no more, or not now, makes it a version that does not count (`cancel`).
 */
import type { PRESETS, SourceConfig } from "./schema.js";

type Preset = Pick<SourceConfig, "amounts" | "zone" | "status" | "guests"> & Required<Pick<SourceConfig, "fields">>;

export const presets: Readonly<Record<(typeof PRESETS)[number], Preset>> = {
  // The order of the REST Admin API, as the orders/* webhooks send it. `current_total_price` is without what was
  // returned, refunded or removed, so that refunds/create says nothing more; it has no customer, and counts as nobody's.
  shopify: {
    fields: {
      id: "id",
      customer: "customer.id",
      time: "processed_at",
      amount: "current_total_price",
      currency: "currency",
      version: "updated_at",
      status: "financial_status",
      cancelled: "cancelled_at",
      test: "test",
    },
    amounts: "decimal",
    status: { pending: "skip", expired: "cancel", voided: "cancel", refunded: "cancel", "*": "order" },
    guests: [""],
  },
  // The order of the WooCommerce REST API v3 and its order.* webhooks. Its `_gmt` times have no offset; guests are
  // customer 0. `total` stays what was paid: a partial refund is only in a list, `refunds`. Who publishes may add it as
  // a message of kind `refund`, whose `parent_id` is its order's, as in the API's own refunds.
  woocommerce: {
    fields: {
      id: "id",
      customer: "customer_id",
      time: "date_created_gmt",
      amount: "total",
      currency: "currency",
      version: "date_modified_gmt",
      status: "status",
      kind: "kind",
      order: "parent_id",
    },
    amounts: "decimal",
    zone: "UTC",
    status: {
      pending: "skip",
      "checkout-draft": "skip",
      "auto-draft": "skip",
      // Also of an order that was paid and is disputed: the newest word decides, whichever comes first.
      "on-hold": "cancel",
      failed: "cancel",
      cancelled: "cancel",
      refunded: "cancel",
      trash: "cancel",
      // Plugins add statuses of their own, nearly all of them stages behind the payment.
      "*": "order",
    },
    guests: ["", "0"],
  },
  // The order of the REST API of Magento 2 and Adobe Commerce, in the shop's base currency. Times are UTC without an
  // offset; a guest's order has no `customer_id`. `state` is one of eight; `status` is the shop's own words for it. What
  // was given back is a total of its own, which nothing here subtracts: credit memos may be added as kind `refund`.
  magento: {
    fields: {
      id: "entity_id",
      customer: "customer_id",
      time: "created_at",
      amount: "base_grand_total",
      currency: "base_currency_code",
      version: "updated_at",
      status: "state",
      kind: "kind",
      order: "order_id",
    },
    amounts: "decimal",
    zone: "UTC",
    status: {
      new: "skip",
      pending_payment: "skip",
      payment_review: "skip",
      holded: "skip",
      processing: "order",
      complete: "order",
      closed: "cancel",
      canceled: "cancel",
    },
    guests: ["", "0"],
  },
  // The checkout form of Allegro's REST API. When it was bought stands only in its line items, a list, so its time is
  // that of its payment: without one (cash on delivery) it is a dead letter, unless who publishes adds a time.
  allegro: {
    fields: {
      id: "id",
      customer: "buyer.id",
      time: "payment.finishedAt",
      amount: "summary.totalToPay.amount",
      currency: "summary.totalToPay.currency",
      version: "updatedAt",
      status: "status",
      kind: "kind",
      order: "order",
    },
    amounts: "decimal",
    status: { BOUGHT: "skip", FILLED_IN: "skip", READY_FOR_PROCESSING: "order", CANCELLED: "cancel" },
    guests: [""],
  },
};

/** The source with its preset filled in: fields one by one, the rest as a whole. */
export function withPreset(source: SourceConfig): SourceConfig {
  if (source.preset === undefined) return source;
  const preset = presets[source.preset];
  return { ...preset, ...source, fields: { ...preset.fields, ...source.fields } };
}
