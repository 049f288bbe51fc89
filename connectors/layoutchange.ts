/**
 * A savepoint on its way into another layout: the inputs of the old one are sealed and read to their end, the savepoint
 * holds all of them, and the streams of the new layout begin with it (see nats/layout.ts for the streams themselves).
 */
import { setTimeout as delay } from "node:timers/promises";
import { FatalError, InputError } from "../runtime/errors.js";
import type { Settings } from "../runtime/settings.js";
import { ordersStream } from "../runtime/subjects.js";
import { apiAddress, positionsOf } from "./http/client.js";
import type { Broker } from "./nats/broker.js";
import { releaseSubjects, sealedEnds, sealInputs } from "./nats/layout.js";
import { ensureStreams, partitionStreams, streamState } from "./nats/streams.js";
import { type RepartitionOptions, repartitionSavepoint, type Savepoint } from "./savepoint.js";

/** A sealed input is read to its end within it, or the command gives up; the input stays sealed. */
const DRAIN_MS_MAX = 600_000;
const POLL_MS = 200;

/** The inputs take no orders from now on. Throws InputError for an adopted stream, and as `sealInputs`. */
export async function seal(broker: Broker, settings: Settings): Promise<void> {
  checkOwn(settings);
  await sealInputs(broker, settings);
}

/**
 * Resolves when the engine at `url` has read every sealed input to its end and nothing is overdue; `waiting` gets the
 * number of partitions that have not. Throws InputError (ENGINE_UNREACHABLE), FatalError (ENGINE_REFUSED) after ten
 * minutes, and as `sealedEnds`.
 */
export async function drained(
  url: string,
  broker: Broker,
  settings: Settings,
  waiting: (partitions: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const end = Date.now() + DRAIN_MS_MAX;
  for (;;) {
    const ends = await sealedEnds(broker, settings);
    const partitions = await positionsOf(url, settings, signal);
    const behind = partitions.filter(({ position, overdue }, n) => overdue !== null || position < (ends[n] ?? 0));
    if (behind.length === 0) return;
    waiting(behind.length);
    if (Date.now() > end) {
      const [first] = behind;
      throw new FatalError("ENGINE_REFUSED", `partition ${first?.partition} has not been read to its end`, {
        remedy: `See ${apiAddress(url, "readyz?verbose")}. The inputs stay sealed; to undo that: nats stream edit ${ordersStream(settings, 0)} --subjects "${settings.name}.orders.0.>", and so on.`,
      });
    }
    await delay(POLL_MS, undefined, { signal });
  }
}

/** Throws InputError (USAGE) where a message is not in the savepoint, or something is overdue. */
export async function checkDrained({ folder, parts }: Savepoint, broker: Broker, old: Settings): Promise<void> {
  const ends = await sealedEnds(broker, old);
  for (const [partition, { head }] of parts.entries()) {
    const end = ends[partition] ?? 0;
    if (head.position.sequence === end && head.overdue === null) continue;
    const found =
      head.overdue === null ? `stops at message ${head.position.sequence}` : "was taken while customers were due";
    throw new InputError("USAGE", `${folder}: partition ${partition} ${found}, its input ends at ${end}`, {
      remedy: "Start the engine on the old layout until all is read, then take a new savepoint with --seal.",
    });
  }
}

/**
 * Makes the streams and the checkpoints that the layout of `options.settings` begins with. Throws InputError (USAGE) where
 * that can't be, and as `repartitionSavepoint`. Until the engine has begun with them it can be done again.
 */
export async function beginLayout(savepoint: Savepoint, options: RepartitionOptions, broker: Broker): Promise<void> {
  const { settings } = options;
  const old = (savepoint.parts[0] as Savepoint["parts"][number]).head.settings;
  checkOwn(settings);
  if (settings.layout <= old.layout) {
    const detail = `${savepoint.folder} has ${layoutText(old)}, the configuration ${layoutText(settings)}`;
    throw new InputError("USAGE", detail, {
      remedy: `Another number of partitions is a new layout: set layout: ${old.layout + 1}.`,
    });
  }
  await checkDrained(savepoint, broker, old);
  await releaseSubjects(broker, old);
  await ensureStreams(broker, settings);
  for (const { input } of partitionStreams(settings)) {
    const { last_seq } = await streamState(broker, input);
    if (last_seq === 0) continue;
    throw new InputError("USAGE", `layout ${settings.layout} has begun: stream ${input} holds ${last_seq} messages`, {
      remedy: `Start the engine; or set layout: ${settings.layout + 1} to begin another one.`,
    });
  }
  await repartitionSavepoint(savepoint, options);
}

function layoutText({ partitions, layout }: Settings): string {
  return `${partitions} ${partitions === 1 ? "partition" : "partitions"} in layout ${layout}`;
}

function checkOwn(settings: Settings): void {
  if (settings.sources[0]?.adopt === undefined) return;
  throw new InputError("USAGE", "an adopted stream is one partition, and not ours to seal", {
    remedy: "Take the savepoint without --seal; spreading the stream over partitions is another tool's work.",
  });
}
