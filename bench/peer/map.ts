/**
 * peer.map: orders a second through the engine's partition (decoded, applied, its ledger records encoded) over those
 * through what a team would write by hand (see service.ts), on the same messages. Each runs in a fresh process of its
 * own, in turn, one at a time; they must say the same.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileSettings, settingsToJson } from "../../runtime/config/index.js";
import { runChild } from "../child.js";
import { type Bench, type BenchOptions, type Result, withRatioGoal } from "../result.js";
import { inTurn, median, roundsOf } from "../rounds.js";
import { Companion } from "./companion.js";
import type { ContestantSpec, Took } from "./contestant.js";
import type { StreamSpec } from "./stream.js";

const RATIO_MIN = 5;
const PER_MESSAGE = 100;
/** Messages that warm up, and messages of a round. */
const FULL = { customers: 1_000_000, warmUp: 500, round: 1000 };
const QUICK = { customers: 100_000, warmUp: 200, round: 300 };

interface Row {
  readonly name: string;
  readonly mix: StreamSpec["mix"];
  /** Orders of each customer before. */
  readonly historyEach: number;
  readonly says: string;
}

const ROWS: readonly Row[] = [
  {
    name: "peer.map",
    mix: "shop",
    historyEach: 2,
    says: "the simulated shop's live traffic: newcomers, regulars, late orders, amendments, refunds, cancels",
  },
  {
    name: "peer.map.intime",
    mix: "intime",
    historyEach: 1,
    says: "small in-time orders of known customers, drawn evenly",
  },
];

/** As a team sets it for a heap of millions of objects; Node's own limit of some 4 GiB may end one. */
const HEAP = ["--max-semi-space-size=64", "--max-old-space-size=12000"];

async function measure({ name, mix, historyEach, says }: Row, options: BenchOptions): Promise<Result> {
  const { quick, note } = options;
  const { customers, warmUp, round: roundMessages } = quick ? QUICK : FULL;
  const rounds = roundsOf(options);
  const historyMessages = (customers * historyEach) / PER_MESSAGE;
  const folder = mkdtempSync(join(tmpdir(), "tidemark-peer-"));
  const children: Companion<number, Took>[] = [];
  try {
    const file = join(folder, "stream");
    const stream: StreamSpec = {
      file,
      customers,
      history: customers * historyEach,
      perMessage: PER_MESSAGE,
      messages: warmUp + rounds * roundMessages,
      mix,
      rate: customers / 20_000,
    };
    await runChild("peer/stream", stream);
    const settings = settingsToJson(
      compileSettings({
        partitions: 1,
        capacity: { customers: 2 * customers, entries: 10 * customers },
        models: [{ use: "threebands", currency: "EUR" }],
      }),
    );
    const start = (who: ContestantSpec["who"]) => {
      const spec: ContestantSpec = { who, file, settings };
      const child = new Companion<number, Took>("peer/contestant", spec, HEAP);
      children.push(child);
      return child;
    };
    const [ours, theirs] = [start("tidemark"), start("peer")];
    for (const [who, child] of [
      ["tidemark", ours],
      ["peer", theirs],
    ] as const) {
      const { ms } = await child.ask(historyMessages);
      note(`${name}: ${who} took the history of ${customers * historyEach} orders in ${(ms / 1000).toFixed(1)} s`);
    }

    const said = new Map<string, Took[]>();
    const contestant = (who: string, child: Companion<number, Took>) => ({
      name: who,
      measure: async (round: number) => {
        const count = round < 0 ? warmUp : roundMessages;
        const took = await child.ask(count);
        said.set(who, [...(said.get(who) ?? []), took]);
        return (count * PER_MESSAGE * 1000) / took.ms;
      },
    });
    const figures = await inTurn([contestant("tidemark", ours), contestant(name, theirs)], { rounds, note });
    const [our, their] = [said.get("tidemark") ?? [], said.get(name) ?? []];
    const records = compare(our, their);
    const cpuRatio = median(our.slice(1).map(({ cpuMs }, n) => (their[n + 1] as Took).cpuMs / cpuMs));

    const ratio = median(figures.of("tidemark").map((figure, n) => figure / (figures.of(name)[n] as number)));
    const each = records / (rounds * roundMessages * PER_MESSAGE);
    const oursMedian = Math.round(median(figures.of("tidemark")) / 1000);
    return withRatioGoal(
      {
        ...figures.result(name, "orders/s"),
        ratio,
        note:
          `theirs; ours ${oursMedian.toLocaleString("en-US")} k orders/s; ${says}; ` +
          `${customers.toLocaleString("en-US")} customers, ${PER_MESSAGE} orders a message, ${each.toFixed(2)} records an order; ` +
          `one process each, one at a time, both said the same; in CPU time of all threads ${cpuRatio.toFixed(1)} ×`,
      },
      "≥",
      RATIO_MIN,
    );
  } finally {
    for (const child of children) child.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Throws where one says other than the other. Returns the records of the rounds. */
function compare(ours: readonly Took[], theirs: readonly Took[]): number {
  let records = 0;
  for (const [n, { records: count, bytes, segments }] of ours.entries()) {
    const other = theirs[n];
    const same =
      other !== undefined &&
      count === other.records &&
      bytes === other.bytes &&
      JSON.stringify(segments) === JSON.stringify(other.segments);
    if (!same) {
      throw new Error(`the peer says something else: ${JSON.stringify(other)}, not ${JSON.stringify(ours[n])}`);
    }
    if (n > 0) records += count;
  }
  return records;
}

async function run(options: BenchOptions): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const row of ROWS) if (options.wants(row.name)) results.push(await measure(row, options));
  return results;
}

export const mapBenches: readonly Bench[] = [{ names: ROWS.map(({ name }) => name), run }];
