/** Options that several commands share, and how their texts are read. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import {
  type CheckpointSettings,
  type Config,
  defaultConfig,
  type EdgeSettings,
  formatIssue,
  PORT_DEFAULT,
  parseConfig,
  parseConfigObject,
} from "../../runtime/config/index.js";
import { InputError } from "../../runtime/errors.js";
import type { Settings } from "../../runtime/settings.js";
import {
  DATE_FORMS,
  type DateForm,
  ENCODINGS,
  type Encoding,
  FORMATS,
  type Format,
  parseInstant,
  parseKinds,
  parseMap,
  SORT_MEMORY_BYTES,
  Zone,
} from "../file/index.js";
import type { BrokerOptions } from "../nats/broker.js";
import type { CheckpointPlace } from "../nats/thread.js";
import { err } from "./terminal.js";

export const CONFIG_FILE = "tidemark.yaml";

export interface Loaded {
  readonly config: Config;
  readonly settings: Settings;
  readonly edge: EdgeSettings;
  /** The file it came from; null for the defaults. */
  readonly file: string | null;
}

export function configOption(): Option {
  return new Option(
    "-c, --config <file>",
    `configuration; ${CONFIG_FILE} here where there is one, else the defaults`,
  ).env("TIDEMARK_CONFIG");
}

/** Reads the configuration; what is probably not meant goes to stderr. Throws InputError, with every mistake. */
export function loadConfig(path: string | undefined, quiet = false): Loaded {
  const file = configFile(path);
  const parsed = file === null ? parseConfigObject(defaultConfig()) : parseConfig(readText(file), { file });
  if (!quiet) {
    for (const warning of parsed.warnings) {
      err.note(`${err.style("yellow", "tidemark:")} ${formatIssue(warning, file ?? undefined)}`);
    }
  }
  return { config: parsed.config, settings: parsed.settings, edge: parsed.edge, file };
}

/** The defaults, whatever lies here. */
export function defaultLoaded(): Loaded {
  const { config, settings, edge } = parseConfigObject(defaultConfig());
  return { config, settings, edge, file: null };
}

/** The file named, or the one that lies here; null for the defaults. */
export function configFile(path: string | undefined): string | null {
  return path ?? (exists(CONFIG_FILE) ? CONFIG_FILE : null);
}

function exists(path: string): boolean {
  try {
    readFileSync(path);
    return true;
  } catch (error) {
    // Only its absence means the defaults: a file that can't be read is to be heard of.
    return !(error instanceof Error && "code" in error && error.code === "ENOENT");
  }
}

/** A text file. Throws InputError (FILE_UNREADABLE). */
export function readText(path: string): string {
  try {
    return readFileSync(path === "-" ? 0 : path, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
    const why =
      { ENOENT: "there is no such file", EISDIR: "it is a folder", EACCES: "this user may not" }[code] ?? code;
    throw new InputError("FILE_UNREADABLE", `${path} can't be read: ${why}`, { cause });
  }
}

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  };
}

export function positive(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("Expected a number above 0.");
}

/** An instant in ms. */
export function instant(text: string): number {
  const value = parseInstant(text, new Zone("UTC"));
  if (value === null) {
    throw new InvalidArgumentError("Expected a time such as 2026-01-31T12:00:00Z, 2026-01-31 (UTC), or milliseconds.");
  }
  return value;
}

export function instants(text: string, before: readonly number[] | undefined): number[] {
  return [...(before ?? []), ...text.split(",").map((one) => instant(one.trim()))];
}

function several(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), text];
}

/** Of amounts, and of the models that are made from a file: a configuration has its own. */
function currencyOption(): Option {
  return new Option(
    "--currency <code>",
    "of amounts for which nothing else says one; EUR where nothing does",
  ).argParser((text) => {
    if (/^[A-Z]{3}$/.test(text)) return text;
    throw new InvalidArgumentError("Expected a currency of ISO 4217 such as EUR.");
  });
}

