/** `tidemark replay`: the kernel over files, or over the orders streams to their end, without a broker of its own. */
import { Command } from "commander";
import { InputError } from "../../runtime/errors.js";
import type { LedgerRecord } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import { STATE_HEADER, stateLine } from "../../runtime/state.js";
import { isDeadSubject } from "../../runtime/subjects.js";
import {
  BATCH_BYTES,
  BATCH_EVENTS,
  Batcher,
  FileEngine,
  FileReader,
  instantText,
  KeptLedger,
  type MeasureOptions,
  type ReadTally,
  Replay,
} from "../file/index.js";
import { printAnswer } from "./answer.js";
import { deadLetterLine } from "./deadletter.js";
import { loadKernel } from "./kernel.js";
import { CURRENCY_DEFAULT, readyUnder } from "./measured.js";
import {
  addBrokerOptions,
  addFileOptions,
  type BrokerFlags,
  brokerOptions,
  configOption,
  type FileFlags,
  instants,
  loadConfig,
  sourceNumber,
  wholeNumber,
} from "./options.js";
import { Output } from "./output.js";
import { hostOption, type PortFlags, portOption, probePort } from "./port.js";
import { printReading, readingJson } from "./reading.js";
import { replayStreams } from "./replaystreams.js";
import { serve } from "./serve.js";
import { summarize, summaryJson } from "./summary.js";
import { count, counted, err, out, percent, progress, seconds } from "./terminal.js";
import { printThirds, type Thirds, thirdsOf } from "./thirds.js";
import { type Understanding, understand } from "./understanding.js";

interface Flags extends FileFlags, BrokerFlags, PortFlags {
  readonly config?: string;
  readonly source?: string;
  readonly currency?: string;
  readonly at?: number[];
  readonly state?: string;
  readonly migrations?: string;
  readonly dead?: string;
  readonly batch: number;
  readonly json?: boolean;
  readonly serve?: boolean;
}

export function replayCommand(version: string, signal: AbortSignal): Command {
  const command = new Command("replay")
    .summary("what happened, from files: no broker needed")
    .description(
      "Replays order events from files (CSV, NDJSON, MessagePack; gzip of each; - is stdin) through the same kernel that " +
        "runs on a stream. The clock is the events' own; rows may be in any order.",
    )
    .argument("[file...]", "files of order events, - for stdin")
    .addOption(configOption());
  addFileOptions(command)
    .option("--source <name>", "read the events as this source of the configuration; default the first")
    .optionsGroup("What to write:")
    .option("--at <instant…>", "instants at which --state is written, separated by commas; default the end", instants)
    .option("--state <file>", "write every customer's state there, as CSV; - is stdout")
    .option("--migrations <file>", "write every migration there, a CloudEvent a line; - is stdout")
    .option("--dead <file>", "write every dead letter there, a JSON object a line; - is stdout")
    .option("--batch <events>", "events handed to the kernel as one message", wholeNumber(1, 65_535), BATCH_EVENTS)
    .option("--json", "print the answer as one JSON object")
    .optionsGroup("Afterwards:")
    .option("--serve", "show it on the page, and answer API and WebSocket, until Ctrl-C")
    .addOption(portOption())
    .addOption(hostOption());
  addBrokerOptions(command, "read the orders streams of this broker to their end instead of files", true);
  return command
    .addHelpText(
      "after",
      `
Examples:
  $ tidemark replay orders.csv -c tidemark.yaml
  $ tidemark replay invoices.csv.gz --map id=invoice_no,customer=customer_id,time=ts,amount=total \\
      --scale 2 --zone Europe/London --kind sale=order,refund=refund
  $ tidemark replay lines.csv --lines --map 'id=Invoice,customer=Customer,time=Date,amount=Quantity*"Unit price"' \\
      --scale 2 --zone Europe/London --kind 'refund=C*'
  $ tidemark replay orders.ndjson --at 2026-01-01,2026-02-01 --state state.csv --migrations moves.ndjson
  $ tidemark replay --nats nats://localhost:4222 --state -`,
    )
    .action((files: string[], flags: Flags) => replay(files, flags, version, signal));
}

