/**
 * Messages of known shops, in the form that their documentation gives them, abridged to what surrounds the fields that
 * are read: what is nested, what is a list, what is null. Made up here, none is a copy.
 */

/** JSON with integers of any size: a bigint is written as its digits. */
export function json(value: unknown): string {
  const marked = JSON.stringify(value, (_, one) => (typeof one === "bigint" ? `\u0001${one}` : one));
  return marked.replaceAll(/"\\u0001(-?\d+)"/g, "$1");
}

type Message = Readonly<Record<string, unknown>>;

const money = (amount: string, code: string) => ({ amount, currency_code: code });
const sets = (amount: string, code: string) => ({
  shop_money: money(amount, code),
  presentment_money: money(amount, code),
});

/** orders/create, orders/updated, orders/paid, orders/cancelled: the order of Shopify's REST Admin API. */
export function shopifyOrder(more: Message = {}): Message {
  const total = String(more.current_total_price ?? "59.99");
  const currency = String(more.currency ?? "EUR");
  return {
    id: 820982911946154508n,
    admin_graphql_api_id: "gid://shopify/Order/820982911946154508",
    app_id: null,
    buyer_accepts_marketing: true,
    cancel_reason: null,
    cancelled_at: null,
    closed_at: null,
    confirmed: true,
    created_at: "2026-01-10T09:00:00-05:00",
    currency,
    current_subtotal_price: total,
    current_total_price: total,
    current_total_price_set: sets(total, currency),
    current_total_tax: "0.00",
    email: "jon@example.com",
    financial_status: "paid",
    fulfillment_status: null,
    name: "#9999",
    note: 'a "quoted" note, with {braces} and [brackets]',
    order_number: 1234,
    presentment_currency: currency,
    processed_at: "2026-01-10T09:00:00-05:00",
    tags: "tag1, tag2",
    test: false,
    total_price: "59.99",
    total_price_set: sets("59.99", currency),
    updated_at: "2026-01-10T09:00:00-05:00",
    billing_address: { id: 1, address1: "123 Billing Street", country_code: "PL" },
    customer: {
      id: 115310627314723954n,
      email: "jon@example.com",
      created_at: null,
      currency: "USD",
      default_address: { id: 715243470612851245n, customer_id: 115310627314723954n },
    },
    discount_applications: [],
    fulfillments: [],
    line_items: [{ id: 866550311766439020n, price: "59.99", quantity: 1, currency: "USD", test: true }],
    refunds: [],
    shipping_lines: [{ id: 271878346596884015n, price: "10.00" }],
    ...more,
  };
}

/** refunds/create: no customer, no currency of its own, and its amounts in lists. */
export function shopifyRefund(): Message {
  return {
    id: 890088186047892319n,
    order_id: 820982911946154508n,
    created_at: "2026-01-12T09:00:00-05:00",
    note: "Things were damaged",
    user_id: 548380009,
    processed_at: "2026-01-12T09:00:00-05:00",
    restock: true,
    refund_line_items: [{ id: 487817672276298627n, line_item_id: 866550311766439020n, quantity: 1, subtotal: 20 }],
    transactions: [{ id: 245135271310201194n, kind: "refund", amount: "20.00", status: "success", test: false }],
    order_adjustments: [],
  };
}

/** order.created, order.updated, order.restored: the order of the WooCommerce REST API v3. */
export function wooOrder(more: Message = {}): Message {
  return {
    id: 727,
    parent_id: 0,
    number: "727",
    order_key: "wc_order_58d2d042d1d",
    created_via: "rest-api",
    version: "9.4.0",
    status: "processing",
    currency: "EUR",
    date_created: "2026-01-10T16:00:00",
    date_created_gmt: "2026-01-10T14:00:00",
    date_modified: "2026-01-10T16:00:09",
    date_modified_gmt: "2026-01-10T14:00:09",
    discount_total: "0.00",
    shipping_total: "10.00",
    total: "59.99",
    total_tax: "1.35",
    prices_include_tax: false,
    customer_id: 26,
    customer_note: "",
    billing: { first_name: "John", country: "US", email: "john.doe@example.com" },
    payment_method: "bacs",
    transaction_id: "",
    date_paid: null,
    date_paid_gmt: null,
    meta_data: [{ id: 13106, key: "_download_permissions_granted", value: "yes" }],
    line_items: [{ id: 315, product_id: 93, quantity: 2, total: "6.00", taxes: [{ id: 75, total: "0.45" }] }],
    refunds: [],
    ...more,
  };
}

