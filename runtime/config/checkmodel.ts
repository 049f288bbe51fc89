/** Models: bands, rules, names. */
import { NULL_TOKEN, nameToken } from "../subjects.js";
import { OTHERS } from "./defaults.js";
import { parseDuration } from "./duration.js";
import { checkEdges } from "./edges.js";
import { type ConfigPath, type Report, suggestion } from "./issue.js";
import { expandModels } from "./ready.js";
import { type Config, DIMENSIONS, MODELS_MAX, type ModelConfig, type SegmentConfig } from "./schema.js";

export function checkModels(config: Config, error: Report): void {
  const models = expandModels(config.models);
  // The list itself is short enough, but `levels` makes one a channel.
  if (models.length > MODELS_MAX && config.models.length <= MODELS_MAX)
    error(["models"], `found ${models.length} models, expected at most ${MODELS_MAX}`);
  checkTokens(
    models.map(({ at, ready, model }) => ({ name: model.name, path: ready ? ["models", at] : ["models", at, "name"] })),
    "model",
    error,
  );
  for (const [at, entry] of config.models.entries()) if ("use" in entry) checkEdges(entry, ["models", at], error);
  for (const { at, ready, model } of models) {
    if (ready) continue; // tests hold those
    const path = ["models", at];
    checkModelChannels(model, path, error);
    for (const key of ["recency", "tenure"] as const) checkAges(model, key, path, error);
    for (const key of ["frequency", "monetary"] as const) checkMinimums(model, key, path, error);
    for (const key of DIMENSIONS) checkBandNames(model, key, path, error);
    checkSegments(model, path, error);
  }
}

function checkModelChannels({ channels }: ModelConfig, path: ConfigPath, error: Report): void {
  if (!Array.isArray(channels)) return;
  for (const [i, name] of channels.entries()) {
    if (name === "*") error([...path, "channels", i], 'found "*" in a list, expected channels: "*" alone');
    else if (channels.indexOf(name) !== i)
      error([...path, "channels", i], `found ${JSON.stringify(name)} a second time`);
  }
}

/** Ages rise from band to band; only the last may have no end. */
function checkAges(model: ModelConfig, key: "recency" | "tenure", path: ConfigPath, error: Report): void {
  const bands = model[key]?.bands ?? [];
  let before = { ms: 0, text: "0d" };
  for (const [i, band] of bands.entries()) {
    const at = [...path, key, "bands", i];
    if (band.max === undefined) {
      if (i < bands.length - 1) error(at, "max is missing, expected one: only the last band may have none");
      continue;
    }
    const ms = parseDuration(band.max);
    if (ms === undefined) error([...at, "max"], `found ${JSON.stringify(band.max)}, expected at most 36500d`);
    else if (ms <= before.ms) {
      error([...at, "max"], `found ${band.max}, expected more than ${before.text}: bands go from young to old`);
    } else before = { ms, text: band.max };
  }
}

/** Minimums fall, or rise, from band to band; none is there twice. */
function checkMinimums(model: ModelConfig, key: "frequency" | "monetary", path: ConfigPath, error: Report): void {
  const { window, bands } = model[key];
  const ms = parseDuration(window);
  if (ms === undefined)
    error([...path, key, "window"], `found ${JSON.stringify(window)}, expected at most 36500d, or ever`);
  else if (ms === 0) error([...path, key, "window"], `found ${window}, expected more than nothing`);
  const rising = (bands[1]?.min ?? 0) > (bands[0]?.min ?? 0);
  for (const [i, band] of bands.entries()) {
    const before = bands[i - 1]?.min;
    if (before === undefined || (rising ? band.min > before : band.min < before)) continue;
    error(
      [...path, key, "bands", i, "min"],
      `found ${band.min} after ${before}, expected ${rising ? "more" : "less"}: minimums go one way`,
    );
  }
}

function checkBandNames(model: ModelConfig, key: (typeof DIMENSIONS)[number], path: ConfigPath, error: Report): void {
  const names = (model[key]?.bands ?? []).map((band) => band.name);
  for (const [i, name] of names.entries()) {
    const at = [...path, key, "bands", i, "name"];
    if (name === "none" || name === "null") {
      error(at, `found ${JSON.stringify(name)}, expected another name: ${name} is what lies outside every band`);
    } else if (names.indexOf(name) !== i) {
      error(at, `found ${JSON.stringify(name)} a second time, expected each band of ${key} once`);
    }
  }
}

function checkSegments(model: ModelConfig, path: ConfigPath, error: Report): void {
  checkTokens(
    model.segments.map(({ name }, i) => ({ name, path: [...path, "segments", i, "name"] })),
    "segment",
    error,
  );
  for (const [i, segment] of model.segments.entries()) {
    const at = [...path, "segments", i];
    if (segment.name.toLowerCase() === OTHERS.toLowerCase()) {
      error(
        [...at, "name"],
        `found ${JSON.stringify(segment.name)}, expected another name: ${OTHERS} is what no rule names`,
      );
    }
    checkWhen(segment, model, [...at, "when"], error);
  }
}

function checkWhen({ when }: SegmentConfig, model: ModelConfig, path: ConfigPath, error: Report): void {
  for (const key of DIMENSIONS) {
    const wanted = when[key];
    if (wanted === undefined) continue;
    if (model[key] === undefined) {
      error([...path, key], `found a condition on ${key}, but the model has none; expected it to have a ${key} too`);
      continue;
    }
    const known = [...model[key].bands.map((band) => band.name), "none"];
    for (const [i, name] of wanted.entries()) {
      if (known.includes(name)) continue;
      error([...path, key, i], `found ${JSON.stringify(name)}, expected a band of ${key}${suggestion(name, known)}`);
    }
  }
  const { points } = when;
  if (points === undefined) return;
  if (points.min === undefined && points.max === undefined) {
    error([...path, "points"], "found neither min nor max, expected at least one");
  } else if ((points.min ?? 0) > (points.max ?? Number.POSITIVE_INFINITY)) {
    error([...path, "points"], `found min ${points.min} above max ${points.max}, expected min at most max`);
  }
  for (const [i, key] of (points.of ?? []).entries()) {
    if (model[key] === undefined) {
      error([...path, "points", "of", i], `found ${key}, but the model has none; expected one of its dimensions`);
    }
  }
}

/** Refuses names that are one subject token, and those that read as `null`. */
function checkTokens(names: readonly { name: string; path: ConfigPath }[], what: string, error: Report): void {
  const seen = new Map<string, string>();
  for (const { name, path } of names) {
    const written = nameToken(name);
    const other = seen.get(written);
    if (written === NULL_TOKEN) {
      error(
        path,
        `found ${JSON.stringify(name)}, expected another name: in a subject it is null, which means in no ${what}`,
      );
    } else if (written === "none") {
      error(path, `found ${JSON.stringify(name)}, expected another name: none is what lies outside every band`);
    } else if (other === name) {
      error(path, `found ${JSON.stringify(name)} a second time, expected each ${what} once`);
    } else if (other !== undefined) {
      error(
        path,
        `found ${JSON.stringify(name)}, expected another name: in a subject it is ${written}, as ${JSON.stringify(other)} is`,
      );
    }
    seen.set(written, name);
  }
}
