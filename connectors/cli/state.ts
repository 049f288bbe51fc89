/** `tidemark state`: every customer's state, from a running engine. */
import type { ReadableStream as WebStream } from "node:stream/web";
import { Command } from "commander";
import { FatalError, InputError } from "../../runtime/errors.js";
import { instantText } from "../file/index.js";
import { apiAddress } from "../http/client.js";
import { urlOption } from "./options.js";
import { Output } from "./output.js";
import { err, progress } from "./terminal.js";

interface Flags {
  readonly url: string;
  readonly output: string;
}

export function stateCommand(signal: AbortSignal): Command {
  return new Command("state")
    .summary("every customer's state, from a running engine")
    .description(
      "Prints the state of every customer in every model as CSV. It is exact at one instant, which the first column " +
        "names; stderr says it too, with the position of each partition's input.",
    )
    .addOption(urlOption())
    .option("-o, --output <file>", "write it there; - is stdout", "-")
    .addHelpText(
      "after",
      `
Examples:
  $ tidemark state > state.csv
  $ tidemark state --url http://crm.internal:7077 | csvgrep -c segment -m VIP`,
    )
    .action((flags: Flags) => state(flags, signal));
}

async function state({ url, output: path }: Flags, signal: AbortSignal): Promise<void> {
  const address = apiAddress(url, "api/state");
  const response = await ask(address, signal);
  const output = await Output.open(path);
  let bytes = 0;
  try {
    const body = response.body as WebStream<Uint8Array> | null; // the DOM's type of the same thing can't be iterated
    for await (const chunk of body ?? []) {
      output.writeBytes(chunk);
      bytes += chunk.length;
      await output.drained();
      if (path !== "-") progress.show(() => `${(bytes / 1e6).toFixed(1)} MB`);
    }
  } catch (cause) {
    signal.throwIfAborted();
    if (cause instanceof FatalError || cause instanceof InputError) throw cause;
    throw new FatalError("ENGINE_UNREACHABLE", "the engine broke its answer off: what was written is not whole", {
      cause,
      remedy: "See the engine's own messages, then try again.",
    });
  } finally {
    await output.close();
  }
  const instant = Number(response.headers.get("Tidemark-Instant"));
  const positions = response.headers.get("Tidemark-Position") ?? "";
  err.note(err.style("dim", `true at ${instantText(instant)}, positions ${positions}`));
}

/** Throws InputError where no engine answers, FatalError where it can't. */
async function ask(address: URL, signal: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address, { signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new InputError("ENGINE_UNREACHABLE", `no engine answers at ${address.origin}`, { cause });
  }
  if (response.ok) return response;
  const answer = (await response.json().catch(() => ({}))) as { detail?: unknown };
  const detail = typeof answer.detail === "string" ? answer.detail : response.statusText;
  throw new FatalError("ENGINE_REFUSED", `${address.origin} answers ${response.status}: ${detail}`, {
    remedy: "Ask what is wrong there: its /readyz?verbose says.",
  });
}
