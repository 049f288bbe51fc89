import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { describeModels } from "../../connectors/http/model.js";
import { openApi } from "../../connectors/http/openapi.js";
import { createHttp, type Http } from "../../connectors/http/server.js";
import { asyncApi } from "../../connectors/websocket/asyncapi.js";
import { follow } from "../../connectors/websocket/client.js";
import type { LiveCounts } from "../../connectors/websocket/protocol.js";
import type { Explanation } from "../../runtime/explain.js";
import { REASONS } from "../../runtime/record.js";
import { MemorySource, partitionStatus } from "./source.js";

let source: MemorySource;
let http: Http;
let url: string;
let errors: unknown[];

beforeEach(async () => {
  source = new MemorySource();
  errors = [];
  http = await createHttp(source, { version: "0.1.0", onError: (error) => errors.push(error) });
  ({ url } = await http.listen(0));
});

afterEach(() => http.close());

const get = (path: string, init?: RequestInit) => fetch(url + path, init);

test("the page and its files come with a strict policy and are asked for again by their tag", async () => {
  for (const path of ["/", "/main.js", "/style.css", "/icon.svg"]) {
    const response = await get(path);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'; script-src 'self'");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    const again = await get(path, { headers: { "If-None-Match": response.headers.get("etag") ?? "" } });
    expect(again.status).toBe(304);
  }
  expect((await get("/")).headers.get("content-type")).toBe("text/html; charset=utf-8");
  const html = await (await get("/")).text();
  expect(html).not.toMatch(/https?:\/\//);
});

test("health: alive whatever happens, ready when every check holds", async () => {
  expect(await (await get("/readyz")).text()).toBe("ok\n");
  expect(await (await get("/readyz?verbose")).text()).toBe("[+] broker: connected\n[+] lag: 0 messages\nok\n");
  source.ok = false;
  for (const path of ["/readyz", "/healthz"]) {
    const response = await get(path);
    expect(response.status).toBe(503);
    expect(await response.text()).toBe("[-] broker: not connected\nnot ready\n");
  }
  source.status = () => Promise.reject(new Error("no answer"));
  expect((await get("/livez")).status).toBe(200);
});

test("models, counts and status are those of the engine", async () => {
  source.count(0, 21, 5);
  const model = (await (await get("/api/model")).json()) as ReturnType<typeof describeModels>;
  expect(model).toMatchObject({ name: "shop", version: "00112233aabbccdd", clock: "broker", partitions: 2 });
  expect(model.models[0].dimensions[0]).toMatchObject({ name: "recency", windowMs: null, stride: 1 });
  expect(model.models[0].dimensions[0].bands[2]).toEqual({ name: "long", limit: null, points: 1 });
  const counts = (await (await get("/api/counts")).json()) as LiveCounts[];
  expect(counts[0]).toMatchObject({
    model: "retail",
    customers: 5,
    none: 0,
    segments: [{ name: "VIP", customers: 5 }, {}, {}, {}, {}],
  });
  expect(await (await get("/api/status")).json()).toMatchObject({
    ...{ name: "shop", version: "00112233aabbccdd", ready: true, partitionCount: 2 },
    lag: 20,
    clock: 1_767_225_600_000,
    live: true,
    partitions: [{ position: 90, ledger: 20, ledgerAcked: 18, customers: 40, streamFirst: 11 }, {}],
  });
});

const NOBODY: Explanation = {
  ...{ customer: "c", partition: 1, position: 9, at: 5, exact: true, orderCount: 0, orders: [], models: [] },
  ...{ waitingCount: 0, waiting: [] },
};

test("a customer is explained, with ids of any kind and so many orders", async () => {
  const problem = async (path: string) => {
    const response = await get(path);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    return response.status;
  };
  expect(await problem("/api/customers/nobody/explain")).toBe(404);
  expect(await problem("/api/customers/a/explain?orders=-1")).toBe(400);
  expect(await problem("/api/customers/a/explain?orders=100000")).toBe(400);
  const waiting = {
    kind: "refund" as const,
    expiry: 9,
    amount: 5,
    channel: null,
    currency: null,
    sequence: 1,
    index: 0,
  };
  const item = Buffer.from('{"id":"r"}');
  source.explanation = { ...NOBODY, customer: "a/b ?ü", waitingCount: 1, waiting: [{ ...waiting, item, length: 10 }] };
  const found = await get(`/api/customers/${encodeURIComponent("a/b ?ü")}/explain?orders=7`);
  expect(await found.json()).toMatchObject({ customer: "a/b ?ü", waiting: [{ kind: "refund", item: { id: "r" } }] });
  expect(source.explained.at(-1)).toEqual(["a/b ?ü", 7]);
});

test("the state is streamed as CSV with the position it is true at", async () => {
  const row = {
    lastOrder: 5,
    firstOrder: 1,
    orders: 2,
    spend: 300,
    ordersEver: 2,
    spendEver: 300,
    recency: "short",
    frequency: "casual",
    monetary: "saver",
    tenure: null,
    points: 7,
    segment: "VIP",
  };
  source.rows = Array.from({ length: 25_000 }, (_, i) => ({ model: "retail", customer: `c,"${i}`, ...row }));
  const response = await get("/api/state");
  expect(response.headers.get("tidemark-instant")).toBe("1767225600000");
  expect(response.headers.get("tidemark-position")).toBe("0=41,1=7");
  const lines = (await response.text()).split("\n");
  expect(lines[0]).toBe(
    "instant,model,customer,last_order_ms,first_order_ms,orders,spend,orders_ever,spend_ever,recency,frequency,monetary,tenure,points,segment",
  );
  expect(lines[1]).toBe('1767225600000,retail,"c,""0",5,1,2,300,2,300,short,casual,saver,,7,VIP');
  expect(lines).toHaveLength(25_002);
});

test("a state that fails on its way does not look whole", async () => {
  const { rows } = await source.state();
  source.state = async () => ({
    instant: 1,
    positions: [1],
    rows: (async function* () {
      yield* rows;
      throw new Error("the worker has ended");
    })(),
  });
  await expect(get("/api/state").then((response) => response.text())).rejects.toThrow();
  expect(errors).toHaveLength(1);
});

test("checkpoints are taken when asked for, by no page of another origin", async () => {
  const asked = await get("/api/checkpoint", { method: "POST", headers: { "Content-Type": "application/json" } });
  expect([asked.status, await asked.json()]).toEqual([200, { positions: [41, 7] }]);
  expect((await get("/api/checkpoint", { method: "POST", body: "{}" })).status).toBe(415);
  expect((await get("/api/checkpoint")).status).toBe(404);
  source.checkpoint = () => Promise.reject(new Error("the disk is full"));
  const refused = await get("/api/checkpoint", { method: "POST", headers: { "Content-Type": "application/json" } });
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ detail: "no checkpoint: the disk is full" });
});

