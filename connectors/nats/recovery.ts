/**
 * What a partition goes on from: its newest good checkpoint, else the one before, else the start of its input.
 *
 * A checkpoint serves where the input still holds the message at its position with the stamp that it had (else the
 * stream was rewound), and the ledger holds every record up to its number (else the ledger was). Whichever serves, what
 * comes behind it is made again from the input, and the ledger's writer publishes only what the ledger does not have:
 * the bytes are the same, however old the checkpoint is.
 */
import { readCheckpointHead } from "../../runtime/checkpoint.js";
import { FatalError } from "../../runtime/errors.js";
import { Partition } from "../../runtime/partition.js";
import type { Settings } from "../../runtime/settings.js";
import { type CheckpointStore, compareNewest, type StoredCheckpoint } from "../checkpoints.js";
import { type Broker, reasonOf, sleep } from "./broker.js";
import { fitting, grown } from "./capacity.js";
import type { CheckpointCounts } from "./checkpointer.js";
import { firstSettings } from "./model.js";
import { checkPosition, stateOf } from "./position.js";
import type { PartitionStreams } from "./streams.js";

/** Losses that a person has looked at and wants to go on behind. */
export interface Accepted {
  /** STREAM_GAP: messages of the input that were lost before they were read. */
  readonly gap: boolean;
  /** STREAM_REWOUND: messages that were applied and that the input has lost. */
  readonly rewind: boolean;
  /** LEDGER_DIVERGED: the ledger stands as it is, and goes on behind its last record. */
  readonly ledger: boolean;
}

export interface RecoveryOptions {
  readonly broker: Broker;
  readonly store: CheckpointStore | undefined;
  readonly wasm: WebAssembly.Module;
  readonly settings: Settings;
  readonly streams: PartitionStreams;
  /** Of a partition that begins at the start of its input. */
  readonly seed: Uint8Array;
  readonly accepted: Accepted;
  readonly counts: CheckpointCounts;
  readonly note: (text: string) => void;
}

export interface Recovered {
  readonly partition: Partition;
  /** Position of the checkpoint, 0 for none. */
  readonly checkpoint: number;
  /** The input holds no `model` message yet. */
  readonly unrecorded: boolean;
}

/** A new leader may be behind for a moment: the ledger is asked again before it counts as rewound. */
const REWOUND_MS_MAX = 5_000;
const PAUSE_MS = 250;

/** Throws FatalError (STREAM_REWOUND, STREAM_GAP, LEDGER_REWOUND, PARTITION_FULL); undefined when the signal aborts. */
export async function recover(options: RecoveryOptions, signal: AbortSignal): Promise<Recovered | undefined> {
  const { broker, streams, settings, counts } = options;
  const first = await firstSettings(broker, streams, settings, signal);
  const candidates = await listed(options);
  const last = await ledgerEnd(options, candidates[0]?.number ?? 0, signal);
  if (signal.aborted) return undefined;
  const unrecorded = first === undefined;
  /** Why the newest checkpoint did not serve. */
  let reason: FatalError | undefined;
  for (const candidate of candidates) {
    const found = await tried(options, candidate, last, signal);
    if (signal.aborted) return undefined;
    if (found instanceof Partition) {
      counts.restored = candidate.sequence;
      return { partition: found, checkpoint: candidate.sequence, unrecorded };
    }
    reason ??= found;
    counts.fallbacks++;
  }
  await checkStart(options, last, reason, signal);
  counts.restored = 0;
  const { wasm, seed } = options;
  const { partition, adopted } = streams;
  return {
    partition: new Partition({ wasm, settings: first ?? settings, partition, seed, adopted }),
    checkpoint: 0,
    unrecorded,
  };
}

/** Newest first. A store that can't be read is no reason to stop: the input may be whole. */
async function listed({ store, streams, counts, note }: RecoveryOptions): Promise<StoredCheckpoint[]> {
  if (store === undefined) return [];
  try {
    await store.sweep(streams.partition);
    return (await store.list(streams.partition)).sort(compareNewest);
  } catch (error) {
    counts.failures++;
    note(`partition ${streams.partition}: ${store.shown} can't be read: ${reasonOf(error)}`);
    return [];
  }
}

