// Finds nats-server, or installs it where that needs no question, or names the one command that does.
// Plain Node without dependencies: it runs before `npm ci` has been.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The floor: what Debian 12 ships. */
export const VERSION_MIN = [2, 9, 10];

/** `[2, 9, 10]` of a binary that says `nats-server: v2.9.10`; undefined where it doesn't run. */
export function versionOf(path) {
  const { status, stdout, stderr } = spawnSync(path, ["--version"], { encoding: "utf8", timeout: 10_000 });
  const found = /v?(\d+)\.(\d+)\.(\d+)/.exec(`${stdout ?? ""}${stderr ?? ""}`);
  return status === 0 && found ? found.slice(1, 4).map(Number) : undefined;
}

/** Negative, 0 or positive, as `a` is older than, the same as, or newer than `b`. */
export function compareVersions(a, b) {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

/** Every nats-server of this machine, in the order of preference: PATH, then where packages put it. */
export function findNatsServers() {
  const folders = [
    ...(process.env.PATH ?? "").split(delimiter),
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/bin",
    "/opt/homebrew/bin",
  ];
  const found = [];
  for (const folder of new Set(folders.filter(Boolean))) {
    const path = join(folder, "nats-server");
    if (!executable(path)) continue;
    const version = versionOf(path);
    if (version) found.push({ path, version });
  }
  return found;
}

/** The first nats-server that is new enough, or undefined. */
export function findNatsServer() {
  return findNatsServers().find(({ version }) => compareVersions(version, VERSION_MIN) >= 0);
}

/** The one command that installs packages on this system. */
export function installCommand(...packages) {
  const names = packages.join(" ");
  if (process.platform === "darwin") return `brew install ${names}`;
  const release = existsSync("/etc/os-release") ? readFileSync("/etc/os-release", "utf8") : "";
  if (/^ID(_LIKE)?=.*(debian|ubuntu)/m.test(release) || existsSync("/usr/bin/apt-get")) {
    const sudo = process.getuid?.() === 0 ? "" : "sudo ";
    return `${sudo}apt-get update && ${sudo}apt-get install -y ${names}`;
  }
  if (/^ID=alpine/m.test(release)) return `sudo apk add ${names}`;
  if (/^ID(_LIKE)?=.*(arch)/m.test(release)) return `sudo pacman -S ${names}`;
  if (/^ID(_LIKE)?=.*(suse)/m.test(release)) return `sudo zypper install ${names}`;
  return `sudo dnf install ${names}`;
}

/** Installs Debian packages where no password is asked for. False where that can't be: nothing was tried then. */
export function aptInstall(...packages) {
  if (spawnSync("apt-get", ["--version"]).error) return false;
  const root = process.getuid?.() === 0;
  if (!root && spawnSync("sudo", ["-n", "true"], { stdio: "ignore", timeout: 500 }).status !== 0) return false;
  const run = (...args) =>
    spawnSync(root ? "apt-get" : "sudo", root ? args : ["-n", "apt-get", ...args], {
      // The results of `npm start` are on stdout; what apt says is not one.
      stdio: ["ignore", 2, 2],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    }).status === 0;
  console.error(`Installing ${packages.join(" ")} …`);
  const install = () => run("install", "-y", "-q", "--no-install-recommends", ...packages);
  // Old package lists name files that the mirror no longer has; new ones cost seconds.
  return run("update", "-q") && install();
}

/** The server to start, installed if need be. Undefined, with the remedy printed, where that can't be. */
export function ensureNatsServer() {
  const found = findNatsServer();
  if (found) return found;
  const old = findNatsServers()[0];
  if (old)
    console.error(`${old.path} is version ${old.version.join(".")}; Tidemark needs ${VERSION_MIN.join(".")} or newer.`);
  if (!old && aptInstall("nats-server")) {
    const installed = findNatsServer();
    if (installed) return installed;
  }
  console.error("Tidemark needs nats-server 2.9.10 or newer and can't install it here. Install it with:");
  console.error(`  ${installCommand("nats-server")}`);
  console.error("or name a running one: npm start -- --nats nats://host:4222");
  return undefined;
}

function executable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = ensureNatsServer();
  if (!server) process.exit(1);
  console.log(`${server.path} ${server.version.join(".")}`);
}
