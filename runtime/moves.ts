/** Moves between the segments of a model, by how often they were made and why. */
import type { PartitionStats } from "./partition.js";
import { CAUSES, type Cause } from "./record.js";
import type { Model } from "./settings.js";

export interface Move {
  /** Null: from no segment, as with a first order, or into none. */
  readonly from: string | null;
  readonly to: string | null;
  readonly count: number;
  /** How many of them by what; only what is not 0, in the order of CAUSES. */
  readonly causes: Readonly<Partial<Record<Cause, number>>>;
}

/** Every move that was made, the commonest first; those made as often in rule order. */
export function movesOf(model: Model, stats: readonly Pick<PartitionStats, "migrations">[]): Move[] {
  const found = new Map<string, Omit<Move, "causes"> & { count: number; causes: Map<Cause, number> }>();
  for (const { migrations } of stats) {
    for (const { model: name, from, to, cause, count } of migrations) {
      if (name !== model.name || from === to) continue;
      const key = JSON.stringify([from, to]);
      const move = found.get(key) ?? { from, to, count: 0, causes: new Map<Cause, number>() };
      move.count += count;
      move.causes.set(cause, (move.causes.get(cause) ?? 0) + count);
      found.set(key, move);
    }
  }
  // A segment of a model before a change of models has no place among those of now.
  const place = (segment: string | null) =>
    segment === null ? model.segments.length : model.segments.indexOf(segment);
  return [...found.values()]
    .sort((a, b) => b.count - a.count || place(a.from) - place(b.from) || place(a.to) - place(b.to))
    .map(({ causes, ...move }) => ({
      ...move,
      causes: Object.fromEntries(CAUSES.flatMap((cause) => (causes.has(cause) ? [[cause, causes.get(cause)]] : []))),
    }));
}
