/** `tidemark publish`: files to the orders streams. */
import { Command, Option } from "commander";
import { formatDuration } from "../../runtime/config/index.js";
import { InputError } from "../../runtime/errors.js";
import type { Settings } from "../../runtime/settings.js";
import {
  BATCH_BYTES,
  BATCH_EVENTS,
  Batcher,
  CustomerBatcher,
  FileReader,
  instantText,
  type OutMessage,
} from "../file/index.js";
import type { BrokerOptions } from "../nats/broker.js";
import { EngineWatch, type Made, madeLines } from "./enginewatch.js";
import {
  addBrokerOptions,
  addFileOptions,
  BROKER_DEFAULT,
  type BrokerFlags,
  brokerOptions,
  configOption,
  type FileFlags,
  loadConfig,
  positive,
  urlOption,
  wholeNumber,
} from "./options.js";
import { Pace } from "./pace.js";
import { Publishing } from "./publishing.js";
import { printReading, readingJson } from "./reading.js";
import { tallySentences } from "./readtally.js";
import { count, counted, err, out, percent, progress, seconds } from "./terminal.js";
import { type Understanding, understand } from "./understanding.js";

interface Flags extends FileFlags, BrokerFlags {
  readonly config?: string;
  readonly live?: boolean;
  readonly backfill?: boolean;
  readonly wait?: boolean;
  readonly url: string;
  readonly rate?: number;
  readonly batch: number;
  readonly json?: boolean;
}

export function publishCommand(signal: AbortSignal): Command {
  const command = new Command("publish")
    .summary("send files to the orders streams")
    .description(
      "Sends order events from files to the orders streams: sorted by time, each customer's to its partition, then a tick " +
        "in every partition. What it causes is marked silent, so that history sends no mail, unless --live is given.",
    )
    .argument("<file...>", "files of order events, - for stdin")
    .addOption(configOption());
  addFileOptions(command)
    .optionsGroup("How to send them:")
    .option("--live", "not silent: what it causes is announced")
    .addOption(
      new Option(
        "--backfill",
        "history into an engine that runs: silent, and each customer's events in one message, so that none is ever half there",
      ).conflicts("live"),
    )
    .option("--rate <events>", "at most so many events a second", positive)
    .option("--batch <events>", "events a message", wholeNumber(1, 65_535), BATCH_EVENTS)
    .option("--wait", "until the engine has applied them, and say what became of them")
    .addOption(urlOption())
    .option("--json", "print the result as JSON");
  addBrokerOptions(command, `the broker; ${BROKER_DEFAULT} where nothing names one`);
  return command
    .addHelpText(
      "after",
      `
Examples:
  $ tidemark publish orders.csv --nats nats://localhost:4222
  $ tidemark publish today.ndjson --live --rate 50
  $ tidemark publish years.csv.gz --backfill --wait
  $ tidemark publish orders.csv --until 2026-01-31 && tidemark state`,
    )
    .action((files: string[], flags: Flags) => publish(files, flags, signal));
}

/** How long Ctrl-C waits for what is on its way. */
const INTERRUPT_MS_MAX = 2_000;

async function publish(files: readonly string[], flags: Flags, signal: AbortSignal): Promise<void> {
  const { settings, edge } = loadConfig(flags.config);
  if (flags.backfill === true && settings.clock === "event")
    throw new InputError(
      "USAGE",
      "--backfill is for `clock: broker`; under `clock: event` the input is in time order",
      {
        remedy: "Leave --backfill out.",
      },
    );
  const started = performance.now();
  const broker = brokerOptions(flags, edge.nats);
  const watch = flags.wait === true ? await EngineWatch.open(flags.url, signal) : undefined;
  const understanding = await understand(files, flags, settings.sources[0], out, signal);
  const { readings } = understanding;
  const servers = { servers: BROKER_DEFAULT, name: "tidemark publish", ...broker };
  const published = await send(understanding, flags, settings, servers, signal).finally(() => understanding.close());
  const made = await watch?.made(signal);
  progress.clear();
  if (flags.json === true) {
    out.print(
      JSON.stringify(
        { ...asJson(published, made, flags), reading: readings.map(readingJson) },
        null,
        out.isTty ? 2 : 0,
      ),
    );
    return;
  }
  print(published, settings, flags);
  for (const line of made === undefined ? [] : madeLines(made)) out.print(line);
  const ms = performance.now() - started;
  if (err.isTty)
    err.note(
      err.style("dim", `${seconds(ms)}, ${count(Math.round((1000 * published.events) / Math.max(1, ms)))} events/s`),
    );
}

interface Published {
  readonly events: number;
  readonly messages: number;
  readonly repeated: number;
  /** Events that are older than the horizon, as this machine's clock has it. */
  readonly beyondHorizon: number;
  /** Of a backfill: customers whose events did not fit one message. */
  readonly split: number;
  /** The end of the input, ms; null where there was none. */
  readonly end: number | null;
  readonly tally: FileReader["tally"];
}

