import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { createEngine, type Engine, type EngineOptions } from "../../connectors/engine.js";
import { CheckpointFolder } from "../../connectors/file/checkpointfolder.js";
import type { Broker } from "../../connectors/nats/broker.js";
import { emptyCheckpointCounts } from "../../connectors/nats/checkpointer.js";
import { keep } from "../../connectors/nats/keeper.js";
import type { PartitionOwner } from "../../connectors/nats/owner.js";
import { ensureOrdersStreams, type PartitionStreams, partitionStreams } from "../../connectors/nats/streams.js";
import { Partition } from "../../runtime/partition.js";
import type { Settings } from "../../runtime/settings.js";
import { allLedgerLines as ledgers, settled } from "../support/engine.js";
import { kernelModule } from "../support/kernel-driver.js";
import { CutProxy, serverVersions, TestServer } from "../support/nats.js";
import { DAY, never, publish, settingsWith, shop } from "../support/shop.js";

describe.each(serverVersions)("recovery on nats-server $version", ({ binary }) => {
  let server: TestServer;
  let broker: Broker;
  let folder = "";
  let notes: string[] = [];
  const engines: Engine[] = [];
  /** What does not depend on the server is shown on one. */
  const once = test.runIf(binary === serverVersions.at(-1)?.binary);
  const one = (change: object = {}) => settingsWith({ partitions: 1, ...change });
  const orders = shop(1_200, Date.now() - 100 * DAY, (100 * DAY) / 1_200);

  beforeEach(async () => {
    server = await TestServer.start(binary);
    broker = await server.connect();
    folder = mkdtempSync(join(tmpdir(), "tidemark-checkpoints-"));
    notes = [];
  });
  afterEach(async () => {
    for (const engine of engines.splice(0)) await engine.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** With checkpoints in the folder, so often that tests need not wait. */
  const start = async (settings: Settings, more: Partial<EngineOptions> = {}) => {
    const checkpoints = { folder, everyMs: 100, messagesMax: 1_000_000 };
    const onNote = (text: string) => notes.push(text);
    const engine = createEngine({ settings, broker: { servers: server.url }, checkpoints, onNote, ...more });
    engines.push(engine);
    await engine.start();
    return engine;
  };
  const stop = async () => {
    for (const engine of engines.splice(0)) await engine.stop();
  };
  const checkpointAt = async (engine: Engine, partition = 0) => (await engine.status())[partition]?.checkpoint;
  /** Waits until the last message applied is in a checkpoint. */
  const saved = async (engine: Engine) => {
    await settled(engine);
    await expect
      .poll(async () => (await engine.status()).every((p) => p.checkpoint.position === p.position), { timeout: 30_000 })
      .toBe(true);
  };
  const files = (partition = 0) => {
    const path = join(folder, "t", String(partition));
    return readdirSync(path)
      .filter((name) => name.endsWith(".checkpoint"))
      .sort()
      .map((name) => join(path, name));
  };
  const flip = (path: string) => {
    const bytes = readFileSync(path);
    const at = bytes.length >> 1;
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(path, bytes);
  };
  const purge = (stream: string, seq: number) => broker.api(`STREAM.PURGE.${stream}`, { seq });
  const forgetLedgers = async (settings: Settings) => {
    for (const { ledger } of partitionStreams(settings)) await broker.api(`STREAM.DELETE.${ledger}`);
    for (const stream of ["t_migrations", "t_dead"]) await broker.api(`STREAM.DELETE.${stream}`);
  };
  /** The ledgers that an engine makes of the whole input, undisturbed. */
  const undisturbed = async (settings: Settings) => {
    await stop();
    await forgetLedgers(settings);
    await settled(await start(settings, { checkpoints: undefined }));
    return ledgers(broker, settings);
  };
  /** First orders, checkpoint, more orders, checkpoint. */
  const twoCheckpoints = async (settings: Settings) => {
    const engine = await start(settings);
    // Its control messages are the first of the input.
    await settled(engine);
    await publish(broker, settings, orders.slice(0, 500));
    await saved(engine);
    await publish(broker, settings, orders.slice(500, 800));
    await saved(engine);
    await stop();
    expect(files()).toHaveLength(2);
  };
  const failure = async (engine: Engine): Promise<{ code: string; message: string; remedy: string }> => {
    try {
      return await engine.failed;
    } catch (error) {
      return error as { code: string; message: string; remedy: string };
    }
  };

  test.each(["folder", "object store"])(
    "a restart goes on from the %s's checkpoint, with the same bytes",
    async (where) => {
      const settings = settingsWith({ partitions: 3, workers: 2 });
      const checkpoints = { everyMs: 100, messagesMax: 1_000_000, ...(where === "folder" ? { folder } : {}) };
      const first = await start(settings, { checkpoints });
      await publish(broker, settings, orders.slice(0, 700));
      await saved(first);
      await stop();
      await publish(broker, settings, orders.slice(700));
      const second = await start(settings, { checkpoints });
      const status = await settled(second);
      for (const { checkpoint } of status) expect(checkpoint).toMatchObject({ restores: 1, fallbacks: 0, failures: 0 });
      // The workers tell it several times a second.
      await expect
        .poll(() => second.ready().checks.checkpoints)
        .toEqual({
          ok: true,
          detail: "3 of 3 partitions restored from a checkpoint, 0 not begun",
        });
      const found = await ledgers(broker, settings);
      expect(found).toEqual(await undisturbed(settings));
    },
  );

  test("however old the checkpoint is, nothing is lost and nothing twice", async () => {
    const settings = one();
    const engine = await start(settings);
    await publish(broker, settings, orders.slice(0, 300));
    await saved(engine);
    const old = `${folder}-old`;
    cpSync(folder, old, { recursive: true });
    await publish(broker, settings, orders.slice(300));
    await saved(engine);
    await stop();
    rmSync(folder, { recursive: true });
    cpSync(old, folder, { recursive: true });
    rmSync(old, { recursive: true });
    const again = await start(settings);
    const [status] = await settled(again);
    expect(status?.checkpoint.restores).toBe(1);
    const found = await ledgers(broker, settings);
    expect(found).toEqual(await undisturbed(settings));
  });

  once(
    "a bad checkpoint is noted and put aside, and the one before it taken; without any, the input's start",
    async () => {
      const settings = one();
      await twoCheckpoints(settings);
      const [older, newest] = files() as [string, string];
      flip(newest);
      const first = await start(settings);
      expect((await settled(first))[0]?.checkpoint).toMatchObject({ restores: 1, fallbacks: 1 });
      expect(notes.join("\n")).toContain("CHECKPOINT_CORRUPT");
      expect(readdirSync(join(folder, "t", "0")).filter((name) => name.endsWith(".bad"))).toHaveLength(1);
      await saved(first);
      await stop();
      for (const path of files()) truncateSync(path, 1_000);
      const second = await start(settings);
      expect((await settled(second))[0]?.checkpoint).toMatchObject({ restores: 0, fallbacks: 2 });
      expect(older).not.toBe(newest);
      const found = await ledgers(broker, settings);
      expect(found).toEqual(await undisturbed(settings));
    },
  );

  once("bad checkpoints stop it where the input's start is gone, and a copy put back goes on", async () => {
    const settings = one();
    await twoCheckpoints(settings);
    const copy = `${folder}-copy`;
    cpSync(folder, copy, { recursive: true });
    for (const path of files()) flip(path);
    await purge("t_orders_0", 200);
    const refused = await failure(await start(settings));
    expect(refused.code).toBe("CHECKPOINT_CORRUPT");
    expect(refused.message).toContain("messages 1 to 199 of stream t_orders_0 are gone");
    await stop();
    cpSync(copy, folder, { recursive: true });
    rmSync(copy, { recursive: true });
    await publish(broker, settings, orders.slice(800));
    expect((await settled(await start(settings)))[0]?.checkpoint).toMatchObject({ restores: 1, fallbacks: 0 });
  });

  test("STREAM_GAP without any checkpoint: --accept-gap begins with what the stream holds", async () => {
    const settings = one();
    await twoCheckpoints(settings);
    rmSync(folder, { recursive: true });
    await purge("t_orders_0", 200);
    const refused = await failure(await start(settings));
    expect(refused).toMatchObject({ code: "STREAM_GAP", remedy: expect.stringContaining("--accept-gap") });
    await stop();
    const last = (await ledgers(broker, settings)).length;
    const engine = await start(settings, { accepted: { gap: true, ledger: true } });
    await settled(engine);
    await publish(broker, settings, orders.slice(800));
    expect((await settled(engine))[0]?.ledgerNumber).toBeGreaterThan(last);
  });

  test("STREAM_GAP while it runs: messages gone before they were read; --accept-gap goes on behind them", async () => {
    const settings = one();
    const proxy = await CutProxy.start(server.port);
    const engine = await start(settings, { broker: { servers: proxy.url } });
    await publish(broker, settings, orders.slice(0, 300));
    await saved(engine);
    const [{ position } = { position: 0 }] = await engine.status();
    // The line is down while orders come and go.
    const { port } = proxy.server.address() as { port: number };
    proxy.server.close();
    proxy.cut();
    await publish(broker, settings, orders.slice(300, 400));
    await purge("t_orders_0", position + 51);
    proxy.server.listen(port, "127.0.0.1");
    const refused = await failure(engine);
    expect(refused.code).toBe("STREAM_GAP");
    expect(refused.message).toContain(`50 messages (${position + 1} to ${position + 50})`);
    expect(refused.remedy).toContain("--accept-gap");
    await stop();
    const again = await start(settings, { accepted: { gap: true } });
    const [status] = await settled(again);
    expect(status?.messagesLost).toBe(50);
    expect(status?.checkpoint.restores).toBe(1);
    await proxy.stop();
  });

  test("STREAM_REWOUND: --accept-rewind and --accept-ledger go on without what the stream has lost", async () => {
    const settings = one();
    await twoCheckpoints(settings);
    const before = (await ledgers(broker, settings)).length;
    // A stream restored from an old copy, that has grown again past the position since.
    await broker.api("STREAM.DELETE.t_orders_0");
    await ensureOrdersStreams(broker, settings);
    await publish(broker, settings, [...orders.slice(0, 400), ...orders.slice(800, 1_300)]);
    const refused = await failure(await start(settings));
    expect(refused).toMatchObject({ code: "STREAM_REWOUND", remedy: expect.stringContaining("--accept-rewind") });
    await stop();
    const diverged = await failure(await start(settings, { accepted: { rewind: true } }));
    expect(diverged).toMatchObject({ code: "LEDGER_DIVERGED", remedy: expect.stringContaining("--accept-ledger") });
    await stop();
    const engine = await start(settings, { accepted: { rewind: true, ledger: true } });
    const [status] = await settled(engine);
    expect(status?.ledgerNumber).toBeGreaterThanOrEqual(before);
    await publish(broker, settings, [{ id: "new", customer: "new", time: Date.now(), amount: 9_900 }]);
    await saved(engine);
    await stop();
    // From here on it is an input like any other.
    const last = await start(settings);
    expect((await settled(last))[0]?.checkpoint).toMatchObject({ restores: 1, fallbacks: 0 });
    expect((await ledgers(broker, settings)).at(-1)).toContain('"subject":"new"');
  });

  test("STREAM_REWOUND is found after a reconnect, too", async () => {
    const settings = one();
    const engine = await start(settings);
    await publish(broker, settings, orders.slice(0, 100));
    await saved(engine);
    await broker.api("STREAM.DELETE.t_orders_0");
    await ensureOrdersStreams(broker, settings);
    await publish(broker, settings, orders.slice(0, 300));
    await server.restart("SIGKILL");
    expect((await failure(engine)).code).toBe("STREAM_REWOUND");
  });

  test("LEDGER_REWOUND: lost records are made again from an older checkpoint, or from the input's start", async () => {
    const settings = one();
    await twoCheckpoints(settings);
    const before = await ledgers(broker, settings);
    await forgetLedgers(settings);
    const engine = await start(settings);
    expect((await settled(engine))[0]?.checkpoint).toMatchObject({ restores: 0, fallbacks: 2 });
    expect(notes.join("\n")).toContain("does not serve");
    expect(await ledgers(broker, settings)).toEqual(before);
  });

  test("LEDGER_REWOUND where the input's start is gone: its remedy lets the numbers go on", async () => {
    const settings = one();
    await twoCheckpoints(settings);
    await forgetLedgers(settings);
    await purge("t_orders_0", 100);
    // One record, as if the rest had not been synced.
    await (await start(settings, { checkpoints: undefined })).stop();
    await broker.publishStored("t.migrations.0.lost", new TextEncoder().encode("{}"));
    const refused = await failure(await start(settings));
    expect(refused.code).toBe("LEDGER_REWOUND");
    await stop();
    // A store of 2.9.10 is read by the newer server, too.
    const newest = serverVersions.at(-1)?.binary ?? binary;
    if (newest !== binary) {
      Object.assign(server, { binary: newest });
      await server.restart();
    }
    const [, stream = "", seq = ""] = /nats stream purge (\S+) --seq (\d+)/.exec(refused.remedy) ?? [];
    await broker.apiRetried(`STREAM.PURGE.${stream}`, { seq: Number(seq) }, 10_000);
    const engine = await start(settings);
    expect((await settled(engine))[0]?.checkpoint).toMatchObject({ restores: 1, fallbacks: 0 });
    await publish(broker, settings, [{ id: "new", customer: "new", time: Date.now(), amount: 9_900 }]);
    await settled(engine);
    const { message } = await broker.api<{ message: { data: string } }>(`STREAM.MSG.GET.${stream}`, {
      seq: Number(seq),
    });
    expect(Buffer.from(message.data, "base64").toString()).toContain('"subject":"new"');
  });

  test("LEDGER_DIVERGED: --accept-ledger goes on behind a record that is not ours; or the ledger is made again", async () => {
    const settings = one();
    await twoCheckpoints(settings);
    const before = await ledgers(broker, settings);
    await broker.publishStored("t.migrations.0.strange", new TextEncoder().encode("{}"));
    await publish(broker, settings, orders.slice(800));
    const refused = await failure(await start(settings));
    expect(refused.code).toBe("LEDGER_DIVERGED");
    for (const flag of ["--accept-ledger", "--discard-checkpoints"]) expect(refused.remedy).toContain(flag);
    await stop();
    await settled(await start(settings, { accepted: { ledger: true } }));
    await stop();
    // The other way.
    await forgetLedgers(settings);
    await settled(await start(settings, { discardCheckpoints: true }));
    expect((await ledgers(broker, settings)).slice(0, before.length)).toEqual(before);
  });

  once(
    "CLOCK_JUMP: nothing of it is applied; a larger clockJumpMax takes it, and so does deleting the message",
    async () => {
      const settings = one();
      await ensureOrdersStreams(broker, settings);
      await publish(broker, settings, orders.slice(0, 3));
      // The same as a broker whose clock is ahead: ours is a minute behind the limit.
      const refused = await failure(await start({ ...settings, clockJumpMsMax: -60_000 }));
      expect(refused.code).toBe("CLOCK_JUMP");
      for (const way of ["clockJumpMax", "nats stream rmm"]) expect(refused.remedy).toContain(way);
      await stop();
      const [, sequence] = /message (\d+) of stream/.exec(refused.message) ?? [];
      await broker.api("STREAM.MSG.DELETE.t_orders_0", { seq: Number(sequence) });
      const next = await failure(await start({ ...settings, clockJumpMsMax: -60_000 }));
      expect(next.message).toContain(`message ${Number(sequence) + 1} of stream`);
      await stop();
      await settled(await start(settings));
    },
  );

  once(
    "another configuration after a restart from a checkpoint: refused, unless told to hold from now on",
    async () => {
      const before = one();
      await twoCheckpoints(before);
      const after = one({ models: [{ use: "points", currency: "EUR" }] });
      expect((await failure(await start(after))).code).toBe("MODEL_CHANGED");
      await stop();
      const engine = await start(after, { applyModel: "yes" });
      await publish(broker, after, orders.slice(800, 1_000));
      await saved(engine);
      await stop();
      const again = await start(after);
      await publish(broker, after, orders.slice(1_000));
      expect((await settled(again))[0]?.checkpoint).toMatchObject({ restores: 1, fallbacks: 0 });
      const found = await ledgers(broker, after);
      expect(found.some((line) => line.includes('"kind":"model"'))).toBe(true);
      expect(found).toEqual(await undisturbed(after));
    },
  );

  once(
    "a store that takes nothing is told and counted, and holds up no order; when it takes again, it has them",
    async () => {
      const settings = one();
      writeFileSync(join(folder, "t"), "a file where the folder should be");
      const engine = await start(settings);
      for (let from = 0; from < 600; from += 100) {
        await publish(broker, settings, orders.slice(from, from + 100));
        await settled(engine);
      }
      await expect.poll(async () => (await checkpointAt(engine))?.failures).toBeGreaterThan(2);
      expect(notes.filter((note) => note.includes("no checkpoint in folder"))).toHaveLength(1);
      expect((await engine.status())[0]?.state).toBe("running");
      rmSync(join(folder, "t"));
      mkdirSync(join(folder, "t"));
      await saved(engine);
      expect(files()).not.toHaveLength(0);
    },
  );

  once("a kernel that traps is dropped, and the partition restarted from its newest checkpoint", async () => {
    const settings = one();
    const [streams] = partitionStreams(settings) as [PartitionStreams];
    await (await start(settings, { checkpoints: undefined })).stop();
    const aborter = new AbortController();
    onTestFinished(() => aborter.abort());
    let owner: PartitionOwner | undefined;
    const counts = emptyCheckpointCounts();
    const kept = keep(
      {
        ...{ broker, settings, streams, counts, wasm: kernelModule("release"), seed: new Uint8Array(16) },
        accepted: { gap: false, rewind: false, ledger: false },
        applyModel: "no",
        store: new CheckpointFolder(join(folder, "t")),
        checkpoints: { everyMs: 100, messagesMax: 1_000_000 },
        note: (text) => notes.push(text),
      },
      false,
      (current) => {
        owner = current;
      },
      aborter.signal,
    );
    const applied = (messages: number) =>
      expect
        .poll(
          () =>
            owner?.partition
              ?.stats()
              .events.flat()
              .reduce((a, b) => a + b, 0),
          { timeout: 45_000 },
        )
        .toBe(messages);
    await publish(broker, settings, orders.slice(0, 300));
    await applied(300);
    // The owner's own control messages may come behind the orders.
    const isStored = () => counts.position >= 300 && counts.position === owner?.partition?.position.sequence;
    await expect.poll(isStored).toBe(true);
    const trap = vi.spyOn(Partition.prototype, "applySlice").mockImplementationOnce(() => {
      throw new WebAssembly.RuntimeError("unreachable");
    });
    await publish(broker, settings, orders.slice(300));
    await applied(orders.length);
    trap.mockRestore();
    expect(counts).toMatchObject({ restores: 1, fallbacks: 0 });
    expect(notes.join("\n")).toContain("unreachable; restarting it, the 1. time of at most 2");
    aborter.abort();
    await kept;
    const found = await ledgers(broker, settings);
    expect(found).toEqual(await undisturbed(settings));
  });

  const canMount = process.getuid?.() === 0 && spawnSync("mount", ["--version"]).status === 0;
  test.runIf(canMount && binary === serverVersions.at(-1)?.binary)(
    "a full disk (needs root, for a small file system): no order waits, and room mends it",
    async () => {
      const settings = one();
      const mount = (...args: string[]) => execFileSync("mount", ["-t", "tmpfs", ...args, "tmpfs", folder]);
      mount("-o", "size=16k");
      try {
        const engine = await start(settings);
        await publish(broker, settings, orders);
        await settled(engine);
        await expect.poll(async () => (await checkpointAt(engine))?.failures).toBeGreaterThan(1);
        expect(notes.join("\n")).toContain("no space left");
        expect((await engine.status())[0]).toMatchObject({ state: "running", position: expect.any(Number) });
        mount("-o", "remount,size=4m");
        await saved(engine);
        // Nothing of those that failed is left in the way.
        expect(readdirSync(join(folder, "t", "0")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
      } finally {
        await stop();
        execFileSync("umount", ["-l", folder]);
      }
    },
  );

  test("a full partition grows several times by itself: nothing is lost, and the ledger is that of a large one", async () => {
    const large = settingsWith({ partitions: 2 });
    const tiny = settingsWith({
      partitions: 2,
      capacity: { customers: 8, entries: 16, idBytes: 300, customersMax: 1_000, entriesMax: 5_000, idBytesMax: 8_000 },
    });
    expect(tiny.version).toBe(large.version);
    const engine = await start(tiny);
    await publish(broker, tiny, orders);
    await saved(engine);
    for (const { checkpoint, stats } of await engine.status()) {
      expect(checkpoint.growths).toBeGreaterThan(2);
      expect(stats.capacity.customers).toBeGreaterThan(100);
    }
    const found = await ledgers(broker, tiny);
    await stop();
    // What it has grown to, it starts with.
    const again = await start(tiny);
    for (const { checkpoint } of await settled(again)) expect(checkpoint).toMatchObject({ growths: 0, restores: 1 });
    expect(await ledgers(broker, tiny)).toEqual(found);
    expect(found).toEqual(await undisturbed(large));
  });

  once("beyond its limit a full partition stops, and the broker keeps the orders", async () => {
    const capacity = { customers: 20, entries: 1_000, idBytes: 1_000, customersMax: 40 };
    const refused = await failure(
      await (async () => {
        const engine = await start(one({ capacity }));
        await publish(broker, one(), orders);
        return engine;
      })(),
    );
    expect(refused.code).toBe("PARTITION_FULL");
    expect(refused.message).toContain("40 of 40 customers");
    expect(refused.remedy).toContain("customersMax");
    await stop();
    const { state } = await broker.apiRetried<{ state: { messages: number } }>(
      "STREAM.INFO.t_orders_0",
      {},
      5_000,
      never,
    );
    expect(state.messages).toBeGreaterThanOrEqual(orders.length);
    await settled(await start(one()));
  });
});
