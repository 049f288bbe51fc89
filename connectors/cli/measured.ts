/** Files, read once and measured: what `suggest`, `init` and a `replay` without a configuration begin with. */
import {
  type Config,
  compileModel,
  compileSettings,
  expandModels,
  READY_NAMES,
  type ReadyConfig,
  type ReadyName,
  type Suggestion,
} from "../../runtime/config/index.js";
import type { ModelCounts } from "../../runtime/partition.js";
import type { Settings } from "../../runtime/settings.js";
import { type FileItem, FileReader, type Measured, measure, type Reading, type ReadTally } from "../file/index.js";
import { loadKernel } from "./kernel.js";
import { type FileFlags, type Loaded, loadConfig, sourceNumber } from "./options.js";
import { counted, err, percent, progress } from "./terminal.js";
import { understand } from "./understanding.js";

export interface MeasuredFlags extends FileFlags {
  readonly config?: string;
  readonly source?: string;
  readonly currency?: string;
}

export interface MeasuredFiles extends Measured {
  /** Those given, or the configuration's first model's, or EUR. */
  readonly currency: string;
  /** Whether anything but the default says so. */
  readonly currencyKnown: boolean;
  readonly tally: ReadTally;
  /** What the files were taken for; see `understand`. */
  readonly readings: readonly Reading[];
  /** In order of time, any number of times. */
  items(): AsyncGenerator<FileItem[], void, undefined>;
  /** To be called, whatever happens. */
  close(): Promise<void>;
}

export const CURRENCY_DEFAULT = "EUR";

/** Under ready-made models (default all) side by side. Throws InputError, FatalError (DISK_FULL, PARTITION_FULL). */
export async function measureFiles(
  files: readonly string[],
  flags: MeasuredFlags,
  signal: AbortSignal,
  models: readonly ReadyName[] = READY_NAMES,
  loaded: Loaded = loadConfig(flags.config),
): Promise<MeasuredFiles> {
  const { config, settings: own, file } = loaded;
  const configured = file === null ? undefined : config.models[0]?.currency;
  const understanding = await understand(files, flags, own.sources[sourceNumber(own, flags.source)], err, signal);
  const found = understanding.currency ?? undefined;
  const currency = flags.currency ?? found ?? configured ?? CURRENCY_DEFAULT;
  const settings = readyUnder(
    config,
    models.map((use) => ({ use, currency })),
  );
  const source = sourceNumber(settings, flags.source);
  const reader = new FileReader({
    ...understanding.options,
    settings,
    source: settings.sources[source],
    signal,
    progress: (share, rows) =>
      progress.show(() => `reading ${share === null ? "" : `${percent(share, 1)}, `}${counted(rows, "row")}`),
  });
  const { tally } = reader;
  const sorter = await reader.read().finally(() => understanding.close());
  try {
    const measured = await measure({
      wasm: loadKernel(),
      settings,
      source,
      items: sorter.sorted(),
      end: flags.until ?? tally.last,
      signal,
      progress: (events) =>
        progress.show(() => `measuring ${percent(events, tally.kept)} of ${counted(tally.kept, "event")}`),
    });
    return {
      ...measured,
      currency,
      currencyKnown: (flags.currency ?? found ?? configured) !== undefined,
      tally,
      readings: understanding.readings,
      items: () => sorter.sorted(),
      close: () => sorter.close(),
    };
  } catch (error) {
    await sorter.close();
    throw error;
  }
}

/** The configuration's sources and channels with these models instead of its own, under the event clock. */
export function readyUnder(config: Config, models: readonly ReadyConfig[]): Settings {
  const { horizon, ...rest } = config; // the models' ages may need a longer one
  const settings = compileSettings({ ...rest, models: [...models] });
  return { ...settings, clock: "event" };
}

/** Customers by segment, if this model held at the end; in rule order, of customers in none last, under null. */
export function sizesOf(
  { replayed }: Measured,
  { config }: Suggestion,
): { segment: string | null; customers: number }[] {
  const model = compileModel((expandModels([config])[0] as ReturnType<typeof expandModels>[number]).model);
  const counts = replayed.partitions.map((partition): ModelCounts => partition.recount(model));
  const sum = (of: (each: ModelCounts) => number) => counts.reduce((all, each) => all + of(each), 0);
  return [
    ...model.segments.map((segment, s) => ({
      segment: segment as string | null,
      customers: sum((each) => each.segments[s] ?? 0),
    })),
    { segment: null, customers: sum(({ none }) => none) },
  ];
}
