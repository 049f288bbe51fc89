import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { AckReply, isDelivery } from "../../connectors/nats/ackreply.js";
import type { Broker } from "../../connectors/nats/broker.js";
import { StreamReader } from "../../connectors/nats/reader.js";
import { CutProxy, serverVersions, TestServer } from "../support/nats.js";

const never = new AbortController().signal;
const text = new TextEncoder();

test("a reply subject gives sequence, stamp in ms and pending as whole numbers", () => {
  const ack = new AckReply();
  const message = (reply: string) => {
    const line = `MSG orders ${reply} 5`;
    const replyAt = line.indexOf(reply, 11);
    return { bytes: text.encode(line), replyAt, replyEnd: replyAt + reply.length };
  };
  const read = (reply: string) => {
    ack.read(message(reply));
    return { sequence: ack.sequence, stamp: ack.stamp, pending: ack.pending };
  };
  const plain = "$JS.ACK.t_orders_0.abc.1.9007199254740991.77.1700000000123999999.42";
  const found = { sequence: 9_007_199_254_740_991, stamp: 1_700_000_000_123, pending: 42 };
  expect(read(plain)).toEqual(found);
  expect(ack.deliveryOf(message(plain))).toBe(77);
  ack.forget();
  for (const end of ["", ".random", ".ran.dom"]) {
    const domain = `$JS.ACK.hub.hash.t_orders_0.abc.1.12.77.1700000000123000000.0${end}`;
    expect(read(domain)).toEqual({ sequence: 12, stamp: 1_700_000_000_123, pending: 0 });
    ack.forget();
  }
  expect(isDelivery(message(plain))).toBe(true);
  for (const other of ["$JS.ACK", "$JS.API.x.y", "_INBOX.abc.def"])
    expect(isDelivery(message(other)), other).toBe(false);
  expect(isDelivery({ bytes: text.encode("MSG $JS.ACK.x 1 5"), replyAt: 0, replyEnd: 0 })).toBe(false);
});

async function fill(broker: Broker, stream: string, from: number, to: number, size = 20): Promise<void> {
  for (let n = from; n <= to; n++) broker.publish(`in.${stream}`, text.encode(String(n).padEnd(size, ".")));
  await broker.flush();
  for (;;) {
    const { state } = await broker.api<{ state: { last_seq: number } }>(`STREAM.INFO.${stream}`);
    if (state.last_seq >= to) return;
  }
}

/** Reads at least up to `to`, each message once and in order. Returns the last one read. */
async function readTo(reader: StreamReader, from: number, to: number): Promise<number> {
  let number = from - 1;
  while (number < to) {
    const { messages, missing } = await reader.next(never, 20_000);
    expect(missing).toBeUndefined();
    expect(messages.length).toBeGreaterThan(0);
    for (const message of messages) {
      number++;
      if (message.sequence !== number || Number.parseInt(new TextDecoder().decode(message.body), 10) !== number) {
        expect.fail(`message ${number} is ${message.sequence}`);
      }
    }
  }
  return number;
}

