/** What the main thread and a worker say to each other. Plain values; every question has a number and gets one answer. */
import type { CheckpointSettings } from "../../runtime/config/index.js";
import type { ErrorCode } from "../../runtime/errors.js";
import type { CustomerHistory } from "../../runtime/history.js";
import type { Settings } from "../../runtime/settings.js";
import type { StateRow } from "../../runtime/state.js";
import type { ModelCounts } from "../edge.js";
import type { BrokerOptions } from "./broker.js";
import type { ApplyModel, OwnerStatus } from "./owner.js";
import type { Accepted } from "./recovery.js";
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
  readonly accepted: Accepted;
  /** Undefined: none are kept. */
  readonly checkpoints?: CheckpointPlace | undefined;
  /** Puts those that are there aside at the start. */
  readonly discardCheckpoints: boolean;
}

/** Where checkpoints are kept and how often one is taken. */
export interface CheckpointPlace extends Pick<CheckpointSettings, "everyMs" | "messagesMax"> {
  /** Undefined: the broker's object store. */
  readonly folder?: string | undefined;
}

/** A partition that is paused for an answer about the state. */
export interface StatePart {
  readonly partition: number;
  readonly clock: number;
  readonly sequence: number;
}

/** How many rows of a partition wait to be fetched. */
export interface TakenRows {
  readonly partition: number;
  readonly rows: number;
}

export interface Questions {
  readonly status: { ask: object; answer: OwnerStatus[] };
  /** `seen`: positions summed at the last answer; null when nothing was applied since. */
  readonly counts: { ask: { seen: number | null }; answer: { seen: number; counts: ModelCounts[] } | null };
  /** Begins an answer about the state, to be ended with `stateClose`. The others that name its token: see stateanswers.ts. */
  readonly stateOpen: { ask: { token: number }; answer: null };
  readonly statePause: { ask: { token: number; partition: number; tick: boolean }; answer: StatePart };
  readonly stateTake: { ask: { token: number; instant: number }; answer: readonly TakenRows[] | null };
  readonly stateRows: {
    ask: { token: number; partition: number; from: number; count: number };
    answer: readonly StateRow[];
  };
  readonly stateClose: { ask: { token: number }; answer: null };
  /** One customer as it is; null where it never came. */
  readonly history: { ask: { partition: number; customer: string }; answer: CustomerHistory | null };
  /** Takes a checkpoint of each of the worker's partitions: their positions. */
  readonly checkpoint: { ask: object; answer: readonly StoredAt[] };
  readonly stop: { ask: object; answer: null };
}

export type Question = {
  [K in keyof Questions]: { readonly id: number; readonly kind: K } & Questions[K]["ask"];
}[keyof Questions];

/** What a partition's newest checkpoint holds: the state after this input message. */
export interface StoredAt {
  readonly partition: number;
  readonly sequence: number;
}

export interface PlainError {
  readonly name: string;
  readonly code: ErrorCode | undefined;
  readonly message: string;
  readonly remedy: string | undefined;
}

export interface PartitionProgress {
  readonly partition: number;
  readonly state: OwnerStatus["state"];
  readonly pending: number;
  /** What it went on from: see CheckpointStatus. */
  readonly restored: number | null;
}

export type FromWorker =
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "refusal"; readonly id: number; readonly error: PlainError }
  | { readonly kind: "started" }
  | {
      readonly kind: "progress";
      readonly states: readonly PartitionProgress[];
      readonly connected: boolean;
    }
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "failed"; readonly partition: number | undefined; readonly error: PlainError };
