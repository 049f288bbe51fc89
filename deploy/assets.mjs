// Completes dist: copies what the program reads at run time and no compiler makes (the page, the published schemas), and
// lets the command be run, which npm does only when it links it anew.
import { chmodSync, cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./build.mjs";

for (const folder of ["connectors/dashboard/page", "runtime/schema"]) {
  rmSync(join(ROOT, "dist", folder), { recursive: true, force: true });
  cpSync(join(ROOT, folder), join(ROOT, "dist", folder), { recursive: true });
}
chmodSync(join(ROOT, "dist/connectors/cli/main.js"), 0o755);
