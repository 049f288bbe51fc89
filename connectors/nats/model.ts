/** The configuration as input: which one the input began under, and how two of them differ. */
// Not the index of the folder: a worker thread starts in half the time without what reads configurations.
import { runningUnder, settingsFromJson, settingsToJson } from "../../runtime/config/wire.js";
import { FatalError } from "../../runtime/errors.js";
import type { Settings } from "../../runtime/settings.js";
import { ApiError, type Broker, NO_MESSAGE_FOUND } from "./broker.js";
import type { PartitionStreams } from "./streams.js";

const DIFFERENCES_MAX = 12;

/** Body of a `model` control message. */
export function modelMessage(settings: Settings, silent: boolean): Uint8Array {
  return new TextEncoder().encode(`{"type":"model","settings":${settingsToJson(settings)},"silent":${silent}}`);
}

/**
 * Settings of the first `model` message of the input: the owner that first read it published what it ran under, so
 * they hold from the input's start. Undefined where there is none yet. What does not decide the output is `wanted`'s.
 */
export async function firstSettings(
  broker: Broker,
  streams: PartitionStreams,
  wanted: Settings,
  signal: AbortSignal,
): Promise<Settings | undefined> {
  for (let from = 1; ; ) {
    const message = await nextControl(broker, streams, from, signal);
    if (message === undefined) return undefined;
    from = message.seq + 1;
    const found = settingsOf(message.data);
    if (found) return runningUnder(found, wanted);
  }
}

/** FatalError (MODEL_CHANGED) that shows what differs. */
export function modelChanged(partition: number, held: Settings, wanted: Settings): FatalError {
  const all = differences(held, runningUnder(wanted, held));
  const shown = all.filter((line) => !/(^|\.)version:/.test(line));
  const more = shown.length > DIFFERENCES_MAX ? [`… and ${shown.length - DIFFERENCES_MAX} more`] : [];
  const detail = `partition ${partition} runs under configuration ${held.version}, the file gives ${wanted.version}:`;
  return new FatalError("MODEL_CHANGED", [detail, ...shown.slice(0, DIFFERENCES_MAX), ...more].join("\n  "));
}

/** One line for each value that differs: `models[0].dimensions[0].bands[1].limit: 2592000000 → 5184000000`. */
export function differences(a: unknown, b: unknown, path = ""): string[] {
  if (Object.is(a, b)) return [];
  if (
    typeof a === "object" &&
    typeof b === "object" &&
    a !== null &&
    b !== null &&
    Array.isArray(a) === Array.isArray(b)
  ) {
    const [left, right] = [a, b] as Record<string, unknown>[];
    const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
    return [...keys].flatMap((key) =>
      differences(
        left?.[key],
        right?.[key],
        Array.isArray(a) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`,
      ),
    );
  }
  return [`${path}: ${show(a)} → ${show(b)}`];
}

function show(value: unknown): string {
  if (value === undefined) return "none";
  const text = value === Number.POSITIVE_INFINITY ? "ever" : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/** The first message on the control subject from sequence `from` on; undefined where there is none. */
export async function nextControl(
  broker: Broker,
  { input, control }: PartitionStreams,
  from: number,
  signal: AbortSignal,
) {
  const request = { seq: from, next_by_subj: control };
  try {
    return (
      await broker.apiRetried<{ message: { seq: number; data?: string } }>(
        `STREAM.MSG.GET.${input}`,
        request,
        undefined,
        signal,
      )
    ).message;
  } catch (error) {
    if (error instanceof ApiError && error.errorCode === NO_MESSAGE_FOUND) return undefined;
    throw error;
  }
}

function settingsOf(data: string | undefined): Settings | undefined {
  try {
    const body: unknown = JSON.parse(Buffer.from(data ?? "", "base64").toString("utf8"));
    if (typeof body !== "object" || body === null || (body as { type?: unknown }).type !== "model") return undefined;
    return settingsFromJson((body as { settings?: unknown }).settings);
  } catch {
    return undefined; // not ours: the partition dead-letters it
  }
}
