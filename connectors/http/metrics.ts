/** The Prometheus registry: nothing is counted here; every sample is read from the engine at the scrape. */
import { Counter, collectDefaultMetrics, type Metric, Registry } from "prom-client";
import type { EdgeEngine } from "../edge.js";
import type { WebSocketEdge } from "../websocket/server.js";
import { FAMILIES, type Family, type Snapshot } from "./families.js";

export interface Metrics {
  readonly contentType: string;
  /** The text of one scrape. Scrapes at the same time share one look at the engine. Rejects where it does not answer. */
  scrape(): Promise<string>;
  /** Answered HTTP requests, by route and status. */
  readonly requests: Counter<"route" | "status">;
}

/** Default metrics of prom-client that break the naming rules (gauges called `_total`); each has a sound sibling. */
const MISNAMED = ["nodejs_active_handles_total", "nodejs_active_requests_total", "nodejs_active_resources_total"];

export function createMetrics(
  engine: Pick<EdgeEngine, "settings" | "status" | "counts">,
  sockets: () => WebSocketEdge | undefined,
  version: string,
): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  const requests = new Counter({
    name: "tidemark_http_requests_total",
    help: "HTTP requests answered, by route and status.",
    labelNames: ["route", "status"],
    registers: [registry],
  });
  let snapshot: Snapshot | undefined;
  let scrapeErrors = 0;
  for (const family of FAMILIES) registry.registerMetric(asMetric(family, () => snapshot));

  async function scrape(): Promise<string> {
    const [partitions, counts] = await Promise.allSettled([engine.status(), engine.counts()]);
    if (partitions.status === "rejected" || counts.status === "rejected") scrapeErrors++;
    if (partitions.status === "rejected") throw partitions.reason;
    snapshot = {
      settings: engine.settings,
      version,
      partitions: partitions.value,
      counts: counts.status === "fulfilled" ? counts.value : [],
      sockets: sockets()?.stats(),
      scrapeErrors,
    };
    return registry.metrics();
  }

  let scraping: Promise<string> | undefined;
  return {
    contentType: registry.contentType,
    requests,
    scrape() {
      scraping ??= scrape().finally(() => {
        scraping = undefined;
      });
      return scraping;
    },
  };
}

/**
 * What the registry asks of a metric is a name, a type and `get()`. Its own classes count up by themselves and can't be
 * given a histogram's buckets; these numbers are counted in the kernel and the workers.
 */
function asMetric(family: Family, snapshot: () => Snapshot | undefined): Metric {
  const { name, help, type } = family;
  const get = () => Promise.resolve({ name, help, type, aggregator: "sum", values: [...valuesOf(family, snapshot())] });
  return { name, help, type, get } as unknown as Metric;
}

interface Value {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly metricName?: string;
}

function* valuesOf(family: Family, snapshot: Snapshot | undefined): Iterable<Value> {
  if (snapshot === undefined) return;
  if (family.type !== "histogram") {
    yield* family.samples(snapshot);
    return;
  }
  for (const { labels, value } of family.histograms(snapshot)) {
    let below = 0;
    for (const [index, bound] of value.buckets.entries()) {
      below += value.counts[index] ?? 0;
      yield { labels: { ...labels, le: String(bound) }, value: below, metricName: `${family.name}_bucket` };
    }
    yield { labels: { ...labels, le: "+Inf" }, value: value.count, metricName: `${family.name}_bucket` };
    yield { labels, value: value.sum, metricName: `${family.name}_sum` };
    yield { labels, value: value.count, metricName: `${family.name}_count` };
  }
}
