/** `tidemark savepoint`: checkpoints to keep, and the way into another store, other capacities, another layout. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Command } from "commander";
import { InputError } from "../../runtime/errors.js";
import type { Settings } from "../../runtime/settings.js";
import type { CheckpointStore } from "../checkpoints.js";
import { instantText } from "../file/index.js";
import { checkpointNow, isRunning, unreachable } from "../http/client.js";
import { beginLayout, checkDrained, drained, seal } from "../layoutchange.js";
import { type Broker, connectBroker } from "../nats/broker.js";
import { closeInputs } from "../nats/layout.js";
import { EmbeddedServer } from "../nats/server.js";
import { checkpointStore } from "../nats/stores.js";
import { openSavepoint, restoreSavepoint, type Savepoint, takeSavepoint, verifySavepoint } from "../savepoint.js";
import { loadKernel } from "./kernel.js";
import {
  addBrokerOptions,
  type BrokerFlags,
  brokerOptions,
  configOption,
  dataOption,
  type Loaded,
  loadConfig,
  placeOf,
  urlOption,
} from "./options.js";
import { count, counted, err, out, progress, table } from "./terminal.js";

interface PlaceFlags extends BrokerFlags {
  readonly config?: string;
  readonly data: string;
}

interface CreateFlags extends PlaceFlags {
  readonly url: string;
  readonly seal?: boolean;
}

interface Shown {
  readonly json?: boolean;
}

export function savepointCommand(signal: AbortSignal): Command {
  const command = new Command("savepoint")
    .summary("keep a state, go back to it, take it to another number of partitions")
    .description(
      "A savepoint is a folder with the state of every partition. It is yours: Tidemark never removes one. It can be " +
        "restored into other capacities, another checkpoint store and, as a new layout, another number of partitions.",
    );
  command.addCommand(
    placed(new Command("create"))
      .summary("take a savepoint")
      .description(
        "Asks the running engine for checkpoints and copies them into a new folder, every byte checked. Where no engine " +
          "answers it copies the newest that are stored.",
      )
      .argument("<folder>", "a new folder")
      .addOption(urlOption())
      .option("--seal", "first let the inputs take no more orders, and wait until all are read: for a new layout")
      .action((folder: string, flags: CreateFlags) => create(folder, flags, signal)),
  );
  command.addCommand(
    new Command("list")
      .summary("the savepoints in a folder")
      .argument("[folder]", "where they lie", ".")
      .option("--json", "as JSON")
      .action((folder: string, { json }: Shown) => list(folder, json === true)),
  );
  command.addCommand(
    new Command("inspect")
      .summary("what a savepoint holds; checks every byte")
      .argument("<folder>", "a savepoint")
      .option("--json", "as JSON")
      .action((folder: string, { json }: Shown) => inspect(folder, json === true)),
  );
  command.addCommand(
    placed(new Command("restore"))
      .summary("let the engine go on from a savepoint at its next start")
      .description(
        "Puts the savepoint where the engine looks for checkpoints; newer ones are put aside. Under a configuration with " +
          "other partitions and a higher `layout` it makes that layout's streams and checkpoints instead. The engine " +
          "must not run.",
      )
      .argument("<folder>", "a savepoint")
      .addOption(urlOption())
      .action((folder: string, flags: CreateFlags) => restore(folder, flags, signal)),
  );
  return command.addHelpText(
    "after",
    `
Examples:
  $ tidemark savepoint create savepoints/2026-03-01
  $ tidemark savepoint restore savepoints/2026-03-01

  Another number of partitions:
  $ tidemark savepoint create --seal before-16 --nats nats://broker:4222
    …stop the engine; set partitions: 16 and layout: 2 in tidemark.yaml…
  $ tidemark savepoint restore before-16 --nats nats://broker:4222
    …start the engine; producers publish to the 16 partitions from now on…`,
  );
}

function placed(command: Command): Command {
  return addBrokerOptions(command.addOption(configOption()).addOption(dataOption()), "the broker");
}

async function create(folder: string, flags: CreateFlags, signal: AbortSignal): Promise<void> {
  const loaded = loadConfig(flags.config);
  const { settings } = loaded;
  const place = checkpointFolder(loaded, flags);
  await withBroker(loaded, flags, place === undefined || flags.seal === true, async (broker) => {
    if (flags.seal === true) {
      await seal(broker as Broker, settings);
      err.note(`sealed: ${counted(settings.partitions, "input")} take no orders from now on`);
      const waiting = (behind: number) =>
        progress.show(() => `${counted(behind, "partition")} not yet read to the end`);
      await drained(flags.url, broker as Broker, settings, waiting, signal);
      progress.clear();
    }
    const asked = await checkpointNow(flags.url, settings, signal);
    if (!asked) {
      if (flags.seal === true) throw unreachable(flags.url);
      err.note(`no engine answers at ${flags.url}: taking the newest checkpoints that are stored`);
    }
    const savepoint = await takeSavepoint(storeOf(settings, place, broker), settings.partitions, folder);
    if (flags.seal === true) {
      await closeInputs(broker as Broker, settings);
      await checkDrained(savepoint, broker as Broker, settings);
    }
    out.print(`${folder}: ${described(savepoint)}`);
  });
}

async function list(folder: string, json: boolean): Promise<void> {
  const found: Savepoint[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(unreadable(folder))) {
    if (!entry.isDirectory()) continue;
    try {
      found.push(await openSavepoint(join(folder, entry.name)));
    } catch (error) {
      // Most folders are none; one that is broken is to be heard of.
      if (!(error instanceof InputError)) err.note(`${join(folder, entry.name)}: ${(error as Error).message}`);
    }
  }
  if (json) {
    out.print(JSON.stringify(found.map(plain)));
    return;
  }
  if (found.length === 0) return out.print(`There is no savepoint in ${folder}.`);
  const right = { right: true } as const;
  const columns = [
    { title: "savepoint" },
    { title: "instance" },
    { title: "true at" },
    { title: "partitions", ...right },
    { title: "customers", ...right },
    { title: "orders", ...right },
    { title: "MB", ...right },
  ];
  const rows = found.map((savepoint) => {
    const { name, layout, at, partitions, customers, orders, bytes } = plain(savepoint);
    const instance = layout === 1 ? name : `${name}, layout ${layout}`;
    return [
      savepoint.folder,
      instance,
      at,
      count(partitions),
      count(customers),
      count(orders),
      (bytes / 1e6).toFixed(1),
    ];
  });
  for (const line of table(out, columns, rows)) out.print(line);
}

async function inspect(folder: string, json: boolean): Promise<void> {
  const savepoint = await openSavepoint(folder);
  await verifySavepoint(savepoint);
  const parts = savepoint.parts.map(({ head, stored }) => ({
    partition: head.partition,
    message: head.position.sequence,
    record: head.recordNumber,
    clock: instantText(head.clock),
    overdue: head.overdue === null ? null : instantText(head.overdue),
    customers: head.customers,
    orders: head.entries,
    parked: head.parked,
    bytes: stored.bytes,
  }));
  if (json) {
    out.print(JSON.stringify({ ...plain(savepoint), parts }));
    return;
  }
  out.print(described(savepoint));
  out.print(out.style("dim", `configuration ${plain(savepoint).version}; every byte is as it was written`));
  out.print();
  const titles = ["partition", "message", "record", "true at", "customers", "orders", "parked", "MB"];
  const rows = parts.map(({ partition, message, record, clock, customers, orders, parked, bytes }) => [
    ...[count(partition), count(message), count(record), clock],
    ...[count(customers), count(orders), count(parked), (bytes / 1e6).toFixed(1)],
  ]);
  const columns = titles.map((title) => ({ title, right: title !== "true at" }));
  for (const line of table(out, columns, rows)) out.print(line);
}

async function restore(folder: string, flags: CreateFlags, signal: AbortSignal): Promise<void> {
  const loaded = loadConfig(flags.config);
  const { settings } = loaded;
  const savepoint = await openSavepoint(folder);
  const old = (savepoint.parts[0] as Savepoint["parts"][number]).head.settings;
  if (old.name !== settings.name) {
    throw new InputError("USAGE", `${folder} is of instance ${old.name}, the configuration of ${settings.name}`, {
      remedy: "Name the configuration of that instance with --config.",
    });
  }
  if (await isRunning(flags.url, settings, signal)) {
    throw new InputError("USAGE", `an engine of ${settings.name} runs at ${flags.url}`, {
      remedy: "Stop it first: it would go on from what it has in memory, and write newer checkpoints.",
    });
  }
  const place = checkpointFolder(loaded, flags);
  const isSame = old.partitions === settings.partitions && old.layout === settings.layout;
  await withBroker(loaded, flags, place === undefined || !isSame, async (broker) => {
    const store = storeOf(settings, place, broker);
    if (isSame) {
      await restoreSavepoint(savepoint, store);
      out.print(`restored: ${described(savepoint)}; the engine goes on from it`);
      return;
    }
    const done = (partition: number) => progress.show(() => `${partition + 1} of ${settings.partitions} partitions`);
    await beginLayout(savepoint, { wasm: loadKernel(), settings, store, done }, broker as Broker);
    progress.clear();
    const now = counted(settings.partitions, "partition");
    out.print(`restored as layout ${settings.layout}: ${described(savepoint)}, now in ${now}`);
  });
}

/** Folder of the checkpoints; undefined: the broker's object store. */
function checkpointFolder({ edge }: Loaded, { data }: PlaceFlags): string | undefined {
  const place = placeOf(edge.checkpoints, data);
  if (place !== undefined) return place.folder;
  throw new InputError("USAGE", "the configuration keeps no checkpoints (checkpoints: { store: none })", {
    remedy: "Choose store: folder or store: object.",
  });
}

