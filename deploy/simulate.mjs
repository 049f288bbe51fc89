// npm run test:simulate: the simulation alone, with more seeds than within npm test, in as many processes as there are
// processors. Arguments are vitest's. See test/simulation/owner.test.ts.
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { ensureBuilt, ROOT } from "./build.mjs";

const { SIMULATION_SEED: one, SIMULATION_SEEDS: wanted = "2000" } = process.env;
const seeds = one === undefined ? Number(wanted) : 1;
if (!Number.isInteger(seeds) || seeds < 1) {
  console.error(`SIMULATION_SEEDS is ${wanted}; expected a whole number above 0.`);
  process.exit(2);
}
ensureBuilt();
const processes = Math.min(availableParallelism(), seeds);
const started = Date.now();
const shares = Array.from({ length: processes }, (_, n) => {
  const [from, to] = [n, n + 1].map((part) => 1 + Math.floor((part * seeds) / processes));
  return simulated(one === undefined ? { SIMULATION_FROM: `${from}`, SIMULATION_SEEDS: `${to - from}` } : {});
});
const failed = (await Promise.all(shares)).filter((code) => code !== 0).length;
const seconds = (Date.now() - started) / 1_000;
console.log(
  `${seeds} seeds in ${seconds.toFixed(1)} s, ${Math.round((60 * seeds) / seconds)} a minute, ${processes} processes, ${failed} failed`,
);
process.exit(failed === 0 ? 0 : 1);

/** Exit code of a share. */
function simulated(env) {
  const vitest = [join(ROOT, "node_modules/vitest/vitest.mjs"), "run", "test/simulation", ...process.argv.slice(2)];
  const child = spawn(process.execPath, vitest, { cwd: ROOT, stdio: "inherit", env: { ...process.env, ...env } });
  return new Promise((resolve) => child.on("exit", (code) => resolve(code ?? 1)));
}
