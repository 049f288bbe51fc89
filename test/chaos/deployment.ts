/**
 * A broker, the line to it and any number of engines, as processes that can be killed, stopped and cut off at any
 * moment; and the supervisor that starts what ended again, as systemd would.
 */
import type { ChildProcess } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Broker, connectBroker } from "../../connectors/nats/broker.js";
import { EmbeddedServer } from "../../connectors/nats/server.js";
import { start } from "../cli/tidemark.js";
import { CutProxy } from "../support/nats.js";
import type { Fault } from "./plan.js";
import { BROKER_PATIENCE_MS } from "./plan.js";

/** Ends of an engine that a supervisor has to expect: it was started while the broker was away. */
const EXPECTED_ENDS = /BROKER_UNREACHABLE|BROKER_UNSUITABLE: .* has no JetStream for us/;
const RESTART_MS = 200;
const NOTES_MAX = 200;

export class EngineProcess {
  readonly #args: readonly string[];
  readonly #folder: string;
  readonly #note: (text: string) => void;
  #child: ChildProcess | undefined;
  #page = "";
  #wanted = false;
  #starts = 0;
  /** Ends that nobody asked for and no absent broker explains: with what it said. */
  readonly failures: string[] = [];

  constructor(
    readonly name: string,
    folder: string,
    args: readonly string[],
    note: (text: string) => void,
  ) {
    this.#folder = folder;
    this.#args = args;
    this.#note = note;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  get starts(): number {
    return this.#starts;
  }

  /** Address of its page once it has told it, "" before. */
  get page(): string {
    return this.#page;
  }

  /** Starts it, and again whenever it ends, until `stop`. */
  start(): void {
    this.#wanted = true;
    if (this.#child === undefined) this.#spawn();
  }

  #spawn(): void {
    if (!this.#wanted || this.#child !== undefined) return;
    this.#starts++;
    this.#page = "";
    const child = start(this.#args, { cwd: this.#folder, env: { TIDEMARK_DEBUG: "1" } });
    this.#child = child;
    let said = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      this.#page ||= /http:\/\/\S+/.exec(chunk.toString())?.[0] ?? "";
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4_000);
      this.#note(chunk.toString().trim());
    });
    child.once("exit", (code, signal) => {
      this.#child = undefined;
      this.#page = "";
      this.#note(`ended (${signal ?? code})`);
      if (!this.#wanted) return;
      if (signal !== "SIGKILL" && !EXPECTED_ENDS.test(said)) this.failures.push(said);
      setTimeout(() => this.#spawn(), RESTART_MS);
    });
  }

  /** It is started again after the supervisor's pause and `downMs`. */
  async kill(downMs: number): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#wanted = false;
    const gone = endedBy(child);
    child.kill("SIGKILL");
    await gone;
    await sleep(downMs);
    this.start();
  }

  async pause(ms: number): Promise<void> {
    const child = this.#child;
    child?.kill("SIGSTOP");
    await sleep(ms);
    child?.kill("SIGCONT");
  }

  /** For good. Returns the exit code; a kill is none. */
  async stop(signal: NodeJS.Signals = "SIGINT"): Promise<number | null> {
    this.#wanted = false;
    const child = this.#child;
    if (child === undefined) return null;
    const gone = endedBy(child);
    child.kill("SIGCONT");
    child.kill(signal);
    return gone;
  }
}

export class Deployment {
  readonly notes: string[] = [];
  /** Folder of the checkpoints of all engines. */
  readonly checkpoints: string;
  /** Files of checkpoints that were spoilt. */
  spoilt = 0;
  /** Starts from a checkpoint, and checkpoints that could not be used, as the engines say them. */
  restores = 0;
  fallbacks = 0;
  readonly counts: Record<string, number> = {};
  readonly main: EngineProcess;
  readonly #engines: EngineProcess[] = [];
  #underWay: Promise<unknown>[] = [];
  #brokerBusy = false;
  #areRefused = false;

  private constructor(
    readonly folder: string,
    readonly binary: string,
    readonly config: string,
    private server: EmbeddedServer,
    private readonly line: CutProxy,
    /** Straight to the broker. */
    readonly broker: Broker,
    /** Stream of the bucket that the checkpoints are kept in; undefined: a folder. */
    private readonly bucket: string | undefined,
  ) {
    this.checkpoints = checkpointsIn(folder);
    this.main = this.engine("engine");
  }

