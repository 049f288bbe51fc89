// npm start: what is missing is set up, then the engine runs with a broker of its own and a simulated shop.
// Options are passed on: npm start -- --nats nats://broker:4222
import { spawn } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import { ensureBuilt, ROOT } from "./build.mjs";
import { ensureNatsServer } from "./nats-server.mjs";

const args = process.argv.slice(2);
const ownServer = !args.some((arg) => arg === "--nats" || arg.startsWith("--nats=")) && !process.env.TIDEMARK_NATS_URL;
const help = args.includes("--help") || args.includes("-h");
const env = { ...process.env };
if (ownServer && !help) {
  // First of all: on a machine where it can't be had, nobody should wait for anything else.
  const server = ensureNatsServer();
  if (!server) process.exit(1);
  env.PATH = `${dirname(server.path)}${delimiter}${env.PATH ?? ""}`;
}
ensureBuilt();

const child = spawn(process.execPath, [join(ROOT, "dist/connectors/cli/main.js"), "run", "--demo", ...args], {
  stdio: "inherit",
  env,
});
// A Ctrl-C in the terminal reaches the child by itself; what only this process is sent is passed on.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));
