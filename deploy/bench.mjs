// npm run bench: what is missing is built, then the benches run.
// Options are passed on: npm run bench -- --only kernel --quick
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { ensureBuilt, newest, outdated, ROOT } from "./build.mjs";
import { newestNatsServer } from "./nats-versions.mjs";

/** Files of bench/core that become a Wasm module of that name in dist/bench. */
const MODULES = ["kernel", "scan"];

const args = process.argv.slice(2).filter((arg) => arg !== "--build" && arg !== "--no-build");
if (!process.argv.includes("--no-build")) build();
else {
  const [result, ...sources] = outdated() ?? [];
  if (result !== undefined) {
    console.error(
      `${result} is older than ${sources.join(" or ")}: leave out --no-build, or its figures are of other code.`,
    );
    process.exit(2);
  }
}
if (process.argv.includes("--build")) process.exit(0);

const env = { ...process.env };
// One for all benches; those that need it say so where there is none.
try {
  const server = newestNatsServer();
  if (server) env.TIDEMARK_NATS_SERVERS = server.path;
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
// With gc at hand, a bench can begin without the garbage of the one before.
const child = spawn(
  process.execPath,
  ["--expose-gc", "--enable-source-maps", join(ROOT, "dist/bench/main.js"), ...args],
  {
    stdio: "inherit",
    env,
  },
);
// A Ctrl-C in the terminal reaches the child by itself; what only this process is sent is passed on.
process.on("SIGINT", () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    child.kill(signal);
    // A bench in the middle of a round hears nothing.
    setTimeout(() => child.kill("SIGKILL"), 10_000).unref();
  });
}
child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 1)));

function build() {
  ensureBuilt();
  mkdirSync(join(ROOT, "dist/bench"), { recursive: true });
  const started = new Date();
  compile("typescript/bin/tsc", "-p", "bench/tsconfig.json");
  // It leaves its notes as they were where no source says anything new.
  utimesSync(join(ROOT, "dist/bench/.tsbuildinfo"), started, started);
  for (const name of MODULES) {
    const file = join(ROOT, "dist/bench", `${name}.wasm`);
    // They import the kernel's own files.
    const sources = ["bench/core", "core", "asconfig.json"].map((path) => newest(join(ROOT, path)));
    if (existsSync(file) && newest(file) > Math.max(...sources)) continue;
    // The options of the kernel that ships, but the names of the files.
    const outputs = ["--outFile", file, "--textFile", file.replace(/wasm$/, "wat")];
    compile(
      "assemblyscript/bin/asc.js",
      `bench/core/${name}.ts`,
      "--config",
      "asconfig.json",
      "--target",
      "release",
      ...outputs,
    );
  }
}

/** Runs a compiler of node_modules. Ends the process where it fails, with its words. */
function compile(program, ...options) {
  const path = join(ROOT, "node_modules", program);
  // stdout is for results.
  const { status } = spawnSync(process.execPath, [path, ...options], { cwd: ROOT, stdio: ["ignore", 2, 2] });
  if (status !== 0) process.exit(1);
}
