/** Errors say what happened (code and detail), what the engine does next (the class) and what a person does (the remedy). */

const REMEDY = {
  CONFIG_INVALID: "Mend the configuration where the message points, then try `tidemark check`.",
  USAGE: "See `tidemark --help`.",
  FILE_UNREADABLE: "Check the path and its permissions.",
  BROKER_UNREACHABLE: "Check the URL, that nats-server runs, and the credentials.",
  BROKER_UNSUITABLE: "Start nats-server 2.9.10 or newer with JetStream (`-js`).",
  BROKER_MISSING: "Install it with your system's package manager, or name a running one with --nats URL.",
  ENGINE_UNREACHABLE: "Start it with `tidemark run`, or name its address with --url.",
  ENGINE_BUSY: "Ask again.",
  ENGINE_REFUSED: "Mend what the message names, then try again.",
  CUSTOMER_UNKNOWN:
    "Check the id, letter by letter: it is the one that the orders carry. tidemark state lists all customers; tidemark dlq " +
    "list shows what was put aside.",
  STREAM_UNSUITABLE: "Change the stream as the message says, or let Tidemark make its own.",
  PORT_IN_USE: "Stop what listens there, or choose another port with --port.",
  DISK_FULL: "Free some space, or move the data folder to a larger disk.",
  PARTITION_FULL:
    "Raise the capacity (capacity.customersMax, entriesMax or idBytesMax), or use more partitions, then restart.",
  LEDGER_REWOUND:
    "The ledger lost records that it had acknowledged. Restore its stream, or see Recovery in the README.",
  LEDGER_DIVERGED:
    "The ledger holds other records than the input gives. See that no one else writes to it. Then start with " +
    "--accept-ledger to go on behind what it holds, or remove its stream and start with --discard-checkpoints to make it again.",
  STREAM_REWOUND:
    "The input stream lost messages that were already applied. Restore the stream, or start with --accept-rewind to go on " +
    "without what they did. Where this is another broker than before, start with --discard-checkpoints.",
  STREAM_GAP: "Messages are missing from the input stream. Restore them, or start with --accept-gap.",
  CLOCK_JUMP:
    "Mend the clock that is wrong, then restart. A message that keeps a wrong stamp can be deleted from its stream " +
    "(nats stream rmm), or taken with a larger clockJumpMax.",
  CHECKPOINT_CORRUPT: "Use an older checkpoint, or none: the partition is then made anew from its input.",
  CHECKPOINT_FORMAT:
    "Read it with the version of Tidemark that wrote it, or start without it: the input makes it anew.",
  CHECKPOINT_FOREIGN: "Use the checkpoints of this instance and this partition, or a savepoint of all its partitions.",
  CHECKPOINT_OVERRUN: "Store checkpoints where writing is quicker, or make them while fewer orders come in.",
  MODEL_CHANGED: "Start with --apply-model (or --apply-model=silent) to make the new models hold from now on.",
  KERNEL_FAULT: "This is a bug in Tidemark. The partition restarts from its input; please report it.",
} as const;

export type ErrorCode = keyof typeof REMEDY;

export abstract class TidemarkError extends Error {
  readonly code: ErrorCode;
  readonly remedy: string;

  /** `detail`: what happened, with the value found and the one expected. `remedy` replaces the code's own. */
  constructor(code: ErrorCode, detail: string, options?: ErrorOptions & { remedy?: string }) {
    super(`${code}: ${detail}`, options);
    this.name = new.target.name;
    this.code = code;
    this.remedy = options?.remedy ?? REMEDY[code];
  }
}

/** Back off and try again. */
export class RetryableError extends TidemarkError {}
/** Stop: nothing further can be done without a person. */
export class FatalError extends TidemarkError {}
/** The user's input (configuration, options, files) can't work: one line, exit code 1 or 2. */
export class InputError extends TidemarkError {}
