/** The same real orders through a real broker: the oracle's rows at every instant, and the replay's very migrations. */
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectBroker } from "../../connectors/nats/broker.js";
import { StreamReader } from "../../connectors/nats/reader.js";
import { streamState } from "../../connectors/nats/streams.js";
import { ledgerStream, ordersStream } from "../../runtime/subjects.js";
import { configuration, DATA_SETS, expected, found, isPresent } from "./realdata.js";
import { ended, start, tidemark, until } from "./tidemark.js";

const PARTITIONS = 4;
const MINUTES = 60_000;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tidemark-broker-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Sequence of the last message in each partition's stream of this kind. */
async function lastOf(url: string, stream: (partition: number) => string): Promise<number[]> {
  const broker = await connectBroker({ servers: url });
  try {
    const all = Array.from({ length: PARTITIONS }, (_, p) => streamState(broker, stream(p)));
    return (await Promise.all(all)).map(({ last_seq }) => last_seq);
  } finally {
    await broker.close();
  }
}

/** The state once every partition has applied what its stream holds. */
async function settledState(page: string, nats: string, name: string): Promise<string> {
  const wanted = await lastOf(nats, (p) => ordersStream({ name, layout: 1 }, p));
  for (let tries = 0; ; tries++) {
    const status = (await (await fetch(`${page}/api/status`)).json()) as { partitions: { position: number }[] };
    // Beyond it where the engine has added a tick of its own.
    if (wanted.every((last, p) => (status.partitions[p]?.position ?? 0) >= last)) break;
    if (tries > 600) throw new Error(`the engine does not reach ${wanted.join()}: ${JSON.stringify(status)}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const { stdout, stderr, code } = await tidemark(["state", "--url", page]);
  expect(code, stderr).toBe(0);
  const positions = [...stderr.matchAll(/\d+=(\d+)/g)].map(([, position]) => Number(position));
  expect(wanted.every((last, p) => (positions[p] ?? 0) >= last)).toBe(true);
  return stdout;
}

/** Bodies of all migrations in the ledgers. */
async function ledger(url: string, name: string): Promise<string[]> {
  const last = await lastOf(url, (p) => ledgerStream({ name, layout: 1 }, p));
  const broker = await connectBroker({ servers: url });
  const bodies: string[] = [];
  try {
    for (const [partition, end] of last.entries()) {
      if (end === 0) continue;
      const stream = ledgerStream({ name, layout: 1 }, partition);
      const reader = new StreamReader(broker, { stream, from: 1, messagesMax: 1000, bytesMax: 8 << 20 });
      for (let at = 0; at < end; ) {
        for (const { sequence, subject, body } of (await reader.next(AbortSignal.timeout(MINUTES))).messages) {
          at = sequence;
          if (subject.startsWith(`${name}.migrations.`)) bodies.push(Buffer.from(body).toString());
        }
      }
      reader.close();
    }
  } finally {
    await broker.close();
  }
  return bodies.sort();
}

/** CDNOW takes minutes on two busy cores: `.ci/run` asks for them. */
const isLong = (name: string) => name === "cdnow" && process.env["TIDEMARK_LONG"] !== "1";

for (const set of DATA_SETS) {
  if (isLong(set.name)) console.warn(`SKIPPED: ${set.name} through a real broker (set TIDEMARK_LONG=1)`);
  describe.skipIf(!isPresent(set) || isLong(set.name))(
    `${set.name} (../shared/data; skipped where it is absent)`,
    () => {
      let engine: ChildProcess | undefined;
      afterAll(async () => {
        if (engine === undefined) return;
        engine.kill("SIGINT");
        await ended(engine);
      });

      test(
        "publish --until and state give the oracle's rows, the ledgers the replay's migrations",
        async () => {
          const config = join(folder, `${set.name}.yaml`);
          writeFileSync(config, configuration(set.name, set.currency));
          engine = start(["run", "-c", config, "--data", join(folder, set.name), "--port", "0", "--log", "json"]);
          const notes: string[] = [];
          engine.stderr?.on("data", (chunk: Buffer) => notes.push(chunk.toString()));
          const printed = await until(engine, "stdout", /Ctrl-C/);
          const page = /http:\/\/\S+/.exec(printed)?.[0] ?? "";
          const nats = /nats:\/\/\S+/.exec(printed)?.[0] ?? "";

          const wanted = expected(set);
          const publish = async (...more: string[]) => {
            const args = [set.file, "-c", config, ...set.options, "--nats", nats, "--live", "--json", ...more];
            const result = await tidemark(["publish", ...args]);
            expect(result).toMatchObject({ code: 0, stderr: "" });
            return JSON.parse(result.stdout) as { events: number; repeated: number };
          };
          const lines: string[] = [];
          let after: string[] = [];
          for (const instant of wanted.instants) {
            await publish("--until", instant, ...after);
            after = ["--after", instant];
            lines.push(...found(await settledState(page, nats, set.name)));
          }
          expect(lines.sort()).toEqual(wanted.lines);

          await publish(...after);
          await settledState(page, nats, set.name);
          const file = join(folder, `${set.name}.ndjson`);
          const again = join(folder, `${set.name}-again.ndjson`);
          // The last instant lies behind the last order: there, too, the replay has to look.
          const at = ["--at", wanted.instants.join(","), "--state", join(folder, `${set.name}.csv`)];
          const replayed = await tidemark([
            "replay",
            set.file,
            "-c",
            config,
            ...set.options,
            "--migrations",
            file,
            ...at,
          ]);
          expect(replayed.code).toBe(0);
          const migrations = readFileSync(file, "utf8").trim().split("\n").sort();
          expect(migrations.length).toBeGreaterThan(20_000);
          const stored = await ledger(nats, set.name);
          expect(stored.length).toBe(migrations.length);
          expect(stored.join("\n") === migrations.join("\n")).toBe(true);

          // The streams themselves, read to their end, give them once more. Its `live` came before all orders.
          const streams = await tidemark(["replay", "-c", config, "--nats", nats, "--migrations", again]);
          expect(streams.code).toBe(0);
          expect(readFileSync(again, "utf8").trim().split("\n").sort().join("\n") === migrations.join("\n")).toBe(true);
          expect(notes.join("")).not.toMatch(/"level":[456]0/);
        },
        10 * MINUTES,
      );
    },
  );
}
