/** What all rows of a file say: a first pass over it, in memory that does not grow with it. */
import { readAmount } from "./amount.js";
import { WIDE_FORMS } from "./cell.js";
import { AmountTexts, DateTexts } from "./columnforms.js";
import type { CsvRow } from "./csv.js";
import { parseInstant } from "./instant.js";
import { type KindRules, kindOfId, type RowKind } from "./kinds.js";
import { kindSaid } from "./kindwords.js";
import type { Columns, FileField } from "./mapping.js";

export interface SurveyOptions {
  readonly columns: Columns;
  /** Cells of a row. */
  readonly width: number;
  /** As the user has said; undefined: by the words of the kind column. */
  readonly kinds: KindRules | undefined;
  /** The kind column says what became of an order. */
  readonly isState: boolean;
  /** As today: whole numbers are instants, and texts of the kind column are kinds. */
  readonly isExplicit: boolean;
  /** Rows without an id are orders of their own. */
  readonly rowIds: boolean;
}

export class Survey {
  rows = 0;
  usable = 0;
  /** The first row that counts. */
  first: CsvRow | null = null;
  readonly dates = new DateTexts();
  readonly amounts = new AmountTexts();
  readonly kinds = new Distinct();
  readonly currencies = new Distinct();
  readonly repeats = new Repeats();
  readonly leftOut = new LeftOut();
  /** Rows with an amount below zero. */
  readonly negative = { rows: 0, row: 0, text: "", initials: new Set<string>() };
  /** First letters of the ids of other rows. */
  readonly initials = new Set<string>();
  /** Ids such as 17850.0, and others that are not whole numbers. */
  wholeDecimals = 0;
  otherIds = 0;
  /** Whole numbers that are times, though of years that no order is of. */
  plainInstants = 0;
  readonly #options: SurveyOptions;
  readonly #said = new Map<string, RowKind | undefined>();

  constructor(options: SurveyOptions) {
    this.#options = options;
  }

  add(row: CsvRow): void {
    this.rows++;
    const reason = this.#reason(row);
    if (reason !== null) this.leftOut.add(reason.why, row.number, reason.text);
    else {
      this.usable++;
      this.first ??= row;
    }
  }

  /** The kind of a row by its text: told, or by its words; undefined where they are not known. */
  kindOf(text: string): RowKind | undefined {
    const { kinds, isState, isExplicit } = this.#options;
    if (kinds?.texts !== undefined) return kinds.texts[text] ?? "skip";
    if (kinds !== undefined || isExplicit) return text === "" ? "order" : (kindSaid(text, isState) ?? "order");
    if (!this.#said.has(text) && this.#said.size < DISTINCT_MAX) this.#said.set(text, kindSaid(text, isState));
    return this.#said.has(text) ? this.#said.get(text) : kindSaid(text, isState);
  }

  /** Why a row can't count; null where it can. */
  #reason(row: CsvRow): { why: string; text: string } | null {
    const { columns, width, kinds, rowIds } = this.#options;
    const { cells } = row;
    if (cells.every((cell) => cell.trim() === "")) return { why: "empty rows", text: "" };
    if (row.misfit) {
      return { why: `not ${width} cells, as the header has`, text: `${cells.length}: ${cells.join(" ").slice(0, 60)}` };
    }
    const cell = (field: FileField) => (columns.fields[field] < 0 ? "" : (cells[columns.fields[field]] ?? "").trim());
    const id = cell("id");
    const customer = cell("customer");
    if (customer === "") return { why: "no customer", text: cells.join(" ").trim().slice(0, 60) };
    if (id === "" && !rowIds) return { why: "no order id", text: customer };
    const isSilent =
      columns.fields.kind >= 0 && cell("kind") === "" && cell("amount") === "" && columns.operands.length === 0;
    if (isSilent && this.repeats.has(id, customer))
      return { why: "further lines of an order, which say no amount", text: id };
    const byId = kindOfId(kinds, id);
    if (byId?.kind === "skip") return { why: `id ${byId.pattern}`, text: id };
    if (columns.fields.kind >= 0) {
      const text = cell("kind");
      this.kinds.add(text);
      const kind = byId?.kind ?? this.kindOf(text);
      if (kind === "skip" || kind === undefined) return { why: `kind ${text || "(none)"}`, text: id };
    }
    const time = cell("time");
    if (time === "") return { why: "no time", text: id || customer };
    if (!this.#isTime(time, row.number)) return { why: "a time that can't be read", text: time };
    this.#whole(customer);
    if (id !== "") this.#whole(id);
    if (columns.fields.currency >= 0) this.currencies.add(cell("currency"));
    const amount = this.#amount(row, id, customer, cell("amount"));
    return amount;
  }

  #isTime(text: string, row: number): boolean {
    if (this.dates.add(text, row)) return true;
    const isPlain = this.#options.isExplicit && /^-?\d{1,15}$/.test(text) && parseInstant(text) !== null;
    if (isPlain) this.plainInstants++;
    return isPlain;
  }

