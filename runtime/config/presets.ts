/** How the orders of known systems look: sources filled in by `preset:`. What a source sets itself wins. */
import type { PRESETS, SourceConfig } from "./schema.js";

type Preset = Pick<SourceConfig, "amounts" | "zone" | "status" | "guests"> & Required<Pick<SourceConfig, "fields">>;

export const presets: Readonly<Record<(typeof PRESETS)[number], Preset>> = {
  // The order resource of the REST Admin API, as the orders/* webhooks send it. `current_total_price` is net of
  // refunds already, so refunds are not sent as events of their own; a refunded order has nothing left to count.
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
  // The order of the WooCommerce REST API v3 and its webhooks. Its `_gmt` times have no offset; guests are customer 0.
  woocommerce: {
    fields: {
      id: "id",
      customer: "customer_id",
      time: "date_created_gmt",
      amount: "total",
      currency: "currency",
      version: "date_modified_gmt",
      status: "status",
    },
    amounts: "decimal",
    zone: "UTC",
    status: {
      pending: "skip",
      "on-hold": "skip",
      "checkout-draft": "skip",
      "auto-draft": "skip",
      failed: "cancel",
      cancelled: "cancel",
      refunded: "cancel",
      trash: "cancel",
      "*": "order",
    },
    guests: ["", "0"],
  },
};

/** The source with its preset filled in: fields one by one, the rest as a whole. */
export function withPreset(source: SourceConfig): SourceConfig {
  if (source.preset === undefined) return source;
  const preset = presets[source.preset];
  return { ...preset, ...source, fields: { ...preset.fields, ...source.fields } };
}
