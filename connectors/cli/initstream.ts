/** What `tidemark init --nats` writes: a configuration that reads the messages of a sample, and what it could not know. */
import {
  compileModel,
  compileSettings,
  type DraftModel,
  type DraftSource,
  defaultConfig,
  draftConfig,
  expandModels,
  FILL_IN,
  type Measures,
  measuresWarnings,
  parseConfig,
  parseConfigObject,
  presets,
  suggestModel,
  wrapped,
} from "../../runtime/config/index.js";
import { InputError } from "../../runtime/errors.js";
import { itemsOf } from "../../runtime/itemvalue.js";
import type { Trial } from "../../runtime/trial.js";
import { instantText } from "../file/index.js";
import type { Sample, SampledStream } from "../nats/sample.js";
import { currenciesOf, type Shape, shapeOf } from "../nats/shape.js";
import { type SampleFlags, takeSample, trySample } from "./checkstream.js";
import { type BrokerFlags, brokerOptions } from "./options.js";
import { counted } from "./terminal.js";

export interface StreamDraft {
  /** YAML. */
  readonly text: string;
  /** What becomes of the sample under it. */
  readonly trial: Trial;
}

const DAY_MS = 86_400_000;
/** A sample over less time, or of fewer customers, says too little of thresholds. */
const HISTORY_DAYS_MIN = 90;
const CUSTOMERS_MIN = 90;
const CURRENCY_DEFAULT = "EUR";

/** `subject`: what was asked for; undefined: all of the stream. `currency`: given, else the commonest that was seen. */
export function draftFromSample(
  sample: Sample,
  subject: string | undefined,
  currency: string | undefined,
): StreamDraft {
  const items = sample.messages.flatMap(({ body }) => itemsOf(body) ?? []);
  const shape = shapeOf(items);
  const stream = [...sample.streams].sort((a, b) => b.messages - a.messages)[0];
  const source = shape.isOwn && stream?.isOwn === true ? undefined : sourceOf(shape, stream, subject);
  const seen = currenciesOf(items, pathOf(shape));
  const code = currency ?? seen[0]?.[0] ?? CURRENCY_DEFAULT;
  const note = currencyNote(code, seen, currency !== undefined);

  const own = parseConfigObject({
    models: [{ use: "threebands", currency: code }],
    ...(source === undefined ? {} : { sources: [source.config] }),
  });
  const measured = measuresOf(trySample(own.settings, sample));
  const head = [...headOf(sample, shape, stream, subject), ...thresholdLines(measured)];
  const models = [modelOf(code, note, measured)];
  const text = draftConfig({ head, models, ...(source === undefined ? {} : { source }) });
  return { text, trial: trySample(parseConfig(text).settings, sample) };
}

/** Takes the sample that the flags name. Throws InputError (USAGE) where they name none, and what `takeSample` throws. */
export async function draftFromStream(
  flags: BrokerFlags & SampleFlags & { readonly currency?: string },
  signal: AbortSignal,
): Promise<StreamDraft> {
  const { subject, stream, currency } = flags;
  if (subject === undefined && stream === undefined)
    throw new InputError("USAGE", "neither --subject nor --stream was given, expected one: where the orders are", {
      remedy: 'For example: tidemark init --nats nats://broker:4222 --subject "shop.orders.>"',
    });
  const broker = brokerOptions({ ...flags, nats: flags.nats ?? true }, {});
  if (broker === undefined) throw new Error("a broker is named, or the default is taken");
  const sample = await takeSample(broker, compileSettings(defaultConfig()), flags, signal);
  return draftFromSample(sample, subject, currency);
}

function pathOf({ source }: Shape): string[] {
  const path =
    source.fields?.currency ?? (source.preset === undefined ? undefined : presets[source.preset].fields?.currency);
  return typeof path === "string" ? path.split(".") : [];
}

function currencyNote(code: string, seen: readonly [string, number][], given: boolean): string | undefined {
  if (given) return undefined;
  if (seen.length === 0) return `${FILL_IN} the messages name no currency, ${code} is a guess`;
  const others = seen.slice(1, 6).map(([other]) => other);
  if (others.length === 0) return "the one that the messages name";
  return `the commonest; ${FILL_IN} a model for ${others.join(", ")}, or otherCurrency: count`;
}

/** Where the orders come from: the stream, what it takes, and the fields. */
function sourceOf(shape: Shape, stream: SampledStream | undefined, subject: string | undefined): DraftSource {
  const notes: Record<string, string> = { ...shape.notes };
  const subjects = subject !== undefined ? [subject] : (stream?.subjects ?? []);
  const control = controlOf(stream);
  if (stream === undefined) {
    notes.stream = `${FILL_IN} no stream keeps these messages yet: make one with limits retention`;
  } else if (stream.retention !== "limits") {
    notes.stream = `${FILL_IN} it has ${stream.retention} retention: adopt a stream with limits retention that sources it`;
  }
  notes.control = control.note;
  notes.channel = `${FILL_IN} what to call where these orders are placed`;
  const config = {
    name: "shop",
    stream: stream?.name ?? "SHOP",
    subjects: subjects.length > 0 ? subjects : ["shop.orders.>"],
    control: control.subject,
    channel: "web",
    ...shape.source,
  };
  return { config: config as DraftSource["config"], notes };
}

