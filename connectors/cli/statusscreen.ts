/** What `tidemark status` shows: one screen of a running engine, and what to do where something is wrong. */

import { instantText } from "../file/index.js";
import type { StatusDescription } from "../http/status.js";
import { count, counted, cut, printable, type Terminal, table, width, wrapped } from "./terminal.js";

type PartitionRow = StatusDescription["partitions"][number];

/** Partitions shown: of more, those in trouble come first and the rest are counted. */
const ROWS_MAX = 16;
const FULL_SHARE = 0.9;
/** Something due that is older than this is not being worked off. */
const OVERDUE_MS_MAX = 60_000;

/** The screen's lines, no wider than the terminal where a line can be cut. `all`: every partition, however many. */
export function statusLines(terminal: Terminal, status: StatusDescription, url: string, all: boolean): string[] {
  const trouble = troubles(status);
  const state = status.ready ? terminal.style("green", "ready") : terminal.style("red", "not ready");
  const head = `${terminal.style("bold", printable(status.name))}  ${state}`;
  const left = Math.max(2, terminal.columns - width(head) - width(url));
  const fits = width(head) + 2 + width(url) <= terminal.columns;
  return [
    fits ? `${head}${" ".repeat(left)}${terminal.style("dim", url)}` : head,
    ...factLines(terminal, status),
    ...(trouble.length === 0 ? [] : ["", ...trouble.flatMap((one) => troubleLines(terminal, one))]),
    "",
    ...partitionLines(terminal, status, all),
  ];
}

function factLines(terminal: Terminal, status: StatusDescription): string[] {
  const { partitions, now } = status;
  const sum = (value: (partition: PartitionRow) => number) => partitions.reduce((all, one) => all + value(one), 0);
  const known = partitions.length > 0;
  const made = sum(({ ledger }) => ledger);
  const flying = sum(({ ledgerInFlight }) => ledgerInFlight);
  const fullest = Math.max(0, ...partitions.map(useOf));
  const checkpoints = partitions.flatMap(({ checkpointAt }) => checkpointAt ?? []);
  const without = partitions.filter(({ checkpoint }) => checkpoint === 0).length;
  const names = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .sort((a, b) => b[1] - a[1])
      .map(([name, value]) => `${name} ${count(value)}`)
      .join(", ");
  const facts: [string, string][] = [
    ["configuration", `${status.version}, ${status.models.map(printable).join(", ")}`],
    status.checks.replay === undefined
      ? ["broker", printable(status.checks.broker?.detail ?? "not known")]
      : ["files", printable(status.checks.replay.detail)],
    ["exact to", status.clock === null ? "–" : `${instantText(status.clock)}, ${age(now - status.clock)} ago`],
    [
      "input",
      `${counted(
        sum(({ position }) => position),
        "message",
      )} read, ${count(status.lag)} behind`,
    ],
    ["items", names(status.events) || "none yet"],
    ["dead letters", names(status.deadLetters) || "none"],
    [
      "ledger",
      `${counted(made, "record")}${made === 0 ? "" : flying === 0 ? ", all stored" : `, ${count(flying)} in flight`}`,
    ],
    [
      "customers",
      `${count(sum(({ customers }) => customers))}, ${count(sum(({ entries }) => entries))} orders and reversals; ` +
        `fullest partition ${share(fullest)} used`,
    ],
    [
      "checkpoints",
      checkpoints.length === 0
        ? without === partitions.length
          ? "none yet"
          : "none since the start"
        : `the oldest was stored ${age(now - Math.min(...checkpoints))} ago`,
    ],
    ["migrations", status.live ? "live" : "silent: history is being read"],
  ];
  return facts
    .filter(([name]) => known || name === "configuration" || name === "broker" || name === "files")
    .map(
      ([name, text]) =>
        `  ${terminal.style("dim", name.padEnd(13))}  ${cut(text, Math.max(20, terminal.columns - 17))}`,
    );
}

export interface Trouble {
  readonly what: string;
  readonly remedy: string;
}

