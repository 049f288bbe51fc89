// The kernel as it ships, with a border of its own for orders that are decoded already, and its physical limit in the
// same memory. Prepared orders lie in the input region:
//
//   INPUT | texts: PREPARED_MAX × TEXT_BYTES (id 12, pad 4, customer 12, pad 4) | Items: PREPARED_MAX × ITEM_BYTES |
import { FINE, Item, ORDER } from "../../core/item";
import { beginMessage, decodeBlock } from "../../core/decode/decode";
import { beginMessage, decodeBlock } from "../../core/decode/decode";
import { DONE, applyBlock, startBlock } from "../../core/kernel";
import {
  INPUT,
  INPUT_BYTES,
  ITEMS,
  ITEMS_MAX,
  ITEM_BYTES,
  customerBytes,
  customerMax,
  customers,
  entryMax,
  eventLineCount,
  eventSlots,
  idLineCount,
  idSlots,
  log,
  ENTRY_BYTES,
} from "../../core/layout";
import { clearOutput } from "../../core/output";

export * from "../../core/kernel";

export const PREPARED_MAX: u32 = 0x10000;
const TEXT_BYTES: u32 = 32;
const TEXTS: usize = INPUT + 64; // behind the header of a message without a body
const PREPARED: usize = TEXTS + <usize>PREPARED_MAX * TEXT_BYTES;
if (PREPARED + <usize>PREPARED_MAX * ITEM_BYTES > INPUT + INPUT_BYTES) ERROR("The prepared orders do not fit");

let state: u64 = 0;

/** SplitMix64 (Steele, Lea and Flood, 2014). */
@inline function random(): u64 {
  state += 0x9e3779b97f4a7c15;
  let z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

/** A number below `count`. */
@inline function below(count: u32): u32 {
  return <u32>(((random() >> 32) * <u64>count) >> 32);
}

export function seed(value: u32): void {
  state = value;
}

/** Twelve bytes: a letter and eleven digits. */
function writeName(at: usize, letter: u8, number: u64): void {
  store<u8>(at, letter);
  for (let digit: usize = 11; digit > 0; digit--, number /= 10) store<u8>(at + digit, <u8>(48 + (number % 10)));
}

/**
 * Prepares `count` in-time orders, `step` µs apart from `time` ms on, numbered from `first` on. Customers: uniform
 * over `population`, or, where that is 0, each order's own number.
 */
export function prepare(count: u32, first: f64, population: u32, time: f64, step: f64): void {
  for (let n: u32 = 0; n < count; n++) {
    const text = TEXTS + <usize>n * TEXT_BYTES;
    const number = <u64>first + n;
    writeName(text, 111, number);
    writeName(text + 16, 99, population == 0 ? number : <u64>below(population));
    const item = changetype<Item>(PREPARED + <usize>n * ITEM_BYTES);
    memory.fill(changetype<usize>(item), 0, ITEM_BYTES);
    item.id = text;
    item.idLength = 12;
    item.customer = text + 16;
    item.customerLength = 12;
    item.channel = INPUT + 32; // a subject or a channel that a first message has brought
    item.channelLength = 3;
    item.time = <i64>(time + (<f64>n * step) / 1000);
    item.amount = 1 + below(3000); // three of them stay in the lowest band
    item.kind = ORDER;
    item.verdict = FINE;
    item.header = INPUT;
    item.place = 1;
  }
  store<u32>(INPUT + 32, 0x626577); // "web"
}

/**
 * Decodes the messages that lie in the input, of `count` items in all, and prepares these. Returns how many there are.
 * Their texts stay where they are, so they must be such as need no unescaping.
 */
export function prepareMessages(count: u32): u32 {
  let header = INPUT;
  let done: u32 = 0;
  while (done < count) {
    const length = load<u32>(header);
    const body = header + 24 + load<u16>(header, 4);
    beginMessage(body, length, load<u8>(header, 6));
    for (let items = decodeBlock(0, ITEMS_MAX); items != 0; items = decodeBlock(0, ITEMS_MAX)) {
      memory.copy(PREPARED + <usize>done * ITEM_BYTES, ITEMS, items * ITEM_BYTES);
      for (let n: u32 = 0; n < items; n++) {
        const item = changetype<Item>(PREPARED + <usize>(done + n) * ITEM_BYTES);
        item.header = INPUT;
        item.place = 1; // its message is open
      }
      done += items;
    }
    header = (body + length + 7) & ~7;
    assert(header <= PREPARED, "the messages end before the prepared orders");
  }
  return done;
}

/** Applies the prepared orders from number `from` to `to`; what they put out is left. Returns the last status. */
export function applyPrepared(from: u32, to: u32): i32 {
  let status = DONE;
  while (from < to) {
    const count = min(to - from, ITEMS_MAX);
    memory.copy(ITEMS, PREPARED + <usize>from * ITEM_BYTES, count * ITEM_BYTES);
    startBlock(count);
    do {
      clearOutput();
      status = applyBlock();
    } while (status > DONE && status < 2);
    if (status != DONE) return status;
    from += count;
  }
  return status;
}

@inline function touch(at: usize): void {
  store<u32>(at, load<u32>(at) ^ nothing);
}

/** Not a constant for the compiler, so that what is written back is not known to be what was read. */
let nothing: u32 = 0;

/**
 * The limit: `count` times, a random line of each of the customers' index, the customers, the events' index and the
 * log is read and written back. All that is reserved takes part; the keys are as `prepare` draws them.
 */
export function readWrite(count: u32): void {
  for (let n: u32 = 0; n < count; n++) {
    const key = random();
    const more = random();
    touch(idSlots + ((<usize>(((key >> 32) * <u64>idLineCount) >> 32)) << 6));
    touch(customers + <usize>(((key & 0xffff_ffff) * <u64>customerMax) >> 32) * customerBytes);
    touch(eventSlots + ((<usize>(((more >> 32) * <u64>eventLineCount) >> 32)) << 6));
    touch(log + <usize>(((more & 0xffff_ffff) * <u64>entryMax) >> 32) * ENTRY_BYTES);
  }
}
