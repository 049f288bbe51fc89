/**
 * The streams of a layout: made where they are missing, checked where they are there.
 *
 *   stream                 takes                                      limits
 *   <name>_orders_<p>      <name>.orders.<p>.>                        H + 30 d, discard new
 *   <name>_ledger_<p>      <name>.migrations.<p>.>, <name>.dead.<p>.> 90 d, discard old
 *   <name>_migrations      by sources: the ledgers' migrations        90 d, discard old
 *   <name>_dead            by sources: the ledgers' dead letters      30 d, discard old
 *
 * From layout 2 on their names end in its number. Where the broker can't gather (see gatherer.ts), the last two take `<name>.gathered.>` from the engine.
 * All are of file storage, limits retention and the configured replicas.
 */
import { FatalError } from "../../runtime/errors.js";
import type { Settings } from "../../runtime/settings.js";
import {
  controlSubject,
  deadStream,
  deadSubjects,
  gatheredSubject,
  ledgerStream,
  ledgerSubjects,
  migrationsStream,
  migrationsSubjects,
  ordersStream,
  ordersSubjects,
  subjectMatches,
} from "../../runtime/subjects.js";
import { ApiError, type Broker, reasonOf, STREAM_NOT_FOUND } from "./broker.js";
import type { StreamState } from "./position.js";

/** What a partition reads and writes. */
export interface PartitionStreams {
  readonly partition: number;
  readonly input: string;
  /** Where its owner publishes `tick`, `live` and `model`. */
  readonly control: string;
  readonly ledger: string;
  /** The input is someone else's stream, read whole. */
  readonly adopted: boolean;
}

export interface StreamConfig {
  readonly name: string;
  readonly description?: string;
  readonly subjects?: readonly string[];
  readonly sources?: readonly { readonly name: string; readonly filter_subject?: string }[];
  readonly mirror?: unknown;
  readonly retention: string;
  readonly storage: string;
  readonly discard: string;
  readonly max_age: number;
  readonly duplicate_window?: number;
  readonly max_msgs_per_subject?: number;
  readonly num_replicas: number;
  readonly no_ack?: boolean;
  readonly sealed?: boolean;
}

interface StreamInfo {
  readonly config: StreamConfig;
  readonly state: StreamState;
  readonly created: string;
}

const DAY_MS = 86_400_000;
const NANOS = 1e6;
const LEDGER_DAYS = 90;
const DEAD_DAYS = 30;
/** The ids of copies make a chain (see gatherer.ts); the broker need not look for one that comes twice. */
const COPY_IDS_MS = 1_000;
const ORDERS_DAYS_MORE = 30;
const START_MS_MAX = 15_000;
const AT_ONCE_MAX = 16;
/** From here on `sources` leave the expected sequence of a message out of account (nats-server #5256). */
const SOURCES_VERSION_MIN = [2, 10, 14];

/** The streams of every partition. An adopted stream is exactly one partition. */
export function partitionStreams(settings: Settings): PartitionStreams[] {
  const { name } = settings;
  const adopt = settings.sources[0]?.adopt;
  if (adopt)
    return [
      { partition: 0, input: adopt.stream, control: adopt.control, ledger: ledgerStream(settings, 0), adopted: true },
    ];
  return Array.from({ length: settings.partitions }, (_, partition) => ({
    partition,
    input: ordersStream(settings, partition),
    control: controlSubject(name, partition),
    ledger: ledgerStream(settings, partition),
    adopted: false,
  }));
}

/**
 * Makes or checks every stream of the layout. Throws FatalError (STREAM_UNSUITABLE) with the remedy for a stream that
 * can't work, and what `Broker.apiRetried` throws. Safe to call by several processes at once.
 */
export async function ensureStreams(broker: Broker, settings: Settings): Promise<PartitionStreams[]> {
  const partitions = partitionStreams(settings);
  for (const { input, control, adopted } of partitions) if (adopted) await checkAdopted(broker, input, control);
  const wanted = wantedStreams(settings, partitions);
  const bySources = !(await gathersItself(broker, settings));
  // The gathering ones last: their sources must exist before them.
  await ensureAll(broker, [...wanted, ...gatheringStreams(settings, partitions, bySources)]);
  return partitions;
}

/**
 * True where the engine must copy the records into the gathering streams: they are made so, or yet to be made on a
 * broker whose `sources` stop at a ledger's records (before 2.10.14).
 */
export async function gathersItself(broker: Broker, settings: Settings): Promise<boolean> {
  const found = await findConfig(broker, migrationsStream(settings));
  return found === undefined ? !broker.isAtLeast(SOURCES_VERSION_MIN) : (found.sources ?? []).length === 0;
}