/** What is wrong, the worst first, each with what a person does about it. */
export function troubles(status: StatusDescription): Trouble[] {
  const { partitions, checks, now } = status;
  const found: Trouble[] = [];
  const add = (which: readonly PartitionRow[], what: (numbers: string) => string, remedy: string) => {
    if (which.length > 0) found.push({ what: what(numbersOf(which)), remedy });
  };
  const inState = (...states: PartitionRow["state"][]) => partitions.filter(({ state }) => states.includes(state));
  const failed = inState("failed", "stopped");
  for (const { partition, state, error } of failed.slice(0, 4))
    found.push({
      what: `partition ${partition} has ${state === "failed" ? "failed" : "stopped"}${error === undefined ? "" : `: ${error}`}`,
      remedy: "Its orders wait in the broker. The README's table of stops says how to go on.",
    });
  if (failed.length > 4) found.push({ what: `and ${failed.length - 4} partitions more`, remedy: "See --all." });
  if (checks.broker?.ok === false)
    found.push({
      what: "no connection to the broker: nothing comes in, and positions and lag below are the last known",
      remedy: "Start the broker, or mend the way to it; the engine goes on by itself, and nothing is lost.",
    });
  add(
    inState("silent"),
    (numbers) => `${numbers}: the worker does not answer; what is shown is the last known`,
    "It may be busy for a moment. If it stays so, restart the engine: it goes on from its checkpoints.",
  );
  const missing = status.partitionCount - partitions.length;
  const starting = inState("starting").length + Math.max(0, missing);
  const replaying = inState("replaying");
  if (starting > 0)
    found.push({ what: `${counted(starting, "partition")} starting: checkpoints are being loaded`, remedy: "Wait." });
  if (replaying.length > 0)
    found.push({
      what: `${counted(replaying.length, "partition")} reading the input, ${counted(sumOf(replaying, lagOf), "message")} to go`,
      remedy: "Wait: it is ready when the input was read to its end.",
    });
  if (checks.lag?.ok === false && replaying.length === 0)
    found.push({
      what: `the engine is ${checks.lag.detail}`,
      remedy: "More comes in than is applied: use more workers (--workers), or more machines' worth of partitions.",
    });
  const overdue = partitions.filter((one) => one.overdue !== null && now - one.overdue > OVERDUE_MS_MAX);
  add(
    overdue,
    (numbers) =>
      `${numbers}: what fell due is being worked off; the oldest is ${age(Math.max(...overdue.map((one) => now - (one.overdue ?? now))))} late`,
    "It goes on as fast as the ledger is stored; watch it with --watch.",
  );
  add(
    partitions.filter((one) => useOf(one) >= FULL_SHARE),
    (numbers) => `${numbers}: nearly full`,
    "It restarts larger by itself, up to capacity.customersMax, entriesMax and idBytesMax. Raise those where it is there already.",
  );
  add(
    partitions.filter(({ parked, parkedMax }) => parked >= FULL_SHARE * parkedMax),
    (numbers) => `${numbers}: nearly all places for reversals that wait for their order are taken`,
    "Find out why their orders do not come, or raise parkedMax.",
  );
  add(
    partitions.filter(({ ledgerRefused, ledgerInFlight }) => ledgerRefused > 0 && ledgerInFlight > 0),
    (numbers) => `${numbers}: the broker refused records of the ledger; they are sent again`,
    "See that its disk has room and that this user may publish there.",
  );
  add(
    partitions.filter(({ checkpointFailures }) => checkpointFailures > 0),
    (numbers) => `${numbers}: checkpoints could not be stored or read`,
    "See the engine's log and the room in the checkpoints' store. Orders go on; a restart takes longer.",
  );
  add(
    partitions.filter(({ auditDifferences }) => auditDifferences > 0),
    (numbers) => `${numbers}: rows are not what their orders come to`,
    "Memory is damaged, or this is a bug in Tidemark: the log has the rows. A restart with --discard-checkpoints makes them anew.",
  );
  const dead = Object.values(status.deadLetters).reduce((all, one) => all + one, 0);
  if (dead > 0)
    found.push({
      what: `${counted(dead, "dead letter")} since the start of the input`,
      remedy: "tidemark dlq list shows them.",
    });
  return found;
}

function troubleLines(terminal: Terminal, { what, remedy }: Trouble): string[] {
  const columns = terminal.columns;
  return [
    ...wrapped(printable(what), columns - 4).map(
      (line, i) => `${i === 0 ? terminal.style("yellow", "  ! ") : "    "}${line}`,
    ),
    ...wrapped(remedy, columns - 4).map((line) => `    ${terminal.style("dim", line)}`),
  ];
}

interface Cell {
  readonly title: string;
  readonly right: boolean;
  /** What is left out first where there is no room: the highest. */
  readonly rank: number;
  readonly text: (partition: PartitionRow) => string;
}

