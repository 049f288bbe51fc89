/**
 * In a process of its own: Tidemark's partition, or the peer, with a stream of messages read from a file. It takes the
 * history first; then each message from its parent is a number of input messages to take, and it answers with Took.
 */
import { readFileSync } from "node:fs";
import { loadKernel } from "../../connectors/cli/kernel.js";
import { settingsFromJson } from "../../runtime/config/index.js";
import { Partition } from "../../runtime/partition.js";
import type { InputMessage } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import { ordersSubject } from "../../runtime/subjects.js";
import { childArgument } from "../child.js";
import { HEAD_BYTES } from "./frame.js";
import { Service } from "./service.js";

export interface ContestantSpec {
  readonly who: "tidemark" | "peer";
  readonly file: string;
  /** JSON of `settingsToJson`. */
  readonly settings: string;
}

/** What came of the messages of one request. */
export interface Took {
  readonly ms: number;
  /** Of all threads of the process. */
  readonly cpuMs: number;
  readonly records: number;
  /** Of all records' bodies. */
  readonly bytes: number;
  /** Customers in each segment, at the end of them. */
  readonly segments: readonly number[];
  readonly residentBytes: number;
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

function readMessages(file: string, settings: Settings): InputMessage[] {
  const all = readFileSync(file);
  const subject = ordersSubject(settings.name, 0, "web");
  const messages: InputMessage[] = [];
  for (let at = 0; at < all.length; ) {
    const length = all.readUInt32LE(at + 8);
    messages.push({
      sequence: messages.length + 1,
      stamp: all.readDoubleLE(at),
      subject,
      source: 0,
      control: false,
      silent: false,
      body: all.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length),
    });
    at += HEAD_BYTES + length;
  }
  return messages;
}

process.on("disconnect", () => process.exit(0));
const spec = childArgument<ContestantSpec>();
const settings = settingsFromJson(spec.settings);
if (settings === undefined) throw new Error("these are no settings");
const contestant = spec.who === "peer" ? peer(settings) : tidemark(settings);
const messages = readMessages(spec.file, settings);
let next = 0;
process.on("message", (count: number) => {
  const some = messages.slice(next, next + count);
  if (some.length < count) throw new Error(`the stream ends ${count - some.length} messages early`);
  next += count;
  const before = process.cpuUsage();
  const started = performance.now();
  const { records, bytes } = contestant.take(some);
  const ms = performance.now() - started;
  const { user, system } = process.cpuUsage(before);
  const took: Took = {
    ms,
    cpuMs: (user + system) / 1000,
    records,
    bytes,
    segments: contestant.segments(),
    residentBytes: process.memoryUsage().rss,
  };
  process.send?.(took);
});
