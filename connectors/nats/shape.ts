/**
 * What the items of a sample are: the orders of a known system, or items whose fields are found by the names of their
 * paths and by what lies there. What is a guess is said in a note.
 */
import { FILL_IN, presets, type SourceConfig } from "../../runtime/config/index.js";
import { itemTime } from "../../runtime/itemtime.js";
import { Digits, isMap, valueAt } from "../../runtime/itemvalue.js";
import type { StatusMeaning } from "../../runtime/settings.js";
import { type ColumnRole, columnNamed } from "../file/columnnames.js";

type Preset = keyof typeof presets;

export interface Shape {
  /** Fields, amounts, zone, status and guests, or a preset that has them. */
  readonly source: Pick<SourceConfig, "preset" | "fields" | "amounts" | "zone" | "status" | "guests">;
  /** By key (`zone`) or field (`fields.customer`): where it comes from, what was found there, what is a guess. */
  readonly notes: Readonly<Record<string, string>>;
  /** Fields that every order needs and that were not found. */
  readonly missing: readonly string[];
  /** The order event's own names, all of them: nothing needs to be mapped. */
  readonly isOwn: boolean;
}

/** So many different values are looked at, a path. */
const VALUES_MAX = 500;
const PATHS_MAX = 2_000;
const DEPTH_MAX = 4;
/** Of the items: what every order needs is in nearly all of them. */
const NEARLY_ALL = 0.9;
const YEAR_1990 = 631_152_000_000;

/** The shape of these items; those that are no maps are passed over. */
export function shapeOf(items: readonly unknown[]): Shape {
  const maps = items.filter(isMap);
  const preset = presetOf(maps);
  if (preset !== undefined) {
    const notes = { preset: "the messages have this system's fields: see Shops in the README" };
    return { source: { preset }, notes, missing: [], isOwn: false };
  }
  return found(maps);
}

/** The system whose orders nearly all of these are: its telling paths are there. */
function presetOf(items: readonly unknown[]): Preset | undefined {
  if (items.length === 0) return undefined;
  return (Object.keys(presets) as Preset[]).find((name) => {
    const { fields } = presets[name];
    const telling = (["id", "amount", "currency", "version", "status"] as const).map((field) =>
      pathOf(fields?.[field]),
    );
    const fitting = items.filter((item) => telling.every((path) => valueAt(item, path) !== undefined)).length;
    return fitting >= NEARLY_ALL * items.length;
  });
}

function pathOf(path: unknown): string[] {
  return typeof path === "string" ? path.split(".") : [];
}

/** What lies at one path of all items. */
interface Place {
  readonly path: readonly string[];
  /** Items with a value there, null included; and without null. */
  keys: number;
  values: number;
  readonly different: Map<string, unknown>;
}

function placesOf(items: readonly unknown[]): Place[] {
  const places = new Map<string, Place>();
  const walk = (value: unknown, path: readonly string[]) => {
    if (isMap(value)) {
      if (path.length < DEPTH_MAX) for (const [key, member] of Object.entries(value)) walk(member, [...path, key]);
      return;
    }
    if (Array.isArray(value) || path.some((key) => key.includes("."))) return;
    const name = path.join(".");
    let place = places.get(name);
    if (place === undefined) {
      if (places.size === PATHS_MAX) return;
      place = { path, keys: 0, values: 0, different: new Map() };
      places.set(name, place);
    }
    place.keys++;
    if (value === null) return;
    place.values++;
    if (place.different.size < VALUES_MAX) place.different.set(`${typeof value} ${String(value)}`, value);
  };
  for (const item of items) walk(item, []);
  return [...places.values()];
}

/** How surely a path has this role by its name, 0 to 100: by all its keys, or less surely by its last one. */
function named(path: readonly string[], role: ColumnRole): number {
  const whole = columnNamed(path.join(" ")).roles.get(role) ?? 0;
  const last = columnNamed(path.at(-1) ?? "").roles.get(role) ?? 0;
  return Math.max(whole, last - 15 * (path.length - 1), 0);
}

class Finding {
  readonly fields: Record<string, string> = {};
  readonly notes: Record<string, string> = {};
  readonly #items: number;
  readonly #places: readonly Place[];

