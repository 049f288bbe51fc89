/** What every customer's measures are at the end of the input, by a replay that is there for nothing else. */
import type { Measures } from "../../runtime/config/index.js";
import type { Settings } from "../../runtime/settings.js";
import { BATCH_BYTES, BATCH_EVENTS, Batcher } from "./batch.js";
import type { FileItem } from "./item.js";
import { Replay } from "./replay.js";

export interface MeasureOptions {
  readonly wasm: WebAssembly.Module;
  /** Under the event clock; the first model's windows are those that are measured. */
  readonly settings: Settings;
  readonly source: number;
  /** In order of time. */
  readonly items: AsyncIterable<readonly FileItem[]>;
  /** The instant of the measures, ms; null where there are no items. */
  readonly end: number | null;
  readonly signal: AbortSignal;
  /** Called with the events applied so far. */
  readonly progress?: (events: number) => void;
}

export interface Measured {
  readonly measures: Measures;
  /** What it was measured in. */
  readonly replayed: Replay;
  readonly end: number | null;
}

/** Applies the items and measures at the end. Throws FatalError (PARTITION_FULL). */
export async function measure(options: MeasureOptions): Promise<Measured> {
  const { wasm, settings, source, items, end, signal, progress } = options;
  const replayed = new Replay({ wasm, settings, source });
  const bytesMax = Math.min(BATCH_BYTES, settings.messageBytesMax);
  const batcher = new Batcher({ partitions: settings.partitions, eventsMax: BATCH_EVENTS, bytesMax });
  let events = 0;
  for await (const batch of items) {
    signal.throwIfAborted();
    for (const item of batch) for (const message of batcher.add(item)) replayed.apply(message);
    events += batch.length;
    progress?.(events);
  }
  for (const message of batcher.flush()) replayed.apply(message);
  if (end !== null) replayed.tick(end);
  return { measures: measuresOf(replayed, settings.models[0]?.name ?? "", end ?? 0), replayed, end };
}

/** The customers with a counting order, as one model has them at `instant` (ms). */
function measuresOf(replayed: Replay, model: string, instant: number): Measures {
  const recency: number[] = [];
  const frequency: number[] = [];
  const monetary: number[] = [];
  let history = 0;
  // A partition at a time: rows are objects, and there is one a customer and model.
  for (const partition of replayed.partitions) {
    for (const row of partition.state()) {
      if (row.model !== model || row.lastOrder === null) continue;
      recency.push(Math.max(0, instant - row.lastOrder));
      frequency.push(row.orders);
      monetary.push(row.spend);
      history = Math.max(history, instant - (row.firstOrder ?? instant));
    }
  }
  return {
    recency: Float64Array.from(recency),
    frequency: Float64Array.from(frequency),
    monetary: Float64Array.from(monetary),
    history,
  };
}
