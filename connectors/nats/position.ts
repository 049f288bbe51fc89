/** Whether a stream still holds what was read from it: the message at the position, with the stamp that it had. */
import { FatalError } from "../../runtime/errors.js";
import { ApiError, type Broker, NO_MESSAGE_FOUND } from "./broker.js";

export interface StreamState {
  readonly messages: number;
  readonly bytes: number;
  readonly first_seq: number;
  readonly last_seq: number;
  readonly first_ts: string;
  readonly last_ts: string;
}

/**
 * Throws FatalError (STREAM_REWOUND) where the stream ends before the message, or holds another one there: a broker
 * restored from an old copy, or one that lost its tail. Last sequence and creation time alone don't tell: a stream that
 * has grown again passes. `stamp` undefined: not known. What has aged out or was deleted since is no sign of it.
 */
export async function checkPosition(
  broker: Broker,
  stream: string,
  sequence: number,
  stamp: number | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (sequence === 0) return;
  const { state } = await stateOf(broker, stream, signal);
  if (state.last_seq < sequence) throw rewound(stream, sequence, `its last message is ${state.last_seq}`);
  if (stamp === undefined || state.first_seq > sequence) return;
  try {
    const request = { seq: sequence };
    const subject = `STREAM.MSG.GET.${stream}`;
    const { message } = await broker.apiRetried<{ message: { time: string } }>(subject, request, undefined, signal);
    if (stampOf(message.time) !== stamp)
      throw rewound(
        stream,
        sequence,
        `that message is now stamped ${message.time}, not ${new Date(stamp).toISOString()}`,
      );
  } catch (error) {
    if (error instanceof ApiError && error.errorCode === NO_MESSAGE_FOUND) return; // erased since
    throw error;
  }
}

/** Asked until the broker answers, or the signal aborts. */
export function stateOf(broker: Broker, stream: string, signal: AbortSignal): Promise<{ state: StreamState }> {
  return broker.apiRetried<{ state: StreamState }>(`STREAM.INFO.${stream}`, {}, undefined, signal);
}

export function rewound(stream: string, sequence: number, found: string, cause?: unknown): FatalError {
  const detail = `stream ${stream} was read up to message ${sequence}, but ${found}`;
  return new FatalError("STREAM_REWOUND", detail, cause === undefined ? undefined : { cause });
}

/** RFC 3339 with nanoseconds, as the API gives it, in ms rounded down. */
export function stampOf(time: string): number {
  return Date.parse(time.replace(/(\.\d{3})\d+/, "$1"));
}
