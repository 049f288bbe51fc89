import { connect } from "nats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Broker } from "../../connectors/nats/broker.js";
import { serverVersions, TestServer } from "../support/nats.js";

/** A publish of 1,024 bytes in all. */
function publish(number: number): Uint8Array {
  const start = "PUB bound.x 1004\r\n";
  const command = Buffer.alloc(1_024, ".");
  command.write(start);
  command.write(String(number).padStart(5), start.length);
  command.write("\r\n", 1_022);
  return command;
}

describe.each(serverVersions)("what is sent in one turn, on nats-server $version", ({ binary }) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await TestServer.start(binary);
  });
  afterAll(() => server?.stop());

  /** A connection, what was handed to it so far, and the numbers that came through the server. */
  async function connected() {
    const connection = await connect({ servers: server.url });
    const { protocol } = connection as unknown as { protocol: { sendCommand(commands: Uint8Array): void } };
    const handed: number[] = [];
    const send = protocol.sendCommand.bind(protocol);
    protocol.sendCommand = (commands) => {
      if (typeof commands !== "string" && commands.length === 1_024) handed.push(commands.length);
      send(commands);
    };
    const broker = new Broker(connection, server.url, { reset: () => {} } as never);
    const came: number[] = [];
    broker.subscribe("bound.x", ({ data }) => came.push(Number(Buffer.from(data.subarray(0, 5)).toString())));
    await broker.flush();
    return { broker, handed, came };
  }

  test("it is collected up to 64 KiB, then handed on at once, the rest at the end of the turn", async () => {
    const { broker, handed, came } = await connected();
    for (let n = 1; n < 64; n++) broker.send(publish(n));
    expect(handed).toHaveLength(0);
    broker.send(publish(64));
    expect(handed).toHaveLength(64);
    // Within the turn no more than the bound waits, however much is sent.
    for (let n = 65; n <= 300; n++) {
      broker.send(publish(n));
      expect(n - handed.length).toBeLessThan(64);
    }
    expect(handed).toHaveLength(256);
    await new Promise((resolve) => setImmediate(resolve));
    expect(handed).toHaveLength(300);
    await broker.flush();
    expect(came).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
    await broker.close();
  });

  test("what is collected goes before a flush, and before the end", async () => {
    const { broker, handed, came } = await connected();
    broker.send(publish(1));
    await broker.flush();
    expect(came).toEqual([1]);
    broker.send(publish(2));
    await broker.close();
    expect(handed).toHaveLength(2);
    expect(() => broker.send(publish(3))).toThrow("closed");
  });
});
