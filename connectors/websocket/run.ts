/**
 * WebSocket frames that go out together, in one write. Clients that are to get the same frames in a turn (nearly all
 * of them, mostly) walk the same runs and share the bytes: a frame is made once and put together with others once.
 */
import type { Format } from "./protocol.js";

const TEXT = 0x81;
const BINARY = 0x82;

/** A whole message of a server as one unmasked frame (RFC 6455, 5.2). */
export function frameOf(format: Format, payload: Uint8Array): Buffer {
  const { length } = payload;
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = format === "json" ? TEXT : BINARY;
  frame[1] = head === 2 ? length : head === 4 ? 126 : 127;
  if (head === 4) frame.writeUInt16BE(length, 2);
  if (head === 10) frame.writeBigUInt64BE(BigInt(length), 2);
  frame.set(payload, head);
  return frame;
}

export class Run {
  readonly #before: Run | undefined;
  readonly #frame: Buffer | undefined;
  readonly #next = new Map<Buffer, Run>();
  #data: Buffer | undefined;
  readonly bytes: number;

  /** Without arguments: of no frames. */
  constructor(before?: Run, frame?: Buffer) {
    this.#before = before;
    this.#frame = frame;
    this.bytes = (before?.bytes ?? 0) + (frame?.length ?? 0);
  }

  /** These frames and one more; the same run for everyone who asks. */
  with(frame: Buffer): Run {
    let next = this.#next.get(frame);
    if (next === undefined) {
      next = new Run(this, frame);
      this.#next.set(frame, next);
    }
    return next;
  }

  /** All the frames' bytes. */
  get data(): Buffer {
    if (this.#data !== undefined) return this.#data;
    const frames: Buffer[] = [];
    for (let run: Run | undefined = this; run !== undefined; run = run.#before)
      if (run.#frame !== undefined) frames.push(run.#frame);
    const [only] = frames;
    this.#data = frames.length === 1 && only !== undefined ? only : Buffer.concat(frames.reverse());
    return this.#data;
  }
}
