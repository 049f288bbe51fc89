/**
 * Sequence, stamp and pending messages out of the reply subject of a delivered message, from its bytes: no string, no
 * object and no rounding double a message.
 *
 *   $JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.<consumer sequence>.<nanoseconds>.<pending>
 *   $JS.ACK.<domain>.<account>.<stream>. … .<pending>.<random>   where the server names domain and account
 */

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

/** True of the reply subject of a message that a consumer delivers. */
export function isDelivery(reply: Uint8Array | undefined): reply is Uint8Array {
  if (reply === undefined || reply.length < PREFIX.length) return false;
  for (let i = 0; i < PREFIX.length; i++) if (reply[i] !== PREFIX.charCodeAt(i)) return false;
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

  /** Reads a reply subject for which `isDelivery`, from its end. */
  read(reply: Uint8Array): void {
    if (this.#tokensBehind < 0) this.#tokensBehind = tokensBehindPending(reply);
    this.#at = reply.length - 1;
    for (let n = 0; n < this.#tokensBehind; n++) this.#pass(reply);
    this.pending = this.#number(reply);
    this.#at -= NANO_DIGITS;
    this.stamp = this.#number(reply);
    this.#pass(reply);
    this.sequence = this.#number(reply);
  }

  /** The how-manieth of its consumer the same delivery is, counted from 1. */
  deliveryOf(reply: Uint8Array): number {
    this.#at = reply.length - 1;
    for (let n = 0; n < this.#tokensBehind + 2; n++) this.#pass(reply);
    return this.#number(reply);
  }

  /** The number that ends where we are. Exact to 2^53. */
  #number(reply: Uint8Array): number {
    let at = this.#at;
    let value = 0;
    let scale = 1;
    for (let byte = reply[at] as number; byte !== DOT && at >= 0; byte = reply[--at] as number) {
      value += (byte - ZERO) * scale;
      scale *= 10;
    }
    this.#at = at - 1;
    return value;
  }

  #pass(reply: Uint8Array): void {
    let at = this.#at;
    while (at >= 0 && reply[at] !== DOT) at--;
    this.#at = at - 1;
  }
}

function tokensBehindPending(reply: Uint8Array): number {
  let dots = 0;
  for (const byte of reply) if (byte === DOT) dots++;
  return dots - (dots >= LONG_FORM_DOTS ? LONG_PENDING : SHORT_PENDING);
}
