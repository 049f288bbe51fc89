/**
 * ledger.publish: a shop's migrations, from the kernel's own records in memory to a file stream of a real nats-server
 * by the engine's encoder and LedgerWriter: each with its expected sequence, each acknowledged. encode.migrations is
 * the first part of it alone. limit.ledger.publish is what the broker takes: the same publishes, made beforehand, over
 * a bare socket with as many in flight, their acknowledgements only counted.
 * Server and writer share the machine: on two cores the server, which needs more than one, leaves the writer less.
 */
import { once } from "node:events";
import net from "node:net";
import type { Broker } from "../connectors/nats/broker.js";
import { LedgerWriter } from "../connectors/nats/ledger.js";
import { Publishes } from "../connectors/nats/wire.js";
import type { LedgerRecord } from "../runtime/record.js";
import { withServer } from "./nats.js";
import { type Bench, type BenchOptions, type Result, withGoal } from "./result.js";
import { inTurn, roundsOf } from "./rounds.js";
import { type ShopRecords, shopRecords } from "./shop.js";

const CUSTOMERS = 30_000;
const CUSTOMERS_QUICK = 8_000;
const GOAL = 100_000;
const STREAM = "ledger";

async function run(options: BenchOptions): Promise<readonly Result[]> {
  const shop = shopRecords(options.quick ? CUSTOMERS_QUICK : CUSTOMERS);
  const { settings, count } = shop;
  const encode = encodeAll(shop);
  const { figures, version, writerMicros } = await withServer(async ({ url, broker }) => {
    const micros: number[] = [];
    const contestants = [
      { name: "encode.migrations", measure: () => perSecond(count, encode) },
      {
        name: "limit.ledger.publish",
        measure: async () => {
          const pieces = publishesOf(shop);
          return inStream(broker, settings.name, count, () => pour(url, pieces, count, settings.ledgerInFlightMax));
        },
      },
      {
        name: "ledger.publish",
        measure: (round: number) =>
          inStream(broker, settings.name, count, async () => {
            const before = process.cpuUsage();
            await write(broker, shop);
            const { user, system } = process.cpuUsage(before);
            if (round >= 0) micros.push((user + system) / count);
          }),
      },
    ];
    const found = await inTurn(contestants, { rounds: roundsOf(options), note: options.note });
    return { figures: found, version: broker.version, writerMicros: micros };
  });
  const bytes = bodyBytes(shop) / count;
  const cpu = writerMicros.toSorted((a, b) => a - b)[writerMicros.length >> 1] as number;
  const what = `${count} migrations of ${bytes.toFixed(0)} bytes, nats-server ${version} on the same machine`;
  return [
    {
      ...figures.result("encode.migrations", "migrations/s"),
      note: `${bytes.toFixed(0)} bytes each, headers made too`,
    },
    { ...figures.result("limit.ledger.publish", "migrations/s"), note: what },
    {
      ...withGoal(figures.result("ledger.publish", "migrations/s", "limit.ledger.publish"), "≥", GOAL),
      note: `encoding included; ${what}; ${cpu.toFixed(1)} µs of CPU each in our process`,
    },
  ];
}

/** A call that encodes all, and counts them. */
function encodeAll({ outputs, newEncoder, count }: ShopRecords): () => void {
  const encode = newEncoder();
  return () => {
    let encoded = 0;
    for (const output of outputs) encoded += encode(output).length;
    if (encoded !== count) throw new Error(`${encoded} of ${count} records encoded`);
  };
}

function perSecond(count: number, call: () => void): number {
  const start = performance.now();
  call();
  return (1000 * count) / (performance.now() - start);
}

function recordsOf({ outputs, newEncoder }: ShopRecords): LedgerRecord[] {
  return outputs.flatMap(newEncoder());
}

function bodyBytes(shop: ShopRecords): number {
  return recordsOf(shop).reduce((sum, { body }) => sum + body.length, 0);
}

