/** What a running engine makes of messages that are published to it: counted before and after. */
import { setTimeout as delay } from "node:timers/promises";
import { FatalError, InputError } from "../../runtime/errors.js";
import { apiAddress } from "../http/client.js";
import { count, counted, out, progress, table } from "./terminal.js";

/** Since the first look: items by what became of them, and dead letters by reason. Others' messages are in it, too. */
export interface Made {
  readonly events: Readonly<Record<string, number>>;
  readonly deadLetters: Readonly<Record<string, number>>;
}

/** Of /api/status, what is read here. */
interface Status extends Made {
  readonly partitions: readonly {
    readonly partition: number;
    readonly state: string;
    readonly position: number;
    readonly streamLast: number;
    readonly error?: string;
  }[];
}

const ASK_MS_MAX = 10_000;
const POLL_MS = 200;
/** An engine whose positions do not move for so long is not waited for. */
const STALLED_MS_MAX = 60_000;

export class EngineWatch {
  readonly #address: URL;
  readonly #before: Status;

  private constructor(address: URL, before: Status) {
    this.#address = address;
    this.#before = before;
  }

  /** Waits until the engine has read what its input holds. Throws InputError where none answers, FatalError where it stands still. */
  static async open(url: string, signal: AbortSignal): Promise<EngineWatch> {
    const address = apiAddress(url, "api/status");
    const found = await ask(address, signal);
    return new EngineWatch(address, await applied(address, lastOf(found), signal));
  }

  /** Waits until it has applied all that its input holds now. Throws like `open`. */
  async made(signal: AbortSignal): Promise<Made> {
    const after = await applied(this.#address, lastOf(await ask(this.#address, signal)), signal);
    return {
      events: difference(after.events, this.#before.events),
      deadLetters: difference(after.deadLetters, this.#before.deadLetters),
    };
  }
}

/** What is not the same, as a table. */
export function madeLines({ events, deadLetters }: Made): string[] {
  const rows = [
    ...Object.entries(events).map(([outcome, value]) => [outcome, count(value)]),
    ...Object.entries(deadLetters).map(([reason, value]) => [`dead letter: ${reason}`, count(value)]),
  ];
  if (rows.length === 0) return ["The engine has found nothing new in it."];
  return [
    "The engine has applied what came:",
    ...table(out, [{ title: "outcome" }, { title: "items", right: true }], rows),
  ];
}

function lastOf({ partitions }: Status): Map<number, number> {
  return new Map(partitions.map(({ partition, streamLast }) => [partition, streamLast]));
}

/** The first status in which every partition has reached its sequence. */
async function applied(address: URL, wanted: ReadonlyMap<number, number>, signal: AbortSignal): Promise<Status> {
  let positions = 0;
  let since = performance.now();
  for (;;) {
    const status = await ask(address, signal);
    const stuck = status.partitions.find(({ state }) => state === "failed" || state === "stopped");
    const behind = status.partitions.filter(({ partition, position }) => position < (wanted.get(partition) ?? 0));
    if (behind.length === 0) return status;
    const reached = status.partitions.reduce((sum, { position }) => sum + position, 0);
    if (reached !== positions) since = performance.now();
    positions = reached;
    if (stuck !== undefined || performance.now() - since > STALLED_MS_MAX) {
      const {
        partition,
        state,
        error = "its position does not move",
      } = stuck ?? (behind[0] as Status["partitions"][number]);
      throw new FatalError("ENGINE_REFUSED", `partition ${partition} (${state}) does not get on: ${error}`, {
        remedy: "Mend what the engine's own messages name; what was published waits in the streams.",
      });
    }
    const left = behind.reduce((sum, { partition, position }) => sum + (wanted.get(partition) ?? 0) - position, 0);
    progress.show(() => `the engine has ${counted(left, "message")} to go`);
    await delay(POLL_MS, undefined, { signal });
  }
}

async function ask(address: URL, signal: AbortSignal): Promise<Status> {
  try {
    const answer = await fetch(address, { signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_MS_MAX)]) });
    if (answer.ok) return (await answer.json()) as Status;
    throw new FatalError("ENGINE_REFUSED", `${address.origin} answers ${answer.status}`);
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof FatalError) throw cause;
    throw new InputError("ENGINE_UNREACHABLE", `no engine answers at ${address.origin}`, { cause });
  }
}

function difference(after: Made["events"], before: Made["events"]): Record<string, number> {
  const changed = Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)] as const);
  return Object.fromEntries(changed.filter(([, value]) => value !== 0));
}
