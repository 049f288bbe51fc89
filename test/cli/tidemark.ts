/** The built command as a child process. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
export const MAIN = join(ROOT, "dist/connectors/cli/main.js");

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string | Uint8Array;
}

export function start(args: readonly string[], options: RunOptions = {}): ChildProcess {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: npm run build`);
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    TIDEMARK_CONFIG: undefined,
    TIDEMARK_NATS_URL: undefined,
    ...options.env,
  };
  for (const name of ["NO_COLOR", "FORCE_COLOR"] as const) if (!(name in (options.env ?? {}))) delete env[name];
  return spawn(process.execPath, [MAIN, ...args], { cwd: options.cwd ?? ROOT, env, stdio: ["pipe", "pipe", "pipe"] });
}

/** Runs it to its end. */
export function tidemark(args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const child = start(args, options);
  const parts = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  child.stdout?.on("data", (chunk: Buffer) => parts.stdout.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => parts.stderr.push(chunk));
  child.stdin?.on("error", () => undefined); // it may end without reading
  child.stdin?.end(options.input ?? "");
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      resolve({ code, stdout: Buffer.concat(parts.stdout).toString(), stderr: Buffer.concat(parts.stderr).toString() });
    });
  });
}

/** Resolves with what `stream` of the child has written when it matches. */
export function until(child: ChildProcess, stream: "stdout" | "stderr", pattern: RegExp, ms = 60_000): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const timer = setTimeout(() => reject(new Error(`no ${pattern} within ${ms} ms in: ${text}`)), ms);
    child[stream]?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (!pattern.test(text)) return;
      clearTimeout(timer);
      resolve(text);
    });
    child.once("exit", (code) => {
      clearTimeout(timer);
      setTimeout(() => reject(new Error(`ended with ${code}: ${text}`)), 100);
    });
  });
}

/** Resolves with the exit code. */
export function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("exit", (code) => resolve(code)));
}
