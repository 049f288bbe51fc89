/**
 * Takes a partition's checkpoints while orders go on: a piece of at most a few milliseconds of work at a time, between
 * batches of records, and each piece only once the store has taken the one before.
 *
 * A checkpoint is begun between two slices of the input, at ledger record n, and committed only once n is stored: the
 * ledger is never behind what we go on from. Whatever goes wrong with one (a full disk, a broker that refuses, a store
 * that is too slow or does not answer at all) is told once, counted, and tried again at the next interval. It holds up
 * nothing but itself.
 */
import { FatalError, RetryableError } from "../../runtime/errors.js";
import type { Partition } from "../../runtime/partition.js";
import type { CheckpointStore, CheckpointWriter } from "../checkpoints.js";
import type { CheckpointStatus } from "../edge.js";
import { reasonOf, sleep, within } from "./broker.js";

export interface CheckpointerOptions {
  readonly store: CheckpointStore;
  readonly partition: Partition;
  readonly everyMs: number;
  /** A store that takes longer for a piece has failed; a minute by default. */
  readonly storeMsMax?: number;
  /** And after so many messages. */
  readonly messagesMax: number;
  /** The sequence of the checkpoint that the partition was restored from, 0 for none. */
  readonly stored: number;
  /** Runs `work` between two slices, soon. */
  readonly betweenSlices: <T>(work: () => T) => Promise<T>;
  /** Resolves when the ledger's record of that number is stored, or the signal aborts. */
  readonly ledgerReached: (number: number, signal: AbortSignal) => Promise<void>;
  readonly counts: CheckpointCounts;
  readonly note: (text: string) => void;
}

/** What outlives an owner: the partition's, as long as the process runs. */
export type CheckpointCounts = { -readonly [K in keyof CheckpointStatus]: CheckpointStatus[K] };

interface Asked {
  readonly from: number;
  readonly resolve: (sequence: number) => void;
  readonly reject: (error: unknown) => void;
}

/** How often it is looked at whether one is due, at most. */
const LOOK_MS_MAX = 1_000;
/** Pieces that wait for the store: together with what the kernel keeps aside they are all that a slow store costs. */
const WAITING_BYTES_MAX = 8 * 1_048_576;
/** Pieces taken at once when the kernel has no more room for what it keeps aside. */
const DRAIN_PIECES_MAX = 4;
const STORE_MS_MAX = 60_000;
/** Who waits for a checkpoint that was asked for: each is a request over HTTP. */
export const WAITING_MAX = 16;

export function emptyCheckpointCounts(): CheckpointCounts {
  return {
    position: 0,
    madeAt: 0,
    bytes: 0,
    seconds: 0,
    taken: 0,
    failures: 0,
    restores: 0,
    restoreSeconds: 0,
    fallbacks: 0,
    growths: 0,
    waiting: 0,
    refused: 0,
    restored: null,
  };
}

