/**
 * A configuration as a person would write it: YAML with comments that say where each value comes from, and what is to
 * be filled in. Values in, text out; what is written loads again.
 */
import { stringify } from "yaml";
import { EDGE_DIMENSIONS, type EdgeDimension } from "./edges.js";
import { expandModels } from "./ready.js";
import type { ReadyConfig, SourceConfig } from "./schema.js";
import { amountDigits, type Suggestion } from "./suggest.js";

/** Begins a comment about a value that only a person can know. */
export const FILL_IN = "FILL IN:";

export interface Draft {
  /** Of the instance; the default where absent. */
  readonly name?: string;
  /** Lines at the head, without their "#". */
  readonly head: readonly string[];
  readonly models: readonly DraftModel[];
  /** Where orders come from; without one Tidemark's own streams, with an adopted one as a commented example. */
  readonly source?: DraftSource;
}

export interface DraftModel extends Suggestion {
  /** Segments with their customers under these edges, in rule order; of customers in none under null. */
  readonly sizes?: readonly { readonly segment: string | null; readonly customers: number }[];
  /** Said behind the currency. */
  readonly currencyNote?: string;
  /** Written, but as a comment. Default false. */
  readonly isOff?: boolean;
}

export interface DraftSource {
  readonly config: SourceConfig;
  /** What is said behind a key (`zone`) or a field (`fields.customer`). */
  readonly notes: Readonly<Record<string, string>>;
}

/** The whole file. Ends with a line's end. */
export function draftConfig(draft: Draft): string {
  const name = draft.name ?? "tidemark";
  const lines = [
    ...draft.head.map(comment),
    "",
    ...aligned([[`name: ${scalar(name)}`, "prefixes every stream and subject"]]),
    "",
    ...draftModels(draft.models),
    "",
    ...(draft.source === undefined ? sourceExample() : draftSource(draft.source)),
  ];
  return `${lines.join("\n")}\n`;
}

/** `models:` and what belongs to it. */
export function draftModels(models: readonly DraftModel[]): string[] {
  const lines = models.flatMap((model) => {
    const [use, ...rest] = modelLines(model);
    const own = [`  - ${use}`, ...rest.map((line) => `    ${line}`)];
    const about = [...sizeLines(model), ...warningLines(model)].map((line) => `  ${comment(line)}`.trimEnd());
    return ["", ...about, ...(model.isOff === true ? own.map((line) => `  # ${line.slice(2)}`) : own)];
  });
  return ["models:", ...(lines[0] === "" ? lines.slice(1) : lines)];
}

function modelLines({ config, currencyNote }: DraftModel): string[] {
  const head: Line[] = [
    [`use: ${config.use}`, undefined],
    ...(config.name === undefined ? [] : [[`name: ${scalar(config.name)}`, undefined] as const]),
    [`currency: ${scalar(config.currency)}`, currencyNote],
  ];
  const edges = EDGE_DIMENSIONS.flatMap((dimension): Line[] => {
    const own = config.edges?.[dimension];
    return own === undefined ? [] : [[`  ${dimension}: ${flow(own)}`, edgeNote(config, dimension)]];
  });
  return [...aligned(head), ...(edges.length === 0 ? [] : ["edges:", ...aligned(edges)])];
}

/** What the edges part, in their order: `short < 30d, medium < 90d, long`; of many bands the first and the last. */
function edgeNote(config: ReadyConfig, dimension: EdgeDimension): string {
  const model = expandModels([config])[0]?.model;
  if (model === undefined) return "";
  if (dimension === "recency")
    return ends(model.recency.bands.map(({ name, max }) => (max === undefined ? name : `${name} < ${max}`)));
  const money = dimension === "monetary";
  const least = (min: number) => (money ? amountDigits(min, config.currency) : String(min));
  const bands = model[dimension].bands.map(({ name, min }) => (min === 1 ? name : `${name} ≥ ${least(min)}`));
  return ends(bands.reverse());
}

