/** Reads a configuration: text or plain object → settings, or every error at once, each with its place. */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from "yaml";
import type { z } from "zod";
import type { Settings } from "../settings.js";
import { checkConfig } from "./check.js";
import { checkModels } from "./checkmodel.js";
import { checkSources } from "./checksource.js";
import { compileChecked, compileEdge } from "./compile.js";
import type { EdgeSettings } from "./edge.js";
import { ConfigError, type ConfigIssue, type ConfigPath, type Report } from "./issue.js";
import { type Config, configSchema } from "./schema.js";

export interface Parsed {
  readonly config: Config;
  readonly settings: Settings;
  readonly edge: EdgeSettings;
  /** Works, but is probably not meant. */
  readonly warnings: readonly ConfigIssue[];
}

const TEXT_LENGTH_MAX = 1024 * 1024;

/** Reads YAML (or JSON). `file` is only named in messages. Throws ConfigError with every issue, in order of lines. */
export function parseConfig(text: string, options: { readonly file?: string } = {}): Parsed {
  const { file } = options;
  if (text.length > TEXT_LENGTH_MAX) {
    throw new ConfigError(
      [{ path: [], message: `found ${text.length} characters, expected at most ${TEXT_LENGTH_MAX}` }],
      file,
    );
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    const issues = document.errors.map(({ message, pos }) => ({ path: [], message, ...place(lines, pos[0]) }));
    throw new ConfigError(issues, file);
  }
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    // An alias that leads nowhere, or too many of them.
    const message = error instanceof Error ? error.message : String(error);
    throw new ConfigError([{ path: [], message, ...place(lines, unresolved(document)) }], file);
  }
  const located = (issue: ConfigIssue): ConfigIssue => ({ ...issue, ...place(lines, offsetOf(document, issue)) });
  return read(value, (issues) => issues.map(located).sort(byPlace), file);
}

/** The same of a plain object: what a YAML reader would have made. Throws ConfigError, without lines. */
export function parseConfigObject(value: unknown): Parsed {
  return read(value, (issues) => [...issues]);
}

function read(value: unknown, located: (issues: readonly ConfigIssue[]) => ConfigIssue[], file?: string): Parsed {
  const result = configSchema.safeParse(value, { reportInput: true });
  if (!result.success) {
    const issues = result.error.issues.flatMap((issue) => issuesOf(issue, []));
    throw new ConfigError(located([...issues, ...furtherIssues(value, issues)]), file);
  }
  const { errors, warnings } = checkConfig(result.data);
  if (errors.length > 0) throw new ConfigError(located(errors), file);
  return {
    config: result.data,
    settings: compileChecked(result.data),
    edge: compileEdge(result.data),
    warnings: located(warnings),
  };
}

/** What else is wrong with the models and sources that the schema found nothing wrong with: all errors at once. */
function furtherIssues(value: unknown, issues: readonly ConfigIssue[]): ConfigIssue[] {
  const found: ConfigIssue[] = [];
  const report: Report = (path, message) => found.push({ path, message });
  const { name, models, sources } = (value ?? {}) as { name?: unknown; models?: unknown; sources?: unknown };
  const wrong = (...path: ConfigPath) => issues.some((issue) => path.every((part, i) => issue.path[i] === part));
  const prefix = typeof name === "string" && !wrong("name") ? { name } : {};
  const none: Config["models"] = [];
  if (Array.isArray(models)) {
    // A stand-in keeps the places of the list.
    const sound = models.map((model, i) =>
      wrong("models", i) ? { use: "points", name: `#${i}`, currency: "EUR" } : model,
    );
    checkModels({ models: sound as Config["models"] }, report);
  }
  if (Array.isArray(sources) && !wrong("sources")) {
    checkSources({ ...prefix, models: none, sources: sources as NonNullable<Config["sources"]> }, report);
  }
  return found;
}

/** Issues of the schema as ours: one a key, and of a union those of the alternative that was probably meant. */
function issuesOf(issue: z.core.$ZodIssue, prefix: ConfigPath): ConfigIssue[] {
  const path = [...prefix, ...issue.path.map((part) => (typeof part === "symbol" ? String(part) : part))];
  if (issue.code === "unrecognized_keys") {
    const messages = issue.message.split("\n");
    return issue.keys.map((key, i) => ({ path: [...path, key], message: messages[i] ?? issue.message }));
  }
  if (issue.code === "invalid_key") {
    return issue.issues.map(({ message }) => ({ path, message }));
  }
  if (issue.code === "invalid_union") {
    const meant = meantAlternative(issue.errors, issue.input);
    if (meant !== undefined) return meant.flatMap((inner) => issuesOf(inner, path));
  }
  return [{ path, message: issue.message }];
}

/** The alternative that fits the value's own type; of a model, by whether it says `use`. */
function meantAlternative(
  alternatives: readonly (readonly z.core.$ZodIssue[])[],
  input: unknown,
): readonly z.core.$ZodIssue[] | undefined {
  const fitting = alternatives.filter((issues) =>
    issues.every((issue) => issue.path.length > 0 || issue.code === "unrecognized_keys"),
  );
  if (fitting.length < 2) return fitting[0];
  const ready = typeof input === "object" && input !== null && "use" in input;
  return ready ? fitting[1] : fitting[0];
}

/** Where the first alias stands that leads nowhere; 0 where all lead somewhere. */
function unresolved(document: Document.Parsed): number {
  let offset = 0;
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return undefined;
      offset = alias.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
}

function place(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

function byPlace(a: ConfigIssue, b: ConfigIssue): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

/** Where the value at the path begins; of what is missing, where the mapping begins that lacks it. */
function offsetOf(document: Document.Parsed, { path, message }: ConfigIssue): number {
  let offset = 0;
  let node: Node | null | undefined = document.contents;
  for (const [i, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    offset = node?.range?.[0] ?? offset;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(part));
      if (pair === undefined) return offset;
      const unknown = i === path.length - 1 && message.startsWith("unknown key");
      offset = (pair.key as Node).range?.[0] ?? offset;
      if (unknown) return offset;
      node = pair.value as Node | null;
    } else if (isSeq(node)) {
      node = node.items[Number(part)] as Node | undefined;
    } else {
      return offset;
    }
  }
  return isAlias(node) ? (node.range?.[0] ?? offset) : (node?.range?.[0] ?? offset);
}
