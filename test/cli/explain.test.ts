/** `tidemark explain`: of a real engine on a real broker, of files, of nobody; on narrow and wide terminals. */
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { explanationLines } from "../../connectors/cli/explainscreen.js";
import { type Terminal, width } from "../../connectors/cli/terminal.js";
import type { ExplanationDescription } from "../../connectors/http/explanation.js";
import { serverVersions, TestServer } from "../support/nats.js";
import { ended, start, tidemark, until } from "./tidemark.js";

vi.setConfig({ testTimeout: 120_000 });

const CONFIG = `
models:
  - { use: threebands, currency: EUR }
  - name: stores
    channels: [store]
    currency: CHF
    recency: { bands: [{ name: fresh, max: 30d }, { name: stale }] }
    frequency: { window: 180d, bands: [{ name: many, min: 5 }, { name: some, min: 1 }] }
    monetary: { window: 90d, bands: [{ name: big, min: 50000 }, { name: small, min: 1 }] }
    segments: [{ name: Good, when: { frequency: [many] } }]
`;
const DAY = 86_400_000;
const NOW = Date.now() - 60_000;
const anna = { customer: "anna/b@ü", channel: "web", currency: "EUR" };
const EVENTS = [
  { ...anna, id: "1", time: NOW - 40 * DAY, amount: 12_030 },
  { ...anna, id: "2", time: NOW - 20 * DAY, amount: 4_000, channel: "store", currency: "CHF" },
  { ...anna, id: "3", time: NOW - 9 * DAY, amount: 9_000 },
  { ...anna, id: "4", time: NOW - 8 * DAY, amount: 7_000 },
  { ...anna, id: "r", kind: "refund", order: "3", time: NOW - 5 * DAY, amount: 3_000 },
  { ...anna, id: "c", kind: "cancel", order: "4", time: NOW - 5 * DAY, amount: 0 },
  { ...anna, id: "w", kind: "refund", order: "nowhere\u001b[31m", time: NOW - DAY, amount: 700 },
  { ...anna, id: "o", customer: "other", time: NOW - DAY, amount: 700 },
];

let folder: string;
let server: TestServer;
let child: ChildProcess;
let page = "";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-explain-"));
  writeFileSync(join(folder, "tidemark.yaml"), CONFIG);
  writeFileSync(join(folder, "orders.ndjson"), EVENTS.map((event) => `${JSON.stringify(event)}\n`).join(""));
  server = await TestServer.start((serverVersions.at(-1) as { binary: string }).binary);
  child = start(["run", "--port", "0", "--log", "json", "--nats", server.url, "--data", folder], { cwd: folder });
  const ready = until(child, "stderr", /"msg":"ready: /);
  ready.catch(() => undefined);
  [page = ""] = /http:\/\/\S+/.exec(await until(child, "stdout", /Ctrl-C/)) ?? [];
  await ready;
  const published = await tidemark(
    ["publish", "orders.ndjson", "--backfill", "--wait", "--nats", server.url, "--url", page],
    { cwd: folder },
  );
  expect(published).toMatchObject({ code: 0 });
}, 90_000);

afterAll(async () => {
  child.kill("SIGTERM");
  await ended(child);
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

const ask = (...args: string[]) => tidemark(["explain", ...args], { cwd: folder });
const fromEngine = async (customer: string, ...more: string[]) =>
  JSON.parse((await ask(customer, "--url", page, "--json", ...more)).stdout) as ExplanationDescription;
const fromFile = async (customer: string, ...more: string[]) =>
  JSON.parse((await ask(customer, "--file", "orders.ndjson", "--json", ...more)).stdout) as ExplanationDescription;

test("an engine and the file behind it explain the same, and what the state says", async () => {
  const live = await fromEngine(anna.customer);
  const file = await fromFile(anna.customer);
  const { orders, waiting, orderCount, exact } = live;
  expect([orderCount, exact, live.waitingCount]).toEqual([4, true, 1]);
  expect(file.orders).toEqual(orders);
  expect(waiting[0]).toMatchObject({ kind: "refund", amount: 700, item: { id: "w" } });
  live.models.forEach((model, m) => {
    const other = file.models[m] as (typeof file.models)[number];
    for (const same of ["orders", "dimensions", "segment", "next", "reach", "ordersEver", "spendEver", "past"] as const)
      expect(model[same], same).toEqual(other[same]);
  });
  expect(live.models[0]?.orders.map(({ why, worth }) => [why, worth])).toEqual([
    ["cancelled", 0],
    ["counts", 6_000],
    ["currency", 0],
    ["counts", 12_030],
  ]);
  const csv = (await tidemark(["state", "--url", page])).stdout.split("\n").map((line) => line.split(","));
  const rows = csv.filter((cells) => cells[2] === anna.customer);
  const told = live.models.map(({ model, dimensions, segment }) => {
    const values = dimensions.map(({ value }) => String(value));
    return [model, values[0], values[1], values[2], segment];
  });
  expect(told).toEqual(
    rows
      .map((cells) => [cells[1], cells[3], cells[5], cells[6], cells[14]])
      .sort()
      .reverse(),
  );

  const short = await fromEngine(anna.customer, "--orders", "1");
  expect([short.orders.length, short.models[0]?.rest]).toEqual([1, { orders: 3, counting: 2, worth: 18_030 }]);
});

test("a file as it was then", async () => {
  const then = await fromFile(anna.customer, "--at", new Date(NOW - 10 * DAY).toISOString());
  expect([then.at, then.orderCount]).toEqual([NOW - 10 * DAY, 2]);
});

test("for people: no wider than the terminal, and nothing acts on it", async () => {
  const found = await fromEngine(anna.customer);
  const lines = (columns: number) => {
    const terminal: Terminal = { columns, isTty: false, style: (_, text) => text, print: () => {}, note: () => {} };
    return explanationLines(terminal, found);
  };
  for (const columns of [80, 160]) {
    expect(Math.max(...lines(columns).map(width))).toBeLessThanOrEqual(columns);
    expect(lines(columns).join("")).not.toMatch(/\p{Cc}/u);
  }
  const { code, stdout, stderr } = await ask(anna.customer, "--url", page);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^anna\/b@ü {2}true at /);
  expect(stdout).toContain("90.00   60.00  ");
  expect(stdout).toContain("no: cancelled");
  expect(stdout).toContain("If nothing is bought");
  expect(stdout).toMatch(/frequency regular {2}2 more orders before 2/);
  expect(stdout).toContain("1 reversal whose order has not come");
  expect((await ask("other", "--url", page)).stdout).toContain("None of its 1 order is of this model's channels");
});

test("nobody, and no engine", async () => {
  const nobody = await ask("nobody\u001b[31m", "--url", page);
  expect(nobody).toMatchObject({ code: 1, stdout: "" });
  expect(nobody.stderr).toContain('no event of customer "nobody�[31m" has come to the engine');
  expect(nobody.stderr).toContain("Check the id");
  expect(await ask("nobody", "--file", "orders.ndjson")).toMatchObject({ code: 1, stdout: "" });
  expect(await ask("anna", "--url", page, "--at", "2026-01-01")).toMatchObject({ code: 2, stdout: "" });
});

test("the broker away: the engine still explains what it has applied", async () => {
  const before = await fromEngine(anna.customer);
  server.signal("SIGSTOP");
  try {
    expect((await fromEngine(anna.customer)).models).toEqual(before.models);
  } finally {
    server.signal("SIGCONT");
  }
});
