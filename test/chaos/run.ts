/** One run of the kill loop: orders and faults by the seed, then the whole comparison. */
import { assert } from "vitest";
import type { PartitionStatus } from "../../connectors/edge.js";
import type { Broker } from "../../connectors/nats/broker.js";
import { OrdersPublisher } from "../../connectors/nats/publisher.js";
import { ensureStreams, type PartitionStreams, streamState } from "../../connectors/nats/streams.js";
import { compileSettings } from "../../runtime/config/index.js";
import { stateLine } from "../../runtime/state.js";
import { deadStream, migrationsStream } from "../../runtime/subjects.js";
import { tidemark } from "../cli/tidemark.js";
import type { SettingsWords } from "../oracle/words.js";
import { Deployment, sleep } from "./deployment.js";
import { planOf } from "./plan.js";
import {
  FUTURE_TOLERANCE,
  HORIZON,
  MODELS,
  NAME,
  PARK_FOR,
  PARTITIONS,
  type Publication,
  publicationsOf,
} from "./shop.js";
import { assertGathered, assertLedger, oracleRows, readStream, type Stored, undisturbed } from "./verify.js";

export interface ChaosOptions {
  readonly binary: string;
  readonly seed: number;
  /** Of the faults; the orders go on as long. */
  readonly durationMs: number;
  readonly meanGapMs: number;
  readonly customers: number;
}

/** What a run has passed. */
export interface Passed {
  readonly faults: Readonly<Record<string, number>>;
  readonly engineStarts: number;
  /** Partitions that went on from a checkpoint, and checkpoints that could not be used. */
  readonly restores: number;
  readonly fallbacks: number;
  readonly messages: number;
  readonly records: number;
  readonly rows: number;
}

const SETTLE_MS_MAX = 120_000;
const CONFIG = {
  name: NAME,
  partitions: PARTITIONS,
  workers: 2,
  horizon: HORIZON,
  parkFor: PARK_FOR,
  futureTolerance: FUTURE_TOLERANCE,
  tickMs: 25,
  capacity: { customers: 20_000, entries: 100_000, idBytes: 800_000 },
  sources: [{ name: "orders", channel: "web" }],
  models: MODELS,
};
const WORDS: SettingsWords = {
  horizon: HORIZON,
  parkFor: PARK_FOR,
  futureTolerance: FUTURE_TOLERANCE,
  channel: "web",
  history: true,
};

export async function chaos({ binary, seed, durationMs, meanGapMs, customers }: ChaosOptions): Promise<Passed> {
  const settings = compileSettings(CONFIG as Parameters<typeof compileSettings>[0]);
  const deployment = await Deployment.start(binary, CONFIG, seed % 2 === 0 ? "object" : "folder");
  const { broker, main } = deployment;
  try {
    const streams = await ensureStreams(broker, settings);
    const publisher = new OrdersPublisher(broker, settings);
    const startAt = Date.now();
    const publications = publicationsOf(seed, customers, startAt, durationMs);
    const history = publications.filter(({ at }) => at < 0);
    const live = publications.slice(history.length);
    const publish = ({ partition, channel, body, silent, id }: Publication) =>
      publisher.publish(partition, channel, body, id === undefined ? { silent } : { silent, id });
    for (const one of history) await publish(one);
    await publisher.flush();

    main.start();
    const begun = performance.now();
    const passed = () => performance.now() - begun;
    const faults = planOf(seed, durationMs, meanGapMs);
    const disturbing = (async () => {
      for (const fault of faults) {
        await sleep(fault.at - passed());
        deployment.inflict(fault);
      }
    })();
    for (const one of live) {
      if (one.at > passed()) await sleep(one.at - passed());
      await publish(one);
    }
    await disturbing;
    await deployment.settled();
    await publisher.flush();
    publisher.close();

    const lasts = await Promise.all(streams.map(async ({ input }) => (await streamState(broker, input)).last_seq));
    const page = await settled(deployment, lasts);
    const state = await tidemark(["state", "--url", page]);
    assert.equal(state.code, 0, state.stderr);
    const positions = streams.map(({ partition }) =>
      Number(new RegExp(`[ ,]${partition}=(\\d+)`).exec(state.stderr)?.[1]),
    );
    const recorded = await gathered(broker, streams);
    assert.equal(await main.stop(), 0, "exit code of the engine that was stopped in order");
    assert.deepEqual(deployment.failures, [], "engines that ended by themselves");

    const inputs = await Promise.all(streams.map(({ input }) => readStream(broker, input)));
    assertPublished(publications, inputs);
    const ledgers = await Promise.all(streams.map(({ ledger }) => readStream(broker, ledger)));
    const migrations = await readStream(broker, migrationsStream({ name: NAME, layout: 1 }));
    const dead = await readStream(broker, deadStream({ name: NAME, layout: 1 }));
    const lines = state.stdout.trimEnd().split("\n").slice(1);
    const instant = Number(lines[0]?.split(",")[0]);
    const expected: string[] = [];
    for (const [p, input] of inputs.entries()) {
      const partition = streams[p] as (typeof streams)[number];
      const position = positions[p] as number;
      assert((lasts[p] as number) <= position, "the state is true behind the last order");
      assertLedger(partition.ledger, ledgers[p] as Stored[], undisturbed(settings, partition, input), position);
      const copies = ["migrations", "dead"].map((kind, i) =>
        assertGathered([migrations, dead][i] as Stored[], ledgers[p] as Stored[], p, kind),
      );
      const missing = (recorded[p] as number) - copies.reduce((sum, one) => sum + one);
      assert(missing <= 0, `${missing} records of partition ${p} are missing in the gathering streams`);
      for (const row of oracleRows(MODELS, WORDS, partition.control, input, position, instant)) {
        expected.push(
          stateLine(instant, {
            ...row,
            lastOrder: row.last_order_ms,
            firstOrder: row.first_order_ms,
            ordersEver: row.orders_ever,
            spendEver: row.spend_ever,
          }),
        );
      }
    }
    assert.deepEqual([...lines].sort(), expected.sort(), `state at ${instant}`);
    const count = (all: readonly (readonly unknown[])[]) => all.reduce((sum, { length }) => sum + length, 0);
    return {
      faults: deployment.counts,
      engineStarts: deployment.engineStarts,
      restores: deployment.restores,
      fallbacks: deployment.fallbacks,
      messages: count(inputs),
      records: count(ledgers),
      rows: lines.length,
    };
  } catch (error) {
    console.error(`${deployment.trace()}\n`);
    throw error;
  } finally {
    await deployment.stop();
  }
}

