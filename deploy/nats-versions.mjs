// The two servers that the tests run against: the floor (2.9.10, Debian 12's) and one that is at least 2.14.
// What the system has is taken; the other one is unpacked from another release of the system's own package
// mirror into a cache folder, and never installed.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compareVersions, findNatsServers, installCommand, VERSION_MIN, versionOf } from "./nats-server.mjs";

const NEWER_MIN = [2, 14, 0];
const CACHE = fileURLToPath(new URL("../node_modules/.cache/tidemark/", import.meta.url));
/** Releases that have, or will have, a server new enough, newest last. */
const NEWER_SUITES = ["forky", "duke", "sid", "devel"];
const FLOOR_SUITES = ["bookworm"];

/**
 * Paths and versions of both servers, the floor first. `TIDEMARK_NATS_SERVERS=<floor>:<newer>` overrides.
 * Throws an Error that says which one is missing and what to do.
 */
export function natsVersions() {
  const given = process.env.TIDEMARK_NATS_SERVERS;
  const candidates = serversAtHand();
  const isFloor = ({ version }) => compareVersions(version, VERSION_MIN) === 0;
  const isNewer = ({ version }) => compareVersions(version, NEWER_MIN) >= 0;
  const floor = candidates.find(isFloor) ?? (given ? undefined : fetchServer(FLOOR_SUITES, isFloor));
  const newer = candidates.find(isNewer) ?? (given ? undefined : fetchServer(NEWER_SUITES, isNewer));
  const remedy = `Name both: TIDEMARK_NATS_SERVERS=<2.9.10's path>${delimiter}<newer one's path> npm test`;
  if (!floor)
    throw new Error(
      `nats-server 2.9.10 (the floor, Debian 12's) is missing and this system's mirror has none. On Debian 12: ${installCommand("nats-server")}. ${remedy}`,
    );
  if (!newer) throw new Error(`A nats-server of at least 2.14 is missing and this system's mirror has none. ${remedy}`);
  return [floor, newer];
}

/** Path and version of the newest server at hand, which nothing is fetched for. Undefined where there is none. */
export function newestNatsServer() {
  return serversAtHand().toSorted((a, b) => compareVersions(b.version, a.version))[0];
}

/** Those of TIDEMARK_NATS_SERVERS where it is set; else the machine's and those fetched before. */
function serversAtHand() {
  const given = process.env.TIDEMARK_NATS_SERVERS;
  if (!given) return [...findNatsServers(), ...cached()];
  return given.split(delimiter).map((path) => ({
    path,
    version: versionOf(path) ?? fail(`${path} is no nats-server (TIDEMARK_NATS_SERVERS).`),
  }));
}

function cached() {
  if (!existsSync(CACHE)) return [];
  return readdirSync(CACHE).flatMap((suite) => {
    const path = join(CACHE, suite, "root/usr/sbin/nats-server");
    const version = existsSync(path) ? versionOf(path) : undefined;
    return version ? [{ path, version }] : [];
  });
}

/** Unpacks the first suite's server that suits. Undefined where the mirror has none. */
function fetchServer(suites, suits) {
  for (const mirror of mirrors()) {
    for (const suite of suites) {
      const path = unpack(mirror, suite);
      const version = path ? versionOf(path) : undefined;
      if (path && version && suits({ version })) return { path, version };
    }
  }
  return undefined;
}

/** Base addresses of the system's own package mirrors, as apt knows them, and the components they serve. */
function mirrors() {
  const { stdout } = spawnSync(
    "apt-get",
    ["indextargets", "--format", "$(REPO_URI) $(COMPONENT)", "Created-By: Packages"],
    { encoding: "utf8" },
  );
  const components = new Map();
  for (const line of (stdout ?? "").split("\n")) {
    const [uri, component] = line.split(" ");
    if (!uri || !component || uri.includes("security")) continue;
    components.set(uri, (components.get(uri) ?? new Set()).add(component));
  }
  return [...components].map(([uri, names]) => ({
    uri,
    components: [...names].filter((name) => name === "main" || name === "universe"),
  }));
}

/** Path of nats-server out of `suite`, unpacked into the cache; undefined where that suite has none. */
function unpack(mirror, suite) {
  const folder = join(CACHE, suite);
  rmSync(folder, { recursive: true, force: true });
  for (const part of ["state/lists/partial", "cache/archives/partial", "etc/parts", "root"])
    mkdirSync(join(folder, part), { recursive: true });
  const keyring = [
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
  ].find((path) => existsSync(path));
  const signed = keyring ? `[signed-by=${keyring}] ` : "";
  writeFileSync(
    join(folder, "etc/sources.list"),
    `deb ${signed}${mirror.uri} ${suite} ${mirror.components.join(" ")}\n`,
  );
  writeFileSync(
    join(folder, "apt.conf"),
    [
      `Dir::State "${folder}/state";`,
      `Dir::Cache "${folder}/cache";`,
      `Dir::Etc::SourceList "${folder}/etc/sources.list";`,
      `Dir::Etc::SourceParts "${folder}/etc/parts";`,
      `Dir::Etc::PreferencesParts "${folder}/etc/parts";`,
      // The unpacked package is never installed, and the sandbox user can't read a private folder.
      `APT::Sandbox::User "";`,
      `Acquire::Languages "none";`,
      `Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";`,
      `Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";`,
    ].join("\n"),
  );
  const apt = (...args) =>
    spawnSync("apt-get", ["-q", ...args], {
      cwd: folder,
      env: { ...process.env, APT_CONFIG: join(folder, "apt.conf") },
      stdio: ["ignore", "ignore", "pipe"],
      encoding: "utf8",
      timeout: 180_000,
    });
  console.error(`Fetching nats-server of ${suite} …`);
  if (apt("update").status !== 0 || apt("download", "nats-server").status !== 0) return undefined;
  const archive = readdirSync(folder).find((name) => name.endsWith(".deb"));
  if (!archive || spawnSync("dpkg-deb", ["-x", archive, "root"], { cwd: folder }).status !== 0) return undefined;
  // Package lists are large and stale tomorrow.
  for (const part of ["state", "cache"]) rmSync(join(folder, part), { recursive: true, force: true });
  const path = join(folder, "root/usr/sbin/nats-server");
  return existsSync(path) ? path : undefined;
}

function fail(message) {
  throw new Error(message);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(
      natsVersions()
        .map(({ path }) => path)
        .join(delimiter),
    );
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}
