/** Sources: field mapping, adopted streams, zones. */
import { subjectMatches } from "../subjects.js";
import { controlOf, nameOf } from "./defaults.js";
import type { ConfigPath, Report } from "./issue.js";
import { withPreset } from "./presets.js";
import type { Config, SourceConfig } from "./schema.js";

const KEY_BYTES_MAX = 256;

export function checkSources(config: Config, error: Report): void {
  const sources = config.sources ?? [];
  const names = sources.map((source) => source.name);
  for (const [i, source] of sources.entries()) {
    const path = ["sources", i];
    if (names.indexOf(source.name) !== i) {
      error([...path, "name"], `found ${JSON.stringify(source.name)} a second time, expected each source once`);
    }
    checkFields(withPreset(source), path, error);
    checkZone(source, path, error);
    if (source.stream === undefined) checkOwn(source, i, nameOf(config), path, error);
    else checkAdopted(source, path, error);
  }
  checkStreams(sources, error);
}

/** An engine reads its own streams, or one adopted stream: a customer lives in one partition. */
function checkStreams(sources: readonly SourceConfig[], error: Report): void {
  const first = sources[0]?.stream;
  for (const [i, { stream }] of sources.entries()) {
    if (stream === first) continue;
    const found = stream === undefined ? "no stream" : `stream ${stream}`;
    const expected = first === undefined ? "none, as the first source has none" : `${first}, as the first source has`;
    error(
      ["sources", i],
      `found ${found}, expected ${expected}: an engine reads its own streams or one adopted stream; run a second one under another name for this`,
    );
  }
}

function checkFields(source: SourceConfig, path: ConfigPath, error: Report): void {
  const { fields, status } = source;
  if (fields !== undefined) {
    for (const key of ["id", "customer", "time", "amount"] as const) {
      if (fields[key] === undefined || fields[key] === null) {
        error(
          [...path, "fields"],
          `${key} is missing, expected its path: fields replaces the default names as a whole`,
        );
      }
    }
    for (const [key, value] of Object.entries(fields)) {
      const parts = typeof value === "string" ? value.split(".") : (value ?? []);
      if (parts.some((part) => new TextEncoder().encode(part).length > KEY_BYTES_MAX)) {
        error([...path, "fields", key], `found a key of more than ${KEY_BYTES_MAX} bytes, expected at most that`);
      }
    }
    checkPrefixes(fields, path, error);
  }
  const mapped = fields?.status !== undefined && fields.status !== null;
  if (mapped && status === undefined) {
    error(
      [...path, "fields", "status"],
      'found a path, but no status: expected what its texts mean, such as status: { "*": order }',
    );
  }
  if (!mapped && status !== undefined) {
    error([...path, "status"], "found a mapping, but no fields.status: expected the path of the status");
  }
  if (status !== undefined && Object.keys(status).length > 64) {
    error([...path, "status"], `found ${Object.keys(status).length} texts, expected at most 64`);
  }
}

/** One field inside another can't be: what is a value has no keys. `cancelled` only asks whether something is there. */
function checkPrefixes(fields: NonNullable<SourceConfig["fields"]>, path: ConfigPath, error: Report): void {
  const paths = Object.entries(fields).flatMap(([key, value]) =>
    value === undefined || value === null ? [] : [{ key, parts: typeof value === "string" ? value.split(".") : value }],
  );
  for (const inner of paths) {
    const outer = paths.find(
      ({ key, parts }) =>
        key !== "cancelled" && parts.length < inner.parts.length && parts.every((part, i) => part === inner.parts[i]),
    );
    if (outer === undefined) continue;
    error(
      [...path, "fields", inner.key],
      `found ${inner.parts.join(".")}, expected a path that does not lead through ${outer.key} (${outer.parts.join(".")})`,
    );
  }
}

function checkZone({ zone }: SourceConfig, path: ConfigPath, error: Report): void {
  if (zone === undefined) return;
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
  } catch {
    error(
      [...path, "zone"],
      `found ${JSON.stringify(zone)}, expected a zone of the IANA list such as UTC or Europe/Berlin`,
    );
  }
}

function checkOwn(source: SourceConfig, i: number, name: string, path: ConfigPath, error: Report): void {
  if (source.control !== undefined) {
    error([...path, "control"], "found a subject, but no stream: expected it only with an adopted one");
  }
  for (const [k, subject] of (source.subjects ?? []).entries()) {
    if (subjectMatches(`${name}.orders.>`, subject)) continue;
    error(
      [...path, "subjects", k],
      `found ${JSON.stringify(subject)}, expected one under ${name}.orders: the source names no stream to adopt`,
    );
  }
  if (i > 0 && source.subjects === undefined && source.channel === undefined) {
    error(path, "channel is missing, expected one: it tells this source's messages from the first source's");
  }
}

function checkAdopted(source: SourceConfig, path: ConfigPath, error: Report): void {
  if (source.subjects === undefined) {
    error(path, "subjects are missing, expected those of the adopted stream");
    return;
  }
  if (source.control === undefined && controlOf(source.subjects) === undefined) {
    error(path, "control is missing, expected a subject of the adopted stream for control messages");
  }
}
