// What a block of events will touch is read before the first of them is applied, in passes over the whole block: the
// reads of one pass do not wait for each other, so that their cache misses overlap (as in Chen, Ailamaki, Gibbons and
// Mowry, "Improving hash join performance through prefetching", 2004: group prefetching). Nothing is decided here:
// what is read is read again, from the cache, by the event whose turn it is.
import { UNLISTED, findChannel } from "./channels";
import { customerAt, idAt } from "./customers";
import { changedWord } from "./digest";
import * as ITEM from "./item";
import { Item } from "./item";
import { identifyOn } from "./judge";
import { ITEMS, ITEM_BYTES, entryMax, eventLineCount, eventSlots, idLineCount, idSlots } from "./layout";
import { orderAt, timeAt } from "./log";
import { S } from "./status";
import { homeOf, lineAt, numberIn, tagOf, tagged } from "./lookup";

/** Of the words read, so that no compiler leaves the reading out. */
let touched: u32 = 0;

@inline function itemAt(number: u32): Item {
  return changetype<Item>(ITEMS + <usize>number * ITEM_BYTES);
}

/** Reads ahead for the first `count` items of the block. A pass is short, so that many items' reads are under way. */
export function lookAhead(count: u32): void {
  identifyAll(count);
  // With one item nothing overlaps.
  if (count == 1) {
    itemAt(0).number = 0;
    return;
  }
  let sum: u32 = 0;
  for (let n: u32 = 0; n < count; n++) {
    sum += load<u32>(lineAt(idSlots, homeOf(tagOf(itemAt(n).customerHash), idLineCount)));
    sum += load<u32>(lineAt(eventSlots, homeOf(tagOf(itemAt(n).hash), eventLineCount)));
    sum += orderAt(min(S.entryTop + 1 + n, entryMax)).customer;
  }
  for (let n: u32 = 0; n < count; n++) {
    const number = likely(itemAt(n).customerHash);
    itemAt(n).number = number;
    sum += customerAt(number).newest;
  }
  for (let n: u32 = 0; n < count; n++) {
    const number = itemAt(n).number;
    const customer = customerAt(number);
    sum += <u32>changedWord(number);
    sum += load<u8>(idAt(customer)) + <u32>timeAt(customer.newest) + orderAt(customer.newest).next;
  }
  touched = sum;
}

/** Identifies the items. Most have their channel's name from the same place as the one before. */
function identifyAll(count: u32): void {
  let name: usize = 0;
  let length: u32 = 0;
  let channel = UNLISTED;
  for (let n: u32 = 0; n < count; n++) {
    const item = itemAt(n);
    if (item.verdict != ITEM.FINE) continue;
    if (item.channel != name || item.channelLength != length) {
      name = item.channel;
      length = item.channelLength;
      channel = findChannel(name, length);
    }
    identifyOn(item, channel);
  }
}

/**
 * The number with the hash's tag in the line where it belongs, 0 for none there: nearly always the one that is looked
 * for. No branch: a wrong guess at one would end all reading ahead.
 */
@inline function likely(hash: u64): u32 {
  const at = lineAt(idSlots, homeOf(tagOf(hash), idLineCount));
  const found = tagged(at, tagOf(hash));
  return select(numberIn(at, ctz(found) & 7), 0, found != 0);
}
