/**
 * The cell table of a model, to look at: which cells each segment has, the grid of recency, frequency and
 * monetary, and what of it is probably not meant. `tidemark check` prints it.
 */
import type { Dimension, Model } from "../settings.js";
import { compileModel } from "./compile.js";
import { formatDuration } from "./duration.js";
import { canOccur } from "./occur.js";
import { allCells, bandName, compileRule } from "./rules.js";
import type { ModelConfig } from "./schema.js";

export interface CellTable {
  readonly model: string;
  readonly version: string;
  readonly cells: number;
  /** Cells that a customer can be in: a monetary window of 90 d is empty once the newest order is older. */
  readonly cellsPossible: number;
  /** In rule order, `Others` last. */
  readonly segments: readonly SegmentCells[];
}

export interface SegmentCells {
  readonly segment: string;
  /** Of those that can occur. */
  readonly cells: number;
  /** Together exactly the segment's cells that can occur: the names of the bands of each dimension. */
  readonly blocks: readonly Readonly<Record<string, readonly string[]>>[];
}

export interface Finding {
  readonly model: string;
  /** The segment that the rule names. */
  readonly segment: string;
  readonly kind: "unreachable" | "impossible" | "shadowed";
  /** One line. */
  readonly message: string;
  /** Earlier segments that take cells of this one's rule. */
  readonly by: readonly string[];
}

/** The cells of each segment of a compiled model. */
export function cellTable(model: Model): CellTable {
  const cells = allCells(model.dimensions);
  const possible = cells.map((bands) => canOccur(model.dimensions, bands));
  return {
    model: model.name,
    version: model.version,
    cells: cells.length,
    cellsPossible: possible.filter(Boolean).length,
    segments: model.segments.map((segment, number) => {
      const own = cells.filter((_, cell) => model.cells[cell] === number && possible[cell]);
      return { segment, cells: own.length, blocks: blocksOf(own, model.dimensions) };
    }),
  };
}

/** Disjoint blocks (a set of bands in each dimension) that hold exactly these cells; greedy, dimension by dimension. */
function blocksOf(cells: readonly (readonly number[])[], dimensions: readonly Dimension[]): Record<string, string[]>[] {
  let blocks = cells.map((bands) => bands.map((band) => [band]));
  for (let d = dimensions.length - 1; d >= 0; d--) {
    const merged = new Map<string, number[][]>();
    for (const block of blocks) {
      const key = JSON.stringify(block.filter((_, other) => other !== d));
      const known = merged.get(key);
      if (known === undefined)
        merged.set(
          key,
          block.map((bands) => [...bands]),
        );
      else known[d]?.push(...(block[d] ?? []));
    }
    blocks = [...merged.values()];
  }
  const sorted = blocks.map((block) => block.map(bestFirst)).sort(byBands);
  return sorted.map((block) =>
    Object.fromEntries(
      dimensions.map((dimension, d) => [dimension.name, (block[d] ?? []).map((band) => bandName(dimension, band))]),
    ),
  );
}

/** `none` last. */
function bestFirst(bands: readonly number[]): number[] {
  return [...bands].sort((a, b) => rank(a) - rank(b));
}

function rank(band: number | undefined): number {
  return band || Number.MAX_SAFE_INTEGER;
}

