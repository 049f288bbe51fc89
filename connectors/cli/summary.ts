/** What came of a replay, as tables or as one JSON object. */
import type { Partition, PartitionStats } from "../../runtime/partition.js";
import { KINDS, OUTCOMES, REASONS } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import type { ReadTally } from "../file/index.js";
import { instantText } from "../file/index.js";
import { type Column, count, percent, type Terminal, table } from "./terminal.js";

export interface Summary {
  /** The instant up to which everything is applied, RFC 3339; null where there was no input. */
  readonly clock: string | null;
  readonly rows: number;
  readonly leftOut: {
    readonly kind: Readonly<Record<string, number>>;
    readonly afterUntil: number;
    readonly beforeAfter: number;
  };
  /** By kind, then outcome; only what is not 0. */
  readonly events: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly deadLetters: Readonly<Record<string, number>>;
  /** Migrations by model: of segments, and of bands alone. */
  readonly models: readonly ModelSummary[];
}

export interface ModelSummary {
  readonly model: string;
  readonly currency: string;
  readonly customers: number;
  readonly migrations: { readonly segment: number; readonly bands: number };
  /** In rule order; of customers in none last, under null. */
  readonly segments: readonly { readonly segment: string | null; readonly customers: number }[];
}

export function summarize(
  settings: Settings,
  partitions: readonly Partition[],
  tally: Pick<ReadTally, "rows" | "otherKinds" | "afterUntil" | "beforeAfter">,
): Summary {
  const stats = partitions.map((partition) => partition.stats());
  const counts = partitions.map((partition) => partition.counts());
  const clock = Math.max(...partitions.map((partition) => partition.clock));
  const add = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  return {
    clock: clock === 0 ? null : instantText(clock),
    rows: tally.rows,
    leftOut: {
      kind: Object.fromEntries(tally.otherKinds),
      afterUntil: tally.afterUntil,
      beforeAfter: tally.beforeAfter,
    },
    events: notZero(
      KINDS.map((kind, k) => [
        kind,
        notZero(OUTCOMES.map((outcome, o) => [outcome, add(stats.map(({ events }) => events[k]?.[o] ?? 0))])),
      ]),
    ),
    deadLetters: notZero(REASONS.map((reason, r) => [reason, add(stats.map(({ dead }) => dead[r] ?? 0))])),
    models: settings.models.map((model, m) => ({
      model: model.name,
      currency: model.currency,
      customers: add(counts.map((each) => each[m]?.customers ?? 0)),
      migrations: migrationsOf(stats, model.name),
      segments: [
        ...model.segments.map((segment, s) => ({
          segment: segment as string | null,
          customers: add(counts.map((each) => each[m]?.segments[s] ?? 0)),
        })),
        { segment: null, customers: add(counts.map((each) => each[m]?.none ?? 0)) },
      ],
    })),
  };
}

function migrationsOf(stats: readonly PartitionStats[], model: string): ModelSummary["migrations"] {
  let segment = 0;
  let bands = 0;
  for (const { migrations } of stats) {
    for (const migration of migrations) {
      if (migration.model !== model) continue;
      if (migration.from === migration.to) bands += migration.count;
      else segment += migration.count;
    }
  }
  return { segment, bands };
}

/** Without what is 0 or empty. */
function notZero<T extends number | object>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.fromEntries(
    entries.filter(([, value]) => (typeof value === "number" ? value !== 0 : Object.keys(value).length > 0)),
  );
}

const RIGHT = { right: true } as const;

export function printSummary(terminal: Terminal, summary: Summary): void {
  const heading = (text: string) => terminal.print(terminal.style("bold", text));
  const { leftOut } = summary;
  const outcomes = OUTCOMES.filter((outcome) =>
    Object.values(summary.events).some((each) => each[outcome] !== undefined),
  );
  if (outcomes.length > 0) {
    heading("Events");
    const columns: Column[] = [{ title: "kind" }, ...outcomes.map((title) => ({ title, ...RIGHT }))];
    const rows = Object.entries(summary.events).map(([kind, each]) => [
      kind,
      ...outcomes.map((outcome) => (each[outcome] === undefined ? "·" : count(each[outcome]))),
    ]);
    for (const line of table(terminal, columns, rows)) terminal.print(line);
    terminal.print();
  }
  const left: [string, number][] = Object.entries(leftOut.kind).map(([kind, rows]) => [
    kind === "" ? "no kind" : `kind ${kind}`,
    rows,
  ]);
  if (leftOut.afterUntil > 0) left.push(["later than --until", leftOut.afterUntil]);
  if (leftOut.beforeAfter > 0) left.push(["not later than --after", leftOut.beforeAfter]);
  printCounts(terminal, "Left out", left);
  printCounts(terminal, "Dead letters", Object.entries(summary.deadLetters));
  for (const model of summary.models) {
    const moves = `${count(model.migrations.segment)} migrations, ${count(model.migrations.bands)} of bands alone`;
    heading(`Model ${model.model}, ${model.currency}`);
    const rows = model.segments
      .filter(({ segment, customers }) => segment !== null || customers > 0)
      .map(({ segment, customers }) => [
        segment ?? terminal.style("dim", "(in none)"),
        count(customers),
        percent(customers, model.customers),
        terminal.style("cyan", bar(customers, model.customers)),
      ]);
    const columns: Column[] = [
      { title: "segment" },
      { title: "customers", ...RIGHT },
      { title: "share", ...RIGHT },
      { title: "" },
    ];
    for (const line of table(terminal, columns, rows)) terminal.print(line);
    terminal.print(terminal.style("dim", `  ${count(model.customers)} customers, ${moves}`));
    terminal.print();
  }
  terminal.print(summary.clock === null ? "There was nothing to apply." : `True at ${summary.clock}.`);
}

function printCounts(terminal: Terminal, title: string, counts: readonly (readonly [string, number])[]): void {
  if (counts.length === 0) return;
  terminal.print(terminal.style("bold", title));
  for (const line of table(
    terminal,
    [{ title: "reason" }, { title: "rows", ...RIGHT }],
    counts.map(([name, n]) => [name, count(n)]),
  )) {
    terminal.print(line);
  }
  terminal.print();
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** Up to 24 columns. */
function bar(part: number, whole: number): string {
  const eighths = whole === 0 ? 0 : Math.max(part > 0 ? 1 : 0, Math.round((part / whole) * 24 * 8));
  return "█".repeat(eighths >> 3) + (EIGHTHS[eighths & 7] ?? "");
}
