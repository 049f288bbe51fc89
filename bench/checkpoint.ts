/**
 * checkpoint.pause: the longest that an order waits for the engine's thread while a checkpoint of a million customers is
 * written: what a chunk of it takes, and behind it a slice of orders, whose customers are written out before their turn.
 * baseline.pause: the same slices without a checkpoint.
 * checkpoint.restore.10m: from the first byte to a partition that goes on.
 */
import { performance } from "node:perf_hooks";
import { loadKernel } from "../connectors/cli/kernel.js";
import { Partition } from "../runtime/partition.js";
import type { InputMessage } from "../runtime/record.js";
import { runChild } from "./child.js";
import { randomFrom } from "./history.js";
import { FIRST_MS, messagesOf, settingsFor } from "./population.js";
import type { Restored } from "./restored.js";
import { type Bench, type BenchOptions, type Result, withGoal } from "./result.js";
import { inTurn, percentile, roundsOf } from "./rounds.js";

const MILLION = 1_000_000;
const PAUSE_MS_MAX = 10;
const ID_LENGTH = 12;
/** Orders of a slice: as many as come in a few milliseconds at a rate that is high for one partition. */
const SLICE = 200;
/** Slices of a round without a checkpoint; and of any round, at most: there is room for their orders. */
const SLICES = 1_000;
const SLICES_MAX = 4_000;

/** One partition whose customers have ordered, and orders of any of them to come. */
class Shop {
  readonly #partition: Partition;
  readonly #customers: number;
  readonly #random = randomFrom(7);
  #sequence: number;
  #order = 0;

  constructor(customers: number, ordersMax: number) {
    this.#customers = customers;
    const capacity = { customers: customers + 1, entries: customers + ordersMax + 100, idBytes: (customers + 2) * 16 };
    const settings = settingsFor(capacity);
    const seed = new Uint8Array(16).fill(7);
    this.#partition = new Partition({ wasm: loadKernel(), settings, partition: 0, seed });
    this.#sequence = customers / 1000;
    for (const message of messagesOf({ orders: customers, idLength: ID_LENGTH }))
      for (const _ of this.#partition.apply([{ ...message, sequence: message.sequence + 1 }]));
  }

  #message(): InputMessage {
    const number = Math.floor(this.#random() * this.#customers);
    const customer = `c${String(number).padStart(ID_LENGTH - 1, "0")}`;
    const time = FIRST_MS + this.#customers + this.#order;
    const body = Buffer.from(JSON.stringify({ id: `n${this.#order++}`, customer, time, amount: 1 }));
    return {
      sequence: ++this.#sequence,
      stamp: time,
      subject: "tidemark.orders.0.web",
      source: 0,
      control: false,
      silent: true,
      body,
    };
  }

  /** Of each slice, with the chunk before it: ms. Bytes of the checkpoint. */
  round(writes: boolean): { pausesMs: number[]; bytes: number } {
    const partition = this.#partition;
    const begun = performance.now();
    if (writes) partition.beginCheckpoint();
    const pausesMs = [performance.now() - begun];
    let bytes = 0;
    while (writes ? partition.checkpointing : pausesMs.length < SLICES) {
      const messages = Array.from({ length: SLICE }, () => this.#message());
      const started = performance.now();
      if (writes) bytes += partition.nextCheckpointChunk()?.length ?? 0;
      for (const _ of partition.apply(messages));
      pausesMs.push(performance.now() - started);
    }
    return { pausesMs, bytes };
  }
}

async function runPause({ quick, note }: BenchOptions): Promise<readonly Result[]> {
  const customers = quick ? MILLION / 10 : MILLION;
  const rounds = roundsOf({ quick });
  const shop = new Shop(customers, (rounds + 1) * 2 * SLICES_MAX * SLICE);
  const all: ReturnType<Shop["round"]>[] = [];
  const bare: number[] = [];
  const written = () => {
    const one = shop.round(true);
    all.push(one);
    return Math.max(...one.pausesMs);
  };
  const without = () => {
    const { pausesMs } = shop.round(false);
    bare.push(...pausesMs);
    return Math.max(...pausesMs);
  };
  const figures = await inTurn(
    [
      { name: "checkpoint.pause", measure: written },
      { name: "baseline.pause", measure: without },
    ],
    { rounds, note },
  );
  const { pausesMs, bytes } = all.at(-1) as (typeof all)[number];
  const orders = pausesMs.length * SLICE;
  const size = `${(bytes / 2 ** 20).toFixed(0)} MiB, ${orders} orders between`;
  const most = (figures: readonly number[]) => `${percentile(figures, 0.999).toFixed(1)} ms`;
  const result = {
    ...figures.result("checkpoint.pause", "ms", "baseline.pause"),
    note:
      `${customers / MILLION} M customers; ${size}; the longest of a round, slices of ${SLICE} orders; ` +
      `99.9 % of them within ${most(all.flatMap((one) => one.pausesMs))}, without a checkpoint ${most(bare)}`,
  };
  return [withGoal(result, "≤", PAUSE_MS_MAX), figures.result("baseline.pause", "ms")];
}

async function runRestore({ quick, note }: BenchOptions): Promise<readonly Result[]> {
  const customers = quick ? MILLION : 10 * MILLION;
  const restored = await runChild<Restored>("restored", { customers, rounds: quick ? 2 : 3 });
  for (const seconds of restored.seconds)
    note(`${customers / MILLION} M customers restored in ${seconds.toFixed(2)} s`);
  const sorted = restored.seconds.toSorted((a, b) => a - b);
  const size = `${(restored.bytes / 2 ** 20).toFixed(0)} MiB`;
  return [
    {
      name: "checkpoint.restore.10m",
      value: sorted[sorted.length >> 1] as number,
      unit: "s",
      low: sorted[0] as number,
      high: sorted.at(-1) as number,
      rounds: sorted.length,
      note:
        `${customers / MILLION} M customers with an order each, ${size} from memory; ` +
        `written in ${restored.writeSeconds.toFixed(1)} s, longest chunk ${restored.chunkMs.toFixed(1)} ms` +
        (quick ? "; 10 M left out (--quick)" : ""),
    },
  ];
}

export const checkpointBenches: readonly Bench[] = [
  { names: ["checkpoint.pause", "baseline.pause"], run: runPause },
  { names: ["checkpoint.restore.10m"], run: runRestore },
];
