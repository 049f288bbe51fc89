/**
 * A bounded look at what is published to a subject: the newest messages that streams keep of it, or, where no stream
 * takes it, what comes while we listen. Nothing is made, acknowledged or moved: messages are asked for one by one, by
 * their sequence (`STREAM.MSG.GET`), which also holds for streams that others consume as a queue.
 */
import { InputError } from "../../runtime/errors.js";
import { subjectMatches } from "../../runtime/subjects.js";
import { ApiError, type Broker, NO_MESSAGE_FOUND, STREAM_NOT_FOUND, sleep } from "./broker.js";

export interface SampleOptions {
  /** With `*` and `>`, as a subscription has it. Undefined: all that the stream takes. */
  readonly subject?: string;
  /** The one stream to look into. Undefined: all that take the subject, at most 64. */
  readonly stream?: string;
  /** Messages wanted, the newest. */
  readonly last: number;
  /** How long new ones are waited for, unless `last` of them have come before. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
  /** Is told how many new ones have come while they are waited for. */
  readonly waiting?: (messages: number) => void;
}

export interface SampledMessage {
  /** Null: heard, not read out of a stream. */
  readonly stream: string | null;
  /** Of the stream; of what was heard, the how-manieth it is. */
  readonly sequence: number;
  /** The broker's timestamp, ms, rounded down; of what was heard, when it came. */
  readonly stamp: number;
  readonly subject: string;
  readonly body: Uint8Array;
}

export interface SampledStream {
  readonly name: string;
  readonly messages: number;
  readonly subjects: readonly string[];
  readonly retention: string;
  /** Made by Tidemark for orders. */
  readonly isOwn: boolean;
}

export interface Sample {
  /** What was looked into; none where we listened. */
  readonly streams: readonly SampledStream[];
  /** By time, then stream and sequence. */
  readonly messages: readonly SampledMessage[];
  /** Messages that were looked at, those of other subjects included. */
  readonly looked: number;
  /** The sample ended at BYTES_MAX, or at LOOKED_TIMES as many messages of other subjects. */
  readonly cut: boolean;
}

const STREAMS_MAX = 64;
/** Requests under way. */
const AT_ONCE_MAX = 64;
/** Bytes of all messages of a sample. */
const BYTES_MAX = 128 * 1024 * 1024;
/** So many times the messages wanted are looked at: others of the stream may have other subjects. */
const LOOKED_TIMES = 20;
const POLL_MS = 200;

interface StreamInfo {
  readonly config: {
    readonly subjects?: readonly string[] | null;
    readonly retention: string;
    readonly description?: string;
  };
  readonly state: { readonly messages: number; readonly first_seq: number; readonly last_seq: number };
}

/**
 * Throws InputError (STREAM_UNSUITABLE) where there is no such stream, or too many take the subject; what `Broker.api`
 * throws; and AbortError. One request a message.
 */
