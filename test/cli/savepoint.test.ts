/**
 * The golden runs: one without a stop, one stopped at a savepoint and gone on with other workers, one taken to another
 * number of partitions. The clock is the events' own, so that all three see the same instants.
 */
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ledgerStream, ordersStream } from "../../runtime/subjects.js";
import { messagesOf } from "../support/engine.js";
import { serverVersions, TestServer } from "../support/nats.js";
import { DAY, shop } from "../support/shop.js";
import { ended, start, tidemark, until } from "./tidemark.js";

vi.setConfig({ testTimeout: 300_000 });

const PARTITIONS = 4;
const FIRST = Date.UTC(2026, 0, 1);
const orders = shop(3_000, FIRST, 2_400_000);
const HALF = orders[1_500]?.time as number;
const END = FIRST + 400 * DAY;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-savepoint-"));
  const lines = (part: typeof orders) => part.map((order) => `${JSON.stringify(order)}\n`).join("");
  writeFileSync(join(folder, "first.ndjson"), lines(orders.filter(({ time }) => time <= HALF)));
  writeFileSync(join(folder, "second.ndjson"), lines(orders.filter(({ time }) => time > HALF)));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function configOf(name: string, change: object = {}) {
  const capacity = { customers: 2_000, entries: 20_000, idBytes: 100_000 };
  const models = [{ use: "threebands", currency: "EUR" }];
  return { name, clock: "event", partitions: PARTITIONS, horizon: "400d", capacity, models, ...change };
}

