/** How all texts of a column can be read, in memory that does not grow with the file. */
import { type AmountForm, AmountJudge, currencyOf, readAmount } from "./amount.js";
import { WIDE_FORMS } from "./cell.js";
import { DATE_FORMS, type DateForm, DateJudge, readDate } from "./date.js";
import { parseDecimal } from "./decimal.js";

/** Texts whose readings are remembered: most columns repeat theirs. */
const TEXTS_MAX = 20_000;

/** A text of the column, and the row it stands in. */
export interface Place {
  readonly text: string;
  readonly row: number;
}

/** Which forms read the texts of a column. Texts that no form reads are left out of the judgement, and counted. */
abstract class Forms<Form> {
  readonly #forms: readonly Form[];
  readonly #known = new Map<string, number>();
  /** By form, the texts that it reads, and the first of the others that it does not. */
  readonly reads: number[];
  readonly misses: (Place | null)[];
  texts = 0;

  constructor(forms: readonly Form[]) {
    this.#forms = forms;
    this.reads = forms.map(() => 0);
    this.misses = forms.map(() => null);
  }

  protected abstract reading(text: string, form: Form): boolean;
  /** A text that some form reads, not seen before (or long ago). */
  protected abstract judge(text: string): void;

  /** False where no form reads the text. */
  add(text: string, row: number): boolean {
    let mask = this.#known.get(text);
    if (mask === undefined) {
      mask = 0;
      for (const [i, form] of this.#forms.entries()) if (this.reading(text, form)) mask |= 1 << i;
      if (this.#known.size < TEXTS_MAX) this.#known.set(text, mask);
      if (mask !== 0) this.judge(text);
    }
    if (mask === 0) return false;
    this.texts++;
    for (let i = 0; i < this.reads.length; i++) {
      if ((mask & (1 << i)) !== 0) this.reads[i] = (this.reads[i] ?? 0) + 1;
      else this.misses[i] ??= { text, row };
    }
    return true;
  }
}

const DATES: readonly DateForm[] = DATE_FORMS.map((name) => ({ name }));

export class DateTexts extends Forms<DateForm> {
  readonly judged = new DateJudge();
  /** The first text without an offset from UTC. */
  zoneless: string | null = null;

  constructor() {
    super(DATES);
  }

  protected reading(text: string, form: DateForm): boolean {
    const found = readDate(text, form);
    if (found !== null && found.offset === null) this.zoneless ??= text;
    return found !== null;
  }

  protected judge(text: string): void {
    this.judged.add(text);
  }

  /** By form, most texts first. */
  ranked(): { form: DateForm; reads: number; miss: Place | null }[] {
    return DATES.map((form, i) => ({ form, reads: this.reads[i] ?? 0, miss: this.misses[i] ?? null })).sort(
      (a, b) => b.reads - a.reads,
    );
  }
}

export class AmountTexts extends Forms<AmountForm> {
  readonly judged = new AmountJudge();
  /** Decimals that count, trailing zeros aside, by form of WIDE_FORMS. */
  readonly places = WIDE_FORMS.map(() => 0);
  /** Texts by the currency that their mark means; `$` and other marks of several as they are. */
  readonly marks = new Map<string, number>();
  /** By form of WIDE_FORMS, texts that have decimals, if only zeros. */
  readonly fractions = WIDE_FORMS.map(() => 0);
  /** Texts that were looked at: each once, mostly. */
  different = 0;
  /** Every text is digits with at most a point. */
  arePlain = true;
  /** The first text. */
  example = "";

  constructor() {
    super(WIDE_FORMS);
  }

  protected reading(text: string, form: AmountForm): boolean {
    const value = readAmount(text, form);
    if (value === null) return false;
    const at = WIDE_FORMS.indexOf(form as (typeof WIDE_FORMS)[number]);
    let { units, places } = value;
    if (places > 0) this.fractions[at] = (this.fractions[at] ?? 0) + 1;
    for (; places > 0 && units % 10n === 0n; places--) units /= 10n;
    this.places[at] = Math.max(this.places[at] ?? 0, places);
    return true;
  }

  protected judge(text: string): void {
    this.judged.add(text);
    this.different++;
    this.arePlain &&= parseDecimal(text) !== null;
    if (this.example === "") this.example = text;
    const mark = currencyOf(text) ?? /\p{Sc}|\bkr\b/iu.exec(text)?.[0];
    if (mark === undefined) return;
    this.marks.set(mark, (this.marks.get(mark) ?? 0) + 1);
  }

  ranked(): {
    decimal: "." | ",";
    reads: number;
    miss: Place | null;
    places: number;
    areWhole: boolean;
    areMostlyWhole: boolean;
  }[] {
    return WIDE_FORMS.map(({ decimal }, i) => ({
      decimal,
      reads: this.reads[i] ?? 0,
      miss: this.misses[i] ?? null,
      places: this.places[i] ?? 0,
      areWhole: (this.fractions[i] ?? 0) === 0,
      areMostlyWhole: (this.fractions[i] ?? 0) * 2 <= this.different,
    })).sort((a, b) => b.reads - a.reads);
  }
}
