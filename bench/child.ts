/** A script of its own process: it starts with nothing in memory, and takes its memory along when it ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/**
 * Runs `dist/bench/<script>.js` with an argument and returns what it prints, as JSON. Throws where it fails, and ends
 * with this process.
 */
export async function runChild<T>(script: string, argument: unknown): Promise<T> {
  const path = fileURLToPath(new URL(`./${script}.js`, import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, path, JSON.stringify(argument)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.add(child);
  const [printed, [code, signal]] = await Promise.all([text(child.stdout), once(child, "exit")]).finally(() =>
    running.delete(child),
  );
  if (code !== 0) throw new Error(`${script} ended with ${signal ?? `exit code ${code}`}`);
  return JSON.parse(printed) as T;
}

/** In the child: what it was given. */
export function childArgument<T>(): T {
  return JSON.parse(process.argv[2] as string) as T;
}
