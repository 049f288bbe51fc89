/** How a command ends that could not do its work: a line that says what, a line that says what to do, a code. */
import { TidemarkError } from "../../runtime/errors.js";
import { err, progress } from "./terminal.js";

export const FAILED = 1;
export const USAGE = 2;
/** Ended by Ctrl-C before its work was done, as shells count it. */
export const INTERRUPTED = 130;

/** The command did its work and the answer is no: exit code 1, nothing more to say. */
export class SilentFailure extends Error {
  override readonly name = "SilentFailure";
}

/** What happened and what to do, as one line of a log. */
export function briefly(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return error instanceof TidemarkError ? `${text}. ${error.remedy}` : text;
}

/** Writes the failure to stderr and returns the exit code. A stack only with TIDEMARK_DEBUG=1. */
export function reportFailure(error: unknown): number {
  progress.clear();
  if (error instanceof SilentFailure) return FAILED;
  if (isAbort(error)) return INTERRUPTED;
  const debug = process.env.TIDEMARK_DEBUG === "1" && error instanceof Error;
  if (error instanceof TidemarkError) {
    const detail = error.message.startsWith(`${error.code}: `)
      ? error.message.slice(error.code.length + 2)
      : error.message;
    err.note(`${err.style("red", "tidemark:")} ${detail}`);
    err.note(`  ${error.remedy}`);
    if (debug) err.note(error.stack ?? "");
    return error.code === "USAGE" ? USAGE : FAILED;
  }
  const known = systemFailure(error);
  if (known !== undefined) {
    err.note(`${err.style("red", "tidemark:")} ${known}`);
    return FAILED;
  }
  const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  err.note(`${err.style("red", "tidemark:")} unexpected: ${detail.split("\n")[0]}`);
  err.note("  This is a bug in Tidemark. Run it again with TIDEMARK_DEBUG=1 and report what it prints.");
  if (debug) err.note((error as Error).stack ?? "");
  return FAILED;
}

export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** What the operating system refused, in a line; undefined for what it did not. */
function systemFailure(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || !("syscall" in error)) return undefined;
  const path = "path" in error && typeof error.path === "string" ? ` ${error.path}` : "";
  switch (error.code) {
    case "ENOSPC":
    case "EDQUOT":
      return `no space left on the device${path}\n  Free some space, or choose another folder.`;
    case "EMFILE":
      return "too many open files\n  Raise the limit, for example: ulimit -n 4096";
    default:
      return undefined;
  }
}
