/**
 * In a process of its own: the engine's partition through the day. Every order is a message and a call of its own, as
 * they come; ticks come as an owner publishes them, when something is due, at most one in `tickMs`.
 */
import { join } from "node:path";
import { loadKernel } from "../../connectors/cli/kernel.js";
import { settingsFromJson } from "../../runtime/config/index.js";
import { Partition } from "../../runtime/partition.js";
import type { InputMessage } from "../../runtime/record.js";
import { controlSubject, ordersSubject } from "../../runtime/subjects.js";
import { childArgument } from "../child.js";
import { answerEach, spend } from "./companion.js";
import { readFrames } from "./frame.js";
import { endOf, type HourSpent, type Part, type ShopSpec } from "./hour.js";

const spec = childArgument<ShopSpec>();
const settings = settingsFromJson(spec.settings);
if (settings === undefined) throw new Error("these are no settings");
const seed = new Uint8Array(16).fill(7);
const partition = new Partition({ wasm: loadKernel(), settings, partition: 0, seed });
const orders = ordersSubject(settings.name, 0, "web");
const control = { subject: controlSubject(settings.name, 0), source: 0, control: true, silent: false } as const;
const TICK = new TextEncoder().encode('{"type":"tick"}');
const LIVE = new TextEncoder().encode('{"type":"live"}');
/** That the part under way has made. */
let records = 0;

function send(message: InputMessage): void {
  for (const some of partition.apply([message])) records += some.length;
}

function tick(stamp: number): void {
  send({ ...control, sequence: partition.position.sequence + 1, stamp, body: TICK });
}

/** Ticks for what falls due before `until`. */
function tickUntil(until: number, tickMs: number): void {
  for (let due = partition.nextDue; due !== null && due < until; due = partition.nextDue) {
    const stamp = Math.max(due, partition.clock + tickMs);
    if (stamp >= until) return;
    tick(stamp);
  }
}

function takeHistory(messages: readonly InputMessage[]): void {
  // Its records are not made: nobody is told of history, and it is not part of what is measured.
  for (const _ of partition.records(messages));
  const sequence = partition.position.sequence + 1;
  send({ ...control, sequence, stamp: endOf("history"), body: LIVE });
}

function takeHour(messages: readonly InputMessage[], end: number, tickMs: number): void {
  for (const message of messages) {
    tickUntil(message.stamp, tickMs);
    send(message);
  }
  tickUntil(end, tickMs);
  do tick(end);
  while (partition.overdue !== null);
}

answerEach(async (part: Part): Promise<HourSpent> => {
  const messages = readFrames(join(spec.folder, `${part}.frames`), orders, partition.position.sequence + 1);
  records = 0;
  const { given: _given, ...spent } = await spend(() =>
    part === "history" ? takeHistory(messages) : takeHour(messages, endOf(part), settings.tickMs),
  );
  return { ...spent, records, segments: partition.counts()[0]?.segments ?? [] };
});
