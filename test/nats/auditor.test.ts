/** The audit in idle time: silent where all is well; a row that memory has changed is counted and told. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createEngine, type Engine } from "../../connectors/engine.js";
import { Auditor } from "../../connectors/nats/auditor.js";
import type { Broker } from "../../connectors/nats/broker.js";
import type { OwnerStatus } from "../../connectors/nats/owner.js";
import { ensureOrdersStreams } from "../../connectors/nats/streams.js";
import { Kernel } from "../../runtime/kernel.js";
import type { Partition } from "../../runtime/partition.js";
import { baseSettings, DAY, EPOCH, modelSets } from "../properties/streams.js";
import { settled } from "../support/engine.js";
import { kernelModule, messageOf, partitionOf, SEED, settingsOf } from "../support/kernel-driver.js";
import { serverVersions, TestServer } from "../support/nats.js";
import { publish, settingsWith, shop } from "../support/shop.js";

/** Two rows of one line each, as test/core/audit.test.ts has it. */
const CUSTOMER_BYTES = 128;

/** Not by itself: each look is asked for. */
function auditorOf(settings = settingsWith({ partitions: 1 })) {
  const partition = partitionOf("debug", settings);
  const events = Array.from({ length: 360 }, (_, n) => ({
    id: `o${n}`,
    customer: `c${n % 90}`,
    time: EPOCH,
    amount: n,
  }));
  for (const _ of partition.records([messageOf({ at: EPOCH + DAY, message: events }, 1, settings)]));
  const notes: string[] = [];
  const state = { idle: true };
  const auditor = new Auditor({ partition, isIdle: () => state.idle, note: (text) => notes.push(text) }, (error) => {
    throw error;
  });
  auditor.stop();
  return { partition, auditor, notes, state };
}

test("some customers a look, all of them in turn, none while there is work", () => {
  const { auditor, notes, state } = auditorOf();
  auditor.look();
  expect(auditor.status).toEqual({ rows: 16, differences: 0 });
  state.idle = false;
  auditor.look();
  expect(auditor.status.rows).toBe(16);
  state.idle = true;
  for (let look = 0; look < 5; look++) auditor.look();
  expect(auditor.status.rows).toBeGreaterThan(3 * 16);
  expect(auditor.status.differences).toBe(0);
  expect(notes).toEqual([]);
});

test("partitions of a thread look one after the other", () => {
  vi.useFakeTimers();
  try {
    const looks = Array.from({ length: 8 }, () => 0);
    const auditors = looks.map((_, partition) => {
      const isIdle = () => {
        looks[partition] = (looks[partition] as number) + 1;
        return false;
      };
      return new Auditor({ partition: { partition } as Partition, isIdle, note: () => {} }, (error) => {
        throw error;
      });
    });
    for (let ms = 0, before = 0; ms < 1_000; ms++) {
      vi.advanceTimersByTime(1);
      const all = looks.reduce((sum, count) => sum + count, 0);
      expect(all - before).toBeLessThanOrEqual(1);
      before = all;
    }
    for (const count of looks) expect(count).toBeGreaterThanOrEqual(9);
    for (const auditor of auditors) auditor.stop();
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test("differences are counted, and told up to a limit", () => {
  const settings = settingsOf(modelSets[2] ?? [], baseSettings);
  const { partition, auditor, notes } = auditorOf(settings);
  const { exports } = new Kernel({
    wasm: kernelModule("debug"),
    settings,
    partition: 0,
    seed: SEED,
    checksPartition: false,
  });
  const at = (name: string) => Number((exports[name] as WebAssembly.Global).value);
  const memory = partition.memory();
  // A count of each of the first customers, as test/core/audit.test.ts has it.
  for (let number = 1; number <= 12; number++) {
    const place = at("customers") - at("STATUS") + number * CUSTOMER_BYTES + 48;
    memory[place] = (memory[place] as number) ^ 1;
  }
  auditor.look();
  expect(auditor.status.differences).toBe(12);
  expect(notes).toHaveLength(9);
  expect(notes[0]).toBe("partition 0: audit: customer c0: value of mini frequency is 5, its orders come to 4");
  expect(notes[8]).toBe("partition 0: audit: and 4 more differences");
});

describe.each(serverVersions.slice(-1))("in an engine on nats-server $version", ({ binary }) => {
  let server: TestServer;
  let broker: Broker;
  let engine: Engine | undefined;
  beforeEach(async () => {
    server = await TestServer.start(binary);
    broker = await server.connect();
  });
  afterEach(async () => {
    await engine?.stop();
    await server.stop();
  });

  test("every row is recounted while nothing comes", async () => {
    const settings = settingsWith();
    await ensureOrdersStreams(broker, settings);
    await publish(broker, settings, shop(1_000, Date.now() - 50 * DAY, 4_000_000));
    engine = createEngine({ settings, broker: { servers: server.url } });
    await engine.start();
    await settled(engine);
    const audited = async () =>
      ((await (engine as Engine).status()) as OwnerStatus[]).reduce((sum, { audit }) => sum + audit.rows, 0);
    await expect.poll(audited, { timeout: 30_000 }).toBeGreaterThan(311);
    for (const { audit } of await engine.status()) expect(audit.differences).toBe(0);
  });
});