test("errors are problems: nothing there, not with this method, no engine", async () => {
  const problem = async (response: Response) => {
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    return response.json();
  };
  expect(await problem(await get("/nothing"))).toMatchObject({ status: 404, detail: "there is nothing at /nothing" });
  expect(await problem(await get("/../../package.json"))).toMatchObject({ status: 404 });
  expect(await problem(await get("/api/counts", { method: "POST" }))).toMatchObject({ status: 405 });
  expect(await problem(await get("/ws"))).toMatchObject({ status: 426 });
  source.counts = () => Promise.reject(new Error("secret detail"));
  const answer = await problem(await get("/api/counts"));
  expect(answer).toMatchObject({ status: 503 });
  expect(JSON.stringify(answer)).not.toContain("secret");
  expect(errors).toHaveLength(1);
});

test("a port in use is one clear error that names it", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as { port: number };
  const other = await createHttp(source, { version: "0.1.0" });
  await expect(other.listen(port)).rejects.toMatchObject({
    name: "InputError",
    code: "PORT_IN_USE",
    message: `PORT_IN_USE: port ${port} of 127.0.0.1 is taken`,
  });
  await other.close();
  taken.close();
});

interface Parsed {
  readonly type: string;
  readonly help: string;
  readonly samples: Map<string, number>;
}

