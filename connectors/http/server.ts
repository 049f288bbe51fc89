/** The HTTP edge: page, API, health and metrics on one port; the WebSocket hangs on the same server. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { InputError } from "../../runtime/errors.js";
import { type Asset, loadPage } from "../dashboard/assets.js";
import type { EdgeEngine } from "../edge.js";
import { attachWebSocket, type WebSocketEdge, type WebSocketOptions } from "../websocket/server.js";
import { createMetrics, type Metrics } from "./metrics.js";
import { createRoutes } from "./routes.js";

export interface HttpOptions {
  /** Tidemark's own version, for the build info and the documents. */
  readonly version: string;
  readonly websocket?: Omit<WebSocketOptions, "onError">;
  /** Told of faults on the server's side (an answer 500 or 503, a WebSocket's ledger). */
  readonly onError?: (error: unknown) => void;
}

export interface Http {
  readonly server: Server;
  readonly metrics: Metrics;
  readonly websocket: WebSocketEdge;
  /** Port 0 takes a free one. Rejects with InputError (PORT_IN_USE). */
  listen(port: number, host?: string): Promise<{ readonly port: number; readonly url: string }>;
  /** Tells WebSocket clients, lets answers under way end for two seconds, then closes. */
  close(): Promise<void>;
}

/** Sockets beyond those of WebSocket clients. */
const REQUESTS_MAX = 256;

export async function createHttp(engine: EdgeEngine, options: HttpOptions): Promise<Http> {
  const page: ReadonlyMap<string, Asset> = await loadPage();
  let websocket: WebSocketEdge | undefined;
  const metrics = createMetrics(engine, () => websocket, options.version);
  const report = options.onError ?? (() => undefined);
  const app = createRoutes({ engine, metrics, page, version: options.version, report });
  const server = createServer(
    { requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 10_000 },
    getRequestListener(app.fetch, { overrideGlobalObjects: false }),
  );
  websocket = attachWebSocket(server, engine, { ...options.websocket, onError: report });
  server.maxConnections = websocket.limits.clientsMax + REQUESTS_MAX;
  const edge = websocket;
  return {
    server,
    metrics,
    websocket,
    listen: (port, host = "127.0.0.1") => listen(server, port, host),
    async close() {
      await edge.close();
      if (!server.listening) return;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), 2_000);
      await closed;
      clearTimeout(cut);
    },
  };
}

function listen(server: Server, port: number, host: string): Promise<{ port: number; url: string }> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => reject(listenError(error, port, host));
    server.once("error", failed);
    server.listen(port, host, () => {
      server.off("error", failed);
      const taken = (server.address() as AddressInfo).port;
      const shown = host === "0.0.0.0" || host === "::" ? "localhost" : host.includes(":") ? `[${host}]` : host;
      resolve({ port: taken, url: `http://${shown}:${taken}` });
    });
  });
}

function listenError(error: NodeJS.ErrnoException, port: number, host: string): InputError {
  const cause = { cause: error };
  if (error.code === "EADDRINUSE") return new InputError("PORT_IN_USE", `port ${port} of ${host} is taken`, cause);
  if (error.code === "EACCES") {
    const remedy = "Choose a port above 1023 with --port.";
    return new InputError("PORT_IN_USE", `port ${port} of ${host} may not be used by this user`, { ...cause, remedy });
  }
  const remedy = "Choose an address of this machine.";
  return new InputError("USAGE", `can't listen on ${host}:${port} (${error.code ?? error.message})`, {
    ...cause,
    remedy,
  });
}
