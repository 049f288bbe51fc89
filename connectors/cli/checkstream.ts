/** What `tidemark check --nats` says: messages of a subject, tried on an engine that nobody sees. */
import type { Command } from "commander";
import { formatDuration } from "../../runtime/config/index.js";
import { InputError } from "../../runtime/errors.js";
import { shown } from "../../runtime/itemvalue.js";
import { KINDS, OUTCOMES, type Outcome } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import { type DeadFinding, type Seen, type Trial, tryMessages } from "../../runtime/trial.js";
import { content } from "../content.js";
import { instantText } from "../file/index.js";
import { type Broker, type BrokerOptions, connectBroker } from "../nats/broker.js";
import { type Sample, sampleSubject } from "../nats/sample.js";
import { loadKernel } from "./kernel.js";
import { wholeNumber } from "./options.js";
import { count, counted, cut, printable, progress, type Terminal, table, wrapped } from "./terminal.js";

export interface SampleFlags {
  readonly subject?: string;
  readonly stream?: string;
  readonly last: number;
  /** Seconds; undefined: none for a stream, LISTEN_SECONDS where no stream takes the subject. */
  readonly wait?: number;
}

const LAST_DEFAULT = 1_000;
/** How long is listened where nothing is kept. */
export const LISTEN_SECONDS = 10;

/** Options of every command that looks at messages of a broker. */
export function addSampleOptions(command: Command, last = LAST_DEFAULT, otherwise = ""): Command {
  return command
    .optionsGroup("Messages:")
    .option("--subject <subject>", `where the orders are, with * and >${otherwise}`)
    .option("--stream <name>", "of the streams that take the subject, this one")
    .option("--last <n>", "the newest n messages", wholeNumber(1, 100_000), last)
    .option(
      "--wait <seconds>",
      `wait for new ones; ${LISTEN_SECONDS} s where no stream keeps the subject`,
      wholeNumber(0, 600),
    )
    .optionsGroup("Options:");
}

/** Hashes are keyed, and no output depends on the key. */
const SEED = new Uint8Array(16).fill(1);

/** Takes a sample of what the flags name, or else of what the configuration reads. Throws InputError where nothing came. */
export async function takeSample(
  options: BrokerOptions,
  settings: Settings,
  flags: SampleFlags,
  signal: AbortSignal,
): Promise<Sample> {
  const broker = await connectBroker(options);
  try {
    return await sampleFrom(broker, settings, flags, signal);
  } finally {
    progress.clear();
    await broker.close();
  }
}

async function sampleFrom(
  broker: Broker,
  settings: Settings,
  flags: SampleFlags,
  signal: AbortSignal,
): Promise<Sample> {
  const { last } = flags;
  const adopted = settings.sources[0]?.adopt?.stream;
  const named = flags.subject !== undefined || flags.stream !== undefined;
  const stream = named ? flags.stream : adopted;
  const subject = named || adopted !== undefined ? flags.subject : `${settings.name}.orders.>`;
  const take = (waitMs: number) =>
    sampleSubject(broker, {
      ...(subject === undefined ? {} : { subject }),
      ...(stream === undefined ? {} : { stream }),
      last,
      waitMs,
      signal,
      waiting: (messages) => progress.show(() => `waiting for messages: ${count(messages)} so far`),
    });
  const first = await take((flags.wait ?? 0) * 1000);
  const nothingKept = first.streams.length === 0 && flags.wait === undefined;
  const sample = nothingKept ? await take(LISTEN_SECONDS * 1000) : first;
  if (sample.messages.length > 0) return sample;
  const where = subject ?? `stream ${stream}`;
  throw new InputError(
    "STREAM_UNSUITABLE",
    sample.streams.length === 0
      ? `no stream takes ${where}, and nothing came while it was listened to for ${flags.wait ?? LISTEN_SECONDS} s`
      : `there is no message of ${where} among the newest ${count(sample.looked)} of ${namesOf(sample)}`,
    { remedy: "Check the subject, publish something, or listen longer: --wait SECONDS." },
  );
}

export function trySample(settings: Settings, sample: Sample): Trial {
  return tryMessages(loadKernel(), settings, sample.messages, SEED);
}

function namesOf({ streams }: Sample): string {
  return streams.length === 1 ? `stream ${streams[0]?.name}` : counted(streams.length, "stream");
}

/** True where the engine would put something aside that the sample itself does not explain. */
export function hasFaults({ dead }: Trial): boolean {
  return dead.some(({ ofSample }) => !ofSample);
}

