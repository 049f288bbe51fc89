/** Reads files of any known format into one sequence of items in event-time order. */
import type { Readable } from "node:stream";
import { InputError } from "../../runtime/errors.js";
import { FIELDS, type Settings, type Source } from "../../runtime/settings.js";
import { readCsv } from "./csv.js";
import { type Format, formatOf } from "./format.js";
import { type InputFile, openInput } from "./input.js";
import { type FileItem, Placing } from "./item.js";
import { columnsOf, type FileField, Mapping, type MappingOptions, memberAt } from "./mapping.js";
import { readMsgpack } from "./msgpack.js";
import { readNdjson } from "./ndjson.js";
import type { RawItem } from "./raw.js";
import { Sorter, type SortOptions } from "./sort.js";

export interface ReadOptions extends MappingOptions {
  readonly files: readonly string[];
  readonly settings: Settings;
  /** What the kernel will read the items as; default the first source. */
  readonly source?: Source | undefined;
  readonly format?: Format | undefined;
  readonly delimiter?: string | undefined;
  /** Events later than this are left out; ms. */
  readonly until?: number | undefined;
  /** Events up to and including this are left out; ms. */
  readonly after?: number | undefined;
  readonly sort: SortOptions;
  readonly stdin?: Readable;
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with the share read, 0 to 1, null where it is unknown, and the rows so far. */
  readonly progress?: ((share: number | null, rows: number) => void) | undefined;
}

/** What became of the rows of the files. */
export interface ReadTally {
  rows: number;
  /** Rows that go to the kernel. */
  kept: number;
  /** Left out by kind: rows by the text of their kind. */
  readonly otherKinds: Map<string, number>;
  afterUntil: number;
  beforeAfter: number;
  /** The latest time of a kept row that has one and a customer: the end of the input. Null for none. */
  last: number | null;
}

/** Texts of kinds that are counted one by one; the rest together, so that a wrong column costs no memory. */
const OTHER_KINDS_MAX = 100;

export class FileReader {
  readonly tally: ReadTally = {
    rows: 0,
    kept: 0,
    otherKinds: new Map(),
    afterUntil: 0,
    beforeAfter: 0,
    last: null,
  };
  readonly #options: ReadOptions;
  readonly #source: Source;

  constructor(options: ReadOptions) {
    this.#options = options;
    this.#source = options.source ?? (options.settings.sources[0] as Source); // never empty
  }

  /** All items, sorted (`sort.by`), stable in the order of files and rows. Throws InputError, FatalError (DISK_FULL). */
  async *items(): AsyncGenerator<FileItem[], void, undefined> {
    const sorter = await this.read();
    try {
      yield* sorter.sorted();
    } finally {
      await sorter.close();
    }
  }

  /** The same, to be gone through more than once and then closed: files, and stdin too, are read once only. */
  async read(): Promise<Sorter> {
    const sorter = new Sorter(this.#options.sort);
    try {
      for (const path of this.#options.files) {
        const file = await openInput(path, this.#options.stdin);
        try {
          await this.#readFile(file, sorter);
        } finally {
          file.close();
        }
      }
      return sorter;
    } catch (error) {
      await sorter.close();
      throw error;
    }
  }

  async #readFile(file: InputFile, sorter: Sorter): Promise<void> {
    const { settings, signal, progress } = this.#options;
    const format = this.#options.format ?? formatOf(file.name, file.head);
    const placing = new Placing(settings, this.#source);
    for await (const items of this.#batches(file, format, placing)) {
      signal?.throwIfAborted();
      await sorter.add(items.filter((item) => this.#within(item)));
      progress?.(file.size === null ? null : Math.min(1, file.bytesRead() / Math.max(1, file.size)), this.tally.rows);
    }
  }

  async *#batches(file: InputFile, format: Format, placing: Placing): AsyncGenerator<FileItem[], void, undefined> {
    if (format === "csv") return yield* this.#csv(file, placing);
    const raws = format === "ndjson" ? readNdjson(file.name, file.chunks()) : readMsgpack(file.chunks());
    if (!this.#mapped()) {
      for await (const batch of raws) {
        this.tally.rows += batch.length;
        yield batch.map((item) => placing.raw(item));
      }
      return;
    }
    this.#needPlainSource();
    const { map } = this.#options;
    const mapping = new Mapping<RawItem>(this.#options, (row, field) => memberAt(row.value, map[field] ?? field));
    for await (const batch of raws) {
      const items: FileItem[] = [];
      for (const row of batch) {
        this.tally.rows++;
        const readable = typeof row.value === "object" && row.value !== null;
        if (readable) this.#place(mapping, row, placing, items);
        else items.push(placing.raw({ ...row, plain: false }));
      }
      yield items;
    }
  }

  async *#csv(file: InputFile, placing: Placing): AsyncGenerator<FileItem[], void, undefined> {
    this.#needPlainSource();
    const { delimiter } = this.#options;
    const batches = readCsv(file.name, file.chunks(), delimiter === undefined ? {} : { delimiter });
    const header = await batches.next();
    if (header.done === true) return; // an empty file has no rows
    const columns = columnsOf(header.value[0]?.cells ?? [], this.#options, file.name);
    const lookup = (row: readonly string[], field: FileField) => {
      const column = columns[field];
      return column < 0 ? undefined : row[column]; // an index of −1 would be looked up as a name, slowly
    };
    const mapping = new Mapping<readonly string[]>(this.#options, lookup);
    for await (const rows of batches) {
      const items: FileItem[] = [];
      for (const { cells, misfit } of rows) {
        this.tally.rows++;
        if (misfit) items.push(placing.unreadable(cells.join(delimiter ?? ",")));
        else this.#place(mapping, cells, placing, items);
      }
      yield items;
    }
  }

  #place<Row>(mapping: Mapping<Row>, row: Row, placing: Placing, items: FileItem[]): void {
    const mapped = mapping.event(row);
    if (typeof mapped !== "string") items.push(placing.mapped(mapped));
    else {
      const { otherKinds } = this.tally;
      const kind = otherKinds.has(mapped) || otherKinds.size < OTHER_KINDS_MAX ? mapped : "(others)";
      otherKinds.set(kind, (otherKinds.get(kind) ?? 0) + 1);
    }
  }

  #within(item: FileItem): boolean {
    const { until, after } = this.#options;
    if (until !== undefined && item.time > until) this.tally.afterUntil++;
    else if (after !== undefined && item.time <= after) this.tally.beforeAfter++;
    else {
      this.tally.kept++;
      if (item.whole) this.tally.last = Math.max(this.tally.last ?? item.time, item.time);
      return true;
    }
    return false;
  }

  /** NDJSON and MessagePack without any of these options hold messages of the source as they are. */
  #mapped(): boolean {
    const { map, scale, zone, kinds } = this.#options;
    return Object.keys(map).length > 0 || scale !== undefined || zone !== undefined || kinds !== undefined;
  }

  /** Events made from rows have the order event's own field names: the source must read those. */
  #needPlainSource(): void {
    const source = this.#source;
    const other = FIELDS.find((field) => {
      const path = source.fields[field];
      return field !== "status" && field !== "cancelled" && path !== undefined && path.join(".") !== field;
    });
    if (other === undefined && source.amounts === "minor") return;
    const what = other === undefined ? "decimal amounts" : `${source.fields[other]?.join(".")} as ${other}`;
    throw new InputError("USAGE", `source ${source.name} reads ${what}, which rows of a mapped file don't have`, {
      remedy: "Make the configuration's first source one without fields and amounts, or give the messages as NDJSON.",
    });
  }
}
