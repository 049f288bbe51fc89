/**
 * The configuration as it is written (YAML or plain objects): keys, types and limits. What needs more than one
 * value to judge is in check.ts. Nothing is transformed here, so the same schema is the published JSON Schema.
 */
import { z } from "zod";
import { FIELDS } from "../settings.js";
import { DURATION_EXAMPLES, DURATION_PATTERN } from "./duration.js";
import { describe, suggestion } from "./issue.js";

export const MODELS_MAX = 16;
export const SOURCES_MAX = 16;
export const CHANNELS_MAX = 255;
/** `Others` included. */
export const SEGMENTS_MAX = 250;
/** Eleven levels (with `none`) in four dimensions are 14,641 cells: the limit of 65,536 is never met. */
export const BANDS_MAX = 10;
const MIB = 1024 * 1024;
export const MESSAGE_BYTES_MAX = 15 * MIB;

export const DIMENSIONS = ["recency", "frequency", "monetary", "tenure"] as const;

function expecting(expected: string) {
  return (issue: { readonly input?: unknown }) =>
    issue.input === undefined
      ? `missing, expected ${expected}`
      : `found ${describe(issue.input)}, expected ${expected}`;
}

/** An object that refuses keys it does not know and says which one was probably meant. */
function strict<Shape extends z.ZodRawShape>(shape: Shape) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? // One issue may carry several keys; parse.ts takes them apart, a line each.
          ((issue.keys as string[] | undefined) ?? []).map((key) => `unknown key${suggestion(key, known)}`).join("\n")
        : expecting(`a mapping with ${known.slice(0, 4).join(", ")}${known.length > 4 ? ", …" : ""}`)(issue),
  });
}

function text(expected: string, pattern: RegExp) {
  return z.string({ error: expecting(expected) }).regex(pattern, { error: expecting(expected) });
}

function integer(min: number, max: number) {
  const error = expecting(`a whole number from ${min} to ${max}`);
  return z.int({ error }).min(min, { error }).max(max, { error });
}

function list<Item extends z.ZodType>(item: Item, what: string, min: number, max: number) {
  const expected = `a list of ${min} to ${max} ${what}`;
  const counted = (issue: { readonly input?: unknown }) =>
    Array.isArray(issue.input) ? `found ${issue.input.length}, expected ${expected}` : expecting(expected)(issue);
  return z
    .array(item, { error: expecting(expected) })
    .min(min, { error: counted })
    .max(max, { error: counted });
}

function choice<const Options extends readonly [string, ...string[]]>(options: Options) {
  return z.enum(options, {
    error: (issue) => {
      const base = expecting(options.join(" or "))(issue);
      return typeof issue.input === "string" ? base + didYouMean(issue.input, options) : base;
    },
  });
}

function didYouMean(found: string, options: readonly string[]): string {
  const hint = suggestion(found, options);
  return hint.startsWith("; did") ? hint : "";
}

