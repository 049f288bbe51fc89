/**
 * The owner of a partition, its reader, ledger, ticker, checkpoints and recovery, the real ones, on virtual time against
 * a broker and a disk in memory. SIMULATION_SEEDS=n runs so many, from SIMULATION_FROM on; SIMULATION_SEED=n that one
 * alone (the same to the millisecond).
 */
import { assert, test, vi } from "vitest";
import { disk, type Outcome, simulate } from "./world.js";

vi.mock("node:fs/promises", () => {
  const calls = ["mkdir", "open", "readdir", "rename", "rm", "stat"] as const;
  return Object.fromEntries(calls.map((call) => [call, (...args: [string, string]) => disk?.[call](...args)]));
});

const SEED = process.env["SIMULATION_SEED"];
const SEEDS = SEED === undefined ? Number(process.env["SIMULATION_SEEDS"] ?? 200) : 1;
const FIRST = Number(SEED ?? process.env["SIMULATION_FROM"] ?? 1);
/** A seed takes a few hundredths of a second; machines are busy. */
const patience = 60_000 + SEEDS * 500;

test(
  `${SEEDS} seeds from ${FIRST} on: every record once, in order, or a stop that names what happened`,
  async () => {
    const started = process.cpuUsage();
    const outcomes: Outcome[] = [];
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) outcomes.push(await simulate(seed));
    const { user, system } = process.cpuUsage(started);
    const cpuSeconds = (user + system) / 1e6;
    const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + of(outcome), 0);
    const ends: Record<string, number> = {};
    const faults: Record<string, number> = {};
    for (const outcome of outcomes) {
      ends[outcome.end] = (ends[outcome.end] ?? 0) + 1;
      for (const [kind, count] of Object.entries(outcome.faults)) faults[kind] = (faults[kind] ?? 0) + count;
    }
    const messages = sum((outcome) => outcome.messages);
    const records = sum((outcome) => outcome.records);
    const checkpoints = sum((outcome) => outcome.checkpoints);
    const restores = sum((outcome) => outcome.restores);
    const fallbacks = sum((outcome) => outcome.fallbacks);
    console.log(
      `simulated ${SEEDS} seeds: ${JSON.stringify({ ends, faults, messages, records, checkpoints, restores, fallbacks, cpuSeconds })}`,
    );
    if (SEEDS >= 100) assert(records > 10 * SEEDS, "the simulation gives records to compare");
  },
  patience,
);
