/** Which migrations a subscription wants. */
import type { Settings } from "../../runtime/settings.js";
import { NULL_TOKEN, nameToken } from "../../runtime/subjects.js";
import type { Filter, MigrationEvent } from "./protocol.js";
import type { TailRecord } from "./tail.js";

/** Whether a record is wanted. Throws SyntaxError where its body is needed for that and is no JSON. */
export type Wants = (record: Pick<TailRecord, "words" | "event">) => boolean;

/** Every field given must hold; `change` is `segment` and silent ones are left out unless asked for. */
export function compileFilter(filter: Filter | undefined, silent: boolean): Wants {
  const onSubject = compileSubject(filter);
  const model = setOf(filter?.model);
  const from = setOf(filter?.from);
  const to = setOf(filter?.to);
  const customer = setOf(filter?.customer);
  const cause = setOf<string>(filter?.cause);
  const change = setOf<string>(filter?.change ?? "segment");
  const onEvent = ({ subject, data }: MigrationEvent) =>
    (silent || !data.silent) &&
    has(change, data.change) &&
    has(model, data.model) &&
    has(from, data.from.segment) &&
    has(to, data.to.segment) &&
    has(customer, subject) &&
    has(cause, data.cause.kind);
  return (record) => {
    // Most of what a narrow filter leaves out is known by its subject, and need not be read for that.
    if (!onSubject(record.words)) return false;
    const event = record.event();
    return event !== null && onEvent(event);
  };
}

/** False only where a migration's subject (see subjects.ts) shows that the filter does not want it. */
function compileSubject(filter: Filter | undefined): (words: readonly string[]) => boolean {
  const tokens = (names: ReadonlySet<string | null> | undefined) =>
    names && new Set([...names].map((name) => (name === null ? NULL_TOKEN : nameToken(name))));
  const model = tokens(setOf(filter?.model));
  const change = setOf<string>(filter?.change ?? "segment");
  const from = tokens(setOf(filter?.from));
  const to = tokens(setOf(filter?.to));
  return (words) =>
    has(model, words[3] as string) &&
    has(change, words[4] as string) &&
    has(from, words[5] as string) &&
    has(to, words[6] as string);
}

/** The first name in the filter that the configuration does not know, as a sentence; undefined: all known. */
export function unknownName(filter: Filter | undefined, settings: Settings): string | undefined {
  const models = settings.models.map(({ name }) => name);
  const wanted = setOf(filter?.model) ?? new Set(models);
  for (const name of wanted) {
    if (!models.includes(name)) return `no model is named "${name}" (there are: ${models.join(", ")})`;
  }
  const segments = settings.models.filter(({ name }) => wanted.has(name)).flatMap((model) => model.segments);
  for (const name of [...(setOf(filter?.from) ?? []), ...(setOf(filter?.to) ?? [])]) {
    if (name !== null && !segments.includes(name)) {
      return `no segment is named "${name}" (there are: ${[...new Set(segments)].join(", ")})`;
    }
  }
  return undefined;
}

function setOf<T>(value: T | readonly T[] | undefined): ReadonlySet<T> | undefined {
  if (value === undefined) return undefined;
  return new Set(Array.isArray(value) ? (value as readonly T[]) : [value as T]);
}

function has<T>(set: ReadonlySet<T> | undefined, value: T): boolean {
  return set === undefined || set.has(value);
}
