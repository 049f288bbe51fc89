/** `tidemark init`: a commented configuration, from what a file or a stream holds, or as a start without one. */
import { open } from "node:fs/promises";
import { Command } from "commander";
import {
  type Draft,
  type DraftModel,
  draftConfig,
  FILL_IN,
  measuresWarnings,
  parseConfig,
  READY_NAMES,
  warningLines,
  wrapped,
} from "../../runtime/config/index.js";
import { InputError } from "../../runtime/errors.js";
import { delimiterName, instantText, type Reading, shellWord } from "../file/index.js";
import { addSampleOptions, hasFaults, type SampleFlags, verdict } from "./checkstream.js";
import { draftFromStream } from "./initstream.js";
import { CURRENCY_DEFAULT, type MeasuredFiles, type MeasuredFlags, measureFiles } from "./measured.js";
import { addBrokerOptions, addFileOptions, type BrokerFlags, CONFIG_FILE, defaultLoaded } from "./options.js";
import { painted } from "./paint.js";
import { names, suggested } from "./suggest.js";
import { counted, out, printable, progress } from "./terminal.js";

interface Flags extends Omit<MeasuredFlags, "config" | "source">, BrokerFlags, SampleFlags {
  readonly output: string;
  readonly stdout?: boolean;
  readonly force?: boolean;
}

export function initCommand(signal: AbortSignal): Command {
  const command = new Command("init")
    .summary("write a commented configuration, from a file, from a stream, or to start with")
    .description(
      `Writes a commented ${CONFIG_FILE}. From files: how they are read, ready-made models with thresholds from their ` +
        "customers, and a mark at what they don't say. From a stream: the preset that fits its newest messages, or the " +
        "path of each field; on the broker nothing is made or moved. Without either: a configuration to start with.",
    )
    .argument("[file...]", "files of order events, - for stdin")
    .optionsGroup("Where to:")
    .option("-o, --output <file>", "write it there; - is stdout", CONFIG_FILE)
    .option("--stdout", "write it to stdout")
    .option("--force", "write over a file that is there");
  addFileOptions(command).optionsGroup("Options:");
  addSampleOptions(command, SAMPLE_DEFAULT);
  return addBrokerOptions(command, "look at messages of this broker", true)
    .addHelpText(
      "after",
      `
Examples:
  $ tidemark init orders.csv
  $ tidemark check && tidemark replay orders.csv
  $ tidemark init --stdout
  $ tidemark init --nats nats://broker:4222 --subject "shop.orders.>"`,
    )
    .action((files: string[], flags: Flags) => init(files, flags, signal));
}

async function init(files: readonly string[], flags: Flags, signal: AbortSignal): Promise<void> {
  const path = flags.stdout === true ? "-" : flags.output;
  if (path !== "-" && flags.force !== true) await refuseExisting(path); // before anything is read
  const isStream = flags.nats !== undefined || flags.subject !== undefined || flags.stream !== undefined;
  if (isStream && files.length > 0)
    throw new InputError("USAGE", "found files and a broker, expected one of them: where the orders are");
  const sampled = isStream ? await draftFromStream(flags, signal) : undefined;
  const text = sampled?.text ?? draftConfig(files.length === 0 ? startingDraft() : await draftOf(files, flags, signal));
  progress.clear();
  if (path === "-") {
    for (const line of text.trimEnd().split("\n")) out.print(painted(out, line));
    return;
  }
  await write(path, text, flags.force === true);
  const marks = text.split("\n").filter((line) => line.includes(FILL_IN)).length;
  const model = parseConfig(text).config.models[0];
  const use = model !== undefined && "use" in model ? model.use : "";
  out.print(`Wrote ${path}: model ${use}, ${counted(marks, "mark")} (${FILL_IN}) at what could not be known.`);
  const told = path === CONFIG_FILE ? "" : ` -c ${path}`;
  const next = [
    `tidemark check${told}`,
    ...(files.length === 0 ? [] : [`tidemark replay ${files.map(shellWord).join(" ")}${told}`]),
  ];
  if (sampled !== undefined) {
    out.print(verdict(out, sampled.trial));
    next[0] = `tidemark check --nats${typeof flags.nats === "string" ? ` ${flags.nats}` : ""}${told}`;
    next.push(...(hasFaults(sampled.trial) ? [] : [`tidemark run${told}`]));
  }
  for (const line of next) out.print(`  ${line}`);
}

