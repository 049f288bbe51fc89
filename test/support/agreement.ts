/** Whether two tellings of one stream agree: the oracle's and the kernel's, or the kernel's of two arrivals. */
import { assert } from "vitest";
import type { MigrationWords, Result } from "../oracle/words.js";

/** Each customer's migrations by model, in order of revision. Across customers the order is the engine's affair. */
export function byCustomer(migrations: readonly MigrationWords[]): Map<string, MigrationWords[]> {
  const all = new Map<string, MigrationWords[]>();
  for (const migration of migrations) {
    const key = `${migration.model}/${migration.customer}`;
    const list = all.get(key);
    if (list === undefined) all.set(key, [migration]);
    else list.push(migration);
  }
  return new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Field by field: each customer's migrations, the states at every instant, dead letters, counts. */
export function assertSame(found: Result, expected: Result): void {
  assert.deepEqual(byCustomer(found.migrations), byCustomer(expected.migrations), "migrations");
  assert.deepEqual([...found.states], [...expected.states], "states");
  const dead = ({ dead }: Result) => dead.map((letter) => JSON.stringify(letter)).sort();
  assert.deepEqual(dead(found), dead(expected), "dead letters");
  const { rejected: _rejected, ...counts } = { rejected: 0, ...found.counts };
  assert.deepEqual(counts, expected.counts, "counts");
}
