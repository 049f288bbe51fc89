/** What came of a replay: all that is printed, and the object that `--json` gives. */
import { currencyDecimals } from "../../runtime/config/index.js";
import { KINDS, OUTCOMES, REASONS } from "../../runtime/record.js";
import { type ModelReport, reportOf } from "../../runtime/report.js";
import type { Settings } from "../../runtime/settings.js";
import { instantText, type LineTally, type ReadTally, type Replay } from "../file/index.js";

export interface Summary {
  /** The instant up to which everything is applied, RFC 3339; null where there was no input. */
  readonly clock: string | null;
  readonly rows: number;
  /** Where rows are the lines of orders. */
  readonly lines?: LineTally;
  readonly leftOut: {
    readonly kind: Readonly<Record<string, number>>;
    readonly afterUntil: number;
    readonly beforeAfter: number;
  };
  /** Orders of a negative amount that are refused, as nothing says that they are refunds; absent for none. */
  readonly negative?: number;
  /** By kind, then outcome; only what is not 0. */
  readonly events: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly deadLetters: Readonly<Record<string, number>>;
  readonly models: readonly ModelSummary[];
}

export interface ModelSummary extends ModelReport {
  /** Of the currency's minor unit. */
  readonly decimals: number;
}

/** To be called when nothing is overdue: behind a tick. */
export function summarize(
  settings: Settings,
  replayed: Replay,
  tally: Pick<ReadTally, "rows" | "otherKinds" | "afterUntil" | "beforeAfter" | "lines" | "negative">,
): Summary {
  const stats = replayed.stats();
  const clock = Math.max(...replayed.partitions.map((partition) => partition.clock));
  const add = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
  return {
    clock: clock === 0 ? null : instantText(clock),
    rows: tally.rows,
    ...(tally.lines === null ? {} : { lines: tally.lines }),
    leftOut: {
      kind: Object.fromEntries(tally.otherKinds),
      afterUntil: tally.afterUntil,
      beforeAfter: tally.beforeAfter,
    },
    ...(tally.negative === 0 ? {} : { negative: tally.negative }),
    events: notZero(
      KINDS.map((kind, k) => [
        kind,
        notZero(OUTCOMES.map((outcome, o) => [outcome, add(stats.map(({ events }) => events[k]?.[o] ?? 0))])),
      ]),
    ),
    deadLetters: notZero(REASONS.map((reason, r) => [reason, add(stats.map(({ dead }) => dead[r] ?? 0))])),
    models: reportOf(settings, clock, stats, replayed.outlooks()).map((report) => ({
      ...report,
      decimals: currencyDecimals(report.currency),
    })),
  };
}

/** Without what is 0 or empty. */
function notZero<T extends number | object>(entries: readonly (readonly [string, T])[]): Record<string, T> {
  return Object.fromEntries(
    entries.filter(([, value]) => (typeof value === "number" ? value !== 0 : Object.keys(value).length > 0)),
  );
}

/** As JSON: sums are numbers, and beyond 2^53 text; a window that never ends is null. */
export function summaryJson(summary: Summary & { readonly reading?: readonly object[] }, indent: number): string {
  const plain = (_: string, value: unknown) => {
    if (typeof value !== "bigint") return value;
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  };
  return JSON.stringify(summary, plain, indent);
}
