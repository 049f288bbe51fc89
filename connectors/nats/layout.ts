/**
 * From one layout to the next: the inputs of the old one are sealed (they take no orders any more, only what its owner
 * publishes itself), read to their end, and give their subjects to the streams of the new one. Nothing is deleted: the
 * streams of the old layout keep what they hold, under the subjects that it was published to.
 */
import { FatalError } from "../../runtime/errors.js";
import type { Settings } from "../../runtime/settings.js";
import { deadStream, migrationsStream } from "../../runtime/subjects.js";
import type { Broker } from "./broker.js";
import { changeStream, findConfig, partitionStreams, type StreamConfig, streamState } from "./streams.js";

/**
 * Orders are refused from now on: a publisher that waits for an answer gets none. The owner can still tick what is due.
 * Throws FatalError (STREAM_UNSUITABLE).
 */
export async function sealInputs(broker: Broker, settings: Settings): Promise<void> {
  for (const { input, control } of partitionStreams(settings)) await takeOnly(broker, input, [control]);
}

/** Nothing at all comes in any more. */
export async function closeInputs(broker: Broker, settings: Settings): Promise<void> {
  for (const { partition, input } of partitionStreams(settings))
    await takeOnly(broker, input, [released(settings, `orders.${partition}`)]);
}

/** Last sequence of each input, by partition. Throws FatalError (STREAM_UNSUITABLE) where one still takes orders. */
export async function sealedEnds(broker: Broker, settings: Settings): Promise<number[]> {
  const ends: number[] = [];
  for (const { input, control } of partitionStreams(settings)) {
    const { subjects = [] } = await configOf(broker, input);
    if (subjects.some((subject) => subject !== control && !isReleased(settings, subject))) {
      throw new FatalError("STREAM_UNSUITABLE", `stream ${input} takes ${subjects.join(", ")}: it is not sealed`, {
        remedy: "Take a new savepoint with --seal: what came behind this one would be lost.",
      });
    }
    ends.push((await streamState(broker, input)).last_seq);
  }
  return ends;
}

/** The streams of this layout no longer take what those of the next one are to take. */
export async function releaseSubjects(broker: Broker, settings: Settings): Promise<void> {
  await closeInputs(broker, settings);
  for (const { partition, ledger } of partitionStreams(settings))
    await takeOnly(broker, ledger, [released(settings, `ledger.${partition}`)]);
  for (const stream of [migrationsStream(settings), deadStream(settings)]) {
    const { subjects = [] } = await configOf(broker, stream);
    // Where the engine gathers itself (see gatherer.ts) they have subjects, too.
    if (subjects.length > 0) await takeOnly(broker, stream, [released(settings, stream)]);
  }
}

/** Nobody publishes there. */
function released({ name, layout }: Settings, what: string): string {
  return `${name}.layout.${layout}.${what}`;
}

function isReleased({ name, layout }: Settings, subject: string): boolean {
  return subject.startsWith(`${name}.layout.${layout}.`);
}

async function takeOnly(broker: Broker, stream: string, subjects: readonly string[]): Promise<void> {
  await changeStream(broker, "UPDATE", { ...(await configOf(broker, stream)), subjects });
}

async function configOf(broker: Broker, stream: string): Promise<StreamConfig> {
  const found = await findConfig(broker, stream);
  if (found === undefined) {
    throw new FatalError("STREAM_UNSUITABLE", `stream ${stream} does not exist`, {
      remedy: "Name the broker, and in the configuration the instance, that the savepoint is of.",
    });
  }
  return found;
}