/** Waits until every partition runs and has applied what its stream held. Returns the page. */
async function settled({ main, failures }: Deployment, lasts: readonly number[]): Promise<string> {
  const end = performance.now() + SETTLE_MS_MAX;
  let last: unknown = "it does not answer";
  while (performance.now() < end) {
    if (failures.length > 0) throw new Error(`an engine ended by itself: ${failures.join("\n")}`);
    try {
      const { page } = main;
      const answer = await fetch(`${page}/api/status`, { signal: AbortSignal.timeout(5_000) });
      const { partitions } = (await answer.json()) as { partitions: PartitionStatus[] };
      last = partitions;
      if (
        lasts.every((sequence, p) => (partitions[p]?.position ?? 0) >= sequence && partitions[p]?.state === "running")
      )
        return page;
    } catch (error) {
      last = error;
    }
    await sleep(100);
  }
  throw new Error(`the engine does not reach ${lasts.join()} within ${SETTLE_MS_MAX} ms: ${JSON.stringify(last)}`);
}

/**
 * Waits until the gathering streams hold as many records as the ledgers do now: the broker, or the engine, copies them
 * behind. How many the ledgers hold, by partition.
 */
async function gathered(broker: Broker, streams: readonly PartitionStreams[]): Promise<number[]> {
  const lastOf = async (stream: string) => (await streamState(broker, stream)).last_seq;
  const recorded = await Promise.all(streams.map(({ ledger }) => lastOf(ledger)));
  const wanted = recorded.reduce((sum, one) => sum + one, 0);
  const layout = { name: NAME, layout: 1 };
  let found = 0;
  for (const end = performance.now() + SETTLE_MS_MAX; performance.now() < end; await sleep(100)) {
    found = (await lastOf(migrationsStream(layout))) + (await lastOf(deadStream(layout)));
    if (found >= wanted) return recorded;
  }
  throw new Error(`the gathering streams hold ${found} of ${wanted} records after ${SETTLE_MS_MAX} ms`);
}

/** Every order that the broker acknowledged is in a stream. */
function assertPublished(publications: readonly Publication[], inputs: readonly (readonly Stored[])[]): void {
  const held = inputs.map((input) => new Set(input.map(({ body }) => Buffer.from(body).toString("latin1"))));
  const lost = publications.filter(
    ({ partition, body }) => !held[partition]?.has(Buffer.from(body).toString("latin1")),
  );
  assert.equal(lost.length, 0, "messages that were acknowledged and are in no stream");
}