  constructor(items: readonly unknown[]) {
    this.#items = items.length;
    this.#places = placesOf(items);
  }

  /** Takes the path that fits best for a field; undefined where none does. */
  take(
    field: string,
    role: ColumnRole,
    fits: (values: readonly unknown[], place: Place) => boolean,
  ): Place | undefined {
    const taken = new Set(Object.values(this.fields));
    const candidates = this.#places
      .filter(({ path, different }) => !taken.has(path.join(".")) && different.size > 0)
      .map((place) => ({ place, sure: named(place.path, role) }))
      .filter(({ place, sure }) => sure > 0 && fits([...place.different.values()], place))
      .sort((a, b) => b.sure - a.sure || a.place.path.length - b.place.path.length);
    const best = candidates[0];
    if (best === undefined) return undefined;
    this.fields[field] = best.place.path.join(".");
    const others = candidates.slice(1, 3).map(({ place }) => place.path.join("."));
    // A customer may be an e-mail address: none is written down.
    const example = field === "customer" ? "" : exampleOf(best.place);
    const instead = others.length === 0 ? "" : `or ${others.join(" or ")}?`;
    const note = [example, instead].filter(Boolean).join("; ");
    if (note !== "") this.notes[`fields.${field}`] = note;
    return best.place;
  }

  share(count: number): number {
    return this.#items === 0 ? 0 : count / this.#items;
  }

  get items(): number {
    return this.#items;
  }

  get places(): readonly Place[] {
    return this.#places;
  }
}

function exampleOf({ different }: Place): string {
  const first = String([...different.values()][0] ?? "").replace(/\s+/g, " ");
  return `such as ${first.length > 32 ? `${first.slice(0, 32)}…` : first}`;
}

const NUMBER = /^-?\d+(?:\.\d+)?$/;
const isScalar = (value: unknown) => typeof value === "string" || value instanceof Digits;
const isText = (value: unknown) => typeof value === "string";
const allOf = (values: readonly unknown[], is: (value: unknown) => boolean) =>
  values.filter(is).length >= NEARLY_ALL * values.length;

function isTime(value: unknown): boolean {
  const time = itemTime(value, undefined);
  return time !== undefined && ("lacks" in time || time.ms >= YEAR_1990);
}

function found(items: readonly unknown[]): Shape {
  const finding = new Finding(items);
  const { fields, notes } = finding;
  const isCommon = ({ values }: Place) => finding.share(values) >= NEARLY_ALL;
  finding.take("id", "id", (values, place) => isCommon(place) && allOf(values, isScalar) && isVaried(place));
  const customer = finding.take("customer", "customer", (values) => allOf(values, isScalar));
  const time = finding.take("time", "time", (values, place) => isCommon(place) && allOf(values, isTime));
  const amount = finding.take("amount", "amount", (values, place) => isCommon(place) && allOf(values, isAmount));
  finding.take("currency", "currency", (values) =>
    values.every((value) => isText(value) && /^[A-Z]{3}$/.test(String(value))),
  );
  finding.take("version", "version", (values) => allOf(values, (value) => isTime(value) || isWhole(value)));
  const kind = finding.take("kind", "kind", (values) => values.every((value) => KINDS.has(String(value))));
  if (kind !== undefined) finding.take("order", "order", (values) => allOf(values, isScalar));
  finding.take("test", "test", (values) => values.every((value) => typeof value === "boolean"));
  finding.take("channel", "channel", (values) => values.length <= 20 && values.every(isText));
  const status = finding.take("status", "status", (values) => values.length <= 40 && values.every(isText));
  takeCancelled(finding);

  const source: { -readonly [K in keyof Shape["source"]]: Shape["source"][K] } = { fields };
  if (amount !== undefined) Object.assign(source, { amounts: amountsOf(amount, notes) });
  if (time !== undefined) zoneOf(time, source, notes);
  if (status !== undefined) {
    source.status = statusesOf(status);
    notes.status = `${FILL_IN} taken by their words; another text is a dead letter`;
  }
  if (customer !== undefined) guestsOf(customer, finding, source);
  const missing = REQUIRED.filter((field) => fields[field] === undefined);
  for (const field of missing) {
    fields[field] = field;
    notes[`fields.${field}`] = `${FILL_IN} nothing in the messages looks like it`;
  }
  const isOwn =
    missing.length === 0 &&
    source.amounts === "minor" &&
    Object.entries(fields).every(([field, path]) => field === path && field !== "status" && field !== "cancelled");
  return { source, notes, missing, isOwn };
}

