// What a block of events will touch is read before the first of them is applied, in passes over the whole block: the
// reads of one pass do not wait for each other, so that their cache misses overlap (as in Chen, Ailamaki, Gibbons and
// Mowry, "Improving hash join performance through prefetching", 2004: group prefetching). Nothing is decided here:
// what is read is read again, from the cache, by the event whose turn it is.
import { Customer, customerAt, idAt } from "./customers";
import * as ITEM from "./item";
import { Item } from "./item";
import { identify } from "./judge";
import { ITEMS, ITEM_BYTES, eventSlotCount, eventSlots, idSlotCount, idSlots } from "./layout";
import { entryAddress } from "./log";
import { homeOf, nextSlot, slotNumber, slotTag, tagOf } from "./lookup";

/** Of the words read, so that no compiler leaves the reading out. */
let touched: u32 = 0;

/** Reads ahead for the first `count` items of the block. */
export function lookAhead(count: u32): void {
  let sum: u32 = 0;
  for (let n: u32 = 0; n < count; n++) {
    const item = changetype<Item>(ITEMS + <usize>n * ITEM_BYTES);
    if (item.verdict != ITEM.FINE) continue;
    identify(item);
    sum += slotNumber(idSlots, homeOf(tagOf(item.customerHash), idSlotCount));
    sum += slotNumber(eventSlots, homeOf(tagOf(item.hash), eventSlotCount));
  }
  // With one item nothing overlaps.
  if (count > 1) {
    for (let n: u32 = 0; n < count; n++) {
      const item = changetype<Item>(ITEMS + <usize>n * ITEM_BYTES);
      if (item.verdict != ITEM.FINE) continue;
      item.number = likely(idSlots, idSlotCount, item.customerHash);
      sum += customerAt(item.number).newest;
      sum += load<u32>(entryAddress(likely(eventSlots, eventSlotCount, item.hash)));
    }
    for (let n: u32 = 0; n < count; n++) {
      const item = changetype<Item>(ITEMS + <usize>n * ITEM_BYTES);
      if (item.verdict != ITEM.FINE) continue;
      const customer = customerAt(item.number);
      sum += load<u8>(idAt(customer));
      sum += load<u32>(entryAddress(customer.newest));
    }
  }
  touched = sum;
}

/** The first number with the hash's tag, 0 for none: nearly always the one that is looked for. */
@inline function likely(slots: usize, count: u32, hash: u64): u32 {
  const tag = tagOf(hash);
  let slot = homeOf(tag, count);
  let number = slotNumber(slots, slot);
  while (number != 0 && slotTag(slots, slot) != tag) {
    slot = nextSlot(slot, count);
    number = slotNumber(slots, slot);
  }
  return number;
}