/** The partition, or why this checkpoint does not serve. Throws where only a person can say how to go on. */
async function tried(
  options: RecoveryOptions,
  candidate: StoredCheckpoint,
  last: number,
  signal: AbortSignal,
): Promise<Partition | FatalError> {
  const { broker, streams, accepted, counts, note } = options;
  const store = options.store as CheckpointStore;
  const { sequence, stamp, number } = candidate;
  const which = `partition ${streams.partition}: the checkpoint at message ${sequence}`;
  try {
    await checkPosition(broker, streams.input, sequence, stamp, signal);
  } catch (error) {
    if (!(error instanceof FatalError && accepted.rewind)) throw error;
    // The stream may grow past its position again: it must not be taken for one of that history.
    await store.discard(streams.partition, candidate);
    note(`${which} is put aside: ${error.message}`);
    return error;
  }
  if (number > last) {
    const detail = `stream ${streams.ledger} ends at record ${last}, but ${number} was acknowledged`;
    note(`${which} does not serve: ${detail}; trying an older one`);
    const remedy =
      "Restore the ledger's stream. Or let its numbers go on behind what was lost; what readers have not read of it " +
      `is then gone: nats stream purge ${streams.ledger} --seq ${number + 1} (2.9.10 does not do that, a newer nats-server does)`;
    return new FatalError("LEDGER_REWOUND", detail, { remedy });
  }
  try {
    const begun = performance.now();
    const partition = await restored(options, candidate);
    counts.restores++;
    counts.restoreSeconds = (performance.now() - begun) / 1_000;
    Object.assign(counts, { position: sequence, bytes: candidate.bytes });
    note(
      `partition ${streams.partition}: restored from its checkpoint at message ${sequence}, ` +
        `${candidate.bytes} bytes in ${Math.round(counts.restoreSeconds * 1_000)} ms`,
    );
    return partition;
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError || (error instanceof FatalError && error.code === "PARTITION_FULL"))
      throw error;
    const bad = error instanceof FatalError ? error : undefined;
    note(`${which} can't be used: ${reasonOf(error)}; trying an older one`);
    // What could not be read this time (a disk that fails, a broker that is away) may be good the next time.
    if (bad?.code === "CHECKPOINT_CORRUPT") await store.discard(streams.partition, candidate).catch(() => {});
    return bad ?? new FatalError("CHECKPOINT_CORRUPT", `${store.shown}: ${reasonOf(error)}`, { cause: error });
  }
}

/** Into capacities that fit what it holds. */
async function restored(options: RecoveryOptions, candidate: StoredCheckpoint): Promise<Partition> {
  const { wasm, streams } = options;
  const { partition, adopted } = streams;
  const reading = async <T>(work: (chunks: AsyncGenerator<Uint8Array>) => Promise<T>): Promise<T> => {
    const chunks = (options.store as CheckpointStore).read(partition, candidate);
    return work(chunks).finally(() => chunks.return(undefined));
  };
  const head = await reading(readCheckpointHead);
  const { capacityMax } = options.settings;
  let capacity = fitting(options.settings.capacity, head, capacityMax);
  for (;;) {
    try {
      const settings = { ...options.settings, capacity };
      return await reading((chunks) => Partition.restore({ wasm, settings, partition, adopted }, chunks));
    } catch (error) {
      const larger =
        error instanceof FatalError && error.code === "PARTITION_FULL" && grown(capacity, head, capacityMax);
      if (!larger) throw error;
      capacity = larger;
    }
  }
}

/** The last record of the ledger; asked again for some seconds while it is below `number`. */
async function ledgerEnd({ broker, streams }: RecoveryOptions, number: number, signal: AbortSignal): Promise<number> {
  const end = performance.now() + REWOUND_MS_MAX;
  for (;;) {
    const { state } = await stateOf(broker, streams.ledger, signal);
    if (state.last_seq >= number || performance.now() > end || signal.aborted) return state.last_seq;
    await sleep(PAUSE_MS, signal);
  }
}

/** Without a checkpoint the state is that of the whole input: it must not have lost its head, once records came of it. */
async function checkStart(
  { broker, streams, accepted }: RecoveryOptions,
  last: number,
  reason: FatalError | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { state } = await stateOf(broker, streams.input, signal);
  if (state.first_seq <= 1 || last === 0 || accepted.gap) return;
  const gone = `messages 1 to ${state.first_seq - 1} of stream ${streams.input} are gone`;
  if (reason === undefined)
    throw new FatalError("STREAM_GAP", `${gone}, and no checkpoint holds what they did`, {
      remedy: `Put the partition's checkpoints back. Or begin with what the stream still holds: --accept-gap.`,
    });
  throw new FatalError(
    reason.code,
    `${reason.message.replace(`${reason.code}: `, "")}; no older checkpoint serves, and ${gone}`,
    { cause: reason, remedy: reason.remedy },
  );
}