async function send(
  understanding: Understanding,
  flags: Flags,
  settings: Settings,
  broker: BrokerOptions,
  signal: AbortSignal,
): Promise<Published> {
  const { options: read } = understanding;
  const reader = new FileReader({
    ...read,
    settings,
    sort: { ...read.sort, by: flags.backfill === true ? "customer" : "time" },
    signal,
    progress: (share, rows) =>
      progress.show(() => `reading ${share === null ? "" : `${percent(share, 1)}, `}${counted(rows, "row")}`),
  });
  const publishing = await Publishing.open(broker, settings, {
    signal,
    onTrouble: (reason) =>
      err.note(`${err.style("yellow", "tidemark:")} ${reason}; waiting until the broker takes more`),
  });
  if (flags.json !== true) for (const reading of understanding.readings) printReading(out, reading);
  const pace = new Pace(flags.rate, signal);
  const sendAll = async (messages: readonly OutMessage[]) => {
    for (const message of messages) {
      await pace.turn(message.events);
      await publishing.send(message, flags.live !== true);
    }
  };
  const { tally } = reader;
  const bytesMax = Math.min(BATCH_BYTES, settings.messageBytesMax);
  const options = { partitions: settings.partitions, eventsMax: flags.batch, bytesMax };
  const customers = new CustomerBatcher(options, settings.sources[0]?.channel ?? "");
  const batcher = flags.backfill === true ? customers : new Batcher(options);
  const horizon = settings.clock === "broker" ? Date.now() - settings.horizonMs : Number.NEGATIVE_INFINITY;
  let beyondHorizon = 0;
  try {
    for await (const items of reader.items()) {
      for (const item of items) {
        if (item.whole && item.time <= horizon) beyondHorizon++;
        await sendAll(batcher.add(item));
      }
      progress.show(() => `published ${percent(publishing.events, tally.kept)} of ${counted(tally.kept, "event")}`);
    }
    await sendAll(batcher.flush());
    const end = flags.until ?? tally.last;
    if (end !== null) await publishing.tick(end);
    await publishing.flush();
    const { events, messages, repeated } = publishing;
    return { events, messages, repeated, beyondHorizon, split: customers.split, end, tally };
  } catch (error) {
    if (signal.aborted) await tellInterrupted(publishing, tally.kept);
    throw error;
  } finally {
    await publishing.close();
  }
}

async function tellInterrupted(publishing: Publishing, events: number): Promise<void> {
  const unknown = await publishing.flushBriefly(INTERRUPT_MS_MAX);
  const open = unknown === 0 ? "" : `, ${counted(unknown, "message")} of them perhaps not stored`;
  err.note(
    `Interrupted: ${count(publishing.events)} of ${counted(events, "event")} sent${open}. Run it again: what is there counts once.`,
  );
}

function asJson({ tally, end, ...published }: Published, made: Made | undefined, flags: Flags): object {
  const { events, messages, repeated, beyondHorizon, split } = published;
  return {
    rows: tally.rows,
    ...(tally.lines === null ? {} : { lines: tally.lines }),
    ...(tally.negative === 0 ? {} : { negative: tally.negative }),
    events,
    messages,
    repeated,
    silent: flags.live !== true,
    tick: end === null ? null : instantText(end),
    beyondHorizon,
    ...(flags.backfill === true ? { splitCustomers: split } : {}),
    leftOut: {
      kind: Object.fromEntries(tally.otherKinds),
      afterUntil: tally.afterUntil,
      beforeAfter: tally.beforeAfter,
    },
    ...(made === undefined ? {} : { made }),
  };
}

function print(
  { events, messages, repeated, beyondHorizon, split, end, tally }: Published,
  settings: Settings,
  flags: Flags,
): void {
  const how = flags.live === true ? "live" : "silent";
  out.print(`Published ${out.style("bold", counted(events, "event"))} in ${counted(messages, "message")}, ${how}.`);
  for (const sentence of tallySentences(tally)) out.print(`  ${sentence}`);
  if (repeated > 0) out.print(`  ${counted(repeated, "message")} the broker had already, by their ids`);
  for (const [kind, rows] of tally.otherKinds)
    out.print(`  ${counted(rows, "row")} left out: kind ${kind === "" ? "(none)" : kind}`);
  if (tally.afterUntil > 0) out.print(`  ${counted(tally.afterUntil, "row")} left out: later than --until`);
  if (tally.beforeAfter > 0) out.print(`  ${counted(tally.beforeAfter, "row")} left out: not later than --after`);
  if (beyondHorizon > 0) {
    const what = `${counted(beyondHorizon, "event")} older than the horizon of ${formatDuration(settings.horizonMs)}`;
    out.print(`  ${what}: an order there only moves the first and last order known`);
  }
  if (split > 0)
    out.print(`  ${counted(split, "customer")} in several messages: what falls due between them is announced`);
  if (end !== null) out.print(`  then a tick in ${counted(settings.partitions, "partition")}, at ${instantText(end)}`);
}
