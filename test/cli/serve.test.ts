/** `tidemark replay --serve`: page, API and WebSocket over a file, asked by the commands that ask an engine. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ended, start, tidemark, until } from "./tidemark.js";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-serve-"));
  const shop = ["simulate", "--customers", "300", "--seed", "3", "--end", "2026-01-01", "-o", "shop.ndjson"];
  expect((await tidemark(shop, { cwd: folder })).code).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true }));

test("is what the replay says, until Ctrl-C", async () => {
  const child = start(["replay", "shop.ndjson", "--state", "state.csv", "--json", "--serve", "--port", "0"], {
    cwd: folder,
  });
  try {
    let answer = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      answer += chunk.toString();
    });
    const said = await until(child, "stderr", /Ctrl-C ends it/);
    const url = /http:\S+/.exec(said)?.[0] ?? "";
    const of = async (path: string) => (await fetch(`${url}${path}`)).json() as Promise<Record<string, unknown>>;
    const page = await (await fetch(url)).text();
    expect(page).toContain("<title>");
    const [model] = (JSON.parse(answer) as { models: { customers: number; segments: { customers: number }[] }[] })
      .models;
    const [counts] = (await of("/api/counts")) as unknown as {
      customers: number;
      none: number;
      segments: { customers: number }[];
    }[];
    expect(counts?.customers).toBe(model?.customers);
    expect([...(counts?.segments ?? []).map(({ customers }) => customers), counts?.none]).toEqual(
      model?.segments.map(({ customers }) => customers),
    );
    const state = await tidemark(["state", "--url", url], { cwd: folder });
    expect(state.stdout).toBe(readFileSync(join(folder, "state.csv"), "utf8"));
    expect(state.stdout.split("\n").length).toBeGreaterThan(200);
    const tail = await tidemark(["tail", "--url", url, "--recent", "5", "--limit", "5", "--json"], { cwd: folder });
    expect(
      tail.stdout
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { type: string }).type),
    ).toHaveLength(5);
    expect(await of("/api/status")).toMatchObject({ ready: true, lag: 0, live: true });
    expect((await fetch(`${url}/metrics`)).status).toBe(200);
    const refused = await fetch(`${url}/api/checkpoint`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
    });
    expect(refused.status).toBe(503);
  } finally {
    child.kill("SIGINT");
  }
  expect(await ended(child)).toBe(0);
});

test("a port that is taken is told before anything is read", async () => {
  const first = start(["replay", "shop.ndjson", "--serve", "--port", "0"], { cwd: folder });
  try {
    const port = /127\.0\.0\.1:(\d+)/.exec(await until(first, "stderr", /Ctrl-C ends it/))?.[1] ?? "";
    const second = await tidemark(["replay", "absent.ndjson", "--serve", "--port", port], { cwd: folder });
    expect(second).toMatchObject({ code: 1, stdout: "" });
    expect(second.stderr).toContain(`port ${port} of 127.0.0.1 is taken`);
  } finally {
    first.kill("SIGINT");
  }
  expect(await ended(first)).toBe(0);
});
