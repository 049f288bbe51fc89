/** `tidemark check`: whether a configuration can work, what its rules come to, and what it makes of real messages. */
import { Command } from "commander";
import {
  type CellTable,
  ConfigError,
  type ConfigIssue,
  cellTable,
  defaultConfig,
  type Finding,
  findings,
  formatCellTable,
  formatDuration,
  formatIssue,
  parseConfig,
  parseConfigObject,
} from "../../runtime/config/index.js";
import { expandModels } from "../../runtime/config/ready.js";
import type { Model, Settings } from "../../runtime/settings.js";
import {
  addSampleOptions,
  hasFaults,
  printSample,
  type SampleFlags,
  sampleJson,
  takeSample,
  trySample,
} from "./checkstream.js";
import { FAILED, SilentFailure } from "./failure.js";
import { addBrokerOptions, type BrokerFlags, brokerOptions, configFile, configOption, readText } from "./options.js";
import { counted, err, out, type Terminal } from "./terminal.js";

interface Flags extends BrokerFlags, SampleFlags {
  readonly config?: string;
  readonly json?: boolean;
}

/** What `--json` prints. */
interface Answer {
  readonly ok: boolean;
  readonly file: string | null;
  readonly version?: string;
  readonly errors: readonly ConfigIssue[];
  readonly warnings: readonly ConfigIssue[];
  readonly findings: readonly Finding[];
  readonly models: readonly CellTable[];
}

export function checkCommand(signal: AbortSignal): Command {
  const command = new Command("check")
    .summary("validate a configuration and print its cell table, or try it on real messages")
    .description(
      "Validates a configuration, prints which segment each cell belongs to, and points at rules that never decide.\n" +
        "With --nats: what it would make of the newest messages, item by item; nothing is made or moved on the broker.",
    )
    .argument("[file]", "the configuration, instead of --config")
    .addOption(configOption())
    .option("--json", "print the result as JSON");
  addSampleOptions(command, undefined, "; what the configuration reads where not said");
  return addBrokerOptions(command, "try it on messages of this broker", true)
    .addHelpText(
      "after",
      `
Exit code 0: it can work; 1: it can't, every mistake is listed with its line,
or a message would be dead-lettered.

Examples:
  $ tidemark check
  $ tidemark check shop.yaml --json | jq .findings
  $ tidemark check --nats nats://broker:4222
  $ tidemark check --nats nats://broker:4222 --subject "shop.orders.>" --last 200 --wait 60`,
    )
    .action(async (file: string | undefined, flags: Flags) => {
      const path = configFile(file ?? flags.config);
      if (flags.nats === undefined && flags.subject === undefined && flags.stream === undefined)
        return check(path, flags.json === true);
      await checkMessages(path, flags, signal);
    });
}

async function checkMessages(file: string | null, flags: Flags, signal: AbortSignal): Promise<void> {
  const { settings, edge } = file === null ? parseConfigObject(defaultConfig()) : parseConfig(readText(file), { file });
  const broker = brokerOptions({ ...flags, nats: flags.nats ?? true }, edge.nats);
  if (broker === undefined) throw new Error("a broker is named, or the default is taken");
  const sample = await takeSample(broker, settings, flags, signal);
  const trial = trySample(settings, sample);
  if (flags.json === true) {
    const ok = !hasFaults(trial);
    out.print(
      JSON.stringify({ ok, file, version: settings.version, ...sampleJson(sample, trial) }, null, out.isTty ? 2 : 0),
    );
  } else printSample(out, file ?? "the defaults", sample, trial);
  if (hasFaults(trial)) throw new SilentFailure(String(FAILED));
}

function check(file: string | null, json: boolean): void {
  let parsed: ReturnType<typeof parseConfig>;
  try {
    parsed = file === null ? parseConfigObject(defaultConfig()) : parseConfig(readText(file), { file });
  } catch (error) {
    if (!(error instanceof ConfigError) || !json) throw error;
    printJson({ ok: false, file, errors: error.issues, warnings: [], findings: [], models: [] });
    throw new SilentFailure(String(FAILED), { cause: error });
  }
  const { config, settings, warnings } = parsed;
  const found = expandModels(config.models).flatMap(({ model }) => findings(model));
  if (json) {
    printJson({
      ok: true,
      file,
      version: settings.version,
      errors: [],
      warnings,
      findings: found,
      models: settings.models.map((model) => cellTable(model)),
    });
    return;
  }
  out.print(
    `${out.style("bold", file ?? "the defaults")} ${out.style("green", "can work")}, version ${settings.version}`,
  );
  for (const line of settingLines(settings)) out.print(`  ${line}`);
  for (const model of settings.models) {
    out.print();
    printModel(
      out,
      model,
      found.filter((finding) => finding.model === model.name),
    );
  }
  for (const warning of warnings)
    err.note(`${err.style("yellow", "warning:")} ${formatIssue(warning, file ?? undefined)}`);
}

function printJson(answer: Answer): void {
  out.print(JSON.stringify(answer, null, out.isTty ? 2 : 0));
}

function printModel(terminal: Terminal, model: Model, found: readonly Finding[]): void {
  const [title = "", ...lines] = formatCellTable(model).split("\n");
  terminal.print(terminal.style("bold", title));
  for (const line of lines) terminal.print(line);
  if (found.length === 0) return;
  terminal.print();
  for (const { kind, message } of found) {
    const mark = kind === "shadowed" ? terminal.style("dim", "  note  ") : terminal.style("yellow", "  never ");
    terminal.print(`${mark} ${message}`);
  }
}

function settingLines(settings: Settings): string[] {
  const { name, clock, partitions, workers, replicas, horizonMs, parkForMs, sources } = settings;
  return [
    `name ${name}, clock ${clock}, ${counted(partitions, "partition")}, ${counted(workers, "worker")}, ${counted(replicas, "replica")}`,
    `order ids kept ${formatDuration(horizonMs)}, reversals wait ${formatDuration(parkForMs)} for their order`,
    ...sources.map((source) => {
      const from = source.adopt === undefined ? source.subjects.join(", ") : `stream ${source.adopt.stream}`;
      return `source ${source.name}: ${from}, channel ${source.channel}`;
    }),
  ];
}