/** Options of every command that reads files. */
export function addFileOptions(command: Command): Command {
  return command
    .optionsGroup("What is in the files:")
    .option(
      "--map <field=column,…>",
      "columns of the order event's fields, where they have other names; amount=Quantity*UnitPrice is one of several",
      several,
    )
    .option("--lines", "rows of one order id are the lines of one order: their amounts are summed, rounded once")
    .option("--no-lines", "each row is an order, whatever its id")
    .option("--whole-ids", "ids that a spreadsheet wrote as decimals are whole: 17850.0 is 17850")
    .option(
      "--scale <digits>",
      "amounts are decimals with so many digits: 12.30 is 1230 at --scale 2",
      wholeNumber(0, 12),
    )
    .option("--zone <zone>", "zone of times without an offset, such as Europe/Warsaw")
    .option(
      "--kind <text=kind,…>",
      "order, refund, cancel or skip for each text of the kind column; other rows are left out. " +
        "refund=C*: by the order's id; refund=negative: by the amount's sign",
      several,
    )
    .option("--until <instant>", "leave out what is later", instant)
    .option("--after <instant>", "leave out what is not later", instant)
    .addOption(new Option("--format <format>", "what the files hold, where their names don't say it").choices(FORMATS))
    .option("--delimiter <character>", "of CSV, \\t for a tab; found where not said", delimiter)
    .option("--quote <character>", "around texts of CSV, none for none; found where not said", quote)
    .addOption(new Option("--encoding <name>", "of CSV; found where not said").choices(ENCODINGS))
    .option("--header", "the first row of CSV names the columns")
    .option("--no-header", "the first row of CSV is one of orders; columns are 1, 2, …")
    .addOption(new Option("--date <form>", "how CSV writes times; found where not said").choices(DATE_FORMS))
    .addOption(new Option("--decimal <mark>", "of amounts in CSV; found where not said").choices([".", ","]))
    .addOption(currencyOption())
    .option(
      "--memory <MiB>",
      "sort in memory up to this, beyond it on disk",
      wholeNumber(1, 1 << 20),
      SORT_MEMORY_BYTES >> 20,
    )
    .option("--tmp <folder>", "for sorting on disk; the system's where not said");
}

function delimiter(text: string): string {
  const one = text === "\\t" ? "\t" : text;
  if (one.length === 1) return one;
  throw new InvalidArgumentError("Expected one character.");
}

function quote(text: string): string | null {
  if (text === "none") return null;
  if (text.length === 1) return text;
  throw new InvalidArgumentError("Expected one character, or none.");
}

export interface FileFlags {
  readonly map?: string[];
  readonly scale?: number;
  readonly zone?: string;
  readonly kind?: string[];
  readonly lines?: boolean;
  readonly wholeIds?: boolean;
  readonly until?: number;
  readonly after?: number;
  readonly format?: Format;
  readonly delimiter?: string;
  readonly quote?: string | null;
  readonly encoding?: Encoding;
  readonly header?: boolean;
  readonly date?: DateForm["name"];
  readonly decimal?: "." | ",";
  readonly currency?: string;
  readonly memory: number;
  readonly tmp?: string;
}

/** The flags as the reader of files wants them. Throws InputError (USAGE). */
export function readOptions(flags: FileFlags) {
  return {
    map: parseMap(flags.map ?? []),
    scale: flags.scale,
    zone: flags.zone === undefined ? undefined : new Zone(flags.zone),
    kinds: parseKinds(flags.kind ?? []),
    lines: flags.lines,
    wholeIds: flags.wholeIds,
    until: flags.until,
    after: flags.after,
    format: flags.format,
    delimiter: flags.delimiter,
    currency: flags.currency,
    dateForm: flags.date === undefined ? undefined : { name: flags.date },
    sort: { memoryBytesMax: flags.memory * (1 << 20), folder: flags.tmp },
  };
}

/** Throws InputError (USAGE) for a name that the configuration has not. */
export function sourceNumber(settings: Settings, name: string | undefined): number {
  if (name === undefined) return 0;
  const number = settings.sources.findIndex((source) => source.name === name);
  if (number >= 0) return number;
  throw new InputError("USAGE", `the configuration has no source ${name}`, {
    remedy: `Its sources are ${settings.sources.map((source) => source.name).join(", ")}.`,
  });
}