const REQUIRED = ["id", "customer", "time", "amount"] as const;
const KINDS = new Set(["order", "refund", "cancel"]);

/** Ids differ; what is the same in most items names something else. */
function isVaried({ values, different }: Place): boolean {
  return different.size >= Math.min(VALUES_MAX, values * 0.1);
}

function isAmount(value: unknown): boolean {
  return (value instanceof Digits || typeof value === "string") && NUMBER.test(String(value));
}

function isWhole(value: unknown): boolean {
  return value instanceof Digits && /^\d+$/.test(value.text);
}

function amountsOf({ different }: Place, notes: Record<string, string>): "decimal" | "minor" {
  const values = [...different.values()];
  if (values.some((value) => typeof value === "string" || String(value).includes("."))) {
    notes.amounts = "read from their digits, by the currency's decimals";
    return "decimal";
  }
  notes.amounts = `${FILL_IN} whole numbers only: 5999 is taken as 59.99; decimal where it is 5999.00`;
  return "minor";
}

function zoneOf(time: Place, source: { zone?: string | undefined }, notes: Record<string, string>): void {
  const lacking = [...time.different.values()].some((value) => {
    const read = itemTime(value, undefined);
    return read !== undefined && "lacks" in read;
  });
  if (!lacking) return;
  source.zone = "UTC";
  const isUtc = /(?:gmt|utc)$/i.test(time.path.at(-1) ?? "");
  notes.zone = isUtc ? "by the field's name" : `${FILL_IN} the times have no offset, UTC is a guess`;
}

const GONE = /cancel|void|refund|fail|expire|reject|declin|return|delet|trash|annul|anul|zwr|storno|törölt/i;
const NOT_YET = /pending|draft|unpaid|await|open|hold|new|cart|quote|nieop/i;

function statusesOf({ different }: Place): Record<string, StatusMeaning> {
  return Object.fromEntries(
    [...different.values()]
      .map(String)
      .sort()
      .map((text): [string, StatusMeaning] => {
        // Refunded in part, an order still counts.
        if (/partial/i.test(text)) return [text, "order"];
        return [text, GONE.test(text) ? "cancel" : NOT_YET.test(text) ? "skip" : "order"];
      }),
  );
}

/** Customers that mean nobody: none, an empty one, 0. */
function guestsOf(customer: Place, finding: Finding, source: { guests?: SourceConfig["guests"] }): void {
  const texts = new Set([...customer.different.values()].map(String));
  const lacking = finding.items - customer.values;
  if (lacking === 0 && !texts.has("") && !texts.has("0")) return;
  source.guests = texts.has("0") ? ["", "0"] : [""];
  const none = `${Math.round(100 * finding.share(lacking))} % of the items have none`;
  const zero = texts.has("0") ? `${FILL_IN} customer 0 is taken for nobody` : "";
  finding.notes.guests = [zero, lacking === 0 ? "" : none].filter(Boolean).join("; ") || "an empty customer is nobody";
}

/** There is no role of a column for it: a path named so, that is mostly empty. */
function takeCancelled({ fields, notes, places }: Finding): void {
  const place = places.find(({ path, keys, values }) => {
    const isNamed = /^(?:cancell?ed|voided|deleted)(?:_?(?:at|on|date))?$/i.test(path.at(-1) ?? "");
    return isNamed && path.length === 1 && keys > 0 && values < keys;
  });
  if (place === undefined) return;
  fields.cancelled = place.path.join(".");
  notes["fields.cancelled"] = "an order does not count once something is there";
}

/** Currencies that the items name, the commonest first. */
export function currenciesOf(items: readonly unknown[], path: readonly string[]): [code: string, items: number][] {
  const counts = new Map<string, number>();
  for (const item of items) {
    const code = valueAt(item, path);
    if (typeof code !== "string" || !/^[A-Z]{3}$/.test(code)) continue;
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]);
}