describe.each(serverVersions)("reading by position on nats-server $version", ({ binary }) => {
  let server: TestServer;
  let broker: Broker;
  let streams = 0;
  const makeStream = async (limits: object = {}) => {
    const name = `S${++streams}`;
    await broker.api(`STREAM.CREATE.${name}`, { name, subjects: [`in.${name}`], storage: "file", ...limits });
    return name;
  };
  beforeAll(async () => {
    server = await TestServer.start(binary);
    broker = await server.connect();
  });
  afterEach(async () => {
    const { streams: names } = await broker.apiRetried<{ streams: string[] | null }>("STREAM.NAMES");
    for (const name of names ?? []) await broker.api(`STREAM.DELETE.${name}`);
  });
  afterAll(() => server?.stop());

  test("a backlog is read whole, and never more than the limit waits here", async () => {
    const stream = await makeStream();
    await fill(broker, stream, 1, 20_000);
    const reader = new StreamReader(broker, { stream, from: 1, messagesMax: 300, bytesMax: 4_000_000 });
    const first = await reader.next(never);
    expect(first.messages[0]?.sequence).toBe(1);
    // Nobody asks for more: what was pulled stays within its limit, however much the broker holds.
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await readTo(reader, first.messages.length + 1, 20_000)).toBe(20_000);
    expect(reader.bufferedMax).toBeLessThanOrEqual(300);
    expect(reader.consumers).toBe(1);
    expect(reader.atEnd).toBe(true);
    reader.close();
  });

  test("bytes are limited as well as messages", async () => {
    const stream = await makeStream();
    await fill(broker, stream, 1, 300, 100_000);
    const reader = new StreamReader(broker, { stream, from: 1, messagesMax: 10_000, bytesMax: 2_000_000 });
    await readTo(reader, 1, 300);
    expect(reader.bufferedMax).toBeLessThanOrEqual(20);
    reader.close();
  });

  test("waits for what comes, and starts anywhere", async () => {
    const stream = await makeStream();
    const reader = new StreamReader(broker, { stream, from: 1, messagesMax: 100, bytesMax: 1_000_000 });
    expect((await reader.next(never, 50)).messages).toEqual([]);
    expect(reader.atEnd).toBe(true);
    const reading = readTo(reader, 1, 250);
    await fill(broker, stream, 1, 250);
    await reading;
    const later = new StreamReader(broker, { stream, from: 200, messagesMax: 100, bytesMax: 1_000_000 });
    await readTo(later, 200, 250);
    const aborter = new AbortController();
    const waiting = later.next(aborter.signal);
    aborter.abort();
    expect((await waiting).messages).toEqual([]);
    reader.close();
    later.close();
  });

  test("a pull is over at its time, also where the broker does not say so", async () => {
    const stream = await makeStream();
    const proxy = await CutProxy.start(server.port);
    const line = await server.connect({ servers: proxy.url });
    proxy.hides = /HMSG [^\r]+\r\nNATS\/1\.0 408[\s\S]*?\r\n\r\n\r\n/g;
    const reader = new StreamReader(line, { stream, from: 1, messagesMax: 100, bytesMax: 8_000_000 });
    const reading = readTo(reader, 1, 10);
    // Of both pulls under way: none of the first two is left at the broker.
    while (proxy.hidden < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    await fill(broker, stream, 1, 10);
    await reading;
    expect(reader.consumers).toBe(1);
    reader.close();
    await line.close();
    await proxy.stop();
  }, 60_000);

  test("a delivery that was lost on its way is read again, and not taken for deleted", async () => {
    const stream = await makeStream();
    const proxy = await CutProxy.start(server.port);
    const line = await server.connect({ servers: proxy.url });
    const reader = new StreamReader(line, { stream, from: 1, messagesMax: 100, bytesMax: 8_000_000 });
    await fill(broker, stream, 1, 5);
    await readTo(reader, 1, 5);
    proxy.hides = /MSG [^\r]+\r\n7\.{19}\r\n/;
    await fill(broker, stream, 6, 6);
    await readTo(reader, 6, 6);
    await fill(broker, stream, 7, 7);
    while (proxy.hidden < 1) await new Promise((resolve) => setTimeout(resolve, 20));
    proxy.hides = undefined;
    await fill(broker, stream, 8, 20);
    await readTo(reader, 7, 20);
    expect(reader.consumers).toBe(2);
    reader.close();
    await line.close();
    await proxy.stop();
  });

  test("deleted messages are told from a head that was lost", async () => {
    const stream = await makeStream();
    await fill(broker, stream, 1, 20);
    for (const seq of [5, 6, 7]) await broker.api(`STREAM.MSG.DELETE.${stream}`, { seq });
    const reader = new StreamReader(broker, { stream, from: 1, messagesMax: 100, bytesMax: 1_000_000 });
    expect((await reader.next(never)).messages.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
    const erased = await reader.next(never);
    expect(erased.missing).toEqual({ from: 5, to: 7, erased: true });
    expect(erased.messages[0]?.sequence).toBe(8);
    reader.close();
    await broker.api(`STREAM.PURGE.${stream}`, { seq: 11 });
    const late = new StreamReader(broker, { stream, from: 4, messagesMax: 100, bytesMax: 1_000_000 });
    const gap = await late.next(never);
    expect(gap.missing).toEqual({ from: 4, to: 10, erased: false });
    expect(gap.messages[0]?.sequence).toBe(11);
    late.close();
  });

  test("a consumer that dies is made anew, without loss or repeat", async () => {
    const stream = await makeStream();
    await fill(broker, stream, 1, 1_000);
    const reader = new StreamReader(broker, { stream, from: 1, messagesMax: 100, bytesMax: 1_000_000 });
    const read = await readTo(reader, 1, 500);
    const { consumers } = await broker.api<{ consumers: string[] }>(`CONSUMER.NAMES.${stream}`);
    for (const name of consumers) await broker.api(`CONSUMER.DELETE.${stream}.${name}`);
    expect(await readTo(reader, read + 1, 1_000)).toBe(1_000);
    expect(reader.consumers).toBeGreaterThan(1);
    reader.close();
  });

  test("a connection that is cut again and again loses and repeats nothing", async () => {
    const stream = await makeStream();
    await fill(broker, stream, 1, 20_000);
    const proxy = await CutProxy.start(server.port);
    const line = await server.connect({ servers: proxy.url });
    const reader = new StreamReader(line, { stream, from: 1, messagesMax: 500, bytesMax: 4_000_000 });
    let read = 0;
    for (let part = 0; part < 5; part++) {
      setTimeout(() => proxy.cut(), part);
      read = await readTo(reader, read + 1, (part + 1) * 4_000);
    }
    expect(read).toBe(20_000);
    await expect.poll(() => line.reconnects).toBeGreaterThan(0);
    reader.close();
    await line.close();
    await proxy.stop();
  });

  test("a connection that was closed for good ends the reading", async () => {
    const stream = await makeStream();
    const line = await server.connect();
    const reader = new StreamReader(line, { stream, from: 1, messagesMax: 100, bytesMax: 1_000_000 });
    await fill(broker, stream, 1, 3);
    await readTo(reader, 1, 3);
    const next = reader.next(never);
    await broker.api(`CONSUMER.NAMES.${stream}`).then(async (found) => {
      for (const name of (found as { consumers: string[] }).consumers)
        await broker.api(`CONSUMER.DELETE.${stream}.${name}`);
    });
    await line.close();
    await expect(next).rejects.toThrow("BROKER_UNREACHABLE");
    reader.close();
  });

  test("a broker that is killed goes on where the reader was", async () => {
    const own = await TestServer.start(binary);
    try {
      const line = await own.connect();
      await line.api("STREAM.CREATE.S", { name: "S", subjects: ["in.S"], storage: "file" });
      await fill(line, "S", 1, 3_000);
      const reader = new StreamReader(line, { stream: "S", from: 1, messagesMax: 200, bytesMax: 1_000_000 });
      const read = await readTo(reader, 1, 1_000);
      await own.restart("SIGKILL");
      expect(await readTo(reader, read + 1, 3_000)).toBe(3_000);
      reader.close();
    } finally {
      await own.stop();
    }
  });

  test("a stream that went backwards and grew again is named rewound", async () => {
    const stream = await makeStream();
    await fill(broker, stream, 1, 100);
    const reader = new StreamReader(broker, { stream, from: 1, messagesMax: 100, bytesMax: 1_000_000 });
    await readTo(reader, 1, 100);
    await broker.api(`STREAM.DELETE.${stream}`);
    await broker.api(`STREAM.CREATE.${stream}`, { name: stream, subjects: [`in.${stream}`], storage: "file" });
    await fill(broker, stream, 1, 150);
    await expect(reader.next(never, 20_000)).rejects.toThrow(/STREAM_REWOUND.*read up to message 100.*now stamped/);
    reader.close();
    const short = new StreamReader(broker, { stream, from: 201, messagesMax: 100, bytesMax: 1_000_000 });
    await expect(short.next(never)).rejects.toThrow(/STREAM_REWOUND.*read up to message 200.*last message is 150/);
    short.close();
  });
});
