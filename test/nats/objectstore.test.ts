import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Broker } from "../../connectors/nats/broker.js";
import { CheckpointBucket } from "../../connectors/nats/objectstore.js";
import { bytesOf, key, storeContract, write } from "../support/checkpointstore.js";
import { serverVersions, TestServer } from "../support/nats.js";

describe.each(serverVersions)("checkpoints in the object store of nats-server $version", ({ binary }) => {
  let server: TestServer;
  let broker: Broker;
  beforeEach(async () => {
    server = await TestServer.start(binary);
    broker = await server.connect();
  });
  afterEach(() => server.stop());

  storeContract(() => new CheckpointBucket(broker, "t_checkpoints", 1));

  test("nothing of what was removed or abandoned stays in the stream", async () => {
    const store = new CheckpointBucket(broker, "t_checkpoints", 1);
    for (const sequence of [1, 2, 3, 4]) await write(store, 0, sequence, bytesOf(sequence));
    const writer = await store.create(0, key(5));
    await writer.write(bytesOf(5));
    await writer.abandon();
    const { state } = await broker.api<{ state: { messages: number } }>("STREAM.INFO.OBJ_t_checkpoints");
    // Two of a description and pieces: what is handed over in a piece of 100,000 bytes stays one.
    expect(state.messages).toBe(2 * (1 + 4));
  });

  test("an object is what other clients expect: size, pieces and digest", async () => {
    await write(new CheckpointBucket(broker, "t_checkpoints", 1), 3, 8, bytesOf(8));
    const name = "3/0000000000000008-1700000000008-24";
    const subject = `$O.t_checkpoints.M.${Buffer.from(name).toString("base64").replaceAll("+", "-").replaceAll("/", "_")}`;
    const { message } = await broker.api<{ message: { data: string } }>("STREAM.MSG.GET.OBJ_t_checkpoints", {
      last_by_subj: subject,
    });
    const digest = createHash("sha256").update(bytesOf(8)).digest("base64").replaceAll("+", "-").replaceAll("/", "_");
    expect(JSON.parse(Buffer.from(message.data, "base64").toString())).toMatchObject({
      name,
      bucket: "t_checkpoints",
      size: 400_000,
      chunks: 4,
      digest: `SHA-256=${digest}`,
    });
  });
});
