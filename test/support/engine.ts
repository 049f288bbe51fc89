/** A running engine, its inputs and its ledgers, as tests on real servers look at them. */
import { expect } from "vitest";
import type { Engine } from "../../connectors/engine.js";
import type { Broker } from "../../connectors/nats/broker.js";
import type { OwnerStatus } from "../../connectors/nats/owner.js";
import { type StreamMessage, StreamReader } from "../../connectors/nats/reader.js";
import { partitionStreams } from "../../connectors/nats/streams.js";
import { KINDS, OUTCOMES, type Outcome, REASONS, type Reason } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import { type StateRow, stateLine } from "../../runtime/state.js";

const never = new AbortController().signal;

/** All that the stream holds now, in order. */
export async function messagesOf(broker: Broker, stream: string): Promise<StreamMessage[]> {
  // Retried: a broker that was just restarted takes its time.
  const { state } = await broker.apiRetried<{ state: { first_seq: number; messages: number } }>(
    `STREAM.INFO.${stream}`,
    {},
    undefined,
    never,
  );
  const reader = new StreamReader(broker, { stream, from: state.first_seq, messagesMax: 1_000, bytesMax: 2_000_000 });
  const found: StreamMessage[] = [];
  while (found.length < state.messages) found.push(...(await reader.next(never, 10_000)).messages);
  reader.close();
  return found.slice(0, state.messages);
}

/** One line a record: number, subject, headers (but the broker's own), body. */
export async function ledgerLines(broker: Broker, stream: string): Promise<string[]> {
  return (await messagesOf(broker, stream)).map((message) => {
    const headers = message.headerNames
      .filter((name) => !name.startsWith("Nats-"))
      .map((name) => `${name}=${message.header(name)}`);
    return `${message.sequence} ${message.subject} ${headers.join(" ")} ${new TextDecoder().decode(message.body)}`;
  });
}

/** Of all partitions, in order. */
export async function allLedgerLines(broker: Broker, settings: Settings): Promise<string[]> {
  const lines: string[] = [];
  for (const { ledger } of partitionStreams(settings)) lines.push(...(await ledgerLines(broker, ledger)));
  return lines;
}

/** Waits until everything in the input was applied and everything it caused is stored. */
export async function settled(engine: Engine, msMax = 45_000): Promise<OwnerStatus[]> {
  const isSettled = (p: OwnerStatus) =>
    p.state === "running" && p.live && p.position >= p.streamLast && p.overdue === null && p.ledgerInFlight === 0;
  for (const end = performance.now() + msMax; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    const found = (await engine.status()) as OwnerStatus[];
    if (found.filter(isSettled).length === partitionStreams(engine.settings).length) return found;
    if (performance.now() > end) throw new Error(`not settled within ${msMax} ms: ${JSON.stringify(found)}`);
  }
}

/** Waits until the engine calls itself ready: its workers report several times a second. Says which checks are not met. */
export async function ready(engine: Engine, msMax = 45_000): Promise<void> {
  const unmet = () => {
    const { ok, checks } = engine.ready();
    return ok ? {} : Object.fromEntries(Object.entries(checks).filter(([, check]) => !check.ok));
  };
  await expect.poll(unmet, { timeout: msMax, interval: 50 }).toEqual({});
}

/** Items by outcome, over all kinds and partitions. */
export function outcomes(status: readonly OwnerStatus[]): Record<Outcome, number> {
  const sum = (o: number) =>
    status.reduce((all, { stats }) => all + KINDS.reduce((each, _, k) => each + (stats.events[k]?.[o] ?? 0), 0), 0);
  return Object.fromEntries(OUTCOMES.map((outcome, o) => [outcome, sum(o)])) as Record<Outcome, number>;
}

/** Dead letters by reason, over all partitions; only what is not 0. */
export function deadCounts(status: readonly OwnerStatus[]): Partial<Record<Reason, number>> {
  const counts = REASONS.map(
    (reason, r) => [reason, status.reduce((sum, { stats }) => sum + (stats.dead[r] ?? 0), 0)] as const,
  );
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

/** The State CSV's lines and the instant at which they are exact. */
export async function stateOf(engine: Engine): Promise<{ instant: number; lines: string[]; rows: StateRow[] }> {
  const { instant, rows: parts } = await engine.state();
  const rows: StateRow[] = [];
  for await (const part of parts) rows.push(...part);
  return { instant, lines: rows.map((row) => stateLine(instant, row)), rows };
}
