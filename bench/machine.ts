/** What the figures were measured on, and with. */
import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";
import { versionsUsed } from "./nats.js";

export interface Machine {
  readonly cpu: string;
  /** Processors that this process may use. */
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly v8: string;
  /** Versions of nats-server that benches ran with: of one as a rule, of none where no bench needed one. */
  readonly natsServers: readonly string[];
  /** Processes that wanted to run, averaged over a minute, before the first bench and after the last. */
  readonly loadStart: number;
  readonly loadEnd: number;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly seconds: number;
  /** Of the sources; `+` behind it: with changes that are not committed. Null outside of a clone. */
  readonly commit: string | null;
  readonly command: string;
}

/** Notes how things are before the first bench; what it returns tells the whole after the last. */
export function observeMachine(command: string): () => Machine {
  const started = new Date();
  const before = {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round((totalmem() / 2 ** 30) * 10) / 10,
    kernel: `${type()} ${release()}`,
    node: process.version,
    v8: process.versions.v8,
    loadStart: load(),
  };
  const commit = commitOf();
  return () => ({
    ...before,
    natsServers: versionsUsed(),
    loadEnd: load(),
    startedAt: started.toISOString(),
    seconds: Math.round((Date.now() - started.getTime()) / 1000),
    commit,
    command,
  });
}

/** The machine in lines, for a reader. */
export function describeMachine(machine: Machine): string[] {
  const { cpu, cores, memoryGiB, kernel, node, v8, natsServers, loadStart, loadEnd, startedAt, commit } = machine;
  return [
    `${cpu}, ${cores} core${cores === 1 ? "" : "s"}, ${memoryGiB} GiB, ${kernel}`,
    [`Node ${node}`, `V8 ${v8}`, ...natsServers.map((version) => `nats-server ${version}`)].join(", "),
    `${startedAt.slice(0, 16).replace("T", " ")} UTC, ${machine.seconds} s, load ${loadStart} before and ${loadEnd} after, commit ${commit ?? "unknown"}`,
    machine.command,
  ];
}

function load(): number {
  return Math.round((loadavg()[0] as number) * 100) / 100;
}

function commitOf(): string | null {
  const commit = said("git", "rev-parse", "--short=12", "HEAD");
  if (commit === undefined) return null;
  // The table itself is written by the run and says nothing about what was run.
  return said("git", "status", "--porcelain", "--", ".", ":!bench/RESULTS.md") === "" ? commit : `${commit}+`;
}

/** What the program says; undefined where it does not run. */
function said(program: string, ...args: string[]): string | undefined {
  try {
    return execFileSync(program, args, {
      cwd: new URL("../..", import.meta.url),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      timeout: 10_000,
    }).trim();
  } catch {
    return undefined;
  }
}
