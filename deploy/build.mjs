// Dependencies and build, each only when something is newer than its last result: a second start is quick.
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const SOURCES = ["core", "runtime", "connectors", "deploy", "package-lock.json", "tsconfig.json", "asconfig.json"];
const STAMP = join(ROOT, "dist/.built");
/** What the benches run, and what it is made of. */
const BUILT = [
  ["dist/core/kernel.wasm", "core", "asconfig.json"],
  ["dist/bench/kernel.wasm", "bench/core", "core", "asconfig.json"],
  ["dist/bench/scan.wasm", "bench/core", "core", "asconfig.json"],
  ["dist/runtime", "runtime"],
  ["dist/connectors", "connectors"],
  ["dist/bench", "bench"],
];
/** What npm itself writes at the end of an install. */
const INSTALLED = join(ROOT, "node_modules/.package-lock.json");

/** Runs `npm ci` and `npm run build` as needed. Ends the process with their words where one fails. */
export function ensureBuilt() {
  if (newest(join(ROOT, "package-lock.json")) > mtime(INSTALLED) && !isLink(join(ROOT, "node_modules"))) {
    npm("ci", "--no-audit", "--no-fund");
    // npm keeps the time of an install that had nothing to do.
    if (existsSync(INSTALLED)) utimesSync(INSTALLED, new Date(), new Date());
  }
  if (Math.max(...SOURCES.map((path) => newest(join(ROOT, path)))) > mtime(STAMP)) {
    const started = Date.now();
    npm("run", "build");
    // What was changed while it was being built is built next time.
    writeFileSync(STAMP, "");
    utimesSync(STAMP, new Date(started), new Date(started));
  }
}

function npm(...args) {
  console.error(`npm ${args.join(" ")} …`);
  // Shown only when it fails: the results of `npm start` are not what a compiler prints.
  const { status, stdout, stderr, error } = spawnSync("npm", args, {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === "win32",
  });
  if (status === 0) return;
  console.error(`${stdout ?? ""}${stderr ?? ""}${error ? error.message : ""}`);
  console.error(`npm ${args.join(" ")} failed.`);
  process.exit(1);
}

/** Another clone's folder: what it holds is that one's business. */
function isLink(path) {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

function mtime(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

/** Of what was built before, the first that is older than a source of it: both paths; undefined where there is none. */
export function outdated(root = ROOT) {
  return BUILT.find(([result, ...sources]) => {
    const made = newest(join(root, result));
    return sources.some((source) => newest(join(root, source)) > made);
  });
}

/** The latest change of the file, or of anything in the folder but documents. */
export function newest(path) {
  if (!existsSync(path) || path.endsWith(".md")) return 0;
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), stats.mtimeMs);
}
