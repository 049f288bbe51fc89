/** Reads files of any known format into one sequence of items in event-time order. */
import type { Readable } from "node:stream";
import { InputError } from "../../runtime/errors.js";
import { FIELDS, type Settings, type Source } from "../../runtime/settings.js";
import { readCsv } from "./csv.js";
import { csvMapping } from "./csvmapping.js";
import { type Format, formatOf } from "./format.js";
import { type InputFile, openInput } from "./input.js";
import { type FileItem, Placing } from "./item.js";
import {
  columnsOf,
  type Mapped,
  Mapping,
  type MappingOptions,
  memberAt,
  memberExpression,
  NEGATIVE,
  settled,
} from "./mapping.js";
import { readMsgpack } from "./msgpack.js";
import { readNdjson } from "./ndjson.js";
import { type LineTally, OrderLines } from "./orderlines.js";
import type { RawItem } from "./raw.js";
import type { Reading } from "./reading.js";
import { Sorter, type SortOptions } from "./sort.js";

export interface ReadOptions extends MappingOptions {
  readonly files: readonly string[];
  readonly settings: Settings;
  /** What the kernel will read the items as; default the first source. */
  readonly source?: Source | undefined;
  readonly format?: Format | undefined;
  readonly delimiter?: string | undefined;
  /** By file, what it was taken for: that comes before the options that say how rows are read. */
  readonly readings?: ReadonlyMap<string, Reading> | undefined;
  /** What the user calls a file; default its path. */
  readonly names?: ReadonlyMap<string, string> | undefined;
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
  /** Left out by kind: rows by the text of their kind, or the pattern of their id, or "negative". */
  readonly otherKinds: Map<string, number>;
  /** Orders of a negative amount that no one said to be refunds: the kernel refuses them. */
  negative: number;
  afterUntil: number;
  beforeAfter: number;
  /** The latest time of a kept row that has one and a customer: the end of the input. Null for none. */
  last: number | null;
  /** Where rows are the lines of orders; null where each is an order of its own. */
  readonly lines: LineTally | null;
}

/** Texts of kinds that are counted one by one; the rest together, so that a wrong column costs no memory. */
const OTHER_KINDS_MAX = 100;

export class FileReader {
  readonly tally: ReadTally;
  readonly #options: ReadOptions;
  readonly #source: Source;
  readonly #lines: OrderLines | null;
  readonly #sort: SortOptions;

