/**
 * Publishes of ledger records in the bytes of the client protocol, many in one piece, for `Broker.send`:
 *
 *   HPUB <subject> <reply> <bytes of headers> <bytes of headers and body>
 *   NATS/1.0
 *   <the record's header lines>
 *   Nats-Expected-Last-Sequence: <number − 1>
 *
 *   <body>
 *
 * A record costs its bytes and no object; through the client's `publish` with its headers it costs six times as much.
 */
import { ByteWriter } from "../../runtime/bytewriter.js";
import type { LedgerRecord } from "../../runtime/record.js";

const utf8 = new TextEncoder();
/** Behind the line's own end. */
const VERSION = utf8.encode("\r\nNATS/1.0\r\n");
const EXPECTED = utf8.encode("Nats-Expected-Last-Sequence: ");
const HEAD_END = utf8.encode("\r\n\r\n");
const LINE_END = utf8.encode("\r\n");
/** Of the headers, beside the record's lines and the digits of the number expected. */
const HEADERS_BYTES = VERSION.length - 2 + EXPECTED.length + HEAD_END.length;
/** What a publish takes beside its line's first words, the record's header lines and its body. */
const ENVELOPE_BYTES_MAX = 256;
/** What waits is sent when it is so much. */
const PIECE_BYTES = 64 * 1024;
/** A model has some dozens of moves between segments; the gathering streams take those of all partitions. */
const SUBJECTS_KEPT = 4_096;

export class Publishes {
  readonly #send: (commands: Uint8Array) => void;
  readonly #writer = new ByteWriter();
  /** The first three words of a line, by subject. */
  readonly #lines = new Map<string, Uint8Array>();
  #reply = "";
  /** Where what waits begins. */
  #from = 0;

  /** `send` gets the pieces; it may throw. */
  constructor(send: (commands: Uint8Array) => void) {
    this.#send = send;
  }

  /** Forgets what waits; answers to what comes now go to this subject. */
  begin(reply: string): void {
    this.#reply = reply;
    this.#lines.clear();
    this.#from = this.#writer.at;
  }

  /** Writes a publish behind those that wait, and sends them where there are enough. Throws what `send` throws. */
  add({ subject, number, bytes, from, bodyAt, end }: LedgerRecord): void {
    const writer = this.#writer;
    const line = this.#line(subject);
    const most = line.length + end - from + ENVELOPE_BYTES_MAX;
    if (!writer.fits(most)) {
      this.flush();
      writer.reserve(most);
      this.#from = writer.at;
    }
    const headers = HEADERS_BYTES + bodyAt - from + digitsOf(number - 1);
    writer.fragment(line);
    writer.integer(headers);
    writer.byte(32);
    writer.integer(headers + end - bodyAt);
    writer.fragment(VERSION);
    writer.part(bytes, from, bodyAt);
    writer.fragment(EXPECTED);
    writer.integer(number - 1);
    writer.fragment(HEAD_END);
    writer.part(bytes, bodyAt, end);
    writer.fragment(LINE_END);
    if (writer.at - this.#from >= PIECE_BYTES) this.flush();
  }

  /** Sends what waits. Throws what `send` throws; then it waits no longer. */
  flush(): void {
    const from = this.#from;
    if (this.#writer.at === from) return;
    this.#from = this.#writer.at;
    this.#send(this.#writer.since(from));
  }

  #line(subject: string): Uint8Array {
    let line = this.#lines.get(subject);
    if (line === undefined) {
      if (this.#lines.size >= SUBJECTS_KEPT) this.#lines.clear();
      line = utf8.encode(`HPUB ${subject} ${this.#reply} `);
      this.#lines.set(subject, line);
    }
    return line;
  }
}

function digitsOf(number: number): number {
  let digits = 1;
  for (let rest = number; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  return digits;
}
