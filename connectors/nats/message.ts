/**
 * A message as it lies in the bytes that the socket brought: nothing of it is decoded or copied before it is asked for.
 *
 *   MSG <subject> <subscription> [<reply>] <bytes>                          body
 *   HMSG <subject> <subscription> [<reply>] <bytes of headers> <bytes>      headers body
 *        subjectAt…subjectEnd      replyAt…replyEnd                         headAt…bodyAt…end
 */

const COLON = 0x3a;
const NEWLINE = 0x0a;
const LINE_END = "\r\n";
const VERSION = "NATS/1.0";

export class BrokerMessage {
  constructor(
    /** What the socket brought at a time: never written again. */
    readonly bytes: Uint8Array,
    readonly subjectAt: number,
    readonly subjectEnd: number,
    /** Equal where there is no reply subject. */
    readonly replyAt: number,
    readonly replyEnd: number,
    readonly headAt: number,
    readonly bodyAt: number,
    readonly end: number,
  ) {}

  get subject(): string {
    return this.#text(this.subjectAt, this.subjectEnd);
  }

  /** "" for none. */
  get reply(): string {
    return this.#text(this.replyAt, this.replyEnd);
  }

  /** A view of the body. */
  get data(): Uint8Array {
    return this.bytes.subarray(this.bodyAt, this.end);
  }

  /** Are these bytes (UTF-8) its subject? Makes no string. */
  hasSubject(subject: Uint8Array): boolean {
    const { bytes, subjectAt } = this;
    const { length } = subject;
    if (this.subjectEnd - subjectAt !== length) return false;
    // From the end: there the subjects of one stream differ.
    for (let i = length - 1; i >= 0; i--) if (bytes[subjectAt + i] !== subject[i]) return false;
    return true;
  }

  /** First value of a header, "" for none. Headers that have nothing of that name are not decoded. */
  header(name: string): string {
    if (!this.#hasHeader(name)) return "";
    const line = this.#lines().find((text) => text.startsWith(`${name}:`));
    return line?.slice(name.length + 1).trim() ?? "";
  }

  get headerNames(): readonly string[] {
    const colons = this.#lines().map((line) => [line, line.indexOf(":")] as const);
    return [...new Set(colons.filter(([, colon]) => colon >= 0).map(([line, colon]) => line.slice(0, colon)))];
  }

  /** What the server says in place of a message, such as 408 "Request Timeout"; 0 in a message. */
  get status(): { readonly code: number; readonly description: string } {
    if (this.headAt === this.bodyAt) return { code: 0, description: "" };
    const [line] = this.#text(this.headAt, this.bodyAt).split(LINE_END, 1) as [string];
    const [, code = "0", description = ""] = /^(\d+)\s*(.*)$/.exec(line.slice(VERSION.length).trim()) ?? [];
    return { code: Number(code), description };
  }

  /** The body, parsed. Throws SyntaxError where it is no JSON. */
  json<T>(): T {
    return JSON.parse(this.#text(this.bodyAt, this.end)) as T;
  }

  /** The header lines, the one of the version left out. */
  #lines(): string[] {
    return this.#text(this.headAt, this.bodyAt).split(LINE_END).slice(1);
  }

  /** Does a header line begin with the name? */
  #hasHeader(name: string): boolean {
    const { bytes, bodyAt } = this;
    const { length } = name;
    for (let line = this.headAt; line < bodyAt; line++) {
      if (bytes[line] !== NEWLINE) continue;
      let i = 0;
      while (i < length && bytes[line + 1 + i] === name.charCodeAt(i)) i++;
      if (i === length && bytes[line + 1 + i] === COLON) return true;
    }
    return false;
  }

  #text(from: number, to: number): string {
    const { buffer, byteOffset } = this.bytes;
    return Buffer.from(buffer, byteOffset + from, to - from).toString("utf8");
  }
}
