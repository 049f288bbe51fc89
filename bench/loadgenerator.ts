/**
 * The process of `startLoad`: publishes orders when they are due, and takes the migrations that they cause. All
 * publishes are made ahead, in the bytes of the client protocol: what is due is one piece of them, so that the
 * generator takes as little as it can of the machine that it shares with what it measures.
 */
import { setTimeout as delay } from "node:timers/promises";
import { encode } from "@msgpack/msgpack";
import { WebSocket } from "ws";
import { connectBroker } from "../connectors/nats/broker.js";
import { ordersSubject, partitionOf } from "../runtime/subjects.js";
import { childArgument } from "./child.js";
import type { LoadOptions, LoadResult } from "./load.js";
import { percentile } from "./rounds.js";

/** After the last order; what has not come then counts as not answered. */
const ANSWER_MS_MAX = 15_000;
/** Between the start and the first due moment. */
const LEAD_MS = 50;
/** A publish's line and body. */
const PUBLISH_BYTES_MAX = 256;

const options = childArgument<LoadOptions>();
const { rate, movesEvery, known, run } = options;
const subjects = Array.from({ length: options.partitions }, (_, partition) =>
  ordersSubject(options.name, partition, "web"),
);
const broker = await connectBroker({ servers: options.nats });
/** Ids of the customers who do not move, and where their orders go. */
const customers = Array.from({ length: known }, (_, number) => target(`k${number}`));

/** Due moments on this process's clock, and when the migration came, by number of the order that moves. */
const answeredAt: number[] = [];
let moves = 0;
let answered = 0;
let ended = false;
process.on("message", () => {
  ended = true;
});

const socket = await subscribed();
const publishes = publishesAhead(Math.ceil(((options.warmUpMs + options.msMax) * rate) / 1000));
const start = performance.now() + LEAD_MS;
const lateness: number[] = [];
const orders = await publishWhenDue();
await broker.flush();
for (const end = performance.now() + ANSWER_MS_MAX; answered < moves; await delay(5))
  if (performance.now() > end) fail(`${moves - answered} of ${moves} orders were not answered`);
socket.terminate();
await broker.close();

const period = (1000 * movesEvery) / rate;
const first = Math.ceil(options.warmUpMs / period);
const latencies = answeredAt.map((at, number) => at - (start + number * period)).slice(first);
const result: LoadResult = {
  from: performance.timeOrigin + start + first * period,
  period,
  latencies,
  orders,
  lateness: percentile(lateness, 0.99),
};
process.send?.(result);

function fail(problem: string): never {
  throw new Error(problem);
}

function target(customer: string) {
  return { customer, subject: subjects[partitionOf(customer, options.partitions)] as string };
}

/** Publishes of so many orders, one behind the other, and where each ends. */
function publishesAhead(count: number): { readonly bytes: Buffer; readonly ends: Uint32Array } {
  const bytes = Buffer.allocUnsafe(count * PUBLISH_BYTES_MAX);
  const ends = new Uint32Array(count);
  const now = Date.now();
  let moving = 0;
  let at = 0;
  for (let number = 0; number < count; number++) {
    const isMove = number % movesEvery === 0;
    const { customer, subject } = isMove
      ? target(`n${run}-${moving++}`)
      : (customers[number % known] as ReturnType<typeof target>);
    const time = Math.floor(now + (number * 1000) / rate);
    const body = encode({ id: `${run}-${number}`, customer, time, amount: 1999 });
    at += bytes.write(`PUB ${subject} ${body.length}\r\n`, at);
    bytes.set(body, at);
    at += body.length;
    at += bytes.write("\r\n", at);
    ends[number] = at;
  }
  return { bytes, ends };
}

/** Orders are looked for about once a millisecond, so a machine in need of its cores is not kept busy by waiting. */
async function publishWhenDue(): Promise<number> {
  const { bytes, ends } = publishes;
  let next = 0;
  while (next < ends.length && !ended) {
    const now = performance.now();
    const from = ends[next - 1] ?? 0;
    for (; next < ends.length && dueAt(next) <= now; next++) {
      if (next % movesEvery !== 0) continue;
      moves++;
      lateness.push(now - dueAt(next));
    }
    const to = ends[next - 1] ?? 0;
    if (to > from) broker.send(bytes.subarray(from, to));
    await delay(1);
  }
  return next;
}

function dueAt(number: number): number {
  return start + (number * 1000) / rate;
}

/** A client that wants what orders cause, and takes no more of a migration than whose it is. */
async function subscribed(): Promise<WebSocket> {
  const client = new WebSocket(options.socket, "tidemark.v1.json", { perMessageDeflate: false });
  const mark = Buffer.from(`"subject":"n${run}-`);
  client.on("error", (error) => fail(`the WebSocket: ${error.message}`));
  client.on("close", (code) => answered < moves && fail(`the engine closed the WebSocket (${code})`));
  await new Promise<void>((done) => {
    client.on("open", () => {
      client.send(JSON.stringify({ type: "hello" }));
      const filter = { cause: "order", from: null };
      client.send(JSON.stringify({ type: "subscribe", id: "load", topic: "migrations", filter }));
    });
    client.on("message", (data: Buffer) => {
      const now = performance.now();
      const at = data.indexOf(mark);
      if (at < 0) {
        if (data.includes('"subscribed"')) done();
        return;
      }
      let number = 0;
      for (let i = at + mark.length; data[i] !== 0x22; i++) number = 10 * number + (data[i] as number) - 0x30;
      if (answeredAt[number] !== undefined) fail(`order ${number} was answered twice`);
      answeredAt[number] = now;
      answered++;
    });
  });
  return client;
}
