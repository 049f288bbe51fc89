/** A partition's kernel from checkpoints, with what its partition needs to go on. */
import { type CheckpointHead, CheckpointReader, type Chunks, readCheckpointHead } from "./checkpoint.js";
import { runningUnder } from "./config/wire.js";
import { FatalError } from "./errors.js";
import { Kernel, type Restored } from "./kernel.js";
import type { MigrationCount, RestoreOptions } from "./partition.js";
import type { Settings } from "./settings.js";

export interface Resumed {
  readonly kernel: Kernel;
  readonly settings: Settings;
  readonly seed: Uint8Array;
  readonly position: { readonly sequence: number; readonly stamp: number };
  readonly migrations: readonly MigrationCount[];
}

/** Of a checkpoint of the same partition. Throws FatalError, see `Partition.restore`. */
export function restoreKernel(options: RestoreOptions, chunks: Chunks): Promise<Resumed> {
  return CheckpointReader.read(chunks, (reader) => restored(options, reader));
}

async function restored(options: RestoreOptions, reader: CheckpointReader): Promise<Resumed> {
  const { head } = reader;
  checkPlace(head, options);
  const settings = runningUnder(head.settings, options.settings);
  const seed = seedOf(head);
  const kernel = kernelOf(options, settings, seed, head.channels);
  kernel.openCheckpoint(head, false);
  for await (const piece of reader.pieces()) check(kernel.restore(piece), kernel, settings, options.partition);
  checkCount(kernel.closeCheckpoint(), head.customers);
  kernel.endRestore({ ...head, amountsEver: BigInt(head.amountsEver) });
  return { kernel, settings, seed, position: head.position, migrations: head.migrations };
}

/** Of savepoints of all partitions of another layout. Throws FatalError, see `Partition.repartition`. */
export async function repartitionKernel(
  options: RestoreOptions,
  savepoints: readonly (() => Chunks)[],
): Promise<Resumed> {
  const heads: CheckpointHead[] = [];
  for (const open of savepoints) heads.push(await readCheckpointHead(open()));
  const first = checkLayout(heads, options);
  const settings = runningUnder(first.settings, options.settings);
  const seed = seedOf(first);
  const channels = [...new Set(heads.flatMap((head) => head.channels))];
  const kernel = kernelOf(options, settings, seed, channels);
  for (const open of savepoints) {
    kernel.clearMarks();
    await CheckpointReader.read(open(), async (reader) => {
      for await (const piece of reader.pieces()) check(kernel.mark(piece), kernel, settings, options.partition);
    });
    kernel.sumMarks();
    await CheckpointReader.read(open(), async (reader) => {
      kernel.openCheckpoint(reader.head, true);
      for await (const piece of reader.pieces()) check(kernel.restore(piece), kernel, settings, options.partition);
    });
    kernel.closeCheckpoint();
  }
  kernel.endRestore({
    clock: Math.max(...heads.map(({ clock }) => clock)),
    recordNumber: 0,
    live: first.live,
    // An upper bound: which customers' amounts went elsewhere is not known.
    amountsEver: heads.reduce((sum, head) => sum + BigInt(head.amountsEver), 0n),
  });
  return { kernel, settings, seed, position: { sequence: 0, stamp: 0 }, migrations: [] };
}

function kernelOf(options: RestoreOptions, settings: Settings, seed: Uint8Array, channels: readonly string[]): Kernel {
  const { wasm, partition, adopted } = options;
  return new Kernel({
    wasm,
    settings,
    partition,
    seed,
    checksPartition: adopted !== true && settings.partitions > 1,
    channels,
  });
}

function seedOf({ seed }: CheckpointHead): Uint8Array {
  return new Uint8Array(Buffer.from(seed, "hex"));
}

function checkPlace({ partition, adopted, settings }: CheckpointHead, options: RestoreOptions): void {
  const told = (number: number, count: number, isAdopted: boolean) =>
    `partition ${number} of ${count}${isAdopted ? ", an adopted stream" : ""}`;
  const found = told(partition, settings.partitions, adopted);
  const expected = told(options.partition, options.settings.partitions, options.adopted === true);
  if (found !== expected) throw foreign(`the checkpoint is of ${found}, expected ${expected}`);
  checkClock(settings, options);
}

function checkClock(settings: Settings, options: RestoreOptions): void {
  if (settings.clock !== options.settings.clock)
    throw foreign(`the checkpoint was made under clock: ${settings.clock}, expected ${options.settings.clock}`);
}

/** Are these all partitions of one layout, in order? Returns the first. */
function checkLayout(heads: readonly CheckpointHead[], options: RestoreOptions): CheckpointHead {
  const [first] = heads;
  if (first === undefined) throw foreign("there is no savepoint");
  const count = first.settings.partitions;
  const found = heads.map(({ partition }) => partition).join(", ");
  const expected = Array.from({ length: count }, (_, partition) => partition).join(", ");
  if (!heads.some(({ adopted }) => adopted) && found !== expected)
    throw foreign(`the savepoints are of partitions ${found}, expected ${expected}`);
  for (const head of heads) {
    const differs = (what: string, one: unknown, other: unknown) => {
      if (one === other) return;
      throw foreign(
        `the savepoint of partition ${head.partition} has ${what} ${one}, that of partition ${first.partition} ${other}`,
      );
    };
    differs("partitions", head.settings.partitions, count);
    differs("configuration", head.settings.version, first.settings.version);
    differs("seed", head.seed, first.seed);
    differs("live", head.live, first.live);
  }
  checkClock(first.settings, options);
  return first;
}

function foreign(what: string): FatalError {
  return new FatalError("CHECKPOINT_FOREIGN", what);
}

function check(restored: Restored, kernel: Kernel, { capacity }: Settings, partition: number): void {
  if (restored === "bad")
    throw new FatalError(
      "CHECKPOINT_CORRUPT",
      "the checkpoint is damaged: its checksums are right, its content is not",
    );
  if (restored === "taken") return;
  const { customers, entries, idBytes } = kernel.counters();
  throw new FatalError(
    "PARTITION_FULL",
    `the checkpoint does not fit partition ${partition}, which has taken ${customers} customers of ` +
      `${capacity.customers}, ${entries} entries of ${capacity.entries}, ${idBytes} bytes of ids of ${capacity.idBytes}`,
  );
}

function checkCount(found: number, expected: number): void {
  if (found !== expected)
    throw new FatalError(
      "CHECKPOINT_CORRUPT",
      `the checkpoint is damaged: it holds ${found} customers, and its head says ${expected}`,
    );
}
