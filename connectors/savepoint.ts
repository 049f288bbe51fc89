/**
 * Savepoints: checkpoints that a user keeps. A savepoint is a folder with one checkpoint a partition, in the form of a
 * checkpoint folder; it goes into other capacities, another store, another broker's streams of the same messages, and
 * another number of partitions.
 */
import { readdir, rename, rm, stat } from "node:fs/promises";
import { type CheckpointHead, type Chunks, readCheckpointHead, verifyCheckpoint } from "../runtime/checkpoint.js";
import { FatalError, InputError } from "../runtime/errors.js";
import { Partition } from "../runtime/partition.js";
import type { Settings } from "../runtime/settings.js";
import type { CheckpointKey, CheckpointStore, CheckpointWriter, StoredCheckpoint } from "./checkpoints.js";
import { CheckpointFolder } from "./file/checkpointfolder.js";
import { fitting, grown } from "./nats/capacity.js";

export interface Savepoint {
  readonly folder: string;
  /** By partition, from 0, none missing. */
  readonly parts: readonly { readonly stored: StoredCheckpoint; readonly head: CheckpointHead }[];
}

/**
 * Copies the newest good checkpoint of each partition into a new folder, which is there once all are. Throws InputError
 * (USAGE) where something is in its place, FatalError (CHECKPOINT_CORRUPT) where a partition has none that is good.
 */
export async function takeSavepoint(store: CheckpointStore, partitions: number, folder: string): Promise<Savepoint> {
  if (await isThere(folder)) {
    throw new InputError("USAGE", `${folder} is there already`, {
      remedy: "Name a folder that is not: one a savepoint.",
    });
  }
  const unfinished = `${folder}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  const copies = new CheckpointFolder(unfinished);
  try {
    for (let partition = 0; partition < partitions; partition++) await copyNewest(store, copies, partition);
    await rename(unfinished, folder);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
  return openSavepoint(folder);
}

async function copyNewest(store: CheckpointStore, to: CheckpointStore, partition: number): Promise<void> {
  let reason = "there is none yet";
  for (const candidate of await store.list(partition)) {
    try {
      await copy(store, to, partition, candidate);
      return;
    } catch (error) {
      if (!(error instanceof FatalError)) throw error;
      reason = error.message;
    }
  }
  throw new FatalError(
    "CHECKPOINT_CORRUPT",
    `partition ${partition} has no good checkpoint in ${store.shown}: ${reason}`,
    {
      remedy: "Let the engine run until it has taken one (checkpoints.every), then try again.",
    },
  );
}

/** The head, once every byte is checked and stored. */
async function copy(
  from: CheckpointStore,
  to: CheckpointStore,
  partition: number,
  key: CheckpointKey,
): Promise<CheckpointHead> {
  const writer = await to.create(partition, key);
  try {
    const head = await verifyCheckpoint(through(writer, from.read(partition, key)));
    await writer.commit();
    return head;
  } catch (error) {
    await writer.abandon();
    throw error;
  }
}

async function* through(writer: CheckpointWriter, chunks: Chunks): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    await writer.write(chunk);
    yield chunk;
  }
}

/** Throws InputError (FILE_UNREADABLE) where it is no savepoint or not whole, FatalError for a part that can't be read. */
export async function openSavepoint(folder: string): Promise<Savepoint> {
  const store = new CheckpointFolder(folder);
  const names = await readdir(folder).catch(() => []);
  const found = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const parts: Savepoint["parts"][number][] = [];
  let count = 1;
  for (let partition = 0; partition < count; partition++) {
    const [stored] = await store.list(partition);
    if (stored === undefined) {
      const has = found.length === 0 ? "no partition" : `partitions ${found.sort((a, b) => a - b).join(", ")}`;
      throw new InputError("FILE_UNREADABLE", `${folder} is no savepoint: it has ${has}, expected 0 to ${count - 1}`, {
        remedy: "Name the folder that `tidemark savepoint create` made.",
      });
    }
    const head = await readCheckpointHead(store.read(partition, stored));
    count = head.settings.partitions;
    parts.push({ stored, head });
  }
  return { folder, parts };
}

/** Checks every byte. Throws FatalError (CHECKPOINT_CORRUPT) with the first that is wrong. */
export async function verifySavepoint({ folder, parts }: Savepoint): Promise<void> {
  const store = new CheckpointFolder(folder);
  for (const [partition, { stored }] of parts.entries()) await verifyCheckpoint(store.read(partition, stored));
}

/**
 * Makes the savepoint what the engine goes on from at its next start; newer checkpoints are put aside. Throws FatalError
 * (CHECKPOINT_CORRUPT), and what the store throws; until it has resolved, it is not to be counted on.
 */
export async function restoreSavepoint(savepoint: Savepoint, store: CheckpointStore): Promise<void> {
  await verifySavepoint(savepoint);
  const from = new CheckpointFolder(savepoint.folder);
  for (const [partition, { stored }] of savepoint.parts.entries()) {
    for (const other of await store.list(partition))
      if (other.sequence >= stored.sequence) await store.discard(partition, other);
    await copy(from, store, partition, stored);
  }
}

export interface RepartitionOptions {
  readonly wasm: WebAssembly.Module;
  /** Of the new layout. */
  readonly settings: Settings;
  readonly store: CheckpointStore;
  /** A partition of the new layout is stored. */
  readonly done: (partition: number) => void;
}

/** Makes the checkpoints that the partitions of a new layout begin with, one after the other. Throws as `restoreSavepoint`. */
export async function repartitionSavepoint(savepoint: Savepoint, options: RepartitionOptions): Promise<void> {
  const { settings, store, done } = options;
  await verifySavepoint(savepoint);
  for (let partition = 0; partition < settings.partitions; partition++) {
    const made = await repartitioned(savepoint, options, partition);
    const { position, recordNumber } = made.beginCheckpoint();
    const writer = await store.create(partition, { ...position, number: recordNumber });
    try {
      for (let piece = made.nextCheckpointChunk(); piece !== undefined; piece = made.nextCheckpointChunk())
        if (piece.length > 0) await writer.write(piece);
      await writer.commit();
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    done(partition);
  }
}

/** In capacities that it fits into. */
async function repartitioned(savepoint: Savepoint, options: RepartitionOptions, partition: number): Promise<Partition> {
  const { wasm, settings } = options;
  const from = new CheckpointFolder(savepoint.folder);
  const sources = savepoint.parts.map(
    ({ stored }, number) =>
      () =>
        from.read(number, stored),
  );
  const share = shareOf(savepoint, settings.partitions);
  let capacity = fitting(settings.capacity, share, settings.capacityMax);
  for (;;) {
    try {
      return await Partition.repartition({ wasm, settings: { ...settings, capacity }, partition }, sources);
    } catch (error) {
      const larger =
        error instanceof FatalError && error.code === "PARTITION_FULL" && grown(capacity, share, settings.capacityMax);
      if (!larger) throw error;
      capacity = larger;
    }
  }
}

/** What a partition of the new layout will about hold. */
function shareOf({ parts }: Savepoint, partitions: number) {
  const of = (region: "customers" | "entries" | "idBytes") =>
    Math.ceil(parts.reduce((sum, { head }) => sum + head[region], 0) / partitions);
  return { customers: of("customers"), entries: of("entries"), idBytes: of("idBytes") };
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}