/** The families of a scrape by name; a name that is not there fails the test. */
class Families extends Map<string, Parsed> {
  override get(name: string): Parsed {
    const found = super.get(name);
    if (found === undefined) throw new Error(`there is no metric ${name}`);
    return found;
  }
}

function parse(text: string): Families {
  const families = new Families();
  let name = "";
  let help = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("# HELP ")) [, name = "", help = ""] = /^# HELP (\S+) (.*)$/.exec(line) ?? [];
    else if (line.startsWith("# TYPE ")) families.set(name, { type: line.split(" ")[3], help, samples: new Map() });
    else if (line !== "") {
      const [, sample, value] = /^(\S+?(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
      families.get(name).samples.set(sample, Number(value));
    }
  }
  return families;
}

async function scrape(): Promise<Families> {
  const response = await get("/metrics");
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return parse(await response.text());
}

test("metrics say what the engine's status says", async () => {
  source.count(0, 21, 5);
  source.count(0, 0, 2);
  await get("/livez");
  const families = await scrape();
  const value = (sample: string) => families.get(sample.split("{")[0]).samples.get(sample);
  expect(value('tidemark_events_total{partition="0",kind="refund",outcome="duplicate"}')).toBe(102);
  expect(value('tidemark_dead_letters_total{partition="1",reason="overLimit"}')).toBe(REASONS.indexOf("overLimit"));
  expect(value('tidemark_migrations_total{partition="0",model="retail",from="null",to="Others",cause="order"}')).toBe(
    9,
  );
  expect(value('tidemark_migrations_total{partition="0",model="retail",from="Loyal",to="VIP",cause="recency"}')).toBe(
    3,
  );
  expect(value('tidemark_lag_messages{partition="0"}')).toBe(10);
  expect(value('tidemark_retention_headroom_messages{partition="0"}')).toBe(80);
  expect(value('tidemark_clock_timestamp_seconds{partition="0"}')).toBe(1_767_225_600.5);
  expect(value('tidemark_overdue_timestamp_seconds{partition="0"}')).toBe(1_767_225_600);
  expect(value('tidemark_overdue_timestamp_seconds{partition="1"}')).toBeUndefined();
  expect(value('tidemark_segment_customers{model="retail",segment="VIP"}')).toBe(5);
  expect(value('tidemark_segment_customers{model="retail",segment="null"}')).toBe(2);
  expect(value('tidemark_http_requests_total{route="/livez",status="200"}')).toBe(1);
  expect(value(`tidemark_build_info{version="0.1.0",node="${process.versions.node}"}`)).toBe(1);
  expect(
    value(
      'tidemark_configuration_info{name="shop",version="00112233aabbccdd",clock="broker",partitions="2",workers="1"}',
    ),
  ).toBe(1);
  const delay = families.get("tidemark_delay_seconds");
  expect(delay.type).toBe("histogram");
  expect([...delay.samples].slice(0, 6)).toEqual([
    ['tidemark_delay_seconds_bucket{partition="0",le="0.001"}', 5],
    ['tidemark_delay_seconds_bucket{partition="0",le="0.01"}', 8],
    ['tidemark_delay_seconds_bucket{partition="0",le="0.1"}', 9],
    ['tidemark_delay_seconds_bucket{partition="0",le="+Inf"}', 10],
    ['tidemark_delay_seconds_sum{partition="0"}', 0.42],
    ['tidemark_delay_seconds_count{partition="0"}', 10],
  ]);
});

