/** `tidemark simulate`: the seeded shop's events, to stdout or into the orders streams. */
import { setTimeout as delay } from "node:timers/promises";
import { encode } from "@msgpack/msgpack";
import { Command, Option } from "commander";
import type { Settings } from "../../runtime/settings.js";
import { type Arrival, type ShopEvent, simulateShop, simulateTraffic } from "../../runtime/simulate.js";
import {
  BATCH_BYTES,
  Batcher,
  encodeEvent,
  FORMATS,
  type Format,
  instantText,
  type OutMessage,
  placeEvent,
} from "../file/index.js";
import {
  addBrokerOptions,
  BROKER_DEFAULT,
  type BrokerFlags,
  brokerOptions,
  configOption,
  instant,
  loadConfig,
  positive,
  wholeNumber,
} from "./options.js";
import { Output } from "./output.js";
import { Pace } from "./pace.js";
import { Publishing } from "./publishing.js";
import { counted, err, percent, progress } from "./terminal.js";

interface Flags extends BrokerFlags {
  readonly config?: string;
  readonly customers: number;
  readonly days: number;
  readonly seed: number;
  readonly end?: number;
  readonly rate?: number;
  readonly batch: number;
  readonly format: Format;
  readonly output: string;
  readonly live?: boolean;
  readonly follow?: boolean;
}

const DAY = 86_400_000;
/** Orders a second of --follow where no --rate is given. */
const FOLLOW_RATE = 2;

export function simulateCommand(signal: AbortSignal): Command {
  const command = new Command("simulate")
    .summary("a made-up shop's orders, for trying things out")
    .description(
      "Writes the order events of a simulated shop in order of arrival: purchases by BG/NBD, amounts by gamma-gamma, with " +
        "CDNOW's published parameters; some refunded, cancelled, amended, sent twice or late. The same seed, the same shop.",
    )
    .addOption(configOption())
    .option("--customers <number>", "customers who make a first order", wholeNumber(1, 100_000_000), 1000)
    .option("--days <number>", "days of history", wholeNumber(1, 36_500), 400)
    .option("--seed <number>", "of the random numbers", wholeNumber(0, Number.MAX_SAFE_INTEGER), 1)
    .option("--end <instant>", "end of the history; default the last midnight, UTC", instant)
    .option("--rate <events>", "at most so many events a second", positive)
    .option(
      "--batch <events>",
      "events an array (MessagePack) or message (--nats); 1: no arrays",
      wholeNumber(1, 65_535),
      1,
    )
    .addOption(new Option("--format <format>", "of stdout").choices(FORMATS).default("ndjson"))
    .option("-o, --output <file>", "write it there; - is stdout", "-")
    .option("--follow", `go on with orders of now, --rate a second (${FOLLOW_RATE} where not said), until Ctrl-C`)
    .option("--live", "with --nats: not silent, what the history causes is announced");
  addBrokerOptions(command, "send it to the orders streams of this broker instead", true);
  return command
    .addHelpText(
      "after",
      `
Examples:
  $ tidemark simulate --customers 500 | head -3
  $ tidemark simulate --customers 100000 --seed 7 --format msgpack --batch 100 > shop.msgpack
  $ tidemark simulate --nats nats://localhost:4222 --batch 50 --follow`,
    )
    .action((flags: Flags) => simulate(flags, signal));
}

async function simulate(flags: Flags, signal: AbortSignal): Promise<void> {
  const end = flags.end ?? Math.floor(Date.now() / DAY) * DAY;
  const shop = { seed: flags.seed, customers: flags.customers, start: end - flags.days * DAY, end };
  const sink = flags.nats === undefined ? await FileSink.open(flags) : await StreamSink.open(flags);
  const pace = new Pace(flags.rate, signal);
  try {
    for (const arrival of simulateShop(shop)) {
      if (pace.wait > 0) await sink.flush();
      await pace.turn(1);
      await sink.put(arrival, false);
      progress.show(() => `${percent(arrival.at - shop.start, end - shop.start)}, ${counted(sink.events, "event")}`);
    }
    await sink.flush();
    if (flags.follow === true) await follow(flags, shop, sink, signal);
  } catch (error) {
    // Ctrl-C is how --follow is meant to end.
    if (!(signal.aborted && flags.follow === true)) throw error;
  } finally {
    await sink.close();
  }
  progress.clear();
  if (err.isTty || flags.nats !== undefined) {
    err.note(`${counted(sink.events, "event")} of ${counted(flags.customers, "customer")} up to ${instantText(end)}`);
  }
}