  /** `config` without its checkpoints: they are kept in a folder of the deployment or in its broker, and taken often. */
  static async start(binary: string, config: { name: string }, store: "folder" | "object"): Promise<Deployment> {
    const folder = mkdtempSync(join(tmpdir(), "tidemark-chaos-"));
    const file = join(folder, "tidemark.yaml");
    const checkpoints = { store, ...(store === "folder" ? { folder: checkpointsIn(folder) } : {}), every: "300ms" };
    writeFileSync(file, JSON.stringify({ ...config, checkpoints })); // JSON is YAML
    const natsConfig = join(folder, "nats.conf");
    writeFileSync(natsConfig, `ping_interval: "${BROKER_PATIENCE_MS / 3}ms"\nping_max: 2\n`);
    const server = await EmbeddedServer.start({ folder, binary, configFile: natsConfig });
    const line = await CutProxy.start(server.port);
    const broker = await connectBroker({ servers: server.url });
    const bucket = store === "object" ? `OBJ_${config.name}_checkpoints` : undefined;
    return new Deployment(folder, binary, file, server, line, broker, bucket);
  }

  /** Another process of the same name and streams, which thinks that it owns all partitions. */
  engine(name: string): EngineProcess {
    const folder = join(this.folder, name);
    mkdirSync(folder, { recursive: true });
    const args = ["run", "-c", this.config, "--nats", this.line.url, "--port", "0", "--log", "json"];
    const engine = new EngineProcess(name, folder, args, (text) => this.#note(name, text));
    this.#engines.push(engine);
    return engine;
  }

  #note(name: string, text: string): void {
    this.notes.push(`${new Date().toISOString().slice(11, 23)} ${name}: ${text}`);
    if (this.notes.length > NOTES_MAX) this.notes.shift();
    this.restores += text.split("restored from its checkpoint").length - 1;
    this.fallbacks += text.split("trying an older one").length - 1;
  }

  get failures(): string[] {
    return this.#engines.flatMap(({ failures }) => failures);
  }

  get engineStarts(): number {
    return this.#engines.reduce((sum, { starts }) => sum + starts, 0);
  }

  /** Begins the fault; `settled` waits for the end of all that were begun. */
  inflict(fault: Fault): void {
    this.#note("fault", JSON.stringify(fault));
    this.counts[fault.kind] = (this.counts[fault.kind] ?? 0) + 1;
    this.#underWay.push(this.#carryOut(fault));
  }