  constructor(options: ReadOptions) {
    const { lines, sort } = options;
    this.#options = options;
    // Lines and the orders made of them are held at the same time.
    this.#sort = lines === true ? { ...sort, memoryBytesMax: sort.memoryBytesMax / 2 } : sort;
    this.#lines = lines === true ? new OrderLines(this.#sort) : null;
    this.tally = {
      rows: 0,
      kept: 0,
      otherKinds: new Map(),
      negative: 0,
      afterUntil: 0,
      beforeAfter: 0,
      last: null,
      lines: this.#lines?.tally ?? null,
    };
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
    const sorter = new Sorter(this.#sort);
    try {
      for (const path of this.#options.files) {
        const file = await openInput(path, this.#options.stdin);
        try {
          await this.#readFile(file, path, sorter);
        } finally {
          file.close();
        }
      }
      if (this.#lines !== null) await this.#addOrders(this.#lines, sorter);
      return sorter;
    } catch (error) {
      await sorter.close();
      throw error;
    } finally {
      await this.#lines?.close();
    }
  }

  async #readFile(file: InputFile, path: string, sorter: Sorter): Promise<void> {
    const { settings, signal, progress } = this.#options;
    const format = this.#options.format ?? formatOf(file.name, file.head);
    const name = this.#options.names?.get(path) ?? file.name;
    const reading = this.#options.readings?.get(path);
    const placing = new Placing(settings, this.#source);
    for await (const items of this.#batches(file, name, format, reading, placing)) {
      signal?.throwIfAborted();
      await sorter.add(items.filter((item) => this.#within(item)));
      await this.#lines?.flush();
      progress?.(file.size === null ? null : Math.min(1, file.bytesRead() / Math.max(1, file.size)), this.tally.rows);
    }
  }

  async *#batches(
    file: InputFile,
    name: string,
    format: Format,
    reading: Reading | undefined,
    placing: Placing,
  ): AsyncGenerator<FileItem[], void, undefined> {
    if (format === "csv") return yield* this.#csv(file, name, reading, placing);
    const raws = format === "ndjson" ? readNdjson(name, file.chunks()) : readMsgpack(file.chunks());
    if (!this.#mapped()) {
      for await (const batch of raws) {
        this.tally.rows += batch.length;
        yield batch.map((item) => placing.raw(item));
      }
      return;
    }
    this.#needPlainSource();
    const { map } = this.#options;
    const expression = memberExpression(map.amount);
    const mapping = new Mapping<RawItem>(
      this.#options,
      (row, field) => memberAt(row.value, map[field] ?? field),
      expression && { expression, lookup: (row, n) => memberAt(row.value, expression.columns[n] ?? "") },
    );
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

  async *#csv(
    file: InputFile,
    name: string,
    reading: Reading | undefined,
    placing: Placing,
  ): AsyncGenerator<FileItem[], void, undefined> {
    this.#needPlainSource();
    const csv = reading?.csv ?? { delimiter: this.#options.delimiter };
    const options = { ...this.#options, ...reading?.mapping };
    const batches = readCsv(name, file.chunks(), csv);
    const header = await batches.next();
    if (header.done === true) return; // an empty file has no rows
    const columns = columnsOf(reading?.header ?? header.value[0]?.cells ?? [], options, name);
    const mapping = csvMapping(columns, options);
    for await (const rows of batches) {
      const items: FileItem[] = [];
      for (const row of rows) {
        this.tally.rows++;
        if (row.misfit) items.push(placing.unreadable(row.cells.join(csv.delimiter ?? ",")));
        else this.#place(mapping, row, placing, items);
      }
      yield items;
    }
  }

  /** A line goes to its order; any other row is an item. */
  #place<Row>(mapping: Mapping<Row>, row: Row, placing: Placing, items: FileItem[]): void {
    const line = mapping.line(row);
    if (typeof line === "string") this.#leaveOut(line, 1);
    else if (this.#lines !== null && typeof line.event.id === "string") this.#lines.add(line, this.tally.rows);
    else {
      const mapped = mapping.settled(line);
      if (mapped === null) this.#leaveOut(NEGATIVE, 1);
      else items.push(this.#placed(placing, mapped));
    }
  }

  async #addOrders(lines: OrderLines, sorter: Sorter): Promise<void> {
    const { settings, signal } = this.#options;
    const placing = new Placing(settings, this.#source);
    for await (const orders of lines.orders()) {
      signal?.throwIfAborted();
      const items: FileItem[] = [];
      for (const order of orders) {
        const mapped = settled(order, this.#options, true);
        if (mapped === null) this.#leaveOut(NEGATIVE, order.lines);
        else items.push({ ...this.#placed(placing, mapped), rank: order.row });
      }
      await sorter.add(items.filter((item) => this.#within(item)));
    }
  }

  #placed(placing: Placing, mapped: Mapped): FileItem {
    const { amount, kind } = mapped.event;
    const isNegative = kind === undefined && typeof amount === "number" && amount < 0;
    if (isNegative && this.#source.negative === "reject") this.tally.negative++;
    return placing.mapped(mapped);
  }

  #leaveOut(text: string, rows: number): void {
    const { otherKinds } = this.tally;
    const kind = otherKinds.has(text) || otherKinds.size < OTHER_KINDS_MAX ? text : "(others)";
    otherKinds.set(kind, (otherKinds.get(kind) ?? 0) + rows);
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
    const { map, ...others } = this.#options;
    const said = [others.scale, others.zone, others.kinds, others.amountForm, others.dateForm];
    const flags = [others.lines, others.wholeIds, others.currencyMarks];
    return Object.keys(map).length > 0 || said.some((one) => one !== undefined) || flags.includes(true);
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
