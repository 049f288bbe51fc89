/** `tidemark run`: broker, engine, and everything on one port, put together. */
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { Command, Option } from "commander";
import type { Logger } from "pino";
import { InputError } from "../../runtime/errors.js";
import type { Settings } from "../../runtime/settings.js";
import { createEngine, type Engine } from "../engine.js";
import type { BrokerOptions } from "../nats/broker.js";
import { EmbeddedServer } from "../nats/server.js";
import { publishHistory, publishTraffic } from "./demo.js";
import { briefly, isAbort } from "./failure.js";
import { createLog, LOG_FORMATS, type LogFormat } from "./log.js";
import {
  addBrokerOptions,
  type BrokerFlags,
  brokerOptions,
  configOption,
  dataOption,
  loadConfig,
  placeOf,
  positive,
  wholeNumber,
} from "./options.js";
import { hostOption, type PortFlags, portOption, probePort } from "./port.js";
import { count, counted, out, progress } from "./terminal.js";

interface Flags extends BrokerFlags, PortFlags {
  readonly config?: string;
  readonly data: string;
  readonly natsPort?: number;
  readonly applyModel?: true | "silent";
  readonly acceptGap?: boolean;
  readonly acceptRewind?: boolean;
  readonly acceptLedger?: boolean;
  readonly discardCheckpoints?: boolean;
  readonly workers?: number;
  readonly demo?: boolean;
  readonly demoCustomers: number;
  readonly demoRate: number;
  readonly log?: LogFormat;
}

const READY_POLL_MS = 100;

export function runCommand(version: string, signal: AbortSignal): Command {
  const port = wholeNumber(0, 65_535);
  const command = new Command("run")
    .summary("the engine: orders in, migrations out")
    .description(
      "Runs the engine, with WebSocket, API, metrics and a page on one port. Without --nats it starts a nats-server of " +
        "its own, which keeps its streams in the data folder.",
    )
    .addOption(configOption())
    .addOption(portOption())
    .addOption(hostOption())
    .addOption(dataOption())
    .addOption(
      new Option("--nats-port <port>", "of the nats-server of its own; default a free one")
        .env("TIDEMARK_NATS_PORT")
        .argParser(port),
    )
    .addOption(
      new Option("--workers <number>", "threads that share the partitions")
        .env("TIDEMARK_WORKERS")
        .argParser(wholeNumber(1, 256)),
    )
    .addOption(
      new Option(
        "--apply-model [silent]",
        "let changed models hold from now on; silent: without announcing what changes",
      ).choices(["silent"]),
    )
    .optionsGroup("After a loss:")
    .option("--accept-gap", "go on although the input lost messages before they were read")
    .option("--accept-rewind", "go on although the input lost messages that were applied: without what they did")
    .option("--accept-ledger", "take the ledger as it stands, and go on behind its last record")
    .option("--discard-checkpoints", "put the checkpoints aside, and read the input from its start")
    .optionsGroup("Options:")
    .addOption(
      new Option("--log <format>", "of the messages on stderr; default pretty on a terminal, else json").choices(
        LOG_FORMATS,
      ),
    )
    .optionsGroup("Demonstration:")
    .option("--demo", "a simulated shop sends orders: its history first, then some every second")
    .option("--demo-customers <number>", "customers of its history", wholeNumber(1, 10_000_000), 10_000)
    .option("--demo-rate <orders>", "orders a second afterwards", positive, 2);
  addBrokerOptions(command, "the broker, instead of one of its own");
  return command
    .addHelpText(
      "after",
      `
Examples:
  $ tidemark run --demo
  $ tidemark run -c tidemark.yaml --nats nats://broker:4222 --nats-creds tidemark.creds --host 0.0.0.0
  $ tidemark run --apply-model=silent`,
    )
    .action((flags: Flags) => run(flags, version, signal));
}

/**
 * V8 counts the bytes of buffers to a thread's heap, which is small here: with its own growth (about half), all of it is
 * collected seven times a second under load, for 10 ms each. It may grow to four times what is in use before.
 */
const HEAP_GROWTH = "--heap-growing-percent=300";

