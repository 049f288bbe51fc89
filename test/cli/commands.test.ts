/** The command line as its users meet it: results, messages and exit codes of each command that needs no broker. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { decodeMulti } from "@msgpack/msgpack";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { STATE_HEADER } from "../../runtime/state.js";
import { type RunOptions, tidemark } from "./tidemark.js";

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "tidemark-cli-"));
});
afterAll(() => rmSync(cwd, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(cwd, name), content);
  return name;
}

/** Runs in the test's folder; a command that fails must never show a stack. */
async function run(args: readonly string[], options: RunOptions = {}) {
  const result = await tidemark(args, { cwd, ...options });
  expect(result.stderr).not.toMatch(/\n {4}at /);
  return result;
}

describe("help and usage", () => {
  const commands = ["run", "replay", "suggest", "init", "publish", "simulate", "state", "tail", "dlq", "check"];

  test("every command has help with examples, within 80 columns but for the examples", async () => {
    for (const command of [...commands, "dlq list", "dlq replay"]) {
      const { code, stdout, stderr } = await run([...command.split(" "), "--help"]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(/^Usage: tidemark /);
      expect(stdout).toContain("Examples:");
      const [text = ""] = stdout.split("Examples:");
      expect(text.split("\n").filter((line) => line.length > 80)).toEqual([]);
    }
  });

  test("version and overview", async () => {
    expect((await run(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const { code, stdout } = await run(["--help"]);
    expect(code).toBe(0);
    for (const command of commands) expect(stdout).toContain(`  ${command} `);
  });

  test.each([
    [["repaly"], /unknown command 'repaly'\n\(Did you mean replay\?\)/],
    [["replay", "--stat", "x"], /Did you mean --state\?/],
    [["replay"], /nothing to replay/],
    [["replay", "x.csv", "--at", "soon", "--state", "-"], /'soon' is invalid. Expected a time/],
    [["replay", "x.csv", "--at", "2026-01-01"], /nothing is to be written/],
    [["replay", "x.csv", "--state", "-", "--migrations", "-"], /only one result/],
    [["replay", "x.csv", "--scale", "two"], /Expected a whole number from 0 to 12/],
    [["replay", "x.csv", "--batch", "0"], /whole number from 1/],
    [["replay", "x.csv", "--kind", "sale=buy"], /expected text=kind/],
    [["replay", "x.csv", "--map", "price=Total"], /expected field=column/],
    [["replay", "x.csv", "--zone", "Mars", "--map", "id=id"], /no time zone called "Mars"/],
    [["replay", "x.csv", "--source", "shop"], /has no source shop/],
    [["replay", "x.csv", "--format", "xlsx"], /Allowed choices are csv, ndjson, msgpack/],
    [["publish"], /missing required argument 'file'/],
    [["simulate", "--customers", "many"], /whole number/],
    [["tail", "--cause", "weather"], /Allowed choices are order, refund/],
    [["state", "--url", "ftp://x"], /no address of an engine/],
    [["run", "--port", "99999"], /whole number from 0 to 65535/],
  ])("tidemark %j: a mistake in the usage is exit code 2", async (args, message) => {
    file("x.csv", "id,customer,time\n1,a,1700000000000\n");
    const { code, stdout, stderr } = await run(args);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });

  test("colour only where it is wanted", async () => {
    expect((await run(["repaly"])).stderr).not.toContain("\x1b");
    expect((await run(["repaly"], { env: { FORCE_COLOR: "1" } })).stderr).toContain("\x1b[31mtidemark:");
    expect((await run(["check"], { env: { FORCE_COLOR: "1", NO_COLOR: "1" } })).stdout).not.toContain("\x1b");
  });
});

describe("replay", () => {
  const day = (n: number) => new Date(Date.UTC(2026, 0, 1 + n)).toISOString();
  const rows = ["id,customer,time,amount", `2,bob,${day(40)},2500`, `1,ann,${day(0)},12000`, `3,ann,${day(50)},100`];
  const csv = `${rows.join("\n")}\n`;
  // Of the defaults: without a configuration thresholds follow the data.
  const bands = ["-c", "eur.yaml"];
  beforeAll(() => {
    file("eur.yaml", "models: [{ use: threebands, currency: EUR }]\n");
  });

  test("state at instants, in order, from a file, from stdin, packed or not", async () => {
    const path = file("orders.csv", csv);
    const packed = file("orders.csv.gz", gzipSync(csv));
    const at = ["--at", `${day(31)},${day(0)}`, "--at", day(50), "--state", "-", ...bands];
    const first = await run(["replay", path, ...at]);
    expect(first.code).toBe(0);
    expect(first.stdout.split("\n")).toEqual([
      STATE_HEADER,
      `${Date.parse(day(0))},threebands,ann,${Date.parse(day(0))},${Date.parse(day(0))},1,12000,1,12000,short,casual,average,,9,Active`,
      `${Date.parse(day(31))},threebands,ann,${Date.parse(day(0))},${Date.parse(day(0))},1,12000,1,12000,medium,casual,average,,7,Cooling`,
      `${Date.parse(day(50))},threebands,ann,${Date.parse(day(50))},${Date.parse(day(0))},2,12100,2,12100,short,casual,average,,9,Active`,
      `${Date.parse(day(50))},threebands,bob,${Date.parse(day(40))},${Date.parse(day(40))},1,2500,1,2500,short,casual,saver,,7,Active`,
      "",
    ]);
    expect(first.stderr).toContain("2 customers");
    expect((await run(["replay", packed, ...at])).stdout).toBe(first.stdout);
    expect((await run(["replay", "-", ...at], { input: csv })).stdout).toBe(first.stdout);
  });

  test("migrations as CloudEvents, not silent; dead letters with their reason and content", async () => {
    const path = file("bad.csv", `${csv}4,,${day(51)},1\n5,ann,${day(51)},1.5\n6,ann,yesterday,1\n7,ann\n8,cid,12,1\n`);
    const outputs = ["--migrations", "m.ndjson", "--dead", "d.ndjson", "--json"];
    const { code, stdout } = await run(["replay", path, ...bands, ...outputs]);
    expect(code).toBe(0);
    const events = readFileSync(join(cwd, "m.ndjson"), "utf8").trim().split("\n");
    const parsed = events.map((line) => JSON.parse(line) as { id: string; data: { silent: boolean; cause: object } });
    expect(parsed.map(({ id }) => id).sort()).toEqual([
      "threebands/ann/1",
      "threebands/ann/2",
      "threebands/ann/3",
      "threebands/bob/1",
    ]);
    expect(parsed.every(({ data }) => !data.silent)).toBe(true);
    const dead = readFileSync(join(cwd, "d.ndjson"), "utf8").trim().split("\n");
    expect(dead.map((line) => (JSON.parse(line) as { reason: string }).reason).sort()).toEqual([
      "fraction",
      "missingField",
      "timeTooOld",
      "undecodable",
      "wrongType",
    ]);
    expect(dead.join("\n")).toContain('"text":"7,ann"');
    expect(JSON.parse(stdout)).toMatchObject({
      rows: 8,
      clock: day(50).replace(".000Z", "Z"),
      deadLetters: { fraction: 1, missingField: 1, timeTooOld: 1, undecodable: 1, wrongType: 1 },
      events: { order: { applied: 3 } },
    });
  });

  test("map, scale, zone and kind", async () => {
    const content =
      "No;Who;When;Sum;What\n1;a;2026-01-01 01:00;12.30;sale\n2;a;2026-01-02 01:00;-2.30;back\n3;a;2026-01-03 01:00;9;fee\n";
    const path = file("shop.txt", content);
    const map = ["--map", "id=No,customer=Who,time=When", "--map", "amount=Sum,kind=What", "--delimiter", ";"];
    const options = ["--scale", "2", "--zone", "Europe/Warsaw", "--kind", "sale=order,back=refund", "--state", "-"];
    const { stdout, stderr } = await run(["replay", path, ...map, ...options]);
    expect(stdout.split("\n")[1]).toMatch(/^1767312000000,threebands,a,1767225600000,1767225600000,1,1000,1,1000,/);
    expect(stderr).toMatch(/kind fee +1/);
  });

  test("the clock goes to --until, whatever lies behind it", async () => {
    const path = file("orders.csv", csv);
    const { stdout } = await run(["replay", path, "--until", day(45), "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ clock: day(45).replace(".000Z", "Z"), leftOut: { afterUntil: 1 } });
  });

  test("order events as NDJSON and MessagePack: any of the three gives the same state", async () => {
    const shop = ["simulate", "--customers", "300", "--seed", "3", "--end", "2026-01-01"];
    for (const format of ["ndjson", "csv", "msgpack"]) {
      const made = await run([...shop, "--format", format, "-o", `shop.${format}`, "--batch", "7"]);
      expect(made).toMatchObject({ code: 0, stdout: "" });
    }
    const states = [];
    for (const format of ["ndjson", "csv", "msgpack"]) {
      states.push((await run(["replay", `shop.${format}`, "--state", "-"])).stdout);
    }
    expect(states[0]?.split("\n").length).toBeGreaterThan(250);
    expect(states[1]).toBe(states[0]);
    expect(states[2]).toBe(states[0]);
  });

  test("an empty file is nothing to apply, and no failure", async () => {
    const { code, stdout } = await run(["replay", file("empty.ndjson", "")]);
    expect(code).toBe(0);
    expect(stdout).toContain("There was nothing to apply.");
  });

  test.each([
    [["replay", "absent.csv"], /there is no file absent.csv/],
    [["replay", "."], /is a folder/],
    [["replay", "orders.csv", "-c", "absent.yaml"], /absent.yaml can't be read: there is no such file/],
    [["replay", "orders.csv", "--state", "nowhere/state.csv"], /its folder is not there/],
    [["replay", "orders.csv", "--memory", "1", "--tmp", "nowhere", "--state", "."], /it is a folder/],
  ])("tidemark %j: exit code 1, what and what to do", async (args, message) => {
    file("orders.csv", csv);
    const { code, stderr } = await run(args);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n").length).toBe(2);
    expect(code).toBe(1);
  });

  test.skipIf(!existsSync("/dev/full"))("a full disk is said in one line", async () => {
    const { code, stderr } = await run(["replay", file("orders.csv", csv), "--state", "/dev/full"]);
    expect(stderr).toMatch(/^tidemark: no room to write \/dev\/full\n/);
    expect(code).toBe(1);
  });

  test("a partition that is full says so", async () => {
    const config = file(
      "small.yaml",
      "capacity: { customers: 1024, entries: 1024 }\npartitions: 1\nmodels: [{ use: threebands, currency: EUR }]\n",
    );
    const lines = Array.from({ length: 3000 }, (_, i) => `${i},c${i},${1_700_000_000_000 + i},1`);
    const { code, stderr } = await run([
      "replay",
      file("big.csv", `id,customer,time,amount\n${lines.join("\n")}\n`),
      "-c",
      config,
    ]);
    expect(stderr).toMatch(/partition 0 is full/);
    expect(stderr).toMatch(/Raise the capacity/);
    expect(code).toBe(1);
  });
});

describe("simulate", () => {
  const shop = ["simulate", "--customers", "100", "--seed", "5", "--end", "2026-01-01", "--days", "100"];

  test("is the same for the same seed, and ends quietly when its reader has seen enough", async () => {
    const first = await run(shop);
    expect(first.stdout.split("\n").length).toBeGreaterThan(100);
    expect((await run(shop)).stdout).toBe(first.stdout);
    expect((await run([...shop, "--seed", "6"])).stdout).not.toBe(first.stdout);
    expect(first.stderr).toBe("");
  });

  test("MessagePack arrays of --batch events", async () => {
    await run([...shop, "--format", "msgpack", "--batch", "10", "-o", "shop.msgpack"]);
    const batches = [...decodeMulti(readFileSync(join(cwd, "shop.msgpack")))] as unknown[][];
    expect(batches.slice(0, -1).every((batch) => batch.length === 10)).toBe(true);
    const lines = (await run(shop)).stdout.trim().split("\n");
    expect(batches.flat()).toEqual(lines.map((line) => JSON.parse(line) as unknown));
  });
});

describe("check", () => {
  test("the defaults: cells, segments and findings", async () => {
    const { code, stdout } = await run(["check"]);
    expect(code).toBe(0);
    expect(stdout).toContain("the defaults can work");
    expect(stdout).toMatch(/recency +frequency +spender +average +saver +none/);
    const json = JSON.parse((await run(["check", "--json"])).stdout) as {
      ok: boolean;
      models: { segments: object[] }[];
    };
    expect(json.ok).toBe(true);
    expect(json.models[0]?.segments.length).toBeGreaterThan(3);
  });

  test("mistakes are listed with file, line, field, found and expected", async () => {
    const path = file("broken.yaml", "name: shop\nhorizon: 4 weeks\nmodels:\n  - name: a\n    curency: EUR\n");
    for (const args of [
      ["check", path],
      ["replay", "x.csv", "-c", path],
      ["run", "-c", path],
    ]) {
      const { code, stdout, stderr } = await run(args);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toMatch(/broken.yaml:2:\d+: horizon: .*4 weeks/);
      expect(stderr).toMatch(/broken.yaml:5:\d+: .*curency.*did you mean "currency"/);
    }
    const { code, stdout } = await run(["check", path, "--json"]);
    expect(code).toBe(1);
    const answer = JSON.parse(stdout) as { ok: boolean; errors: { line: number; path: string[] }[] };
    expect(answer.ok).toBe(false);
    expect(answer.errors[0]).toMatchObject({ line: 2, path: ["horizon"] });
  });

  test("a rule that never decides is pointed out", async () => {
    const model = `models:
  - name: a
    currency: EUR
    recency:   { bands: [{ name: short, max: 30d }, { name: long }] }
    frequency: { window: 365d, bands: [{ name: casual, min: 1 }] }
    monetary:  { window: 365d, bands: [{ name: any, min: 0 }] }
    segments:
      - { name: Here, when: { recency: [short] } }
      - { name: Never, when: { recency: [short], frequency: [casual] } }
`;
    const { code, stdout } = await run(["check", file("never.yaml", model)]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/never +Never: never decides: earlier rules take all its cells \(Here\)/);
  });

  test("tidemark.yaml here is found; an option is before the environment, the environment before the file", async () => {
    const folder = mkdtempSync(join(cwd, "found-"));
    const named = (name: string) => `name: ${name}\nmodels: [{ use: threebands, currency: EUR }]\n`;
    writeFileSync(join(folder, "tidemark.yaml"), named("here"));
    writeFileSync(join(folder, "env.yaml"), named("env"));
    writeFileSync(join(folder, "flag.yaml"), named("flag"));
    const env = { TIDEMARK_CONFIG: "env.yaml" };
    expect((await run(["check"], { cwd: folder })).stdout).toContain("name here,");
    expect((await run(["check"], { cwd: folder, env })).stdout).toContain("name env,");
    expect((await run(["check", "-c", "flag.yaml"], { cwd: folder, env })).stdout).toContain("name flag,");
  });
});

describe("what is not there", () => {
  test.each([
    [["publish", "x.csv", "--nats", "nats://127.0.0.1:1"], /no connection to nats:\/\/127.0.0.1:1: connection refused/],
    [["run", "--port", "0", "--nats", "nats://127.0.0.1:1"], /no connection to/],
    [["replay", "--nats", "nats://127.0.0.1:1"], /no connection to/],
    [["simulate", "--nats", "nats://127.0.0.1:1"], /no connection to/],
    [["dlq", "list", "--nats", "nats://127.0.0.1:1"], /no connection to/],
    [["state", "--url", "http://127.0.0.1:1"], /no engine answers at http:\/\/127.0.0.1:1/],
    [["tail", "--url", "http://127.0.0.1:1"], /127.0.0.1:1/],
    [["run", "--port", "0", "--data", "x.csv/data"], /can't write to/],
    [["publish", "x.csv", "--nats", "nats://127.0.0.1:1", "--nats-token", "absent"], /absent/],
  ])("tidemark %j: one line with the remedy, exit code 1", async (args, message) => {
    file("x.csv", "id,customer,time\n1,a,1700000000000\n");
    const { code, stdout, stderr } = await run(args);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n").length).toBe(2);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  });

  test("a port in use is found out before anything is started", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    try {
      const { code, stderr } = await run(["run", "--port", String(port), "--data", "never-made"]);
      expect(stderr).toMatch(new RegExp(`port ${port} of 127.0.0.1 is taken\\n.*--port`));
      expect(code).toBe(1);
      expect(readdirSync(cwd)).not.toContain("never-made");
    } finally {
      server.close();
    }
  });
});
