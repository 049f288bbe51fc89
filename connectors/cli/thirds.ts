/** The thresholds of a replay without a configuration: thirds of the customers as they are at its end. */
import {
  type Config,
  draftModels,
  measuresWarnings,
  type ReadyConfig,
  type SuggestWarning,
  suggestModel,
  warningLines,
} from "../../runtime/config/index.js";
import type { Settings } from "../../runtime/settings.js";
import { type MeasureOptions, measure } from "../file/index.js";
import { readyUnder } from "./measured.js";
import { painted } from "./paint.js";
import type { Terminal } from "./terminal.js";

export interface Thirds {
  readonly model: ReadyConfig;
  readonly warnings: readonly SuggestWarning[];
}

/** A first pass over the items, in order, and what it makes of the model. */
export async function thirdsOf(
  options: MeasureOptions,
  config: Config,
  currency: string,
): Promise<{ readonly thirds: Thirds; readonly settings: Settings }> {
  const { measures } = await measure(options);
  const { config: model, warnings } = suggestModel("threebands", currency, measures);
  const thirds = { model, warnings: [...measuresWarnings(measures), ...warnings] };
  return { thirds, settings: readyUnder(config, [model]) };
}

export function printThirds(terminal: Terminal, { model, warnings }: Thirds): void {
  terminal.print();
  terminal.print(terminal.style("bold", "Thresholds"));
  const about = [
    "Thirds of these customers. Saved as tidemark.yaml they hold for every run:",
    "tidemark check prints what they mean, tidemark suggest has other models.",
  ];
  for (const line of about) terminal.print(terminal.style("dim", `  ${line}`));
  for (const line of warningLines({ warnings })) terminal.print(terminal.style("yellow", `  ${line}`));
  terminal.print();
  for (const line of draftModels([{ config: model, warnings: [] }])) terminal.print(painted(terminal, line));
}
