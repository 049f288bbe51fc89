/** `tidemark explain`: why a customer is where it is, from a running engine or from files. */
import { Command } from "commander";
import { suggestModel } from "../../runtime/config/index.js";
import { FatalError, InputError } from "../../runtime/errors.js";
import { type Explanation, explain } from "../../runtime/explain.js";
import type { Settings } from "../../runtime/settings.js";
import { partitionOf } from "../../runtime/subjects.js";
import {
  BATCH_BYTES,
  BATCH_EVENTS,
  Batcher,
  type FileItem,
  FileReader,
  instantText,
  type ReadTally,
  Replay,
} from "../file/index.js";
import { apiAddress } from "../http/client.js";
import { describeExplanation, type ExplanationDescription } from "../http/explanation.js";
import { explanationLines } from "./explainscreen.js";
import { loadKernel } from "./kernel.js";
import { measureFiles, readyUnder } from "./measured.js";
import {
  addFileOptions,
  configOption,
  type FileFlags,
  instant,
  loadConfig,
  sourceNumber,
  urlOption,
  wholeNumber,
} from "./options.js";
import { noteDoubts } from "./reading.js";
import { counted, err, out, percent, printable, progress } from "./terminal.js";
import { understand } from "./understanding.js";

interface Flags extends FileFlags {
  readonly url: string;
  readonly file?: string[];
  readonly config?: string;
  readonly source?: string;
  readonly at?: number;
  readonly orders: number;
  readonly json?: boolean;
}

const ORDERS_SHOWN = 40;
const ORDERS_MAX = 10_000;
/** The engine waits 2 s for what is overdue, and no longer than 10 s for its worker. */
const ASK_MS_MAX = 15_000;

export function explainCommand(signal: AbortSignal): Command {
  const command = new Command("explain")
    .summary("why a customer is where it is, and what comes next")
    .description(
      "Every order of a customer that counts or not and why, the sums they make, when each leaves its windows, what " +
        "changes next if nothing is bought, and what would bring the next band; by model. From a running engine, or " +
        "from files like replay. Order ids are not kept: orders are known by their time, channel and amount.",
    )
    .argument("<customer>", "the customer's id")
    .addOption(urlOption())
    .option(
      "--file <file…>",
      "read these files (CSV, NDJSON, MessagePack; - is stdin) instead of asking an engine",
      several,
    )
    .option("--at <instant>", "with --file: as it was then; default the end", instant)
    .option("--orders <number>", "list the latest so many orders", wholeNumber(0, ORDERS_MAX), ORDERS_SHOWN)
    .option("--json", "as JSON: times in ms, money in minor units")
    .addOption(configOption());
  addFileOptions(command).option(
    "--source <name>",
    "read the files as this source of the configuration; default the first",
  );
  return command
    .addHelpText(
      "after",
      `
Examples:
  $ tidemark explain c000123
  $ tidemark explain c000123 --file orders.csv --at 2026-01-31 -c tidemark.yaml
  $ tidemark explain c000123 --json | jq '.models[] | {model, segment, next: .next[0]}'`,
    )
    .action((customer: string, flags: Flags) => run(customer, flags, signal));
}

function several(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), text];
}

async function run(customer: string, flags: Flags, signal: AbortSignal): Promise<void> {
  if (flags.at !== undefined && flags.file === undefined)
    throw new InputError("USAGE", "--at looks back, and a running engine knows only its present", {
      remedy: "Name the orders' files with --file.",
    });
  const found =
    flags.file === undefined
      ? await askEngine(customer, flags, signal)
      : describeExplanation(await fromFiles(customer, flags.file, flags, signal));
  progress.clear();
  if (flags.json === true) out.print(JSON.stringify(found, null, out.isTty ? 2 : 0));
  else for (const line of explanationLines(out, found)) out.print(line);
}

