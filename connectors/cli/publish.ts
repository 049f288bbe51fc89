/** `tidemark publish`: files to the orders streams. */
import { Command } from "commander";
import { BATCH_BYTES, BATCH_EVENTS, Batcher, FileReader, instantText, type OutMessage } from "../file/index.js";
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
  readOptions,
  wholeNumber,
} from "./options.js";
import { Pace } from "./pace.js";
import { Publishing } from "./publishing.js";
import { count, counted, err, out, percent, progress, seconds } from "./terminal.js";

interface Flags extends FileFlags, BrokerFlags {
  readonly config?: string;
  readonly live?: boolean;
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
    .option("--rate <events>", "at most so many events a second", positive)
    .option("--batch <events>", "events a message", wholeNumber(1, 65_535), BATCH_EVENTS)
    .option("--json", "print the result as JSON");
  addBrokerOptions(command, `the broker; ${BROKER_DEFAULT} where nothing names one`);
  return command
    .addHelpText(
      "after",
      `
Examples:
  $ tidemark publish orders.csv --nats nats://localhost:4222
  $ tidemark publish today.ndjson --live --rate 50
  $ tidemark publish orders.csv --until 2026-01-31 && tidemark state`,
    )
    .action((files: string[], flags: Flags) => publish(files, flags, signal));
}

async function publish(files: readonly string[], flags: Flags, signal: AbortSignal): Promise<void> {
  const { settings, edge } = loadConfig(flags.config);
  const started = performance.now();
  const reader = new FileReader({
    files,
    settings,
    ...readOptions(flags),
    signal,
    progress: (share, rows) =>
      progress.show(() => `reading ${share === null ? "" : `${percent(share, 1)}, `}${counted(rows, "row")}`),
  });
  const broker = brokerOptions(flags, edge.nats);
  const publishing = await Publishing.open({ servers: BROKER_DEFAULT, name: "tidemark publish", ...broker }, settings);
  const pace = new Pace(flags.rate, signal);
  const send = async (messages: readonly OutMessage[]) => {
    for (const message of messages) {
      await pace.turn(message.events);
      await publishing.send(message, flags.live !== true);
    }
  };
  const { tally } = reader;
  let end: number | null;
  try {
    const bytesMax = Math.min(BATCH_BYTES, settings.messageBytesMax);
    const batcher = new Batcher({ partitions: settings.partitions, eventsMax: flags.batch, bytesMax });
    for await (const items of reader.items()) {
      for (const item of items) await send(batcher.add(item));
      progress.show(() => `published ${percent(publishing.events, tally.kept)} of ${counted(tally.kept, "event")}`);
    }
    await send(batcher.flush());
    end = flags.until ?? tally.last;
    if (end !== null) await publishing.tick(end);
    await publishing.flush();
  } finally {
    await publishing.close();
  }
  progress.clear();
  const { events, messages, repeated } = publishing;
  const kinds = Object.fromEntries(tally.otherKinds);
  if (flags.json === true) {
    const result = {
      rows: tally.rows,
      events,
      messages,
      repeated,
      silent: flags.live !== true,
      tick: end === null ? null : instantText(end),
      leftOut: { kind: kinds, afterUntil: tally.afterUntil, beforeAfter: tally.beforeAfter },
    };
    out.print(JSON.stringify(result, null, out.isTty ? 2 : 0));
    return;
  }
  const how = flags.live === true ? "live" : "silent";
  out.print(`Published ${out.style("bold", counted(events, "event"))} in ${counted(messages, "message")}, ${how}.`);
  if (repeated > 0) out.print(`  ${counted(repeated, "message")} the broker had already, by their ids`);
  for (const [kind, rows] of tally.otherKinds)
    out.print(`  ${counted(rows, "row")} left out: kind ${kind === "" ? "(none)" : kind}`);
  if (tally.afterUntil > 0) out.print(`  ${counted(tally.afterUntil, "row")} left out: later than --until`);
  if (tally.beforeAfter > 0) out.print(`  ${counted(tally.beforeAfter, "row")} left out: not later than --after`);
  if (end !== null) out.print(`  then a tick in ${counted(settings.partitions, "partition")}, at ${instantText(end)}`);
  const rate = (1000 * events) / Math.max(1, performance.now() - started);
  if (err.isTty)
    err.note(err.style("dim", `${seconds(performance.now() - started)}, ${count(Math.round(rate))} events/s`));
}