/** Makes or checks the orders streams alone: all that `publish` and `simulate` need. */
export async function ensureOrdersStreams(broker: Broker, settings: Settings): Promise<PartitionStreams[]> {
  const partitions = partitionStreams(settings);
  const ledgers = new Set(partitions.map(({ ledger }) => ledger));
  await ensureAll(
    broker,
    wantedStreams(settings, partitions).filter(({ name }) => !ledgers.has(name)),
  );
  return partitions;
}

/** State of a stream, or undefined where there is none. */
export async function streamState(
  broker: Broker,
  stream: string,
  msMax?: number,
): Promise<StreamState & { created: string }> {
  const { state, created } = await broker.api<StreamInfo>(`STREAM.INFO.${stream}`, {}, msMax);
  return { ...state, created };
}

function wantedStreams(settings: Settings, partitions: readonly PartitionStreams[]): StreamConfig[] {
  const { name } = settings;
  const count = partitions.length;
  const common = {
    retention: "limits",
    storage: "file",
    num_replicas: settings.replicas,
    max_msgs_per_subject: -1,
  } as const;
  return partitions.flatMap(({ partition, input, ledger, adopted }) => {
    const layout = `partition ${partition} of ${count}`;
    const orders: StreamConfig = {
      ...common,
      name: input,
      description: `Tidemark: orders, ${layout}`,
      subjects: ordersSubjects(name, partition),
      discard: "new",
      max_age: (settings.horizonMs + ORDERS_DAYS_MORE * DAY_MS) * NANOS,
    };
    const records: StreamConfig = {
      ...common,
      name: ledger,
      description: `Tidemark: migrations and dead letters, ${layout}`,
      subjects: ledgerSubjects(name, partition),
      discard: "old",
      max_age: LEDGER_DAYS * DAY_MS * NANOS,
    };
    return adopted ? [records] : [orders, records];
  });
}

function gatheringStreams(
  settings: Settings,
  partitions: readonly PartitionStreams[],
  bySources: boolean,
): StreamConfig[] {
  const common = { retention: "limits", storage: "file", num_replicas: settings.replicas, discard: "old" } as const;
  const gather = (name: string, what: string, filter: string, days: number): StreamConfig => ({
    ...common,
    name,
    description: `Tidemark: ${what} of ${partitions.length} partitions`,
    ...(bySources
      ? { subjects: [], sources: partitions.map(({ ledger }) => ({ name: ledger, filter_subject: filter })) }
      : { subjects: [gatheredSubject(settings.name, filter)], duplicate_window: COPY_IDS_MS * NANOS }),
    max_age: days * DAY_MS * NANOS,
  });
  return [
    gather(migrationsStream(settings), "all migrations", migrationsSubjects(settings.name), LEDGER_DAYS),
    gather(deadStream(settings), "all dead letters", deadSubjects(settings.name), DEAD_DAYS),
  ];
}

/** Checks all before it makes or changes one: a layout that can't work leaves nothing behind. */
async function ensureAll(broker: Broker, wanted: readonly StreamConfig[]): Promise<void> {
  const found = await inParts(wanted, (config) => findConfig(broker, config.name));
  for (const [i, config] of wanted.entries()) if (found[i]) checkOwn(found[i], config);
  const [gathering, plain] = [wanted.filter(({ sources }) => sources), wanted.filter(({ sources }) => !sources)];
  for (const part of [plain, gathering])
    await inParts(part, (config) => ensureOne(broker, config, found[wanted.indexOf(config)]));
}

async function ensureOne(broker: Broker, wanted: StreamConfig, found: StreamConfig | undefined): Promise<void> {
  // Without effect where another process made the same stream meanwhile.
  if (found === undefined) return changeStream(broker, "CREATE", wanted);
  const { max_age, num_replicas, duplicate_window = found.duplicate_window } = wanted;
  const ours = { ...found, max_age, num_replicas, ...(duplicate_window === undefined ? {} : { duplicate_window }) };
  if ((Object.keys(ours) as (keyof StreamConfig)[]).every((key) => ours[key] === found[key])) return;
  await changeStream(broker, "UPDATE", ours);
}

async function inParts<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < items.length; from += AT_ONCE_MAX) {
    results.push(...(await Promise.all(items.slice(from, from + AT_ONCE_MAX).map(work))));
  }
  return results;
}

