/** Live counts as they are told: by the names of the configuration. */
import type { Settings } from "../../runtime/settings.js";
import type { ModelCounts } from "../edge.js";
import type { LiveCounts } from "./protocol.js";

/** One entry a model, in configuration order. */
export function describeCounts(settings: Settings, counts: readonly ModelCounts[]): readonly LiveCounts[] {
  return counts.flatMap(({ cells, segments, none, customers }, index) => {
    const model = settings.models[index];
    if (model === undefined) return [];
    const named = model.segments.map((name, segment) => ({ name, customers: segments[segment] ?? 0 }));
    return [{ model: model.name, version: model.version, customers, none, segments: named, cells: Array.from(cells) }];
  });
}
