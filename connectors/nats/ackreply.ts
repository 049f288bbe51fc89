/**
 * Sequence, stamp and pending messages out of the reply subject of a delivered message, from its bytes: no string, no
 * object and no rounding double a message.
 *
 *   $JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<consumer sequence>.<nanoseconds>.<pending>
 *   $JS.ACK.<domain>.<account>.<stream>. … .<pending>.<random>   where the server names domain and account
 */

import type { BrokerMessage } from "./message.js";

const DOT = 0x2e;
const ZERO = 0x30;
const PREFIX = "$JS.ACK.";
/** Digits of a nanosecond within a millisecond. */
const NANO_DIGITS = 6;
/** Fewer dots than these: the form without domain and account. */
const LONG_FORM_DOTS = 10;
/** Dots before `pending`, in either form. */
const SHORT_PENDING = 8;
const LONG_PENDING = 10;

type Replied = Pick<BrokerMessage, "bytes" | "replyAt" | "replyEnd">;

/** Is it a message that a consumer delivers? */
export function isDelivery({ bytes, replyAt, replyEnd }: Replied): boolean {
  if (replyEnd - replyAt < PREFIX.length) return false;
  for (let i = 0; i < PREFIX.length; i++) if (bytes[replyAt + i] !== PREFIX.charCodeAt(i)) return false;
  return true;
}

export class AckReply {
  /** Of the stream. */
  sequence = 0;
  /** The broker's, ms, rounded down. */
  stamp = 0;
  /** Messages that the stream holds beyond this one. */
  pending = 0;
  /** Bytes to pass over from the end; found out anew for each consumer. */
  #tokensBehind = -1;
  #at = 0;

  /** Another consumer may have the other form. */
  forget(): void {
    this.#tokensBehind = -1;
  }

  /** Reads the reply subject of a message for which `isDelivery`, from its end. */
  read(message: Replied): void {
    if (this.#tokensBehind < 0) this.#tokensBehind = tokensBehindPending(message);
    const { bytes } = message;
    this.#at = message.replyEnd - 1;
    for (let n = 0; n < this.#tokensBehind; n++) this.#pass(bytes);
    this.pending = this.#number(bytes);
    this.#at -= NANO_DIGITS;
    this.stamp = this.#number(bytes);
    this.#pass(bytes);
    this.sequence = this.#number(bytes);
  }

  /** The how-manieth of its consumer the same delivery is, counted from 1. */
  deliveryOf({ bytes, replyEnd }: Replied): number {
    this.#at = replyEnd - 1;
    for (let n = 0; n < this.#tokensBehind + 2; n++) this.#pass(bytes);
    return this.#number(bytes);
  }

  /** The number that ends where we are. Exact to 2^53. */
  #number(bytes: Uint8Array): number {
    let at = this.#at;
    let value = 0;
    let scale = 1;
    for (let byte = bytes[at] as number; byte !== DOT && at >= 0; byte = bytes[--at] as number) {
      value += (byte - ZERO) * scale;
      scale *= 10;
    }
    this.#at = at - 1;
    return value;
  }

  #pass(bytes: Uint8Array): void {
    let at = this.#at;
    while (at >= 0 && bytes[at] !== DOT) at--;
    this.#at = at - 1;
  }
}

function tokensBehindPending({ bytes, replyAt, replyEnd }: Replied): number {
  let dots = 0;
  for (let i = replyAt; i < replyEnd; i++) if (bytes[i] === DOT) dots++;
  return dots - (dots >= LONG_FORM_DOTS ? LONG_PENDING : SHORT_PENDING);
}
