/** Asks a running engine over its API, as the commands do. */
import { FatalError, InputError } from "../../runtime/errors.js";
import type { Settings } from "../../runtime/settings.js";

/** An address of the engine's API. Throws InputError (USAGE). */
export function apiAddress(url: string, path: string): URL {
  const withScheme = /^[a-z]+:\/\//i.test(url) ? url : `http://${url}`;
  if (!URL.canParse(withScheme) || !/^https?:/i.test(withScheme)) {
    throw new InputError("USAGE", `${url} is no address of an engine`, {
      remedy: "It looks like http://127.0.0.1:7077.",
    });
  }
  const base = new URL(withScheme);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  return new URL(path, base);
}

export interface PartitionPosition {
  readonly partition: number;
  readonly position: number;
  readonly overdue: number | null;
}

/** True where an engine of this instance answers there. Throws InputError (USAGE). */
export async function isRunning(url: string, settings: Settings, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(apiAddress(url, "api/model"), { signal });
    return response.ok && ((await response.json()) as { name?: unknown }).name === settings.name;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof InputError) throw error;
    return false; // nothing listens there, or something else
  }
}

/** How far each partition is. Throws InputError (ENGINE_UNREACHABLE). */
export async function positionsOf(
  url: string,
  settings: Settings,
  signal: AbortSignal,
): Promise<readonly PartitionPosition[]> {
  if (!(await isRunning(url, settings, signal))) throw unreachable(url);
  const response = await fetch(apiAddress(url, "api/status"), { signal });
  const status = (await response.json()) as { readonly partitions?: readonly PartitionPosition[] };
  if (!response.ok || status.partitions?.length !== settings.partitions) throw unreachable(url);
  return status.partitions;
}

/** Has every partition take a checkpoint. False where no engine answers. Throws FatalError where it can't take them. */
export async function checkpointNow(url: string, settings: Settings, signal: AbortSignal): Promise<boolean> {
  if (!(await isRunning(url, settings, signal))) return false;
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(apiAddress(url, "api/checkpoint"), { method: "POST", headers, signal });
  if (response.ok) return true;
  const { detail } = (await response.json().catch(() => ({}))) as { detail?: unknown };
  throw new FatalError("ENGINE_REFUSED", `${url} answers ${response.status}: ${detail ?? response.statusText}`, {
    remedy: "See its messages, mend that, and try again.",
  });
}

export function unreachable(url: string): InputError {
  return new InputError("ENGINE_UNREACHABLE", `no engine of this instance answers at ${url}`, {
    remedy: "Start it, or name its address with --url.",
  });
}
