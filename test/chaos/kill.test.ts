/**
 * The kill loop: a real broker and real engines, killed, stopped, cut off and doubled while orders flow. Afterwards the
 * ledger is what an undisturbed run over the same input gives, byte for byte, and the state is the oracle's.
 *
 * CHAOS_SEED=n begins with this seed (faults and orders are drawn from it; what they meet is the machine's affair),
 * CHAOS_RUNS=n makes so many runs on each broker, CHAOS_SECONDS=n makes each as long.
 */
import { describe, test } from "vitest";
import { serverVersions } from "../support/nats.js";
import { chaos } from "./run.js";

const RUNS = Number(process.env["CHAOS_RUNS"] ?? 1);
const SECONDS = Number(process.env["CHAOS_SECONDS"] ?? 12);
const SEED = Number(process.env["CHAOS_SEED"] ?? Math.floor(Date.now() / 1000) % 1_000_000);
/** An engine takes a second or more until it runs: most are to live for some checkpoints. */
const MEAN_GAP_MS = 1_800;

describe.each(serverVersions)("on nats-server $version", ({ binary, version }) => {
  test.each(Array.from({ length: RUNS }, (_, n) => SEED + n))(
    "seed %i: killed, stopped and cut off at any moment, the ledger is that of an undisturbed run",
    async (seed) => {
      console.log(`nats-server ${version}, CHAOS_SEED=${seed}`);
      const passed = await chaos({
        binary,
        seed,
        durationMs: SECONDS * 1_000,
        meanGapMs: MEAN_GAP_MS,
        customers: 100 * SECONDS,
      });
      console.log(`nats-server ${version}, CHAOS_SEED=${seed} passed: ${JSON.stringify(passed)}`);
    },
    SECONDS * 1_000 + 300_000,
  );
});
