/** What the main thread and a worker say to each other. Plain values; every question has a number and gets one answer. */
import type { ErrorCode } from "../../runtime/errors.js";
import type { Settings } from "../../runtime/settings.js";
import type { StateRow } from "../../runtime/state.js";
import type { ModelCounts } from "../edge.js";
import type { BrokerOptions } from "./broker.js";
import type { ApplyModel, OwnerStatus } from "./owner.js";
import type { PartitionStreams } from "./streams.js";

/** `workerData` of a worker. */
export interface WorkerStart {
  readonly worker: number;
  readonly broker: BrokerOptions;
  readonly wasm: WebAssembly.Module;
  readonly settings: Settings;
  readonly streams: readonly PartitionStreams[];
  readonly seed: Uint8Array;
  readonly applyModel: ApplyModel;
  readonly acceptGap: boolean;
}

/** A partition's rows are held from `stateOpen` to `stateClose`; they are fetched in parts. */
export interface StatePart {
  readonly partition: number;
  readonly clock: number;
  readonly nextDue: number | null;
  readonly sequence: number;
  readonly rows: number;
  readonly models: readonly string[];
}

export interface Questions {
  readonly status: { ask: object; answer: OwnerStatus[] };
  /** `seen`: positions summed at the last answer; null when nothing was applied since. */
  readonly counts: { ask: { seen: number | null }; answer: { seen: number; counts: ModelCounts[] } | null };
  /** Waits until nothing is overdue; publishes a tick first where asked to. */
  readonly stateOpen: { ask: { partition: number; token: number; tick: boolean }; answer: StatePart };
  readonly stateRows: { ask: { partition: number; token: number; from: number; count: number }; answer: StateRow[] };
  readonly stateClose: { ask: { token: number }; answer: null };
  readonly stop: { ask: object; answer: null };
}

export type Question = {
  [K in keyof Questions]: { readonly id: number; readonly kind: K } & Questions[K]["ask"];
}[keyof Questions];

export interface PlainError {
  readonly name: string;
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly remedy: string | undefined;
}

export type FromWorker =
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "refusal"; readonly id: number; readonly error: PlainError }
  | { readonly kind: "started" }
  | {
      readonly kind: "progress";
      readonly states: readonly { partition: number; state: OwnerStatus["state"]; pending: number }[];
      readonly connected: boolean;
    }
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "failed"; readonly partition: number | undefined; readonly error: PlainError };
