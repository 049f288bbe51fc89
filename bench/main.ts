/** `npm run bench`: runs the benches asked for, one after the other, and prints what they found. */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { nearest } from "../runtime/config/index.js";
import { brokerBenches } from "./broker.js";
import { checkpointBenches } from "./checkpoint.js";
import { decodeBenches } from "./decode.js";
import { fanoutBenches } from "./fanout.js";
import { kernelBenches } from "./kernel.js";
import { latencyBenches } from "./latency.js";
import { ledgerBenches } from "./ledger.js";
import { describeMachine, type Machine, observeMachine } from "./machine.js";
import { memoryBenches } from "./memory.js";
import { duckdbBenches } from "./peer/duckdb.js";
import { mapBenches } from "./peer/map.js";
import type { Bench, Result } from "./result.js";
import { scanBenches } from "./scan.js";
import { startBenches } from "./start.js";
import { figure, markdownTable, textTable } from "./table.js";
import { timersBenches } from "./timers.js";
import { waveBenches } from "./wave.js";

const FAILED = 1;
const USAGE = 2;

/** All benches, in the order of the table. */
const BENCHES: readonly Bench[] = [
  ...brokerBenches,
  ...decodeBenches,
  ...kernelBenches,
  ...memoryBenches,
  ...startBenches,
  ...checkpointBenches,
  ...timersBenches,
  ...scanBenches,
  ...mapBenches,
  ...duckdbBenches,
  ...ledgerBenches,
  ...fanoutBenches,
  ...latencyBenches,
  ...waveBenches,
];

const RESULTS_FILE = new URL("../../bench/RESULTS.md", import.meta.url);
/** Between these lines of RESULTS.md, what is written is replaced; the rest of the file is written by hand. */
const TABLE_BEGIN = "<!-- table: written by npm run bench -- --results -->";
const TABLE_END = "<!-- end of the table -->";

const HELP = `npm run bench -- [options]

Measures the hot path beside its limits and prints a table: each figure is the median of several rounds.
Results go to stdout, progress to stderr. Keep the machine otherwise idle.

  --only NAME,…  benches by the name of a result, or by its first words: kernel, kernel.apply.1m
                 (what it is compared with runs, too)
  --quick        fewer rounds and smaller inputs: that all runs, and the order of magnitude
  --json FILE    the results as JSON, too: {"machine":{…},"results":[{"name","value","unit","limit","ratio",…}]}
  --results      writes the table into bench/RESULTS.md, too; only of a whole run, which may be a quick one
  --list         names the results that there are
  --build        builds all that the benches need, and no more
  --no-build     runs what is built, where nothing it is made of is newer
  --help         this`;

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Names that no heading of RESULTS.md covers: each figure has a paragraph there that says what bounds it. */
function withoutParagraph(names: readonly string[]): string[] {
  const headings = [...readFileSync(RESULTS_FILE, "utf8").matchAll(/^### (.*)$/gm)].flatMap(([, heading]) =>
    [...(heading ?? "").matchAll(/`([^`]+)`/g)].map(([, word]) => word as string),
  );
  return names.filter((name) => !headings.some((word) => covers(word, name)));
}

/** Ends with exit code 2: the command makes no sense. */
function refuse(problem: string): never {
  note(`bench: ${problem}`);
  note("See npm run bench -- --help.");
  process.exit(USAGE);
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: "string", multiple: true },
        quick: { type: "boolean", default: false },
        json: { type: "string" },
        results: { type: "boolean", default: false },
        list: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    return values;
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

/** Whether the result is asked for by this word: its name, or the first words of it. */
function covers(word: string, name: string): boolean {
  return name === word || name.startsWith(`${word}.`);
}

/** Refuses a word that covers no result. */
function checkWords(words: readonly string[], names: readonly string[]): void {
  const known = new Set(names.flatMap((name) => name.split(".").map((_, n, parts) => parts.slice(0, n + 1).join("."))));
  for (const word of words) {
    if (known.has(word)) continue;
    const meant = nearest(word, [...known]);
    refuse(`no result is named ${JSON.stringify(word)}${meant ? `; did you mean ${meant}?` : `\n${names.join("\n")}`}`);
  }
}

/** Runs the bench and checks that it gives what it says it gives. */
async function runBench(bench: Bench, words: readonly string[], quick: boolean): Promise<readonly Result[]> {
  const wants = (name: string) => words.length === 0 || words.some((word) => covers(word, name));
  const results = await bench.run({ quick, wants, note: (text) => note(`  ${text}`) });
  for (const { name, value } of results) {
    if (!bench.names.includes(name)) throw new Error(`${name} is not among the names of its bench`);
    if (!Number.isFinite(value)) throw new Error(`${name} is ${value}`);
  }
  for (const result of results) note(`${result.name} ${figure(result)}`);
  return results;
}

function writeResults(machine: Machine, results: readonly Result[]): void {
  const old = readFileSync(RESULTS_FILE, "utf8");
  const from = old.indexOf(TABLE_BEGIN);
  const to = old.indexOf(TABLE_END);
  if (from < 0 || to < from) throw new Error("bench/RESULTS.md has lost the lines that its table lies between");
  const lines = [TABLE_BEGIN, "```text", ...describeMachine(machine), "```", "", ...markdownTable(results), ""];
  writeFileSync(RESULTS_FILE, `${old.slice(0, from)}${lines.join("\n")}${old.slice(to)}`);
}

const options = readOptions();
const names = BENCHES.flatMap((bench) => bench.names);
if (new Set(names).size < names.length) throw new Error("two results have the same name");
if (options.help) {
  console.log(HELP);
  process.exit(0);
}
if (options.list) {
  for (const name of names) console.log(name);
  process.exit(0);
}
const words = (options.only ?? []).flatMap((list) => list.split(",")).filter(Boolean);
checkWords(words, names);
if (options.results && words.length > 0) refuse("--results goes with a whole run: without --only");

// So that what stops children at exit stops them now, too.
for (const [signal, number] of [
  ["SIGINT", 2],
  ["SIGTERM", 15],
  ["SIGHUP", 1],
] as const)
  process.on(signal, () => process.exit(128 + number));

const command = ["npm run bench", ...(process.argv.length > 2 ? ["--", ...process.argv.slice(2)] : [])].join(" ");
const machineAtEnd = observeMachine(command);
const results: Result[] = [];
let failed = false;
for (const bench of BENCHES) {
  if (words.length > 0 && !bench.names.some((name) => words.some((word) => covers(word, name)))) continue;
  const title = bench.names.length > 3 ? `${bench.names[0]} … ${bench.names.at(-1)}` : bench.names.join(", ");
  note(`${title}:`);
  try {
    results.push(...(await runBench(bench, words, options.quick)));
  } catch (error) {
    // The others are worth having all the same.
    failed = true;
    note(`bench: ${title} failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
  }
}
const machine = machineAtEnd();
for (const line of [...describeMachine(machine), "", ...textTable(results)]) console.log(line);
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify({ machine, results }, null, 2)}\n`);
if (options.results) {
  if (failed) note("bench: bench/RESULTS.md is left as it is, for a bench failed.");
  else writeResults(machine, results);
  const missing = withoutParagraph(results.map(({ name }) => name));
  if (missing.length > 0) note(`bench: bench/RESULTS.md says nothing of what bounds ${missing.join(", ")}.`);
}
// Not process.exit: a stdout that is a pipe takes what is written later.
if (failed) process.exitCode = FAILED;
