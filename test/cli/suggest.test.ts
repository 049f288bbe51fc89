/** Edges from the data, as the command line gives them: what is printed loads, and its sizes are the kernel's. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseConfig } from "../../runtime/config/index.js";
import { tidemark } from "./tidemark.js";

const DAY = 86_400_000;
const END = Date.UTC(2026, 0, 1);
let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "tidemark-suggest-"));
});
afterAll(() => rmSync(cwd, { recursive: true }));

const run = (args: readonly string[], input = "") => tidemark(args, { cwd, input });

/** 300 customers: the i-th ordered last i days before the end, 1 to 5 times ten days apart, for (i + 1).00 each. */
const events: string[] = [];
for (let i = 0; i < 300; i++) {
  for (let k = 0; k <= i % 5; k++) {
    const time = END - (i + 10 * k) * DAY;
    events.push(JSON.stringify({ id: `o${i}-${k}`, customer: `c${i}`, time, amount: 100 * (i + 1) }));
  }
}
const ndjson = `${events.join("\n")}\n`;

interface Answer {
  readonly at: string;
  readonly customers: number;
  readonly warnings: readonly { readonly kind: string }[];
  readonly models: readonly {
    readonly model: { readonly use: string; readonly edges: Record<string, unknown> };
    readonly segments: readonly { readonly segment: string | null; readonly customers: number }[];
  }[];
}

test("edges of every ready-made model, and sizes that are those of a replay under them", async () => {
  writeFileSync(join(cwd, "orders.ndjson"), ndjson);
  const { code, stdout } = await run(["suggest", "orders.ndjson", "--json"]);
  expect(code).toBe(0);
  const answer = JSON.parse(stdout) as Answer;
  expect(answer).toMatchObject({ at: "2026-01-01T00:00:00Z", customers: 300, warnings: [{ kind: "short" }] });
  expect(answer.models.map(({ model }) => model.use)).toEqual(["threebands", "points", "levels", "quintiles"]);
  expect(answer.models[0]?.model.edges).toEqual({
    recency: ["100d", "200d"],
    frequency: [3, 4],
    monetary: expect.anything(),
  });
  expect(answer.models[3]?.model.edges).toMatchObject({
    recency: ["60d", "120d", "180d", "240d"],
    frequency: [2, 3, 4, 5],
  });

  const yaml = await run(["suggest", "orders.ndjson"]);
  writeFileSync(join(cwd, "suggested.yaml"), yaml.stdout);
  expect(yaml.stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
  expect(yaml.stderr).toContain("the orders span 339 days, the window is 365");
  const replayed = await run(["replay", "orders.ndjson", "-c", "suggested.yaml", "--json"]);
  const { models } = JSON.parse(replayed.stdout) as {
    models: { segments: { segment: string; customers: number }[] }[];
  };
  const sizes = (segments: readonly { segment: string | null; customers: number }[]) =>
    segments.map(({ segment, customers }) => [segment, customers]).filter(([segment]) => segment !== null);
  expect(models.map(({ segments }) => sizes(segments))).toEqual(answer.models.map(({ segments }) => sizes(segments)));
});

test("--model gives one, --currency its money; stdin is read once", async () => {
  const { stdout } = await run(["suggest", "-", "--model", "quintiles", "--currency", "GBP"], ndjson);
  const { config } = parseConfig(stdout);
  expect(config.models).toMatchObject([{ use: "quintiles", currency: "GBP" }]);
  expect(stdout).not.toContain("FILL IN");
  expect((await run(["suggest", "-", "--model", "quintiles"], ndjson)).stdout).toContain(
    "FILL IN: no currency was found",
  );
});

test("nothing to go by is said, and the models are still sound", async () => {
  const { code, stdout, stderr } = await run(["suggest", "-", "--format", "ndjson"], "");
  expect(code).toBe(0);
  expect(stderr).toContain("no customer has an order that counts");
  expect(parseConfig(stdout).config.models).toHaveLength(4);
});

test("usage", async () => {
  expect((await run(["suggest"])).code).toBe(2);
  const wrong = await run(["suggest", "-", "--model", "quintile"]);
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toContain("Allowed choices are threebands, points, levels, quintiles");
  expect((await run(["suggest", "-", "--currency", "euro"])).stderr).toContain("Expected a currency of ISO 4217");
});

test("replay without a configuration: under thirds, which it prints as YAML that gives the same answer", async () => {
  writeFileSync(join(cwd, "shop.ndjson"), ndjson);
  const first = await run(["replay", "shop.ndjson"]);
  expect(first.code).toBe(0);
  const [answer = "", yaml = ""] = first.stdout.split(/^(?=models:)/m);
  expect(parseConfig(yaml).config.models).toEqual([
    {
      use: "threebands",
      currency: "EUR",
      edges: { recency: ["100d", "200d"], frequency: [3, 4], monetary: [22_000, 55_000] },
    },
  ]);
  expect(answer).toContain("warning: the orders span 339 days, the window is 365");
  writeFileSync(join(cwd, "thirds.yaml"), yaml);
  const second = await run(["replay", "shop.ndjson", "-c", "thirds.yaml"]);
  expect(answer.slice(0, answer.indexOf("Thresholds")).trimEnd()).toBe(second.stdout.trimEnd());

  const files = ["--state", "a.csv", "--migrations", "a.ndjson", "--memory", "1"];
  const piped = await run(["replay", "-", "--format", "ndjson", ...files, "--json"], ndjson);
  const configured = files.map((name) => name.replace(/^a\./, "b."));
  await run(["replay", "shop.ndjson", "-c", "thirds.yaml", ...configured]);
  expect(JSON.parse(piped.stdout)).toMatchObject({
    thresholds: { model: { use: "threebands" }, warnings: [{ kind: "short" }] },
  });
  for (const ending of ["csv", "ndjson"]) {
    const [a, b] = ["a", "b"].map((name) => readFileSync(join(cwd, `${name}.${ending}`), "utf8"));
    expect(a).toBe(b);
    expect(a?.length).toBeGreaterThan(10_000);
  }
});
