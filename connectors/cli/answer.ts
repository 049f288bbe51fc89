/** The answer of a replay, for a terminal: what was read, then each model's segments, cross-tables, moves and departures. */
import type { Crosstable } from "../../runtime/crosstable.js";
import { DAYS, type Departures } from "../../runtime/departures.js";
import type { Move } from "../../runtime/moves.js";
import { OUTCOMES } from "../../runtime/record.js";
import { instantText } from "../file/index.js";
import { arrange, widthBeside, widthOf } from "./blocks.js";
import { bar, sparkline } from "./chart.js";
import { money, shortMoney, wholeMoney } from "./money.js";
import { tallySentences } from "./readtally.js";
import type { ModelSummary, Summary } from "./summary.js";
import { type Column, count, counted, cut, percent, type Terminal, table, wrapped } from "./terminal.js";

const DAY_MS = 86_400_000;
/** Days that are shown one by one. */
const WEEK = 7;
const MOVES_SHOWN = 10;
const BAR_COLUMNS = 24;
/** Of a segment's name, on a narrow terminal and on others. */
const NAME_COLUMNS = { narrow: 14, usual: 20 };
const NARROW = 70;
const CAUSES_COLUMNS = 36;
const SENTENCES = 3;
/** What a table of the coming week takes; below that there is none. */
const WEEK_COLUMNS = 78;
const RIGHT = { right: true } as const;

export function printAnswer(terminal: Terminal, summary: Summary): void {
  const print = (lines: readonly string[]) => {
    for (const line of lines) terminal.print(line);
    if (lines.length > 0) terminal.print();
  };
  const { rows, lines = null, negative = 0 } = summary;
  print(tallySentences({ rows, lines, negative }));
  print(arrange(readBlocks(terminal, summary), terminal.columns));
  const clock = summary.clock === null ? null : Date.parse(summary.clock);
  for (const model of summary.models) {
    const [segments, moves] = [segmentLines(terminal, model), moveLines(terminal, model)];
    const isWide = widthBeside([segments, moves]) <= terminal.columns;
    print(isWide ? arrange([segments, moves], terminal.columns) : segments);
    if (model.customers === 0 || clock === null) continue;
    print(crosstableLines(terminal, model));
    if (!isWide) print(moves);
    print(arrange(departureBlocks(terminal, model, clock), terminal.columns));
  }
  terminal.print(summary.clock === null ? "There was nothing to apply." : `True at ${summary.clock}.`);
}

function heading(terminal: Terminal, text: string): string {
  return terminal.style("bold", text);
}

/** Events by outcome; what was left out, and why. */
function readBlocks(terminal: Terminal, { events, leftOut, deadLetters }: Summary): string[][] {
  const blocks: string[][] = [];
  const outcomes = OUTCOMES.filter((outcome) => Object.values(events).some((each) => each[outcome] !== undefined));
  if (outcomes.length > 0) {
    const columns: Column[] = [{ title: "kind" }, ...outcomes.map((title) => ({ title, ...RIGHT }))];
    const rows = Object.entries(events).map(([kind, each]) => [
      kind,
      ...outcomes.map((outcome) => (each[outcome] === undefined ? "·" : count(each[outcome]))),
    ]);
    blocks.push([heading(terminal, "Events"), ...table(terminal, columns, rows)]);
  }
  const left: [string, number][] = Object.entries(leftOut.kind).map(([kind, rows]) => [
    kind === "" ? "no kind" : `kind ${kind}`,
    rows,
  ]);
  if (leftOut.afterUntil > 0) left.push(["later than --until", leftOut.afterUntil]);
  if (leftOut.beforeAfter > 0) left.push(["not later than --after", leftOut.beforeAfter]);
  for (const [title, counts] of [
    ["Left out", left],
    ["Dead letters", Object.entries(deadLetters)],
  ] as const) {
    if (counts.length === 0) continue;
    const columns = [{ title: "reason" }, { title: "rows", ...RIGHT }];
    const rows = counts.map(([name, n]) => [name, count(n)]);
    blocks.push([heading(terminal, title), ...table(terminal, columns, rows)]);
  }
  return blocks;
}

