/** `tidemark suggest`: edges for the ready-made models, from the customers themselves. */
import { Command, Option } from "commander";
import {
  type DraftModel,
  draftModels,
  FILL_IN,
  measuresWarnings,
  READY_NAMES,
  type ReadyName,
  suggestModel,
  warningLines,
  wrapped,
} from "../../runtime/config/index.js";
import { instantText } from "../file/index.js";
import { type MeasuredFiles, type MeasuredFlags, measureFiles, sizesOf } from "./measured.js";
import { addFileOptions, configOption } from "./options.js";
import { painted } from "./paint.js";
import { noteDoubts, readingJson } from "./reading.js";
import { counted, err, out, progress } from "./terminal.js";

interface Flags extends MeasuredFlags {
  readonly model?: ReadyName;
  readonly json?: boolean;
}

export function suggestCommand(signal: AbortSignal): Command {
  const command = new Command("suggest")
    .summary("thresholds from the data, as a model")
    .description(
      "Reads files of order events and prints the ready-made models with edges that part their customers as the model " +
        "wants them parted (threebands in thirds, quintiles in fifths), the sizes of the segments that come of it, and " +
        "what speaks against them. What is printed is YAML, ready to save.",
    )
    .argument("<file...>", "files of order events, - for stdin")
    .addOption(configOption());
  addFileOptions(command)
    .option("--source <name>", "read the events as this source of the configuration; default the first")
    .optionsGroup("Options:")
    .addOption(new Option("--model <name>", "this ready-made model only").choices(READY_NAMES))
    .option("--json", "print models, sizes and warnings as JSON");
  return command
    .addHelpText(
      "after",
      `
Examples:
  $ tidemark suggest orders.csv
  $ tidemark suggest orders.csv --model quintiles > tidemark.yaml
  $ tidemark suggest orders.csv --json | jq '.models[].warnings'`,
    )
    .action((files: string[], flags: Flags) => suggest(files, flags, signal));
}

async function suggest(files: readonly string[], flags: Flags, signal: AbortSignal): Promise<void> {
  const measured = await measureFiles(files, flags, signal, flags.model === undefined ? READY_NAMES : [flags.model]);
  await measured.close();
  progress.clear();
  const models = suggested(measured, flags.model === undefined ? READY_NAMES : [flags.model]);
  const warnings = measuresWarnings(measured.measures);
  if (flags.json !== true) noteDoubts(err, measured.readings);
  if (flags.json === true) {
    const answer = {
      at: measured.end === null ? null : instantText(measured.end),
      customers: measured.measures.recency.length,
      reading: measured.readings.map(readingJson),
      warnings,
      models: models.map(({ config, sizes, warnings: own }) => ({ model: config, segments: sizes, warnings: own })),
    };
    out.print(JSON.stringify(answer, null, out.isTty ? 2 : 0));
    return;
  }
  for (const line of [...measuredHead(files, measured), ...draftModels(models)]) out.print(painted(out, line));
  if (out.isTty) return;
  // Where the YAML goes into a file its comments are not seen.
  const warn = (text: string) => err.note(`${err.style("yellow", "tidemark:")} ${text}`);
  for (const { message } of warnings) warn(message);
  for (const { config, warnings: own } of models) for (const { message } of own) warn(`${config.use}: ${message}`);
}

/** Comments: what was measured, and what is to be known of it. */
export function measuredHead(files: readonly string[], { measures, end }: MeasuredFiles): string[] {
  const customers = counted(measures.recency.length, "customer");
  const lines = [
    ...wrapped(`Edges from ${customers} with an order that counts, in ${names(files)}`, 76),
    ...(end === null ? [] : [`true at ${instantText(end)}`]),
    ...warningLines({ warnings: measuresWarnings(measures) }),
  ];
  return lines.map((line) => `# ${line}`);
}

/** Each ready-made model with the edges and what comes of them. */
export function suggested(measured: MeasuredFiles, uses: readonly ReadyName[]): DraftModel[] {
  return uses.map((use): DraftModel => {
    const suggestion = suggestModel(use, measured.currency, measured.measures);
    const note = measured.currencyKnown
      ? {}
      : { currencyNote: `${FILL_IN} no currency was found, ${measured.currency} is a guess` };
    return { ...suggestion, ...note, sizes: sizesOf(measured, suggestion) };
  });
}

export function names(files: readonly string[]): string {
  const [first = "", ...rest] = files.map((file) => (file === "-" ? "stdin" : file));
  return rest.length === 0 ? first : `${first} and ${counted(rest.length, "more file")}`;
}
