/**
 * One seed: a broker, the owner of a partition and now and then a second one, on virtual time; orders, and what goes
 * wrong. In the end the ledger must be what an undisturbed partition makes of the input that the broker holds: every
 * record once, in order, byte for byte; or the owner has stopped with the error that names what happened.
 */
import { assert } from "vitest";
import { CheckpointFolder } from "../../connectors/file/checkpointfolder.js";
import { Broker } from "../../connectors/nats/broker.js";
import { emptyCheckpointCounts } from "../../connectors/nats/checkpointer.js";
import { PartitionOwner } from "../../connectors/nats/owner.js";
import { compileSettings } from "../../runtime/config/index.js";
import { FatalError } from "../../runtime/errors.js";
import { encodeHead } from "../../runtime/head.js";
import { Partition } from "../../runtime/partition.js";
import { Random } from "../../runtime/random.js";
import type { LedgerRecord } from "../../runtime/record.js";
import type { Settings } from "../../runtime/settings.js";
import { HORIZON, MODELS, PARK_FOR } from "../chaos/shop.js";
import { kernelModule, SEED } from "../support/kernel-driver.js";
import { SimBroker, type SimMessage } from "./broker.js";
import { SimConnection } from "./connection.js";
import { SimDisk } from "./disk.js";
import { giveBackMemories, poolMemories } from "./memory.js";
import { Orders } from "./orders.js";
import { VirtualTime } from "./time.js";

const START = Date.UTC(2026, 0, 1);
const STREAMS = {
  partition: 0,
  input: "sim_orders_0",
  control: "sim.orders.0._control",
  ledger: "sim_ledger_0",
  adopted: false,
};
const SETTLE_MS_MAX = 300_000;
/** By then an owner is connected again, and has looked at what it finds; the ledger is asked for 5 s whether it is shorter. */
const NOTICE_MS = 8_000;
const CLOCK_JUMP_MS = 60_000;
const FAULTS = [
  "cut",
  "stall",
  "killEngine",
  "killBroker",
  "losePower",
  "refuse",
  "losePublishes",
  "dropConsumers",
  "secondOwner",
  "brokerClock",
  "machineClock",
  "killMachine",
  "fillDisk",
  "flipBit",
  "ageOut",
] as const;
/** Seconds are a fifth of one: what time alone causes comes sooner. */
const quick = <T>(words: T): T =>
  JSON.parse(JSON.stringify(words).replace(/"(\d+)s"/g, (_, seconds: string) => `"${Number(seconds) * 200}ms"`)) as T;
const SETTINGS = compileSettings({
  name: "sim",
  partitions: 1,
  horizon: quick(HORIZON),
  parkFor: quick(PARK_FOR),
  clockJumpMax: `${CLOCK_JUMP_MS}ms`,
  tickMs: 50,
  capacity: { customers: 50, entries: 2_000, idBytes: 2_000 },
  sources: [{ name: "orders", channel: "web" }],
  models: quick(MODELS),
} as Parameters<typeof compileSettings>[0]);
const LAST_ORDER = JSON.stringify({ id: "last", customer: "last", time: START, amount: 1 });
type Fault = (typeof FAULTS)[number];

export interface Outcome {
  /** `whole`, or the code of the error that the owner rightly stopped with. */
  readonly end: string;
  readonly faults: Readonly<Partial<Record<Fault, number>>>;
  readonly messages: number;
  readonly records: number;
  /** Checkpoints stored, starts from one, and checkpoints that did not serve. */
  readonly checkpoints: number;
  readonly restores: number;
  readonly fallbacks: number;
}

/** Of the seed that runs now. */
export let disk: SimDisk | undefined;

export async function simulate(seed: number): Promise<Outcome> {
  const world = new World(seed);
  disk = world.disk;
  try {
    return await world.run();
  } catch (error) {
    console.error(`SIMULATION_SEED=${seed}\n${world.trace.join("\n")}`);
    throw error;
  }
}