function segmentLines(terminal: Terminal, model: ModelSummary): string[] {
  const { segments, customers, revenue, decimals, migrations } = model;
  const shown = segments.filter((one) => one.segment !== null || one.customers > 0);
  const columns: Column[] = [
    { title: "segment" },
    { title: "customers", ...RIGHT },
    { title: "share", ...RIGHT },
    { title: "revenue", ...RIGHT },
    { title: "share", ...RIGHT },
  ];
  const rows = shown.map((one) => [
    named(terminal, one.segment),
    count(one.customers),
    percent(one.customers, customers),
    money(one.revenue, decimals),
    share(one.revenue, revenue),
  ]);
  const plain = table(terminal, columns, rows);
  // A bar of customers stands where there is room for one that says something.
  const room = Math.min(BAR_COLUMNS, terminal.columns - widthOf(plain) - 2);
  const most = Math.max(...shown.map((one) => one.customers));
  const drawn = shown.map((one) => coloured(terminal, bar(one.customers, most, room)));
  const lines =
    room < 8
      ? plain
      : table(
          terminal,
          [...columns, { title: "" }],
          rows.map((row, n) => [...row, drawn[n] as string]),
        );
  const notes = [
    `${count(customers)} customers, ${count(migrations.segment)} migrations, ${count(migrations.bands)} of bands alone`,
    `revenue: ${money(revenue, decimals)}, ${windowText(model.windowMs)}, refunds taken off`,
  ];
  return [
    heading(terminal, `Model ${model.model}, ${model.currency}`),
    ...lines,
    ...notes.flatMap((note) => wrapped(note, terminal.columns - 4).map((line) => terminal.style("dim", `  ${line}`))),
  ];
}

/** No colour for nothing: it would count as text at the end of the line. */
function coloured(terminal: Terminal, drawn: string): string {
  return drawn === "" ? "" : terminal.style("cyan", drawn);
}

function named(terminal: Terminal, segment: string | null): string {
  if (segment === null) return terminal.style("dim", "(in none)");
  return cut(segment, terminal.columns < NARROW ? NAME_COLUMNS.narrow : NAME_COLUMNS.usual);
}

/** Of sums: a part of a whole that is not above zero has no share. */
function share(part: bigint, whole: bigint): string {
  return whole <= 0n ? "–" : percent(Number(part), Number(whole)).replace(/^-0\.0 /, "0.0 ");
}

function windowText(windowMs: number): string {
  if (!Number.isFinite(windowMs)) return "orders of all time";
  const hours = windowMs / 3_600_000;
  if (!Number.isInteger(hours)) return `orders of the last ${count(windowMs / 1000)} seconds`;
  return `orders of the last ${hours % 24 === 0 ? `${count(hours / 24)} days` : `${count(hours)} hours`}`;
}

/**
 * Beside each other where they fit, with whole units of money or with thousands; else one below the other, and on a
 * terminal that is too narrow for money without it.
 */
function crosstableLines(terminal: Terminal, model: ModelSummary): string[] {
  const blocks = (form: ((minor: bigint) => string) | undefined) =>
    model.crosstables.map((one) => crosstableBlock(terminal, model, one, form));
  const whole = blocks((minor) => wholeMoney(minor, model.decimals));
  const short = blocks((minor) => shortMoney(minor, model.decimals));
  const fits = (columns: number) => columns <= terminal.columns;
  const fit = [whole, short].find((some) => fits(widthBeside(some)));
  const fitAlone = [whole, short].find((some) => some.every((block) => fits(widthOf(block))));
  return arrange(fit ?? fitAlone ?? blocks(undefined), terminal.columns);
}

