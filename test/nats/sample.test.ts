import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Broker } from "../../connectors/nats/broker.js";
import { type SampleOptions, sampleSubject } from "../../connectors/nats/sample.js";
import { serverVersions, TestServer } from "../support/nats.js";
import { never, text } from "../support/shop.js";

describe.each(serverVersions)("a sample on nats-server $version", ({ binary }) => {
  let server: TestServer;
  let broker: Broker;
  beforeEach(async () => {
    server = await TestServer.start(binary);
    broker = await server.connect();
  });
  afterEach(() => server.stop());

  const sample = (options: Partial<SampleOptions>) =>
    sampleSubject(broker, { last: 10, waitMs: 0, signal: never, ...options });
  const bodies = ({ messages }: Awaited<ReturnType<typeof sample>>) =>
    messages.map(({ body }) => Buffer.from(body).toString());
  const stream = (name: string, subjects: string[], more: object = {}) =>
    broker.api(`STREAM.CREATE.${name}`, { name, subjects, storage: "memory", ...more });
  const publish = (subject: string, body: string) => broker.publishStored(subject, text.encode(body));

  test("the newest messages of a subject, past deleted ones and those of others", async () => {
    await stream("SHOP", ["shop.>"]);
    const before = Date.now();
    for (let i = 1; i <= 40; i++) await publish(i % 4 === 0 ? "shop.orders.new" : "shop.carts", `m${i}`);
    await broker.api("STREAM.MSG.DELETE.SHOP", { seq: 36 });
    const found = await sample({ subject: "shop.orders.>", last: 5 });
    expect(bodies(found)).toEqual(["m20", "m24", "m28", "m32", "m40"]);
    expect(found.messages.map(({ sequence, stream: name }) => [name, sequence])).toEqual(
      [20, 24, 28, 32, 40].map((n) => ["SHOP", n]),
    );
    for (const { stamp } of found.messages) {
      expect(Number.isInteger(stamp)).toBe(true);
      expect(stamp).toBeGreaterThanOrEqual(before - 1);
      expect(stamp).toBeLessThanOrEqual(Date.now() + 1);
    }
    expect(found).toMatchObject({ streams: [{ name: "SHOP", messages: 39 }], cut: false });
    expect(bodies(await sample({ stream: "SHOP", last: 2 }))).toEqual(["m39", "m40"]);
    expect((await sample({ subject: "shop.orders.new", last: 100 })).messages).toHaveLength(9);
  });

  test("nothing is made, moved or taken away: not even from a queue that others consume", async () => {
    await stream("QUEUE", ["queue.>"], { retention: "workqueue" });
    for (let i = 0; i < 30; i++) await publish("queue.a", `m${i}`);
    const config = { durable_name: "worker", ack_policy: "explicit" };
    await broker.api("CONSUMER.DURABLE.CREATE.QUEUE.worker", { stream_name: "QUEUE", config });
    const look = async () => [
      await broker.api<{ state: object }>("STREAM.INFO.QUEUE").then(({ state }) => state),
      await broker.api<{ streams: string[] }>("STREAM.NAMES"),
      await broker
        .api<{ delivered: object; ack_floor: object; num_pending: number }>("CONSUMER.INFO.QUEUE.worker")
        .then(({ delivered, ack_floor, num_pending }) => ({ delivered, ack_floor, num_pending })),
    ];
    const before = await look();
    expect((await sample({ subject: "queue.>" })).messages).toHaveLength(10);
    expect(await look()).toEqual(before);
  });

  test("several streams share the sample, by time; too far back is said", async () => {
    for (const name of ["A", "B"]) await stream(name, [`s.${name}.>`]);
    for (let i = 0; i < 20; i++) await publish(`s.${i % 2 ? "A" : "B"}.x`, `m${i}`);
    const found = await sample({ subject: "s.>", last: 6 });
    expect(bodies(found).sort()).toEqual(["m14", "m15", "m16", "m17", "m18", "m19"]);
    expect(found.streams.map(({ name }) => name).sort()).toEqual(["A", "B"]);
    await publish("s.A.rare", "rare");
    for (let i = 0; i < 60; i++) await publish("s.A.x", "x");
    const rare = await sample({ subject: "s.A.rare", last: 2 });
    expect(rare).toMatchObject({ messages: [], looked: 40, cut: true });
  });

  test("new messages are waited for, no longer than it takes", async () => {
    await stream("SHOP", ["shop.>"]);
    await publish("shop.a", "old");
    const waiting: number[] = [];
    const under = sample({ subject: "shop.>", last: 3, waitMs: 30_000, waiting: (messages) => waiting.push(messages) });
    await expect.poll(() => waiting.length).toBeGreaterThan(0);
    for (const body of ["a", "b", "c"]) await publish("shop.a", body);
    expect(bodies(await under)).toEqual(["a", "b", "c"]);
    expect(bodies(await sample({ subject: "shop.>", last: 9, waitMs: 300 }))).toEqual(["old", "a", "b", "c"]);
  });

  test("a subject that no stream takes is listened to", async () => {
    const aborter = new AbortController();
    const heard: number[] = [];
    const under = sample({ subject: "live.*", last: 2, waitMs: 30_000, waiting: (messages) => heard.push(messages) });
    await expect.poll(() => heard.length).toBeGreaterThan(0);
    await broker.flush();
    for (const body of ["a", "b", "c"]) broker.publish("live.x", text.encode(body));
    const found = await under;
    expect(bodies(found)).toEqual(["a", "b"]);
    expect(found.messages.map(({ stream: name, sequence }) => [name, sequence])).toEqual([
      [null, 1],
      [null, 2],
    ]);
    expect(await sample({ subject: "live.*", waitMs: 10 })).toMatchObject({ streams: [], messages: [] });
    const cut = sample({ subject: "live.*", waitMs: 60_000, signal: aborter.signal });
    aborter.abort();
    await expect(cut).rejects.toMatchObject({ name: "AbortError" });
  });

  test("a stream that is not there is named", async () => {
    await expect(sample({ stream: "NOPE" })).rejects.toMatchObject({
      code: "STREAM_UNSUITABLE",
      message: expect.stringContaining("there is no stream NOPE"),
    });
  });
});
