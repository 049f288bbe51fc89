/** What each path answers. */
import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { routePath } from "hono/route";
import { FatalError } from "../../runtime/errors.js";
import { STATE_HEADER, stateLine } from "../../runtime/state.js";
import { type Asset, PAGE_POLICY } from "../dashboard/assets.js";
import type { EdgeEngine, StateAnswer } from "../edge.js";
import { asyncApi } from "../websocket/asyncapi.js";
import { describeCounts } from "../websocket/counts.js";
import { describeExplanation } from "./explanation.js";
import type { Metrics } from "./metrics.js";
import { describeModels } from "./model.js";
import { openApi } from "./openapi.js";
import { describeStatus } from "./status.js";

/** Orders of a customer in an answer: where not said, and at most. The others are counted and summed. */
const ORDERS_SHOWN = 100;
const ORDERS_MAX = 10_000;

export interface Routes {
  readonly engine: EdgeEngine;
  readonly metrics: Metrics;
  readonly page: ReadonlyMap<string, Asset>;
  readonly version: string;
  readonly report: (error: unknown) => void;
}

export function createRoutes({ engine, metrics, page, version, report }: Routes): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();

  app.use(async (context, next) => {
    await next();
    context.header("X-Content-Type-Options", "nosniff");
    context.header("Referrer-Policy", "no-referrer");
    context.header("Cross-Origin-Opener-Policy", "same-origin");
    context.header("Cross-Origin-Resource-Policy", "same-origin");
    context.header("Content-Security-Policy", PAGE_POLICY);
    if (!context.res.headers.has("Cache-Control")) context.header("Cache-Control", "no-store");
    const route = routePath(context, -1);
    metrics.requests.inc({
      route: route.startsWith("/") && route !== "/*" ? route : "other",
      status: context.res.status,
    });
  });

  for (const [path, asset] of page) {
    app.get(path, (context) => {
      // Small files that must match each other: always asked for again, rarely sent again.
      const headers = { "Cache-Control": "no-cache", ETag: asset.etag };
      if (context.req.header("If-None-Match") === asset.etag) return context.body(null, 304, headers);
      return context.body(new Uint8Array(asset.body), 200, { ...headers, "Content-Type": asset.contentType });
    });
  }

  app.get("/livez", (context) => context.text("ok\n"));
  for (const path of ["/readyz", "/healthz"]) {
    app.get(path, (context) => {
      const { ok, checks } = engine.ready();
      const lines = Object.entries(checks).map(
        ([name, check]) => `${check.ok ? "[+]" : "[-]"} ${name}: ${check.detail}`,
      );
      const failed = lines.filter((line) => line.startsWith("[-]"));
      const shown = context.req.query("verbose") === undefined ? failed : lines;
      return context.text([...shown, ok ? "ok" : "not ready", ""].join("\n"), ok ? 200 : 503);
    });
  }
  app.get("/metrics", async (context) =>
    context.body(await metrics.scrape(), 200, { "Content-Type": metrics.contentType }),
  );

  app.get("/api/model", (context) => context.json(describeModels(engine.settings)));
  app.get("/api/counts", async (context) => context.json(describeCounts(engine.settings, await engine.counts())));
  app.get("/api/status", async (context) => {
    const statuses = await engine.status();
    return context.json(describeStatus(engine.settings, engine.ready(), statuses, Date.now()));
  });
  app.get("/api/state", async (context) => {
    const answer = await engine.state();
    // An answer that fails on its way must not look whole: the connection is cut.
    const broken = (error: unknown) => {
      report(error);
      context.env.outgoing.destroy();
    };
    return context.body(stateCsv(answer, broken), 200, {
      "Content-Type": "text/csv; charset=utf-8; header=present",
      "Tidemark-Instant": String(answer.instant),
      "Tidemark-Position": answer.positions.map((position, partition) => `${partition}=${position}`).join(","),
    });
  });
  app.get("/api/customers/:id/explain", async (context) => {
    const customer = context.req.param("id");
    const orders = context.req.query("orders") ?? String(ORDERS_SHOWN);
    if (!/^\d{1,5}$/.test(orders) || Number(orders) > ORDERS_MAX)
      return problem(400, "Bad Request", `orders is a whole number up to ${ORDERS_MAX}, not ${orders.slice(0, 40)}`);
    const found = await engine.explain(customer, Number(orders));
    if (found === undefined) return problem(404, "Not Found", "no event of this customer has come");
    return context.json(describeExplanation(found));
  });
  app.post("/api/checkpoint", async (context) => {
    // Asked for by type, so that no page of another origin can send it without asking first.
    if (context.req.header("Content-Type") !== "application/json")
      return problem(415, "Unsupported Media Type", "send this request as application/json");
    try {
      return context.json({ positions: await engine.checkpoint() });
    } catch (error) {
      report(error);
      return problem(503, "Service Unavailable", `no checkpoint: ${error instanceof Error ? error.message : error}`);
    }
  });
  app.get("/api/openapi.json", (context) => context.json(openApi(version)));
  app.get("/api/asyncapi.json", (context) => context.json(asyncApi(version, engine.settings.name)));

  app.all("/ws", () => problem(426, "Upgrade Required", "this path speaks WebSocket", { Upgrade: "websocket" }));
  app.notFound((context) => {
    if (context.req.method !== "GET" && context.req.method !== "HEAD") {
      return problem(405, "Method Not Allowed", "everything here but /api/checkpoint is read with GET", {
        Allow: "GET, HEAD",
      });
    }
    return problem(404, "Not Found", `there is nothing at ${context.req.path}`);
  });
  app.onError((error) => {
    if (error instanceof HTTPException) return problem(error.status, "Refused", error.message);
    report(error);
    // Other errors' words are for the engine's own log.
    const why = error instanceof FatalError ? ` (${error.message})` : "";
    return problem(503, "Service Unavailable", `the engine can't answer just now${why}; try again`);
  });
  return app;
}

/** The State CSV, made as fast as it is read. */
function stateCsv({ instant, rows }: StateAnswer, broken: (error: unknown) => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const iterator = rows[Symbol.asyncIterator]();
  return new ReadableStream({
    start(controller) {
      controller.enqueue(encoder.encode(`${STATE_HEADER}\n`));
    },
    async pull(controller) {
      try {
        const { done, value } = await iterator.next();
        if (done === true) controller.close();
        else controller.enqueue(encoder.encode(value.map((row) => `${stateLine(instant, row)}\n`).join("")));
      } catch (error) {
        broken(error);
      }
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}

function problem(status: number, title: string, detail: string, headers: Record<string, string> = {}): Response {
  const body = JSON.stringify({ type: "about:blank", title, status, detail });
  return new Response(body, { status, headers: { ...headers, "Content-Type": "application/problem+json" } });
}
