/** `tidemark check`: whether a configuration can work, and what its rules come to. */
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
import { FAILED, SilentFailure } from "./failure.js";
import { configFile, configOption, readText } from "./options.js";
import { counted, err, out, type Terminal } from "./terminal.js";

interface Flags {
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

export function checkCommand(): Command {
  return new Command("check")
    .summary("validate a configuration and print its cell table")
    .description(
      "Validates a configuration, prints which segment each cell belongs to, and points at rules that never decide.",
    )
    .argument("[file]", "the configuration, instead of --config")
    .addOption(configOption())
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      `
Exit code 0: it can work; 1: it can't, every mistake is listed with its line.

Examples:
  $ tidemark check
  $ tidemark check shop.yaml --json | jq .findings`,
    )
    .action((file: string | undefined, flags: Flags) => check(configFile(file ?? flags.config), flags.json === true));
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