test("WebSocket clients are seen in the metrics", async () => {
  const stopping = new AbortController();
  const following = follow({ url, signal: stopping.signal, filter: { model: "retail" } });
  await following.next();
  source.move("a");
  await following.next();
  const families = await scrape();
  expect(families.get("tidemark_websocket_clients").samples.get('tidemark_websocket_clients{format="json"}')).toBe(1);
  expect(
    families
      .get("tidemark_websocket_messages_sent_total")
      .samples.get('tidemark_websocket_messages_sent_total{type="migration"}'),
  ).toBe(1);
  stopping.abort();
  await following.next();
});

test("a worker that does not answer has no samples, but its state; no engine, no metrics", async () => {
  source.status_ = [partitionStatus(0), { ...partitionStatus(1), state: "silent" }];
  const families = await scrape();
  expect([...families.get("tidemark_messages_total").samples.keys()]).toEqual([
    'tidemark_messages_total{partition="0"}',
  ]);
  expect(
    families.get("tidemark_partition_state").samples.get('tidemark_partition_state{partition="1",state="silent"}'),
  ).toBe(1);
  source.status = () => Promise.reject(new Error("stopped"));
  expect((await get("/metrics")).status).toBe(503);
});

test("every name keeps Prometheus's rules", async () => {
  const text = await (await get("/metrics")).text();
  for (const [name, { type, help, samples }] of parse(text)) {
    expect(name, name).toMatch(/^(tidemark|nodejs|process)_[a-z0-9_]+$/);
    expect(help, name).not.toBe("");
    if (type === "counter") expect(name).toMatch(/_total$/);
    else expect(name).not.toMatch(/_(total|count|sum|bucket)$/);
    expect(name).not.toMatch(/_(ms|millis|milliseconds|minutes|hours|days|kb|mb|kilobytes|megabytes|percent)(_|$)/);
    if (name.startsWith("tidemark_") && name.endsWith("_info"))
      expect([...samples.values()]).toEqual([...samples.values()].map(() => 1));
    for (const sample of samples.keys()) expect(sample).not.toMatch(/customer="/);
  }
  // The real linter, where the machine has it (Debian's package prometheus).
  if (spawnSync("promtool", ["--version"]).error !== undefined) return;
  expect(execFileSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" })).toBe("");
});

test.skipIf(spawnSync("promtool", ["--version"]).error !== undefined)(
  "the alerts fire when they should, and only then (promtool, of Debian's package prometheus)",
  () => {
    const ran = spawnSync("promtool", ["test", "rules", "alerts.yml"], { cwd: import.meta.dirname, encoding: "utf8" });
    expect(ran.status, `${ran.stdout}${ran.stderr}`).toBe(0);
    // Every metric that a rule looks at is one that is exported.
    const rules = readFileSync(new URL("../../deploy/alerts.yml", import.meta.url), "utf8");
    const names = readFileSync(new URL("../../connectors/http/families.ts", import.meta.url), "utf8");
    for (const [name, short = ""] of rules.matchAll(/tidemark_([a-z_]+)/g)) expect(names, name).toContain(`"${short}"`);
  },
);

test("both documents are whole: every reference leads somewhere, every path is served", async () => {
  for (const document of [openApi("0.1.0"), asyncApi("0.1.0", "shop")]) {
    for (const [, pointer] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      let target: unknown = document;
      for (const key of pointer.split("/")) target = (target as Record<string, unknown> | undefined)?.[key];
      expect(target, pointer).toBeDefined();
    }
  }
  source.explanation = NOBODY;
  for (const [path, methods] of Object.entries((openApi("0.1.0") as { paths: object }).paths))
    if ("get" in methods) expect((await get(path)).status, path).toBe(200);
  expect(await (await get("/api/asyncapi.json")).json()).toMatchObject({
    channels: { orders: { address: "shop.orders.{partition}.{channel}" } },
  });
});
