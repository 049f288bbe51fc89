/** `tidemark replay --serve`: page, API and WebSocket over what was replayed, until Ctrl-C. */
import { once } from "node:events";
import type { FileEngine } from "../file/index.js";
import { briefly } from "./failure.js";
import { count, err } from "./terminal.js";

/** Serves until the signal aborts. Rejects with InputError (PORT_IN_USE). */
export async function serve(
  engine: FileEngine,
  { port, host, version }: { readonly port: number; readonly host: string; readonly version: string },
  signal: AbortSignal,
): Promise<void> {
  const warn = (error: unknown) => err.note(`${err.style("yellow", "tidemark:")} ${briefly(error)}`);
  // Only now: the other commands start the sooner without it.
  const { createHttp } = await import("../http/server.js");
  const http = await createHttp(engine, { version, onError: warn });
  try {
    const { url } = await http.listen(port, host);
    const { records, all } = engine.ledger.kept;
    const line = (name: string, text: string) => err.note(`  ${err.style("dim", name.padEnd(9))} ${text}`);
    err.note(err.style("bold", "Served, as it was at the end"));
    line("page", err.style("cyan", url));
    line("socket", `${url.replace(/^http/, "ws")}/ws`);
    line("moves", records === all ? `all ${count(all)} kept` : `the last ${count(records)} of ${count(all)} kept`);
    err.note(`  ${err.style("dim", "Ctrl-C ends it.")}`);
    if (!signal.aborted) await once(signal, "abort");
    if (process.stderr.isTTY === true) process.stderr.write("\r\x1b[K"); // over the terminal's ^C
  } finally {
    await http.close();
  }
}
