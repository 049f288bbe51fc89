/**
 * Dead letters published again: their original bytes, to the subject that they came to. Sent twice they count once: the
 * kernel takes the second for a duplicate, and within two minutes the broker drops it by its id.
 */
import { createHash } from "node:crypto";
import type { Settings } from "../../runtime/settings.js";
import { ordersSubjects, partitionOf, subjectMatches } from "../../runtime/subjects.js";
import type { DeadLetterEntry, DeadLetters, InputOriginal } from "./deadletters.js";
import type { OrdersPublisher } from "./publisher.js";

/** `asSent`: silent where the message was marked so, or came before the partition's `live`. */
export type Mark = "asSent" | "silent" | "live";

/** Why a letter is left out. */
export const LEFT_OUT = {
  control: "came on the control subject, which only the engine writes to",
  cut: "longer than the 64 KiB that a dead letter holds, and not to be had from the input any more",
  noEvent: "no event at all: a value in a list that has no fields",
  again: "the same bytes on the same subject once more",
} as const;
export type LeftOut = keyof typeof LEFT_OUT;

export interface ResendReport {
  letters: number;
  readonly byReason: Map<string, number>;
  readonly leftOut: Record<LeftOut, number>;
  silent: number;
  /** Letters whose message is gone from the input: how it was marked is not known, and they are not silent. */
  unknownMark: number;
  /** `foreignPartition`: sent to the customer's own one. */
  rerouted: number;
}

export interface ResendOptions {
  readonly letters: DeadLetters;
  readonly settings: Settings;
  /** Undefined: nothing is sent, only counted. */
  readonly publisher: OrdersPublisher | undefined;
  readonly mark: Mark;
  /** Letters that are sent at most. */
  readonly limit: number;
}

/** Messages asked for at once: each may be as large as the broker takes. */
const ORIGINALS_MAX = 16;
/** Contents remembered to leave out repeats; beyond it the oldest is forgotten, and the kernel finds the duplicate. */
const SEEN_MAX = 100_000;
/** Of these the letter is a whole message, whatever that holds. */
const WHOLE = new Set(["undecodable", "overLimit"]);

export class Resending {
  readonly report: ResendReport = {
    letters: 0,
    byReason: new Map(),
    leftOut: { control: 0, cut: 0, noEvent: 0, again: 0 },
    silent: 0,
    unknownMark: 0,
    rerouted: 0,
  };
  readonly #options: ResendOptions;
  readonly #seen = new Set<string>();

  constructor(options: ResendOptions) {
    this.#options = options;
  }

  get full(): boolean {
    return this.report.letters >= this.#options.limit;
  }

  /** Takes letters in order. Waits while the publisher's window is full. Throws FatalError. */
  async take(entries: readonly DeadLetterEntry[], signal: AbortSignal): Promise<void> {
    for (let from = 0; from < entries.length && !this.full; from += ORIGINALS_MAX) {
      const part = entries.slice(from, from + ORIGINALS_MAX);
      const originals = await this.#originals(part);
      for (const [i, letter] of part.entries()) {
        signal.throwIfAborted();
        if (this.full) return;
        await this.#send(letter, originals[i]);
      }
    }
  }

  /** Those that are needed, each asked for once: letters of one message come in a row. */
  #originals(part: readonly DeadLetterEntry[]): Promise<(InputOriginal | undefined)[]> {
    const { letters, mark } = this.#options;
    const asked = new Map<string, Promise<InputOriginal | undefined>>();
    const ask = (letter: DeadLetterEntry) => {
      if (letters.isControl(letter) || (mark !== "asSent" && !isCut(letter))) return undefined;
      const key = `${letter.partition}/${letter.position}`;
      const answer = asked.get(key) ?? letters.original(letter);
      asked.set(key, answer);
      return answer;
    };
    return Promise.all(part.map(ask));
  }

  async #send(letter: DeadLetterEntry, original: InputOriginal | undefined): Promise<void> {
    const { letters, publisher } = this.#options;
    const { report } = this;
    const { leftOut, byReason } = report;
    if (letters.isControl(letter)) {
      leftOut.control++;
      return;
    }
    const body = wholeBody(letter, original);
    if (body === undefined) {
      leftOut.cut++;
      return;
    }
    // Alone it would be read as a list of events, which nobody sent.
    if (!WHOLE.has(letter.reason) && !isMap(body)) {
      leftOut.noEvent++;
      return;
    }
    const subject = this.#subjectOf(letter);
    const content = createHash("sha256").update(`${subject}\n`).update(body).digest("hex").slice(0, 32);
    if (!this.#isNew(content)) {
      leftOut.again++;
      return;
    }
    const silent = await this.#isSilent(letter, original);
    if (subject !== letter.subject) report.rerouted++;
    if (silent) report.silent++;
    report.letters++;
    byReason.set(letter.reason, (byReason.get(letter.reason) ?? 0) + 1);
    // Sent again after more was put aside, it may be that it failed again: the broker must not take it for a repeat.
    await publisher?.publishTo(subject, body, { id: `dlq-${letters.last}-${content}`, silent });
  }

  /** A customer of another partition is at home in one subject only; every other letter goes where it came to. */
  #subjectOf({ subject, partition, reason, customer }: DeadLetterEntry): string {
    const { name, partitions } = this.#options.settings;
    const own = ordersSubjects(name, partition).some((pattern) => subjectMatches(pattern, subject));
    if (reason !== "foreignPartition" || customer === null || !own) return subject;
    const before = `${name}.orders.`;
    return `${before}${partitionOf(customer, partitions)}${subject.slice(before.length + String(partition).length)}`;
  }

  async #isSilent(letter: DeadLetterEntry, original: InputOriginal | undefined): Promise<boolean> {
    const { mark, letters } = this.#options;
    if (mark !== "asSent") return mark === "silent";
    if (letter.position < (await letters.liveFrom(letter.partition))) return true;
    if (original === undefined) this.report.unknownMark++;
    return original?.silent === true;
  }

  #isNew(content: string): boolean {
    if (this.#seen.has(content)) return false;
    this.#seen.add(content);
    if (this.#seen.size > SEEN_MAX) for (const oldest of this.#seen.keys()) return this.#seen.delete(oldest);
    return true;
  }
}

function isCut({ body, length }: DeadLetterEntry): boolean {
  return body.length < length;
}

/** All bytes of the letter's item or message; undefined where they are not to be had, or not to be told apart. */
export function wholeBody(
  letter: DeadLetterEntry,
  original: Pick<InputOriginal, "body"> | undefined,
): Uint8Array | undefined {
  if (!isCut(letter)) return letter.body;
  if (original === undefined) return undefined;
  const { length } = letter;
  const message = Buffer.from(original.body.buffer, original.body.byteOffset, original.body.length);
  let found: Buffer | undefined;
  for (let at = message.indexOf(letter.body); at >= 0; at = message.indexOf(letter.body, at + 1)) {
    if (at + length > message.length) break;
    const candidate = message.subarray(at, at + length);
    if (found !== undefined && !found.equals(candidate)) return undefined;
    found = candidate;
  }
  return found;
}

/** Whether the bytes begin like an object, in JSON or MessagePack. */
function isMap(body: Uint8Array): boolean {
  const first = body.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) ?? 0;
  return first === 0x7b || (first >= 0x80 && first <= 0x8f) || first === 0xde || first === 0xdf;
}