async function replay(files: readonly string[], flags: Flags, version: string, signal: AbortSignal): Promise<void> {
  if ((files.length === 0) === (flags.nats === undefined)) {
    throw new InputError("USAGE", files.length === 0 ? "nothing to replay" : "files and --nats exclude each other", {
      remedy: "Name one or more files (- is stdin), or a broker with --nats.",
    });
  }
  const outputs = [flags.state, flags.migrations, flags.dead];
  if (outputs.filter((path) => path === "-").length > 1) {
    throw new InputError("USAGE", "only one result can go to stdout", { remedy: "Give the others a file." });
  }
  if (flags.at !== undefined && flags.state === undefined) {
    throw new InputError("USAGE", "--at names instants, but nothing is to be written at them", {
      remedy: "Say where: --state FILE, or --state - for stdout.",
    });
  }
  const { config, settings: loaded, edge, file } = loadConfig(flags.config);
  const [port, host] = [flags.port ?? edge.server.port, flags.host ?? edge.server.host];
  // Found out before anything is read.
  if (flags.serve === true && port !== 0) await probePort(port, host);
  const terminal = outputs.includes("-") ? err : out;
  const source = loaded.sources[sourceNumber(loaded, flags.source)];
  const understanding = flags.nats === undefined ? await understand(files, flags, source, terminal, signal) : null;
  const readings = understanding?.readings ?? [];
  if (flags.json !== true) for (const reading of readings) printReading(terminal, reading);
  const currency = flags.currency ?? understanding?.currency ?? CURRENCY_DEFAULT;
  // Without a configuration the files themselves say where the bands end.
  const unconfigured = file === null && flags.nats === undefined;
  const configured = unconfigured ? readyUnder(config, [{ use: "threebands", currency }]) : loaded;
  const ledger = flags.serve === true ? new KeptLedger(configured.partitions) : undefined;
  const started = performance.now();
  const sink = await Sink.open(flags, ledger);
  let tally: Tally;
  let replayed: Replay;
  let settings: Settings;
  let thirds: Thirds | undefined;
  try {
    if (understanding !== null) {
      const measured = unconfigured ? (options: MeasureOptions) => thirdsOf(options, config, currency) : undefined;
      const asked = { ...configured, clock: "event" as const };
      ({ replayed, tally, settings, thirds } = await replayFiles(understanding, flags, asked, measured, sink, signal));
    } else {
      settings = configured;
      const broker = brokerOptions(flags, edge.nats);
      ({ replayed, tally } = await replayStreams(broker, settings, flags.at ?? [], sink, signal));
    }
  } finally {
    await sink.close();
    await understanding?.close();
  }
  progress.clear();
  const summary = {
    ...summarize(settings, replayed, tally),
    ...(thirds === undefined ? {} : { thresholds: thirds }),
    ...(readings.length === 0 ? {} : { reading: readings.map(readingJson) }),
  };
  if (flags.json === true) terminal.print(summaryJson(summary, terminal.isTty ? 2 : 0));
  else {
    printAnswer(terminal, summary);
    if (thirds !== undefined && summary.clock !== null) printThirds(terminal, thirds);
  }
  if (err.isTty) {
    err.note(err.style("dim", `${counted(tally.rows, tally.unit)} in ${seconds(performance.now() - started)}`));
  }
  if (ledger !== undefined) await serve(new FileEngine(settings, replayed, ledger), { port, host, version }, signal);
}

/** The rows read, under the name that they have where they come from. */
export interface Tally
  extends Pick<ReadTally, "rows" | "otherKinds" | "afterUntil" | "beforeAfter" | "lines" | "negative"> {
  readonly unit: "row" | "message";
}

