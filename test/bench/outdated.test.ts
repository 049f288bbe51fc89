/** `npm run bench -- --no-build` measures what lies in dist: it must be made of the sources that lie there. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

type Outdated = (root: string) => string[] | undefined;
const build: string = new URL("../../deploy/build.mjs", import.meta.url).href;
const { outdated } = (await import(build)) as { outdated: Outdated };

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tidemark-outdated-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A file that was last changed at that second. */
function file(path: string, second: number): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), "");
  for (let at = path; at !== "."; at = dirname(at)) utimesSync(join(root, at), second, second);
}

test("each result is newer than its sources, or is named with them", () => {
  for (const path of ["core/apply.ts", "bench/core/kernel.ts", "asconfig.json", "runtime/a.ts", "connectors/a.ts"])
    file(path, 100);
  file("bench/main.ts", 100);
  for (const path of ["core/kernel.wasm", "bench/kernel.wasm", "bench/scan.wasm", "runtime/a.js", "connectors/a.js"])
    file(join("dist", path), 200);
  file("dist/bench/main.js", 200);
  expect(outdated(root)).toBeUndefined();
  file("core/apply.ts", 300);
  expect(outdated(root)).toEqual(["dist/core/kernel.wasm", "core", "asconfig.json"]);
  file("dist/core/kernel.wasm", 400);
  expect(outdated(root)?.[0]).toBe("dist/bench/kernel.wasm");
  for (const name of ["kernel", "scan"]) file(`dist/bench/${name}.wasm`, 400);
  expect(outdated(root)).toBeUndefined();
  file("connectors/a.ts", 500);
  expect(outdated(root)?.[0]).toBe("dist/connectors");
});

test("what was never built is older than everything", () => {
  file("core/apply.ts", 100);
  expect(outdated(root)?.[0]).toBe("dist/core/kernel.wasm");
});
