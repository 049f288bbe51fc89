/**
 * ws.fanout: migrations delivered a second to 1,000 WebSocket clients by one process. The server is the engine's own,
 * over a ledger in memory, and reads no faster than its slowest client takes; each client gets every migration.
 * The clients are in a process of their own that competes with the server for the machine: on two cores the kernel's
 * work for both ends of 1,000 connections is shared, too.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Bench, type BenchOptions, type Result, withGoal } from "./result.js";
import { inTurn, roundsOf } from "./rounds.js";

const CLIENTS = 1_000;
const MIGRATIONS = 500;
const MIGRATIONS_QUICK = 200;
const GOAL = 100_000;

async function run(options: BenchOptions): Promise<readonly Result[]> {
  const children: ChildProcess[] = [];
  const start = (script: string, ...args: string[]) => {
    const child = fork(fileURLToPath(new URL(`./${script}.js`, import.meta.url)), args);
    children.push(child);
    return child;
  };
  try {
    const server = start("fanoutserver");
    const { port } = await said<{ port: number }>(server);
    const clients = start("fanoutclients", String(port), String(CLIENTS));
    await said(clients);
    const count = options.quick ? MIGRATIONS_QUICK : MIGRATIONS;
    const micros: number[] = [];
    const measure = async (round: number) => {
      clients.send(count);
      await said(clients);
      const began = performance.now();
      server.send(count);
      await said(clients);
      const ms = performance.now() - began;
      server.send(0);
      const { user, system } = await said<{ user: number; system: number }>(server);
      if (round >= 0) micros.push((user + system) / (count * CLIENTS));
      return (1000 * count * CLIENTS) / ms;
    };
    const figures = await inTurn([{ name: "ws.fanout", measure }], { rounds: roundsOf(options), note: options.note });
    const cpu = micros.toSorted((a, b) => a - b)[micros.length >> 1] as number;
    const note = `${CLIENTS} clients in another process on the same machine; ${cpu.toFixed(1)} µs of CPU a delivery in the server`;
    return [{ ...withGoal(figures.result("ws.fanout", "migrations/s"), "≥", GOAL), note }];
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
}

/** The next message of a child. Rejects where it ends before. */
async function said<T>(child: ChildProcess): Promise<T> {
  const ended = new AbortController();
  try {
    const [message] = (await Promise.race([
      once(child, "message", { signal: ended.signal }),
      once(child, "exit", { signal: ended.signal }).then(([code, signal]) => {
        throw new Error(`a process of the bench ended with ${signal ?? `exit code ${code}`}`);
      }),
    ])) as [T];
    return message;
  } finally {
    ended.abort();
  }
}

export const fanoutBenches: readonly Bench[] = [{ names: ["ws.fanout"], run }];
