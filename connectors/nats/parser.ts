/**
 * Reads messages out of what the socket brings, in place of the parser of the npm package `nats`: that one looks at
 * every byte of lines and bodies in a state machine and makes nine objects a message, which took a third of a thread
 * that reads orders one a message.
 *
 * Here a message is one look at its line. Only messages of our own subscriptions are taken, and only whole ones: what
 * is cut off by the end of a read waits for the rest. All else of the protocol (INFO, PING, errors, answers to
 * requests) is handed on to the package's own parser, line by line, as it came.
 */
import { BrokerMessage } from "./message.js";

/** Of the npm package. `state` is OP_START between two operations. */
export interface PackageParser {
  readonly state: number;
  parse(bytes: Uint8Array): void;
}

export type Listener = (message: BrokerMessage) => void;

const OP_START = 0;
const SPACE = 0x20;
const TAB = 0x09;
const RETURN = 0x0d;
const NEWLINE = 0x0a;
const ZERO = 0x30;
const MESSAGE = Buffer.from("msg");
const HEADED_MESSAGE = Buffer.from("hmsg");
/** Of a letter, also of a small one. */
const SMALL = 0x20;
/** A line of a message: two subjects, and three numbers. What has no end by then is the package's to judge. */
const LINE_BYTES_MAX = 64 * 1024;
/** Of a line, behind the verb: subject, subscription, reply, bytes of headers, bytes. */
const WORDS_MAX = 5;

/** What `#message` returns in place of where the message ends. */
const INCOMPLETE = -1;
const NOT_OURS = -2;

export class MessageParser {
  readonly #package: PackageParser;
  readonly #listeners: ReadonlyMap<number, Listener>;
  /** The beginning of a message, in pieces; their bytes; and how many there must be before it is worth a look. */
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #needed = 0;
  readonly #starts = new Int32Array(WORDS_MAX);
  readonly #ends = new Int32Array(WORDS_MAX);

  /** `listeners`: by number of their subscription. What they throw, `parse` throws. */
  constructor(inner: PackageParser, listeners: ReadonlyMap<number, Listener>) {
    this.#package = inner;
    this.#listeners = listeners;
  }

  /** Takes what came next. The bytes must never change afterwards. Throws where they are not of the protocol. */
  parse(bytes: Uint8Array): void {
    const all = this.#joined(bytes);
    if (all === undefined) return;
    for (let at = 0; at < all.length; ) {
      const end = this.#package.state === OP_START ? this.#message(all, at) : NOT_OURS;
      if (end === INCOMPLETE) {
        this.#pieces = [all.subarray(at)];
        this.#bytes = all.length - at;
        return;
      }
      at = end === NOT_OURS ? this.#pass(all, at) : end;
    }
  }

  /** The bytes behind those that wait for them; undefined where that is still too little. */
  #joined(bytes: Uint8Array): Uint8Array | undefined {
    if (this.#pieces.length === 0) return bytes;
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes < this.#needed) return undefined;
    const all = Buffer.concat(this.#pieces, this.#bytes);
    this.#pieces = [];
    return all;
  }

  /** The package's parser takes what begins at `at`, up to the end of the line. Returns where that is. */
  #pass(all: Uint8Array, at: number): number {
    const newline = all.indexOf(NEWLINE, at);
    const end = newline < 0 ? all.length : newline + 1;
    this.#package.parse(all.subarray(at, end));
    return end;
  }

  /** Takes the message that begins at `at`. Returns where what is behind it begins, INCOMPLETE or NOT_OURS. */
  #message(all: Uint8Array, at: number): number {
    const isHeaded = ((all[at] as number) | SMALL) === HEADED_MESSAGE[0];
    const verb = isHeaded ? HEADED_MESSAGE : MESSAGE;
    for (let i = 0; i < verb.length; i++) {
      if (at + i === all.length) return this.#wait(0);
      if (((all[at + i] as number) | SMALL) !== verb[i]) return NOT_OURS;
    }
    const starts = this.#starts;
    const ends = this.#ends;
    let words = 0;
    let i = at + verb.length;
    if (i < all.length && all[i] !== SPACE && all[i] !== TAB) return NOT_OURS;
    for (let start = i; ; i++) {
      if (i === all.length) return i - at > LINE_BYTES_MAX ? NOT_OURS : this.#wait(0);
      const byte = all[i];
      if (byte === NEWLINE) return NOT_OURS;
      if (byte !== SPACE && byte !== RETURN && byte !== TAB) continue;
      // 2.9.10 has two spaces where there is no reply subject.
      if (i > start) {
        if (words === WORDS_MAX) return NOT_OURS;
        starts[words] = start;
        ends[words++] = i;
      }
      if (byte === RETURN) break;
      start = i + 1;
    }
    const numbers = isHeaded ? 2 : 1;
    if (words < 2 + numbers || words > 3 + numbers) return NOT_OURS;
    const listener = this.#listeners.get(numberIn(all, starts[1] as number, ends[1] as number));
    if (listener === undefined) return NOT_OURS;
    const size = numberIn(all, starts[words - 1] as number, ends[words - 1] as number);
    const headSize = isHeaded ? numberIn(all, starts[words - 2] as number, ends[words - 2] as number) : 0;
    if (size < 0 || headSize < 0 || headSize > size) return NOT_OURS;
    const headAt = i + 2;
    const end = headAt + size;
    if (end + 2 > all.length) return this.#wait(end + 2 - at);
    if (all[i + 1] !== NEWLINE) return NOT_OURS;
    const hasReply = words === 3 + numbers;
    listener(
      new BrokerMessage(
        all,
        starts[0] as number,
        ends[0] as number,
        hasReply ? (starts[2] as number) : 0,
        hasReply ? (ends[2] as number) : 0,
        headAt,
        headAt + headSize,
        end,
      ),
    );
    return end + 2;
  }

  #wait(needed: number): number {
    this.#needed = needed;
    return INCOMPLETE;
  }
}

/** A whole number in decimal digits, -1 for anything else. */
function numberIn(bytes: Uint8Array, from: number, to: number): number {
  let number = 0;
  for (let i = from; i < to; i++) {
    const digit = (bytes[i] as number) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}