// Printable, neither empty nor with blanks at its ends: names end up in subjects, files and on screens.
const NAME = /^(?! )[^\p{Cc}\p{Cs}\u2028\u2029]{1,64}(?<! )$/u;
const name = text("a name of 1 to 64 characters", NAME);
const modelName = text('a name of 1 to 64 characters without "/"', /^(?! )[^/\p{Cc}\p{Cs}\u2028\u2029]{1,64}(?<! )$/u);
const channelName = text("a channel's name of 1 to 64 bytes", NAME);
const prefix = text("1 to 32 of A-Z a-z 0-9 _ -", /^[A-Za-z0-9_-]{1,32}$/);
const currency = text("a currency of ISO 4217 such as EUR", /^[A-Z]{3}$/);
const duration = text(DURATION_EXAMPLES, DURATION_PATTERN);
const window = text(`${DURATION_EXAMPLES}, or ever`, new RegExp(`${DURATION_PATTERN.source}|^ever$`));
const points = integer(0, 10_000);
const money = integer(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
const count = integer(0, 1_000_000_000);
const file = text("a path of a file", /^[^\0]+$/);

const ageBand = strict({
  name: name.describe("What the band is called"),
  max: duration
    .optional()
    .describe("Exclusive: the next band begins exactly at this age. The last band may have none."),
  points: points.optional().describe("Points of a customer in this band; default 0"),
});
const countBand = strict({
  name: name.describe("What the band is called"),
  min: count.describe("Inclusive: so many orders or more"),
  points: points.optional().describe("Points of a customer in this band; default 0"),
});
const sumBand = strict({
  name: name.describe("What the band is called"),
  min: money.describe("Inclusive: so much or more, in minor units (50000 is 500.00 EUR)"),
  points: points.optional().describe("Points of a customer in this band; default 0"),
});
const ages = strict({ bands: list(ageBand, "bands", 1, BANDS_MAX) });

const bandNames = list(name, "names of bands", 1, BANDS_MAX + 1);
const when = strict({
  recency: bandNames.optional(),
  frequency: bandNames.optional(),
  monetary: bandNames.optional(),
  tenure: bandNames.optional(),
  points: strict({
    of: list(choice(DIMENSIONS), "dimensions", 1, DIMENSIONS.length).optional().describe("Default: all dimensions"),
    min: integer(0, 40_000).optional().describe("Inclusive"),
    max: integer(0, 40_000).optional().describe("Inclusive"),
  }).optional(),
});

const channels = z
  .union([z.literal("*"), list(channelName, "channels", 1, CHANNELS_MAX)], {
    error: expecting('"*" or a list of channels'),
  })
  .describe("Which channels' orders count; default all");
const otherCurrency = choice(["ignore", "count"]).describe(
  "An order in another currency: ignored, or counted for recency and frequency only",
);
const fullRefund = choice(["drop", "keep"]).describe(
  "A fully refunded order: counts nowhere any more, or still for recency and frequency",
);

export const modelSchema = strict({
  name: modelName,
  channels: channels.optional(),
  currency: currency.describe("Of this model's money; amounts of two currencies are never added"),
  otherCurrency: otherCurrency.optional(),
  fullRefund: fullRefund.optional(),
  recency: ages.describe("Age of the newest counting order"),
  frequency: strict({
    window: window.describe("How long an order counts"),
    bands: list(countBand, "bands", 1, BANDS_MAX),
  }).describe("Orders in the window"),
  monetary: strict({
    window: window.describe("How long an order counts"),
    bands: list(sumBand, "bands", 1, BANDS_MAX),
  }).describe("Worth of the orders in the window, less refunds without order"),
  tenure: ages.optional().describe("Age of the first order known"),
  segments: list(strict({ name, when }), "segments", 0, SEGMENTS_MAX - 1).describe(
    "First match wins; what no rule names is Others",
  ),
});

export const READY = ["threebands", "points", "levels", "quintiles"] as const;
const EDGES_MAX = BANDS_MAX - 1;
const edges = strict({
  recency: list(duration, "ages", 1, EDGES_MAX)
    .optional()
    .describe("Exclusive: an age below the first is the best band"),
  frequency: list(count, "counts", 1, EDGES_MAX)
    .optional()
    .describe("Inclusive: so many orders or more than the last are the best band"),
  monetary: list(money, "sums", 1, EDGES_MAX)
    .optional()
    .describe("Inclusive, in minor units: so much or more than the last is the best band"),
});
export const readySchema = strict({
  use: choice(READY).describe("A ready-made model; levels makes one a channel"),
  name: modelName.optional().describe("Default: the ready-made model's own"),
  channels: channels.optional(),
  currency,
  otherCurrency: otherCurrency.optional(),
  fullRefund: fullRefund.optional(),
  edges: edges
    .optional()
    .describe("Where its bands end, from low to high, instead of its own; tidemark suggest finds them"),
});

const path = z.union(
  [
    text("a path of 1 to 4 keys such as customer.id", /^[^.]+(\.[^.]+){0,3}$/),
    list(text("a key", /^.+$/s), "keys", 1, 4),
  ],
  {
    error: expecting("a path of 1 to 4 keys such as customer.id"),
  },
);
const fields = strict(
  Object.fromEntries(
    FIELDS.map((field) => [field, path.nullable().optional().describe(`Where an item holds its ${field}`)]),
  ) as Record<(typeof FIELDS)[number], z.ZodOptional<z.ZodNullable<typeof path>>>,
);

export const PRESETS = ["shopify", "woocommerce", "magento", "allegro"] as const;
export const sourceSchema = strict({
  name,
  preset: choice(PRESETS).optional().describe("Fields, amounts, status and guests of a known system"),
  stream: text("a stream's name", /^[^\s.*>/\\\p{Cc}]{1,255}$/u)
    .optional()
    .describe("A stream to adopt; leave out and Tidemark makes its own"),
  control: text("a subject without wildcards", /^[^\s.*>]+(\.[^\s.*>]+)*$/)
    .optional()
    .describe(
      "Subject of an adopted stream for control messages; default: the first subject with _control for its wildcard",
    ),
  subjects: list(text("a subject", /^([^\s.*>]+|\*)(\.([^\s.*>]+|\*))*(\.>)?$/), "subjects", 1, 64).optional(),
  channel: channelName.optional().describe("Of an event that names none; default web"),
  fields: fields.optional().describe("Paths of the fields, up to four keys deep; replaces the default names"),
  amounts: choice(["minor", "decimal"]).optional().describe("5999, or 59.99 read from its digits; default minor"),
  zone: text("a time zone such as UTC or Europe/Berlin", /^[A-Za-z0-9_+/-]{1,64}$/)
    .optional()
    .describe("Of a time without an offset; default: such a time is refused"),
  status: z
    .record(z.string(), choice(["order", "cancel", "skip"]), {
      error: expecting("a mapping of texts to order, cancel or skip"),
    })
    .optional()
    .describe('What the texts of the status field mean; "*" is every other one'),
  guests: list(z.union([z.string(), z.int()], { error: expecting("a customer id") }), "customer ids", 0, 64)
    .optional()
    .describe("Customer ids that mean nobody"),
  anonymous: choice(["skip", "reject"]).optional().describe("What becomes of nobody's orders; default skip"),
  negative: choice(["reject", "refund"]).optional().describe("A negative order: refused, or a refund without order"),
});

const bytes = z.union(
  [
    integer(1024, MESSAGE_BYTES_MAX),
    text("a size of up to 15MiB such as 8MiB or 512KiB", /^([1-9]|1[0-5])MiB$|^\d{1,5}KiB$/),
  ],
  { error: expecting("a size of up to 15MiB such as 8MiB or 512KiB") },
);

export const configSchema = strict({
  name: prefix.optional().describe("Prefixes every subject, stream and bucket; default tidemark"),
  clock: choice(["broker", "event"])
    .optional()
    .describe("Live, or a replay of history by its event times; default broker"),
  horizon: duration.optional().describe("How long order ids and entries are kept; default 400d, at least every window"),
  parkFor: duration.optional().describe("How long a refund or cancel waits for its order; default 30d"),
  parkedMax: integer(0, 100_000_000).optional().describe("Waiting reversals a partition; default 1000000"),
  futureTolerance: duration.optional().describe("How far ahead of the clock an order may be; default 24h"),
  clockJumpMax: duration.optional().describe("A broker's stamp further ahead stops the partition; default 1h"),
  tickMs: integer(10, 60_000).optional().describe("At most one tick in so many milliseconds; default 100"),
  partitions: integer(1, 1024).optional().describe("Fixed for a layout; default 8"),
  layout: integer(1, 9_999)
    .optional()
    .describe("Counts the layouts: one more with each new number of partitions (tidemark savepoint); default 1"),
  workers: integer(1, 256).optional().describe("Worker threads; default 1"),
  replicas: integer(1, 5).optional().describe("Of every stream; default 1"),
  ledgerInFlightMax: integer(1, 65_536).optional().describe("Unacknowledged ledger records a partition; default 4096"),
  messageBytesMax: bytes.optional().describe("Of one input message, up to 15MiB; default 8MiB"),
  ordersPerCustomerMax: integer(1, 10_000_000).optional().describe("Default 100000; beyond it overLimit"),
  capacity: strict({
    customers: integer(1, 50_000_000).optional().describe("Default 1000000"),
    entries: integer(1, 80_000_000).optional().describe("Orders and reversals kept; default 8000000"),
    idBytes: integer(258, 2_000_000_000).optional().describe("Bytes of all customers' ids; default 40 a customer"),
    customersMax: integer(1, 50_000_000)
      .optional()
      .describe("A full partition grows up to here; default 4 × customers"),
    entriesMax: integer(1, 80_000_000).optional().describe("Default 4 × entries"),
    idBytesMax: integer(258, 2_000_000_000).optional().describe("Default 4 × idBytes"),
  })
    .optional()
    .describe("Reserved for each partition at start, and how far it may grow"),
  channels: z
    .record(channelName, strict({ currency: currency.optional() }), { error: expecting("a mapping of channels") })
    .optional()
    .describe("Currency of an event on the channel that names none"),
  sources: list(sourceSchema, "sources", 1, SOURCES_MAX)
    .optional()
    .describe("Where orders come from and how they look"),
  models: list(
    z.union([modelSchema, readySchema], {
      error: expecting("a model (name, currency, recency, …) or use: threebands"),
    }),
    "models",
    1,
    MODELS_MAX,
  ).describe("Side by side; an order feeds every model that takes its channel"),
  server: strict({
    port: integer(0, 65_535).optional().describe("Of WebSocket, API, metrics and page; default 7077"),
    host: text("a host", /^[^\s]{1,255}$/)
      .optional()
      .describe("Default 127.0.0.1"),
  })
    .optional()
    .describe("Where WebSocket, API, metrics and page are served"),
  checkpoints: strict({
    store: choice(["folder", "object", "none"])
      .optional()
      .describe("A folder of this machine, the broker's object store, or none: each start reads the input anew"),
    folder: file.optional().describe("Default: checkpoints in the data folder (--data)"),
    every: duration.optional().describe("One so often, where something has changed; default 60s"),
    messages: integer(1, 1_000_000_000).optional().describe("And one after so many messages; default 5000000"),
  })
    .optional()
    .describe("What a partition goes on from after a restart"),
  nats: strict({
    url: text("a URL such as nats://localhost:4222", /^((nats|tls|wss?):\/\/)?[^\s]{1,1000}$/).optional(),
    credentialsFile: file.optional(),
    tokenFile: file.optional(),
    nkeyFile: file.optional(),
    user: text("a user's name", /^.{1,255}$/).optional(),
    passwordFile: file.optional(),
    tls: strict({ caFile: file.optional(), certFile: file.optional(), keyFile: file.optional() }).optional(),
  })
    .optional()
    .describe("The broker; secrets come from files. Without a url Tidemark starts a nats-server of its own"),
});

export type Config = z.infer<typeof configSchema>;
export type ModelConfig = z.infer<typeof modelSchema>;
export type ReadyConfig = z.infer<typeof readySchema>;
export type SourceConfig = z.infer<typeof sourceSchema>;
export type SegmentConfig = ModelConfig["segments"][number];
