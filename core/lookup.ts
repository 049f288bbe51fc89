// Open addressing with linear probing (Knuth, TAOCP 6.4, algorithms L and R). A slot is 8 bytes: the upper half of
// the key's hash and the number of what it names, 0 for a free slot. The home of a key comes from the half that is
// kept, so removal shifts slots back without looking at keys, and no marker of a removed key is left behind.

@inline export function tagOf(hash: u64): u32 {
  return <u32>(hash >> 32);
}

@inline export function homeOf(tag: u32, count: u32): u32 {
  return <u32>((<u64>tag * <u64>count) >> 32);
}

@inline export function slotNumber(slots: usize, slot: u32): u32 {
  return load<u32>(slots + (<usize>slot << 3));
}

@inline export function slotTag(slots: usize, slot: u32): u32 {
  return load<u32>(slots + (<usize>slot << 3), 4);
}

@inline export function nextSlot(slot: u32, count: u32): u32 {
  return slot + 1 == count ? 0 : slot + 1;
}

@inline export function setSlot(slots: usize, slot: u32, tag: u32, number: u32): void {
  store<u32>(slots + (<usize>slot << 3), number);
  store<u32>(slots + (<usize>slot << 3), tag, 4);
}

/** Enters `number` under `hash`. There is always a free slot: there are more slots than numbers. */
export function insertSlot(slots: usize, count: u32, hash: u64, number: u32): void {
  const tag = tagOf(hash);
  let slot = homeOf(tag, count);
  while (slotNumber(slots, slot) != 0) slot = nextSlot(slot, count);
  setSlot(slots, slot, tag, number);
}

/** Slot of `number`, which is entered under `hash`. */
export function slotOf(slots: usize, count: u32, hash: u64, number: u32): u32 {
  let slot = homeOf(tagOf(hash), count);
  while (slotNumber(slots, slot) != number) {
    assert(slotNumber(slots, slot) != 0, "the number is entered under this hash");
    slot = nextSlot(slot, count);
  }
  return slot;
}

/** Takes `number`, which is entered under `hash`, out again. */
export function removeSlot(slots: usize, count: u32, hash: u64, number: u32): void {
  let hole = slotOf(slots, count, hash, number);
  let slot = hole;
  while (true) {
    slot = nextSlot(slot, count);
    if (slotNumber(slots, slot) == 0) break;
    const home = homeOf(slotTag(slots, slot), count);
    // Between hole and slot (cyclically) lies its home: it may not move back past it.
    const stays = hole <= slot ? hole < home && home <= slot : hole < home || home <= slot;
    if (stays) continue;
    setSlot(slots, hole, slotTag(slots, slot), slotNumber(slots, slot));
    hole = slot;
  }
  setSlot(slots, hole, 0, 0);
}
