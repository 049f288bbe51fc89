/**
 * Every subject and stream name, in one place, and the partition of a customer.
 *
 *   what            stream                 subjects
 *   orders          <name>_orders_<p>      <name>.orders.<p>.<channel>, <name>.orders.<p>._control
 *   ledger          <name>_ledger_<p>      <name>.migrations.<p>.>, <name>.dead.<p>.>
 *   all migrations  <name>_migrations      (gathers the ledgers)
 *   dead letters    <name>_dead            (gathers the ledgers)
 *
 * From layout 2 on the streams' names end in its number: `<name>_orders_<p>_l2`. Subjects are the same in every layout.
 */
import type { Reason } from "./record.js";
import type { Settings } from "./settings.js";

const utf8 = new TextEncoder();
const PLAIN = /^[A-Za-z0-9_-]*$/;

/** True of the bytes A-Z a-z 0-9 _ -. */
function isPlain(byte: number): boolean {
  return (
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x5f ||
    byte === 0x2d
  );
}

/** `text` as one subject token: UTF-8 bytes outside `A-Za-z0-9_-` become `=XX`. Reversible; never throws. */
export function token(text: string): string {
  if (PLAIN.test(text)) return text;
  let result = "";
  for (const byte of utf8.encode(text)) {
    result += isPlain(byte) ? String.fromCharCode(byte) : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return result;
}

/**
 * A model's or segment's name as a subject token made for reading: ASCII letters in lower case, spaces as `-`,
 * the rest as `token`. Not reversible: the configuration refuses two names that meet here.
 */
export function nameToken(name: string): string {
  return token(name.replace(/[A-Z]/g, (letter) => letter.toLowerCase()).replaceAll(" ", "-"));
}

/** The token of a customer who is in no segment. */
export const NULL_TOKEN = "null";

/** FNV-1a, 32 bits (Fowler, Noll, Vo), as an unsigned number. */
export function fnv1a32(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** FNV-1a, 32 bits, of the customer as a subject token. */
export function customerHash(customer: string): number {
  const escaped = token(customer);
  let hash = 0x811c9dc5;
  for (let i = 0; i < escaped.length; i++) hash = Math.imul(hash ^ escaped.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The customer's partition, 0 to `partitions` − 1: what the broker's `partition()` mapping computes for the token. */
export function partitionOf(customer: string, partitions: number): number {
  return customerHash(customer) % partitions;
}

const CONTROL = "_control";
/** Last token of the control subjects of Tidemark's own streams. */
export const CONTROL_TOKEN = CONTROL;

/** Where an order event of the channel is published. A channel called `_control` never meets the control subject. */
export function ordersSubject(name: string, partition: number, channel: string): string {
  return `${name}.orders.${partition}.${channel === CONTROL ? `=5F${CONTROL.slice(1)}` : token(channel)}`;
}

/** The partition that a subject of Tidemark's own orders streams names; null for any other subject. */
export function ordersPartition({ name, partitions, sources }: Settings, subject: string): number | null {
  if (sources[0]?.adopt !== undefined || !subject.startsWith(`${name}.orders.`)) return null;
  const number = Number(subject.slice(name.length + 8).split(".", 1)[0] || Number.NaN);
  return Number.isInteger(number) && number >= 0 && number < partitions ? number : null;
}

/** Where the owner publishes ticks, `live` and `model`. Producers may not write here. */
export function controlSubject(name: string, partition: number): string {
  return `${name}.orders.${partition}.${CONTROL}`;
}

/** Of which streams the names are: those of an instance, in one of its layouts. */
export type Layout = Pick<Settings, "name" | "layout">;

/** Of a stream or bucket. */
function layoutName({ name, layout }: Layout, what: string): string {
  return layout === 1 ? `${name}_${what}` : `${name}_${what}_l${layout}`;
}

export function ordersStream(layout: Layout, partition: number): string {
  return layoutName(layout, `orders_${partition}`);
}

/** What the orders stream of the partition takes. */
export function ordersSubjects(name: string, partition: number): string[] {
  return [`${name}.orders.${partition}.>`];
}

export function ledgerStream(layout: Layout, partition: number): string {
  return layoutName(layout, `ledger_${partition}`);
}

/** What the ledger stream of the partition takes: its migrations and its dead letters. */
export function ledgerSubjects(name: string, partition: number): string[] {
  return [`${name}.migrations.${partition}.>`, `${name}.dead.${partition}.>`];
}

export function migrationsStream(layout: Layout): string {
  return layoutName(layout, "migrations");
}

/** All migrations, of every partition. */
export function migrationsSubjects(name: string): string {
  return `${name}.migrations.>`;
}

export function deadStream(layout: Layout): string {
  return layoutName(layout, "dead");
}

/** Bucket of the object store. */
export function checkpointsBucket(layout: Layout): string {
  return layoutName(layout, "checkpoints");
}

/** Of the layout's checkpoints, within the folder for all of them. */
export function checkpointsFolder({ name, layout }: Layout): string {
  return layout === 1 ? name : `${name}_l${layout}`;
}

/** All dead letters, of every partition. */
export function deadSubjects(name: string): string {
  return `${name}.dead.>`;
}

/** Where the engine copies a ledger record, for a broker that can't gather by itself. */
export function gatheredSubject(name: string, subject: string): string {
  return `${name}.gathered.${subject.slice(name.length + 1)}`;
}

/** Subject of a migration. `from` and `to` are segment names, null for none; `change` is `bands` where they are one. */
export function migrationSubject(
  name: string,
  partition: number,
  model: string,
  change: "segment" | "bands",
  from: string | null,
  to: string | null,
): string {
  const [left, right] = [from, to].map((segment) => (segment === null ? NULL_TOKEN : nameToken(segment)));
  return `${name}.migrations.${partition}.${nameToken(model)}.${change}.${left}.${right}`;
}

export function deadSubject(name: string, partition: number, reason: Reason): string {
  return `${name}.dead.${partition}.${reason}`;
}

/** Whether a ledger record's subject is a dead letter's. (The instance's name is one token.) */
export function isDeadSubject(subject: string): boolean {
  return subject.startsWith("dead.", subject.indexOf(".") + 1);
}

/** True where the subject is one that the pattern (with `*` and a final `>`) takes. */
export function subjectMatches(pattern: string, subject: string): boolean {
  const wanted = pattern.split(".");
  const found = subject.split(".");
  for (const [i, part] of wanted.entries()) {
    if (part === ">") return found.length > i;
    if (found[i] === undefined || (part !== "*" && part !== found[i])) return false;
  }
  return found.length === wanted.length;
}

/** Number of the source that a message on this subject comes from: the first later one that takes it, else source 0. */
export function sourceOf(settings: Pick<Settings, "sources">, subject: string): number {
  const found = settings.sources.findIndex(
    (source, i) => i > 0 && source.subjects.some((pattern) => subjectMatches(pattern, subject)),
  );
  return Math.max(found, 0);
}