/** A process with an owner of the partition. */
class Engine {
  readonly connection: SimConnection;
  readonly owner: PartitionOwner;
  readonly #aborter = new AbortController();
  killed = false;
  /** Undefined while it runs; then what ended it, null for nothing wrong. */
  ended: Error | null | undefined;

  constructor(world: World, settings: Settings) {
    const { committed } = world;
    this.connection = new SimConnection(world.broker, world.time, world.random, () => world.isUp);
    this.owner = new PartitionOwner({
      broker: new Broker(this.connection.asNats, "sim", { reset: () => undefined } as never),
      wasm: kernelModule("release"),
      settings,
      streams: STREAMS,
      seed: SEED,
      applyModel: "no",
      accepted: { gap: false, rewind: false, ledger: false },
      store: world.hasStore ? new CheckpointFolder(world.disk.mount(this, "/checkpoints")) : undefined,
      checkpoints: { everyMs: world.checkpointMs, messagesMax: 100 },
      counts: world.counts,
      note: (text) => world.hear(text, committed),
    });
    this.owner.run(this.#aborter.signal).then(
      () => {
        this.ended = null;
      },
      (error: unknown) => {
        this.ended = error as Error;
      },
    );
  }

  get isRunning(): boolean {
    return !this.killed && this.ended === undefined;
  }

  stop(): void {
    this.#aborter.abort();
  }

  /** Nothing that it still does has any effect. */
  kill(): void {
    this.killed = true;
    this.connection.kill();
    this.#aborter.abort();
  }
}

class World {
  readonly trace: string[] = [];
  readonly random: Random;
  readonly time = new VirtualTime(START);
  readonly broker: SimBroker;
  readonly disk: SimDisk;
  /** Some seeds have no checkpoints: every start reads the input anew. */
  readonly hasStore: boolean;
  readonly checkpointMs: number;
  readonly counts = emptyCheckpointCounts();
  isUp = true;
  readonly #settings: Settings;
  readonly #faults: Partial<Record<Fault, number>> = {};
  #engines: Engine[] = [];
  /** Messages that a loss of power took, and clocks that jumped: what an owner may rightly stop for. */
  #lostMessages = 0;
  #jumped = false;
  #hasAged = false;
  /** Messages were gone that no checkpoint covered. */
  #hasOutrun = false;
  #ending = false;

  constructor(seed: number) {
    this.random = new Random(seed, 3);
    this.disk = new SimDisk(this.time, this.random);
    this.hasStore = this.random.chance(0.8);
    this.checkpointMs = 100 + this.random.below(600);
    this.broker = new SimBroker(
      () => this.time.now,
      (ms, run) => this.time.after(ms, run),
    );
    // Then no loss of power is a reason for an owner to stop.
    this.broker.syncsAlways = this.random.chance(0.25);
    this.broker.addStream(STREAMS.input, ["sim.orders.0."]);
    this.broker.addStream(STREAMS.ledger, ["sim.migrations.0.", "sim.dead.0."]);
    this.#settings = { ...SETTINGS, ledgerInFlightMax: this.random.chance(0.5) ? 1 + this.random.below(8) : 256 };
  }

