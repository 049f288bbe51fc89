// The event under way: what a migration names as its cause and a dead letter holds. One at a time, so it is global.
import { Item } from "./item";

/** Input position of its message. */
export let sequence: f64 = 0;
export let silent: bool = false;
export let subject: usize = 0;
export let subjectLength: u32 = 0;
/** Its place in the message. */
export let index: u32 = 0;
/** The event itself; null between events. */
export let event: Item = changetype<Item>(0);
/** Its channel's number, 255 before it is known. */
export let channel: u8 = 255;

export function openMessage(at: f64, isSilent: bool, subjectAt: usize, length: u32): void {
  sequence = at;
  silent = isSilent;
  subject = subjectAt;
  subjectLength = length;
  index = 0;
  event = changetype<Item>(0);
}

export function openEvent(item: Item, place: u32): void {
  event = item;
  index = place;
  channel = 255;
}

export function nameChannel(number: u8): void {
  channel = number;
}

export function closeEvent(): void {
  event = changetype<Item>(0);
}
