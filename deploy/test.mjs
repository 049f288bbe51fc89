// npm test: what is missing is set up, then all tests run, those of NATS against two servers.
// Arguments are vitest's: npm test -- test/nats
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { ensureBuilt, ROOT } from "./build.mjs";
import { aptInstall, ensureNatsServer, installCommand } from "./nats-server.mjs";
import { natsVersions } from "./nats-versions.mjs";

const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/snap/bin/chromium"];

function fail(message) {
  console.error(message);
  process.exit(1);
}

function browser() {
  const given = process.env.CHROMIUM;
  if (given) return existsSync(given) ? given : fail(`CHROMIUM names ${given}, which does not exist.`);
  const find = () => BROWSERS.find((path) => existsSync(path));
  if (!find()) aptInstall("chromium");
  return (
    find() ??
    fail(`The page is tested in Chromium, which is missing. Install it with:\n  ${installCommand("chromium")}`)
  );
}

if (!process.env.TIDEMARK_NATS_SERVERS && !ensureNatsServer()) process.exit(1);
const chromium = browser();
ensureBuilt();
let servers;
try {
  servers = natsVersions();
} catch (error) {
  fail(error.message);
}
for (const { path, version } of servers) console.log(`nats-server ${version.join(".")}  ${path}`);
if (new Set(servers.map(({ version }) => version.join("."))).size < 2)
  fail("Both are the same version: the tests need 2.9.10 and one of at least 2.14.");

const { status } = spawnSync(
  process.execPath,
  [join(ROOT, "node_modules/vitest/vitest.mjs"), "run", ...process.argv.slice(2)],
  {
    cwd: ROOT,
    stdio: "inherit",
    env: { ...process.env, TIDEMARK_NATS_SERVERS: servers.map(({ path }) => path).join(delimiter), CHROMIUM: chromium },
  },
);
process.exit(status ?? 1);
