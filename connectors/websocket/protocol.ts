/** The WebSocket protocol: what goes over the wire in both formats, its limits and its close codes. */
import { decode, encode } from "@msgpack/msgpack";
import { z } from "zod";
import { CAUSES } from "../../runtime/record.js";

/** Subprotocols, best known first. The version is part of the name: a breaking change is a new one. */
export const SUBPROTOCOLS = ["tidemark.v1.json", "tidemark.v1.msgpack"] as const;
export type Subprotocol = (typeof SUBPROTOCOLS)[number];
export type Format = "json" | "msgpack";

export function formatOf(subprotocol: Subprotocol): Format {
  return subprotocol === "tidemark.v1.msgpack" ? "msgpack" : "json";
}

/** Close codes of this server. */
export const CLOSE = {
  tooLarge: 1009,
  /** The ledger can't be read just now. */
  unavailable: 1013,
  shutdown: 3001,
  slow: 3008,
  /** The ledger lost records before they could be sent: a resume will say `recovered: false`. */
  gap: 3010,
  badRequest: 4400,
  noHello: 4408,
  duplicate: 4409,
  tooMany: 4429,
} as const;
export type CloseReason = keyof typeof CLOSE;

/** Whether trying again without a change can help: not after 35xx, nor where the request was wrong. */
export function worthReconnecting(code: number): boolean {
  if (code >= 3500 && code <= 3999) return false;
  return code !== CLOSE.badRequest && code !== CLOSE.duplicate && code !== CLOSE.tooLarge;
}

export interface Limits {
  readonly clientsMax: number;
  readonly subscriptionsMax: number;
  /** Bytes of one message from a client; a larger one closes the connection with 1009. */
  readonly messageBytesMax: number;
  /** Names in one filter field other than `customer`. */
  readonly namesMax: number;
  readonly customersMax: number;
  /** Requests of one client that wait for their turn. */
  readonly requestsMax: number;
  /** Bytes that wait for one client before it is closed as slow. */
  readonly queueBytesMax: number;
  /** Records, over all partitions, that a resume may have missed; beyond it the answer is `recovered: false`. */
  readonly recoverMax: number;
  /** Resumes read from the ledger at once; the others wait. */
  readonly recoveriesMax: number;
  /** Newest records kept in memory a partition, for quick resumes and `recent`. */
  readonly tailRecordsMax: number;
  /** Bytes of them over all partitions. */
  readonly tailBytesMax: number;
  readonly recentMax: number;
  /** Newest records a partition that are loaded when the first subscriber comes, for `recent`. */
  readonly prefill: number;
  readonly helloMs: number;
  readonly pingMs: number;
  readonly pongMs: number;
  /** How long a client that is resuming may take nothing, or one being closed may take to answer. */
  readonly stallMs: number;
  /** How long the tail of the ledger is read on after the last subscriber has gone. */
  readonly lingerMs: number;
}

export const LIMITS: Limits = {
  clientsMax: 1000,
  subscriptionsMax: 32,
  messageBytesMax: 64 * 1024,
  namesMax: 64,
  customersMax: 100,
  requestsMax: 64,
  queueBytesMax: 1024 * 1024,
  recoverMax: 100_000,
  recoveriesMax: 8,
  tailRecordsMax: 2048,
  tailBytesMax: 32 * 1024 * 1024,
  recentMax: 100,
  prefill: 128,
  helloMs: 5_000,
  pingMs: 25_000,
  pongMs: 8_000,
  stallMs: 10_000,
  lingerMs: 60_000,
};

/** One value or several. */
function oneOrMany<T extends z.ZodType>(value: T, max: number) {
  return z.union([value, z.array(value).min(1).max(max)]);
}

const subscriptionId = z.string().min(1).max(64);
const name = z.string().min(1).max(256);

/** Filters of the topic `migrations`; every field given must hold. */
export const filterSchema = z.strictObject({
  model: oneOrMany(name, LIMITS.namesMax).optional(),
  /** Names of segments; null: in none. */
  from: oneOrMany(name.nullable(), LIMITS.namesMax).optional(),
  to: oneOrMany(name.nullable(), LIMITS.namesMax).optional(),
  customer: oneOrMany(name, LIMITS.customersMax).optional(),
  cause: oneOrMany(z.enum(CAUSES), CAUSES.length).optional(),
  change: oneOrMany(z.enum(["segment", "bands"]), 2).optional(),
});
export type Filter = z.infer<typeof filterSchema>;

