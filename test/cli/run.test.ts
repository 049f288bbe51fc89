/** The engine as one command, with a broker of its own: started, fed, asked, stopped, started again. */
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { ended, start, tidemark, until } from "./tidemark.js";

vi.setConfig({ testTimeout: 180_000 });

let folder: string;
const running = new Set<ChildProcess>();
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-run-"));
});
afterEach(async () => {
  for (const child of running) await stop(child);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Running {
  readonly child: ChildProcess;
  readonly page: string;
  readonly nats: string;
  /** What it has said on stderr so far. */
  readonly notes: () => string;
}

async function engine(...args: string[]): Promise<Running> {
  const child = start(["run", "--port", "0", "--log", "json", ...args], { cwd: folder });
  running.add(child);
  let notes = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    notes += chunk.toString();
  });
  const ready = until(child, "stderr", /"msg":"ready: /);
  ready.catch(() => undefined); // told by the next line, if at all
  const printed = await until(child, "stdout", /Ctrl-C/);
  await ready;
  const [page = ""] = /http:\/\/\S+/.exec(printed) ?? [];
  const [nats = ""] = /nats:\/\/\S+/.exec(printed) ?? [];
  return { child, page, nats, notes: () => notes };
}

async function stop(child: ChildProcess): Promise<number | null> {
  child.kill("SIGINT");
  const code = await ended(child);
  running.delete(child);
  return code;
}

async function counts(page: string): Promise<number> {
  const [model] = (await (await fetch(`${page}/api/counts`)).json()) as { customers: number }[];
  return model?.customers ?? 0;
}

async function eventually(check: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await check()); tries++) {
    if (tries > 600) throw new Error("it never came true");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

test("the demonstration: a history that is silent, then orders of now; Ctrl-C; and again", async () => {
  const args = ["--data", "demo", "--demo", "--demo-customers", "300", "--demo-rate", "20"];
  const first = await engine(...args);
  expect(first.notes()).toMatch(/history is in the stream: \d{3}/);
  expect(await counts(first.page)).toBeGreaterThanOrEqual(300);
  expect(await (await fetch(first.page)).text()).toContain("<html");

  const tail = await tidemark(["tail", "--url", first.page, "--json", "--limit", "5", "--bands"]);
  expect(tail.code).toBe(0);
  const lines = tail.stdout.trim().split("\n");
  expect(lines.length).toBe(5);
  const events = lines.map((line) => JSON.parse(line) as { position: string; event: { data: { silent: boolean } } });
  expect(events.every(({ position, event }) => position.length > 0 && !event.data.silent)).toBe(true);

  const text = await tidemark(["tail", "--url", first.page, "--limit", "2", "--to", "Active,Loyal"]);
  expect(text.stdout).toMatch(/^\d\d:\d\d:\d\d {2}c\d{6} +.+ → (Active|Loyal) +order/);

  const state = await tidemark(["state", "--url", first.page, "-o", join(folder, "state.csv")]);
  expect(state).toMatchObject({ code: 0, stdout: "" });
  expect(state.stderr).toMatch(/^true at 20\d\d-.*, positions 0=\d+,/);
  expect(readFileSync(join(folder, "state.csv"), "utf8").split("\n").length).toBeGreaterThan(300);

  const stopping = performance.now();
  expect(await stop(first.child)).toBe(0);
  expect(performance.now() - stopping).toBeLessThan(15_000);
  expect(first.notes()).not.toMatch(/"level":[456]0/);

  const second = await engine(...args);
  expect(second.notes()).not.toContain("history is in the stream");
  expect(await counts(second.page)).toBeGreaterThanOrEqual(300);
  expect(await stop(second.child)).toBe(0);
});

test("publish and simulate: silent or live, repeats dropped, and replay --nats says the same as state", async () => {
  const { page, nats, child } = await engine("--data", "publish");
  const now = Date.now();
  const rows = Array.from({ length: 200 }, (_, i) => `${i},c${i % 40},${now - i * 3_600_000},${100 + i}`);
  writeFileSync(join(folder, "orders.csv"), `id,customer,time,amount\n${rows.join("\n")}\n`);
  const publish = async (...more: string[]) => {
    const result = await tidemark(["publish", "orders.csv", "--nats", nats, ...more], { cwd: folder });
    expect(result).toMatchObject({ code: 0, stderr: "" });
    return result.stdout;
  };
  expect(await publish()).toMatch(/\nPublished 200 events in \d+ messages, silent\.\n {2}then a tick in 8 partitions/);
  expect(JSON.parse(await publish("--json"))).toMatchObject({ events: 200, messages: 8, repeated: 8, silent: true });
  await eventually(async () => (await counts(page)) === 40);
  const silent = await tidemark(["tail", "--url", page, "--silent", "--recent", "3", "--limit", "3"]);
  expect(
    silent.stdout
      .trim()
      .split("\n")
      .every((line) => line.endsWith("silent")),
  ).toBe(true);

  const shop = ["simulate", "--customers", "50", "--seed", "9", "--nats", nats, "--batch", "20", "--live"];
  expect(await tidemark(shop)).toMatchObject({ code: 0, stdout: "" });
  await eventually(async () => (await counts(page)) === 90);

  const state = (await tidemark(["state", "--url", page])).stdout;
  const instant = state.split("\n")[1]?.split(",")[0] ?? "";
  const replayed = await tidemark(["replay", "--nats", nats, "--at", instant, "--state", "-"]);
  expect(replayed.code, replayed.stderr).toBe(0);
  expect(replayed.stdout).toBe(state);
  expect(await stop(child)).toBe(0);
});

test("--rate holds publish back; --follow goes on until Ctrl-C, which is no failure", async () => {
  const { page, nats, child } = await engine("--data", "rate");
  const lines = Array.from(
    { length: 30 },
    (_, i) => `{"id":"${i}","customer":"c","time":${Date.now() - i},"amount":1}`,
  );
  writeFileSync(join(folder, "slow.ndjson"), lines.join("\n"));
  const started = performance.now();
  const slow = await tidemark(["publish", join(folder, "slow.ndjson"), "--nats", nats, "--rate", "20", "--batch", "1"]);
  expect(slow.code).toBe(0);
  expect(performance.now() - started).toBeGreaterThan(1400);

  const following = start(["simulate", "--customers", "5", "--nats", nats, "--follow", "--rate", "50"]);
  running.add(following);
  // Its customers, beside the one of before: it has begun, and goes on.
  await eventually(async () => (await counts(page)) > 2);
  following.kill("SIGINT");
  expect(await ended(following)).toBe(0);
  running.delete(following);
  expect(await stop(child)).toBe(0);
});

test("changed models are refused with what differs, and hold from now on when told to", async () => {
  const write = (min: number) =>
    writeFileSync(
      join(folder, "model.yaml"),
      `partitions: 2
models:
  - name: a
    currency: EUR
    recency:   { bands: [{ name: short, max: 30d }, { name: long }] }
    frequency: { window: 365d, bands: [{ name: often, min: ${min} }, { name: casual, min: 1 }] }
    monetary:  { window: 365d, bands: [{ name: any, min: 0 }] }
    segments:  [{ name: Regular, when: { frequency: [often] } }]
`,
    );
  write(5);
  const options = ["-c", "model.yaml", "--data", "model"];
  const first = await engine(...options);
  const rows = [1, 2, 3].map((i) => `${i},ann,${Date.now() - i},100`);
  writeFileSync(join(folder, "ann.csv"), `id,customer,time,amount\n${rows.join("\n")}\n`);
  const sent = ["publish", "ann.csv", "-c", "model.yaml", "--nats", first.nats];
  expect((await tidemark(sent, { cwd: folder })).code).toBe(0);
  await eventually(async () => (await counts(first.page)) === 1);
  expect((await tidemark(["state", "--url", first.page])).stdout).toContain(",Others\n");
  await stop(first.child);

  write(3);
  const refused = await tidemark(["run", "--port", "0", "--log", "json", ...options], { cwd: folder });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/models\[0\]\.dimensions\[1\]\.bands\[0\]\.limit: 5 → 3/);
  expect(refused.stderr).toMatch(/--apply-model/);
  expect(refused.stderr).not.toMatch(/\n {4}at /);

  const second = await engine(...options, "--apply-model");
  await eventually(async () => (await tidemark(["state", "--url", second.page])).stdout.includes(",Regular\n"));
  expect(await stop(second.child)).toBe(0);
});