export async function sampleSubject(broker: Broker, options: SampleOptions): Promise<Sample> {
  const { last, waitMs, signal } = options;
  const names = options.stream === undefined ? await streamsOf(broker, options.subject ?? ">") : [options.stream];
  if (names.length === 0) return listen(broker, options);
  const before = await Promise.all(names.map((name) => infoOf(broker, name)));
  const end = performance.now() + waitMs;
  let infos = before;
  while (performance.now() < end) {
    const came = infos.reduce((sum, { state }, i) => sum + state.last_seq - (before[i]?.state.last_seq ?? 0), 0);
    options.waiting?.(came);
    if (came >= last) break;
    await sleep(Math.min(POLL_MS, Math.max(1, end - performance.now())), signal);
    signal.throwIfAborted();
    infos = await Promise.all(names.map((name) => infoOf(broker, name)));
  }
  const each = Math.ceil(last / names.length);
  const budget = { bytes: BYTES_MAX };
  const found: SampledMessage[] = [];
  let looked = 0;
  let cut = false;
  for (const [i, name] of names.entries()) {
    const part = await newestOf(broker, name, infos[i] as StreamInfo, each, budget, options);
    found.push(...part.messages);
    looked += part.looked;
    cut ||= part.cut;
  }
  const streams = names.map((name, i): SampledStream => {
    const { config, state } = infos[i] as StreamInfo;
    const { subjects, retention, description = "" } = config;
    const isOwn = description.startsWith("Tidemark: orders");
    return { name, messages: state.messages, subjects: subjects ?? [], retention, isOwn };
  });
  found.sort((a, b) => a.stamp - b.stamp || compare(a.stream ?? "", b.stream ?? "") || a.sequence - b.sequence);
  return { streams, messages: found.slice(-last), looked, cut };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function streamsOf(broker: Broker, subject: string): Promise<readonly string[]> {
  const { streams, total } = await broker.api<{ streams: string[] | null; total: number }>("STREAM.NAMES", { subject });
  if (total > STREAMS_MAX)
    throw new InputError("STREAM_UNSUITABLE", `${total} streams take ${subject}, expected at most ${STREAMS_MAX}`, {
      remedy: "Name one of them with --stream, or a narrower --subject.",
    });
  return streams ?? [];
}

async function infoOf(broker: Broker, stream: string): Promise<StreamInfo> {
  try {
    return await broker.api<StreamInfo>(`STREAM.INFO.${stream}`);
  } catch (cause) {
    if (!(cause instanceof ApiError && cause.errorCode === STREAM_NOT_FOUND)) throw cause;
    throw new InputError("STREAM_UNSUITABLE", `there is no stream ${stream} on ${broker.shown}`, {
      cause,
      remedy: "`nats stream ls` lists those that there are.",
    });
  }
}

/** The newest messages of one stream, newest first. */
async function newestOf(
  broker: Broker,
  stream: string,
  { state }: StreamInfo,
  wanted: number,
  budget: { bytes: number },
  { subject, signal }: SampleOptions,
): Promise<{ messages: SampledMessage[]; looked: number; cut: boolean }> {
  const messages: SampledMessage[] = [];
  const lowest = Math.max(state.first_seq, state.last_seq - LOOKED_TIMES * wanted + 1, 1);
  let next = state.last_seq;
  while (next >= lowest && messages.length < wanted && budget.bytes > 0) {
    signal.throwIfAborted();
    const count = Math.min(AT_ONCE_MAX, next - lowest + 1, Math.max(8, wanted - messages.length));
    const asked = Array.from({ length: count }, (_, i) => next - i);
    for (const message of await Promise.all(asked.map((sequence) => messageAt(broker, stream, sequence)))) {
      if (message === undefined || (subject !== undefined && !subjectMatches(subject, message.subject))) continue;
      budget.bytes -= message.body.length;
      if (messages.length < wanted) messages.push(message);
    }
    next -= count;
  }
  const more = next >= state.first_seq && state.messages > 0;
  return { messages, looked: state.last_seq - next, cut: more && messages.length < wanted };
}

/** Undefined where the message was deleted. */
async function messageAt(broker: Broker, stream: string, sequence: number): Promise<SampledMessage | undefined> {
  try {
    const { message } = await broker.api<{ message: { subject: string; data?: string; time: string } }>(
      `STREAM.MSG.GET.${stream}`,
      { seq: sequence },
    );
    const body = Buffer.from(message.data ?? "", "base64");
    // To the millisecond, rounded down: of nanoseconds Date would read as many digits as it likes.
    const stamp = Date.parse(message.time.replace(/(\.\d{3})\d+/, "$1"));
    return { stream, sequence, stamp, subject: message.subject, body };
  } catch (error) {
    if (error instanceof ApiError && error.errorCode === NO_MESSAGE_FOUND) return undefined;
    throw error;
  }
}

/** What comes while we listen. */
async function listen(
  broker: Broker,
  { subject = ">", last, waitMs, signal, waiting }: SampleOptions,
): Promise<Sample> {
  const messages: SampledMessage[] = [];
  let bytes = 0;
  let looked = 0;
  const stop = broker.subscribe(subject, (message) => {
    looked++;
    if (messages.length === last || bytes > BYTES_MAX) return;
    const body = message.data.slice();
    bytes += body.length;
    messages.push({ stream: null, sequence: looked, stamp: Date.now(), subject: message.subject, body });
  });
  try {
    const end = performance.now() + waitMs;
    while (performance.now() < end && messages.length < last && bytes <= BYTES_MAX) {
      waiting?.(messages.length);
      await sleep(Math.min(POLL_MS, Math.max(1, end - performance.now())), signal);
      signal.throwIfAborted();
    }
  } finally {
    stop();
  }
  return { streams: [], messages, looked, cut: bytes > BYTES_MAX };
}
