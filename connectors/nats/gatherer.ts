/**
 * Gathers the ledgers for a broker that can't: before 2.10.14 a stream's `sources` check the expected sequence that
 * every ledger record carries, and stop at the first one. There the engine copies the records itself, into the same
 * two streams, under `<name>.gathered.` and their own subject, each with its ledger number in `Tidemark-Record`.
 *
 * A record is copied once, whoever else copies. Partitions take turns in no fixed order, so two engines write different
 * sequences, and the ledger's discipline alone is not enough: behind another one's message at n − 1, one that expects
 * n − 1 would be taken. So a round
 *
 * - begins at one state of both streams: how far they are is read, then the last copies of every partition, then again
 *   how far they are, which must be the same;
 * - gives each copy an id and, but for the first, the id that must be the stream's last one (`Nats-Expected-Last-Msg-Id`):
 *   what is taken of a round is the beginning of what it sent, without a foreign message in between;
 * - ends with the first refusal. What was sent before is then taken or refused, never taken later behind another one's.
 *
 * A partition's copies go into one stream once those before them are stored in the other: so the later of its last two
 * copies says how far both streams are.
 */
import { randomUUID } from "node:crypto";
import { RetryableError } from "../../runtime/errors.js";
import { encodeHead } from "../../runtime/head.js";
import { LedgerRecord } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import { deadStream, deadSubjects, gatheredSubject, migrationsStream, subjectMatches } from "../../runtime/subjects.js";
import type { LedgerEntry } from "../edge.js";
import { ApiError, type Broker, NO_MESSAGE_FOUND, reasonOf, sleep } from "./broker.js";
import { LedgerWriter } from "./ledger.js";
import type { NatsLedgerReader } from "./ledgerreader.js";
import { streamState } from "./streams.js";

export const RECORD_HEADER = "Tidemark-Record";
const IN_FLIGHT_MAX = 1_024;
const STOP_MS_MAX = 1_000;
const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 5_000;

export class Gatherer {
  readonly #broker: Broker;
  readonly #settings: Settings;
  readonly #ledger: NatsLedgerReader;
  readonly #note: (text: string) => void;
  readonly #aborter = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** Records handed over to be copied. */
  #copied = 0;

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
    for (let pause = PAUSE_MS_MIN; !signal.aborted; ) {
      const copied = this.#copied;
      try {
        await this.#gather();
      } catch (error) {
        if (signal.aborted) return;
        pause = this.#copied > copied ? PAUSE_MS_MIN : Math.min(2 * pause, PAUSE_MS_MAX);
        this.#note(`gathering starts anew: ${reasonOf(error)}`);
        // Two that gather must not meet again and again.
        await sleep(pause * (1 + Math.random()), signal);
      }
    }
  }

  async #gather(): Promise<void> {
    const round = new AbortController();
    const signal = AbortSignal.any([round.signal, this.#aborter.signal]);
    const copies: Copies[] = [];
    try {
      for (const stream of [migrationsStream(this.#settings), deadStream(this.#settings)])
        copies.push(await Copies.open(this.#broker, stream));
      const partitions = Array.from({ length: this.#ledger.partitions }, (_, partition) => partition);
      const copied = await Promise.all(partitions.map((partition) => this.#lastCopied(partition, copies)));
      for (const copy of copies) await copy.checkLast(this.#broker);
      await Promise.all(partitions.map((partition, i) => this.#follow(partition, copied[i] as number, copies, signal)));
      // Stopped: who gathers next finds what is under way stored.
      for (const copy of copies) await copy.flush(AbortSignal.timeout(STOP_MS_MAX));
    } finally {
      round.abort();
      for (const { writer } of copies) writer.close();
    }
  }

  async #follow(partition: number, copied: number, copies: readonly Copies[], signal: AbortSignal): Promise<void> {
    const { name } = this.#settings;
    let before: Copies | undefined;
    for await (const entries of this.#ledger.read(partition, copied + 1, signal)) {
      for (const { isDead, run } of runsOf(entries, deadSubjects(name))) {
        const copy = copies[isDead ? 1 : 0] as Copies;
        // All before these records must be there when a copy of them says so.
        if (before !== undefined && before !== copy) await before.flush(signal);
        before = copy;
        // Together: one write to the socket for all of them.
        await copy.add(run, name, signal);
        this.#copied += run.length;
      }
    }
  }

  /** Ledger number of the partition's last copy. */
  async #lastCopied(partition: number, copies: readonly Copies[]): Promise<number> {
    const { name } = this.#settings;
    const subjects = [`${name}.migrations.${partition}.>`, `${name}.dead.${partition}.>`];
    const numbers = copies.map(({ stream }, i) => this.#lastOf(stream, gatheredSubject(name, subjects[i] as string)));
    return Math.max(...(await Promise.all(numbers)));
  }

  async #lastOf(stream: string, subject: string): Promise<number> {
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

/** A round's copies in one stream, of all partitions in turn. */
class Copies {
  readonly #round = randomUUID();
  #turn: Promise<void> = Promise.resolve();
  #number: number;
  #last: string | undefined;

  private constructor(
    readonly stream: string,
    readonly writer: LedgerWriter,
  ) {
    this.#number = writer.stored;
  }

  static async open(broker: Broker, stream: string): Promise<Copies> {
    return new Copies(
      stream,
      await LedgerWriter.open(broker, { stream, inFlightMax: IN_FLIGHT_MAX, sendsAgain: false }),
    );
  }

  /** Throws RetryableError where the stream has grown since it was opened. */
  async checkLast(broker: Broker): Promise<void> {
    const { last_seq: last } = await streamState(broker, this.stream);
    if (last === this.#number) return;
    throw new RetryableError(
      "BROKER_UNREACHABLE",
      `stream ${this.stream} grew from ${this.#number} to ${last} records while it was read: another engine gathers, too`,
    );
  }

  /** Copies get their numbers in the order in which they are added. */
  add(entries: readonly LedgerEntry[], name: string, signal: AbortSignal): Promise<void> {
    this.#turn = this.#turn.then(() =>
      this.writer.append(
        entries.map((entry) => this.#copyOf(entry, name)),
        signal,
      ),
    );
    return this.#turn;
  }

  #copyOf(entry: LedgerEntry, name: string): LedgerRecord {
    const number = ++this.#number;
    const id = `${this.#round}-${number}`;
    const head = encodeHead({
      ...entry.headers,
      [RECORD_HEADER]: String(entry.number),
      "Nats-Msg-Id": id,
      ...(this.#last === undefined ? {} : { "Nats-Expected-Last-Msg-Id": this.#last }),
    });
    this.#last = id;
    const subject = gatheredSubject(name, entry.subject);
    return LedgerRecord.of({ number, position: entry.number, subject, head, body: entry.body });
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
