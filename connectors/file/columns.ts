/** Which column of an export is which field of the order event: as told, by its name, or by what it holds. */

import { isAmount, isDate, isMail } from "./cell.js";
import { type ColumnRole, columnNamed, type NamedColumn } from "./columnnames.js";
import { kindSaid } from "./kindwords.js";
import { type ColumnMap, FILE_FIELDS, type FileField } from "./mapping.js";

/** How it is known: by --map, because it has the field's own name, by another name of it, or by what it holds. */
export type Known = "map" | "own" | "name" | "content";

export interface FoundColumn {
  /** Index in a row. */
  readonly column: number;
  readonly name: string;
  readonly known: Known;
  /** Other columns that could be it as well; their names. */
  readonly others: readonly string[];
}

export interface FoundColumns {
  readonly fields: Readonly<Partial<Record<FileField, FoundColumn>>>;
  /** The amount is made of these: quantity and price of a line. */
  readonly product: { readonly quantity: FoundColumn; readonly price: FoundColumn } | undefined;
  /** The kind column says what became of an order, not what a row is. */
  readonly isState: boolean;
  /** As today: id, customer and time are named by --map or have their own names. Nothing optional is then guessed. */
  readonly isExplicit: boolean;
  /** ISO 4217, where the amount column's name says one. */
  readonly currency: string | undefined;
  /** The amount column's name says cents, pence, grosze. */
  readonly minor: boolean;
  /** What is still to be known: fields for which several columns, or none, could be meant. */
  readonly open: readonly { readonly field: FileField; readonly among: readonly string[] }[];
}

/** A share of a column's texts that must be what the field wants: rows of totals and notes are few. */
const MOST = 0.8;
/** Of a column without a name to go by. */
const NEARLY_ALL = 0.95;

/** `header`: names of all columns. `rows`: the sample. `isNamed` false: the names are numbers made here. */
export function findColumns(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  map: ColumnMap,
  isNamed: boolean,
): FoundColumns {
  return new Finder(header, rows, map, isNamed).found();
}

class Finder {
  readonly #header: readonly string[];
  readonly #texts: readonly (readonly string[])[];
  readonly #map: ColumnMap;
  readonly #isNamed: boolean;
  readonly #named: readonly NamedColumn[];
  readonly #fields: Partial<Record<FileField, FoundColumn>> = {};
  readonly #taken = new Set<number>();
  readonly #open: { field: FileField; among: string[] }[] = [];

  constructor(header: readonly string[], rows: readonly (readonly string[])[], map: ColumnMap, isNamed: boolean) {
    this.#header = header;
    this.#map = map;
    this.#isNamed = isNamed;
    this.#texts = header.map((_, i) => rows.map((row) => (row[i] ?? "").trim()).filter((text) => text !== ""));
    const nothing: NamedColumn = { roles: new Map(), currency: undefined, minor: false };
    this.#named = header.map((name) => (isNamed ? columnNamed(name) : nothing));
  }

  found(): FoundColumns {
    const isExplicit = this.#isExplicit();
    for (const field of FILE_FIELDS) this.#told(field, isExplicit);
    this.#byName("time", (texts) => share(texts, isDate) >= MOST);
    this.#byName("amount", (texts) => share(texts, isAmount) >= MOST && share(texts, isDay) < MOST);
    if (!isExplicit) {
      this.#byName("id", (texts) => share(texts, (text) => /\d/.test(text)) >= MOST && !this.#areDates(texts));
      this.#byName("customer", (texts) => !this.#areDates(texts));
      this.#byName("currency", (texts) => share(texts, isCurrency) >= MOST);
      this.#byName("order", () => true);
      this.#byName("version", (texts) => texts.every((text) => /^\d{1,15}$/.test(text) || isIsoWithOffset(text)));
      this.#byName("test", (texts) => texts.every((text) => /^(?:true|false|yes|no|0|1)$/i.test(text)));
      this.#byName(
        "channel",
        (texts) => new Set(texts).size <= CHANNELS_MAX && texts.every((text) => text.length <= 64),
      );
    }
    const isState = isExplicit ? false : this.#kind();
    const product = this.#product();
    this.#byContent();
    if (this.#fields.amount === undefined && product === undefined) this.#priceAlone();
    const amount = product?.price.column ?? this.#fields.amount?.column;
    const named = amount === undefined ? undefined : this.#named[amount];
    return {
      fields: this.#fields,
      product,
      isState,
      isExplicit,
      currency: named?.currency,
      minor: named?.minor ?? false,
      open: this.#open,
    };
  }

