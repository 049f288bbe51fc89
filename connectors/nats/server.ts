/**
 * A nats-server of our own: the child process behind `tidemark run` without `--nats`, with JetStream in a data
 * folder. One process owns the folder at a time; what an owner that died left running is stopped first.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { FatalError, InputError } from "../../runtime/errors.js";
import { reasonOf, sleep } from "./broker.js";

export interface ServerOptions {
  /** Holds the JetStream store, the log and the lock. Made where it is missing. */
  readonly folder: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Path of nats-server. Default: found on PATH and where packages put it. */
  readonly binary?: string;
  /** A configuration file of the user's, passed on with `-c`. */
  readonly configFile?: string;
  /** Called when the server ends though nobody stopped it. */
  readonly onExit?: (detail: string) => void;
}

const READY_MS_MAX = 15_000;
const STOP_MS_MAX = 10_000;
const LOG_CHARACTERS_MAX = 8_192;

export class EmbeddedServer {
  readonly #child: ChildProcess;
  readonly #lock: string;
  readonly #atExit: () => void;
  #stopping = false;

  private constructor(
    child: ChildProcess,
    lock: string,
    /** `nats://127.0.0.1:port` */
    readonly url: string,
    readonly port: number,
    readonly pid: number,
    onExit: ((detail: string) => void) | undefined,
  ) {
    this.#child = child;
    this.#lock = lock;
    this.#atExit = () => child.kill("SIGTERM");
    process.once("exit", this.#atExit);
    child.once("exit", (code, signal) => {
      process.removeListener("exit", this.#atExit);
      rmSync(lock, { force: true });
      if (!this.#stopping) onExit?.(`nats-server ended by itself (${signal ?? `exit code ${code}`})`);
    });
  }

  /**
   * Starts the server and waits until it takes clients. Throws FatalError: BROKER_MISSING (no binary), PORT_IN_USE,
   * DISK_FULL (no space or no permission), BROKER_UNSUITABLE (it ended, with its own words); InputError
   * (FILE_UNREADABLE) where another process uses the folder.
   */
  static async start(options: ServerOptions): Promise<EmbeddedServer> {
    const folder = resolve(options.folder);
    const binary = options.binary ?? findBinary();
    prepareFolder(folder);
    const lock = join(folder, "nats-server.lock");
    await takeOver(lock, folder);
    const port = options.port === undefined ? -1 : options.port;
    const args = ["-js", "-sd", join(folder, "jetstream"), "-a", "127.0.0.1", "-p", String(port)];
    if (options.configFile !== undefined) args.push("-c", options.configFile);
    // A group of its own: a Ctrl-C in the terminal reaches us alone, and we stop the server after the engine.
    const child = spawn(binary, args, { stdio: ["ignore", "ignore", "pipe"], detached: true });
    const found = await untilReady(child, binary, folder, options.port).catch((error: unknown) => {
      child.kill("SIGKILL");
      throw error;
    });
    writeFileSync(lock, JSON.stringify({ server: child.pid, owner: process.pid }));
    return new EmbeddedServer(child, lock, `nats://127.0.0.1:${found}`, found, child.pid ?? 0, options.onExit);
  }

  /** Stops it in order and waits for its end. A server that does not end in 10 s is killed (JetStream recovers from that). */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    this.#stopping = true;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise<void>((done) => this.#child.once("exit", () => done()));
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MS_MAX);
    await ended;
    clearTimeout(timer);
    rmSync(this.#lock, { force: true });
  }

  /** Sends any signal, SIGSTOP and SIGCONT too. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

/** Path of the first nats-server found. Throws FatalError (BROKER_MISSING). */
export function findBinary(): string {
  const folders = [
    ...(process.env.PATH ?? "").split(delimiter),
    "/usr/sbin",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/opt/homebrew/bin",
  ];
  for (const folder of folders) {
    const path = join(folder, "nats-server");
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder; the next one.
    }
  }
  throw new FatalError("BROKER_MISSING", "there is no nats-server on this machine");
}

function prepareFolder(folder: string): void {
  const probe = join(folder, ".probe");
  try {
    mkdirSync(folder, { recursive: true });
    // Some bytes, for a full disk still makes empty files.
    writeFileSync(probe, new Uint8Array(65_536));
    rmSync(probe);
  } catch (error) {
    if (existsSync(probe)) rmSync(probe, { force: true });
    const full = (error as NodeJS.ErrnoException).code === "ENOSPC";
    const remedy = full ? {} : { remedy: "Make the folder writable, or name another one with --data." };
    throw new FatalError("DISK_FULL", `can't write to ${folder}: ${reasonOf(error)}`, { cause: error, ...remedy });
  }
}

/** Ends a server that a dead owner left in this folder. Throws InputError where the owner lives. */
async function takeOver(lock: string, folder: string): Promise<void> {
  if (!existsSync(lock)) return;
  let held: { server?: number; owner?: number };
  try {
    held = JSON.parse(readFileSync(lock, "utf8")) as typeof held;
  } catch {
    return; // Cut off while it was written: its writer never got further.
  }
  const { server = 0, owner = 0 } = held;
  if (!isOurServer(server, folder)) return;
  if (owner !== process.pid && isAlive(owner)) {
    throw new InputError("FILE_UNREADABLE", `${folder} is in use by process ${owner}`, {
      remedy: "Stop that one first, or name another data folder.",
    });
  }
  process.kill(server, "SIGTERM");
  for (let waited = 0; isAlive(server) && waited < STOP_MS_MAX; waited += 50) await sleep(50);
  if (isAlive(server)) process.kill(server, "SIGKILL");
}

function isAlive(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Process numbers are used again: where the system can tell, its command line must name the folder. */
function isOurServer(pid: number, folder: string): boolean {
  if (!isAlive(pid)) return false;
  const file = `/proc/${pid}/cmdline`;
  return (
    !existsSync("/proc/self/cmdline") ||
    (existsSync(file) && readFileSync(file, "utf8").includes(join(folder, "jetstream")))
  );
}

/** Waits for the line that says the server is ready; returns the port it listens on. */
function untilReady(child: ChildProcess, binary: string, folder: string, wanted: number | undefined): Promise<number> {
  return new Promise((done, failed) => {
    let log = "";
    let port = wanted ?? 0;
    const timer = setTimeout(() => {
      failed(
        new FatalError(
          "BROKER_UNSUITABLE",
          `${binary} was not ready within ${READY_MS_MAX / 1000} s: ${lastLine(log)}`,
        ),
      );
    }, READY_MS_MAX);
    child.once("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const missing = error.code === "ENOENT";
      failed(
        new FatalError(missing ? "BROKER_MISSING" : "BROKER_UNSUITABLE", `${binary}: ${reasonOf(error)}`, {
          cause: error,
        }),
      );
    });
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      failed(endedEarly(log, binary, folder, wanted, signal ?? `exit code ${code}`));
    });
    // Read to its end all along: a full pipe would stop the server.
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      log = (log + text).slice(-LOG_CHARACTERS_MAX);
      const listening = /Listening for client connections on \S*:(\d+)/.exec(log);
      if (listening) port = Number(listening[1]);
      if (!/Server is ready/.test(log) || port === 0) return;
      clearTimeout(timer);
      done(port);
    });
  });
}

function endedEarly(log: string, binary: string, folder: string, port: number | undefined, end: string): FatalError {
  if (/address already in use/i.test(log))
    return new FatalError("PORT_IN_USE", `port ${port} is taken, nats-server can't listen there`);
  if (/no space left/i.test(log))
    return new FatalError("DISK_FULL", `nats-server can't write to ${folder}: no space left`);
  if (/permission denied/i.test(log)) {
    return new FatalError("DISK_FULL", `nats-server can't write to ${folder}: permission denied`, {
      remedy: "Make the folder writable, or name another one with --data.",
    });
  }
  return new FatalError("BROKER_UNSUITABLE", `${binary} ended at once (${end}): ${lastLine(log)}`);
}

/** The last line that says something, without the process number and date before it. */
function lastLine(log: string): string {
  const lines = log.split("\n").filter((line) => line.trim() !== "");
  const fatal = lines.findLast((line) => /\[(FTL|ERR)\]/.test(line)) ?? lines.at(-1) ?? "it said nothing";
  return fatal.replace(/^.*\[(FTL|ERR|INF|WRN)\]\s*/, "").trim();
}
