/**
 * What holds the engine up on real servers: a ledger that refuses, a slow or silent line, a broker or a disk that is
 * full. It slows down within its limits, the input waits in the broker, and the ledger is that of an undisturbed run.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createEngine, type Engine, type EngineOptions } from "../../connectors/engine.js";
import type { Broker } from "../../connectors/nats/broker.js";
import { emptyCheckpointCounts } from "../../connectors/nats/checkpointer.js";
import { type OwnerStatus, PartitionOwner } from "../../connectors/nats/owner.js";
import { OrdersPublisher } from "../../connectors/nats/publisher.js";
import { ensureOrdersStreams, ensureStreams, partitionStreams, streamState } from "../../connectors/nats/streams.js";
import { compileSettings, defaultConfig } from "../../runtime/config/index.js";
import { RetryableError } from "../../runtime/errors.js";
import { allLedgerLines, outcomes, settled, stateOf } from "../support/engine.js";
import { kernelModule } from "../support/kernel-driver.js";
import { CutProxy, serverVersions, TestServer } from "../support/nats.js";
import { SlowProxy } from "../support/slowproxy.js";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

const IN_FLIGHT_MAX = 64;
/** What the kernel's input region holds, and what two pulls bring. */
const BUFFERED_MAX = 16_384 + 8_192;
const settings = compileSettings({
  ...defaultConfig(),
  name: "t",
  partitions: 1,
  ledgerInFlightMax: IN_FLIGHT_MAX,
  capacity: { customers: 60_000, entries: 120_000, idBytes: 1_200_000 },
});
const text = new TextEncoder();

/** Each is a customer's first: a migration each. Those of one test differ in `from`. */
async function publish(broker: Broker, from: number, count: number, note = ""): Promise<void> {
  const publisher = new OrdersPublisher(broker, settings);
  for (let n = from; n < from + count; n++) {
    const order = { id: `o${n}`, customer: `c${n}`, time: 1_770_000_000_000 + n, amount: 100, note };
    await publisher.publish(0, "web", text.encode(JSON.stringify(order)), { id: `o${n}` });
  }
  await publisher.flush();
  publisher.close();
}

async function change(broker: Broker, stream: string, config: object): Promise<void> {
  const found = await broker.api<{ config: object }>(`STREAM.INFO.${stream}`);
  await broker.api(`STREAM.UPDATE.${stream}`, { ...found.config, ...config });
}

/** May file systems be mounted here? */
function mountSmall(folder: string, megabytes: number): boolean {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder], { stdio: "ignore" });
    return true;
  } catch {
    return false; // the caller says by name what it leaves out
  }
}

