/** The WebSocket and NATS channels as AsyncAPI 3.1, served at /api/asyncapi.json. */
import { z } from "zod";
import { CAUSES, REASONS } from "../../runtime/record.js";
import { CLOSE, LIMITS, requestSchema, SUBPROTOCOLS } from "./protocol.js";

/** `name`: the instance's, the first word of every subject. */
export function asyncApi(version: string, name: string): object {
  const socket = { $ref: "#/channels/socket" };
  return {
    asyncapi: "3.1.0",
    info: {
      title: "Tidemark",
      version,
      description: "Orders in, migrations out: over NATS JetStream and, for readers, over a WebSocket.",
      license: { name: "Apache-2.0" },
    },
    defaultContentType: "application/json",
    servers: {
      engine: {
        host: "localhost:{port}",
        protocol: "ws",
        pathname: "/ws",
        description: `Subprotocols ${SUBPROTOCOLS.join(", ")}. ${closeCodes()}`,
        variables: { port: { default: "7077" } },
      },
      broker: { host: "localhost:4222", protocol: "nats", description: "nats-server 2.9.10 or newer with JetStream." },
    },
    channels: {
      socket: {
        address: "/ws",
        servers: [{ $ref: "#/servers/engine" }],
        messages: refs(["request", "reply"]),
      },
      orders: channel(`${name}.orders.{partition}.{channel}`, ["order"], ["partition", "channel"]),
      control: channel(`${name}.orders.{partition}._control`, ["tick", "live", "model"], ["partition"]),
      migrations: channel(
        `${name}.migrations.{partition}.{model}.{change}.{from}.{to}`,
        ["migration"],
        ["partition", "model", "change", "from", "to"],
      ),
      dead: channel(`${name}.dead.{partition}.{reason}`, ["deadLetter"], ["partition", "reason"]),
    },
    operations: {
      ask: { action: "receive", channel: socket, messages: [{ $ref: "#/channels/socket/messages/request" }] },
      answer: { action: "send", channel: socket, messages: [{ $ref: "#/channels/socket/messages/reply" }] },
      takeOrders: { action: "receive", channel: { $ref: "#/channels/orders" } },
      takeControl: { action: "receive", channel: { $ref: "#/channels/control" } },
      announceMigrations: { action: "send", channel: { $ref: "#/channels/migrations" } },
      putAside: { action: "send", channel: { $ref: "#/channels/dead" } },
    },
    components: {
      parameters: {
        partition: { description: "FNV-1a 32 of the customer id as a subject token, modulo the partition count." },
        channel: { description: "Where the order was placed; as a subject token." },
        model: { description: "Name of the model, made subject-safe." },
        change: { description: "What changed.", enum: ["segment", "bands"] },
        from: { description: "Segment before, made subject-safe; `null` for none." },
        to: { description: "Segment after, made subject-safe; `null` for none." },
        reason: { description: "Why it was put aside.", enum: [...REASONS] },
      },
      messages: {
        request: {
          title: "From a client",
          description: `One message at most ${LIMITS.messageBytesMax} bytes; the first is hello, within ${LIMITS.helloMs} ms.`,
          payload: z.toJSONSchema(requestSchema),
        },
        reply: { title: "To a client", payload: reply() },
        order: {
          title: "One order event or an array of them, as JSON or MessagePack",
          headers: {
            type: "object",
            properties: { "Nats-Msg-Id": { type: "string" }, "Tidemark-Silent": { const: "1" } },
          },
          payload: { oneOf: [orderEvent(), { type: "array", items: orderEvent() }] },
        },
        tick: control("tick", { time: { type: "integer", description: "ms, under clock: event only" } }),
        live: control("live", {}),
        model: control("model", { settings: { type: "object" }, silent: { type: "boolean" } }),
        migration: {
          title: "A migration: a CloudEvent 1.0",
          headers: headers(["Tidemark-Position", "Tidemark-Clock", "Tidemark-Previous"]),
          payload: migration(),
        },
        deadLetter: {
          title: "What could not be applied: its bytes, cut to 64 KiB",
          contentType: "application/octet-stream",
          headers: headers(
            ["Reason", "Subject", "Position", "Index", "Length", "Clock", "Customer"].map((word) => `Tidemark-${word}`),
          ),
          payload: {},
        },
      },
    },
  };
}

