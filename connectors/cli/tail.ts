/** `tidemark tail`: migrations as they happen, from a running engine. */
import { Command, Option } from "commander";
import { InputError } from "../../runtime/errors.js";
import { CAUSES } from "../../runtime/record.js";
import { apiAddress } from "../http/client.js";
import type { Filter, MigrationEvent } from "../websocket/index.js";
import { defined, urlOption, wholeNumber } from "./options.js";
import { err, out, type Terminal, width } from "./terminal.js";

interface Flags {
  readonly url: string;
  readonly model?: string[];
  readonly from?: string[];
  readonly to?: string[];
  readonly customer?: string[];
  readonly cause?: (typeof CAUSES)[number][];
  readonly bands?: boolean;
  readonly silent?: boolean;
  readonly recent?: number;
  readonly position?: string;
  readonly limit?: number;
  readonly json?: boolean;
}

export function tailCommand(signal: AbortSignal): Command {
  return new Command("tail")
    .summary("follow migrations as they happen")
    .description(
      "Follows the migrations of a running engine. Lost connections are taken up again where they broke off.",
    )
    .addOption(urlOption())
    .option("--model <name…>", "only of these models", names)
    .option("--from <segment…>", "only out of these segments; - is none", names)
    .option("--to <segment…>", "only into these segments; - is none", names)
    .option("--customer <id…>", "only of these customers", names)
    .addOption(new Option("--cause <cause…>", `only by these causes: ${CAUSES.join(", ")}`).argParser(causes))
    .option("--bands", "also where a band changes and the segment does not")
    .option("--silent", "silent ones, too")
    .option("--recent <number>", "begin with so many of the newest", wholeNumber(0, 100))
    .option("--position <position>", "go on behind this position (of --json)")
    .option("-n, --limit <number>", "end after so many", wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option("--json", "a JSON object a line, with the position to go on from")
    .addHelpText(
      "after",
      `
Examples:
  $ tidemark tail --to VIP
  $ tidemark tail --cause recency,window --bands --recent 20
  $ tidemark tail --json | jq -r 'select(.event.data.after.spend > 50000) | .event.subject'`,
    )
    .action((flags: Flags) => tail(flags, signal));
}

function names(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), ...text.split(",").map((name) => name.trim())];
}

function causes(text: string, before: readonly string[] | undefined): string[] {
  for (const name of names(text, [])) new Option("--cause <cause>").choices(CAUSES).parseArg?.(name, undefined);
  return names(text, before);
}

async function tail(flags: Flags, signal: AbortSignal): Promise<void> {
  const segments = (given: readonly string[] | undefined) => given?.map((name) => (name === "-" ? null : name));
  const filter: Filter = defined({
    model: flags.model,
    from: segments(flags.from),
    to: segments(flags.to),
    customer: flags.customer,
    cause: flags.cause,
    change: flags.bands === true ? undefined : ("segment" as const),
  });
  const withModel = flags.json !== true && (await hasSeveralModels(flags, signal));
  let connected = false;
  let left = flags.limit ?? Number.POSITIVE_INFINITY;
  // Only now: the other commands start the sooner without it.
  const { follow } = await import("../websocket/client.js");
  const followed = follow({
    url: flags.url.includes("://") ? flags.url : `http://${flags.url}`,
    filter: flags.bands === true ? { ...filter, change: ["segment", "bands"] } : filter,
    signal,
    connectMs: CONNECT_MS,
    onLost: (reason, retryMs) =>
      connected && err.note(err.style("dim", `${reason}; trying again in ${(retryMs / 1000).toFixed(1)} s`)),
    ...defined({ silent: flags.silent, recent: flags.recent, position: flags.position }),
  });
  for await (const message of followed) {
    if (message.type === "subscribed") {
      connected = true;
      if (message.resumed && !message.recovered) {
        err.note(
          `${err.style("yellow", "tidemark:")} some migrations can't be had any more: what follows is not whole`,
        );
      } else if (!message.resumed && err.isTty) {
        err.note(err.style("dim", `following ${flags.url}; Ctrl-C ends`));
      }
    }
    if (message.type !== "migration") continue;
    if (flags.json === true) out.print(JSON.stringify({ position: message.position, event: message.event }));
    else out.print(migrationLine(out, message.event, withModel));
    if (--left <= 0) break;
  }
}

/** Whether lines must name their model. An engine that does not say may have several. */
async function hasSeveralModels({ url, model }: Flags, signal: AbortSignal): Promise<boolean> {
  if (model?.length === 1) return false;
  try {
    const answer = await fetch(apiAddress(url, "api/model"), {
      signal: AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)]),
    });
    const { models } = (await answer.json()) as { models?: unknown };
    return !Array.isArray(models) || models.length > 1;
  } catch (error) {
    if (error instanceof InputError) throw error;
    return true; // following it says better what is wrong
  }
}

/** An engine that is not there should be heard of soon. */
const CONNECT_MS = 2_000;

/** `12:00:04  c000123     Regular → VIP           order · then Regular on 2 Mar` */
export function migrationLine(terminal: Terminal, event: MigrationEvent, withModel: boolean): string {
  const { from, to, cause, change, next, model, silent } = event.data;
  const at =
    event.time.slice(0, 10) === new Date().toISOString().slice(0, 10)
      ? event.time.slice(11, 19)
      : event.time.slice(0, 16).replace("T", " ");
  const none = "(none)";
  const arrow =
    change === "segment"
      ? `${terminal.style("dim", `${from.segment ?? none} →`)} ${terminal.style("bold", to.segment ?? none)}`
      : terminal.style("dim", to.segment ?? none);
  const byTime = ["recency", "window", "tenure"].includes(cause.kind);
  const parts = [terminal.style(byTime ? "yellow" : "cyan", cause.kind)];
  if (change === "bands") parts.push(cause.boundaries.join(", "));
  else if (next !== null) parts.push(terminal.style("dim", `then ${next.segment} ${day(next.at)}`));
  if (withModel) parts.push(terminal.style("dim", model));
  if (silent) parts.push(terminal.style("dim", "silent"));
  return [
    terminal.style("dim", at),
    pad(event.subject, 12),
    pad(arrow, 26),
    parts.join(terminal.style("dim", " · ")),
  ].join("  ");
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `2 Mar`, or `2 Mar 2031` where the year is another. */
function day(instant: string): string {
  const [year = "", month = "", date = ""] = instant.slice(0, 10).split("-");
  const other = year === String(new Date().getUTCFullYear()) ? "" : ` ${year}`;
  return `${Number(date)} ${MONTHS[Number(month) - 1] ?? month}${other}`;
}

function pad(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - width(text)));
}
