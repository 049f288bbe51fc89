/**
 * Checkpoints in the broker's object store: objects `<partition>/<checkpoint's name>`, as
 * `nats object ls` shows them and `nats object get` reads them.
 *
 * An object is its pieces, on a subject of their own, and then its description: it is there once that is stored. The
 * description is read from the leader, so one that was acknowledged is found. Unfinished ones have no description;
 * their pieces are removed at the next start.
 */
import { createHash, type Hash, randomBytes } from "node:crypto";
import { FatalError } from "../../runtime/errors.js";
import {
  CHECKPOINTS_KEPT,
  type CheckpointKey,
  type CheckpointStore,
  type CheckpointWriter,
  checkpointKey,
  checkpointName,
  compareNewest,
  type StoredCheckpoint,
} from "../checkpoints.js";
import { ApiError, type Broker, headersOf, NO_MESSAGE_FOUND, reasonOf, STREAM_NOT_FOUND } from "./broker.js";

const PIECE_BYTES = 131_072;
const START_MS_MAX = 15_000;
/** Pieces without a description are left over when nothing was added for so long. */
const LEFT_MS_MIN = 600_000;

/** Of an object, as other clients write it. */
interface Description {
  readonly name: string;
  readonly bucket: string;
  readonly nuid: string;
  readonly size: number;
  readonly mtime: string;
  readonly chunks: number;
  readonly digest: string;
  readonly deleted?: boolean;
}

interface Message {
  readonly seq: number;
  readonly subject: string;
  readonly data?: string;
  readonly time: string;
}

export class CheckpointBucket implements CheckpointStore {
  readonly shown: string;
  readonly #broker: Broker;
  readonly #bucket: string;
  readonly #stream: string;
  readonly #replicas: number;
  #isMade = false;

  constructor(broker: Broker, bucket: string, replicas: number) {
    this.#broker = broker;
    this.#bucket = bucket;
    this.#stream = `OBJ_${this.#bucket}`;
    this.#replicas = replicas;
    this.shown = `bucket ${this.#bucket}`;
  }

  async list(partition: number): Promise<StoredCheckpoint[]> {
    const found: StoredCheckpoint[] = [];
    for (const subject of await this.#subjects("M")) {
      const name = Buffer.from(subject.slice(this.#prefix("M").length), "base64url").toString("utf8");
      const [owner, rest] = [name.slice(0, name.indexOf("/")), name.slice(name.indexOf("/") + 1)];
      const key = owner === String(partition) ? checkpointKey(rest) : undefined;
      if (key === undefined) continue;
      const description = await this.#describe(partition, key);
      if (description !== undefined) found.push({ ...key, bytes: description.size });
    }
    return found.sort(compareNewest);
  }

  async create(partition: number, key: CheckpointKey): Promise<CheckpointWriter> {
    await this.#ensure();
    return new Writer(
      this.#broker,
      (kind) => this.#prefix(kind),
      this.#bucket,
      objectName(partition, key),
      (subject) => this.#purge(subject),
      () => this.#keepNewest(partition),
    );
  }

  async *read(partition: number, key: CheckpointKey): AsyncGenerator<Uint8Array> {
    const description = await this.#describe(partition, key);
    if (description === undefined) throw new Error(`there is no object ${objectName(partition, key)}`);
    const subject = this.#prefix("C") + description.nuid;
    let sequence = 0;
    for (let piece = 0; piece < description.chunks; piece++) {
      const message = await this.#message({ seq: sequence + 1, next_by_subj: subject });
      if (message === undefined) throw new Error(`piece ${piece + 1} of ${description.chunks} is missing`);
      sequence = message.seq;
      yield Buffer.from(message.data ?? "", "base64");
    }
  }

  async discard(partition: number, key: CheckpointKey): Promise<void> {
    const description = await this.#describe(partition, key);
    await this.#purge(this.#prefix("M") + encoded(objectName(partition, key)));
    if (description !== undefined) await this.#purge(this.#prefix("C") + description.nuid);
  }

  async sweep(partition: number): Promise<void> {
    const described = new Set<string>();
    for (const subject of await this.#subjects("M")) {
      const message = await this.#message({ last_by_subj: subject });
      if (message !== undefined) described.add(parse(message).nuid);
    }
    const mark = `${partition}-`;
    for (const subject of await this.#subjects("C")) {
      const nuid = subject.slice(this.#prefix("C").length);
      if (!nuid.startsWith(mark) || described.has(nuid)) continue;
      const last = await this.#message({ last_by_subj: subject });
      // Another owner may be writing it.
      if (last !== undefined && Date.now() - Date.parse(last.time) > LEFT_MS_MIN) await this.#purge(subject);
    }
  }

  async #keepNewest(partition: number): Promise<void> {
    for (const old of (await this.list(partition)).slice(CHECKPOINTS_KEPT)) await this.discard(partition, old);
  }

  /** Makes the bucket where it is missing: as other clients would. */
  async #ensure(): Promise<void> {
    if (this.#isMade) return;
    try {
      await this.#broker.apiRetried(`STREAM.INFO.${this.#stream}`, {}, START_MS_MAX);
    } catch (error) {
      if (!(error instanceof ApiError && error.errorCode === STREAM_NOT_FOUND)) throw error;
      const config = {
        name: this.#stream,
        description: "Tidemark: checkpoints",
        subjects: [`${this.#prefix("C")}>`, `${this.#prefix("M")}>`],
        storage: "file",
        discard: "new",
        num_replicas: this.#replicas,
        allow_rollup_hdrs: true,
        allow_direct: true,
      };
      await this.#broker.apiRetried(`STREAM.CREATE.${this.#stream}`, config, START_MS_MAX);
    }
    this.#isMade = true;
  }

  /** `C`: of pieces. `M`: of descriptions. */
  #prefix(kind: "C" | "M"): string {
    return `$O.${this.#bucket}.${kind}.`;
  }

  async #subjects(kind: "C" | "M"): Promise<string[]> {
    try {
      const { state } = await this.#broker.apiRetried<{ state: { subjects?: Record<string, number> } }>(
        `STREAM.INFO.${this.#stream}`,
        { subjects_filter: `${this.#prefix(kind)}>` },
        START_MS_MAX,
      );
      return Object.keys(state.subjects ?? {}).sort();
    } catch (error) {
      if (error instanceof ApiError && error.errorCode === STREAM_NOT_FOUND) return [];
      throw error;
    }
  }

  async #describe(partition: number, key: CheckpointKey): Promise<Description | undefined> {
    const subject = this.#prefix("M") + encoded(objectName(partition, key));
    const message = await this.#message({ last_by_subj: subject });
    const description = message && parse(message);
    return description?.deleted === true ? undefined : description;
  }

  async #message(request: object): Promise<Message | undefined> {
    try {
      const subject = `STREAM.MSG.GET.${this.#stream}`;
      return (await this.#broker.apiRetried<{ message: Message }>(subject, request, START_MS_MAX)).message;
    } catch (error) {
      if (error instanceof ApiError && error.errorCode === NO_MESSAGE_FOUND) return undefined;
      throw error;
    }
  }

  async #purge(subject: string): Promise<void> {
    await this.#broker.apiRetried(`STREAM.PURGE.${this.#stream}`, { filter: subject }, START_MS_MAX);
  }
}

