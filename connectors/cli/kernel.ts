/** The compiled kernel that ships beside this file. */
import { readFileSync } from "node:fs";
import { FatalError } from "../../runtime/errors.js";

/** Throws FatalError (KERNEL_FAULT) where the build is not whole. */
export function loadKernel(): WebAssembly.Module {
  const path = new URL("../../core/kernel.wasm", import.meta.url);
  try {
    return new WebAssembly.Module(readFileSync(path));
  } catch (cause) {
    throw new FatalError("KERNEL_FAULT", `the kernel ${path.pathname} can't be loaded`, {
      cause,
      remedy: "Build Tidemark again: npm run build",
    });
  }
}
