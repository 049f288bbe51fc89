/** `tidemark dlq`: what the engine put aside, and sending it again once its cause is mended. */
import { Command, Option } from "commander";
import { InputError } from "../../runtime/errors.js";
import { REASONS } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import { instantText } from "../file/index.js";
import { type Broker, connectBroker } from "../nats/broker.js";
import { type DeadLetterEntry, DeadLetters } from "../nats/deadletters.js";
import { OrdersPublisher } from "../nats/publisher.js";
import { LEFT_OUT, type LeftOut, type Mark, Resending } from "../nats/resend.js";
import { ensureOrdersStreams } from "../nats/streams.js";
import { Listing, letterJson, letterRow, listingLines } from "./dlqlist.js";
import {
  addBrokerOptions,
  BROKER_DEFAULT,
  type BrokerFlags,
  brokerOptions,
  configOption,
  instant,
  loadConfig,
  wholeNumber,
} from "./options.js";
import { Output } from "./output.js";
import { count, counted, err, out, progress, table } from "./terminal.js";

interface Selection {
  readonly reason?: string[];
  readonly customer?: string[];
  readonly partition?: number[];
  readonly since?: number;
  readonly until?: number;
}

interface Flags extends Selection, BrokerFlags {
  readonly config?: string;
  readonly limit?: number;
  readonly json?: boolean;
}

interface ListFlags extends Flags {
  readonly counts?: boolean;
}

interface ReplayFlags extends Flags {
  readonly yes?: boolean;
  readonly silent?: boolean;
  readonly live?: boolean;
}

const ROWS = 20;
/** Held while the stream is read: of 64 KiB each at most. */
const ROWS_MAX = 1_000;

export function dlqCommand(signal: AbortSignal): Command {
  const command = new Command("dlq")
    .summary("what the engine put aside: list it, send it again")
    .description(
      "Dead letters: what the engine could not use, with its reason and its bytes. They are kept for 30 days.",
    )
    .helpCommand(false);
  return command
    .addCommand(listCommand(signal))
    .addCommand(replayCommand(signal))
    .addHelpText(
      "after",
      `
Examples:
  $ tidemark dlq list --reason noModel
  $ tidemark dlq replay --reason noModel --yes`,
    );
}

function listCommand(signal: AbortSignal): Command {
  const command = new Command("list")
    .summary("dead letters, counted by reason, and the newest of them")
    .description("Counts dead letters by reason and shows the newest ones.")
    .addOption(configOption());
  addSelection(command)
    .optionsGroup("How to show them:")
    .option("-n, --limit <number>", `so many of the newest; default ${ROWS}, of --json all`, wholeNumber(0, ROWS_MAX))
    .option("--counts", "only how many of each reason")
    .option("--json", "a JSON object a line; with --counts one object");
  addBrokerOptions(command, `the broker; ${BROKER_DEFAULT} where nothing names one`);
  return command
    .addHelpText(
      "after",
      `
Examples:
  $ tidemark dlq list
  $ tidemark dlq list --reason noModel,overLimit --since 2026-01-31 --limit 100
  $ tidemark dlq list --customer c000123 --json | jq .item`,
    )
    .action((flags: ListFlags) => withLetters(flags, (_, letters) => list(letters, flags, signal)));
}

function replayCommand(signal: AbortSignal): Command {
  const command = new Command("replay")
    .summary("send dead letters again, once their cause is mended")
    .description(
      "Publishes the original bytes of dead letters to the subjects they came to, each item alone. What was applied " +
        "meanwhile counts as a duplicate. Without --yes it only says what it would do.",
    )
    .addOption(configOption());
  addSelection(command)
    .optionsGroup("How to send them:")
    .option("-y, --yes", "publish them")
    .option("-n, --limit <number>", "at most so many", wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .addOption(new Option("--silent", "mark all as silent; default: those whose messages were").conflicts("live"))
    .option("--live", "mark none as silent")
    .option("--json", "print the result as JSON");
  addBrokerOptions(command, `the broker; ${BROKER_DEFAULT} where nothing names one`);
  return command
    .addHelpText(
      "after",
      `
Where the configuration adopts a stream, its other readers see the events again.

Examples:
  $ tidemark dlq replay --reason noModel
  $ tidemark dlq replay --reason noModel --since 2026-01-31 --yes
  $ tidemark dlq replay --customer c000123 --limit 1 --yes`,
    )
    .action((flags: ReplayFlags) =>
      withLetters(flags, (broker, letters, settings) => replay(broker, letters, settings, flags, signal)),
    );
}

function addSelection(command: Command): Command {
  return command
    .optionsGroup("Which ones:")
    .addOption(new Option("--reason <reason…>", `only of these reasons: ${REASONS.join(", ")}`).argParser(reasons))
    .option("--customer <id>", "only of this customer; may be given again", several)
    .option("--partition <number…>", "only of these partitions", partitions)
    .option("--since <instant>", "only those put aside then or later, by the engine's clock", instant)
    .option("--until <instant>", "only those put aside then or earlier", instant);
}

function several(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), text];
}

function reasons(text: string, before: readonly string[] | undefined): string[] {
  const names = text.split(",").map((name) => name.trim());
  for (const name of names) new Option("--reason <reason>").choices(REASONS).parseArg?.(name, undefined);
  return [...(before ?? []), ...names];
}

function partitions(text: string, before: readonly number[] | undefined): number[] {
  return [...(before ?? []), ...text.split(",").map((one) => wholeNumber(0, 4_095)(one.trim()))];
}

