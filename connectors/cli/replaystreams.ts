/** `tidemark replay --nats`: what the orders streams hold now, applied again from their start. Writes nothing to the broker. */
import { FatalError, InputError } from "../../runtime/errors.js";
import type { Settings } from "../../runtime/settings.js";
import { sourceOf } from "../../runtime/subjects.js";
import { instantText, Replay } from "../file/index.js";
import { type Broker, type BrokerOptions, connectBroker } from "../nats/broker.js";
import { type StreamMessage, StreamReader } from "../nats/reader.js";
import { type PartitionStreams, partitionStreams, streamState } from "../nats/streams.js";
import { loadKernel } from "./kernel.js";
import { type Sink, sortedInstants, type Tally } from "./replay.js";
import { counted, err, progress } from "./terminal.js";

export async function replayStreams(
  options: BrokerOptions | undefined,
  settings: Settings,
  at: readonly number[],
  sink: Sink,
  signal: AbortSignal,
): Promise<{ replayed: Replay; tally: Tally }> {
  if (options === undefined) throw new InputError("USAGE", "no broker is named");
  if (at.length > 0 && settings.clock === "event") {
    throw new InputError("USAGE", "under `clock: event` a stream's state can be had at its end only", {
      remedy: "Leave --at out, or replay the files themselves.",
    });
  }
  const replayed = new Replay({ wasm: loadKernel(), settings, source: 0, onRecord: sink.onRecord, live: false });
  const broker = await connectBroker({ name: "tidemark replay", ...options });
  const inputs: Input[] = [];
  let rows = 0;
  try {
    for (const streams of partitionStreams(settings)) inputs.push(await Input.open(broker, streams, settings, signal));
    const apply = async (until: number) => {
      for (const input of inputs) {
        for (let next = await input.next(until); next !== undefined; next = await input.next(until)) {
          replayed.message(input.partition, next);
          rows++;
          await sink.drained();
          progress.show(() => `applying ${counted(rows, "message")}`);
        }
      }
    };
    for (const instant of sortedInstants(at)) {
      await apply(instant);
      replayed.tick(instant);
      await sink.state(instant, replayed);
    }
    await apply(Number.POSITIVE_INFINITY);
    const end = Math.max(0, ...replayed.partitions.map((partition) => partition.clock));
    if (end > 0) replayed.tick(end);
    if (at.length === 0) await sink.state(end, replayed);
  } finally {
    for (const input of inputs) await input.close();
    await broker.close();
  }
  return {
    replayed,
    tally: { rows, unit: "message", otherKinds: new Map(), afterUntil: 0, beforeAfter: 0, lines: null, negative: 0 },
  };
}

/** One partition's stream, up to where it ended when it was opened. */
class Input {
  readonly partition: number;
  readonly #reader: StreamReader;
  readonly #streams: PartitionStreams;
  readonly #settings: Settings;
  readonly #last: number;
  readonly #signal: AbortSignal;
  #waiting: StreamMessage[] = [];
  #at = 0;
  #sequence: number;

  private constructor(
    reader: StreamReader,
    streams: PartitionStreams,
    settings: Settings,
    first: number,
    last: number,
    signal: AbortSignal,
  ) {
    this.partition = streams.partition;
    this.#reader = reader;
    this.#streams = streams;
    this.#settings = settings;
    this.#sequence = first - 1;
    this.#last = last;
    this.#signal = signal;
  }

  static async open(
    broker: Broker,
    streams: PartitionStreams,
    settings: Settings,
    signal: AbortSignal,
  ): Promise<Input> {
    const state = await streamState(broker, streams.input).catch((cause: unknown) => {
      throw new FatalError("STREAM_UNSUITABLE", `stream ${streams.input} can't be read`, {
        cause,
        remedy: "Check the configuration's name and partitions: `tidemark run` makes the streams.",
      });
    });
    if (state.first_seq > 1) {
      err.note(
        `${err.style("yellow", "tidemark:")} ${streams.input} begins with message ${state.first_seq}, of ${instantText(
          Date.parse(state.first_ts),
        )}: what was before it is not counted`,
      );
    }
    const first = Math.max(1, state.first_seq);
    const reader = new StreamReader(broker, {
      stream: streams.input,
      from: first,
      messagesMax: 1000,
      bytesMax: 8 << 20,
    });
    return new Input(reader, streams, settings, first, state.last_seq, signal);
  }

  /** The next message that is stamped no later than `until`; undefined where there is none. */
  async next(until: number) {
    const message = await this.#peek();
    if (message === undefined || (this.#settings.clock === "broker" && message.stamp > until)) return undefined;
    this.#at++;
    this.#sequence = message.sequence;
    const { subject, sequence, stamp, body } = message;
    const control = subject === this.#streams.control;
    const source = sourceOf(this.#settings, subject);
    return { subject, sequence, stamp, body, control, source, silent: message.header("Tidemark-Silent") === "1" };
  }

  async #peek(): Promise<StreamMessage | undefined> {
    while (this.#at >= this.#waiting.length) {
      if (this.#sequence >= this.#last) return undefined;
      const batch = await this.#reader.next(this.#signal);
      this.#signal.throwIfAborted();
      // What the stream's tail has lost can't be waited for.
      if (batch.missing !== undefined && batch.missing.to >= this.#last) this.#sequence = this.#last;
      this.#waiting = batch.messages.filter(({ sequence }) => sequence <= this.#last);
      this.#at = 0;
      if (this.#waiting.length === 0) return undefined;
    }
    return this.#waiting[this.#at];
  }

  async close(): Promise<void> {
    await this.#reader.close();
  }
}