export const requestSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("hello"), client: z.string().max(128).optional() }),
  z.strictObject({ type: z.literal("ping") }),
  z.discriminatedUnion("topic", [
    z.strictObject({
      type: z.literal("subscribe"),
      id: subscriptionId,
      topic: z.literal("migrations"),
      filter: filterSchema.optional(),
      /** Silent ones too; default false. */
      silent: z.boolean().optional(),
      /** Go on behind this position. */
      position: z.string().max(4096).optional(),
      /** Without a position: begin with so many of the newest that are still in memory. */
      recent: z.int().min(0).max(LIMITS.recentMax).optional(),
    }),
    z.strictObject({
      type: z.literal("subscribe"),
      id: subscriptionId,
      topic: z.literal("counts"),
      model: oneOrMany(name, LIMITS.namesMax).optional(),
    }),
  ]),
  z.strictObject({ type: z.literal("unsubscribe"), id: subscriptionId }),
]);
export type Request = z.infer<typeof requestSchema>;
export type Subscribe = Extract<Request, { type: "subscribe" }>;
export type SubscribeMigrations = Extract<Subscribe, { topic: "migrations" }>;
export type SubscribeCounts = Extract<Subscribe, { topic: "counts" }>;

/** A migration's CloudEvent as readers see it; unknown fields are kept. Times are RFC 3339, money minor units. */
export interface MigrationEvent {
  readonly specversion: string;
  readonly type: string;
  readonly source: string;
  readonly id: string;
  readonly subject: string;
  readonly time: string;
  readonly data: {
    readonly model: string;
    readonly revision: number;
    readonly change: "segment" | "bands";
    readonly silent: boolean;
    readonly currency: string;
    readonly from: { readonly segment: string | null; readonly [dimension: string]: string | null };
    readonly to: { readonly segment: string | null; readonly [dimension: string]: string | null };
    readonly cause: {
      readonly kind: string;
      readonly event: string | null;
      readonly order: string | null;
      readonly channel: string | null;
      readonly time: string | null;
      readonly boundaries: readonly string[];
    };
    readonly before: Readonly<Record<string, string | number | null>>;
    readonly after: Readonly<Record<string, string | number | null>>;
    readonly next: { readonly at: string; readonly segment: string } | null;
    readonly due: string | null;
  };
}

export interface LiveCounts {
  readonly model: string;
  /** The model's hash; another one: its bands and segments have changed, load /api/model again. */
  readonly version: string;
  readonly customers: number;
  /** In no segment. */
  readonly none: number;
  readonly segments: readonly { readonly name: string; readonly customers: number }[];
  /** Customers in each cell: Σ band × stride of /api/model. */
  readonly cells: readonly number[];
}

export type Reply =
  | {
      readonly type: "welcome";
      readonly protocol: Subprotocol;
      readonly name: string;
      readonly models: readonly string[];
      readonly pingMs: number;
    }
  | { readonly type: "pong" }
  | {
      readonly type: "subscribed";
      readonly id: string;
      readonly topic: "migrations";
      /** Everything behind this position will come. */
      readonly position: string;
      /** True only if everything missed since the position asked for follows. */
      readonly recovered: boolean;
    }
  | { readonly type: "subscribed"; readonly id: string; readonly topic: "counts" }
  | { readonly type: "unsubscribed"; readonly id: string }
  | {
      readonly type: "migration";
      readonly subscription: string;
      readonly position: string;
      readonly event: MigrationEvent;
    }
  /** Nothing that the filter wants, but the ledger has moved on: resume from here. */
  | { readonly type: "position"; readonly subscription: string; readonly position: string }
  | { readonly type: "counts"; readonly subscription: string; readonly counts: readonly LiveCounts[] }
  /** Comes before the connection is closed with the same code. */
  | { readonly type: "error"; readonly code: number; readonly message: string; readonly id?: string };

export function encodeMessage(format: Format, message: Reply | Request): string | Uint8Array {
  return format === "json" ? JSON.stringify(message) : encode(message, { ignoreUndefined: true });
}

/** Throws SyntaxError or RangeError (MessagePack's lengths are limited to the message's own). */
export function decodeMessage(format: Format, data: Uint8Array): unknown {
  if (format === "json") return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  const most = data.length;
  return decode(data, { maxStrLength: most, maxBinLength: most, maxArrayLength: most, maxMapLength: most });
}
