/** `tidemark status`: one screen of a running engine, also of one that is not well. */
import { setTimeout as delay } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import { apiAddress } from "../http/client.js";
import type { StatusDescription } from "../http/status.js";
import { SilentFailure } from "./failure.js";
import { urlOption } from "./options.js";
import { statusLines } from "./statusscreen.js";
import { out, printable, wrapped } from "./terminal.js";

interface Flags {
  readonly url: string;
  readonly all?: boolean;
  readonly json?: boolean;
  readonly watch?: number | true;
}

/** A worker has 2 s to answer, and asks the broker for 1 s: an engine that lives answers well within this. */
const ASK_MS_MAX = 6_000;
const WATCH_SECONDS = 2;

export function statusCommand(signal: AbortSignal): Command {
  return new Command("status")
    .summary("one screen: how the running engine is")
    .description(
      "Partitions, positions, lag, clock, room, dead letters, ledger, checkpoints and configuration of a running engine, " +
        "and what to do where something is wrong. Exit code 1 where it is not ready, or no engine answers.",
    )
    .addOption(urlOption())
    .option("--all", "every partition, however many")
    .option(
      "--watch [seconds]",
      `again and again, every ${WATCH_SECONDS} seconds where not said; Ctrl-C ends it`,
      interval,
    )
    .option("--json", "as JSON; with --watch an object a line")
    .addHelpText(
      "after",
      `
Examples:
  $ tidemark status
  $ tidemark status --url http://crm.internal:7077 --watch 5
  $ tidemark status --json | jq '.partitions[] | select(.state != "running")'`,
    )
    .action((flags: Flags) => status(flags, signal));
}

function interval(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0.2 && value <= 86_400) return value;
  throw new InvalidArgumentError("Expected seconds, 0.2 or more.");
}

async function status(flags: Flags, signal: AbortSignal): Promise<void> {
  const address = apiAddress(flags.url, "api/status");
  if (flags.watch === undefined) {
    const found = await look(address, signal);
    show(found, flags);
    if (!found.ready) throw new SilentFailure("not ready");
    return;
  }
  const everyMs = (flags.watch === true ? WATCH_SECONDS : flags.watch) * 1_000;
  while (!signal.aborted) {
    const found = await look(address, signal);
    if (out.isTty && flags.json !== true) process.stdout.write("\x1b[H\x1b[2J");
    show(found, flags);
    if (!out.isTty && flags.json !== true) out.print();
    await delay(everyMs, undefined, { signal });
  }
}

/** What an engine answered, or why there is no answer. */
type Found = StatusDescription | Absent;

interface Absent {
  readonly ready: false;
  readonly reachable: false;
  readonly problem: string;
  readonly remedy: string;
  /** What its /readyz says all the same. */
  readonly readyz?: readonly string[];
}

function show(found: Found, flags: Flags): void {
  const url = flags.url.replace(/\/\/[^@/]*@/, "//");
  if (flags.json === true) out.print(JSON.stringify(found, null, out.isTty && flags.watch === undefined ? 2 : 0));
  else if ("reachable" in found) for (const line of absentLines(found)) out.print(line);
  else for (const line of statusLines(out, found, url, flags.all === true)) out.print(line);
}

function absentLines({ problem, remedy, readyz = [] }: Absent): string[] {
  const columns = out.columns - 2;
  return [
    ...wrapped(printable(problem), columns).map((line, i) => (i === 0 ? out.style("red", line) : line)),
    ...wrapped(remedy, columns).map((line) => `  ${line}`),
    ...readyz.map((line) => `  ${out.style("dim", printable(line))}`),
  ];
}

async function look(address: URL, signal: AbortSignal): Promise<Found> {
  try {
    const answer = await fetch(address, { signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_MS_MAX)]) });
    if (answer.ok) {
      const found = (await answer.json()) as Partial<StatusDescription>;
      // Of an older version, or of something else that answers there.
      if (found.partitions !== undefined && found.checks !== undefined) return found as StatusDescription;
      return absent(
        `${address.origin} answers, but not as an engine of this version`,
        "Is --url right? Use the engine's own version of this command.",
      );
    }
    return {
      ...absent(
        `${address.origin} answers ${answer.status} when asked for its status`,
        "Try again in a moment; see the engine's log.",
      ),
      readyz: await readyz(address, signal),
    };
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof Error && cause.name === "TimeoutError")
      return absent(
        `${address.origin} took the connection and then said nothing for ${ASK_MS_MAX / 1_000} s`,
        "The process is there, but stopped (kill -CONT) or far too busy: see its log, top, and the machine's memory. What it did not do yet waits in the broker.",
      );
    return absent(
      `no engine answers at ${address.origin} (${reasonOf(cause)})`,
      "It is not running, still starting, or elsewhere: start it with tidemark run, or name its address with --url. Orders that are published meanwhile wait in the broker.",
    );
  }
}

function absent(problem: string, remedy: string): Absent {
  return { ready: false, reachable: false, problem, remedy };
}

/** `ECONNREFUSED` and its like, where fetch says no more than that it failed. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  return "code" in cause ? String(cause.code) : cause.message;
}

async function readyz(address: URL, signal: AbortSignal): Promise<string[]> {
  try {
    const answer = await fetch(new URL("../readyz?verbose", address), {
      signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_MS_MAX)]),
    });
    return (await answer.text()).trim().split("\n").slice(0, 20);
  } catch {
    signal.throwIfAborted();
    return ["/readyz does not answer either"];
  }
}
