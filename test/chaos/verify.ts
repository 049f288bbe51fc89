/** What must be true after a run: said by the input streams as they are now, with their stamps, and by nothing else. */
import { decode } from "@msgpack/msgpack";
import { assert } from "vitest";
import type { Broker } from "../../connectors/nats/broker.js";
import { StreamReader } from "../../connectors/nats/reader.js";
import { type PartitionStreams, streamState } from "../../connectors/nats/streams.js";
import { decodeHead } from "../../runtime/head.js";
import { Partition } from "../../runtime/partition.js";
import type { InputMessage, LedgerRecord } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import { sourceOf } from "../../runtime/subjects.js";
import { oracle } from "../oracle/oracle.js";
import type { Input, ModelWords, OracleRow, SettingsWords } from "../oracle/words.js";
import { kernelModule, SEED } from "../support/kernel-driver.js";

export interface Stored {
  readonly sequence: number;
  readonly stamp: number;
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const READ_MS_MAX = 60_000;

/** Everything that a stream holds, which must begin with 1 and have no hole. */
export async function readStream(broker: Broker, stream: string): Promise<Stored[]> {
  const { last_seq: last, messages: held } = await streamState(broker, stream);
  assert.equal(held, last, `${stream} holds ${held} messages, its last is ${last}`);
  const found: Stored[] = [];
  const reader = new StreamReader(broker, { stream, from: 1, messagesMax: 2_000, bytesMax: 8 << 20 });
  try {
    const signal = AbortSignal.timeout(READ_MS_MAX);
    while (found.length < last) {
      const { messages, missing } = await reader.next(signal);
      signal.throwIfAborted();
      assert.equal(missing, undefined, `${stream} has a hole`);
      for (const message of messages) {
        const { sequence, stamp, subject, body } = message;
        const headers = Object.fromEntries(message.headerNames.map((name) => [name, message.header(name)]));
        if (sequence <= last) found.push({ sequence, stamp, subject, headers, body: body.slice() });
      }
    }
  } finally {
    reader.close();
  }
  found.forEach(({ sequence }, n) => {
    assert.equal(sequence, n + 1, `${stream}: sequences`);
  });
  return found;
}

/** The ledger of an undisturbed run over this input: the same kernel, in this process, nothing around it. */
export function undisturbed(settings: Settings, streams: PartitionStreams, input: readonly Stored[]): LedgerRecord[] {
  const { partition, control, adopted } = streams;
  const own = new Partition({ wasm: kernelModule("release"), settings, partition, seed: SEED, adopted });
  const messages = input.map(
    ({ sequence, stamp, subject, headers, body }): InputMessage => ({
      sequence,
      stamp,
      subject,
      source: sourceOf(settings, subject),
      control: subject === control,
      silent: headers["Tidemark-Silent"] === "1",
      body,
    }),
  );
  const records: LedgerRecord[] = [];
  for (const batch of own.apply(messages)) records.push(...batch);
  return records;
}

/** The ledger must be these records, byte for byte, up to its end; and it must hold all that is from `position` or before. */
export function assertLedger(
  name: string,
  ledger: readonly Stored[],
  wanted: readonly LedgerRecord[],
  position: number,
): void {
  ledger.forEach((record, n) => {
    const expected = wanted[n];
    assert(expected !== undefined, `${name}: record ${record.sequence} is more than the input gives: ${shown(record)}`);
    const told = (what: string) => `${name}: ${what} of record ${record.sequence}`;
    assert.equal(expected.number, record.sequence, told("number"));
    assert.equal(record.subject, expected.subject, told("subject"));
    const own = Object.fromEntries(Object.entries(record.headers).filter(([header]) => !header.startsWith("Nats-")));
    assert.deepEqual(own, decodeHead(expected.head), told("headers"));
    assert(
      Buffer.compare(record.body, expected.body) === 0,
      `${told("body")}: ${shown(record)}, not ${shown(expected)}`,
    );
  });
  const next = wanted[ledger.length];
  assert(
    next === undefined || next.position > position,
    `${name} ends with record ${ledger.length}, but message ${next?.position} of the input gives another one, and ${position} was applied`,
  );
}

/**
 * The gathering stream holds the beginning of the partition's records of this kind, each once and in their order.
 * How many those are.
 */
export function assertGathered(
  gathered: readonly Stored[],
  ledger: readonly Stored[],
  partition: number,
  kind: string,
): number {
  const place = (subject: string) => subject.split(".").slice(subject.split(".").indexOf(kind)).join(".");
  const told = (all: readonly Stored[]) =>
    all
      .filter(({ subject }) => place(subject).startsWith(`${kind}.${partition}.`))
      .map(
        ({ subject, headers, body }) =>
          `${place(subject)} ${headers["Tidemark-Position"]} ${Buffer.from(body).toString("latin1")}`,
      );
  const found = told(gathered);
  const wanted = told(ledger).slice(0, found.length);
  assert.deepEqual(found, wanted, `${kind} of partition ${partition} in the gathering stream`);
  return found.length;
}

function shown({ subject, body }: { subject: string; body: Uint8Array }): string {
  return `${subject} ${Buffer.from(body.subarray(0, 400)).toString("utf8")}`;
}

/** What the oracle says of the input up to `position` at `instant`. */
export function oracleRows(
  models: readonly ModelWords[],
  words: SettingsWords,
  control: string,
  input: readonly Stored[],
  position: number,
  instant: number,
): OracleRow[] {
  const told = oracle(
    models,
    words,
    input.slice(0, position).map((message) => wordsOf(message, control)),
    [instant],
  );
  return told.states.get(instant) ?? [];
}

/** A message as the oracle takes it. */
function wordsOf({ subject, stamp, headers, body }: Stored, control: string): Input {
  const silent = headers["Tidemark-Silent"] === "1";
  const text = Buffer.from(body).toString("utf8");
  if (subject === control) {
    const { type } = JSON.parse(text) as { type: string };
    // The first `model` message says what holds already: it moves the clock like a tick.
    return type === "live" ? { at: stamp, live: true } : { tick: stamp };
  }
  let value: unknown;
  try {
    value = /^[\s{[]/.test(text) ? JSON.parse(text) : decode(body);
  } catch {
    return { at: stamp, silent, raw: text };
  }
  return Array.isArray(value) ? { at: stamp, silent, message: value } : { at: stamp, silent, event: value };
}
