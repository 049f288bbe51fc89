/** Records of the ledger: migrations as CloudEvents 1.0 in JSON, dead letters as the bytes they are about. */
import { encodeHead } from "./head.js";
import { type DeadLetter, LedgerRecord } from "./record.js";
import type { Settings } from "./settings.js";
import { deadSubject } from "./subjects.js";

export const MIGRATION_TYPE = "dev.tidemark.customer.migrated.v1";
export const MIGRATION_CONTENT_TYPE = "application/cloudevents+json";
export const DEAD_CONTENT_TYPE = "application/octet-stream";

/** A migration as readers see it. Causes and fields may come that this version does not know. */
export interface MigrationEvent {
  readonly specversion: "1.0";
  readonly type: string;
  /** `/<name>` */
  readonly source: string;
  /** `<model>/<customer>/<revision>` */
  readonly id: string;
  /** The customer. */
  readonly subject: string;
  /** Instant of the change. All times are RFC 3339 in UTC with milliseconds. */
  readonly time: string;
  readonly datacontenttype: string;
  readonly data: MigrationData;
}

export interface MigrationData {
  readonly model: string;
  readonly modelVersion: string;
  readonly revision: number;
  readonly change: "segment" | "bands";
  readonly silent: boolean;
  readonly currency: string;
  readonly from: EventPlace;
  readonly to: EventPlace;
  readonly cause: {
    readonly kind: string;
    readonly event: string | null;
    readonly order: string | null;
    readonly channel: string | null;
    readonly time: string | null;
    /** `recency: medium → long` */
    readonly boundaries: readonly string[];
  };
  readonly before: EventValues;
  readonly after: EventValues;
  /** Next change of segment if nothing is bought; null for none. */
  readonly next: { readonly at: string; readonly segment: string } | null;
  /** Next change of a band; null for none. */
  readonly due: string | null;
}

export interface EventPlace {
  readonly segment: string | null;
  readonly since: string | null;
  readonly recency: string;
  readonly frequency: string;
  readonly monetary: string;
  /** Where the model has it. */
  readonly tenure?: string;
}

export interface EventValues {
  readonly firstOrder: string | null;
  readonly lastOrder: string | null;
  readonly orders: number;
  /** Minor units of the model's currency. */
  readonly spend: number;
  readonly ordersEver: number;
  readonly spendEver: number;
  readonly points: number;
}

/** Reads the body of a migration's record. Undefined where it is not one. */
export function parseMigration(body: Uint8Array | string): MigrationEvent | undefined {
  let event: Partial<MigrationEvent> | null;
  try {
    event = JSON.parse(typeof body === "string" ? body : new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined; // not JSON: the caller says what that means for it
  }
  return event?.type === MIGRATION_TYPE && typeof event.data === "object" ? (event as MigrationEvent) : undefined;
}

/** The ledger record of a dead letter: the item's own bytes, and in header lines what is known of it. */
export function encodeDeadLetter(dead: DeadLetter, settings: Settings, partition: number): LedgerRecord {
  return LedgerRecord.of({
    number: dead.number,
    position: dead.sequence,
    subject: deadSubject(settings.name, partition, dead.reason),
    head: encodeHead({
      "Content-Type": DEAD_CONTENT_TYPE,
      "Tidemark-Reason": dead.reason,
      "Tidemark-Subject": dead.subject,
      "Tidemark-Position": String(dead.sequence),
      "Tidemark-Index": String(dead.index),
      "Tidemark-Length": String(dead.length),
      "Tidemark-Clock": String(dead.clock),
      // Percent-encoded: a header holds neither line breaks nor, on every client, more than ASCII.
      ...(dead.customer === null ? {} : { "Tidemark-Customer": encodeURIComponent(dead.customer) }),
    }),
    body: dead.bytes,
  });
}
