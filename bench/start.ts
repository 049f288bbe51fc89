/**
 * start.reserve: what an empty engine costs whose capacities are for 10 M customers: time from the partitions' first
 * import to the last one ready, and memory of the whole process then. Each round is a fresh process.
 */
import { compileSettings, settingsToJson } from "../runtime/config/index.js";
import { runChild } from "./child.js";
import type { Empty } from "./empty.js";
import { type Bench, type BenchOptions, type Result, withGoal } from "./result.js";
import { median, resultOf, roundsOf } from "./rounds.js";

const CUSTOMERS = 10_000_000;
/** One partition about as large as 4 GiB let it be, and the defaults' eight with the defaults' 8 orders a customer. */
const LAYOUTS = [
  { partitions: 1, entries: 3 * CUSTOMERS },
  { partitions: 8, entries: 8 * CUSTOMERS },
];
const MS_MAX = 200;
const MIB_MAX = 300;

async function run(options: BenchOptions): Promise<readonly Result[]> {
  const rounds = LAYOUTS.map((): Empty[] => []);
  for (let round = 0; round < roundsOf(options); round++) {
    for (const [n, { partitions, entries }] of LAYOUTS.entries()) {
      const settings = compileSettings({
        partitions,
        capacity: { customers: CUSTOMERS / partitions, entries: entries / partitions },
        models: [{ use: "threebands", currency: "EUR" }],
      });
      rounds[n]?.push(await runChild<Empty>("empty", settingsToJson(settings)));
    }
  }
  const time = worse(rounds, ({ ms }) => ms);
  const memory = worse(rounds, ({ residentBytes }) => residentBytes / 2 ** 20);
  return [
    withGoal({ ...resultOf("start.reserve", "ms", time.figures), note: time.note }, "<", MS_MAX),
    withGoal({ ...resultOf("start.reserve.memory", "MiB", memory.figures), note: memory.note }, "<", MIB_MAX),
  ];
}

/** The layout that takes more, with what each takes. */
function worse(rounds: readonly (readonly Empty[])[], of: (empty: Empty) => number) {
  const each = rounds.map((round) => round.map(of));
  const medians = each.map(median);
  const parts = LAYOUTS.map(({ partitions }, n) => {
    const round = rounds[n] as readonly Empty[];
    const reserved = median(round.map(({ reservedBytes }) => reservedBytes)) / 2 ** 30;
    const added = median(round.map(({ addedBytes }) => addedBytes)) / 2 ** 20;
    const cpu = median(round.map(({ cpuMs }) => cpuMs));
    return (
      `${partitions === 1 ? "one partition" : `${partitions} partitions`} ${medians[n]?.toFixed(0)} ` +
      `(${reserved.toFixed(1)} GiB reserved, ${added.toFixed(0)} MiB more than Node alone, ${cpu.toFixed(0)} ms of processor)`
    );
  });
  return { figures: each[medians.indexOf(Math.max(...medians))] as number[], note: `the more of ${parts.join("; ")}` };
}

export const startBenches: readonly Bench[] = [{ names: ["start.reserve", "start.reserve.memory"], run }];
