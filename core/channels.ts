// Channels by number and the currency of an event. The runtime writes the configured channels at start;
// a channel first seen in an event takes the next number.
import { sameBytes } from "./bytes";
import { sipHash } from "./hash";
import { CHANNELS, CHANNELS_MAX, CHANNEL_BYTES, TAKES } from "./layout";
import { S } from "./status";

/** A currency as 15 bits: three letters of five bits, A = 1; 0 is none. */
export const NO_CURRENCY: u16 = 0;

@unmanaged export class Channel {
  currency: u16; // of an event on it that names none; 0: none
  length: u8;
  pad0: u8;
  pad1: u32;
  hash: u64; // of its name
  // its name follows
}
export const CHANNEL_NAME: usize = 16;
if (offsetof<Channel>() != CHANNEL_NAME) ERROR("the name stands behind a Channel");

@inline export function channelAt(number: u32): Channel {
  return changetype<Channel>(CHANNELS + <usize>number * CHANNEL_BYTES);
}

/** The number that no channel has: its place holds the currency that all models share, if they do. */
export const UNLISTED: u8 = 255;

/** The channel found last. Most events are on the same one as the event before. */
let recent: u32 = 0;

@inline function hasName(number: u32, name: usize, length: u32): bool {
  const channel = channelAt(number);
  return channel.length == length && sameBytes(changetype<usize>(channel) + CHANNEL_NAME, name, length);
}

/** Number of the channel with this name, UNLISTED where none has it yet. */
export function findChannel(name: usize, length: u32): u8 {
  const channels = S.channels;
  if (recent < channels && hasName(recent, name, length)) return <u8>recent;
  for (let number: u32 = 0; number < channels; number++) {
    if (!hasName(number, name, length)) continue;
    recent = number;
    return <u8>number;
  }
  return UNLISTED;
}

/**
 * What stands for a channel in the identities of its events: the hash of its name, for numbers are a partition's own.
 * `number` may be UNLISTED.
 */
@inline export function hashOfChannel(number: u8, name: usize, length: u32): u64 {
  return number == UNLISTED ? sipHash(S.key0, S.key1, 0, name, length) : channelAt(number).hash;
}

/** Numbers a channel that is not known. The caller has seen that there is room. */
export function addChannel(name: usize, length: u32): u8 {
  const number = S.channels++;
  const channel = channelAt(number);
  channel.currency = NO_CURRENCY;
  channel.length = <u8>length;
  channel.hash = hashOfChannel(UNLISTED, name, length);
  memory.copy(changetype<usize>(channel) + CHANNEL_NAME, name, length);
  // Models of all channels take it: the column of UNLISTED says which these are.
  for (let model: u32 = 0; model < S.models; model++) {
    const row = TAKES + <usize>(model * CHANNELS_MAX);
    store<u8>(row + number, load<u8>(row + UNLISTED));
  }
  return <u8>number;
}

/** Currency of an event: its own, else its channel's, else the one that all models share, else each model's own. */
export function resolveCurrency(channel: usize, length: u32, currency: u16): u16 {
  if (currency != NO_CURRENCY) return currency;
  const own = channelAt(findChannel(channel, length)).currency;
  return own != NO_CURRENCY ? own : channelAt(UNLISTED).currency;
}