/** Customers of each pair of bands, and under them their revenue. Bands `none` are shown where somebody is in them. */
function crosstableBlock(
  terminal: Terminal,
  { customers: total, currency }: ModelSummary,
  { rows, columns, customers, revenue }: Crosstable,
  form: ((minor: bigint) => string) | undefined,
): string[] {
  const isEmpty = (c: number) => customers.every((row) => row[c] === 0);
  const shown = [...columns.bands.keys()].filter((c) => columns.bands[c] !== "none" || !isEmpty(c));
  const sum = (of: readonly number[]) => of.reduce((all, n) => all + n, 0);
  const worth = (of: readonly bigint[]) => of.reduce((all, n) => all + n, 0n);
  const pair = (name: string, counts: readonly number[], sums: readonly bigint[]): string[][] => {
    const cells = [
      ...shown.map((c) => ({ customers: counts[c] as number, revenue: sums[c] as bigint })),
      { customers: sum(counts), revenue: worth(sums) },
    ];
    const above = [name, ...cells.map((cell) => weighed(terminal, cell.customers, total))];
    if (form === undefined) return [above];
    return [
      above,
      ["", ...cells.map((cell) => (cell.customers === 0 ? "" : terminal.style("dim", form(cell.revenue))))],
    ];
  };
  const body = rows.bands.flatMap((band, r) => {
    const counts = customers[r] as readonly number[];
    return band === "none" && sum(counts) === 0 ? [] : pair(band, counts, revenue[r] as readonly bigint[]);
  });
  const columnOf = <T>(lines: readonly (readonly T[])[], c: number) => lines.map((line) => line[c] as T);
  const all = pair(
    "all",
    columns.bands.map((_, c) => sum(columnOf(customers, c))),
    columns.bands.map((_, c) => worth(columnOf(revenue, c))),
  );
  const titles: Column[] = [
    { title: "" },
    ...[...shown.map((c) => columns.bands[c] as string), "all"].map((title) => ({ title, ...RIGHT })),
  ];
  return [
    `${heading(terminal, `${capital(rows.dimension)} × ${columns.dimension}`)}${terminal.style("dim", form === undefined ? ": customers" : `: customers, ${currency}`)}`,
    ...table(terminal, titles, [...body, ...all]),
  ];
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** The more of all customers, the more it strikes the eye. */
function weighed(terminal: Terminal, n: number, total: number): string {
  if (n === 0) return terminal.style("dim", "·");
  return n * 10 >= total ? terminal.style("bold", count(n)) : count(n);
}

function moveLines(terminal: Terminal, { moves }: ModelSummary): string[] {
  const between = moves.filter(({ from }) => from !== null);
  const total = between.reduce((all, { count: times }) => all + times, 0);
  const arrived = moves.filter(({ from }) => from === null);
  const lines: string[] = [];
  if (between.length > 0) {
    const isNarrow = terminal.columns < NARROW;
    const columns = [
      { title: "from" },
      { title: "" },
      { title: "to" },
      { title: "times", ...RIGHT },
      ...(isNarrow ? [] : [{ title: "share", ...RIGHT }]),
    ];
    const shown = between.slice(0, MOVES_SHOWN);
    const rows = shown.map(({ from, to, count: times }) => [
      named(terminal, from),
      "→",
      named(terminal, to),
      count(times),
      ...(isNarrow ? [] : [percent(times, total)]),
    ]);
    const taken = widthOf(table(terminal, columns, rows)) + 2;
    const room = Math.max(10, Math.min(CAUSES_COLUMNS, terminal.columns - taken));
    lines.push(
      heading(terminal, "Commonest moves"),
      ...table(
        terminal,
        [...columns, { title: "cause" }],
        rows.map((row, n) => [...row, terminal.style("dim", cut(causesText(shown[n] as Move), room))]),
      ),
    );
    const rest = between.slice(MOVES_SHOWN);
    if (rest.length > 0) {
      const others = rest.reduce((all, { count: times }) => all + times, 0);
      lines.push(terminal.style("dim", `  and ${count(others)} in ${counted(rest.length, "other way")}`));
    }
  }
  if (arrived.length > 0) {
    const came = arrived.reduce((all, { count: times }) => all + times, 0);
    const where = arrived.map(({ to, count: times }) => `${count(times)} as ${to}`);
    lines.push(terminal.style("dim", cut(`  ${count(came)} came in: ${where.join(", ")}`, terminal.columns)));
  }
  return lines;
}

/** `recency 80 %, window 20 %`, the commonest first; what is below one in a hundred is not named. */
function causesText({ causes, count: times }: Move): string {
  const found = Object.entries(causes).sort(([, a], [, b]) => b - a);
  const told = found.filter(([, n]) => n * 100 >= times);
  const [first] = told as [[string, number]];
  if (told.length === 1) return found.length === 1 ? first[0] : `mostly ${first[0]}`;
  return told.map(([cause, n]) => `${cause} ${Math.round((100 * n) / times)} %`).join(", ");
}

interface Leaving extends Departures {
  readonly name: string;
  readonly week: Group;
  readonly month: Group;
}

interface Group {
  readonly customers: number;
  readonly revenue: bigint;
}

function sumOf({ customers, revenue }: Pick<Departures, "customers" | "revenue">, days: number): Group {
  return {
    customers: customers.slice(0, days).reduce((sum, n) => sum + n, 0),
    revenue: revenue.slice(0, days).reduce((sum, n) => sum + n, 0n),
  };
}

/** The coming week in words and by day, the coming 30 days as bars. */
function departureBlocks(terminal: Terminal, model: ModelSummary, clock: number): string[][] {
  const leaving = model.departures
    .map(
      (one): Leaving => ({
        ...one,
        name: named(terminal, one.segment),
        week: sumOf(one, WEEK),
        month: sumOf(one, DAYS),
      }),
    )
    .filter(({ month }) => month.customers > 0);
  const title = `${heading(terminal, "Coming departures")}${terminal.style("dim", `: 24-hour days from ${instantText(clock)}`)}`;
  if (leaving.length === 0) return [[title, `  Nobody leaves a segment in the coming ${DAYS} days.`]];
  const text = sentences(terminal, model, leaving);
  if (terminal.columns < WEEK_COLUMNS) return [[title, ...text, ...totalLines(terminal, leaving, model.decimals)]];
  return [
    [title, ...text, ...weekLines(terminal, leaving, model.decimals, clock)],
    [heading(terminal, `Of the coming ${DAYS} days`), ...monthLines(terminal, leaving, model.decimals, clock)],
  ];
}

/** The segments that lose the most, in words. */
function sentences(terminal: Terminal, { currency, decimals }: ModelSummary, leaving: readonly Leaving[]): string[] {
  const week = leaving.filter(({ week: { customers } }) => customers > 0);
  if (week.length === 0) return [`  Nobody leaves a segment in the coming ${WEEK} days.`, ""];
  const most = week.sort((a, b) => (a.week.revenue < b.week.revenue ? 1 : -1)).slice(0, SENTENCES);
  const lines = most.flatMap((one) => {
    const worth = `worth ${wholeMoney(one.week.revenue, decimals)} ${currency}`;
    const who = `${count(one.week.customers)} ${one.week.customers === 1 ? "customer" : "customers"} ${worth}`;
    const verb = one.week.customers === 1 ? "leaves" : "leave";
    const unless = `in the coming ${WEEK} days unless they buy`;
    const to = one.to
      .map(({ segment, ...flow }) => ({ segment, ...sumOf(flow, WEEK) }))
      .filter(({ customers }) => customers > 0)
      .sort((a, b) => b.customers - a.customers)
      .map(({ segment, customers }, _, { length }) => `${length === 1 ? "all" : count(customers)} to ${segment}`);
    const text = `${who} ${verb} ${one.segment} ${unless}: ${to.join(", ")}.`;
    const [first = "", ...rest] = wrapped(text, Math.min(terminal.columns, WEEK_COLUMNS) - 4);
    return [`  ${first.replace(who, terminal.style("bold", who))}`, ...rest.map((line) => `    ${line}`)];
  });
  return [...lines, ""];
}

/** By the day on which most of each 24 hours lie. */
function weekLines(terminal: Terminal, leaving: readonly Leaving[], decimals: number, clock: number): string[] {
  const columns: Column[] = [
    { title: "segment" },
    ...Array.from({ length: WEEK }, (_, day) => ({ title: dateOf(clock, day, { weekday: "short" }), ...RIGHT })),
    { title: `${WEEK} days`, ...RIGHT },
    { title: "worth", ...RIGHT },
  ];
  const rows = leaving.map(({ name, customers, week }) => [
    name,
    ...customers.slice(0, WEEK).map((n) => (n === 0 ? terminal.style("dim", "·") : count(n))),
    terminal.style("bold", count(week.customers)),
    wholeMoney(week.revenue, decimals),
  ]);
  return table(terminal, columns, rows);
}

function monthLines(terminal: Terminal, leaving: readonly Leaving[], decimals: number, clock: number): string[] {
  const [first, last] = [0, DAYS - 1].map((day) => dateOf(clock, day, { day: "numeric", month: "short" })) as [
    string,
    string,
  ];
  const columns: Column[] = [
    { title: "segment" },
    { title: first + last.padStart(DAYS - first.length) },
    { title: `${DAYS} days`, ...RIGHT },
    { title: "worth", ...RIGHT },
  ];
  const rows = leaving.map(({ name, customers, month }) => [
    name,
    terminal.style("cyan", sparkline(customers)),
    terminal.style("bold", count(month.customers)),
    wholeMoney(month.revenue, decimals),
  ]);
  return table(terminal, columns, rows);
}

/** Where days find no room. */
function totalLines(terminal: Terminal, leaving: readonly Leaving[], decimals: number): string[] {
  const columns: Column[] = [
    { title: "segment" },
    ...[`${WEEK} days`, "worth", `${DAYS} days`, "worth"].map((title) => ({ title, ...RIGHT })),
  ];
  const rows = leaving.map(({ name, week, month }) => [
    name,
    ...[week, month].flatMap(({ customers, revenue }) => [count(customers), shortMoney(revenue, decimals)]),
  ]);
  return table(terminal, columns, rows);
}

/** The date, UTC, on which the greater part of day `day` behind the clock lies. */
function dateOf(clock: number, day: number, form: Intl.DateTimeFormatOptions): string {
  return new Date(clock + (day + 0.5) * DAY_MS).toLocaleDateString("en-GB", { timeZone: "UTC", ...form });
}