describe.each(serverVersions)("savepoints on nats-server $version", ({ binary, version }) => {
  let server: TestServer;
  const running = new Set<ChildProcess>();
  beforeAll(async () => {
    server = await TestServer.start(binary);
  });
  afterAll(async () => {
    for (const child of running) child.kill("SIGKILL");
    await server?.stop();
  });

  /** A command of an instance: its configuration, its checkpoints, this broker. */
  const of = (name: string, ...args: string[]) => {
    const data = join(folder, `${version}-${name}`);
    return [...args, "-c", join(folder, `${name}.yaml`), "--data", data, "--nats", server.url];
  };
  const configure = (name: string, change: object = {}) =>
    writeFileSync(join(folder, `${name}.yaml`), JSON.stringify(configOf(name, change)));

  async function run(name: string, ...args: string[]): Promise<{ child: ChildProcess; url: string }> {
    const child = start([...of(name, "run"), "--port", "0", "--log", "json", ...args]);
    running.add(child);
    const ready = until(child, "stderr", /"msg":"ready: /);
    ready.catch(() => undefined);
    const printed = await until(child, "stdout", /Ctrl-C/);
    await ready;
    return { child, url: /http:\/\/\S+/.exec(printed)?.[0] ?? "" };
  }

  async function stop(child: ChildProcess): Promise<void> {
    child.kill("SIGTERM");
    await ended(child);
    running.delete(child);
  }

  async function succeeds(args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await tidemark(args);
    expect(code, stderr).toBe(0);
    return stdout;
  }

  async function publish(name: string, file: string, end: number): Promise<void> {
    const args = ["publish", join(folder, file), "--live", "--until", new Date(end).toISOString()];
    await succeeds(["publish", ...args.slice(1), "-c", join(folder, `${name}.yaml`), "--nats", server.url]);
  }

  /** Resolves when every partition has applied its input and stored what came of it. */
  async function settled(url: string): Promise<void> {
    const isSettled = async () => {
      const { partitions } = (await (await fetch(`${url}/api/status`)).json()) as {
        partitions: { position: number; streamLast: number; overdue: number | null }[];
      };
      return partitions.every((p) => p.position >= p.streamLast && p.overdue === null);
    };
    await expect.poll(isSettled, { timeout: 60_000 }).toBe(true);
  }

  /** Bodies of a ledger, the instance's name taken out. */
  async function bodies(name: string, layout: number, partitions: number): Promise<string[][]> {
    const broker = await server.connect();
    const found: string[][] = [];
    for (let partition = 0; partition < partitions; partition++) {
      const messages = await messagesOf(broker, ledgerStream({ name, layout }, partition));
      found.push(
        messages.map(({ body }) => new TextDecoder().decode(body).replace(`"source":"/${name}"`, '"source":""')),
      );
    }
    await broker.close();
    return found;
  }

  let straight: string[][];
  test("a run without a stop", async () => {
    configure("straight");
    const { child, url } = await run("straight", "--workers", "1");
    await publish("straight", "first.ndjson", HALF);
    await publish("straight", "second.ndjson", END);
    await settled(url);
    await stop(child);
    straight = await bodies("straight", 1, PARTITIONS);
    expect(straight.flat().length).toBeGreaterThan(1_000);
  });

  test("stopped at a savepoint, restored, gone on with other workers: the same ledger, byte for byte", async () => {
    configure("stopped", { checkpoints: { every: "1d" } });
    const first = await run("stopped", "--workers", "2");
    await publish("stopped", "first.ndjson", HALF);
    await settled(first.url);
    const savepoint = join(folder, `${version}-savepoints`, "half");
    const made = await succeeds([...of("stopped", "savepoint", "create"), savepoint, "--url", first.url]);
    expect(made).toMatch(/4 partitions, 311 customers, [\d,]+ orders, true at 2026-/);
    const again = await tidemark([...of("stopped", "savepoint", "create"), savepoint, "--url", first.url]);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("is there already")]);

    const refused = await tidemark([...of("stopped", "savepoint", "restore"), savepoint, "--url", first.url]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("an engine of stopped runs at")]);
    // What comes behind the savepoint is in the input: it is read again.
    await publish("stopped", "second.ndjson", END);
    await settled(first.url);
    await stop(first.child);

    expect(await succeeds(["savepoint", "list", join(savepoint, "..")])).toContain("stopped");
    expect(await succeeds(["savepoint", "inspect", savepoint])).toContain("every byte is as it was written");
    const restored = await succeeds([...of("stopped", "savepoint", "restore"), savepoint]);
    expect(restored).toContain("the engine goes on from it");
    const kept = readdirSync(join(folder, `${version}-stopped`, "checkpoints", "stopped", "0"));
    expect(kept.filter((name) => name.endsWith(".checkpoint"))).toEqual(readdirSync(join(savepoint, "0")));
    const second = await run("stopped", "--workers", "3");
    await settled(second.url);
    await stop(second.child);
    expect(await bodies("stopped", 1, PARTITIONS)).toEqual(straight);
  });

  test("taken to another number of partitions: the same migrations a customer", async () => {
    configure("layouts");
    const first = await run("layouts", "--workers", "2");
    await publish("layouts", "first.ndjson", HALF);
    const savepoint = join(folder, `${version}-sealed`);
    await succeeds([...of("layouts", "savepoint", "create"), savepoint, "--url", first.url, "--seal"]);
    const late = await tidemark([
      "publish",
      join(folder, "second.ndjson"),
      ...of("layouts").slice(0, 2),
      "--nats",
      server.url,
    ]);
    expect(late.code, late.stdout).not.toBe(0);
    await stop(first.child);

    configure("layouts", { partitions: 6 });
    const unnamed = await tidemark([...of("layouts", "savepoint", "restore"), savepoint]);
    expect([unnamed.code, unnamed.stderr]).toEqual([2, expect.stringContaining("set layout: 2")]);
    configure("layouts", { partitions: 6, layout: 2 });
    const restored = await succeeds([...of("layouts", "savepoint", "restore"), savepoint]);
    expect(restored).toContain("restored as layout 2: 4 partitions, 311 customers");
    // Once more: nothing has begun, so it is the same.
    await succeeds([...of("layouts", "savepoint", "restore"), savepoint]);
    const second = await run("layouts", "--workers", "3");
    await publish("layouts", "second.ndjson", END);
    await settled(second.url);
    const begun = await tidemark([...of("layouts", "savepoint", "restore"), savepoint]);
    expect([begun.code, begun.stderr]).toEqual([2, expect.stringContaining("layout 2 has begun")]);
    await stop(second.child);

    const both = [...(await bodies("layouts", 1, PARTITIONS)), ...(await bodies("layouts", 2, 6))];
    expect(byCustomer(both)).toEqual(byCustomer(straight));
    const broker = await server.connect();
    expect((await messagesOf(broker, ordersStream({ name: "layouts", layout: 1 }, 0))).length).toBeGreaterThan(0);
    await broker.close();
  });

  test("a savepoint that is not whole, or damaged, is refused", async () => {
    const none = await tidemark(["savepoint", "inspect", folder]);
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining("is no savepoint")]);
    const savepoint = join(folder, `${version}-savepoints`, "half");
    const path = join(savepoint, "2", readdirSync(join(savepoint, "2"))[0] as string);
    const { readFileSync } = await import("node:fs");
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 4;
    writeFileSync(path, bytes);
    const damaged = await tidemark(["savepoint", "inspect", savepoint]);
    expect([damaged.code, damaged.stderr]).toEqual([
      1,
      expect.stringMatching(/^tidemark: the checkpoint is damaged: the checksum of piece \d+ is /),
    ]);
    const restore = await tidemark([...of("stopped", "savepoint", "restore"), savepoint]);
    expect(restore.code).toBe(1);
    rmSync(join(savepoint, "3"), { recursive: true });
    const part = await tidemark(["savepoint", "inspect", savepoint]);
    expect([part.code, part.stderr]).toEqual([1, expect.stringContaining("expected 0 to 3")]);
  });
});

/** A customer's migrations in their order, in any order of the customers. */
function byCustomer(ledgers: readonly (readonly string[])[]): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const body of ledgers.flat()) {
    const { subject } = JSON.parse(body) as { subject: string };
    found[subject] ??= [];
    found[subject].push(body);
  }
  return found;
}
