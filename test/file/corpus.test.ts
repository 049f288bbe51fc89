/** Every file of test/corpus is taken for what readings.json says. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { addFileOptions, type FileFlags } from "../../connectors/cli/options.js";
import { readingOptions } from "../../connectors/cli/understanding.js";
import { type Reading, readingOf } from "../../connectors/file/index.js";
import type { InputError } from "../../runtime/errors.js";

interface Expected {
  readonly file?: string;
  readonly flags?: readonly string[];
  /** What the refusal says, instead of a reading. */
  readonly error?: string;
  readonly encoding?: string;
  readonly delimiter?: string;
  readonly quote?: string | null;
  readonly header?: boolean;
  readonly linesAbove?: number;
  readonly rows?: number;
  readonly usable?: number;
  /** By field the column, and the first row's value as read: all fields that are found. */
  readonly fields?: Readonly<Record<string, readonly [column: string, value: string]>>;
  readonly scale?: number;
  readonly currency?: string | null;
  readonly date?: string;
  readonly lines?: boolean;
  readonly kinds?: Readonly<Record<string, string>>;
  readonly leftOut?: Readonly<Record<string, number>>;
  readonly unused?: readonly string[];
  /** What each is about; `!` where it stops. */
  readonly doubts?: readonly string[];
  /** Options that the first doubt names. */
  readonly options?: readonly string[];
}

const folder = join(import.meta.dirname, "../corpus");
const corpus = JSON.parse(readFileSync(join(folder, "readings.json"), "utf8")) as Record<string, Expected>;

function taken(reading: Reading, wanted: Expected): Record<string, unknown> {
  const { dialect, mapping, doubts } = reading;
  const all: Record<string, unknown> = {
    encoding: reading.encoding.name,
    delimiter: dialect.delimiter,
    quote: dialect.quote,
    header: dialect.header !== null,
    linesAbove: dialect.skip,
    rows: reading.rows,
    usable: reading.usable,
    fields: Object.fromEntries(
      reading.fields.map(({ field, columns, value }) => [field, [columns.join(" × "), value]]),
    ),
    scale: mapping.scale ?? 0,
    currency: reading.currency,
    date: mapping.dateForm?.name ?? "iso",
    lines: mapping.lines ?? false,
    kinds: mapping.kinds?.texts ?? null,
    leftOut: Object.fromEntries(reading.leftOut.map(({ reason, rows }) => [reason, rows])),
    unused: reading.unused,
    options: doubts[0]?.readings.map(({ option }) => option),
    doubts: doubts.map(({ about, stops }) => (stops ? `${about}!` : about)),
  };
  return Object.fromEntries(Object.keys({ ...wanted, doubts: [] }).map((name) => [name, all[name]]));
}

describe("the corpus", () => {
  for (const [name, { file = name, flags = [], error, ...wanted }] of Object.entries(corpus)) {
    test(name, async () => {
      const command = addFileOptions(new Command("read")).exitOverride();
      command.parse(flags as string[], { from: "user" });
      const reading = readingOf(join(folder, file), readingOptions(command.opts<FileFlags>()));
      if (error !== undefined) {
        const refusal = await reading.then(String, (cause: InputError) => `${cause.message}. ${cause.remedy}`);
        return expect(refusal).toMatch(new RegExp(error));
      }
      const found = await reading;
      if (found === null) throw new Error(`${name} has no reading`);
      expect(taken(found, wanted)).toEqual({ doubts: [], ...wanted });
    });
  }

  test("has a reading for every file", () => {
    const named = Object.entries(corpus).map(([name, { file = name }]) => file);
    const files = readdirSync(folder).filter((file) => !/^(?:README\.md|readings\.json|\.gitattributes)$/.test(file));
    expect([...new Set(named)].sort()).toEqual(files.sort());
  });
});