function storeOf(settings: Settings, folder: string | undefined, broker: Broker | undefined): CheckpointStore {
  return checkpointStore(settings, folder ?? (broker as Broker));
}

/** Connects only where that is needed; where no broker is named, to a nats-server of our own on the data folder. */
async function withBroker(
  { edge }: Loaded,
  flags: PlaceFlags,
  isNeeded: boolean,
  work: (broker: Broker | undefined) => Promise<void>,
): Promise<void> {
  if (!isNeeded) return work(undefined);
  const named = brokerOptions(flags, edge.nats);
  const server = named === undefined ? await EmbeddedServer.start({ folder: flags.data }) : undefined;
  try {
    const broker = await connectBroker(named ?? { servers: (server as EmbeddedServer).url });
    try {
      await work(broker);
    } finally {
      await broker.close();
    }
  } finally {
    await server?.stop();
  }
}

function plain({ folder, parts }: Savepoint) {
  const { settings } = (parts[0] as Savepoint["parts"][number]).head;
  const sum = (of: (part: Savepoint["parts"][number]) => number) => parts.reduce((all, part) => all + of(part), 0);
  return {
    folder,
    name: settings.name,
    layout: settings.layout,
    version: settings.version,
    at: instantText(Math.max(...parts.map(({ head }) => head.clock))),
    partitions: parts.length,
    customers: sum(({ head }) => head.customers),
    orders: sum(({ head }) => head.entries),
    bytes: sum(({ stored }) => stored.bytes),
  };
}

function described(savepoint: Savepoint): string {
  const { partitions, customers, orders, at } = plain(savepoint);
  const held = [counted(partitions, "partition"), counted(customers, "customer"), counted(orders, "order")];
  return `${held.join(", ")}, true at ${at}`;
}

function unreadable(folder: string): (cause: unknown) => never {
  return (cause) => {
    throw new InputError("FILE_UNREADABLE", `${folder} can't be listed`, { cause, remedy: "Name a folder." });
  };
}