/** More messages than for a check: thresholds want customers. */
const SAMPLE_DEFAULT = 10_000;

async function draftOf(files: readonly string[], flags: Flags, signal: AbortSignal): Promise<Draft> {
  const measured = await measureFiles(files, flags, signal, READY_NAMES, defaultLoaded());
  await measured.close();
  return fileDraft(files, measured);
}

/** What files say, as a configuration: the first model holds, the others are there to be chosen. */
export function fileDraft(files: readonly string[], measured: MeasuredFiles): Draft {
  const { measures, end } = measured;
  const models = othersOff(suggested(measured, READY_NAMES));
  return {
    head: [
      ...wrapped(
        `Written by tidemark init from ${printable(names(files))}: ${counted(measures.recency.length, "customer")} with an order that counts${end === null ? "." : `, true at ${instantText(end)}.`}`,
        76,
      ),
      "`tidemark check` prints what it means; the README has every key.",
      ...warningLines({ warnings: measuresWarnings(measures) }),
      ...measured.readings.flatMap(readingHead),
    ],
    models,
  };
}

/** How a file was read: the column of each field, and what was taken without being sure. */
function readingHead({ file, rows, encoding, dialect, fields, doubts }: Reading): string[] {
  const width = Math.max(...fields.map(({ field }) => field.length));
  const cells = `${encoding.name}, ${delimiterName(dialect.delimiter)} between cells`;
  return [
    "",
    ...wrapped(`${printable(file)} was read as ${counted(rows, "row")}, ${cells}; tidemark replay finds the same:`, 76),
    ...fields.map(({ field, columns, why }) =>
      `  ${field.padEnd(width)}  ${columns.length === 0 ? `(${printable(why)})` : columns.map(printable).join(" × ")}`.trimEnd(),
    ),
    ...doubts.flatMap(({ seen, readings: [taken, ...others] }) =>
      wrapped(
        `${FILL_IN} ${printable(`${seen}; taken: ${taken?.reads ?? ""}`)}${others.map(({ option }) => (option === "" ? "" : `; replay takes ${printable(option)} for another reading`)).join("")}`,
        76,
      ),
    ),
  ];
}

/** The first holds; the others stand by as comments, without what is said of the first. */
function othersOff(models: readonly DraftModel[]): DraftModel[] {
  return models.map(({ currencyNote, ...model }, i): DraftModel => {
    if (i > 0) return { ...model, isOff: true };
    return currencyNote === undefined ? model : { ...model, currencyNote };
  });
}

/** What can be said without any data. */
export function startingDraft(): Draft {
  const currencyNote = `${FILL_IN} the currency of your shop`;
  const models = READY_NAMES.map(
    (use, i): DraftModel => ({
      config: { use, currency: CURRENCY_DEFAULT },
      warnings: [],
      currencyNote,
      isOff: i > 0,
    }),
  );
  return {
    head: [
      "Written by tidemark init, to start with.",
      "`tidemark check` prints what it means; the README has every key.",
      "`tidemark init FILE` finds thresholds in a file of orders.",
    ],
    models: othersOff(models),
  };
}

const REMEDY = "Name another file with -o, see it with --stdout, or write over it with --force.";

async function refuseExisting(path: string): Promise<void> {
  try {
    await (await open(path, "r")).close();
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return;
    throw cantWrite(path, cause);
  }
  throw new InputError("USAGE", `${path} is there already`, { remedy: REMEDY });
}

/** Whole or not at all where the file was not there; another that came meanwhile stays. */
async function write(path: string, text: string, force: boolean): Promise<void> {
  try {
    const file = await open(path, force ? "w" : "wx");
    try {
      await file.writeFile(text);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "EEXIST")
      throw new InputError("USAGE", `${path} is there already`, { cause, remedy: REMEDY });
    throw cantWrite(path, cause);
  }
}

function cantWrite(path: string, cause: unknown): InputError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : String(cause);
  const why =
    {
      ENOENT: "its folder is not there",
      EISDIR: "it is a folder",
      EACCES: "this user may not",
      ENOSPC: "the disk is full",
    }[code] ?? code;
  return new InputError("FILE_UNREADABLE", `${path} can't be written: ${why}`, { cause });
}
