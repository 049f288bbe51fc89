/** The modules of bench/core, as `npm run bench` compiles them. */
import { readFileSync } from "node:fs";

export function moduleOf(name: string): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(new URL(`./${name}.wasm`, import.meta.url)));
}