  async #carryOut(fault: Fault): Promise<void> {
    switch (fault.kind) {
      case "killEngine":
        return this.main.kill(fault.downMs);
      case "pauseEngine":
        return this.main.pause(fault.forMs);
      case "killBroker":
        return this.#withBroker(async () => {
          await this.server.stop("SIGKILL");
          await sleep(fault.downMs);
          const { folder, binary } = this;
          const { port } = this.server;
          this.server = await EmbeddedServer.start({ folder, binary, port, configFile: join(folder, "nats.conf") });
        });
      case "pauseBroker":
        return this.#withBroker(async () => {
          this.server.signal("SIGSTOP");
          await sleep(fault.forMs);
          this.server.signal("SIGCONT");
        });
      case "cut":
        if (fault.afterBytes === 0) this.line.cut();
        else this.line.cutAfter(fault.afterBytes);
        return;
      case "stall":
        this.line.hold();
        await sleep(fault.forMs);
        if (fault.thenCut) this.line.cut();
        this.line.resume();
        return;
      case "halfOpen":
        this.line.loseTouch();
        return;
      case "dropConsumers":
        return this.#dropConsumers();
      case "spoilCheckpoint":
        return this.bucket === undefined
          ? this.#spoilCheckpoint(fault.which, fault.how)
          : this.#spoilObject(this.bucket, fault.which);
      case "refuseCheckpoints": {
        if (this.bucket !== undefined) return this.#refuseObjects(this.bucket, fault.forMs);
        // In the place of their folder stands a file: what is open can be written on, nothing new can be made there.
        const away = `${this.checkpoints}-away`;
        if (existsSync(away) || !existsSync(this.checkpoints)) return;
        renameSync(this.checkpoints, away);
        writeFileSync(this.checkpoints, "");
        await sleep(fault.forMs);
        rmSync(this.checkpoints);
        renameSync(away, this.checkpoints);
        return;
      }
      case "secondOwner": {
        const second = this.engine(`second-${this.#engines.length}`);
        second.start();
        await sleep(fault.forMs);
        await second.stop(fault.kill ? "SIGKILL" : "SIGINT");
      }
    }
  }

  /** One of those that are stored, or under way. */
  #spoilCheckpoint(which: number, how: "flip" | "cut" | "empty"): void {
    try {
      const files = readdirSync(this.checkpoints, { recursive: true, encoding: "utf8" })
        .filter((name) => /\.(checkpoint|tmp)$/.test(name))
        .sort();
      const file = files[Math.floor(which * files.length)];
      if (file === undefined) return;
      const path = join(this.checkpoints, file);
      const bytes = readFileSync(path);
      const at = Math.floor(which * 7_919 * bytes.length) % Math.max(1, bytes.length);
      if (how === "flip") bytes[at] = (bytes[at] ?? 0) ^ 4;
      writeFileSync(path, how === "flip" ? bytes : bytes.subarray(0, how === "cut" ? at : 0));
      this.spoilt++;
    } catch {
      // An engine has removed it meanwhile, or it is away.
    }
  }

  /** One of those that are stored, or under way, loses a piece. */
  async #spoilObject(bucket: string, which: number): Promise<void> {
    try {
      const filter = { subjects_filter: "$O.*.C.>" };
      const { state } = await this.broker.api<{ state: { subjects?: object } }>(`STREAM.INFO.${bucket}`, filter);
      const subjects = Object.keys(state.subjects ?? {}).sort();
      const subject = subjects[Math.floor(which * subjects.length)];
      if (subject === undefined) return;
      const last = { last_by_subj: subject };
      const { message } = await this.broker.api<{ message: { seq: number } }>(`STREAM.MSG.GET.${bucket}`, last);
      await this.broker.api(`STREAM.MSG.DELETE.${bucket}`, { seq: message.seq });
      this.spoilt++;
    } catch {
      // There is none yet, an engine has removed it meanwhile, or the broker is away.
    }
  }

  /** For a while nothing takes what is published to the bucket; what it holds can be read. */
  async #refuseObjects(bucket: string, forMs: number): Promise<void> {
    if (this.#areRefused) return;
    this.#areRefused = true;
    try {
      const { config } = await this.broker.api<{ config: object }>(`STREAM.INFO.${bucket}`);
      await this.broker.api(`STREAM.UPDATE.${bucket}`, { ...config, subjects: ["chaos.nothing"] });
      await sleep(forMs);
      await this.broker.apiRetried(`STREAM.UPDATE.${bucket}`, config, 60_000);
    } catch {
      // There is none yet, or the broker is away: the engines find that out by themselves.
    } finally {
      this.#areRefused = false;
    }
  }

  /** One thing at a time happens to the broker. */
  async #withBroker(act: () => Promise<void>): Promise<void> {
    if (this.#brokerBusy) return;
    this.#brokerBusy = true;
    try {
      await act();
    } finally {
      this.#brokerBusy = false;
    }
  }

  /** As when an engine was away for longer than its consumers last. */
  async #dropConsumers(): Promise<void> {
    try {
      const { streams } = await this.broker.api<{ streams: string[] | null }>("STREAM.NAMES");
      for (const stream of streams ?? []) {
        const { consumers } = await this.broker.api<{ consumers: string[] | null }>(`CONSUMER.NAMES.${stream}`);
        for (const consumer of consumers ?? []) await this.broker.api(`CONSUMER.DELETE.${stream}.${consumer}`);
      }
    } catch {
      // The broker is away: they are gone with it.
    }
  }

  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
    this.#underWay = [];
    if (!this.main.running) this.main.start();
  }

  async stop(): Promise<void> {
    for (const engine of this.#engines) await engine.stop("SIGKILL");
    await this.broker.close();
    await this.line.stop();
    this.server.signal("SIGCONT");
    await this.server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** What a reader of a failed run needs. */
  trace(): string {
    return this.notes.join("\n");
  }
}

function checkpointsIn(folder: string): string {
  return join(folder, "checkpoints");
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function endedBy(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("exit", (code) => resolve(code)));
}
