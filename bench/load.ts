/**
 * Orders at a steady rate, and how long each that moves a customer takes to its migration at a WebSocket client.
 *
 * Open loop: each order has its due moment, whatever became of those before it, and its time is counted from there on:
 * that the generator was late counts, too. Generator and client are one process (`loadgenerator.ts`), so one clock.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface LoadOptions {
  /** Of the broker. */
  readonly nats: string;
  /** Of the engine's WebSocket. */
  readonly socket: string;
  readonly name: string;
  readonly partitions: number;
  /** Orders a second. */
  readonly rate: number;
  /** One order in so many is the first of a new customer, who moves; the others are of customers whom nothing moves. */
  readonly movesEvery: number;
  /** Customers `k0` … whom nothing moves. */
  readonly known: number;
  /** Makes the new customers' ids differ from those of other loads. */
  readonly run: number;
  /** Orders due earlier are not in the result. */
  readonly warmUpMs: number;
  /** Behind the warm-up; it ends earlier when it is told to. */
  readonly msMax: number;
}

export interface LoadResult {
  /** Due moment of the first order in the result: ms since 1970. */
  readonly from: number;
  /** Between the due moments of two orders in the result, ms. */
  readonly period: number;
  /** Of each order that moved a customer, in the order of their due moments: ms until its migration came. */
  readonly latencies: readonly number[];
  /** Orders published. */
  readonly orders: number;
  /** How late orders were handed to the client library, ms: 99 % were not later. */
  readonly lateness: number;
}

export interface Load {
  /** Rejects where an order was not answered, or twice. */
  readonly result: Promise<LoadResult>;
  /** No more orders; those under way are still waited for. */
  readonly end: () => void;
}

/** Starts a load in a process of its own, which ends with this one. */
export function startLoad(options: LoadOptions): Load {
  const child = fork(fileURLToPath(new URL("./loadgenerator.js", import.meta.url)), [JSON.stringify(options)]);
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const result = Promise.race([
    once(child, "message").then(([message]) => message as LoadResult),
    once(child, "exit").then(([code, signal]) => {
      throw new Error(`the load ended with ${signal ?? `exit code ${code}`}`);
    }),
  ]).finally(() => {
    process.removeListener("exit", kill);
    kill();
  });
  result.catch(() => undefined); // who waits for it is told
  return { result, end: () => child.connected && child.send("end") };
}
