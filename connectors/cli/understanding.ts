/** Files as a command names them: stdin kept, each looked through, what was understood said before anything counts. */
import { InputError } from "../../runtime/errors.js";
import type { Source } from "../../runtime/settings.js";
import { type Reading, type ReadingOptions, type ReadOptions, readingOf, type Spool, spooled } from "../file/index.js";
import { type FileFlags, readOptions } from "./options.js";
import { printReading, readingJson } from "./reading.js";
import { counted, percent, progress, type Terminal } from "./terminal.js";

/** What a FileReader needs to know of the files. To be closed when they have been read. */
export interface Understanding {
  readonly options: Pick<ReadOptions, "files" | "names" | "readings"> & ReturnType<typeof readOptions>;
  /** One a CSV file; NDJSON and MessagePack say themselves what they hold. */
  readonly readings: readonly Reading[];
  /** The one currency of all amounts, as the files say it; null where they say none, or several. */
  readonly currency: string | null;
  close(): Promise<void>;
}

/**
 * Looks the files through. Throws InputError (USAGE) where they have two readings that give different numbers and no
 * option says which; what was understood is then printed first.
 */
export async function understand(
  files: readonly string[],
  flags: FileFlags & { readonly json?: boolean },
  source: Source | undefined,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Understanding> {
  const spools: Spool[] = [];
  const close = async () => {
    for (const spool of spools) await spool.close();
  };
  try {
    const told = readOptions(flags);
    const names = new Map<string, string>();
    const paths: string[] = [];
    const readings = new Map<string, Reading>();
    const found: Reading[] = [];
    for (const file of files) {
      let path = file;
      if (file === "-") {
        const spool = await spooled(process.stdin, flags.tmp);
        spools.push(spool);
        path = spool.path;
        names.set(path, "stdin");
      }
      paths.push(path);
      const reading = await readingOf(
        path,
        {
          ...readingOptions(flags, source),
          signal,
          progress: (share, rows) =>
            progress.show(
              () => `looking through ${share === null ? "" : `${percent(share, 1)}, `}${counted(rows, "row")}`,
            ),
        },
        names.get(path) ?? path,
      );
      if (reading === null) continue;
      readings.set(path, reading);
      found.push(reading);
    }
    progress.clear();
    const alike = together(found);
    for (const [i, path] of [...readings.keys()].entries()) readings.set(path, alike[i] as Reading);
    stopInDoubt(alike, terminal, flags.json === true);
    const { scale, lines } = alike[0]?.mapping ?? {};
    return {
      options: { ...told, scale: scale ?? told.scale, lines: lines ?? told.lines, files: paths, names, readings },
      readings: alike,
      currency: oneCurrency(alike),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What the flags, and the source that will read the rows, settle. Throws InputError (USAGE). */
export function readingOptions(flags: FileFlags, source?: Source): ReadingOptions {
  const { quote, encoding, header, decimal } = flags;
  return { ...readOptions(flags), quote, encoding, header, decimal, sourceZone: source?.zone };
}

/** Amounts of several files are added: one scale holds for all, and if rows of one are lines, those of all are. */
function together(readings: readonly Reading[]): Reading[] {
  const scales = readings.flatMap(({ mapping: { scale } }) => (scale === undefined ? [] : [scale]));
  const scale = scales.length === 0 ? undefined : Math.max(...scales);
  const lines = readings.some(({ mapping }) => mapping.lines === true) ? true : undefined;
  return readings.map((reading, i) => {
    const { mapping } = reading;
    const rowIds = mapping.rowIds === undefined || i === 0 ? mapping.rowIds : `${i + 1}/`;
    return {
      ...reading,
      mapping: {
        ...mapping,
        scale: mapping.scale === undefined ? undefined : scale,
        lines: lines ?? mapping.lines,
        rowIds,
      },
    };
  });
}

function oneCurrency(readings: readonly Reading[]): string | null {
  const all = new Set(readings.map(({ currency }) => currency));
  return all.size === 1 ? ([...all][0] ?? null) : null;
}

function stopInDoubt(readings: readonly Reading[], terminal: Terminal, json: boolean): void {
  const stopping = readings.flatMap(({ file, doubts }) =>
    doubts.filter(({ stops }) => stops).map((doubt) => ({ file, doubt })),
  );
  const [first] = stopping;
  if (first === undefined) return;
  if (json) terminal.print(JSON.stringify({ reading: readings.map(readingJson) }, null, terminal.isTty ? 2 : 0));
  else for (const reading of readings) printReading(terminal, reading);
  const options = first.doubt.readings.map(({ option }) => option).join(" or ");
  throw new InputError("USAGE", `${first.file}: ${first.doubt.seen}`, {
    remedy: `Nothing was counted: say which with ${options}.`,
  });
}