async function replayFiles(
  understanding: Understanding,
  flags: Flags,
  configured: Settings,
  measured: ((options: MeasureOptions) => ReturnType<typeof thirdsOf>) | undefined,
  sink: Sink,
  signal: AbortSignal,
): Promise<{ replayed: Replay; tally: Tally; settings: Settings; thirds: Thirds | undefined }> {
  const source = sourceNumber(configured, flags.source);
  const reader = new FileReader({
    ...understanding.options,
    settings: configured,
    source: configured.sources[source],
    signal,
    progress: (share, rows) =>
      progress.show(() => `reading ${share === null ? "" : `${percent(share, 1)}, `}${counted(rows, "row")}`),
  });
  const sorter = await reader.read();
  try {
    const { kept, last } = reader.tally;
    const end = flags.until ?? last;
    const wasm = loadKernel();
    const thirds = await measured?.({
      wasm,
      settings: configured,
      source,
      items: sorter.sorted(),
      end,
      signal,
      progress: (events) => progress.show(() => `measuring ${percent(events, kept)} of ${counted(kept, "event")}`),
    });
    const settings = thirds?.settings ?? configured;
    const replayed = new Replay({ wasm, settings, source, onRecord: sink.onRecord });
    const bytesMax = Math.min(BATCH_BYTES, settings.messageBytesMax);
    const batcher = new Batcher({ partitions: settings.partitions, eventsMax: flags.batch, bytesMax });
    const upTo = (instant: number) => {
      for (const message of batcher.flush()) replayed.apply(message);
      replayed.tick(instant);
    };
    const waiting = sortedInstants(flags.at);
    let events = 0;
    for await (const items of sorter.sorted()) {
      signal.throwIfAborted();
      for (const item of items) {
        while (waiting[0] !== undefined && item.time > waiting[0]) {
          upTo(waiting[0]);
          await sink.state(waiting.shift() as number, replayed);
        }
        for (const message of batcher.add(item)) replayed.apply(message);
      }
      events += items.length;
      await sink.drained();
      progress.show(() => `applying ${percent(events, reader.tally.kept)} of ${counted(reader.tally.kept, "event")}`);
    }
    if (end !== null && (waiting[0] === undefined || end <= waiting[0])) upTo(end);
    for (const instant of waiting) {
      upTo(instant);
      await sink.state(instant, replayed);
    }
    if (end !== null) upTo(end);
    if (flags.at === undefined) await sink.state(end ?? 0, replayed);
    return { replayed, tally: { ...reader.tally, unit: "row" }, settings, thirds: thirds?.thirds };
  } finally {
    await sorter.close();
  }
}

export function sortedInstants(instants: readonly number[] | undefined): number[] {
  return [...new Set(instants ?? [])].sort((a, b) => a - b);
}

/** Where the records and the state of a replay go: to files, and to what is served. */
export class Sink {
  readonly onRecord: ((record: LedgerRecord, partition: number) => void) | undefined;
  readonly #state: Output | null;
  readonly #migrations: Output | null;
  readonly #dead: Output | null;
  #headed = false;

  private constructor(
    state: Output | null,
    migrations: Output | null,
    dead: Output | null,
    ledger: KeptLedger | undefined,
  ) {
    this.#state = state;
    this.#migrations = migrations;
    this.#dead = dead;
    this.onRecord =
      migrations === null && dead === null && ledger === undefined
        ? undefined
        : (record, partition) => {
            this.#record(record);
            ledger?.push(record, partition);
          };
  }

  static async open(flags: Pick<Flags, "state" | "migrations" | "dead">, ledger?: KeptLedger): Promise<Sink> {
    const open = (path: string | undefined) => (path === undefined ? null : Output.open(path));
    return new Sink(await open(flags.state), await open(flags.migrations), await open(flags.dead), ledger);
  }

  async state(instant: number, replayed: Replay): Promise<void> {
    if (this.#state === null) return;
    if (!this.#headed) this.#state.write(`${STATE_HEADER}\n`);
    this.#headed = true;
    for (const [i, row] of replayed.state().entries()) {
      this.#state.write(`${stateLine(instant, row)}\n`);
      if (i % 4096 === 0) await this.#state.drained();
    }
    progress.show(() => `wrote the state at ${instantText(instant)}, ${count(replayed.partitions.length)} partitions`);
  }

  async drained(): Promise<void> {
    await this.#migrations?.drained();
    await this.#dead?.drained();
  }

  async close(): Promise<void> {
    await this.#state?.close();
    await this.#migrations?.close();
    await this.#dead?.close();
  }

  #record(record: LedgerRecord): void {
    if (isDeadSubject(record.subject)) this.#dead?.write(`${deadLetterLine(record)}\n`);
    else {
      this.#migrations?.writeBytes(record.body); // the very bytes that a ledger would hold
      this.#migrations?.write("\n");
    }
  }
}
