/** The shape of the tree: imports run one way, and the top holds what it is said to hold. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, normalize, resolve } from "node:path";
import { assert, describe, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
const tracked = execFileSync("git", ["ls-files"], { cwd: root, encoding: "utf8" }).split("\n").filter(Boolean);

/** Folders that a file of this folder may import from, and packages of Node that it may not. */
const LAYERS: Record<string, { imports: string[]; world: boolean }> = {
  core: { imports: ["core"], world: false },
  runtime: { imports: ["runtime"], world: false },
  connectors: { imports: ["connectors", "runtime"], world: true },
};

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/^\s*(?:import|export)\b[^;]*?from\s+"([^"]+)"|\bimport\("([^"]+)"\)/gms)].map(
    (match) => (match[1] ?? match[2]) as string,
  );
}

describe("imports run one way", () => {
  for (const [folder, { imports, world }] of Object.entries(LAYERS)) {
    test(`${folder} imports from ${imports.join(" and ")}`, () => {
      const files = tracked.filter((file) => file.startsWith(`${folder}/`) && /\.[mc]?[jt]s$/.test(file));
      assert(files.length > 10, `${files.length} files found`);
      for (const file of files) {
        for (const name of importsOf(file)) {
          if (name.startsWith(".")) {
            const target = normalize(join(dirname(file), name)).split("/")[0] as string;
            assert(imports.includes(target), `${file} imports ${name}`);
          } else {
            // What is compressed or checksummed touches nothing of the world.
            assert(
              world || !/^node:(?!zlib$)|^(ws|nats|hono|pino|commander|prom-client)\b/.test(name),
              `${file} imports ${name}`,
            );
          }
        }
      }
    });
  }

  test("core and runtime read no wall clock and no random number", () => {
    for (const file of tracked.filter((name) => /^(core|runtime)\/.*\.ts$/.test(name))) {
      const code = readFileSync(join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
      assert(!/Date\.now|Math\.random|new Date\(\)|performance\.now|setTimeout|setInterval/.test(code), file);
    }
  });
});

/** Packages that a file loads at its start, itself or through what it imports. */
function packagesOf(file: string, seen = new Set<string>()): Set<string> {
  const packages = new Set<string>();
  if (seen.has(file)) return packages;
  seen.add(file);
  const text = readFileSync(join(root, file), "utf8");
  for (const [, name = ""] of text.matchAll(/^(?:import|export)\s(?!type\b)[^;]*?from\s+"([^"]+)"/gms)) {
    if (!name.startsWith(".")) packages.add(name);
    else for (const found of packagesOf(join(dirname(file), name.replace(/\.js$/, ".ts")), seen)) packages.add(found);
  }
  return packages;
}

test("what starts often loads no more than it needs", () => {
  const worker = packagesOf("connectors/nats/worker.ts");
  assert(worker.has("nats"), "the walk finds packages");
  // Half of a worker thread's start; what reads configurations is the main thread's.
  for (const name of ["zod", "yaml"]) assert(!worker.has(name), `a worker thread loads ${name}`);
  const command = packagesOf("connectors/cli/main.ts");
  assert(command.has("commander"), "the walk finds packages");
  // A third of a command's start; `run` and `replay --serve` load the server themselves.
  for (const name of ["hono", "@hono/node-server", "ws", "prom-client"])
    assert(!command.has(name), `every command loads ${name}`);
});

test("the top level holds what the design says and what the ecosystem requires", () => {
  const top = new Set(tracked.map((file) => file.split("/")[0] as string));
  const folders = ["core", "runtime", "connectors", "bench", "deploy", "test", ".ci"];
  const files = [
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "asconfig.json",
    "biome.json",
    "vitest.config.ts",
  ];
  const texts = ["README.md", "LICENSE", "CHANGELOG.md", ".gitignore", ".npmrc"];
  for (const name of top) assert([...folders, ...files, ...texts].includes(name), name);
});
