/** The HTTP API as OpenAPI 3.1, served at /api/openapi.json. */
import { WHYS } from "../../runtime/modelview.js";

export function openApi(version: string): object {
  return {
    openapi: "3.1.0",
    info: {
      title: "Tidemark",
      version,
      description:
        "Reads a running engine. Live changes come over the WebSocket at /ws, described by /api/asyncapi.json.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    paths: {
      "/api/model": {
        get: operation("model", "The models in force: dimensions, bands, segments, cell table.", {
          200: json("The models, in configuration order.", { $ref: "#/components/schemas/Models" }),
        }),
      },
      "/api/counts": {
        get: operation("counts", "Customers in each segment and cell, now.", {
          200: json("One entry a model, in configuration order.", {
            type: "array",
            items: { $ref: "#/components/schemas/Counts" },
          }),
          503: problem,
        }),
      },
      "/api/status": {
        get: operation("status", "How far each partition has come.", {
          200: json("Positions, clocks (ms) and lag.", { $ref: "#/components/schemas/Status" }),
          503: problem,
        }),
      },
      "/api/state": {
        get: operation("state", "Every customer's state in every model, as CSV, exact at one instant.", {
          200: {
            description: "Rows by model, then customer. An answer that breaks off is not whole.",
            headers: {
              "Tidemark-Instant": header("The instant (ms) at which the rows are exact."),
              "Tidemark-Position": header("Input position of each partition: `partition=sequence,…`."),
            },
            content: {
              "text/csv": {
                schema: { type: "string" },
                example:
                  "instant,model,customer,last_order_ms,first_order_ms,orders,spend,orders_ever,spend_ever,recency,frequency,monetary,tenure,points,segment\n",
              },
            },
          },
          503: problem,
        }),
      },
      "/api/customers/{id}/explain": {
        get: {
          operationId: "explain",
          summary:
            "Why a customer is where it is: its orders, the sums they make, what comes next, what would bring more.",
          parameters: [
            { name: "id", in: "path", required: true, schema: { type: "string" } },
            {
              name: "orders",
              in: "query",
              required: false,
              schema: { type: "integer", minimum: 0, maximum: 10_000, default: 100 },
              description: "Orders listed, the latest; the others are counted and summed.",
            },
          ],
          responses: {
            200: json("Times in ms, money in minor units.", { $ref: "#/components/schemas/Explanation" }),
            400: problem,
            404: problem,
            503: problem,
          },
        },
      },
      "/api/checkpoint": {
        post: operation("checkpoint", "Takes a checkpoint of every partition, and answers once all are stored.", {
          200: json("Input position of each partition's checkpoint.", {
            type: "object",
            required: ["positions"],
            properties: { positions: { type: "array", items: { type: "integer" } } },
          }),
          415: problem,
          503: problem,
        }),
      },
      "/livez": { get: operation("livez", "The process answers. Asks nothing else.", { 200: text("ok") }) },
      "/readyz": ready("readyz", "Whether the engine is ready to be used."),
      "/healthz": ready("healthz", "The same as /readyz."),
      "/metrics": {
        get: operation("metrics", "Metrics for Prometheus.", { 200: text("Exposition format."), 503: problem }),
      },
      "/api/openapi.json": {
        get: operation("openapi", "This document.", { 200: json("OpenAPI 3.1.", { type: "object" }) }),
      },
      "/api/asyncapi.json": {
        get: operation("asyncapi", "The WebSocket and NATS channels.", {
          200: json("AsyncAPI 3.1.", { type: "object" }),
        }),
      },
    },
    components: {
      schemas: {
        Models: object({
          name: { type: "string", description: "The instance." },
          version: { type: "string", description: "Hash of the configuration." },
          clock: { enum: ["broker", "event"] },
          partitions: { type: "integer", minimum: 1 },
          models: { type: "array", items: { $ref: "#/components/schemas/Model" } },
        }),
        Model: object({
          name: { type: "string" },
          version: { type: "string", description: "Hash of this model." },
          currency: { type: "string", description: "ISO 4217." },
          channels: { oneOf: [{ const: "*" }, { type: "array", items: { type: "string" } }] },
          segments: { type: "array", items: { type: "string" }, description: "In rule order." },
          dimensions: { type: "array", items: { $ref: "#/components/schemas/Dimension" } },
          cells: { type: "array", items: { type: "integer" }, description: "Segment number of each cell." },
        }),
        Dimension: object({
          name: { enum: ["recency", "frequency", "monetary", "tenure"] },
          measure: { enum: ["newest", "count", "sum", "oldest"] },
          windowMs: { type: ["integer", "null"], description: "null: ever." },
          stride: { type: "integer", description: "cell = Σ band × stride; band 0 is none." },
          bands: {
            type: "array",
            items: object({
              name: { type: "string" },
              limit: {
                type: ["integer", "null"],
                description: "Exclusive maximum age (ms), or inclusive minimum count or sum; null: none.",
              },
              points: { type: "integer" },
            }),
          },
        }),
        Counts: object({
          model: { type: "string" },
          version: { type: "string" },
          customers: { type: "integer" },
          none: { type: "integer", description: "In no segment." },
          segments: {
            type: "array",
            items: object({ name: { type: "string" }, customers: { type: "integer" } }),
          },
          cells: { type: "array", items: { type: "integer" } },
        }),
        Status: object({
          name: { type: "string", description: "The instance." },
          version: { type: "string", description: "Hash of the configuration." },
          models: { type: "array", items: { type: "string" } },
          now: { type: "integer", description: "The engine's own clock when it answered (ms)." },
          ready: { type: "boolean", description: "As /readyz says." },
          checks: {
            type: "object",
            additionalProperties: object({ ok: { type: "boolean" }, detail: { type: "string" } }),
          },
          partitionCount: { type: "integer", description: "Configured; those not yet begun are missing below." },
          lag: { type: "integer", description: "Input messages not yet applied." },
          clock: { type: ["integer", "null"], description: "Everything is exact up to here (ms)." },
          events: {
            type: "object",
            additionalProperties: { type: "integer" },
            description: "Items by what became of them, since the start of the input.",
          },
          deadLetters: {
            type: "object",
            additionalProperties: { type: "integer" },
            description: "By reason, since the start of the input.",
          },
          live: { type: "boolean", description: "Migrations are no longer silent." },
          partitions: {
            type: "array",
            items: object({
              partition: { type: "integer" },
              state: { enum: ["starting", "replaying", "running", "stopped", "failed", "silent"] },
              position: { type: "integer" },
              streamLast: { type: "integer" },
              clock: { type: ["integer", "null"] },
              overdue: { type: ["integer", "null"] },
              live: { type: "boolean" },
              checkpoint: { type: "integer", description: "Input sequence of the last checkpoint; 0: none." },
              checkpointAt: {
                type: ["integer", "null"],
                description: "When it was stored (ms); null: none since the start.",
              },
              checkpointFailures: { type: "integer" },
              streamFirst: { type: "integer" },
              stamp: { type: ["integer", "null"], description: "The broker's, of the last message applied (ms)." },
              nextDue: { type: ["integer", "null"], description: "No row changes by time alone before (ms)." },
              ledger: { type: "integer", description: "Number of the last record made." },
              ledgerAcked: { type: "integer", description: "Of the last one stored." },
              ledgerInFlight: { type: "integer" },
              ledgerRefused: { type: "integer" },
              customers: { type: "integer" },
              entries: { type: "integer" },
              idBytes: { type: "integer" },
              capacity: { $ref: "#/components/schemas/Capacity" },
              capacityMax: { $ref: "#/components/schemas/Capacity" },
              parked: { type: "integer", description: "Reversals that wait for their order." },
              parkedMax: { type: "integer" },
              auditDifferences: { type: "integer" },
            }),
          },
        }),
        Explanation: object({
          customer: { type: "string" },
          partition: { type: "integer" },
          position: { type: "integer", description: "Input sequence applied." },
          at: { type: "integer", description: "The instant that all of this is true at (ms)." },
          exact: { type: "boolean", description: "false: what fell due is still being worked off." },
          orderCount: { type: "integer", description: "Orders, and refunds without order, within the horizon." },
          orders: {
            type: "array",
            description: "The latest of them, newest first. Ids are not kept.",
            items: object({
              kind: { enum: ["order", "refund"] },
              time: { type: "integer" },
              channel: { type: ["string", "null"] },
              currency: { type: ["string", "null"], description: "null: each model's own." },
              amount: { type: "integer" },
              refunded: { type: "integer" },
              refunds: { type: "integer", description: "That met it." },
              cancels: { type: "integer" },
              version: { type: ["integer", "null"] },
              state: { enum: ["stands", "cancelled", "voided"] },
              future: { type: "boolean", description: "Ahead of the instant: it counts already." },
              leavesHorizon: { type: "integer" },
            }),
          },
          waitingCount: { type: "integer" },
          waiting: {
            type: "array",
            description: "Reversals whose order has not come, the oldest 100.",
            items: object({
              kind: { enum: ["refund", "cancel"] },
              expiry: { type: "integer" },
              amount: { type: "integer" },
            }),
          },
          models: { type: "array", items: { $ref: "#/components/schemas/ExplainedModel" } },
        }),
        ExplainedModel: object({
          model: { type: "string" },
          version: { type: "string" },
          currency: { type: "string" },
          segment: { type: ["string", "null"] },
          since: { type: ["integer", "null"] },
          revision: { type: "integer", description: "Migrations so far." },
          points: { type: "integer" },
          dimensions: {
            type: "array",
            items: object({
              name: { enum: ["recency", "frequency", "monetary", "tenure"] },
              measure: { enum: ["newest", "count", "sum", "oldest"] },
              band: { type: "string" },
              windowMs: { type: ["integer", "null"] },
              value: {
                type: ["integer", "null"],
                description: "Count or sum; of an age the time it counts from (ms).",
              },
            }),
          },
          orders: {
            type: "array",
            description: "What the model makes of each of `orders`.",
            items: object({
              why: { enum: [...WHYS] },
              count: { type: "integer", description: "As an order: 1 or 0." },
              worth: { type: "integer" },
              leaves: {
                type: "array",
                description: "By dimension: when it leaves the window, past or to come; null: never, or no part in it.",
                items: { type: ["integer", "null"] },
              },
            }),
          },
          rest: object({ orders: { type: "integer" }, counting: { type: "integer" }, worth: { type: "integer" } }),
          past: object({
            orders: { type: "integer", description: "That counted and have left the horizon." },
            spend: { type: "integer" },
            first: { type: ["integer", "null"] },
            last: { type: ["integer", "null"] },
          }),
          ordersEver: { type: "integer" },
          spendEver: { type: "integer" },
          next: {
            type: "array",
            description: "What time alone changes, the next first.",
            items: object({
              at: { type: "integer" },
              bands: {
                type: "array",
                items: object({ dimension: { type: "string" }, from: { type: "string" }, to: { type: "string" } }),
              },
              segment: { type: ["object", "null"], description: "`from` and `to`; null: it stays." },
            }),
          },
          nextMore: { type: "boolean" },
          reach: {
            type: "array",
            description: "What would bring the next better band of each dimension.",
            items: object({
              dimension: { type: "string" },
              from: { type: "string" },
              to: { type: "string" },
              orders: { type: ["integer", "null"], description: "So many, of any amount." },
              amount: { type: ["integer", "null"], description: "Or orders worth so much." },
              before: { type: ["integer", "null"], description: "At which less of what there is counts (ms)." },
              segment: { type: ["string", "null"], description: "If they were placed now." },
            }),
          },
        }),
        Capacity: object({
          customers: { type: "integer" },
          entries: { type: "integer", description: "Orders and reversals." },
          idBytes: { type: "integer" },
        }),
        Problem: object({
          type: { type: "string" },
          title: { type: "string" },
          status: { type: "integer" },
          detail: { type: "string" },
        }),
      },
    },
  };
}

const problem = {
  description: "What is wrong, as RFC 9457 says.",
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
};

function operation(operationId: string, summary: string, responses: Record<number, object>): object {
  return { operationId, summary, responses };
}

function ready(operationId: string, summary: string): object {
  const verbose = { name: "verbose", in: "query", required: false, schema: { type: "string" }, allowEmptyValue: true };
  const responses = { 200: text("ok; with verbose every check."), 503: text("The checks that fail.") };
  return { get: { operationId, summary, parameters: [verbose], responses } };
}

function json(description: string, schema: object): object {
  return { description, content: { "application/json": { schema } } };
}

function text(description: string): object {
  return { description, content: { "text/plain": { schema: { type: "string" } } } };
}

function header(description: string): object {
  return { description, schema: { type: "string" } };
}

function object(properties: Record<string, object>): object {
  return { type: "object", required: Object.keys(properties), properties };
}
