// Channels by number and the currency of an event. The runtime writes the configured channels at start;
// a channel first seen in an event takes the next number.
import { CHANNELS, CHANNEL_BYTES } from "./layout";

/** A currency as 15 bits: three letters of five bits, A = 1; 0 is none. */
export const NO_CURRENCY: u16 = 0;

@unmanaged export class Channel {
  currency: u16; // of an event on it that names none; 0: none
  length: u8;
  pad0: u8;
  pad1: u32;
  // its name follows
}
export const CHANNEL_NAME: usize = 8;

@inline export function channelAt(number: u32): Channel {
  return changetype<Channel>(CHANNELS + <usize>number * CHANNEL_BYTES);
}