/** The refund of `GET /wc/v3/refunds`, with what it lacks: a kind, a customer, `total` and the currency. */
export function wooRefund(more: Message = {}): Message {
  return {
    id: 726,
    parent_id: 727,
    date_created: "2026-01-12T16:00:00",
    date_created_gmt: "2026-01-12T14:00:00",
    amount: "10.00",
    reason: "",
    refunded_by: 1,
    refunded_payment: false,
    line_items: [],
    kind: "refund",
    customer_id: 26,
    total: "10.00",
    ...more,
  };
}

/** `GET /V1/orders/:id` of Magento 2. */
export function magentoOrder(more: Message = {}): Message {
  return {
    base_currency_code: "EUR",
    base_discount_amount: 0,
    base_grand_total: 59.99,
    base_subtotal: 49.99,
    base_to_order_rate: 4.3,
    base_total_due: 0,
    base_total_paid: 59.99,
    created_at: "2026-01-10 14:00:00",
    customer_email: "roni_cost@example.com",
    customer_group_id: 1,
    customer_id: 17,
    customer_is_guest: 0,
    entity_id: 3,
    global_currency_code: "EUR",
    grand_total: 257.96,
    increment_id: "000000003",
    is_virtual: 0,
    order_currency_code: "PLN",
    quote_id: 4,
    state: "processing",
    status: "picking",
    store_id: 1,
    total_due: 0,
    total_paid: 257.96,
    updated_at: "2026-01-10 14:00:09",
    items: [{ item_id: 3, order_id: 3, base_price: 49.99, qty_ordered: 1, created_at: "2026-01-10 14:00:00" }],
    billing_address: { entity_id: 6, parent_id: 3, city: "Calder" },
    payment: { entity_id: 3, method: "checkmo", parent_id: 3 },
    extension_attributes: { shipping_assignments: [] },
    ...more,
  };
}

/** Made of a credit memo: its id, order, base total and time, with a kind and its order's customer. */
export function magentoRefund(more: Message = {}): Message {
  return {
    kind: "refund",
    entity_id: 1,
    order_id: 3,
    customer_id: 17,
    base_grand_total: 10,
    base_currency_code: "EUR",
    created_at: "2026-01-12 14:00:00",
    ...more,
  };
}

/** `GET /order/checkout-forms/:id` of Allegro. */
export function allegroForm(more: Message = {}): Message {
  return {
    id: "29738e61-7f6a-11e8-ac45-09db60ede9d6",
    messageToSeller: null,
    buyer: { id: "23123123", email: "user-email@allegro.pl", login: "User_Login", guest: false, companyName: null },
    payment: {
      id: "0f8f1d13-7ce8-11e8-8e67-c5b0a1e5d6d1",
      type: "ONLINE",
      provider: "P24",
      finishedAt: "2026-01-10T14:00:00.123Z",
      paidAmount: { amount: "59.99", currency: "PLN" },
      reconciliation: { amount: "59.99", currency: "PLN" },
      features: [],
    },
    status: "READY_FOR_PROCESSING",
    fulfillment: { status: "NEW", shipmentSummary: { lineItemsSent: "NONE" } },
    delivery: { method: { id: "758fcd59" }, cost: { amount: "10.00", currency: "PLN" }, smart: false },
    lineItems: [
      {
        id: "62ae358b-8f65-4fc4-9c77-bedf604a2e2b",
        offer: { id: "3213213", name: "Name of purchased offer" },
        quantity: 1,
        price: { amount: "49.99", currency: "PLN" },
        boughtAt: "2026-01-10T13:55:00.123Z",
      },
    ],
    surcharges: [],
    discounts: [],
    marketplace: { id: "allegro-pl" },
    summary: { totalToPay: { amount: "59.99", currency: "PLN" } },
    updatedAt: "2026-01-10T14:00:01.500Z",
    revision: "819b5836",
    ...more,
  };
}
