/** A configuration written for someone: it loads, says what it does not know, and never writes over another. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseConfig } from "../../runtime/config/index.js";
import { tidemark } from "./tidemark.js";

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "tidemark-init-"));
});
afterAll(() => rmSync(cwd, { recursive: true }));

const run = (args: readonly string[]) => tidemark(args, { cwd });
const DAY = 86_400_000;
const rows = Array.from({ length: 90 }, (_, i) => `o${i},c${i},${Date.UTC(2026, 0, 1) - i * DAY},${100 * (i + 1)}`);

test("from a file: thresholds found, what is not known marked; check and replay take it", async () => {
  writeFileSync(join(cwd, "orders.csv"), `id,customer,time,amount\n${rows.join("\n")}\n`);
  const made = await run(["init", "orders.csv"]);
  expect(made).toMatchObject({ code: 0, stderr: "" });
  expect(made.stdout).toContain("tidemark replay orders.csv");
  const text = readFileSync(join(cwd, "tidemark.yaml"), "utf8");
  expect(text).toContain("currency: EUR  # FILL IN: no currency was found, EUR is a guess");
  expect(text).toContain("warning: the orders span 89 days, the window is 365");
  expect(parseConfig(text).config.models).toMatchObject([{ use: "threebands", edges: { recency: ["30d", "60d"] } }]);
  expect(text).toContain("# orders.csv was read as 90 rows");
  expect(text).toMatch(/^# {3}customer {2}customer$/m);
  // Every model that stands by loads, too.
  const all = text.replace(/^ {2}# (- use: .*| {2,4}\w+:.*)$/gm, "  $1");
  expect(parseConfig(all).config.models).toHaveLength(4);

  expect((await run(["check"])).stdout).toContain("tidemark.yaml can work");
  const replayed = await run(["replay", "orders.csv", "-c", "tidemark.yaml", "--json"]);
  expect(JSON.parse(replayed.stdout)).toMatchObject({ rows: 90, models: [{ model: "threebands", customers: 90 }] });

  const again = await run(["init", "orders.csv"]);
  expect(again.code).toBe(2);
  expect(again.stderr).toContain("tidemark.yaml is there already");
  expect((await run(["init", "--force"])).code).toBe(0);
  expect(readFileSync(join(cwd, "tidemark.yaml"), "utf8")).toContain("Written by tidemark init, to start with.");
});

test("without a file: to start with, on stdout where asked", async () => {
  const { code, stdout } = await run(["init", "--stdout"]);
  expect(code).toBe(0);
  expect(parseConfig(stdout).warnings).toEqual([]);
  expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
  expect((await run(["init", "-o", "nowhere/x.yaml"])).stderr).toContain("its folder is not there");
});