function partitionLines(terminal: Terminal, status: StatusDescription, all: boolean): string[] {
  const { partitions, now } = status;
  if (partitions.length === 0) return [`No partition of ${status.partitionCount} has begun.`];
  const isWell = (one: PartitionRow) => one.state === "running" && useOf(one) < FULL_SHARE && lagOf(one) === 0;
  const shown = all
    ? partitions
    : [...partitions.filter((one) => !isWell(one)), ...partitions.filter(isWell)]
        .slice(0, ROWS_MAX)
        .sort((a, b) => a.partition - b.partition);
  const ago = (instant: number | null) => (instant === null ? "–" : age(now - instant));
  const cells: Cell[] = [
    { title: "partition", right: true, rank: 0, text: (p) => String(p.partition) },
    { title: "state", right: false, rank: 0, text: (p) => stateText(terminal, p.state) },
    { title: "position", right: true, rank: 0, text: (p) => count(p.position) },
    { title: "behind", right: true, rank: 0, text: (p) => (lagOf(p) === 0 ? "·" : count(lagOf(p))) },
    { title: "clock", right: true, rank: 1, text: (p) => ago(p.clock) },
    { title: "ledger", right: true, rank: 2, text: (p) => count(p.ledger) },
    { title: "stored", right: true, rank: 6, text: (p) => count(p.ledgerAcked) },
    { title: "in flight", right: true, rank: 4, text: (p) => (p.ledgerInFlight === 0 ? "·" : count(p.ledgerInFlight)) },
    { title: "customers", right: true, rank: 5, text: (p) => count(p.customers) },
    { title: "used", right: true, rank: 1, text: (p) => share(useOf(p)) },
    { title: "waiting", right: true, rank: 7, text: (p) => (p.parked === 0 ? "·" : count(p.parked)) },
    {
      title: "checkpoint",
      right: true,
      rank: 3,
      text: (p) =>
        p.checkpoint === 0 ? "–" : ago(p.checkpointAt) === "–" ? `at ${count(p.checkpoint)}` : ago(p.checkpointAt),
    },
  ];
  for (let rank = 8; ; rank--) {
    const kept = cells.filter((cell) => cell.rank < rank);
    const rows = shown.map((one) => kept.map(({ text }) => text(one)));
    const lines = table(terminal, kept, rows);
    if (rank > 1 && lines.some((line) => width(line) > terminal.columns)) continue;
    const hidden = partitions.length - shown.length;
    const rest =
      hidden === 0 ? [] : [terminal.style("dim", `  and ${hidden} more that run and are not behind (--all)`)];
    return [...lines, ...rest];
  }
}

function stateText(terminal: Terminal, state: PartitionRow["state"]): string {
  if (state === "running") return state;
  return terminal.style(state === "failed" || state === "silent" ? "red" : "yellow", state);
}

/** The fullest of its regions, 0 to 1, of the room that it has now. */
function useOf({ customers, entries, idBytes, capacity }: PartitionRow): number {
  return Math.max(customers / capacity.customers, entries / capacity.entries, idBytes / capacity.idBytes);
}

function lagOf({ position, streamLast }: PartitionRow): number {
  return Math.max(0, streamLast - position);
}

function sumOf(partitions: readonly PartitionRow[], value: (partition: PartitionRow) => number): number {
  return partitions.reduce((all, one) => all + value(one), 0);
}

/** `partition 3`, `partitions 0, 1, 2 and 5 more` */
function numbersOf(partitions: readonly PartitionRow[]): string {
  const numbers = partitions.map(({ partition }) => partition);
  if (numbers.length === 1) return `partition ${numbers[0]}`;
  const more = numbers.length - 8;
  return `partitions ${numbers.slice(0, 8).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function share(part: number): string {
  if (part === 0) return "0 %";
  return part < 0.001 ? "< 0.1 %" : `${(100 * part).toFixed(1)} %`;
}

/** `0.4 s`, `12 s`, `3 min`, `5 h`, `2 d`: a duration in ms to be read at a glance. */
export function age(ms: number): string {
  const value = Math.max(0, ms);
  if (value < 9_950) return `${(value / 1_000).toFixed(1)} s`;
  if (value < 120_000) return `${Math.round(value / 1_000)} s`;
  if (value < 7_200_000) return `${Math.round(value / 60_000)} min`;
  if (value < 172_800_000) return `${Math.round(value / 3_600_000)} h`;
  return `${count(Math.round(value / 86_400_000))} d`;
}
