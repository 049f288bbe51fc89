// The compiled field table of a source: which keys lead to which field. runtime/fieldtable.ts writes it.
//
//   at                 what
//   0                  Table
//   Table.root         nodes: a count (u32, and 4 bytes spare), then its entries, each an Entry
//   (anywhere behind)  rules of the zone (Rule), listed texts (Listed), and the bytes of keys and texts
//
// Offsets count from the table's first byte, 0 is none; nodes and rules begin at multiples of 8. A node is
// one level of the paths' trie. Each path has a slot, where the value found is kept; fields name slots, so
// two fields may share a path.
import { sameBytes } from "../bytes";

/** No value is ever found for this slot: the field is not mapped. */
export const NO_SLOT: u8 = 15;

@unmanaged export class Table {
  root: u32;
  channel: u32; // the source's own, for events that name none
  channelLength: u32;
  rules: u32;
  ruleCount: u32; // 0: a time without offset is refused
  statuses: u32;
  statusCount: u32; // 0: every status means `order`
  guests: u32;
  guestCount: u32;
  statusOther: u8; // meaning of a status that is not listed
  isDecimal: u8;
  negativeRefunds: u8; // a negative order is a refund without order
  guestsRejected: u8; // dead-lettered, else counted and left out
  // Slot of each field, in the order of FIELDS in runtime/settings.ts.
  id: u8;
  customer: u8;
  time: u8;
  amount: u8;
  channelSlot: u8;
  currency: u8;
  kind: u8;
  order: u8;
  version: u8;
  test: u8;
  status: u8;
  cancelled: u8;
  extras: u32; // bit set of the slots from `kind` on: most events have nothing there
}
if (offsetof<Table>() != 56) ERROR("Table is written by runtime/fieldtable.ts");

/** Meanings of a status. */
export const STATUS_ORDER: u8 = 0;
export const STATUS_CANCEL: u8 = 1;
export const STATUS_SKIP: u8 = 2;
export const STATUS_UNKNOWN: u8 = 3;

/** One key of a node. */
@unmanaged export class Entry {
  head: u64; // the key's first 8 bytes, zero behind a shorter one
  length: u32;
  key: u32; // offset of its bytes
  child: u32; // node of the map under it; 0: no path goes on
  beneath: u32; // bit set of the slots under it, its own included
  bit: u32; // 1 << slot; 0: no path ends here
  slot: u16;
  isPlain: u16; // its bytes stand for themselves in a JSON string
}
if (offsetof<Entry>() != 32) ERROR("Entry is written by runtime/fieldtable.ts");

/** From this local time on (ms, as if it were UTC) the zone is `offset` ms ahead of UTC. */
@unmanaged export class Rule {
  local: i64;
  offset: i64;
}

/** A text with a meaning: a status, a guest's id. */
@unmanaged export class Listed {
  text: u32;
  length: u32;
  meaning: u32;
}

const NODE_HEAD: usize = 8;

@inline export function rootOf(table: Table): usize {
  return changetype<usize>(table) + table.root;
}

@inline export function childOf(table: Table, entry: Entry): usize {
  return changetype<usize>(table) + entry.child;
}

@inline export function firstEntry(node: usize): usize {
  return node + NODE_HEAD;
}

@inline function endOfEntries(node: usize): usize {
  return node + NODE_HEAD + <usize>load<u32>(node) * offsetof<Entry>();
}

/** The entry to try first after `entry`: producers write keys in the same order again and again. */
@inline export function entryAfter(node: usize, entry: usize): usize {
  const next = entry + offsetof<Entry>();
  return next == endOfEntries(node) ? node + NODE_HEAD : next;
}

/**
 * Is this the entry of the key of `length` bytes? The whole key, and 8 bytes at least, can be read: so keys in the
 * usual order are found without being looked at byte by byte, and need no check, as the table's own are well-formed.
 */
@inline export function isKey(table: Table, at: usize, key: usize, length: u32): bool {
  const entry = changetype<Entry>(at);
  if (entry.length != length) return false;
  const word = load<u64>(key);
  if (length < 8) return (word & ((<u64>1 << (length << 3)) - 1)) == entry.head;
  return word == entry.head && (length == 8 || sameTail(table, entry, key));
}

/** The node's entry for a key, 0 where there is none; the search begins at `first` and goes round. `head` as `headWord` makes it. */
export function findEntry(table: Table, node: usize, first: usize, head: u64, key: usize, length: u32): usize {
  const end = endOfEntries(node);
  let at = first;
  do {
    const entry = changetype<Entry>(at);
    if (entry.head == head && entry.length == length && (length <= 8 || sameTail(table, entry, key))) return at;
    at += offsetof<Entry>();
    if (at == end) at = node + NODE_HEAD;
  } while (at != first);
  return 0;
}

@inline function sameTail(table: Table, entry: Entry, key: usize): bool {
  return sameBytes(changetype<usize>(table) + entry.key, key, entry.length);
}

/** Meaning of a text in a list of `count`, or `other` where it is not listed. */
export function meaningOf(table: Table, list: u32, count: u32, text: usize, length: u32, other: u32): u32 {
  let at = changetype<usize>(table) + list;
  for (let n: u32 = 0; n < count; n++, at += offsetof<Listed>()) {
    const listed = changetype<Listed>(at);
    if (listed.length != length) continue;
    if (sameBytes(changetype<usize>(table) + listed.text, text, length)) return listed.meaning;
  }
  return other;
}
