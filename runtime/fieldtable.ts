/**
 * Compiles a source into the binary table that the kernel's decoder reads (drawn in core/decode/table.ts):
 * a trie of the mapped paths, the rules of the zone, and the texts of statuses and guests.
 */
import { InputError } from "./errors.js";
import { FIELDS, type Source, type StatusMeaning } from "./settings.js";
import { zoneRules } from "./zone.js";

/** Bytes that the kernel reserves for each source. */
export const FIELD_TABLE_BYTES_MAX = 0x10000;
/** Keys of one path. */
export const PATH_KEYS_MAX = 4;
/** UTF-8 bytes of one key. */
export const KEY_BYTES_MAX = 256;
/** UTF-8 bytes of one text that a status or a guest is compared with. */
export const TEXT_BYTES_MAX = 256;

const NO_SLOT = 15;
const HEAD_BYTES = 56;
const NODE_HEAD_BYTES = 8;
const ENTRY_BYTES = 32;
const RULE_BYTES = 16;
const LISTED_BYTES = 12;

const MEANINGS: Readonly<Record<StatusMeaning, number>> = { order: 0, cancel: 1, skip: 2 };
const UNKNOWN_STATUS = 3;

/** A level of the trie: what each key leads to. */
interface Node {
  readonly entries: Map<string, { slot: number | null; child: Node | null }>;
}

/** The table of a source. Throws InputError (CONFIG_INVALID) for a path or text that is too long, no path at all, or a table above 64 KiB. */
export function encodeSource(source: Source): Uint8Array {
  const paths = new Map<string, number>();
  const root: Node = { entries: new Map() };
  const slots = FIELDS.map((field) => {
    const path = source.fields[field];
    return path === undefined ? NO_SLOT : enterPath(root, path, paths, `sources.${source.name}.fields.${field}`);
  });

  if (root.entries.size === 0)
    throw new InputError(
      "CONFIG_INVALID",
      `sources.${source.name}.fields: at least one field was expected, found none`,
    );

  const writer = new TableWriter(source.name);
  writer.reserve(HEAD_BYTES);
  const rootAt = writeNode(writer, root);
  const channel = writer.text(source.channel);
  const rules = source.zone === undefined ? [] : zoneRules(source.zone);
  const rulesAt = writer.reserve(RULE_BYTES * rules.length);
  for (const [n, rule] of rules.entries()) {
    const at = rulesAt + n * RULE_BYTES;
    writer.view.setBigInt64(at, rule.local === Number.NEGATIVE_INFINITY ? -(2n ** 63n) : BigInt(rule.local), true);
    writer.view.setBigInt64(at + 8, BigInt(rule.offset), true);
  }
  const { "*": other, ...statuses } = source.status;
  const meanings = Object.entries(statuses).map(([text, meaning]) => [text, MEANINGS[meaning]] as const);
  const hasStatuses = Object.keys(source.status).length > 0;
  const statusesAt = writeListed(writer, meanings);
  const guestsAt = writeListed(
    writer,
    source.guests.map((guest) => [guest, 1] as const),
  );

  const words = [rootAt, channel.at, channel.length, rulesAt, rules.length];
  words.push(statusesAt, meanings.length, guestsAt, source.guests.length);
  for (const [n, word] of words.entries()) writer.view.setUint32(n * 4, word, true);
  const statusOther = other !== undefined ? MEANINGS[other] : hasStatuses ? UNKNOWN_STATUS : MEANINGS.order;
  const flags = [source.amounts === "decimal", source.negative === "refund", source.anonymous === "reject"];
  writer.bytes.set([statusOther, ...flags.map(Number), ...slots], 36);
  const extras = slots.slice(FIELDS.indexOf("kind")); // all fields from it on are seldom there
  writer.view.setUint32(
    52,
    extras.reduce((bits, slot) => bits | (1 << slot), 0),
    true,
  );
  return writer.bytes.slice(0, writer.length);
}

