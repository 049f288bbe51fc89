/** The kernel over messages made of files: no broker, the same partitions, the same bytes. */
import { FatalError } from "../../runtime/errors.js";
import type { Outlook } from "../../runtime/kernel.js";
import { Partition, type PartitionStats } from "../../runtime/partition.js";
import type { InputMessage, LedgerRecord } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import { compareRows, type StateRow } from "../../runtime/state.js";
import { controlSubject, ordersSubject } from "../../runtime/subjects.js";
import type { OutMessage } from "./batch.js";

export interface ReplayOptions {
  readonly wasm: WebAssembly.Module;
  readonly settings: Settings;
  /** Number of the source that the messages are read by. */
  readonly source: number;
  /** Given every record; without it records are counted by the kernel and let go. */
  readonly onRecord?: ((record: LedgerRecord, partition: number) => void) | undefined;
  /** False where the input has its own `live` events; default true. */
  readonly live?: boolean;
}

/** Earliest time that a tick may carry. */
const TICK_MIN = Date.UTC(1990, 0);

export class Replay {
  readonly partitions: readonly Partition[];
  readonly #options: ReplayOptions;
  readonly #sequences: number[];

  constructor(options: ReplayOptions) {
    const { wasm, settings, source } = options;
    this.#options = options;
    const adopted = settings.sources[source]?.adopt !== undefined;
    this.partitions = Array.from({ length: settings.partitions }, (_, partition) => {
      return new Partition({
        wasm,
        settings,
        partition,
        seed: new Uint8Array(16),
        adopted,
        live: options.live ?? true,
      });
    });
    this.#sequences = this.partitions.map(() => 0);
  }

  /** Applies a message. Throws FatalError (PARTITION_FULL). */
  apply({ partition, channel, body }: OutMessage): void {
    const subject = ordersSubject(this.#options.settings.name, partition, channel);
    this.message(partition, { subject, source: this.#options.source, control: false, body });
  }

  /** Brings every partition to `instant` (ms) and fires all that is due until then. */
  tick(instant: number): void {
    const time = Math.max(instant, TICK_MIN);
    const body = Buffer.from(JSON.stringify({ type: "tick", time }));
    for (const [number, partition] of this.partitions.entries()) {
      const subject = controlSubject(this.#options.settings.name, number);
      do this.message(number, { subject, source: this.#options.source, control: true, body, stamp: time });
      while (partition.overdue !== null);
    }
  }

  /** Any message, for input that comes from a stream. */
  message(
    partition: number,
    message: Pick<InputMessage, "subject" | "source" | "control" | "body"> &
      Partial<Pick<InputMessage, "sequence" | "stamp" | "silent">>,
  ): void {
    const target = this.partitions[partition];
    if (target === undefined) throw new FatalError("KERNEL_FAULT", `there is no partition ${partition}`);
    const sequence = message.sequence ?? (this.#sequences[partition] ?? 0) + 1;
    this.#sequences[partition] = sequence;
    const input: InputMessage = { stamp: 0, silent: false, ...message, sequence };
    const { onRecord } = this.#options;
    if (onRecord === undefined) for (const _ of target.records([input]));
    else for (const records of target.apply([input])) for (const record of records) onRecord(record, partition);
  }

  /** All customers, in the order of the State CSV. Exact at the clock after a tick. */
  state(): StateRow[] {
    return this.partitions.flatMap((partition) => partition.state()).sort(compareRows);
  }

  /** Of all customers, partition by partition. Exact at the clock after a tick; nothing may be applied meanwhile. */
  *outlooks(): Generator<Outlook> {
    for (const partition of this.partitions) yield* partition.outlooks();
  }

  stats(): PartitionStats[] {
    return this.partitions.map((partition) => partition.stats());
  }
}
