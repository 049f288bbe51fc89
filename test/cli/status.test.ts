/** `tidemark status`: the screen of made-up statuses, and of a real engine whose broker is killed and which is stopped. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { age, statusLines, troubles } from "../../connectors/cli/statusscreen.js";
import { type Terminal, width, wrapped } from "../../connectors/cli/terminal.js";
import type { PartitionStatus } from "../../connectors/edge.js";
import { describeStatus, type StatusDescription } from "../../connectors/http/status.js";
import { partitionStatus, settings } from "../edges/source.js";
import { serverVersions, TestServer } from "../support/nats.js";
import { ended, start, tidemark, until } from "./tidemark.js";

vi.setConfig({ testTimeout: 120_000 });

const NOW = 1_767_225_610_500;
const WELL = { ok: true, checks: { broker: { ok: true, detail: "connected to nats://broker:4222" } } };
const AWAY = { ok: false, checks: { broker: { ok: false, detail: "not connected" } } };

function terminal(columns: number): Terminal {
  return { columns, isTty: false, style: (_, text) => text, print: () => {}, note: () => {} };
}

function statusOf(
  partitions: readonly Partial<PartitionStatus>[],
  readiness: typeof WELL | typeof AWAY = WELL,
): StatusDescription {
  const all = partitions.map((partition, number) => ({ ...partitionStatus(number), ...partition }));
  return describeStatus({ ...settings, partitions: all.length }, readiness, all, NOW);
}

const SIXTY_FOUR = Array.from({ length: 64 }, (_, n) => ({
  ...{ position: 100, overdue: null, streamLast: n === 40 ? 250 : 100 },
  ...(n === 50 ? { state: "failed" as const, error: "STREAM_GAP: messages 5 to 9 are gone" } : {}),
}));

test.each([60, 80, 120, 160])("the screen fits %d columns, with many partitions, too", (columns) => {
  const lines = statusLines(terminal(columns), statusOf(SIXTY_FOUR, AWAY), "http://127.0.0.1:7077", false);
  expect(Math.max(...lines.map(width))).toBeLessThanOrEqual(columns);
  expect(lines.length).toBeLessThan(columns < 80 ? 64 : 54);
  const rows = lines.map((line) => line.trim());
  expect(rows.find((line) => /^50 +failed/.test(line))).toBeDefined();
  expect(rows.find((line) => /^40 +running +100 +150/.test(line))).toBeDefined();
  expect(lines.at(-1)).toContain("and 48 more");
  expect(statusLines(terminal(columns), statusOf(SIXTY_FOUR), "", true).length).toBeGreaterThan(64);
});

test("what is wrong is named with what to do, and only what is wrong", () => {
  const well = { overdue: null, ledgerInFlight: 0, audit: { rows: 1, differences: 0 }, position: 100 };
  const stats = { ...partitionStatus(0).stats, dead: [] };
  const checkpoint = { ...partitionStatus(0).checkpoint, failures: 0 };
  const fine = { ...well, stats, checkpoint };
  expect(troubles(statusOf([fine, fine]))).toEqual([]);
  const told = (partition: Partial<PartitionStatus>, readiness = WELL as typeof WELL | typeof AWAY) =>
    troubles(statusOf([fine, { ...fine, ...partition }], readiness)).map(({ what }) => what);
  expect(told({ state: "failed", error: "STREAM_GAP: gone" })).toEqual(["partition 1 has failed: STREAM_GAP: gone"]);
  expect(told({ state: "silent" })[0]).toMatch(/^partition 1: the worker does not answer/);
  expect(told({ state: "replaying", position: 40 })).toEqual(["1 partition reading the input, 60 messages to go"]);
  expect(told({}, AWAY)[0]).toMatch(/^no connection to the broker/);
  expect(told({ overdue: NOW - 7_200_000 })[0]).toMatch(/worked off; the oldest is 2 h late/);
  expect(told({ stats: { ...stats, customers: 9_000 } })).toEqual(["partition 1: nearly full"]);
  expect(told({ stats: { ...stats, parked: 950 } })[0]).toMatch(/nearly all places for reversals/);
  expect(told({ stats: { ...stats, dead: [2, 1] } })).toEqual(["3 dead letters since the start of the input"]);
  expect(told({ audit: { rows: 9, differences: 1 } })[0]).toMatch(/not what their orders come to/);
  expect(told({ checkpoint: { ...checkpoint, failures: 1 } })[0]).toMatch(/checkpoints could not be stored/);
  expect(troubles({ ...statusOf([fine]), partitionCount: 8 }).map(({ what }) => what)).toEqual([
    "7 partitions starting: checkpoints are being loaded",
  ]);
});

test("a partition's error can't act on the terminal", () => {
  const lines = statusLines(
    terminal(80),
    statusOf([{ state: "failed", error: "bad \x1b]0;owned\x07 \x1b[2J" }]),
    "",
    false,
  );
  expect(lines.join("")).not.toMatch(/\p{Cc}/u);
});

test("durations at a glance, and text in lines", () => {
  expect([0, 400, 9_949, 12_000, 119_000, 180_000, 7_200_000, 172_800_000].map(age)).toEqual(
    ["0.0 s", "0.4 s", "9.9 s", "12 s", "119 s", "3 min", "2 h", "2 d"], // no rounding up to the next unit
  );
  expect(age(-5)).toBe("0.0 s");
  expect(wrapped("one two three", 7)).toEqual(["one two", "three"]);
});

let folder: string;
let server: TestServer;
let child: ChildProcess;
let page = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-status-"));
  server = await TestServer.start((serverVersions.at(-1) as { binary: string }).binary);
  child = start(["run", "--port", "0", "--log", "json", "--nats", server.url, "--data", folder], { cwd: folder });
  const ready = until(child, "stderr", /"msg":"ready: /);
  ready.catch(() => undefined);
  [page = ""] = /http:\/\/\S+/.exec(await until(child, "stdout", /Ctrl-C/)) ?? [];
  await ready;
}, 60_000);

afterAll(async () => {
  child.kill("SIGCONT");
  child.kill("SIGTERM");
  await ended(child);
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

const status = (...more: string[]) => tidemark(["status", "--url", page, ...more]);

test("a real engine: well, its broker killed and back, stopped and gone on", async () => {
  const well = await status();
  expect(well).toMatchObject({ code: 0, stderr: "" });
  expect(well.stdout).toMatch(/^tidemark {2}ready +http/);
  expect(well.stdout.match(/^ +\d {2}running /gm)).toHaveLength(8);
  const json = JSON.parse((await status("--json")).stdout) as StatusDescription;
  expect(json).toMatchObject({ ready: true, partitionCount: 8, live: true, models: ["threebands"] });

  const { port } = server;
  server.signal("SIGSTOP");
  server.signal("SIGKILL");
  let away = await status();
  for (let tries = 0; away.code === 0 && tries < 50; tries++) away = await status();
  expect(away).toMatchObject({ code: 1, stderr: "" });
  expect(away.stdout).toMatch(/^tidemark {2}not ready/);
  expect(away.stdout).toContain("no connection to the broker");
  expect(away.stdout.match(/^ +\d {2}running /gm)).toHaveLength(8);
  await server.restart("SIGKILL");
  expect(server.port).toBe(port);
  let back = await status();
  for (let tries = 0; back.code !== 0 && tries < 100; tries++) back = await status();
  expect(back.code).toBe(0);

  child.kill("SIGSTOP");
  const stopped = await status();
  expect(stopped).toMatchObject({ code: 1, stderr: "" });
  expect(stopped.stdout).toContain("took the connection and then said nothing for 6 s");
  child.kill("SIGCONT");
  expect((await status()).code).toBe(0);
});

test("no engine at all", async () => {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
  listener.close();
  const none = await tidemark(["status", "--url", url]);
  expect(none).toMatchObject({ code: 1, stderr: "" });
  expect(none.stdout).toContain(`no engine answers at ${url} (ECONNREFUSED)`);
  const json = JSON.parse((await tidemark(["status", "--json", "--url", url])).stdout);
  expect(json).toMatchObject({ ready: false, reachable: false });
  expect((await tidemark(["status", "--url", "nats://x"])).code).toBe(2);
});
