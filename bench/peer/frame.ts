/** Messages in a file, each behind its head: f64 stamp (ms), u32 bytes, little-endian. Bodies are MessagePack. */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { Encoder } from "@msgpack/msgpack";
import type { InputMessage } from "../../runtime/record.js";

const HEAD_BYTES = 12;
/** Frames that are written at once. */
const PARTS_MAX = 2000;

export interface Arrival {
  /** When the stream gets it, ms. */
  readonly at: number;
  readonly event: object;
}

/** Writes arrivals as messages of `perMessage` items; what is left over at the end is a smaller one. */
export class FrameWriter {
  readonly #file: number;
  readonly #perMessage: number;
  readonly #encoder = new Encoder({ ignoreUndefined: true });
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #events: object[] = [];
  #parts: Uint8Array[] = [];
  #stamp = 0;

  constructor(path: string, perMessage: number) {
    this.#file = openSync(path, "w");
    this.#perMessage = perMessage;
  }

  write({ at, event }: Arrival): void {
    this.#events.push(event);
    this.#stamp = at;
    if (this.#events.length === this.#perMessage) this.#endMessage();
  }

  close(): void {
    if (this.#events.length > 0) this.#endMessage();
    this.#flush();
    closeSync(this.#file);
  }

  #endMessage(): void {
    const body = this.#encoder.encode(this.#events.length === 1 ? this.#events[0] : this.#events);
    this.#head.writeDoubleLE(this.#stamp, 0);
    this.#head.writeUInt32LE(body.length, 8);
    this.#parts.push(Buffer.from(this.#head), body);
    this.#events = [];
    if (this.#parts.length >= PARTS_MAX) this.#flush();
  }

  #flush(): void {
    writeSync(this.#file, Buffer.concat(this.#parts));
    this.#parts = [];
  }
}

/** The messages of a file; their bodies are views of its bytes. `sequence`: of the first. */
export function readFrames(path: string, subject: string, sequence: number): InputMessage[] {
  const all = readFileSync(path);
  const messages: InputMessage[] = [];
  for (let at = 0; at < all.length; ) {
    const end = at + HEAD_BYTES + all.readUInt32LE(at + 8);
    messages.push({
      sequence: sequence + messages.length,
      stamp: all.readDoubleLE(at),
      subject,
      source: 0,
      control: false,
      silent: false,
      body: all.subarray(at + HEAD_BYTES, end),
    });
    at = end;
  }
  return messages;
}