describe.each(serverVersions)("limits on nats-server $version", ({ binary, version }) => {
  const closing: (() => unknown)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function serve(configFile?: string, parent?: string): Promise<{ server: TestServer; broker: Broker }> {
    const server = await TestServer.start(binary, configFile, parent);
    closing.push(() => server.stop());
    return { server, broker: await server.connect(configFile?.endsWith("users.conf") ? ALL : {}) };
  }

  async function run(server: TestServer, broker: EngineOptions["broker"] = { servers: server.url }): Promise<Engine> {
    const engine = createEngine({ settings, broker });
    closing.push(() => engine.stop());
    engine.failed.catch(() => {});
    await engine.start();
    await settled(engine);
    return engine;
  }

  const ownStatus = async (engine: Engine) => (await engine.status())[0] as OwnerStatus;

  /** Waits until the ledger has refused, and the position stands still; within the limits all the time. */
  async function heldUp(engine: Engine): Promise<OwnerStatus> {
    let before = -1;
    let status = await ownStatus(engine);
    const since = performance.now();
    for (let still = 0; still < 4; ) {
      if (performance.now() - since > 60_000) throw new Error(`not held up: ${JSON.stringify(status)}`);
      await new Promise((resolve) => setTimeout(resolve, 250));
      status = await ownStatus(engine);
      expect(status.ledgerInFlight).toBeLessThanOrEqual(IN_FLIGHT_MAX);
      expect(status.bufferedMax).toBeLessThanOrEqual(BUFFERED_MAX);
      expect(status).toMatchObject({ state: "running" });
      still = status.ledgerRefused > 0 && status.position === before ? still + 1 : 0;
      before = status.position;
    }
    return status;
  }

  /** Nothing lost, nothing twice: what a ledger made anew from the same input holds. */
  async function checkLedger(server: TestServer, broker: Broker, engine: Engine, orders: number): Promise<void> {
    // Of a broker that was away just now the engine may know no more than what its input ended with before.
    const { last_seq } = await streamState(broker, "t_orders_0");
    await expect
      .poll(async () => (await ownStatus(engine)).position, { timeout: 90_000 })
      .toBeGreaterThanOrEqual(last_seq);
    expect(outcomes(await settled(engine, 90_000))).toMatchObject({ applied: orders, duplicate: 0 });
    await engine.stop();
    const lines = await allLedgerLines(broker, settings);
    expect(lines.length).toBeGreaterThanOrEqual(orders);
    for (const { ledger } of partitionStreams(settings)) await broker.api(`STREAM.DELETE.${ledger}`);
    for (const stream of ["t_migrations", "t_dead"]) await broker.api(`STREAM.DELETE.${stream}`);
    const again = await run(server, { servers: server.url });
    await settled(again, 90_000);
    expect((await allLedgerLines(broker, settings)).join("\n") === lines.join("\n")).toBe(true);
  }

  test("a ledger that takes nothing: the input waits in the broker, and all goes on when there is room", async () => {
    const { server, broker } = await serve();
    const engine = await run(server);
    await change(broker, "t_ledger_0", { discard: "new", max_msgs: 50 });
    await publish(broker, 0, 30_000);
    const status = await heldUp(engine);
    expect(status.ledgerAcked).toBe(50);
    expect(status.ledgerInFlight).toBe(IN_FLIGHT_MAX);
    // The broker holds more than could wait here.
    expect(status.streamLast - status.position).toBeGreaterThan(BUFFERED_MAX);
    await change(broker, "t_ledger_0", { max_msgs: -1 });
    await checkLedger(server, broker, engine, 30_000);
  });

  const ALL = { user: "all", password: "x" };
  test("a ledger that may not be written to: the same, until it may", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tidemark-limits-"));
    closing.push(() => rmSync(folder, { recursive: true, force: true }));
    const config = join(folder, "users.conf");
    const allow = (denied: string[]) => {
      const few = `{ user: few, password: x, permissions: { publish: { deny: ${JSON.stringify(denied)} } } }`;
      writeFileSync(config, `authorization { users = [ { user: all, password: x }, ${few} ] }\n`);
    };
    allow(["t.migrations.>", "t.dead.>"]);
    const { server, broker } = await serve(config);
    const engine = await run(server, { servers: server.url, user: "few", password: "x" });
    await publish(broker, 0, 2_000);
    const status = await heldUp(engine);
    expect(status).toMatchObject({ ledgerAcked: 0, ledgerInFlight: IN_FLIGHT_MAX });
    allow(["nothing.of.ours"]);
    await server.restart();
    expect(outcomes(await settled(engine, 60_000)).applied).toBe(2_000);
    expect(await allLedgerLines(broker, settings)).toHaveLength(2_000);
  });

  test("a slow line that also falls silent: less at a time, nothing lost, nothing twice", async () => {
    const { server, broker } = await serve();
    const proxy = await SlowProxy.start(server.port, 600_000);
    closing.push(() => proxy.stop());
    const engine = await run(server, { servers: proxy.url });
    await publish(broker, 0, 2_000);
    expect((await ownStatus(engine)).position).toBeLessThan(2_000);
    await expect.poll(async () => (await ownStatus(engine)).ledgerInFlight).toBeGreaterThan(0);
    const { ledgerRefused } = await ownStatus(engine);
    proxy.hold();
    // Until an acknowledgement has not come in its time.
    await expect.poll(async () => (await ownStatus(engine)).ledgerRefused).toBeGreaterThan(ledgerRefused);
    const held = await ownStatus(engine);
    expect(held.ledgerInFlight).toBeLessThanOrEqual(IN_FLIGHT_MAX);
    proxy.release();
    await checkLedger(server, broker, engine, 2_000);
  });

  test("a publisher on a silent line sends nothing twice into it", async () => {
    const { server } = await serve();
    const proxy = await SlowProxy.start(server.port, 100_000_000);
    closing.push(() => proxy.stop());
    const line = await server.connect({ servers: proxy.url });
    await ensureOrdersStreams(line, settings);
    const publisher = new OrdersPublisher(line, settings);
    closing.push(() => publisher.close());
    proxy.hold();
    for (let n = 0; n < 1_900; n++) await publisher.publish(0, "web", new Uint8Array(5_000), { id: `o${n}` });
    // Twice the time in which an acknowledgement must come.
    await new Promise((resolve) => setTimeout(resolve, 11_000));
    expect(publisher).toMatchObject({ stored: 0, retries: 0, inFlight: 1_900 });
    proxy.release();
    await publisher.flush();
    expect(publisher.stored).toBe(1_900);
    expect(publisher.repeated).toBeLessThan(1_900);
  });

  test("the state is asked for while the line is down: the answer comes when it is back", async () => {
    const { server, broker } = await serve();
    const proxy = await CutProxy.start(server.port);
    closing.push(() => proxy.stop());
    const engine = await run(server, { servers: proxy.url });
    await publish(broker, 0, 100);
    await settled(engine);
    const { port } = new URL(proxy.url);
    proxy.server.close();
    proxy.cut();
    const answer = stateOf(engine);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    proxy.server.listen(Number(port), "127.0.0.1");
    expect((await answer).rows).toHaveLength(100);
    expect((await ownStatus(engine)).reconnects).toBeGreaterThan(0);
  });

  test("a tick that is asked for is waited for as long as was said, and given up while the broker is away", async () => {
    const { server, broker } = await serve();
    const [streams] = await ensureStreams(broker, settings);
    if (streams === undefined) throw new Error("there is one partition");
    // It does not run: nothing is ever applied.
    const owner = new PartitionOwner({
      broker,
      wasm: kernelModule("release"),
      settings,
      streams,
      seed: new Uint8Array(16),
      applyModel: "no",
      accepted: { gap: false, rewind: false, ledger: false },
      store: undefined,
      checkpoints: { everyMs: 60_000, messagesMax: 1_000 },
      counts: emptyCheckpointCounts(),
      note: () => undefined,
    });
    expect(await owner.tick(300)).toBe(false);
    const { last_seq } = await streamState(broker, streams.input);
    expect(last_seq).toBe(1);
    server.signal("SIGSTOP");
    await expect(owner.tick(300)).rejects.toThrow(RetryableError);
    server.signal("SIGCONT");
  });

  test("answers about the state: two at a time, the others are refused and counted", async () => {
    const { server, broker } = await serve();
    const engine = await run(server);
    await publish(broker, 0, 100);
    await settled(engine);
    const asked = await Promise.allSettled([1, 2, 3, 4, 5].map(() => engine.state()));
    const answers = asked.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    const refusals = asked.flatMap((one) => (one.status === "rejected" ? [String(one.reason)] : []));
    expect(answers).toHaveLength(2);
    for (const refusal of refusals) expect(refusal).toMatch(/too many answers about the state/);
    expect(await ownStatus(engine)).toMatchObject({ stateAnswers: 2, stateAnswersRefused: 3 });
    for (const { rows } of answers) for await (const _ of rows);
    expect(await ownStatus(engine)).toMatchObject({ stateAnswers: 0 });
    expect((await stateOf(engine)).rows).toHaveLength(100);
  });

  test("a broker at its limit of storage: publisher and ledger wait, and go on when there is room", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tidemark-limits-"));
    closing.push(() => rmSync(folder, { recursive: true, force: true }));
    const config = join(folder, "server.conf");
    writeFileSync(config, "jetstream { max_file_store: 24MB }\n");
    const { server, broker } = await serve(config);
    const engine = await run(server);
    await publish(broker, 0, 500);
    await settled(engine);
    await broker.api("STREAM.CREATE.BALLAST", { name: "BALLAST", subjects: ["ballast"], storage: "file" });
    for (const bytes of [800_000, 50_000, 1_000]) {
      for (let refused = false; !refused; ) {
        await broker.publishStored("ballast", new Uint8Array(bytes)).catch((error: unknown) => {
          expect(String(error)).toMatch(/insufficient|resource/i);
          refused = true;
        });
      }
    }
    const publishing = publish(broker, 500, 2_000);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const status = await ownStatus(engine);
    expect(status.streamLast).toBeLessThan(2_400);
    expect(status.ledgerInFlight).toBeLessThanOrEqual(IN_FLIGHT_MAX);
    expect(status.state).toBe("running");
    await broker.api("STREAM.DELETE.BALLAST");
    await publishing;
    await checkLedger(server, broker, engine, 2_500);
  });

  test("a full disk under the broker: it stops, and with room and a restart all goes on", async (context) => {
    const disk = mkdtempSync(join(tmpdir(), "tidemark-disk-"));
    closing.push(() => rmSync(disk, { recursive: true, force: true }));
    if (!mountSmall(disk, 48)) {
      console.warn(`SKIPPED: a full disk under nats-server ${version} (a small file system can't be mounted here)`);
      context.skip();
    }
    closing.push(() => execFileSync("umount", ["-l", disk]));
    const { server, broker } = await serve(undefined, disk);
    const engine = await run(server);
    await publish(broker, 0, 500);
    await settled(engine);
    const filler = join(disk, "filler");
    try {
      execFileSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=64k"], { stdio: "ignore" });
    } catch {
      // It ends where the disk does: that was the point.
    }
    const publishing = publish(broker, 500, 3_000, "x".repeat(2_000));
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const status = await ownStatus(engine);
    expect(status.state).toBe("running");
    expect(status.streamLast).toBeLessThan(3_400);
    expect(status.ledgerInFlight).toBeLessThanOrEqual(IN_FLIGHT_MAX);
    rmSync(filler);
    await server.restart();
    await publishing;
    await checkLedger(server, broker, engine, 3_500);
  });
});