async function run(flags: Flags, version: string, signal: AbortSignal): Promise<void> {
  setFlagsFromString(HEAP_GROWTH);
  const loaded = loadConfig(flags.config);
  const { edge } = loaded;
  const settings = withWorkers(loaded.settings, flags.workers);
  const log = createLog(flags.log);
  const [port, host] = [flags.port ?? edge.server.port, flags.host ?? edge.server.host];
  // Found out before anything is started: a port that is taken should leave nothing behind.
  if (port !== 0) await probePort(port, host);

  const closing: (() => Promise<void>)[] = [];
  const failed: Promise<never>[] = [];
  try {
    let broker = brokerOptions(flags, edge.nats);
    let brokerText = broker === undefined ? "" : shownServers(broker);
    if (broker === undefined) {
      const { server, ended } = await startServer(flags);
      closing.push(() => server.stop());
      failed.push(ended);
      broker = { servers: server.url };
      brokerText = `${server.url}  (nats-server of its own, data in ${flags.data})`;
    }
    if (flags.demo === true) {
      const events = await publishHistory(broker, settings, flags.demoCustomers, signal);
      if (events > 0) log.info(`the shop's history is in the stream: ${counted(events, "event")}`);
    }
    signal.throwIfAborted();
    const engine = createEngine({
      settings,
      broker,
      applyModel: flags.applyModel === undefined ? "no" : flags.applyModel === "silent" ? "silent" : "yes",
      accepted: {
        gap: flags.acceptGap === true,
        rewind: flags.acceptRewind === true,
        ledger: flags.acceptLedger === true,
      },
      checkpoints: placeOf(edge.checkpoints, flags.data),
      discardCheckpoints: flags.discardCheckpoints === true,
      onNote: (text) => log.info(text),
    });
    closing.push(() => engine.stop());
    failed.push(engine.failed);
    await engine.start();
    // Only now: the other commands start the sooner without it.
    const { createHttp } = await import("../http/server.js");
    const http = await createHttp(engine, { version, onError: (error) => log.warn(briefly(error)) });
    closing.push(() => http.close());
    const { url } = await http.listen(port, host);
    printStart(version, url, brokerText, settings, loaded.file);
    void announceReady(engine, log, signal);
    if (flags.demo === true) {
      const traffic = publishTraffic(broker, settings, flags.demoCustomers, flags.demoRate, signal);
      failed.push(traffic.then(() => new Promise<never>(() => undefined)));
    }
    await Promise.race([aborted(signal), ...failed]);
  } catch (error) {
    if (!(signal.aborted && isAbort(error))) throw error;
  } finally {
    progress.clear();
    if (signal.aborted) {
      if (process.stderr.isTTY === true) process.stderr.write("\r\x1b[K"); // over the terminal's ^C
      log.info("stopping");
    }
    for (const promise of failed) promise.catch(() => undefined); // the first failure is the one to tell
    for (const close of closing.reverse()) await close();
  }
}

function withWorkers(settings: Settings, workers: number | undefined): Settings {
  return workers === undefined ? settings : { ...settings, workers: Math.min(workers, settings.partitions) };
}

async function startServer(flags: Flags): Promise<{ server: EmbeddedServer; ended: Promise<never> }> {
  let end: (detail: string) => void = () => undefined;
  const ended = new Promise<never>((_, reject) => {
    end = (detail) =>
      reject(
        new InputError("BROKER_UNREACHABLE", detail, {
          remedy: "Start Tidemark again: nothing that was stored is lost.",
        }),
      );
  });
  ended.catch(() => undefined);
  const server = await EmbeddedServer.start({
    folder: flags.data,
    onExit: (detail) => end(detail),
    ...(flags.natsPort === undefined || flags.natsPort === 0 ? {} : { port: flags.natsPort }),
  });
  return { server, ended };
}

function shownServers({ servers }: BrokerOptions): string {
  const list = typeof servers === "string" ? [servers] : servers;
  return list.map((server) => server.replace(/\/\/[^@/]*@/, "//")).join(", ");
}

function printStart(version: string, url: string, broker: string, settings: Settings, file: string | null): void {
  progress.clear();
  const line = (name: string, text: string) => out.print(`  ${out.style("dim", name.padEnd(9))} ${text}`);
  out.print(out.style("bold", `Tidemark ${version}`));
  line("page", out.style("cyan", url));
  line("socket", `${url.replace(/^http/, "ws")}/ws`);
  line("broker", broker);
  line("models", settings.models.map(({ name, currency }) => `${name} (${currency})`).join(", "));
  line(
    "config",
    `${file ?? "the defaults"}, ${counted(settings.partitions, "partition")}, ${counted(settings.workers, "worker")}`,
  );
  out.print(`  ${out.style("dim", "Ctrl-C ends it; what was stored goes on at the next start.")}`);
}

/** Says once when every partition has read its input to the end. */
async function announceReady(engine: Engine, log: Logger, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  while (!engine.ready().ok) {
    if (signal.aborted) return;
    // Not worth staying for: an engine that failed is never ready.
    await delay(READY_POLL_MS, undefined, { ref: false });
  }
  try {
    const customers = Math.max(0, ...(await engine.counts()).map((counts) => counts.customers));
    const ms = Math.round(performance.now() - started);
    log.info(`ready: ${count(customers)} customers, the input read to its end in ${count(ms)} ms`);
  } catch (error) {
    log.warn(briefly(error));
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
