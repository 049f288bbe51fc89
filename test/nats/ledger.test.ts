import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Broker } from "../../connectors/nats/broker.js";
import { LedgerWriter } from "../../connectors/nats/ledger.js";
import { StreamReader } from "../../connectors/nats/reader.js";
import { decodeHead, encodeHead } from "../../runtime/head.js";
import { LedgerRecord } from "../../runtime/record.js";
import { CutProxy, serverVersions, TestServer } from "../support/nats.js";

const never = new AbortController().signal;

function record(number: number, text = `record ${number}`): LedgerRecord {
  return LedgerRecord.of({
    number,
    position: 2 * number,
    subject: `t.migrations.0.m.segment.null.s${number % 3}`,
    head: encodeHead({ "Tidemark-Position": String(2 * number), "Tidemark-Clock": String(1e12 + number) }),
    body: new TextEncoder().encode(text.padEnd(200 + (number % 7), ".")),
  });
}

function records(from: number, to: number): LedgerRecord[] {
  return Array.from({ length: to - from + 1 }, (_, i) => record(from + i));
}

async function makeStream(broker: Broker): Promise<string> {
  const name = `t_ledger_${Math.random().toString(36).slice(2)}`;
  await broker.api(`STREAM.CREATE.${name}`, {
    name,
    subjects: ["t.migrations.0.>"],
    storage: "file",
    retention: "limits",
  });
  return name;
}

/** The whole stream must be records 1 to `last`, byte for byte. */
async function expectWhole(broker: Broker, stream: string, last: number): Promise<void> {
  const reader = new StreamReader(broker, { stream, from: 1, messagesMax: 5_000, bytesMax: 8_000_000 });
  let number = 0;
  while (number < last) {
    const { messages, missing } = await reader.next(never, 10_000);
    expect(missing).toBeUndefined();
    expect(messages.length).toBeGreaterThan(0);
    for (const message of messages) {
      number++;
      const wanted = record(number);
      if (
        message.sequence !== number ||
        Buffer.compare(message.body, wanted.body) !== 0 ||
        message.subject !== wanted.subject
      ) {
        expect.fail(`record ${number} is ${message.sequence}: ${new TextDecoder().decode(message.body)}`);
      }
    }
  }
  expect(number).toBe(last);
  reader.close();
}