class Writer implements CheckpointWriter {
  readonly #nuid: string;
  readonly #hash: Hash = createHash("sha256");
  #size = 0;
  #pieces = 0;

  constructor(
    readonly broker: Broker,
    readonly prefix: (kind: "C" | "M") => string,
    readonly bucket: string,
    readonly name: string,
    readonly purge: (subject: string) => Promise<void>,
    readonly prune: () => Promise<void>,
  ) {
    // The partition in front: `sweep` tells from it whose they are.
    this.#nuid = `${name.slice(0, name.indexOf("/"))}-${randomBytes(12).toString("hex")}`;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
      const piece = bytes.subarray(from, from + PIECE_BYTES);
      await this.broker.publishStored(this.#subject, piece);
      this.#hash.update(piece);
      this.#size += piece.length;
      this.#pieces++;
    }
  }

  async commit(): Promise<void> {
    const description: Description & { readonly options: object } = {
      name: this.name,
      bucket: this.bucket,
      nuid: this.#nuid,
      size: this.#size,
      mtime: new Date().toISOString(),
      chunks: this.#pieces,
      digest: `SHA-256=${padded(this.#hash.digest())}`,
      options: { max_chunk_size: PIECE_BYTES },
    };
    const subject = this.prefix("M") + encoded(this.name);
    const body = new TextEncoder().encode(JSON.stringify(description));
    await this.broker.publishStored(subject, body, headersOf({ "Nats-Rollup": "sub" }));
    await this.prune();
  }

  async abandon(): Promise<void> {
    // Where the broker is away, a later start removes them.
    if (this.#pieces > 0) await this.purge(this.#subject).catch(() => {});
  }

  get #subject(): string {
    return this.prefix("C") + this.#nuid;
  }
}

function objectName(partition: number, key: CheckpointKey): string {
  return `${partition}/${checkpointName(key)}`;
}

function encoded(name: string): string {
  return padded(Buffer.from(name));
}

/** base64url with its padding, as other clients write it. */
function padded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}

function parse({ subject, data }: Message): Description {
  try {
    return JSON.parse(Buffer.from(data ?? "", "base64").toString("utf8")) as Description;
  } catch (error) {
    throw new FatalError("BROKER_UNSUITABLE", `what is stored on ${subject} is no description: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