export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** The last piece was taken. */
  #isWhole = false;
  /** Sequence of the last one stored. */
  #sequence: number;
  /** When, and where, the last one was begun. */
  #triedAt = performance.now();
  #triedSequence: number;
  /** What went wrong while pieces were taken ahead. */
  #fault: unknown;
  #told: string | undefined;
  /** A call that the store has not answered in time: until it does, no checkpoint is begun, so that none piles up. */
  #late: Promise<void> | undefined;
  /** Who waits for one of a position or of a later one. */
  #asked: Asked[] = [];
  /** Tells who waits that the store has taken a piece. */
  #onWritten = () => {};

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    this.#sequence = options.stored;
    this.#triedSequence = options.stored;
  }

  /** Until the signal aborts. Rejects only where the kernel is broken. */
  async run(signal: AbortSignal): Promise<void> {
    const { everyMs } = this.#options;
    while (!signal.aborted) {
      await sleep(Math.min(LOOK_MS_MAX, everyMs / 2), signal);
      if (!signal.aborted && this.#isDue) await this.take(signal);
    }
    this.#refuse(Number.POSITIVE_INFINITY, new Error("the engine stops"));
  }

  /**
   * Resolves with the position of one of the state that there is once `ready` has resolved, or a later one. Rejects with
   * what kept it from the store, or with RetryableError where WAITING_MAX wait already.
   */
  async request(ready: () => Promise<void>): Promise<number> {
    const { counts, partition } = this.#options;
    if (counts.waiting >= WAITING_MAX) {
      counts.refused++;
      throw new RetryableError(
        "ENGINE_REFUSED",
        `${WAITING_MAX} wait for a checkpoint of partition ${partition.partition}`,
        {
          remedy: "Ask again when those are answered.",
        },
      );
    }
    counts.waiting++;
    try {
      await ready();
      const { sequence } = partition.position;
      if (sequence === this.#sequence) return sequence;
      return await new Promise((resolve, reject) => this.#asked.push({ from: sequence, resolve, reject }));
    } finally {
      counts.waiting--;
    }
  }

  /**
   * To be called when no more is to be kept aside: takes pieces ahead of the store, and waits for it, at most `msMax`,
   * where too many wait already. Where it then still has not taken one, the kernel gives the checkpoint up.
   */
  async drain(msMax: number): Promise<void> {
    const end = performance.now() + msMax;
    while (this.#waitingBytes >= WAITING_BYTES_MAX && performance.now() < end) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, end - performance.now());
        this.#onWritten = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    try {
      for (let piece = 0; piece < DRAIN_PIECES_MAX && this.#waitingBytes < WAITING_BYTES_MAX; piece++)
        if (!this.#takePiece()) return;
    } catch (error) {
      this.#fault = error; // `take` ends with it
    }
  }

  /** One now. Nothing comes of it where the signal aborts before its end. */
  async take(signal: AbortSignal): Promise<void> {
    const { partition, store, counts, note } = this.#options;
    const begun = performance.now();
    this.#triedAt = begun;
    this.#triedSequence = partition.position.sequence;
    let writer: CheckpointWriter | undefined;
    try {
      if (this.#late !== undefined) throw new Error("the store has still not answered the last call");
      const head = await this.#options.betweenSlices(() => partition.beginCheckpoint());
      const { position, recordNumber } = head;
      this.#isWhole = false;
      this.#fault = undefined;
      const creation = store.create(partition.partition, { ...position, number: recordNumber });
      // One that comes too late leaves nothing behind, either.
      creation.then(
        (made) => {
          writer = made;
        },
        () => {},
      );
      const created = await this.#limited(creation, signal);
      let bytes = 0;
      for (let piece = this.#nextPiece(); piece !== undefined; piece = this.#nextPiece()) {
        signal.throwIfAborted();
        bytes += piece.length;
        if (piece.length > 0) await this.#limited(created.write(piece), signal);
        this.#onWritten();
        // A store that answers at once must not keep the thread from its socket.
        await new Promise((resolve) => setImmediate(resolve));
      }
      await this.#options.ledgerReached(recordNumber, signal);
      signal.throwIfAborted();
      await this.#limited(created.commit(), signal);
      this.#sequence = position.sequence;
      counts.position = position.sequence;
      counts.madeAt = Date.now();
      counts.bytes = bytes;
      counts.seconds = (performance.now() - begun) / 1_000;
      counts.taken++;
      this.#told = undefined;
      for (const { resolve } of this.#takeAsked(position.sequence)) resolve(position.sequence);
    } catch (error) {
      partition.abandonCheckpoint();
      if (this.#late === undefined) await writer?.abandon();
      else void this.#late.then(() => writer?.abandon());
      if (isBroken(error)) throw error;
      if (signal.aborted) return;
      counts.failures++;
      this.#refuse(this.#triedSequence, error);
      const reason = reasonOf(error);
      if (reason !== this.#told)
        note(
          `partition ${partition.partition}: no checkpoint in ${store.shown}: ${reason}; trying again in ${this.#options.everyMs / 1_000} s`,
        );
      this.#told = reason;
    } finally {
      this.#waiting = [];
      this.#waitingBytes = 0;
      this.#isWhole = true;
      this.#onWritten();
    }
  }

  /** The same for the last time, where something has changed; `run` must have ended. */
  async takeLast(signal: AbortSignal): Promise<void> {
    // The end of the one under way left a call behind, which is nearly always answered at once.
    await within(STORE_MS_MAX, this.#late, signal);
    if (this.#options.partition.position.sequence !== this.#sequence) await this.take(signal);
  }

  #refuse(sequence: number, error: unknown): void {
    for (const { reject } of this.#takeAsked(sequence)) reject(error);
  }

  /** Those who asked up to this position; they wait no longer. */
  #takeAsked(sequence: number): Asked[] {
    const asked = this.#asked.filter(({ from }) => from <= sequence);
    this.#asked = this.#asked.filter(({ from }) => from > sequence);
    return asked;
  }

  get #isDue(): boolean {
    const { partition, everyMs, messagesMax } = this.#options;
    const { sequence } = partition.position;
    if (this.#asked.length > 0) return true;
    if (sequence === this.#sequence) return false;
    return sequence - this.#triedSequence >= messagesMax || performance.now() - this.#triedAt >= everyMs;
  }

  #nextPiece(): Uint8Array | undefined {
    if (this.#fault !== undefined) throw this.#fault;
    // Where it was given up meanwhile, those that wait are for nothing: taking the next one says so.
    const isGivenUp = !this.#isWhole && !this.#options.partition.checkpointing;
    if (this.#waiting.length === 0 || isGivenUp) this.#takePiece();
    const piece = this.#waiting.shift();
    this.#waitingBytes -= piece?.length ?? 0;
    return piece;
  }

  /** From the kernel to those that wait. False where there is none any more. */
  #takePiece(): boolean {
    const piece = this.#isWhole ? undefined : this.#options.partition.nextCheckpointChunk();
    if (piece === undefined) {
      this.#isWhole = true;
      return false;
    }
    this.#waiting.push(piece);
    this.#waitingBytes += piece.length;
    return true;
  }

  /**
   * What the store answers, within its time. Rejects where it does not or the signal aborts; the call itself can't be
   * taken back, and counts as late until it ends.
   */
  async #limited<T>(call: Promise<T>, signal: AbortSignal): Promise<T> {
    const { storeMsMax = STORE_MS_MAX } = this.#options;
    const isOver = () => {};
    let isAnswered = false;
    const answer = call.finally(() => {
      isAnswered = true;
    });
    await within(storeMsMax, answer, signal);
    if (isAnswered) return answer;
    const late = answer.then(isOver, isOver).then(() => {
      if (this.#late === late) this.#late = undefined;
    });
    this.#late = late;
    signal.throwIfAborted();
    throw new Error(`no answer for ${storeMsMax / 1_000} s`);
  }
}

/** The kernel itself, not its store. */
function isBroken(error: unknown): boolean {
  return error instanceof WebAssembly.RuntimeError || (error instanceof FatalError && error.code === "KERNEL_FAULT");
}