describe.each(serverVersions)("the ledger's writer on nats-server $version", ({ binary }) => {
  let server: TestServer;
  let broker: Broker;
  beforeAll(async () => {
    server = await TestServer.start(binary);
    broker = await server.connect();
  });
  afterEach(async () => {
    const { streams } = await broker.api<{ streams: string[] | null }>("STREAM.NAMES");
    for (const stream of streams ?? []) await broker.api(`STREAM.DELETE.${stream}`);
  });
  afterAll(() => server?.stop());

  test("writes records in order, and never more than the window is in flight", async () => {
    const stream = await makeStream(broker);
    let inFlightMax = 0;
    const writer = await LedgerWriter.open(broker, {
      stream,
      inFlightMax: 100,
      onStored: () => (inFlightMax = Math.max(inFlightMax, writer.inFlight)),
    });
    await writer.append(records(1, 5_000), never);
    await writer.flush(never);
    expect(writer.stored).toBe(5_000);
    expect(writer.refused).toBe(0);
    expect(inFlightMax).toBeLessThanOrEqual(100);
    writer.close();
    await expectWhole(broker, stream, 5_000);
  });

  test("after a restart publishes nothing that is there, and goes on after it", async () => {
    const stream = await makeStream(broker);
    const first = await LedgerWriter.open(broker, { stream, inFlightMax: 50 });
    await first.append(records(1, 500), never);
    await first.flush(never);
    first.close();
    const second = await LedgerWriter.open(broker, { stream, inFlightMax: 50 });
    expect(second.stored).toBe(500);
    await second.append(records(1, 700), never);
    await second.flush(never);
    expect(second.refused).toBe(0);
    second.close();
    await expectWhole(broker, stream, 700);
  });

  test("stops when the last record is another one than the input gives", async () => {
    const stream = await makeStream(broker);
    const first = await LedgerWriter.open(broker, { stream, inFlightMax: 50 });
    await first.append(records(1, 10), never);
    await first.flush(never);
    first.close();
    const second = await LedgerWriter.open(broker, { stream, inFlightMax: 50 });
    await second.append(records(1, 9), never);
    await expect(second.append([record(10, "something else")], never)).rejects.toThrow(
      /LEDGER_DIVERGED.*record 10.*instead of something else/,
    );
    second.close();
    const third = await LedgerWriter.open(broker, { stream, inFlightMax: 50 });
    const { number, position, subject, head, body } = record(10);
    const otherHead = encodeHead({ ...decodeHead(head), "Tidemark-Position": "7" });
    const other = LedgerRecord.of({ number, position, subject, head: otherHead, body });
    await third.append(records(1, 9), never);
    await expect(third.append([other], never)).rejects.toThrow(/LEDGER_DIVERGED.*another Tidemark-Position/);
    expect(() => third.checkReached(9)).toThrow(/LEDGER_DIVERGED.*holds 10 records.*only 9/);
    third.close();
  });

  test("a ledger whose records have all gone is not an empty one", async () => {
    const stream = await makeStream(broker);
    const first = await LedgerWriter.open(broker, { stream, inFlightMax: 50 });
    await first.append(records(1, 20), never);
    await first.flush(never);
    first.close();
    await broker.api(`STREAM.PURGE.${stream}`);
    const second = await LedgerWriter.open(broker, { stream, inFlightMax: 50 });
    expect(second.stored).toBe(20);
    await second.append(records(1, 25), never);
    await second.flush(never);
    expect(second.stored).toBe(25);
    second.close();
  });

  test("a second owner can only append what the first would", async () => {
    const stream = await makeStream(broker);
    const other = await server.connect();
    const told: string[] = [];
    const onTrouble = (reason: string) => told.push(reason);
    const owners = [
      await LedgerWriter.open(broker, { stream, inFlightMax: 64, onTrouble }),
      await LedgerWriter.open(other, { stream, inFlightMax: 64, onTrouble }),
    ];
    const begun = performance.now();
    // As orders come: each time all is stored, and the next refusal is a new one.
    for (let number = 1; number <= 3_000; number += 60)
      await Promise.all(
        owners.map(async (owner) => {
          await owner.append(records(number, number + 59), never);
          await owner.flush(never);
        }),
      );
    const seconds = (performance.now() - begun) / 1_000;
    for (const owner of owners) owner.close();
    const refused = owners.reduce((sum, owner) => sum + owner.refused, 0);
    expect(refused).toBeGreaterThan(20);
    // One at once, one every ten seconds, one at the end; of each owner.
    expect(told.length, told.join("\n")).toBeLessThanOrEqual(2 * (2 + seconds / 10));
    await expectWhole(broker, stream, 3_000);
  });

  test("a stream that refuses holds the writer up within its window, and is told once with its reason", async () => {
    const stream = await makeStream(broker);
    const full = await broker.api<{ config: object }>(`STREAM.INFO.${stream}`);
    const limited = { ...full.config, max_msgs: 20, discard: "new" };
    await broker.api(`STREAM.UPDATE.${stream}`, limited);
    const told: string[] = [];
    const writer = await LedgerWriter.open(broker, {
      stream,
      inFlightMax: 10,
      onTrouble: (reason) => told.push(reason),
    });
    const appended = writer.append(records(1, 100), never);
    await expect.poll(() => writer.refused).toBeGreaterThan(3);
    expect(writer.stored).toBe(20);
    expect(writer.inFlight).toBeLessThanOrEqual(10);
    expect(told.filter((reason) => reason === "the broker refuses: maximum messages exceeded")).toHaveLength(1);
    await broker.api(`STREAM.UPDATE.${stream}`, full.config);
    await appended;
    await writer.flush(never);
    writer.close();
    await expectWhole(broker, stream, 100);
  });

  test("a foreign message in the stream stops the writer", async () => {
    const stream = await makeStream(broker);
    const writer = await LedgerWriter.open(broker, { stream, inFlightMax: 10 });
    await writer.append(records(1, 5), never);
    await writer.flush(never);
    broker.publish("t.migrations.0.foreign", new TextEncoder().encode("foreign"));
    await broker.flush();
    const going = (async () => {
      await writer.append(records(6, 40), never);
      await writer.flush(never);
    })();
    await expect(going).rejects.toThrow(/LEDGER_DIVERGED.*record 6.*foreign/);
    writer.close();
  });

  test("a connection cut in the middle of the window leaves no hole and no repeat", async () => {
    const stream = await makeStream(broker);
    const proxy = await CutProxy.start(server.port);
    const line = await server.connect({ servers: proxy.url });
    const writer = await LedgerWriter.open(line, { stream, inFlightMax: 1_000 });
    for (let part = 0; part < 10; part++) {
      proxy.cutAfter(40_000 + 7_919 * part);
      await writer.append(records(part * 2_000 + 1, (part + 1) * 2_000), never);
    }
    await writer.flush(never);
    expect(writer.stored).toBe(20_000);
    expect(line.reconnects).toBeGreaterThan(5);
    writer.close();
    await line.close();
    await proxy.stop();
    await expectWhole(broker, stream, 20_000);
  });

  test("kill -9 of the broker in the middle of the window leaves no hole and no repeat", async () => {
    const own = await TestServer.start(binary);
    try {
      const line = await own.connect();
      const stream = await makeStream(line);
      const writer = await LedgerWriter.open(line, { stream, inFlightMax: 1_000 });
      const restarts: Promise<void>[] = [];
      for (let part = 0; part < 3; part++) {
        const going = writer.append(records(part * 10_000 + 1, (part + 1) * 10_000), never);
        await new Promise((resolve) => setTimeout(resolve, 20));
        await own.restart("SIGKILL");
        await going;
      }
      await Promise.all(restarts);
      await writer.flush(never);
      expect(writer.stored).toBe(30_000);
      writer.close();
      await expectWhole(line, stream, 30_000);
    } finally {
      await own.stop();
    }
  });

  test("a ledger that lost acknowledged records is named rewound", async () => {
    const stream = await makeStream(broker);
    const writer = await LedgerWriter.open(broker, { stream, inFlightMax: 10 });
    await writer.append(records(1, 10), never);
    await writer.flush(never);
    await broker.api(`STREAM.DELETE.${stream}`);
    await broker.api(`STREAM.CREATE.${stream}`, { name: stream, subjects: ["t.migrations.0.>"], storage: "file" });
    await writer.append(records(11, 12), never);
    await expect(writer.flush(never)).rejects.toThrow(/LEDGER_REWOUND.*ends at record 0, but 10/);
    writer.close();
  });
});
