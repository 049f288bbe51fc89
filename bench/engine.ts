/** The engine as people run it: `tidemark run --nats …`, a process of its own that is always stopped. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Config } from "../runtime/config/index.js";

export interface BenchEngine {
  /** `ws://127.0.0.1:port/ws` */
  readonly socket: string;
  /** Resolves when every partition has read its input to the end. Throws Error where the engine ends. */
  readonly ready: () => Promise<void>;
  readonly pid: number;
}

const COMMAND = fileURLToPath(new URL("../connectors/cli/main.js", import.meta.url));
const START_MS_MAX = 20_000;
const READY_MS_MAX = 120_000;

/** Runs `use` with an engine under this configuration. It is stopped whatever happens. */
export async function withEngine<T>(
  nats: string,
  config: Config,
  use: (engine: BenchEngine) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-bench-"));
  const file = join(folder, "tidemark.yaml");
  writeFileSync(file, JSON.stringify(config)); // JSON is YAML
  const args = [
    COMMAND,
    "run",
    "--config",
    file,
    "--nats",
    nats,
    "--host",
    "127.0.0.1",
    "--port",
    "0",
    "--data",
    folder,
  ];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  let printed = "";
  let log = "";
  child.stdout.on("data", (data: Buffer) => {
    printed += data;
  });
  child.stderr.on("data", (data: Buffer) => {
    log = (log + data).slice(-4_096);
  });
  const checkRuns = () => {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the engine ended with ${child.signalCode ?? `exit code ${child.exitCode}`}: ${log}`);
  };
  const until = async (what: string, msMax: number, done: () => Promise<boolean> | boolean) => {
    for (const end = performance.now() + msMax; !(await done()); await delay(20)) {
      checkRuns();
      if (performance.now() > end) throw new Error(`the engine is not ${what} after ${msMax} ms: ${log}`);
    }
  };
  const socketOf = () => /ws:\/\/\S+\/ws/.exec(printed)?.[0];
  try {
    await until("started", START_MS_MAX, () => socketOf() !== undefined);
    const socket = socketOf() as string;
    const readyz = socket.replace(/^ws/, "http").replace(/ws$/, "readyz");
    return await use({
      socket,
      pid: child.pid as number,
      ready: () => until("ready", READY_MS_MAX, async () => (await fetch(readyz)).ok),
    });
  } finally {
    process.removeListener("exit", kill);
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      const timer = setTimeout(kill, 10_000);
      await ended;
      clearTimeout(timer);
    }
    rmSync(folder, { recursive: true, force: true });
  }
}