  #whole(text: string): void {
    if (/^\d+\.0+$/.test(text)) this.wholeDecimals++;
    else if (!/^\d+$/.test(text)) this.otherIds++;
  }

  #amount(row: CsvRow, id: string, customer: string, amount: string): { why: string; text: string } | null {
    const { columns, rowIds } = this.#options;
    const isProduct = columns.operands.length > 0;
    if (!isProduct && columns.fields.amount < 0) return null;
    const texts = isProduct ? columns.operands.map((at) => (row.cells[at] ?? "").trim()) : [amount];
    const isRepeat = !rowIds && this.repeats.add(id, customer, texts.join(" "), row.number);
    // A further line of an order need not say an amount.
    if (texts.every((text) => text === "")) return isRepeat ? null : { why: "no amount", text: id || customer };
    for (const text of texts) {
      if (!this.amounts.add(text, row.number)) return { why: "an amount that can't be read", text };
    }
    const below = texts.filter((text) => isBelow(text)).length % 2 === 1;
    if (below) {
      if (this.negative.rows++ === 0) Object.assign(this.negative, { row: row.number, text: texts.join(" × ") });
    }
    const initials = below ? this.negative.initials : this.initials;
    if (initials.size < INITIALS_MAX) initials.add(/^\p{L}*/u.exec(id)?.[0] ?? "");
    return null;
  }
}

const INITIALS_MAX = 20;

function isBelow(text: string): boolean {
  if (!/[-(\u2010-\u2013\u2212\ufe63\uff0d]/.test(text)) return false;
  return WIDE_FORMS.some((form) => (readAmount(text, form)?.units ?? 0n) < 0n);
}

/** Different texts that are counted one by one. */
const DISTINCT_MAX = 100;

/** Different texts of a column with their number of rows, up to a limit. */
export class Distinct {
  readonly rows = new Map<string, number>();
  /** There are more than are counted. */
  isCut = false;

  add(text: string): void {
    const rows = this.rows.get(text);
    if (rows === undefined && this.rows.size >= DISTINCT_MAX) this.isCut = true;
    else this.rows.set(text, (rows ?? 0) + 1);
  }
}

/** Ids that are looked back upon. */
const IDS_MAX = 50_000;

/** Whether ids come again, and whether their rows say the same. */
export class Repeats {
  readonly #seen = new Map<string, string>();
  rows = 0;
  /** Rows of an id seen before, whose amount is another than its first. */
  different = 0;
  /** Whose amount is empty. */
  empty = 0;
  first: { readonly id: string; readonly row: number; readonly amounts: readonly [string, string] } | null = null;

  has(id: string, owner: string): boolean {
    return this.#seen.has(`${id}\u0000${owner}`);
  }

  /** `owner`: the customer; the same id of another is another order. False for the first row of an id. */
  add(id: string, owner: string, amount: string, row: number): boolean {
    const key = `${id}\u0000${owner}`;
    const before = this.#seen.get(key);
    if (before === undefined) {
      if (this.#seen.size >= IDS_MAX) this.#seen.delete(this.#seen.keys().next().value as string);
      this.#seen.set(key, amount);
      return false;
    }
    this.rows++;
    this.first ??= { id, row, amounts: [before, amount] };
    if (amount.trim() === "") this.empty++;
    else if (amount !== before) this.different++;
    return true;
  }
}

/** Rows that can't count, by reason; the first of each. */
export class LeftOut {
  readonly reasons = new Map<string, { rows: number; readonly first: number; readonly text: string }>();

  add(reason: string, row: number, text = ""): void {
    const known = this.reasons.get(reason);
    if (known !== undefined) known.rows++;
    else this.reasons.set(reason, { rows: 1, first: row, text });
  }
}