function byBands(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number {
  const d = a.findIndex((bands, i) => rank(bands[0]) !== rank(b[i]?.[0]));
  return d === -1 ? 0 : rank(a[d]?.[0]) - rank(b[d]?.[0]);
}

/** Rules that never, or only in part, decide: in rule order, the worse first. */
export function findings(config: ModelConfig): Finding[] {
  const model = compileModel(config);
  const cells = allCells(model.dimensions);
  const possible = cells.map((bands) => canOccur(model.dimensions, bands));
  return config.segments.flatMap((segment, number): Finding[] => {
    const rule = compileRule(segment, model.dimensions);
    const named = cells.flatMap((bands, cell) => (rule.matches(bands) ? [cell] : []));
    const real = named.filter((cell) => possible[cell]);
    const lost = new Map<string, number>();
    for (const cell of real) {
      const taker = model.cells[cell] ?? 0;
      const name = model.segments[taker] ?? "";
      if (taker !== number) lost.set(name, (lost.get(name) ?? 0) + 1);
    }
    const by = [...lost.keys()].sort((a, b) => model.segments.indexOf(a) - model.segments.indexOf(b));
    const left = real.length - [...lost.values()].reduce((sum, count) => sum + count, 0);
    const found = (kind: Finding["kind"], message: string): Finding[] => [
      { model: config.name, segment: segment.name, kind, message: `${segment.name}: ${message}`, by },
    ];
    if (named.length === 0) {
      return found("impossible", "can never match: no combination of bands meets all its conditions");
    }
    if (real.length === 0) {
      return found(
        "impossible",
        "can never match: the bands it names can't occur together, given the windows and ages",
      );
    }
    if (left === 0) return found("unreachable", `never decides: earlier rules take all its cells (${list(by)})`);
    if (by.length === 0) return [];
    const parts = by.map((name) => `${lost.get(name)} by ${name}`);
    return found("shadowed", `earlier rules take ${real.length - left} of its ${real.length} cells (${list(parts)})`);
  });
}

function list(words: readonly string[]): string {
  return words.length > 4 ? `${words.slice(0, 4).join(", ")} and ${words.length - 4} more` : words.join(", ");
}

const CANNOT = "·";
/** Lines a segment: rules over points fall into dozens of blocks that say less than the grid. */
const BLOCKS_MAX = 6;

/** The table as lines for a terminal: dimensions, segments, and a grid of recency × frequency against monetary for each tenure. */
export function formatCellTable(model: Model): string {
  const table = cellTable(model);
  const lines = [
    `${model.name}: ${model.currency}, channels ${model.channels === "*" ? "all" : model.channels.join(", ")}, version ${model.version}`,
    "",
    ...model.dimensions.map(dimensionLine),
    "",
    `${table.cellsPossible} of ${table.cells} cells can occur`,
    ...segmentLines(table, model.dimensions),
  ];
  for (const grid of grids(model)) lines.push("", ...grid);
  return lines.join("\n");
}

/** `frequency  365d     often ≥ 12 (5), regular ≥ 4 (3), casual ≥ 1 (1), none` */
function dimensionLine(dimension: Dimension): string {
  const age = dimension.measure === "newest" || dimension.measure === "oldest";
  const bands = dimension.bands.map(({ name, limit, points }) => {
    const bound = age ? (limit === Number.POSITIVE_INFINITY ? "" : ` < ${formatDuration(limit)}`) : ` ≥ ${limit}`;
    return `${name}${bound}${points === 0 ? "" : ` (${points})`}`;
  });
  const open = age && dimension.bands.at(-1)?.limit === Number.POSITIVE_INFINITY;
  const window = age ? "" : formatDuration(dimension.windowMs);
  return `  ${dimension.name.padEnd(10)} ${window.padEnd(6)} ${[...bands, ...(open ? [] : ["none"])].join(", ")}`;
}

function segmentLines(table: CellTable, dimensions: readonly Dimension[]): string[] {
  const width = Math.max(...table.segments.map(({ segment }) => segment.length));
  return table.segments.flatMap(({ segment, cells, blocks }) => {
    const share = `${((100 * cells) / table.cellsPossible).toFixed(1)} %`.padStart(7);
    const head = `  ${segment.padEnd(width)} ${String(cells).padStart(5)} ${share}  `;
    if (blocks.length === 0) return [`${head}no cell`];
    const texts = blocks.slice(0, BLOCKS_MAX).map((block) => blockText(block, dimensions));
    if (blocks.length > BLOCKS_MAX) texts.push(`and ${blocks.length - BLOCKS_MAX} more such blocks: see the grid`);
    return texts.map((text, i) => (i === 0 ? head : " ".repeat(head.length)) + text);
  });
}

/** `recency short; frequency often, regular`: a dimension that is not named may be anything. */
function blockText(block: Readonly<Record<string, readonly string[]>>, dimensions: readonly Dimension[]): string {
  const parts = dimensions.flatMap(({ name, bands }) => {
    const named = block[name] ?? [];
    const open = bands.at(-1)?.limit === Number.POSITIVE_INFINITY;
    return named.length === bands.length + (open ? 0 : 1) ? [] : [`${name} ${named.join(", ")}`];
  });
  return parts.length === 0 ? "everything" : parts.join("; ");
}

function grids(model: Model): string[][] {
  const [recency, frequency, monetary, tenure] = model.dimensions;
  if (recency === undefined || frequency === undefined || monetary === undefined) return [];
  const numbers = (dimension: Dimension) => [...dimension.bands.map((_, i) => i + 1), 0];
  const segmentAt = (bands: readonly number[]) => {
    if (!canOccur(model.dimensions, bands)) return CANNOT;
    const cell = bands.reduce((sum, band, d) => sum + band * (model.strides[d] ?? 0), 0);
    return model.segments[model.cells[cell] ?? 0] ?? CANNOT;
  };
  const grid = (last: readonly number[], title: string): string[] => {
    const rows = numbers(recency).flatMap((r) =>
      numbers(frequency).map((f) => [
        bandName(recency, r),
        bandName(frequency, f),
        ...numbers(monetary).map((m) => segmentAt([r, f, m, ...last])),
      ]),
    );
    const shown = rows.filter((row) => row.slice(2).some((segment) => segment !== CANNOT));
    const head = ["recency", "frequency", ...numbers(monetary).map((m) => bandName(monetary, m))];
    return shown.length === 0 ? [] : [`${title}monetary across; ${CANNOT} can't occur`, ...columns([head, ...shown])];
  };
  if (tenure === undefined) return [grid([], "")];
  return numbers(tenure)
    .map((t) => grid([t], `tenure ${bandName(tenure, t)}, `))
    .filter((lines) => lines.length > 0);
}

/** Rows as aligned text. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => `  ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd());
}
