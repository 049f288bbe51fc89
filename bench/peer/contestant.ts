/**
 * In a process of its own: Tidemark's partition, or the peer, with a stream of messages read from a file. It takes the
 * history first; then each message from its parent is a number of input messages to take, and it answers with Took.
 */
import { loadKernel } from "../../connectors/cli/kernel.js";
import { settingsFromJson } from "../../runtime/config/index.js";
import { Partition } from "../../runtime/partition.js";
import type { InputMessage } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import { ordersSubject } from "../../runtime/subjects.js";
import { childArgument } from "../child.js";
import { answerEach, type Spent, spend } from "./companion.js";
import { readFrames } from "./frame.js";
import { Service } from "./service.js";

export interface ContestantSpec {
  readonly who: "tidemark" | "peer";
  readonly file: string;
  /** JSON of `settingsToJson`. */
  readonly settings: string;
}

/** What came of the messages of one request. */
export interface Took extends Spent {
  readonly records: number;
  /** Of all records' bodies. */
  readonly bytes: number;
  /** Customers in each segment, at the end of them. */
  readonly segments: readonly number[];
}

/** Messages of one call of `apply`, as an owner takes them from the broker. */
const CALL_MESSAGES = 64;

interface Contestant {
  /** Takes the messages; returns records and their bytes. */
  readonly take: (messages: readonly InputMessage[]) => { records: number; bytes: number };
  readonly segments: () => readonly number[];
}

function tidemark(settings: Settings): Contestant {
  const seed = new Uint8Array(16).fill(7);
  const partition = new Partition({ wasm: loadKernel(), settings, partition: 0, seed, live: true });
  return {
    take: (messages) => {
      let records = 0;
      let bytes = 0;
      for (let at = 0; at < messages.length; at += CALL_MESSAGES) {
        for (const some of partition.apply(messages.slice(at, at + CALL_MESSAGES))) {
          records += some.length;
          for (const { body } of some) bytes += body.length;
        }
      }
      return { records, bytes };
    },
    segments: () => partition.counts()[0]?.segments ?? [],
  };
}

function peer(settings: Settings): Contestant {
  const service = new Service(settings, true);
  return {
    take: (messages) => {
      let records = 0;
      let bytes = 0;
      for (const message of messages) {
        const some = service.handle(message);
        records += some.length;
        for (const { body } of some) bytes += body.length;
      }
      return { records, bytes };
    },
    segments: () => service.tally()[0] ?? [],
  };
}

const spec = childArgument<ContestantSpec>();
const settings = settingsFromJson(spec.settings);
if (settings === undefined) throw new Error("these are no settings");
const contestant = spec.who === "peer" ? peer(settings) : tidemark(settings);
const messages = readFrames(spec.file, ordersSubject(settings.name, 0, "web"), 1);
let next = 0;
answerEach(async (count: number): Promise<Took> => {
  const some = messages.slice(next, next + count);
  if (some.length < count) throw new Error(`the stream ends ${count - some.length} messages early`);
  next += count;
  const { given, ...spent } = await spend(() => contestant.take(some));
  return { ...spent, ...given, segments: contestant.segments() };
});
