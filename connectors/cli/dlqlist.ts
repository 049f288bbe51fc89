/** Dead letters as rows of a table and as lines of JSON. Memory is bounded by the rows that are shown. */

import { content } from "../content.js";
import { instantText } from "../file/index.js";
import type { DeadLetterEntry } from "../nats/deadletters.js";
import { type Column, count, cut, printable, type Terminal, table, width } from "./terminal.js";

interface ReasonCount {
  readonly reason: string;
  letters: number;
  /** Clock at which the first and the last one was put aside, ms. */
  oldest: number;
  newest: number;
}

/** Counts by reason, and what is shown of the newest letters. */
export class Listing<Shown> {
  readonly #reasons = new Map<string, ReasonCount>();
  readonly #rows: number;
  readonly #show: (letter: DeadLetterEntry) => Shown;
  readonly #newest: Shown[] = [];

  constructor(rows: number, show: (letter: DeadLetterEntry) => Shown) {
    this.#rows = rows;
    this.#show = show;
  }

  add(letter: DeadLetterEntry): void {
    const { reason, at } = letter;
    const found = this.#reasons.get(reason);
    if (found === undefined) this.#reasons.set(reason, { reason, letters: 1, oldest: at, newest: at });
    else {
      found.letters++;
      found.oldest = Math.min(found.oldest, at);
      found.newest = Math.max(found.newest, at);
    }
    if (this.#rows === 0) return;
    if (this.#newest.length === this.#rows) this.#newest.shift();
    this.#newest.push(this.#show(letter));
  }

  /** Oldest first. */
  get newest(): readonly Shown[] {
    return this.#newest;
  }

  /** The commonest reason first. */
  counts(): readonly ReasonCount[] {
    return [...this.#reasons.values()].sort((a, b) => b.letters - a.letters || (a.reason < b.reason ? -1 : 1));
  }
}

/** One object on one line: what is known of the letter, and its bytes as far as they can be read. */
export function letterJson({ at, partition, body, ...known }: DeadLetterEntry): string {
  const { reason, customer, subject, position, index, length } = known;
  return JSON.stringify({
    at: instantText(at),
    partition,
    reason,
    customer,
    subject,
    position,
    index,
    length,
    ...content(body),
  });
}

/** Of the widest terminals, the item's column. */
const ITEM_COLUMNS_MAX = 200;

/** Cells of a row: when, reason, where (partition/position/index), customer, item. */
export type LetterRow = readonly [string, string, string, string, string];

export function letterRow({ at, reason, partition, position, index, customer, body }: DeadLetterEntry): LetterRow {
  const read = Object.values(content(body.subarray(0, 4 * ITEM_COLUMNS_MAX)))[0];
  const text = typeof read === "string" ? read : JSON.stringify(read);
  return [
    instantText(at),
    reason,
    `${partition}/${position}/${index}`,
    customer === null ? "" : printable(customer),
    cut(printable(text), ITEM_COLUMNS_MAX),
  ];
}

/** The counts, and below them the rows: what does not fit a narrow terminal is cut, or left out from the right. */
export function listingLines(terminal: Terminal, listing: Listing<LetterRow>): string[] {
  const counts = listing.counts();
  if (counts.length === 0) return ["No dead letters."];
  const right = { right: true } as const;
  const lines = table(
    terminal,
    [{ title: "reason" }, { title: "letters", ...right }, { title: "oldest" }, { title: "newest" }],
    counts.map(({ reason, letters, oldest, newest }) => [
      reason,
      count(letters),
      instantText(oldest),
      instantText(newest),
    ]),
  );
  return listing.newest.length === 0 ? lines : [...lines, "", ...rowLines(terminal, listing.newest)];
}

const TITLES = ["when", "reason", "where", "customer", "item"] as const;
/** Below so many columns the last one is left out. */
const LAST_MIN = 12;

function rowLines(terminal: Terminal, rows: readonly LetterRow[]): string[] {
  const columns: Column[] = TITLES.map((title) => ({ title }));
  for (let n = columns.length; ; n--) {
    const before = n === 1 ? 0 : Math.max(...table(terminal, columns.slice(0, n - 1), rows).map(width));
    const left = terminal.columns - before - 2;
    if (left < LAST_MIN && n > 1) continue;
    const fitted = rows.map((row) =>
      row.slice(0, n).map((cell, i) => (i === n - 1 ? cut(cell, Math.max(1, left)) : cell)),
    );
    return table(terminal, columns.slice(0, n), fitted);
  }
}