async function withLetters(
  flags: Flags,
  work: (broker: Broker, letters: DeadLetters, settings: Settings) => Promise<void>,
): Promise<void> {
  const { settings, edge } = loadConfig(flags.config);
  for (const partition of flags.partition ?? [])
    if (partition >= settings.partitions)
      throw new InputError("USAGE", `there is no partition ${partition}: the configuration has ${settings.partitions}`);
  const broker = await connectBroker({
    servers: BROKER_DEFAULT,
    name: "tidemark dlq",
    ...brokerOptions(flags, edge.nats),
  });
  try {
    await work(broker, await DeadLetters.open(broker, settings), settings);
  } finally {
    await broker.close();
  }
}

/** Whether a letter is one of those asked for. */
function selecting({ reason, customer, partition, since, until }: Selection): (letter: DeadLetterEntry) => boolean {
  const [wantedReasons, customers, wantedPartitions] = [
    reason && new Set(reason),
    customer && new Set(customer),
    partition && new Set(partition),
  ];
  return (letter) =>
    (wantedReasons?.has(letter.reason) ?? true) &&
    (customers === undefined || (letter.customer !== null && customers.has(letter.customer))) &&
    (wantedPartitions?.has(letter.partition) ?? true) &&
    letter.at >= (since ?? Number.NEGATIVE_INFINITY) &&
    letter.at <= (until ?? Number.POSITIVE_INFINITY);
}

async function list(letters: DeadLetters, flags: ListFlags, signal: AbortSignal): Promise<void> {
  if (flags.json === true && flags.counts !== true) return listJson(letters, flags, signal);
  const listing = new Listing(flags.counts === true ? 0 : (flags.limit ?? ROWS), letterRow);
  await eachWanted(letters, flags, signal, (letter) => listing.add(letter));
  if (flags.json === true) out.print(JSON.stringify(listing.counts(), null, out.isTty ? 2 : 0));
  else for (const line of listingLines(out, listing)) out.print(line);
}

/** Without a limit nothing is kept: whoever reads stdout sets the pace. */
async function listJson(letters: DeadLetters, flags: ListFlags, signal: AbortSignal): Promise<void> {
  const output = await Output.open("-");
  const write = (line: string) => output.write(`${line}\n`);
  const listing = new Listing(flags.limit ?? 0, letterJson);
  const take = (letter: DeadLetterEntry) =>
    flags.limit === undefined ? write(letterJson(letter)) : listing.add(letter);
  await eachWanted(letters, flags, signal, take, () => output.drained());
  for (const line of listing.newest) write(line);
  await output.close();
}

async function eachWanted(
  letters: DeadLetters,
  flags: ListFlags,
  signal: AbortSignal,
  take: (letter: DeadLetterEntry) => void,
  taken: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const isWanted = selecting(flags);
  let read = 0;
  for await (const batch of letters.batches(signal)) {
    for (const letter of batch) if (isWanted(letter)) take(letter);
    await taken();
    read += batch.length;
    progress.show(() => `${counted(read, "dead letter")} read`);
  }
  progress.clear();
}

async function replay(
  broker: Broker,
  letters: DeadLetters,
  settings: Settings,
  flags: ReplayFlags,
  signal: AbortSignal,
): Promise<void> {
  const isWanted = selecting(flags);
  const mark: Mark = flags.silent === true ? "silent" : flags.live === true ? "live" : "asSent";
  const published = flags.yes === true;
  if (published && settings.sources[0]?.adopt === undefined) await ensureOrdersStreams(broker, settings);
  const publisher = published
    ? new OrdersPublisher(broker, settings, { signal, onTrouble: (reason) => err.note(`${reason}; trying again`) })
    : undefined;
  const limit = flags.limit ?? Number.POSITIVE_INFINITY;
  const resending = new Resending({ letters, settings, publisher, mark, limit });
  const { report } = resending;
  let newest = 0;
  try {
    for await (const batch of letters.batches(signal)) {
      for (const { at } of batch) newest = Math.max(newest, at);
      await resending.take(batch.filter(isWanted), signal);
      progress.show(() => `${counted(report.letters, "dead letter")} ${published ? "sent" : "found"}`);
      if (resending.full) break;
    }
    await publisher?.flush();
  } finally {
    publisher?.close();
    progress.clear();
  }
  const repeated = publisher?.repeated ?? 0;
  const { letters: sent, silent, unknownMark, rerouted, leftOut } = report;
  const byReason = Object.fromEntries([...report.byReason].sort(([, a], [, b]) => b - a));
  if (flags.json === true) {
    const result = { published, letters: sent, byReason, silent, unknownMark, rerouted, repeated, leftOut };
    out.print(JSON.stringify(result, null, out.isTty ? 2 : 0));
    return;
  }
  const what = out.style("bold", counted(sent, "dead letter"));
  const how = silent === 0 ? "" : silent === sent ? ", silent" : `, ${count(silent)} of them silent`;
  out.print(`${published ? "Replayed" : "Would replay"} ${what}${how}.`);
  const rows = Object.entries(byReason).map(([reason, number]) => [reason, count(number)]);
  const columns = [{ title: "reason" }, { title: "letters", right: true }];
  if (rows.length > 0) for (const line of table(out, columns, rows)) out.print(line);
  const told = (number: number, text: string) => number > 0 && out.print(`  ${counted(number, "letter")} ${text}`);
  for (const why in leftOut) told(leftOut[why as LeftOut], `left out: ${LEFT_OUT[why as LeftOut]}`);
  told(rerouted, "to the customer's own partition");
  told(unknownMark, "not silent: whether the message was can't be told, the input holds it no more");
  told(repeated, "the broker had already, by their ids");
  if (sent === 0) return;
  if (!published) out.print("Nothing was published: add --yes.");
  else if (settings.clock === "broker")
    out.print(`What is put aside again shows in: tidemark dlq list --since ${instantText(newest + 1)}`);
}