function channel(address: string, messages: readonly string[], parameters: readonly string[]): object {
  return {
    address,
    servers: [{ $ref: "#/servers/broker" }],
    messages: refs(messages),
    parameters: Object.fromEntries(parameters.map((key) => [key, { $ref: `#/components/parameters/${key}` }])),
  };
}

function refs(messages: readonly string[]): object {
  return Object.fromEntries(messages.map((key) => [key, { $ref: `#/components/messages/${key}` }]));
}

function control(type: string, properties: Record<string, object>): object {
  return {
    title: `Control: ${type}`,
    payload: { type: "object", required: ["type"], properties: { type: { const: type }, ...properties } },
  };
}

function headers(names: readonly string[]): object {
  return { type: "object", properties: Object.fromEntries(names.map((key) => [key, { type: "string" }])) };
}

function orderEvent(): object {
  const id = { type: ["string", "integer"] };
  const time = { type: ["integer", "string"], description: "ms since 1970 UTC, or RFC 3339 with offset" };
  return {
    type: "object",
    required: ["id", "customer", "time"],
    properties: {
      id,
      customer: id,
      time,
      amount: { type: "integer", minimum: 0, maximum: 1e13, description: "minor units" },
      channel: { type: "string" },
      currency: { type: "string", description: "ISO 4217" },
      kind: { enum: ["order", "refund", "cancel"], default: "order" },
      order: id,
      version: time,
      test: { type: "boolean" },
    },
  };
}

function migration(): object {
  const text = { type: "string" };
  const instant = { type: ["string", "null"], format: "date-time" };
  const place = { type: "object", properties: { segment: { type: ["string", "null"] }, since: instant } };
  const values = {
    type: "object",
    properties: {
      firstOrder: instant,
      lastOrder: instant,
      ...Object.fromEntries(
        ["orders", "spend", "ordersEver", "spendEver", "points"].map((key) => [key, { type: "integer" }]),
      ),
    },
  };
  const cause = {
    type: "object",
    properties: {
      kind: { enum: [...CAUSES] },
      event: { type: ["string", "null"] },
      order: { type: ["string", "null"] },
      channel: { type: ["string", "null"] },
      time: instant,
      boundaries: { type: "array", items: text },
    },
  };
  const data = {
    type: "object",
    properties: {
      model: text,
      modelVersion: text,
      revision: { type: "integer", minimum: 1 },
      change: { enum: ["segment", "bands"] },
      silent: { type: "boolean" },
      currency: text,
      from: place,
      to: place,
      cause,
      before: values,
      after: values,
      next: { type: ["object", "null"], properties: { at: instant, segment: text } },
      due: instant,
    },
  };
  return {
    type: "object",
    required: ["specversion", "type", "source", "id", "subject", "time", "data"],
    properties: {
      specversion: { const: "1.0" },
      type: { const: "dev.tidemark.customer.migrated.v1" },
      source: text,
      id: { type: "string", description: "<model>/<customer>/<revision>" },
      subject: { type: "string", description: "the customer" },
      time: { type: "string", format: "date-time", description: "instant of the change" },
      datacontenttype: { const: "application/json" },
      data,
    },
  };
}

function reply(): object {
  const text = { type: "string" };
  const integer = { type: "integer" };
  const counts = {
    type: "array",
    items: {
      type: "object",
      properties: {
        model: text,
        version: text,
        customers: integer,
        none: integer,
        segments: { type: "array", items: { type: "object", properties: { name: text, customers: integer } } },
        cells: { type: "array", items: integer },
      },
    },
  };
  const shapes: Record<string, Record<string, object>> = {
    welcome: { protocol: text, name: text, models: { type: "array", items: text }, pingMs: integer },
    pong: {},
    subscribed: { id: text, topic: { enum: ["migrations", "counts"] } },
    unsubscribed: { id: text },
    migration: { subscription: text, position: text, event: migration() },
    position: { subscription: text, position: text },
    counts: { subscription: text, counts },
    error: { code: integer, message: text },
  };
  const extra: Record<string, object> = { position: text, recovered: { type: "boolean" } };
  return {
    oneOf: Object.entries(shapes).map(([type, properties]) => ({
      type: "object",
      required: ["type", ...Object.keys(properties)],
      properties: { type: { const: type }, ...properties, ...(type === "subscribed" ? extra : {}) },
    })),
  };
}

function closeCodes(): string {
  return `Close codes: ${Object.entries(CLOSE)
    .map(([reason, code]) => `${code} ${reason}`)
    .join(", ")}.`;
}
