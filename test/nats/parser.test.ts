/** What the adapter's parser takes, and what it leaves to the package's, is what the package's parser alone finds. */
import fc from "fast-check";
import { MsgImpl } from "nats/lib/nats-base-client/msg.js";
import { Kind, Parser, type ParserEvent } from "nats/lib/nats-base-client/parser.js";
import { describe, expect, test } from "vitest";
import type { BrokerMessage } from "../../connectors/nats/message.js";
import { type Listener, MessageParser } from "../../connectors/nats/parser.js";

/** What was seen of a message, whoever read it. */
interface Seen {
  readonly subject: string;
  readonly reply: string;
  readonly code: number;
  readonly description: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

function seenBy(message: BrokerMessage): Seen {
  const { subject, reply, status, headerNames, data } = message;
  return {
    subject,
    reply,
    ...status,
    headers: headerNames.map((name) => [name, message.header(name)]),
    body: hex(data),
  };
}

function seenByPackage(event: ParserEvent): Seen | string {
  if (event.kind !== Kind.MSG) return `${Kind[event.kind]} ${event.data === undefined ? "" : hex(event.data)}`;
  const message = new MsgImpl(event.msg as never, event.data as Uint8Array, undefined as never);
  const { headers } = message;
  return {
    subject: message.subject,
    reply: event.msg?.reply === undefined ? "" : (message.reply ?? ""),
    code: headers?.code ?? 0,
    description: headers?.description ?? "",
    headers: (headers?.keys() ?? []).map((name) => [name, headers?.get(name) ?? ""]),
    body: hex(message.data),
  };
}

/** Feeds both the same bytes; the first in these pieces. Subscriptions 1 and 2 are ours, others are not. */
function both(bytes: Uint8Array, cuts: readonly number[]) {
  const found: (Seen | string)[] = [];
  const ours: number[] = [];
  const wanted: (Seen | string)[] = [];
  const listen =
    (id: number): Listener =>
    (message) => {
      ours.push(id);
      found.push(seenBy(message));
    };
  const push = (event: ParserEvent) => {
    if (event.kind === Kind.MSG) expect(event.msg?.sid, "ours are never the package's").toBeGreaterThan(2);
    found.push(seenByPackage(event));
  };
  const inner = new Parser({ push });
  const parser = new MessageParser(inner, new Map([1, 2].map((id) => [id, listen(id)])));
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  for (const [i, end] of [...ends, bytes.length].entries()) parser.parse(bytes.subarray(ends[i - 1] ?? 0, end));
  new Parser({ push: (event: ParserEvent) => void wanted.push(seenByPackage(event)) }).parse(bytes);
  return { found, wanted, ours };
}

const word = fc.stringMatching(/^[A-Za-z0-9_.$*>é-]{1,12}$/);
const body = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.constantFrom("", "\r\n", "MSG a 1 2\r\nxx\r\n", "PING\r\n", "{}", "+OK\r\nHMSG").map((text) => Buffer.from(text)),
  fc.uint8Array({ minLength: 300, maxLength: 600 }),
);
const headLines = fc.array(fc.tuple(fc.constantFrom("Nats-Msg-Id", "A", "Ab", "Tidemark-Silent"), word), {
  maxLength: 3,
});
const statusLine = fc.constantFrom(
  "",
  " 100 Idle Heartbeat",
  " 408 Request Timeout",
  " 503",
  " 409 Message Size Exceeds MaxBytes",
);

/** An operation as a server sends it. */
const operation: fc.Arbitrary<Uint8Array> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .record({
        subject: word,
        id: fc.constantFrom(1, 1, 2, 3, 12),
        reply: fc.option(word),
        head: fc.option(fc.tuple(statusLine, headLines)),
        body,
        gap: fc.constantFrom(" ", " ", "  ", "\t"),
        verbs: fc.constantFrom(["MSG", "HMSG"], ["msg", "hmsg"], ["MSG", "HMSG"]),
      })
      .map(({ subject, id, reply, head, body: bytes, gap, verbs }) => {
        const words = [subject, id, ...(reply === null ? [] : [reply])];
        const lines = head?.[1].map(([name, value]) => `${name}: ${value}\r\n`).join("");
        const top = Buffer.from(head === null ? "" : `NATS/1.0${head[0]}\r\n${lines}\r\n`);
        const sizes = [...(head === null ? [] : [top.length]), top.length + bytes.length];
        const line = Buffer.from(`${verbs[head === null ? 0 : 1]}${gap}${[...words, ...sizes].join(gap)}\r\n`);
        return Buffer.concat([line, top, bytes, Buffer.from("\r\n")]);
      }),
  },
  fc
    .constantFrom("PING\r\n", "PONG\r\n", "+OK\r\n", "-ERR 'slow'\r\n", 'INFO {"version":"2.9.10"}\r\n')
    .map((text) => Buffer.from(text)),
);

describe("the parser of the client protocol", () => {
  test("any operations, cut anywhere, are what the package's parser alone finds", () => {
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 12 }),
        fc.array(fc.nat({ max: 5_000 }), { maxLength: 12 }),
        (operations, cuts) => {
          const { found, wanted } = both(Buffer.concat(operations), cuts);
          expect(found).toEqual(wanted);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  test("ours are taken without the package's parser, each whole, also cut between any two bytes", () => {
    const bytes = Buffer.from("HMSG a.b 2 r.1 12 17\r\nNATS/1.0\r\n\r\nhello\r\nMSG a 1 0\r\n\r\nMSG x 7 2\r\nhi\r\n");
    for (let cut = 0; cut <= bytes.length; cut++) {
      const { found, wanted, ours } = both(bytes, [cut]);
      expect(found).toEqual(wanted);
      expect(ours).toEqual([2, 1]);
    }
    const { ours } = both(
      bytes,
      Array.from(bytes, (_, at) => at),
    );
    expect(ours).toEqual([2, 1]);
  });

  test("a large body that comes in many pieces is put together once", () => {
    const size = 1_048_576;
    const bytes = Buffer.concat([Buffer.from(`MSG a 1 ${size}\r\n`), Buffer.alloc(size, 7), Buffer.from("\r\n")]);
    const concat = Buffer.concat;
    let copied = 0;
    Buffer.concat = (pieces, length) => {
      copied += length ?? 0;
      return concat(pieces, length);
    };
    try {
      const lengths: number[] = [];
      const inner = new Parser({ push: () => expect.fail("not ours") });
      const parser = new MessageParser(inner, new Map([[1, (message) => void lengths.push(message.data.length)]]));
      for (let at = 0; at < bytes.length; at += 65_536) parser.parse(bytes.subarray(at, at + 65_536));
      expect(lengths).toEqual([size]);
      expect(copied).toBe(bytes.length);
    } finally {
      Buffer.concat = concat;
    }
  });

  test("what is not of the protocol is the package's to refuse", () => {
    for (const text of [
      "MSG a 1\r\n",
      "MSG a 1 x\r\n",
      "HMSG a 1 9 3\r\n",
      "MSG  1 2\r\nhi\r\n",
      "MSX\r\n",
      "MSGX 1 2\r\nhi\r\n",
      `MSG ${"a".repeat(70_000)}`,
    ]) {
      let alone: unknown;
      try {
        new Parser({ push: () => {} }).parse(Buffer.from(text));
      } catch (error) {
        alone = error;
      }
      const parse = () =>
        new MessageParser(new Parser({ push: () => {} }), new Map([[1, () => {}]])).parse(Buffer.from(text));
      if (alone === undefined) expect(parse).not.toThrow();
      else expect(parse).toThrow((alone as Error).message.slice(0, 20));
    }
  });
});
