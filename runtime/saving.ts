/** A checkpoint under way: what the kernel wrote of it and nobody has taken yet. */
import { type CheckpointHead, CheckpointWriter } from "./checkpoint.js";
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
    const piece = this.#kernel.takeCheckpoint();
    if (piece === undefined) return;
    this.#waiting.push(this.#writer.piece(piece));
    this.#waitingBytes += piece.length;
  }

  /** The next bytes, which may be none yet; undefined behind the last. Of customers in their turn, about `bytes`. */
  next(bytes: number): Uint8Array | undefined {
    const chunk = this.#waiting.shift();
    if (chunk !== undefined) {
      this.#waitingBytes = Math.max(0, this.#waitingBytes - chunk.length);
      return chunk;
    }
    if (this.#isWritten) return undefined;
    const more = this.#kernel.writeCheckpoint(bytes);
    const piece = this.#kernel.takeCheckpoint();
    if (!more) {
      this.#kernel.endCheckpoint(true);
      this.#isWritten = true;
    }
    const framed = piece === undefined ? new Uint8Array(0) : this.#writer.piece(piece);
    if (!more) this.#waiting.push(this.#writer.trailer());
    return framed;
  }

  abandon(): void {
    if (!this.#isWritten) this.#kernel.endCheckpoint(false);
  }
}