function ends(bands: readonly string[]): string {
  return bands.length > 3 ? `${bands[0]} … ${bands.at(-1)}` : bands.join(", ");
}

const BAR = 20;

function sizeLines({ config, sizes }: DraftModel): string[] {
  if (sizes === undefined) return [];
  const shown = sizes.filter(({ segment, customers }) => customers > 0 || (segment !== null && segment !== "Others"));
  const all = sizes.reduce((sum, { customers }) => sum + customers, 0);
  const name = (segment: string | null) => segment ?? "(in none)";
  const width = Math.max(config.use.length, ...shown.map(({ segment }) => name(segment).length));
  const rows = shown.map(({ segment, customers }) => {
    const share = all === 0 ? "–" : `${((100 * customers) / all).toFixed(1)} %`;
    const bar = "█".repeat(all === 0 ? 0 : Math.round((BAR * customers) / all));
    return `  ${name(segment).padEnd(width)}  ${COUNT.format(customers).padStart(10)}  ${share.padStart(7)}  ${bar}`;
  });
  return [`${config.use.padEnd(width + 2)}  ${"customers".padStart(10)}  ${"share".padStart(7)}`, ...rows];
}

const COUNT = new Intl.NumberFormat("en-US");

/** Of a comment within 80 columns. */
export function warningLines({ warnings }: Pick<Suggestion, "warnings">): string[] {
  return warnings.flatMap(({ message }) => wrapped(`warning: ${message}`, 76));
}

/** An adopted stream, to be taken out of its comments. */
function sourceExample(): string[] {
  return [
    "# Without sources Tidemark makes streams of its own, which `tidemark publish",
    "# FILE` fills. To read a stream that you have, take the # away.",
    `# ${FILL_IN} the stream, its subjects, and where its messages hold each field.`,
    "# sources:",
    "#   - name: shop",
    "#     stream: SHOP",
    '#     subjects: ["shop.orders.>"]',
    "#     control: shop.orders._control  # for our ticks; the stream must take it",
    "#     channel: web",
    "#     fields: { id: id, customer: customer.id, time: created_at, amount: total }",
    '#     amounts: decimal                # "59.99"; minor where it is 5999',
    "#     zone: UTC                       # of a time without an offset",
  ];
}

function draftSource({ config, notes }: DraftSource): string[] {
  const { fields, ...rest } = config;
  const lines: Line[] = [];
  for (const [key, value] of Object.entries(rest)) {
    if (value === undefined) continue;
    lines.push([`${lines.length === 0 ? "  - " : "    "}${key}: ${flow(value)}`, notes[key]]);
  }
  if (fields !== undefined) {
    lines.push(["    fields:", notes.fields]);
    for (const [field, path] of Object.entries(fields))
      if (path !== undefined) lines.push([`      ${field}: ${flow(path)}`, notes[`fields.${field}`]]);
  }
  return ["sources:", ...aligned(lines)];
}

type Line = readonly [text: string, note: string | undefined];

const NOTE_COLUMN_MAX = 56;

/** Comments stand in one column, but behind what is longer. */
function aligned(lines: readonly Line[]): string[] {
  const noted = lines.filter(([text, note]) => note !== undefined && text.length < NOTE_COLUMN_MAX);
  const column = Math.max(0, ...noted.map(([text]) => text.length)) + 2;
  return lines.map(([text, note]) => (note === undefined ? text : `${text.padEnd(column - 1)} # ${note}`));
}

function comment(line: string): string {
  return line === "" ? "#" : `# ${line}`;
}

/** A text cut at blanks, further lines indented by two. */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(lines.length === 0 ? word : `  ${word}`);
  }
  return lines;
}

/** A value on one line. */
function flow(value: unknown): string {
  if (typeof value === "string") return scalar(value);
  return stringify(value, {
    collectionStyle: "flow",
    lineWidth: 0,
    flowCollectionPadding: !Array.isArray(value),
  }).trimEnd();
}

function scalar(value: string): string {
  return stringify(value, { lineWidth: 0, defaultStringType: "PLAIN", blockQuote: false }).trimEnd();
}