/** Throws InputError where it is unknown or no engine answers, FatalError where it can't. */
async function askEngine(
  customer: string,
  { url, orders }: Flags,
  signal: AbortSignal,
): Promise<ExplanationDescription> {
  const address = apiAddress(url, `api/customers/${encodeURIComponent(customer)}/explain?orders=${orders}`);
  let answer: Response;
  try {
    answer = await fetch(address, { signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_MS_MAX)]) });
  } catch (cause) {
    signal.throwIfAborted();
    const silent = cause instanceof Error && cause.name === "TimeoutError";
    const what = silent
      ? `nothing came from ${address.origin} for ${ASK_MS_MAX / 1_000} s`
      : `no engine answers at ${address.origin}`;
    throw new InputError("ENGINE_UNREACHABLE", what, {
      cause,
      remedy:
        "Start it with `tidemark run`, or name its address with --url; tidemark status says how it is. Or read files: --file.",
    });
  }
  if (answer.ok) return (await answer.json()) as ExplanationDescription;
  const { detail } = (await answer.json().catch(() => ({}))) as { detail?: unknown };
  if (answer.status === 404 && typeof detail === "string" && detail.includes("customer"))
    throw unknown(customer, `the engine at ${address.origin}`);
  throw new FatalError(
    "ENGINE_REFUSED",
    `${address.origin} answers ${answer.status}: ${typeof detail === "string" ? detail : answer.statusText}`,
    { remedy: "tidemark status says how it is." },
  );
}

function unknown(customer: string, where: string): InputError {
  return new InputError(
    "CUSTOMER_UNKNOWN",
    `no event of customer ${JSON.stringify(printable(customer))} has come to ${where}`,
  );
}

interface OrderedFiles {
  readonly settings: Settings;
  /** The items up to `until`, in order of time. */
  items(until: number): AsyncGenerator<readonly FileItem[], void, undefined>;
  readonly tally: ReadTally;
  close(): Promise<void>;
}

/** The files under the configuration; without one under thirds of their customers, as `replay` counts them. */
async function orderedFiles(files: readonly string[], flags: Flags, signal: AbortSignal): Promise<OrderedFiles> {
  const loaded = loadConfig(flags.config);
  if (loaded.file === null) {
    const measured = await measureFiles(files, flags, signal, ["threebands"], loaded);
    noteDoubts(err, measured.readings);
    const { config: model } = suggestModel("threebands", measured.currency, measured.measures);
    return {
      settings: readyUnder(loaded.config, [model]),
      async *items(until) {
        for await (const items of measured.items()) yield items.filter(({ time }) => time <= until);
      },
      tally: measured.tally,
      close: () => measured.close(),
    };
  }
  const { settings } = loaded;
  const source = settings.sources[sourceNumber(settings, flags.source)];
  const understanding = await understand(files, flags, source, err, signal);
  noteDoubts(err, understanding.readings);
  const reader = new FileReader({
    ...understanding.options,
    settings,
    source,
    signal,
    progress: (share, rows) =>
      progress.show(() => `reading ${share === null ? "" : `${percent(share, 1)}, `}${counted(rows, "row")}`),
  });
  return {
    settings,
    async *items(until) {
      for await (const items of reader.items()) yield items.filter(({ time }) => time <= until);
    },
    tally: reader.tally,
    close: () => understanding.close(),
  };
}

/** The same kernel over the files, of the customer's partition alone. */
async function fromFiles(
  customer: string,
  files: readonly string[],
  flags: Flags,
  signal: AbortSignal,
): Promise<Explanation> {
  const ordered = await orderedFiles(files, flags, signal);
  const settings = { ...ordered.settings, clock: "event" as const };
  const source = sourceNumber(settings, flags.source);
  const wanted = partitionOf(customer, settings.partitions);
  const replayed = new Replay({ wasm: loadKernel(), settings, source });
  const batcher = new Batcher({
    partitions: settings.partitions,
    eventsMax: BATCH_EVENTS,
    bytesMax: Math.min(BATCH_BYTES, settings.messageBytesMax),
  });
  try {
    for await (const items of ordered.items(flags.at ?? Number.POSITIVE_INFINITY)) {
      signal.throwIfAborted();
      for (const item of items)
        if (item.partition === wanted) for (const message of batcher.add(item)) replayed.apply(message);
    }
  } finally {
    await ordered.close();
  }
  for (const message of batcher.flush()) replayed.apply(message);
  const end = flags.at ?? flags.until ?? ordered.tally.last;
  if (end !== null) replayed.tick(end);
  const history = replayed.partitions[wanted]?.history(customer);
  if (history === undefined)
    throw unknown(customer, `${files.join(", ")}${flags.at === undefined ? "" : ` until ${instantText(flags.at)}`}`);
  return explain(settings, history, flags.orders);
}
