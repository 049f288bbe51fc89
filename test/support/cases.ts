/** The worked cases of the shared folder: found, read, their times resolved, and compared by their own rules. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { assert } from "vitest";
import type { Input, ModelWords, Result, SettingsWords } from "../oracle/words.js";

/** The folder of shared documents and data; undefined where it is absent. */
export function sharedFolder(): string | undefined {
  const folder = process.env["TIDEMARK_SHARED"] ?? resolve(import.meta.dirname, "../../../shared");
  return existsSync(folder) ? folder : undefined;
}

/** Says by name what can't run here: a test that is left out must not look like one that passed. */
export function warnSkipped(what: string): void {
  console.warn(`SKIPPED: ${what} (no shared folder: set TIDEMARK_SHARED or put it beside the project)`);
}

export interface Case {
  file: string;
  name: string;
  models: ModelWords[];
  settings: SettingsWords;
  input: Input[];
  anyOrder: boolean;
  expect: Expectation;
}
type Fields = Record<string, unknown>;
interface Expectation {
  state: ({ instant: number } & Fields)[];
  migrations?: ({ model: string; customer: string; revision: number } & Fields)[];
  dead?: Fields[];
  counts?: Record<string, number>;
}

const EPOCH = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;
function timeOf(text: string): number | undefined {
  const parts = /^d(-?\d+)([+-]\d+)?$/.exec(text);
  return parts === null ? undefined : EPOCH + Number(parts[1]) * DAY + Number(parts[2] ?? 0);
}
/** Every `"d30+1"` as its number, anywhere. */
function resolved(value: unknown): unknown {
  if (typeof value === "string") {
    return timeOf(value) ?? value.replace(/@([^@]+)@/g, (whole, text: string) => String(timeOf(text) ?? whole));
  }
  if (Array.isArray(value)) return value.map(resolved);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, resolved(inner)]));
}

interface CaseFile {
  models: Record<string, ModelWords>;
  cases: (Fields & { name: string; models: string[]; settings?: SettingsWords; anyOrder?: boolean })[];
}

export function loadCases(shared: string): Case[] {
  const folder = join(shared, "cases");
  const files = readdirSync(folder).filter((file) => file.endsWith(".json"));
  return files.sort().flatMap((file) => {
    const { models, cases } = JSON.parse(readFileSync(join(folder, file), "utf8")) as CaseFile;
    return cases.map((one) => ({
      file,
      name: one.name,
      models: one.models.map((name) => {
        const model = models[name];
        if (model === undefined) throw new Error(`${file}: ${one.name}: no model ${name}`);
        return model;
      }),
      settings: one.settings ?? {},
      input: resolved(one["input"]) as Input[],
      anyOrder: one.anyOrder ?? false,
      expect: resolved(one["expect"]) as Expectation,
    }));
  });
}

export function instantsOf(one: Case): number[] {
  return [...new Set(one.expect.state.map((row) => row.instant))];
}

/** Every order of the events; the stamps stay where they are. The order as written comes first. */
export function* permutations(input: readonly Input[]): Generator<Input[]> {
  const places = input.flatMap((one, place) => ("tick" in one ? [] : [place]));
  const seen = new Set<string>();
  function* orders(left: number[]): Generator<number[]> {
    if (left.length === 0) yield [];
    for (const place of left) {
      for (const rest of orders(left.filter((other) => other !== place))) yield [place, ...rest];
    }
  }
  for (const order of orders(places)) {
    const shuffled = [...input];
    order.forEach((from, to) => {
      const event = input[from];
      const stamp = input[places[to] ?? -1];
      if (event === undefined || stamp === undefined) return;
      const { at: _at, ...what } = event;
      shuffled[places[to] ?? -1] = (stamp.at === undefined ? what : { ...what, at: stamp.at }) as Input;
    });
    const key = JSON.stringify(shuffled);
    if (seen.has(key)) continue;
    seen.add(key);
    yield shuffled;
  }
}

/** The part of `found` that `expected` names. */
function named(found: unknown, expected: unknown): unknown {
  if (Array.isArray(expected) || typeof expected !== "object" || expected === null) return found;
  if (typeof found !== "object" || found === null) return found;
  const fields = found as Fields;
  return Object.fromEntries(Object.entries(expected).map(([key, inner]) => [key, named(fields[key], inner)]));
}

export function assertState(result: Result, one: Case): void {
  for (const instant of instantsOf(one)) {
    const expected = one.expect.state.filter((row) => row.instant === instant && "customer" in row);
    const key = (row: Fields) => `${row["model"]}/${row["customer"]}`;
    const rows = expected.map(({ instant: _instant, ...row }) => row).sort((a, b) => (key(a) < key(b) ? -1 : 1));
    const found = [...(result.states.get(instant) ?? [])].sort((a, b) => (key({ ...a }) < key({ ...b }) ? -1 : 1));
    assert.deepEqual(found as unknown, rows, `state at ${instant}`);
  }
}

export function assertDead(result: Result, one: Case): void {
  const left = result.dead.map((dead) => ({ ...dead }) as Fields);
  for (const expected of one.expect.dead ?? []) {
    const at = left.findIndex((dead) => Object.entries(expected).every(([key, value]) => dead[key] === value));
    assert(at >= 0, `no dead letter ${JSON.stringify(expected)} in ${JSON.stringify(left)}`);
    left.splice(at, 1);
  }
  assert.deepEqual(left, [], "dead letters that were not expected");
}

export function assertMigrations(result: Result, one: Case): void {
  if (one.expect.migrations === undefined) return;
  const key = (row: { model: string; customer: string; revision: number }) =>
    `${row.model}/${row.customer}/${String(row.revision).padStart(6, "0")}`;
  const expected = [...one.expect.migrations].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  const found = [...result.migrations].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  assert.deepEqual(found.map(key), expected.map(key), "migrations");
  expected.forEach((migration, n) => {
    assert.deepEqual(named(found[n], migration), migration, key(migration));
  });
}

export function assertCounts(result: Result, one: Case): void {
  for (const outcome of ["duplicate", "stale", "test", "anonymous"] as const) {
    assert.equal(result.counts[outcome], one.expect.counts?.[outcome] ?? 0, outcome);
  }
}