  #areDates(texts: readonly string[]): boolean {
    return share(texts, isDay) >= MOST;
  }

  #isExplicit(): boolean {
    const column = (field: FileField) => this.#header.indexOf(this.#map[field] ?? field);
    const times = this.#texts[column("time")];
    // A column called `time` that holds hours beside one of dates is not what an order event calls so.
    const areTimes = times !== undefined && (times.length === 0 || share(times, isInstant) >= MOST);
    return areTimes && column("id") >= 0 && column("customer") >= 0;
  }

  #told(field: FileField, isExplicit: boolean): void {
    const wanted = this.#map[field];
    if (wanted === undefined && !isExplicit) return;
    const column = this.#header.indexOf(wanted ?? field);
    if (wanted === "" || column < 0) return;
    this.#take(field, column, wanted === undefined ? "own" : "map", []);
  }

  /** What --map names, or leaves out, is not looked for. */
  #isSettled(field: FileField): boolean {
    return this.#fields[field] !== undefined || this.#map[field] !== undefined;
  }

  #take(field: FileField, column: number, known: Known, others: readonly number[]): void {
    this.#fields[field] = {
      column,
      name: this.#header[column] as string,
      known,
      others: others.map((other) => this.#header[other] as string),
    };
    this.#taken.add(column);
  }

  /** Columns of a role that hold what it wants, surest first, then from left to right. */
  #candidates(role: ColumnRole, fits: (texts: readonly string[]) => boolean): { column: number; sure: number }[] {
    return this.#named
      .map(({ roles }, column) => ({ column, sure: roles.get(role) ?? 0 }))
      .filter(({ column, sure }) => {
        const texts = this.#texts[column] ?? [];
        return sure > 0 && !this.#taken.has(column) && (texts.length > 0 ? fits(texts) : false);
      })
      .sort((a, b) => b.sure - a.sure);
  }

  #byName(field: FileField, fits: (texts: readonly string[]) => boolean): void {
    if (this.#isSettled(field)) return;
    const [best, ...rest] = this.#candidates(field, fits);
    if (best === undefined) return;
    // A name that says it less surely is another thing; but net and gross are two amounts of one order.
    const others = rest.filter(({ sure }) => sure === best.sure || (field === "amount" && sure >= 80));
    this.#take(
      field,
      best.column,
      "name",
      others.map(({ column }) => column),
    );
  }

  /** A column of kinds, or else one of states, most of whose words are known. Returns whether it is one of states. */
  #kind(): boolean {
    if (this.#map.kind !== undefined || this.#fields.kind?.known === "map") return false;
    if (this.#fields.kind !== undefined) return false;
    for (const role of ["kind", "status"] as const) {
      const isState = role === "status";
      const [best] = this.#candidates(role, (texts) => {
        return new Set(texts).size <= KINDS_MAX && share(texts, (text) => kindSaid(text, isState) !== undefined) >= 0.5;
      });
      if (best === undefined) continue;
      this.#take("kind", best.column, "name", []);
      return isState;
    }
    return false;
  }

  /** Quantity and price, where no column is the amount. */
  #product(): FoundColumns["product"] {
    if (this.#isSettled("amount")) return undefined;
    const fits = (texts: readonly string[]) => share(texts, isAmount) >= MOST;
    const [quantity] = this.#candidates("quantity", fits);
    const [price] = this.#candidates("price", fits);
    if (quantity === undefined || price === undefined) return undefined;
    const column = (at: number): FoundColumn => ({
      column: at,
      name: this.#header[at] as string,
      known: "name",
      others: [],
    });
    this.#taken.add(quantity.column).add(price.column);
    return { quantity: column(quantity.column), price: column(price.column) };
  }

  #priceAlone(): void {
    if (this.#isSettled("amount")) return;
    const [price] = this.#candidates("price", (texts) => share(texts, isAmount) >= MOST);
    if (price !== undefined) this.#take("amount", price.column, "name", []);
  }

  /** What no name says. Two columns that could be it leave it open; any column of ids that never repeat will do. */
  #byContent(): void {
    const free = () =>
      this.#header.map((_, i) => i).filter((i) => !this.#taken.has(i) && (this.#texts[i] ?? []).length > 0);
    const texts = (i: number) => this.#texts[i] ?? [];
    const one = (field: FileField, among: readonly number[]) => {
      if (this.#isSettled(field)) return;
      if (among.length === 1) this.#take(field, among[0] as number, "content", []);
      else this.#open.push({ field, among: among.map((i) => this.#header[i] as string) });
    };
    one(
      "time",
      free().filter((i) => share(texts(i), isDay) >= NEARLY_ALL),
    );
    if (!this.#isNamed && this.#map.amount === undefined) {
      const amounts = free().filter(
        (i) =>
          share(texts(i), isAmount) >= NEARLY_ALL && texts(i).some((text) => /[.,]\d|\p{Sc}|\d\s?\p{L}/u.test(text)),
      );
      one("amount", amounts);
      const currencies = free().filter((i) => share(texts(i), isCurrency) >= NEARLY_ALL);
      if (currencies.length === 1) one("currency", currencies);
    }
    if (this.#fields.customer === undefined && this.#map.customer === undefined) {
      const mails = free().filter((i) => share(texts(i), isMail) >= MOST);
      const repeated = free().filter((i) => repeats(texts(i)) && (this.#isNamed || !this.#looksTold(i)));
      one("customer", mails.length > 0 ? mails : this.#isNamed ? [] : repeated);
    }
    if (this.#fields.id === undefined && this.#map.id === undefined && !this.#isNamed) {
      const unique = free().find((i) => texts(i).length > 1 && new Set(texts(i)).size === texts(i).length);
      if (unique !== undefined) this.#take("id", unique, "content", []);
    }
  }

  /** One word for all rows, or a word of few, is no customer. */
  #looksTold(column: number): boolean {
    const texts = this.#texts[column] ?? [];
    return share(texts, isCurrency) >= MOST || share(texts, (text) => kindSaid(text, false) !== undefined) >= MOST;
  }
}

const CHANNELS_MAX = 50;
const KINDS_MAX = 40;

function share(texts: readonly string[], is: (text: string) => boolean): number {
  return texts.length === 0 ? 0 : texts.filter(is).length / texts.length;
}

/** Some come again, and there are more than a handful: people who buy. */
function repeats(texts: readonly string[]): boolean {
  const distinct = new Set(texts).size;
  return distinct < texts.length && distinct > 1 && distinct * 20 >= texts.length;
}

/** A date in words or with separators: a plain number could be anything. */
function isDay(text: string): boolean {
  return !/^\d+(?:[.,]\d+)?$/.test(text) && isDate(text);
}

function isInstant(text: string): boolean {
  return /^-?\d{1,15}$/.test(text) || isDate(text);
}

function isCurrency(text: string): boolean {
  return /^[A-Za-z]{3}$/.test(text) || (text.length <= 4 && isAmount(`1 ${text}`));
}

function isIsoWithOffset(text: string): boolean {
  return /^\d{4}-\d\d-\d\d[T ][\d:.]+\s?(?:Z|[+-]\d\d:?\d\d)$/.test(text);
}
