/** What is wrong with a configuration, and where. */
import { InputError } from "../errors.js";

/** Keys and list places from the top of the file: `["models", 0, "recency"]`. */
export type ConfigPath = readonly (string | number)[];

export interface ConfigIssue {
  readonly path: ConfigPath;
  /** What was found and what was expected, in one line. */
  readonly message: string;
  /** 1-based, where the configuration was a text. */
  readonly line?: number;
  readonly column?: number;
}

/** Takes one issue down. */
export type Report = (path: ConfigPath, message: string) => void;

/** The configuration can't work. The message lists every issue, a line each. */
export class ConfigError extends InputError {
  readonly issues: readonly ConfigIssue[];

  constructor(issues: readonly ConfigIssue[], file?: string) {
    const head = issues.length === 1 ? "" : `${issues.length} things are wrong\n  `;
    super("CONFIG_INVALID", head + issues.map((issue) => formatIssue(issue, file)).join("\n  "));
    this.issues = issues;
  }
}

/** `models[0].recency.bands[1].max` */
export function formatPath(path: ConfigPath): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    const key = /^[A-Za-z0-9_*-]+$/.test(part) ? part : JSON.stringify(part);
    return text === "" ? key : `${text}.${key}`;
  }, "");
}

/** `tidemark.yaml:12:9: models[0].name: missing, expected a name` */
export function formatIssue(issue: ConfigIssue, file?: string): string {
  const place = issue.line === undefined ? file : `${file ?? "line "}${file ? ":" : ""}${issue.line}:${issue.column}`;
  return [place, formatPath(issue.path), issue.message].filter((part) => part !== undefined && part !== "").join(": ");
}

/** A value as it is named in a message: short, on one line. */
export function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "nothing (null)";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "a mapping";
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  return String(value);
}

/** The one of `known` that was probably meant; undefined where none is near. */
export function nearest(found: string, known: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(found.length / 3));
  const ranked = known
    .map((word) => ({ word, distance: distance(found.toLowerCase(), word.toLowerCase()) }))
    .filter((candidate) => candidate.distance <= limit);
  ranked.sort((a, b) => a.distance - b.distance);
  return ranked[0]?.word;
}

/** `; did you mean "name"?`, or what is known there. */
export function suggestion(found: string, known: readonly string[]): string {
  const word = nearest(found, known);
  if (word !== undefined) return `; did you mean ${JSON.stringify(word)}?`;
  return known.length === 0 ? "" : `; known: ${known.join(", ")}`;
}

/** Edits (a letter more, less, other, or two swapped) from one word to another: optimal string alignment. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(at(rows, i - 1, j) + 1, (row[j - 1] ?? 0) + 1, at(rows, i - 1, j - 1) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, at(rows, i - 2, j - 2) + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return at(rows, a.length, b.length);
}

function at(rows: readonly (readonly number[])[], i: number, j: number): number {
  return rows[i]?.[j] ?? 0;
}
