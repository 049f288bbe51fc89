/**
 * A process of ws.fanout: clients that count the messages they get, and no more: as little of the machine as that
 * takes. They speak WebSocket by hand over plain sockets.
 */
import net from "node:net";

const OK = "\r\n\r\n";

/** Counts the frames of one connection's bytes, whatever way they are cut. */
class Frames {
  texts = 0;
  /** Bytes of the frame under way that are still to come. */
  #left = 0;
  #head = Buffer.alloc(0);

  constructor(readonly pong: () => void) {}

  take(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const some = Math.min(this.#left, chunk.length - at);
        this.#left -= some;
        at += some;
        continue;
      }
      const head =
        this.#head.length === 0 ? chunk.subarray(at) : Buffer.concat([this.#head, chunk.subarray(at, at + 14)]);
      const short = (head[1] ?? 0) & 127;
      const size = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (head.length < size) {
        this.#head = Buffer.from(head);
        return;
      }
      at += size - this.#head.length;
      this.#head = Buffer.alloc(0);
      this.#left = short === 126 ? head.readUInt16BE(2) : short === 127 ? Number(head.readBigUInt64BE(2)) : short;
      if (head[0] === 0x81) this.texts++;
      if (head[0] === 0x89) this.pong();
    }
  }
}

/** A client's message: masked, with a mask of zeros. */
function masked(text: string): Buffer {
  const body = Buffer.from(text);
  return Buffer.concat([Buffer.from([0x81, 0x80 | body.length, 0, 0, 0, 0]), body]);
}

const [port, clients] = process.argv.slice(2).map(Number) as [number, number];
const all: Frames[] = [];
/** Migrations that each client is to have in all. */
let target = Number.POSITIVE_INFINITY;
let complete = 0;
/** welcome, subscribed */
const REPLIES = 2;

function connect(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1");
    const frames = new Frames(() => socket.write(Buffer.from([0x8a, 0x80, 0, 0, 0, 0])));
    all.push(frames);
    let open = false;
    socket.write(
      `GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Protocol: tidemark.v1.json${OK}`,
    );
    socket.on("data", (chunk: Buffer) => {
      if (!open) {
        const end = chunk.indexOf(OK);
        if (end < 0) return;
        open = true;
        socket.write(masked('{"type":"hello"}'));
        socket.write(masked('{"type":"subscribe","id":"s","topic":"migrations","silent":true}'));
        chunk = chunk.subarray(end + OK.length);
      }
      const had = frames.texts;
      frames.take(chunk);
      if (had < REPLIES && frames.texts >= REPLIES) resolve();
      if (had < target && frames.texts >= target && ++complete === clients) process.send?.("complete");
    });
    socket.on("error", reject);
    socket.on("close", () => {
      console.error(`a client was closed after ${frames.texts} messages`);
      process.exit(1);
    });
  });
}

process.on("message", (count: number) => {
  target = (target === Number.POSITIVE_INFINITY ? REPLIES : target) + count;
  complete = 0;
  process.send?.("ready");
});
process.on("disconnect", () => process.exit());
for (let i = 0; i < clients; i += 50) await Promise.all(Array.from({ length: Math.min(50, clients - i) }, connect));
process.send?.("connected");
