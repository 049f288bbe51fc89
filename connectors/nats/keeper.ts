/**
 * Keeps a partition owned: what a restart from the newest checkpoint can mend is mended so. A partition that is full
 * gets larger capacities; a kernel that trapped is dropped; a ledger or an input that was rewound while we ran may have
 * an older checkpoint that serves.
 */
import { FatalError } from "../../runtime/errors.js";
import type { Capacity } from "../../runtime/settings.js";
import { grown } from "./capacity.js";
import { type OwnerOptions, PartitionOwner } from "./owner.js";

/** The last of so many faults ends it, growth not counted: it is one that stays. */
const FAULTS_MAX = 3;

/**
 * Resolves when the signal aborts. Throws what no restart mends; a kernel that goes on trapping as FatalError
 * (KERNEL_FAULT). `discards`: the checkpoints that are there are put aside first. `onOwner` is told of each owner.
 */
export async function keep(
  options: OwnerOptions,
  discards: boolean,
  onOwner: (owner: PartitionOwner) => void,
  signal: AbortSignal,
): Promise<void> {
  if (discards) await discardAll(options);
  let { settings } = options;
  for (let faults = 1; ; ) {
    const owner = new PartitionOwner({ ...options, settings });
    onOwner(owner);
    try {
      await owner.run(signal);
      return;
    } catch (error) {
      const told = (error as Error).message;
      const capacity = largerFor(error, owner, options);
      if (capacity !== undefined) {
        const { customers, entries, idBytes } = capacity;
        options.note(
          `${told}; restarting it with room for ${customers} customers, ${entries} entries, ${idBytes} bytes of ids`,
        );
        settings = { ...settings, capacity };
        options.counts.growths++;
      } else if (faults < FAULTS_MAX && isMended(error, owner, options)) {
        faults++;
        options.note(
          `partition ${options.streams.partition}: ${told}; restarting it, the ${faults - 1}. time of at most ${FAULTS_MAX - 1}`,
        );
      } else if (error instanceof WebAssembly.RuntimeError)
        throw new FatalError("KERNEL_FAULT", `partition ${options.streams.partition}: ${told}`, { cause: error });
      else throw error;
      options.counts.restored = null;
    }
  }
}

async function discardAll({ store, streams, note }: OwnerOptions): Promise<void> {
  const { partition } = streams;
  for (const checkpoint of (await store?.list(partition)) ?? []) {
    await store?.discard(partition, checkpoint);
    note(`partition ${partition}: the checkpoint at message ${checkpoint.sequence} is put aside`);
  }
}

/** What a partition that was full is to have; undefined where it was something else, or has reached its limit. */
function largerFor(error: unknown, { partition }: PartitionOwner, { settings }: OwnerOptions): Capacity | undefined {
  if (partition === undefined || !(error instanceof FatalError && error.code === "PARTITION_FULL")) return undefined;
  const stats = partition.stats();
  return grown(stats.capacity, stats, settings.capacityMax);
}

/** Of what recovery itself finds (there is no partition yet) it has tried all ways. */
function isMended(error: unknown, { partition }: PartitionOwner, { accepted }: OwnerOptions): boolean {
  if (error instanceof WebAssembly.RuntimeError) return true;
  if (partition === undefined || !(error instanceof FatalError)) return false;
  if (error.code === "STREAM_REWOUND") return accepted.rewind;
  return error.code === "KERNEL_FAULT" || error.code === "LEDGER_REWOUND";
}
