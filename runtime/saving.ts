/** A checkpoint under way: what the kernel wrote of it and nobody has taken yet. */
import { type CheckpointHead, CheckpointWriter, FRAME_BYTES } from "./checkpoint.js";
import type { Kernel } from "./kernel.js";

/** Of customers that orders touched before their turn: kept until they are taken. */
const WAITING_BYTES_MAX = 32 * 1024 * 1024;

export class Saving {
  readonly #kernel: Kernel;
  readonly #writer = new CheckpointWriter();
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #isWritten = false;

  /** Of the kernel's state as it is. */
  constructor(kernel: Kernel, head: CheckpointHead) {
    this.#kernel = kernel;
    kernel.beginCheckpoint();
    this.#waiting.push(this.#writer.head(head));
  }

  /** Whether no more is to be applied before something was taken. */
  get isFull(): boolean {
    return this.#waitingBytes > WAITING_BYTES_MAX;
  }

  /** Takes what the last call of the kernel wrote. */
  collect(): void {
    if (this.#isWritten) return;
    const piece = this.#kernel.takeCheckpoint(FRAME_BYTES);
    if (piece === undefined) return;
    this.#writer.frame(piece);
    this.#waiting.push(piece);
    this.#waitingBytes += piece.length;
  }

  /**
   * The next bytes, which may be none yet; undefined behind the last. First what waits, and where that is less than
   * `bytes`, customers in their turn: so it comes to an end, however many are touched meanwhile.
   */
  next(bytes: number): Uint8Array | undefined {
    if (this.#isWritten && this.#waiting.length === 0) return undefined;
    let length = 0;
    let count = 0;
    while (count < this.#waiting.length && length < bytes) length += (this.#waiting[count++] as Uint8Array).length;
    const parts = this.#waiting.splice(0, count);
    if (length < bytes && !this.#isWritten) {
      this.#write(bytes - length);
      for (const part of this.#waiting.splice(0)) {
        parts.push(part);
        length += part.length;
      }
    }
    this.#waitingBytes = this.#waiting.reduce((sum, part) => sum + part.length, 0);
    const [only] = parts;
    if (parts.length === 1 && only !== undefined) return only;
    const chunk = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      chunk.set(part, at);
      at += part.length;
    }
    return chunk;
  }

  #write(bytes: number): void {
    const more = this.#kernel.writeCheckpoint(bytes);
    this.collect();
    if (more) return;
    this.#kernel.endCheckpoint(true);
    this.#isWritten = true;
    this.#waiting.push(this.#writer.trailer());
  }

  abandon(): void {
    if (!this.#isWritten) this.#kernel.endCheckpoint(false);
  }
}
