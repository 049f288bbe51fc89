/** After start the kernel never allocates: not one call into the language's runtime is in its debug build. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { assert, test } from "vitest";

// The release build would prove nothing: its allocator is inlined.
const wat = readFileSync(resolve(import.meta.dirname, "../../dist/core/kernel.debug.wat"), "utf8");

test("no call into the runtime, and no memory is grown", () => {
  assert(wat.includes("(func $core/kernel/run"), "this is the kernel");
  assert.notMatch(wat, /call \$~lib\/rt/);
  assert.notMatch(wat, /memory\.grow/);
});