  /**
   * What an engine notes. Of its checkpoints it may only say what came of losses and of flipped bits, and no audit finds
   * a difference; `committed` is the position of the newest checkpoint that was stored when it started.
   */
  hear(text: string, committed: number): void {
    this.tell(text);
    const restored = Number(/restored from its checkpoint at message (\d+)/.exec(text)?.[1]);
    const isWrong =
      (restored < committed && this.#faults.flipBit === undefined && this.#lostMessages === 0) ||
      /: audit: /.test(text) ||
      (/does not serve/.test(text) && this.#lostMessages === 0) ||
      (/can't be used/.test(text) && this.#faults.flipBit === undefined);
    if (isWrong) this.#wrong ??= new Error(`without a reason: ${text}`);
  }
  #wrong: Error | undefined;
  /** Position of the newest checkpoint that was stored for good. */
  committed = 0;

  /** To be called between all events: true where an owner has stopped. */
  #look(): boolean {
    this.committed = Math.max(this.committed, this.counts.position);
    return this.#failure !== undefined;
  }

  tell(text: string): void {
    this.trace.push(`${String(this.time.now - START).padStart(8)} ms  ${text}`);
    if (this.trace.length > 200) this.trace.shift();
  }

  async run(): Promise<Outcome> {
    const { time, random } = this;
    time.install();
    poolMemories();
    try {
      const durationMs = 500 + random.below(5_000);
      this.#publishOrders(durationMs);
      this.#inflictFaults(durationMs);
      this.#start();
      await time.run(() => this.#look() || time.now >= START + durationMs, durationMs + 1);
      this.#heal();
      const healedAt = time.now;
      const isSettled = () => {
        const { owner, isRunning } = this.#main;
        const last = this.broker.messages(STREAMS.input).length;
        return isRunning && owner.state === "running" && owner.partition?.position.sequence === last;
      };
      // An owner that was cut off has to find out what happened before it is asked.
      const settled = await time.run(
        () => this.#look() || (time.now > healedAt + NOTICE_MS && isSettled()),
        SETTLE_MS_MAX,
      );
      if (this.#failure === undefined) {
        const { position } = this.#main.owner.partition ?? {};
        const last = this.broker.messages(STREAMS.input).length;
        assert(
          settled,
          `the owner (${this.#main.owner.state}) is at message ${position?.sequence} of ${last} and goes no further`,
        );
        this.#main.stop();
        await time.run(() => this.#main.ended !== undefined, SETTLE_MS_MAX);
      }
      return this.#judge();
    } finally {
      for (const engine of this.#engines) engine.kill();
      await time.run(() => this.#engines.every(({ ended }) => ended !== undefined), SETTLE_MS_MAX);
      for (const { connection } of this.#engines) await connection.close();
      giveBackMemories();
      time.restore();
    }
  }

  get #main(): Engine {
    return this.#engines[0] as Engine;
  }

  /** What an owner ended with though nobody killed it. */
  get #failure(): Error | undefined {
    return this.#engines.find(({ killed, ended }) => !killed && ended)?.ended ?? undefined;
  }

  #start(): void {
    if (!this.isUp) {
      this.time.after(100, () => this.#start());
      return;
    }
    if (this.#main?.isRunning) return;
    this.tell("an engine starts");
    const old = this.#engines[0];
    this.#engines[0] = new Engine(this, this.#settings);
    if (old !== undefined) this.#engines.push(old);
  }

  #publishOrders(durationMs: number): void {
    const { random, time, broker } = this;
    const orders = new Orders(new Random(random.below(1e9), 4));
    const meanGapMs = 20 + random.below(200);
    const publish = () => {
      if (this.#ending) return;
      if (this.isUp) {
        const headers = new Map(random.chance(0.05) ? [["Tidemark-Silent", "1"]] : []);
        // A publisher that is refused comes again.
        broker.store(STREAMS.input, "sim.orders.0.web", orders.next(time.now), headers as Map<string, string>);
      }
      // Now and then a burst.
      time.after(random.chance(0.3) ? 0 : random.exponential(meanGapMs), publish);
    };
    for (let history = random.below(30); history > 0; history--)
      broker.store(STREAMS.input, "sim.orders.0.web", orders.next(time.now));
    time.after(random.below(durationMs), () => broker.sync());
    publish();
  }

  /** Each seed has some kinds of faults only, so that rare ones meet each other, too. */
  #inflictFaults(durationMs: number): void {
    const { random, time } = this;
    const kinds = FAULTS.filter((kind) => random.chance(kind === "losePower" ? 0.2 : 0.5));
    const meanGapMs = 100 + random.below(1_000);
    if (kinds.length === 0) return;
    for (let at = random.exponential(meanGapMs); at < durationMs; at += random.exponential(meanGapMs)) {
      const kind = kinds[random.below(kinds.length)] as Fault;
      time.after(at, () => {
        if (!this.#ending) this.#inflict(kind);
      });
    }
  }

  #inflict(kind: Fault): void {
    const { random, time, broker } = this;
    this.#faults[kind] = (this.#faults[kind] ?? 0) + 1;
    const alive = this.#engines.filter(({ isRunning }) => isRunning);
    const one = alive[random.below(Math.max(1, alive.length))];
    this.tell(kind);
    switch (kind) {
      case "cut":
        one?.connection.cut();
        return;
      case "stall":
        one?.connection.stall(random.below(random.chance(0.3) ? 9_000 : 500));
        return;
      case "killEngine":
        if (!this.#main.isRunning) return;
        this.#main.kill();
        time.after(random.below(1_000), () => this.#start());
        return;
      case "killBroker":
        this.#brokerDown();
        broker.forgetConsumers();
        return;
      case "losePower": {
        if (this.#hasAged) return;
        this.#brokerDown();
        const lost = broker.losePower((unsynced) => random.below(unsynced + 1));
        this.#lostMessages += Object.values(lost).reduce((sum, count) => sum + count, 0);
        this.tell(`lost: ${JSON.stringify(lost)}`);
        broker.sync();
        time.after(random.below(3_000), () => broker.sync());
        return;
      }
      case "refuse": {
        const stream = random.chance(0.6) ? STREAMS.ledger : STREAMS.input;
        broker.refusing.add(stream);
        time.after(random.below(3_000), () => broker.refusing.delete(stream));
        return;
      }
      case "losePublishes": {
        const part = random.uniform() / 2;
        broker.loses = () => (random.chance(part) ? (random.chance(0.5) ? "message" : "answer") : "nothing");
        time.after(random.below(2_000), () => {
          broker.loses = () => "nothing";
        });
        return;
      }
      case "dropConsumers":
        broker.forgetConsumers();
        return;
      case "secondOwner": {
        if (!this.isUp || this.#engines.length > 3) return;
        const second = new Engine(this, this.#settings);
        this.#engines.push(second);
        time.after(random.below(5_000), () => (random.chance(0.5) ? second.kill() : second.stop()));
        return;
      }
      case "brokerClock":
        broker.aheadMs += random.below(10_000) - 5_000;
        if (random.chance(0.03)) {
          this.#jumped = true;
          broker.aheadMs += 10 * CLOCK_JUMP_MS;
        }
        return;
      case "machineClock":
        time.machineAheadMs += random.below(10_000) - 5_000;
        // A machine far behind is to the owner what a broker far ahead is.
        if (random.chance(0.02)) {
          this.#jumped = true;
          time.machineAheadMs -= 10 * CLOCK_JUMP_MS;
        }
        return;
      case "killMachine":
        for (const engine of this.#engines) if (engine.isRunning) engine.kill();
        this.disk.losePower();
        time.after(random.below(1_000), () => this.#start());
        return;
      case "fillDisk":
        this.disk.isFull = true;
        time.after(random.below(3_000), () => {
          this.disk.isFull = false;
        });
        return;
      case "flipBit":
        this.disk.flipBit();
        return;
      case "ageOut": {
        // Not all of it at once, and none where a loss of power could take the rest away.
        const { length } = broker.messages(STREAMS.input);
        if (this.#faults.losePower !== undefined || broker.messages(STREAMS.ledger).length === 0) return;
        this.#hasAged = true;
        const first = 1 + random.below(Math.max(1, length - 20));
        // An engine that was held up may not have read so far, or may just be about to begin at an older checkpoint.
        const isBehind = alive.some(({ owner }) => (owner.partition?.position.sequence ?? 0) < first - 1);
        if (!this.hasStore || isBehind || first > this.committed + 1) this.#hasOutrun = true;
        broker.ageOut(STREAMS.input, first);
      }
    }
  }

  #brokerDown(): void {
    if (!this.isUp) return;
    this.isUp = false;
    for (const { connection } of this.#engines) connection.cut();
    this.time.after(this.random.below(2_000), () => {
      this.isUp = true;
    });
  }

  /** Nothing goes wrong any more, and one engine runs. */
  #heal(): void {
    this.#ending = true;
    this.isUp = true;
    this.broker.refusing.clear();
    this.broker.loses = () => "nothing";
    this.disk.isFull = false;
    for (const second of this.#engines.slice(1)) second.kill();
    this.#main.connection.stall(0);
    if (this.random.chance(0.5))
      this.broker.store(STREAMS.input, "sim.orders.0.web", new TextEncoder().encode(LAST_ORDER));
    if (this.#failure === undefined && !this.#main.isRunning) this.#start();
  }

  #judge(): Outcome {
    if (this.#wrong !== undefined) throw this.#wrong;
    const failure = this.#failure;
    const input = this.broker.messages(STREAMS.input);
    const ledger = this.broker.messages(STREAMS.ledger);
    const { taken: checkpoints, restores, fallbacks } = this.counts;
    const counts = { messages: input.length, records: ledger.length, checkpoints, restores, fallbacks };
    const outcome = { faults: this.#faults, ...counts };
    if (failure !== undefined) {
      const code = failure instanceof FatalError ? failure.code : "";
      const rightly =
        (/^(STREAM_REWOUND|LEDGER_REWOUND|LEDGER_DIVERGED)$/.test(code) && this.#lostMessages > 0) ||
        (code === "STREAM_GAP" && (this.#hasOutrun || (this.#hasAged && this.#faults.flipBit !== undefined))) ||
        // No checkpoint serves, and the input's start is gone.
        (code === "CHECKPOINT_CORRUPT" && this.#hasAged && this.#faults.flipBit !== undefined) ||
        (code === "CLOCK_JUMP" && this.#jumped);
      if (!rightly) throw failure;
      return { ...outcome, end: code };
    }
    const { partition } = this.#main.owner;
    assert(partition !== undefined, "an owner that runs has a partition");
    const { sequence } = partition.position;
    const whole = new Partition({ wasm: kernelModule("release"), settings: this.#settings, partition: 0, seed: SEED });
    const wanted: LedgerRecord[] = [];
    for (const records of whole.apply(input.slice(0, sequence).map(inputOf))) wanted.push(...records);
    assert.equal(ledger.length, wanted.length, "records");
    wanted.forEach((record, n) => {
      assertRecord(ledger[n] as SimMessage, record);
    });
    assert.deepEqual(partition.state(), whole.state(), `state at message ${sequence}`);
    assert.equal(partition.nextDue, whole.nextDue, "what is due next");
    return { ...outcome, end: "whole" };
  }
}

function inputOf({ sequence, subject, headers, body, nanos }: SimMessage) {
  const silent = headers.get("Tidemark-Silent") === "1";
  const control = subject === STREAMS.control;
  return { sequence, stamp: Number(nanos / 1_000_000n), subject, source: 0, control, silent: !control && silent, body };
}

function assertRecord({ sequence, subject, headers, body }: SimMessage, wanted: LedgerRecord): void {
  assert.equal(sequence, wanted.number, "number");
  const own = [...headers].filter(([name]) => !name.startsWith("Nats-"));
  const head = encodeHead(Object.fromEntries(own));
  // Nearly always all is equal: then no text is made of it.
  if (subject === wanted.subject && Buffer.compare(head, wanted.head) === 0 && Buffer.compare(body, wanted.body) === 0)
    return;
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");
  assert.equal(subject, wanted.subject, `subject of record ${sequence}`);
  assert.equal(text(head), text(wanted.head), `headers of record ${sequence}`);
  assert.equal(text(body), text(wanted.body), `body of record ${sequence}`);
  assert.fail(`record ${sequence} differs in bytes that are no text`);
}
