/**
 * The 16 bytes that key an instance's hashes, made once: bucket `<name>` of the broker's key-value store, key `seed`, in
 * hexadecimal digits. No output depends on them. But order ids are kept as keyed hashes alone, so only partitions of one
 * seed can become those of another layout.
 */
import { randomBytes } from "node:crypto";
import { FatalError } from "../../runtime/errors.js";
import { ApiError, type Broker, headersOf, NO_MESSAGE_FOUND, STREAM_NOT_FOUND } from "./broker.js";

const SEED = /^[0-9a-f]{32}$/;

/** Throws FatalError (STREAM_UNSUITABLE) where the key holds something else, and what `Broker.apiRetried` throws. */
export async function instanceSeed(broker: Broker, name: string, replicas: number): Promise<Uint8Array> {
  const stream = `KV_${name}`;
  const subject = `$KV.${name}.seed`;
  for (;;) {
    const found = await read(broker, stream, subject);
    if (found !== undefined) {
      if (SEED.test(found)) return new Uint8Array(Buffer.from(found, "hex"));
      throw new FatalError("STREAM_UNSUITABLE", `key seed of bucket ${name} is ${JSON.stringify(found.slice(0, 64))}`, {
        remedy: "It should be 32 hexadecimal digits. Put back what it was: the bucket is Tidemark's alone.",
      });
    }
    await make(broker, stream, name, replicas);
    try {
      // Only one of those who begin at the same time succeeds; the others read what it wrote.
      const first = headersOf({ "Nats-Expected-Last-Subject-Sequence": "0" });
      await broker.publishStored(subject, Buffer.from(randomBytes(16).toString("hex")), first);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if ((await read(broker, stream, subject)) === undefined) throw error;
    }
  }
}

async function read(broker: Broker, stream: string, subject: string): Promise<string | undefined> {
  try {
    const { message } = await broker.apiRetried<{ message: { data?: string } }>(`STREAM.MSG.GET.${stream}`, {
      last_by_subj: subject,
    });
    return Buffer.from(message.data ?? "", "base64").toString("utf8");
  } catch (error) {
    if (error instanceof ApiError && [NO_MESSAGE_FOUND, STREAM_NOT_FOUND].includes(error.errorCode)) return undefined;
    throw error;
  }
}

/** As other clients make a bucket; without effect where it is there. */
async function make(broker: Broker, stream: string, name: string, replicas: number): Promise<void> {
  const config = {
    name: stream,
    subjects: [`$KV.${name}.>`],
    max_msgs_per_subject: 1,
    discard: "new",
    deny_delete: true,
    allow_rollup_hdrs: true,
    storage: "file",
    retention: "limits",
    num_replicas: replicas,
  };
  await broker.apiRetried(`STREAM.CREATE.${stream}`, config);
}