/** A subject that the stream takes, and that nobody else publishes to. */
function controlOf(stream: SampledStream | undefined): { subject: string; note: string } {
  const open = stream?.subjects.find((subject) => /[*>]/.test(subject));
  if (open !== undefined)
    return { subject: open.replaceAll(/[*>]/g, "_control"), note: "ours to publish ticks to; the stream takes it" };
  const base = (stream?.subjects[0] ?? "shop.orders").replace(/[*>]/g, "_");
  return { subject: `${base}._control`, note: `${FILL_IN} the stream must take it: add it to the stream's subjects` };
}

function headOf(
  sample: Sample,
  shape: Shape,
  stream: SampledStream | undefined,
  subject: string | undefined,
): string[] {
  const [first, last] = [sample.messages[0]?.stamp ?? 0, sample.messages.at(-1)?.stamp ?? 0];
  const where =
    stream === undefined ? `heard on ${subject}` : `of stream ${sample.streams.map(({ name }) => name).join(", ")}`;
  const lines = [
    ...wrapped(`Made by tidemark init from ${counted(sample.messages.length, "message")} ${where},`, 76),
    `${instantText(first)} to ${instantText(last)}.`,
    ...wrapped(`Values marked ${FILL_IN.slice(0, -1)} it could not know. Try it: tidemark check --nats URL`, 76),
  ];
  if (sample.streams.length > 1)
    lines.push(
      ...wrapped(`An engine reads one adopted stream: ${stream?.name} is the one with the most messages.`, 76),
    );
  if (shape.missing.length > 0)
    lines.push(...wrapped(`${FILL_IN} no path was found for ${shape.missing.join(", ")}.`, 76));
  return lines;
}

interface Measured {
  readonly measures: Measures;
  readonly trial: Trial;
}

/** The customers of the sample, at its end. */
function measuresOf(trial: Trial): Measured {
  const rows = trial.partitions.flatMap((partition) =>
    partition.state().flatMap((row) => (row.lastOrder === null ? [] : [{ ...row, clock: partition.clock }])),
  );
  const measures = {
    recency: Float64Array.from(rows, ({ clock, lastOrder }) => Math.max(0, clock - (lastOrder ?? clock))),
    frequency: Float64Array.from(rows, ({ orders }) => orders),
    monetary: Float64Array.from(rows, ({ spend }) => spend),
    history: rows.reduce((most, { clock, firstOrder }) => Math.max(most, clock - (firstOrder ?? clock)), 0),
  };
  return { measures, trial };
}

function isEnough({ measures }: Measured): boolean {
  return measures.recency.length >= CUSTOMERS_MIN && measures.history >= HISTORY_DAYS_MIN * DAY_MS;
}

function thresholdLines(measured: Measured): string[] {
  const { measures } = measured;
  const sized = `${counted(measures.recency.length, "customer")} over ${counted(Math.floor(measures.history / DAY_MS), "day")}`;
  if (!isEnough(measured))
    return wrapped(
      `${FILL_IN} thresholds: the sample has ${sized}, too little to suggest any: these are the model's own. tidemark suggest FILE takes them from an export.`,
      76,
    );
  return [
    ...wrapped(`Thresholds from the sample: ${sized}.`, 76),
    ...measuresWarnings(measures).flatMap(({ message }) => wrapped(`warning: ${message}`, 76)),
  ];
}

function modelOf(currency: string, note: string | undefined, measured: Measured): DraftModel {
  const currencyNote = note === undefined ? {} : { currencyNote: note };
  if (!isEnough(measured)) return { config: { use: "threebands", currency }, warnings: [], ...currencyNote };
  const suggestion = suggestModel("threebands", currency, measured.measures);
  const [expanded] = expandModels([suggestion.config]);
  if (expanded === undefined) return { ...suggestion, ...currencyNote };
  const model = compileModel(expanded.model);
  const counts = measured.trial.partitions.map((partition) => partition.recount(model));
  const sizes = model.segments.map((segment, s) => ({
    segment: segment as string | null,
    customers: counts.reduce((sum, { segments }) => sum + (segments[s] ?? 0), 0),
  }));
  sizes.push({ segment: null, customers: counts.reduce((sum, { none }) => sum + none, 0) });
  return { ...suggestion, sizes, ...currencyNote };
}
