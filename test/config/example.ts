/** A configuration with every key, most of it DESIGN's own. */
export const example = `
name: shop
clock: broker
horizon: 400d
parkFor: 30d
parkedMax: 1000000
futureTolerance: 24h
clockJumpMax: 1h
tickMs: 100
partitions: 1
workers: 1
replicas: 3
ledgerInFlightMax: 2048
messageBytesMax: 4MiB
ordersPerCustomerMax: 50000
capacity: { customers: 1000, entries: 9000, idBytes: 30000, customersMax: 2000 }
channels:
  web: { currency: EUR }
  store: {}
sources:
  - name: shopify
    stream: SHOP
    subjects: ["shop.orders.>"]
    control: shop.orders._control
    channel: web
    fields: { id: id, customer: customer.id, time: processed_at, amount: current_total_price, currency: currency, version: updated_at, status: financial_status, cancelled: cancelled_at, test: test }
    amounts: decimal
    zone: UTC
    status: { pending: skip, voided: cancel, "*": order }
    guests: ["", "0"]
    anonymous: skip
    negative: reject
models:
  - name: retail
    channels: "*"
    currency: EUR
    otherCurrency: ignore
    fullRefund: drop
    recency:   { bands: [{ name: short, max: 30d, points: 5 }, { name: medium, max: 90d, points: 3 }, { name: long, points: 1 }] }
    frequency: { window: 365d, bands: [{ name: often, min: 12, points: 5 }, { name: regular, min: 4, points: 3 }, { name: casual, min: 1, points: 1 }] }
    monetary:  { window: 90d,  bands: [{ name: spender, min: 50000, points: 5 }, { name: average, min: 10000, points: 3 }, { name: saver, min: 1, points: 1 }] }
    tenure:    { bands: [{ name: new, max: 30d }, { name: established }] }
    segments:
      - { name: VIP,     when: { recency: [short], frequency: [often], monetary: [spender] } }
      - { name: At risk, when: { recency: [long], points: { of: [frequency, monetary], min: 7, max: 10 } } }
      - { name: New,     when: { tenure: [new] } }
  - use: levels
    channels: [web, store]
    currency: EUR
server: { port: 7077, host: 127.0.0.1 }
checkpoints: { store: folder, folder: /var/lib/tidemark, every: 30s, messages: 100000 }
nats:
  url: nats://localhost:4222
  credentialsFile: ./shop.creds
  tls: { caFile: ca.pem, certFile: cert.pem, keyFile: key.pem }
`;