/** Throws FatalError (STREAM_UNSUITABLE) with the remedy where the broker refuses. */
export async function changeStream(broker: Broker, verb: "CREATE" | "UPDATE", config: StreamConfig): Promise<void> {
  try {
    await broker.apiRetried(`STREAM.${verb}.${config.name}`, config, START_MS_MAX);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const remedy = /insufficient storage|no space/i.test(error.description)
      ? "Free some space, or raise JetStream's max_file_store."
      : /replicas/i.test(error.description)
        ? "Set replicas to at most the number of servers in the cluster."
        : "Change the stream or subject that stands in the way, or choose another name in the configuration.";
    throw new FatalError("STREAM_UNSUITABLE", `can't ${verb.toLowerCase()} stream ${config.name}: ${reasonOf(error)}`, {
      cause: error,
      remedy,
    });
  }
}

/** Undefined where there is no such stream. */
export async function findConfig(broker: Broker, stream: string): Promise<StreamConfig | undefined> {
  try {
    return (await broker.apiRetried<StreamInfo>(`STREAM.INFO.${stream}`, {}, START_MS_MAX)).config;
  } catch (error) {
    if (error instanceof ApiError && error.errorCode === STREAM_NOT_FOUND) return undefined;
    throw error;
  }
}

function checkOwn(found: StreamConfig, wanted: StreamConfig): void {
  const layout = /\d+( partitions)?$/;
  const [foundLayout, wantedLayout] = [found, wanted].map(({ description = "" }) => layout.exec(description)?.[0]);
  if (/^Tidemark: /.test(found.description ?? "") && foundLayout !== wantedLayout) {
    unsuitable(
      wanted.name,
      `was made for ${foundLayout} partitions, the configuration has ${wantedLayout}`,
      "Set partitions back, or take a savepoint to a new layout: tidemark savepoint --help.",
    );
  }
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  if (found.retention !== wanted.retention) unsuitable(wanted.name, `has ${found.retention} retention, not limits`);
  if (!isSealed(found, wanted) && !same([...(found.subjects ?? [])].sort(), [...(wanted.subjects ?? [])].sort())) {
    unsuitable(
      wanted.name,
      `takes ${found.subjects?.join(", ") || "nothing"}, expected ${wanted.subjects?.join(", ") || "nothing"}`,
    );
  }
  const names = (config: StreamConfig) => (config.sources ?? []).map((source) => source.name).sort();
  if (!same(names(found), names(wanted)))
    unsuitable(wanted.name, `gathers other streams than ${names(wanted).join(", ")}`);
  checkHistory(found);
}

function controlOf(subjects = ""): string {
  return subjects.replace(/>$/, "_control");
}

/** An input that takes no orders any more (see layout.ts) is still read to its end. */
function isSealed(found: StreamConfig, wanted: StreamConfig): boolean {
  const [subject] = found.subjects ?? [];
  return found.subjects?.length === 1 && wanted.subjects?.length === 1 && subject === controlOf(wanted.subjects[0]);
}

/** What an input or ledger must never do: lose a message because another one came. */
function checkHistory(found: StreamConfig): void {
  if ((found.max_msgs_per_subject ?? -1) > 0) {
    unsuitable(
      found.name,
      `keeps only ${found.max_msgs_per_subject} messages a subject`,
      `Run: nats stream edit ${found.name} --max-msgs-per-subject=-1`,
    );
  }
}

/** Throws FatalError (STREAM_UNSUITABLE) where someone else's stream can't be read as one partition. */
async function checkAdopted(broker: Broker, stream: string, control: string): Promise<void> {
  const found = await findConfig(broker, stream);
  if (found === undefined)
    unsuitable(
      stream,
      "does not exist",
      "Make the stream, or leave `stream` out of the source: Tidemark then makes its own.",
    );
  if (found.retention !== "limits") {
    unsuitable(
      stream,
      `has ${found.retention} retention: what others read would go before we have read it`,
      `Make it anew with limits retention (it can't be changed), or read it through a stream that sources it: nats stream add ${stream}_TIDEMARK --source ${stream} --retention limits`,
    );
  }
  checkHistory(found);
  if (found.sealed)
    unsuitable(stream, "is sealed: no control message can be stored", "Adopt a copy of it, made by --source.");
  if (found.no_ack) unsuitable(stream, "acknowledges nothing (no_ack)", `Run: nats stream edit ${stream} --ack`);
  if (!found.subjects?.some((pattern) => subjectMatches(pattern, control))) {
    const subjects = [...(found.subjects ?? []), control].join(",");
    unsuitable(
      stream,
      `does not take the control subject ${control}`,
      `Run: nats stream edit ${stream} --subjects "${subjects}", or set the source's \`control\` to a subject it takes.`,
    );
  }
}

function unsuitable(stream: string, detail: string, remedy?: string): never {
  throw new FatalError(
    "STREAM_UNSUITABLE",
    `stream ${stream} ${detail}`,
    remedy === undefined ? undefined : { remedy },
  );
}