/** What `--json` prints. */
export function sampleJson(sample: Sample, trial: Trial): object {
  const { messages, control, items, events, dead, sources, channels, currencies, statuses, behind } = trial;
  const byKind = KINDS.map((kind, k): [string, object] => [
    kind,
    Object.fromEntries(OUTCOMES.map((outcome, o) => [outcome, events[k]?.[o] ?? 0])),
  ]);
  return {
    streams: sample.streams.map(({ name, messages: kept }) => ({ name, messages: kept })),
    looked: sample.looked,
    cut: sample.cut,
    from: instantText(sample.messages[0]?.stamp ?? 0),
    to: instantText(sample.messages.at(-1)?.stamp ?? 0),
    messages,
    control,
    items,
    events: Object.fromEntries(byKind),
    dead: dead.map(({ reason, items: letters, ofSample, example }) => {
      const { fault, bytes, ...place } = example;
      return { reason, items: letters, ofSample, ...fault, example: { ...place, ...content(bytes) } };
    }),
    sources,
    channels,
    currencies,
    statuses,
    behindMs: behind ?? null,
  };
}

/** The whole report. `origin`: where the configuration comes from. */
export function printSample(terminal: Terminal, origin: string, sample: Sample, trial: Trial): void {
  const { messages, streams, cut: isCut } = sample;
  const kept = streams.reduce((sum, stream) => sum + stream.messages, 0);
  const where = streams.length === 0 ? "heard while listening" : `of ${count(kept)} in ${namesOf(sample)}`;
  const [first, last] = [messages[0]?.stamp ?? 0, messages.at(-1)?.stamp ?? 0];
  terminal.print(`${terminal.style("bold", counted(messages.length, "message"))} ${where}, read by ${origin}`);
  terminal.print(`  ${instantText(first)} to ${instantText(last)}`);
  if (isCut)
    terminal.print(
      `  ${terminal.style("yellow", "fewer than asked for:")} the others looked at are of other subjects, or too large`,
    );
  terminal.print();
  for (const line of wrapped(verdict(terminal, trial), Math.max(40, terminal.columns))) terminal.print(line);
  terminal.print();
  for (const line of eventLines(terminal, trial)) terminal.print(line);
  for (const finding of trial.dead) {
    terminal.print();
    for (const line of findingLines(terminal, finding)) terminal.print(line);
  }
  terminal.print();
  for (const line of seenLines(terminal, trial)) terminal.print(line);
}

const TAKEN: readonly Outcome[] = ["applied", "amended", "duplicate", "stale", "parked", "late"];
const LEFT_OUT: readonly Outcome[] = ["test", "skipped", "anonymous"];

function sumOf({ events }: Trial, outcomes: readonly Outcome[]): number {
  return events.reduce(
    (sum, row) => sum + outcomes.reduce((part, one) => part + (row[OUTCOMES.indexOf(one)] ?? 0), 0),
    0,
  );
}

/** In one line. */
export function verdict(terminal: Terminal, trial: Trial): string {
  const parts = [`${count(sumOf(trial, TAKEN))} taken`, `${count(sumOf(trial, LEFT_OUT))} left out`];
  const dead = trial.dead.reduce((sum, { items }) => sum + items, 0);
  const put = `${count(dead)} dead-lettered`;
  const control = trial.control === 0 ? "" : `; ${counted(trial.control, "control message")} besides`;
  const shownDead = dead === 0 ? put : terminal.style(hasFaults(trial) ? "red" : "yellow", put);
  return `Of ${counted(trial.items, "item")}: ${parts.join(", ")}, ${shownDead}${control}.`;
}

function eventLines(terminal: Terminal, { events, dead }: Trial): string[] {
  const present = OUTCOMES.filter((outcome, o) => {
    if (outcome === "applied" || events.some((row) => (row[o] ?? 0) > 0)) return true;
    return outcome === "rejected" && dead.length > 0;
  });
  const rows = KINDS.flatMap((kind, k) => {
    const row = events[k] ?? [];
    if (row.every((items) => items === 0)) return [];
    return [[kind, ...present.map((outcome) => count(row[OUTCOMES.indexOf(outcome)] ?? 0).replace(/^0$/, "·"))]];
  });
  // A message that can't be read has no kind.
  const unreadable = dead.find(({ reason }) => reason === "undecodable")?.items ?? 0;
  if (unreadable > 0) rows.push(["none", ...present.map((one) => (one === "rejected" ? count(unreadable) : "·"))]);
  return table(
    terminal,
    [
      { title: "kind" },
      ...present.map((outcome) => ({ title: outcome === "rejected" ? "dead" : outcome, right: true })),
    ],
    rows,
  );
}