export const BROKER_DEFAULT = "nats://127.0.0.1:4222";

/**
 * Options of every command that talks to a broker. `choice`: one that does so only where --nats is given, so that
 * an environment that names a broker for all commands does not turn it that way.
 */
export function addBrokerOptions(command: Command, what: string, choice = false): Command {
  command.optionsGroup("Broker:");
  const option = (flags: string, description: string, env: string) =>
    command.addOption(new Option(flags, description).env(env));
  if (choice) command.option("--nats [url]", `${what}; without a URL TIDEMARK_NATS_URL or the configuration's`);
  else option("--nats <url>", what, "TIDEMARK_NATS_URL");
  option("--nats-creds <file>", "credentials file (.creds)", "TIDEMARK_NATS_CREDS_FILE");
  option("--nats-nkey <file>", "file with an NKey seed", "TIDEMARK_NATS_NKEY_FILE");
  option("--nats-token <file>", "file with a token", "TIDEMARK_NATS_TOKEN_FILE");
  option("--nats-user <name>", "user", "TIDEMARK_NATS_USER");
  option("--nats-password <file>", "file with the user's password", "TIDEMARK_NATS_PASSWORD_FILE");
  option("--tls-ca <file>", "certificate authority of the broker", "TIDEMARK_TLS_CA_FILE");
  option("--tls-cert <file>", "our certificate", "TIDEMARK_TLS_CERT_FILE");
  option("--tls-key <file>", "our key", "TIDEMARK_TLS_KEY_FILE");
  return command.optionsGroup("Options:");
}

export interface BrokerFlags {
  /** True: the one that the environment or the configuration names. */
  readonly nats?: string | true;
  readonly natsCreds?: string;
  readonly natsNkey?: string;
  readonly natsToken?: string;
  readonly natsUser?: string;
  readonly natsPassword?: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** How to connect: flags and environment before the configuration. Undefined where no broker is named. */
export function brokerOptions(flags: BrokerFlags, edge: EdgeSettings["nats"]): BrokerOptions | undefined {
  const named = flags.nats === true ? (process.env.TIDEMARK_NATS_URL ?? edge.url ?? BROKER_DEFAULT) : flags.nats;
  const servers = named ?? edge.url;
  if (servers === undefined) return undefined;
  const given = {
    credentialsFile: flags.natsCreds ?? edge.credentialsFile,
    nkeyFile: flags.natsNkey ?? edge.nkeyFile,
    tokenFile: flags.natsToken ?? edge.tokenFile,
    user: flags.natsUser ?? edge.user,
    passwordFile: flags.natsPassword ?? edge.passwordFile,
  };
  const tls = {
    caFile: flags.tlsCa ?? edge.tls?.caFile,
    certFile: flags.tlsCert ?? edge.tls?.certFile,
    keyFile: flags.tlsKey ?? edge.tls?.keyFile,
  };
  const encrypted = Object.values(tls).some((file) => file !== undefined) || edge.tls !== undefined;
  return {
    servers: servers.includes(",") ? servers.split(",").map((server) => server.trim()) : servers,
    ...defined(given),
    ...(encrypted ? { tls: defined(tls) } : {}),
  };
}

type Defined<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

export function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Defined<T>;
}

/** Options of every command that asks a running engine. */
export function dataOption(): Option {
  return new Option("--data <folder>", "of checkpoints, and of the nats-server of its own")
    .env("TIDEMARK_DATA")
    .default("./.tidemark");
}

export function urlOption(): Option {
  return new Option("--url <url>", "address of the running engine")
    .env("TIDEMARK_URL")
    .default(`http://127.0.0.1:${PORT_DEFAULT}`);
}

/** Where checkpoints are kept. Undefined: none are. */
export function placeOf(
  { store, folder, everyMs, messagesMax }: CheckpointSettings,
  data: string,
): CheckpointPlace | undefined {
  if (store === "none") return undefined;
  return { everyMs, messagesMax, folder: store === "object" ? undefined : (folder ?? join(data, "checkpoints")) };
}
