/** What a worker does for an answer about the state, with owners that run on real servers. */
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Broker } from "../../connectors/nats/broker.js";
import { emptyCheckpointCounts } from "../../connectors/nats/checkpointer.js";
import { PartitionOwner } from "../../connectors/nats/owner.js";
import { StateAnswers } from "../../connectors/nats/stateanswers.js";
import { ensureStreams } from "../../connectors/nats/streams.js";
import { kernelModule } from "../support/kernel-driver.js";
import { serverVersions, TestServer } from "../support/nats.js";
import { publish, settingsWith } from "../support/shop.js";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

const settings = settingsWith({ partitions: 2 });
/** Of a pause that is not to end by itself. */
const LONG_MS = 600_000;
/** A busy machine takes its time. */
const PATIENCE = { timeout: 20_000 };

describe.each(serverVersions)("answers about the state on nats-server $version", ({ binary }) => {
  const closing: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  /** Owners of both partitions, with an order in each. */
  async function owners(): Promise<{ broker: Broker; owners: [PartitionOwner, PartitionOwner] }> {
    const server = await TestServer.start(binary);
    closing.push(() => server.stop());
    const broker = await server.connect();
    const streams = await ensureStreams(broker, settings);
    const stop = new AbortController();
    const [first, second] = streams.map((streams) => {
      const owner = new PartitionOwner({
        ...{ broker, settings, streams, wasm: kernelModule("release"), seed: new Uint8Array(16) },
        ...{ applyModel: "no", accepted: { gap: false, rewind: false, ledger: false }, store: undefined },
        checkpoints: { everyMs: 60_000, messagesMax: 1_000 },
        counts: emptyCheckpointCounts(),
        note: () => undefined,
      });
      const running = owner.run(stop.signal);
      closing.push(() => running);
      return owner;
    });
    closing.push(() => stop.abort());
    if (first === undefined || second === undefined) throw new Error("there are two partitions");
    await publish(broker, settings, orders(0));
    await expect
      .poll(() => [first, second].map(({ state, partition }) => [state, partition?.state().length]), PATIENCE)
      .toEqual([
        ["running", 1],
        ["running", 1],
      ]);
    return { broker, owners: [first, second] };
  }

  /** One for each partition. */
  function orders(n: number) {
    const time = Date.now();
    return ["c1", "c4"].map((customer) => ({ id: `o${n}`, customer, time, amount: 100 }));
  }

  const figures = (owner: PartitionOwner) => owner.partition?.state().map(({ ordersEver }) => ordersEver);

  test("partitions apply nothing from their pause on until their rows are taken", async () => {
    const { broker, owners: both } = await owners();
    const states = new StateAnswers(LONG_MS);
    states.open(1);
    const parts = await Promise.all(both.map((owner) => states.pause(1, owner, true)));
    await publish(broker, settings, orders(1));
    await expect.poll(() => both.map(({ pending }) => pending), PATIENCE).toEqual([1, 1]);
    expect(both.map((owner) => owner.partition?.position.sequence)).toEqual(parts.map(({ sequence }) => sequence));
    const instant = Math.max(...parts.map(({ clock }) => clock));
    const taken = await states.take(1, instant);
    expect(taken?.toSorted((a, b) => a.partition - b.partition)).toEqual([
      { partition: 0, rows: 1 },
      { partition: 1, rows: 1 },
    ]);
    await expect.poll(() => both.map(figures), PATIENCE).toEqual([[2], [2]]);
    expect([0, 1].flatMap((partition) => states.rows(1, partition, 0, 10))).toMatchObject([
      { ordersEver: 1 },
      { ordersEver: 1 },
    ]);
    expect(states.count).toBe(1);
    states.close(1);
    expect(states.count).toBe(0);
    expect(states.rows(1, 0, 0, 10)).toEqual([]);
  });

  test("a pause ends by itself, and no rows are taken then; the next one serves", async () => {
    const { broker, owners: both } = await owners();
    const states = new StateAnswers();
    states.open(1);
    await Promise.all(both.map((owner) => states.pause(1, owner, true)));
    await publish(broker, settings, orders(1));
    await expect.poll(() => both.map(figures), PATIENCE).toEqual([[2], [2]]);
    expect(await states.take(1, Date.now())).toBeNull();
    expect(states.pausesCut).toBe(2);
    await Promise.all(both.map((owner) => states.pause(1, owner, true)));
    expect(await states.take(1, Date.now())).toHaveLength(2);
    expect(states.pausesCut).toBe(2);
  });

  test("an answer that is given up ends its pauses; one that was never opened pauses nothing", async () => {
    const { broker, owners: both } = await owners();
    const states = new StateAnswers(LONG_MS);
    states.open(1);
    states.open(2);
    expect(() => states.open(3)).toThrow(/too many/);
    expect(states.refused).toBe(1);
    await Promise.all(both.map((owner) => states.pause(1, owner, true)));
    states.close(1);
    expect(await states.take(1, Date.now())).toBeNull();
    await Promise.all(both.map((owner) => states.pause(3, owner, true)));
    await publish(broker, settings, orders(1));
    await expect.poll(() => both.map(figures), PATIENCE).toEqual([[2], [2]]);
    expect(states.pausesCut).toBe(0);
  });
});
