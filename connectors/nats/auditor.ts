/**
 * Looks, in idle time, whether a partition's rows are what their orders come to: a few customers at a time, one pass over
 * all after the other. A difference is a fault of ours or of the memory. It is counted, and told with the row.
 */
import { auditLine } from "../../runtime/audit.js";
import type { Partition } from "../../runtime/partition.js";
import type { AuditStatus } from "../edge.js";

/** Customers a look. With 32 orders each, the most that are looked at, so many take about 0.2 ms. */
const CUSTOMERS = 16;
const PAUSE_MS = 100;
/** Partitions whose looks are not at the same time: those of a thread would be one long one. */
const APART = 16;
/** Differences told one by one in a look. */
const TOLD_MAX = 8;

export interface AuditorOptions {
  readonly partition: Partition;
  /** Nothing waits to be applied, nothing is being applied, and nothing is overdue. */
  readonly isIdle: () => boolean;
  readonly note: (text: string) => void;
}

export class Auditor {
  readonly #options: AuditorOptions;
  #timer: NodeJS.Timeout;
  #rows = 0;
  #differences = 0;

  /** Begins. `onFault` gets what the kernel threw, once. */
  constructor(options: AuditorOptions, onFault: (error: unknown) => void) {
    this.#options = options;
    const look = () => {
      try {
        this.look();
      } catch (error) {
        this.stop();
        onFault(error);
      }
    };
    const apartMs = ((options.partition.partition % APART) * PAUSE_MS) / APART;
    this.#timer = setTimeout(() => {
      this.#timer = setInterval(look, PAUSE_MS);
    }, apartMs);
  }

  get status(): AuditStatus {
    return { rows: this.#rows, differences: this.#differences };
  }

  /** At the next customers, where the partition is idle. Throws where the kernel is broken. */
  look(): void {
    const { partition, isIdle, note } = this.#options;
    const found = isIdle() ? partition.audit(CUSTOMERS) : undefined;
    if (found === undefined) return;
    this.#rows += found.rows;
    this.#differences += found.differences.length;
    for (const difference of found.differences.slice(0, TOLD_MAX))
      note(`partition ${partition.partition}: audit: ${auditLine(difference)}`);
    const more = found.differences.length - TOLD_MAX;
    if (more > 0) note(`partition ${partition.partition}: audit: and ${more} more differences`);
  }

  stop(): void {
    clearTimeout(this.#timer); // of either kind
  }
}