/** A second's figure of `publish`, into a new stream that holds `count` messages afterwards. */
async function inStream(broker: Broker, name: string, count: number, publish: () => Promise<void>): Promise<number> {
  const subjects = [`${name}.migrations.0.>`, `${name}.dead.0.>`];
  await broker.api(`STREAM.CREATE.${STREAM}`, { name: STREAM, subjects, storage: "file", retention: "limits" });
  try {
    const start = performance.now();
    await publish();
    const ms = performance.now() - start;
    const { state } = await broker.api<{ state: { messages: number; last_seq: number } }>(`STREAM.INFO.${STREAM}`);
    if (state.messages !== count || state.last_seq !== count)
      throw new Error(`the stream holds ${state.messages} of ${count} messages`);
    return (1000 * count) / ms;
  } finally {
    await broker.api(`STREAM.DELETE.${STREAM}`);
  }
}

/** As a partition's owner does it: a step's records encoded, appended, and so on. */
async function write(broker: Broker, { settings, outputs, newEncoder }: ShopRecords): Promise<void> {
  const writer = await LedgerWriter.open(broker, { stream: STREAM, inFlightMax: settings.ledgerInFlightMax });
  const encode = newEncoder();
  const { signal } = new AbortController();
  for (const output of outputs) await writer.append(encode(output), signal);
  await writer.flush(signal);
  writer.close();
  if (writer.refused > 0) throw new Error(`${writer.refused} publishes were refused`);
}

const INBOX = "_INBOX.bench";

/** Publishes in the bytes of the protocol, of records up to number `last`. */
interface Piece {
  readonly bytes: Uint8Array;
  readonly last: number;
}

/** All of them, in the pieces in which LedgerWriter would send them. */
function publishesOf(shop: ShopRecords): Piece[] {
  const pieces: Piece[] = [];
  let last = 0;
  const publishes = new Publishes((bytes) => pieces.push({ bytes, last }));
  publishes.begin(INBOX);
  for (const record of recordsOf(shop)) {
    last = record.number;
    publishes.add(record);
  }
  publishes.flush();
  return pieces;
}

/** Sends the pieces with at most `inFlightMax` records unacknowledged. Rejects at the first refusal. */
async function pour(url: string, pieces: readonly Piece[], count: number, inFlightMax: number): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = net.connect(Number(port), hostname);
  socket.setNoDelay(true);
  try {
    await once(socket, "data"); // INFO
    socket.write('CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\n');
    socket.write(`SUB ${INBOX} 1\r\nPING\r\n`);
    await once(socket, "data"); // PONG
    await new Promise<void>((resolve, reject) => {
      let sent = 0;
      let acknowledged = 0;
      let rest = "";
      const more = () => {
        for (let next = pieces[sent]; next && next.last - acknowledged <= inFlightMax; next = pieces[++sent])
          socket.write(next.bytes);
      };
      socket.on("data", (bytes: Buffer) => {
        const text = rest + bytes.toString("latin1");
        if (text.includes('"error"')) reject(new Error(`the broker refuses: ${text.slice(0, 500)}`));
        if (text.includes("PING\r\n")) socket.write("PONG\r\n");
        // Acknowledgements come in order: the last whole one says it all.
        const last = text.lastIndexOf("}\r\n");
        const digits = text.lastIndexOf(":", last) + 1;
        if (last > 0) acknowledged = Number(text.slice(digits, last));
        rest = text.slice(Math.max(0, text.length - 100));
        if (acknowledged >= count) resolve();
        else more();
      });
      socket.on("error", reject);
      socket.on("close", () => reject(new Error("the broker closed the connection")));
      more();
    });
  } finally {
    socket.removeAllListeners();
    socket.destroy();
  }
}

export const ledgerBenches: readonly Bench[] = [
  { names: ["encode.migrations", "limit.ledger.publish", "ledger.publish"], run },
];
