/** Where the checkpoints of partitions are kept: what a store does, and how each checkpoint is named. */

/** What a checkpoint holds is the state after input message `sequence`, once ledger record `number` was stored. */
export interface CheckpointKey {
  readonly sequence: number;
  /** The broker's stamp of that message, ms. */
  readonly stamp: number;
  readonly number: number;
}

export interface StoredCheckpoint extends CheckpointKey {
  readonly bytes: number;
}

/** One checkpoint being written; it counts for nothing before `commit`. Every method rejects with what the store says. */
export interface CheckpointWriter {
  /** The bytes may change once this has resolved. Not to be called again before. */
  write(bytes: Uint8Array): Promise<void>;
  /** Resolves when it is safe from a power failure; older ones than the last two are then gone. */
  commit(): Promise<void>;
  /** Leaves nothing behind. Never rejects. */
  abandon(): Promise<void>;
}

/**
 * Two owners of a partition may write at once: neither sees the other's unfinished ones, and since the state at a
 * position is the same for both, it does not matter whose stays.
 */
export interface CheckpointStore {
  /** For messages, such as `folder ./.tidemark/checkpoints`. */
  readonly shown: string;
  /** Newest first. Empty where there is none yet. Rejects with what the store says. */
  list(partition: number): Promise<StoredCheckpoint[]>;
  create(partition: number, key: CheckpointKey): Promise<CheckpointWriter>;
  /** The bytes of one, in pieces of bounded size; to be ended (`return`) where they are not wanted to their end. */
  read(partition: number, key: CheckpointKey): AsyncGenerator<Uint8Array>;
  /** Takes one that can't be used out of the list; what the store keeps of it is for people. */
  discard(partition: number, key: CheckpointKey): Promise<void>;
  /** Removes what an owner that died left unfinished, where it is sure to be dead. */
  sweep(partition: number): Promise<void>;
}

/** A second one, for when the newest turns out to be bad. */
export const CHECKPOINTS_KEPT = 2;

const NAME = /^(\d{16})-(\d{1,16})-(\d{1,16})$/;

/** Sorts by position as text. */
export function checkpointName({ sequence, stamp, number }: CheckpointKey): string {
  return `${String(sequence).padStart(16, "0")}-${stamp}-${number}`;
}

/** Undefined where it is the name of something else. */
export function checkpointKey(name: string): CheckpointKey | undefined {
  const [, sequence, stamp, number] = NAME.exec(name) ?? [];
  return sequence === undefined
    ? undefined
    : { sequence: Number(sequence), stamp: Number(stamp), number: Number(number) };
}

/** Newest first: by position, then by ledger number. */
export function compareNewest(a: CheckpointKey, b: CheckpointKey): number {
  return b.sequence - a.sequence || b.number - a.number || b.stamp - a.stamp;
}
