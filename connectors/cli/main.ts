#!/usr/bin/env node
/** The command `tidemark`. One file a command; this one joins them and decides the exit code. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { checkCommand } from "./check.js";
import { dlqCommand } from "./dlq.js";
import { explainCommand } from "./explain.js";
import { INTERRUPTED, reportFailure, USAGE } from "./failure.js";
import { initCommand } from "./init.js";
import { publishCommand } from "./publish.js";
import { replayCommand } from "./replay.js";
import { runCommand } from "./run.js";
import { savepointCommand } from "./savepoint.js";
import { simulateCommand } from "./simulate.js";
import { stateCommand } from "./state.js";
import { statusCommand } from "./status.js";
import { suggestCommand } from "./suggest.js";
import { tailCommand } from "./tail.js";
import { coloured } from "./terminal.js";

const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => {
    // The second one does not wait for anything.
    if (interrupt.signal.aborted) process.exit(INTERRUPTED);
    interrupt.abort();
  });
}
// A reader that has seen enough (`| head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
});

const program = new Command("tidemark")
  .description(
    "Keeps every customer's recency, frequency and monetary value exact to the instant, and says the moment a customer changes segment.",
  )
  .version(version, "-V, --version")
  .showSuggestionAfterError()
  .showHelpAfterError("See tidemark --help.")
  .configureHelp({ showGlobalOptions: false })
  .addHelpText(
    "after",
    `
Options come first, then the environment (each command's --help names its variables),
then the configuration. NO_COLOR turns colour off.`,
  );

const { signal } = interrupt;
for (const command of [
  runCommand(version, signal),
  replayCommand(version, signal),
  suggestCommand(signal),
  initCommand(signal),
  publishCommand(signal),
  simulateCommand(signal),
  stateCommand(signal),
  explainCommand(signal),
  statusCommand(signal),
  tailCommand(signal),
  dlqCommand(signal),
  savepointCommand(signal),
  checkCommand(signal),
]) {
  program.addCommand(command);
}
for (const command of [program, ...program.commands.flatMap((one) => [one, ...one.commands])]) {
  command
    .exitOverride()
    .configureOutput({
      outputError: (text, write) =>
        write(text.replace(/^error: /, coloured(process.stderr) ? "\x1b[31mtidemark:\x1b[39m " : "tidemark: ")),
      getOutHasColors: () => coloured(process.stdout),
      getErrHasColors: () => coloured(process.stderr),
    })
    .configureHelp({ styleTitle: (text) => `\x1b[1m${text}\x1b[22m` });
  if (command !== program) command.showSuggestionAfterError().showHelpAfterError(`See ${fullName(command)} --help.`);
}

/** `tidemark dlq list` */
function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

try {
  await program.parseAsync();
} catch (error) {
  // Commander has said what is wrong; help and version are no failures.
  process.exitCode = error instanceof CommanderError ? (error.exitCode === 0 ? 0 : USAGE) : reportFailure(error);
}