function findingLines(terminal: Terminal, { reason, items, example, ofSample }: DeadFinding): string[] {
  const { fault, stream, sequence, index, subject, bytes } = example;
  const place = stream === null ? subject : `${stream} ${sequence}${index === 0 ? "" : `/${index}`}, ${subject}`;
  const path = fault.path === null ? ", not mapped" : fault.path === fault.field ? "" : ` (${fault.path})`;
  const field = fault.field === null ? "" : ` of ${fault.field}${path}`;
  const why = ofSample ? "; the order may be older than the sample" : "";
  return [
    `${terminal.style(ofSample ? "yellow" : "red", reason)}${field}: ${counted(items, "item")}${why}`,
    ...named(terminal, "found", printable(fault.found)),
    ...named(terminal, "expected", fault.expected),
    ...(fault.hint === undefined ? [] : named(terminal, "perhaps", printable(fault.hint))),
    ...named(terminal, "such as", place),
    `${" ".repeat(INDENT)}${cut(itemText(bytes), Math.max(20, terminal.columns - INDENT))}`,
  ];
}

const INDENT = 14;

/** A name, and its text in as many lines as it takes. */
function named(terminal: Terminal, name: string, text: string): string[] {
  return wrapped(text, Math.max(20, Math.min(TEXT_COLUMNS_MAX, terminal.columns) - INDENT)).map(
    (line, i) => `${i === 0 ? `  ${terminal.style("dim", name.padEnd(INDENT - 2))}` : " ".repeat(INDENT)}${line}`,
  );
}

/** Lines are no longer, however wide the terminal. */
const TEXT_COLUMNS_MAX = 120;
/** Of an item that is shown: no terminal is as wide. */
const ITEM_BYTES_MAX = 1024;

/** An item as it is written, on one line. */
function itemText(bytes: Uint8Array): string {
  if ((bytes[0] ?? 0x80) < 0x80)
    return printable(Buffer.from(bytes.subarray(0, ITEM_BYTES_MAX)).toString().replace(/\s+/g, " "));
  const read = content(bytes);
  return printable(String(read.text ?? read.base64 ?? JSON.stringify(read.item)).slice(0, ITEM_BYTES_MAX));
}

function seenLines(terminal: Terminal, trial: Trial): string[] {
  const { sources, channels, currencies, statuses, behind } = trial;
  const meanings = statuses.map(({ text, items, meaning }) => ({
    text: `${shown(text)} ${meaning === null ? "(unknown)" : meaning === "skip" ? "(left out)" : `(${meaning})`}`,
    items,
  }));
  const rows: [string, string][] = [
    ["sources", listOf(sources)],
    ["channels", listOf(channels)],
    ["currencies", listOf(currencies)],
    ["statuses", listOf(meanings)],
    ["times", behind === undefined ? "" : timesOf(behind)],
  ];
  const lines = rows
    .filter(([, text]) => text !== "")
    .flatMap(([name, text]) => named(terminal, name, printable(text)));
  return [terminal.style("bold", "Seen"), ...lines];
}

function listOf(seen: readonly Seen[]): string {
  const more = seen.length > SEEN_MAX ? `, and ${count(seen.length - SEEN_MAX)} more` : "";
  return (
    seen
      .slice(0, SEEN_MAX)
      .map(({ text, items }) => `${text} ${count(items)}`)
      .join(", ") + more
  );
}

/** Texts of one kind that are shown. */
const SEEN_MAX = 20;

function timesOf({ least, median, most }: NonNullable<Trial["behind"]>): string {
  const ahead = least < 0 ? `; one is ${rough(-least)} ahead` : "";
  return `half lie up to ${rough(Math.max(0, median))} behind their message, all up to ${rough(Math.max(0, most))}${ahead}`;
}

/** A duration in its largest unit: `3d`, `40s`. */
function rough(ms: number): string {
  const units = [86_400_000, 3_600_000, 60_000, 1_000];
  const unit = units.find((one) => ms >= 2 * one) ?? (ms >= 1_000 ? 1_000 : 1);
  return formatDuration(Math.round(ms / unit) * unit);
}