/** Enters a path and returns its slot: the one it has already where another field has the same path. */
function enterPath(root: Node, path: readonly string[], paths: Map<string, number>, where: string): number {
  if (path.length === 0 || path.length > PATH_KEYS_MAX)
    throw new InputError("CONFIG_INVALID", `${where}: a path has 1 to ${PATH_KEYS_MAX} keys, found ${path.length}`);
  let node = root;
  for (const key of path.slice(0, -1)) {
    const entry = entryOf(node, key);
    entry.child ??= { entries: new Map() };
    node = entry.child;
  }
  for (const key of path) checkText(key, KEY_BYTES_MAX, where);
  const name = JSON.stringify(path);
  const slot = paths.get(name) ?? paths.size;
  paths.set(name, slot);
  entryOf(node, path[path.length - 1] as string).slot = slot;
  return slot;
}

function entryOf(node: Node, key: string) {
  let entry = node.entries.get(key);
  if (entry === undefined) {
    entry = { slot: null, child: null };
    node.entries.set(key, entry);
  }
  return entry;
}

function checkText(text: string, max: number, where: string): void {
  const { length } = encoder.encode(text);
  if (length > max) throw new InputError("CONFIG_INVALID", `${where}: at most ${max} bytes, found ${length}`);
}

/** Bit set of the slots at and under an entry. */
function slotsBeneath(entry: { slot: number | null; child: Node | null }): number {
  let slots = entry.slot === null ? 0 : 1 << entry.slot;
  for (const below of entry.child?.entries.values() ?? []) slots |= slotsBeneath(below);
  return slots;
}

function writeNode(writer: TableWriter, node: Node): number {
  const at = writer.reserve(NODE_HEAD_BYTES + ENTRY_BYTES * node.entries.size);
  writer.view.setUint32(at, node.entries.size, true);
  let entryAt = at + NODE_HEAD_BYTES;
  for (const [key, entry] of node.entries) {
    const text = writer.text(key);
    const child = entry.child === null ? 0 : writeNode(writer, entry.child);
    const head = new Uint8Array(8);
    head.set(encoder.encode(key).subarray(0, 8));
    writer.bytes.set(head, entryAt);
    const words = [text.length, text.at, child, slotsBeneath(entry)];
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what JSON must escape
    const isPlain = !/["\\\u0000-\u001f]/.test(key);
    words.push(entry.slot === null ? 0 : 1 << entry.slot, (entry.slot ?? NO_SLOT) | (Number(isPlain) << 16));
    for (const [n, word] of words.entries()) writer.view.setUint32(entryAt + 8 + n * 4, word, true);
    entryAt += ENTRY_BYTES;
  }
  return at;
}

function writeListed(writer: TableWriter, listed: readonly (readonly [text: string, meaning: number])[]): number {
  const at = writer.reserve(LISTED_BYTES * listed.length);
  for (const [n, [text, meaning]] of listed.entries()) {
    checkText(text, TEXT_BYTES_MAX, "sources: a status or guest");
    const { at: textAt, length } = writer.text(text);
    for (const [k, word] of [textAt, length, meaning].entries())
      writer.view.setUint32(at + n * LISTED_BYTES + k * 4, word, true);
  }
  return at;
}

const encoder = new TextEncoder();

/** Writes a table front to back; every part begins at a multiple of 8. */
class TableWriter {
  readonly bytes = new Uint8Array(FIELD_TABLE_BYTES_MAX);
  readonly view = new DataView(this.bytes.buffer);
  length = 0;

  constructor(readonly source: string) {}

  /** Room of so many bytes; where it begins. */
  reserve(bytes: number): number {
    const at = this.length;
    const length = at + Math.ceil(bytes / 8) * 8;
    if (length > FIELD_TABLE_BYTES_MAX)
      throw new InputError(
        "CONFIG_INVALID",
        `sources.${this.source}: its paths, statuses and guests take more than ${FIELD_TABLE_BYTES_MAX} bytes`,
        { remedy: "List fewer statuses or guests for this source." },
      );
    this.length = length;
    return at;
  }

  text(text: string): { at: number; length: number } {
    const bytes = encoder.encode(text);
    const at = this.reserve(bytes.length);
    this.bytes.set(bytes, at);
    return { at, length: bytes.length };
  }
}
