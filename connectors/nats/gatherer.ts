/**
 * Gathers the ledgers for a broker that can't: before 2.10.14 a stream's `sources` check the expected sequence that
 * every ledger record carries, and stop at the first one. There the engine copies the records itself, into the same
 * two streams, under `<name>.gathered.` and their own subject, each with its ledger number in `Tidemark-Record`.
 *
 * A record is copied once: the copies are written with the ledger's own discipline, one stream's before the other's
 * next, so that the last copies of a partition show how far both streams are.
 */
import { encodeHead } from "../../runtime/head.js";
import type { LedgerRecord } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import { deadStream, deadSubjects, gatheredSubject, migrationsStream, subjectMatches } from "../../runtime/subjects.js";
import type { LedgerEntry } from "../edge.js";
import { ApiError, type Broker, NO_MESSAGE_FOUND, reasonOf, sleep } from "./broker.js";
import { LedgerWriter } from "./ledger.js";
import type { NatsLedgerReader } from "./ledgerreader.js";

export const RECORD_HEADER = "Tidemark-Record";
const IN_FLIGHT_MAX = 1_024;
const PAUSE_MS_MAX = 5_000;

export class Gatherer {
  readonly #broker: Broker;
  readonly #settings: Settings;
  readonly #ledger: NatsLedgerReader;
  readonly #note: (text: string) => void;
  readonly #aborter = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(broker: Broker, settings: Settings, ledger: NatsLedgerReader, note: (text: string) => void) {
    this.#broker = broker;
    this.#settings = settings;
    this.#ledger = ledger;
    this.#note = note;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#aborter.abort();
    await this.#running;
  }

  /** A failure (another engine gathers, the broker is away) is no engine's end: it looks how far the copies are, and goes on. */
  async #run(): Promise<void> {
    const { signal } = this.#aborter;
    for (let pause = 100; !signal.aborted; pause = Math.min(2 * pause, PAUSE_MS_MAX)) {
      try {
        await this.#gather();
      } catch (error) {
        if (signal.aborted) return;
        this.#note(`gathering starts anew: ${reasonOf(error)}`);
        await sleep(pause, signal);
      }
    }
  }

  async #gather(): Promise<void> {
    const round = new AbortController();
    const signal = AbortSignal.any([round.signal, this.#aborter.signal]);
    const copies = [
      await Copies.open(this.#broker, migrationsStream(this.#settings)),
      await Copies.open(this.#broker, deadStream(this.#settings)),
    ] as const;
    try {
      const partitions = Array.from({ length: this.#ledger.partitions }, (_, partition) =>
        this.#follow(partition, copies, signal),
      );
      await Promise.all(partitions);
    } finally {
      round.abort();
      for (const { writer } of copies) writer.close();
    }
  }

  async #follow(partition: number, copies: readonly [Copies, Copies], signal: AbortSignal): Promise<void> {
    const { name } = this.#settings;
    const subjects = [`${name}.migrations.${partition}.>`, `${name}.dead.${partition}.>`];
    const last = await Promise.all(
      copies.map((copy, kind) => this.#lastCopied(copy.stream, gatheredSubject(name, subjects[kind] as string))),
    );
    let before: Copies | undefined;
    for await (const entries of this.#ledger.readBatches(partition, Math.max(...last) + 1, signal)) {
      for (const { isDead, run } of runsOf(entries, deadSubjects(name))) {
        const copy = isDead ? copies[1] : copies[0];
        // All before these records must be there when a copy of them says so.
        if (before !== undefined && before !== copy) await before.flush(signal);
        before = copy;
        // Together: one write to the socket for all of them.
        await copy.add(run, name, signal);
      }
    }
  }

  async #lastCopied(stream: string, subject: string): Promise<number> {
    try {
      const { message } = await this.#broker.api<{ message: { hdrs?: string } }>(`STREAM.MSG.GET.${stream}`, {
        last_by_subj: subject,
      });
      const lines = Buffer.from(message.hdrs ?? "", "base64")
        .toString("latin1")
        .split("\r\n");
      return Number(lines.find((line) => line.startsWith(`${RECORD_HEADER}: `))?.slice(RECORD_HEADER.length + 2) ?? 0);
    } catch (error) {
      if (error instanceof ApiError && error.errorCode === NO_MESSAGE_FOUND) return 0;
      throw error;
    }
  }
}

/** The copies in one stream, of all partitions in turn. */
class Copies {
  #turn: Promise<void> = Promise.resolve();
  #number: number;

  private constructor(
    readonly stream: string,
    readonly writer: LedgerWriter,
  ) {
    this.#number = writer.stored;
  }

  static async open(broker: Broker, stream: string): Promise<Copies> {
    return new Copies(stream, await LedgerWriter.open(broker, { stream, inFlightMax: IN_FLIGHT_MAX }));
  }

  /** Copies get their numbers in the order in which they are added. */
  add(entries: readonly LedgerEntry[], name: string, signal: AbortSignal): Promise<void> {
    this.#turn = this.#turn.then(() =>
      this.writer.append(
        entries.map((entry): LedgerRecord => {
          const head = encodeHead({ ...entry.headers, [RECORD_HEADER]: String(entry.number) });
          const subject = gatheredSubject(name, entry.subject);
          return { number: ++this.#number, position: entry.number, subject, head, body: entry.body };
        }),
        signal,
      ),
    );
    return this.#turn;
  }

  async flush(signal: AbortSignal): Promise<void> {
    await this.#turn;
    await this.writer.flush(signal);
  }
}

/** Cuts where dead letters and migrations take turns. */
function* runsOf(
  entries: readonly LedgerEntry[],
  deadPattern: string,
): Generator<{ isDead: boolean; run: LedgerEntry[] }> {
  let run: LedgerEntry[] = [];
  let isDead = false;
  for (const entry of entries) {
    const dead = subjectMatches(deadPattern, entry.subject);
    if (run.length > 0 && dead !== isDead) {
      yield { isDead, run };
      run = [];
    }
    isDead = dead;
    run.push(entry);
  }
  if (run.length > 0) yield { isDead, run };
}