async function follow(
  flags: Flags,
  shop: Parameters<typeof simulateShop>[0],
  sink: Sink,
  signal: AbortSignal,
): Promise<void> {
  const traffic = simulateTraffic({ ...shop, end: Date.now(), rate: flags.rate ?? FOLLOW_RATE });
  for (const arrival of traffic) {
    const early = arrival.at - Date.now();
    if (early > 0) await delay(early, undefined, { signal });
    signal.throwIfAborted();
    await sink.put(arrival, true);
    await sink.flush();
    progress.show(() => `following, ${counted(sink.events, "event")}`);
  }
}

interface Sink {
  readonly events: number;
  /** `live`: it happens now, and is not history. */
  put(arrival: Arrival, live: boolean): Promise<void>;
  /** What was put is on its way afterwards. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

const COLUMNS = ["id", "customer", "time", "amount", "channel", "kind", "order", "version", "test"] as const;

class FileSink implements Sink {
  events = 0;
  readonly #output: Output;
  readonly #flags: Flags;
  #batch: ShopEvent[] = [];

  constructor(output: Output, flags: Flags) {
    this.#output = output;
    this.#flags = flags;
    if (flags.format === "csv") output.write(`${COLUMNS.join(",")}\n`);
  }

  static async open(flags: Flags): Promise<FileSink> {
    return new FileSink(await Output.open(flags.output), flags);
  }

  async put({ event }: Arrival): Promise<void> {
    const { format, batch } = this.#flags;
    this.events++;
    // No value of the simulated shop needs quoting.
    if (format === "csv") this.#output.write(`${COLUMNS.map((column) => event[column] ?? "").join(",")}\n`);
    else if (format === "ndjson") this.#output.write(`${JSON.stringify(event)}\n`);
    else if (this.#batch.push(event) >= batch) this.#pack();
    if (this.events % 256 === 0) await this.#output.drained();
  }

  async flush(): Promise<void> {
    this.#pack();
    this.#output.flush();
    await this.#output.drained();
  }

  async close(): Promise<void> {
    this.#pack();
    await this.#output.close();
  }

  #pack(): void {
    if (this.#batch.length === 0) return;
    const [only] = this.#batch;
    this.#output.writeBytes(this.#flags.batch === 1 && only !== undefined ? encodeEvent(only) : encode(this.#batch));
    this.#batch = [];
  }
}

class StreamSink implements Sink {
  readonly #publishing: Publishing;
  readonly #batcher: Batcher;
  readonly #settings: Settings;
  readonly #announced: boolean;
  #live = false;

  private constructor(publishing: Publishing, settings: Settings, flags: Flags) {
    this.#publishing = publishing;
    this.#settings = settings;
    this.#announced = flags.live === true;
    const bytesMax = Math.min(BATCH_BYTES, settings.messageBytesMax);
    this.#batcher = new Batcher({ partitions: settings.partitions, eventsMax: flags.batch, bytesMax });
  }

  static async open(flags: Flags): Promise<StreamSink> {
    const { settings, edge } = loadConfig(flags.config);
    const servers = brokerOptions(flags, edge.nats) ?? { servers: BROKER_DEFAULT };
    return new StreamSink(await Publishing.open({ name: "tidemark simulate", ...servers }, settings), settings, flags);
  }

  get events(): number {
    return this.#publishing.events;
  }

  async put({ event }: Arrival, live: boolean): Promise<void> {
    this.#live = live;
    await this.#send(this.#batcher.add(placeEvent(event, this.#settings)));
  }

  async flush(): Promise<void> {
    await this.#send(this.#batcher.flush());
    await this.#publishing.flush();
  }

  close(): Promise<void> {
    return this.#publishing.close();
  }

  async #send(messages: readonly OutMessage[]): Promise<void> {
    for (const message of messages) await this.#publishing.send(message, !this.#live && !this.#announced);
  }
}
