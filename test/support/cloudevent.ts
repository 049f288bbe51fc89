/** The plain form of what the encoder writes: the object that DESIGN shows; and records as the kernel lays them out. */
import { RecordEncoder } from "../../runtime/encoder.js";
import { Kernel } from "../../runtime/kernel.js";
import { Output } from "../../runtime/output.js";
import { CAUSES, type LedgerRecord, type Migration } from "../../runtime/record.js";
import type { Model, Settings } from "../../runtime/settings.js";
import { kernelModule } from "./kernel-driver.js";

/** `former`: the settings before, where the cause is `model`. */
export function migrationEvent(m: Migration, settings: Settings, former: Settings = settings) {
  const model = settings.models[m.model] as Model;
  const before = former.models.find(({ name }) => name === model.name) ?? model;
  const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  const place = ({ segment, since, bands }: Migration["from"], of: Model) => ({
    segment: segment === null ? null : (of.segments[segment] as string),
    since: iso(since),
    ...Object.fromEntries(of.dimensions.map((d, i) => [d.name, d.bands[(bands[i] ?? 0) - 1]?.name ?? "none"])),
  });
  const values = (v: Migration["before"]) => ({ ...v, firstOrder: iso(v.firstOrder), lastOrder: iso(v.lastOrder) });
  const from: Record<string, string | null> & { segment: string | null } = place(m.from, before);
  const to: Record<string, string | null> & { segment: string | null } = place(m.to, model);
  return {
    specversion: "1.0",
    type: "dev.tidemark.customer.migrated.v1",
    source: `/${settings.name}`,
    id: `${model.name}/${m.customer}/${m.revision}`,
    subject: m.customer,
    time: iso(m.time),
    datacontenttype: "application/json",
    data: {
      model: model.name,
      modelVersion: model.version,
      revision: m.revision,
      change: from.segment === to.segment ? "bands" : "segment",
      silent: m.silent,
      currency: model.currency,
      from,
      to,
      cause: {
        kind: m.cause.kind,
        event: m.cause.event,
        order: m.cause.order,
        channel: m.cause.channel,
        time: iso(m.cause.time),
        boundaries: ["recency", "frequency", "monetary", "tenure"]
          .filter((name) => (from[name] ?? "none") !== (to[name] ?? "none"))
          .map((name) => `${name}: ${from[name] ?? "none"} → ${to[name] ?? "none"}`),
      },
      before: values(m.before),
      after: values(m.after),
      next: m.next === null ? null : { at: iso(m.next.at), segment: model.segments[m.next.segment] as string },
      due: iso(m.due),
    },
  };
}

/** Channels by their numbers, given as they come. */
export class Channels {
  readonly #names: string[] = [];

  numberOf(name: string): number {
    if (!this.#names.includes(name)) this.#names.push(name);
    return this.#names.indexOf(name);
  }

  readonly nameOf = (number: number): string => this.#names[number] as string;
}

/** The migrations as the kernel's output holds them (core/output.ts). */
export function outputOf(migrations: readonly Migration[], channels: Channels): Output {
  const buffer = new ArrayBuffer(migrations.length * 2048);
  const view = new DataView(buffer);
  const bytes = new Uint8Array(buffer);
  let start = 0;
  for (const m of migrations) {
    const texts = [m.customer, m.cause.event ?? "", m.cause.order ?? ""].map((text) => new TextEncoder().encode(text));
    const floats = [m.number, m.previous, m.sequence, m.clock, m.time, m.from.since ?? 0, m.to.since ?? 0];
    for (const [i, value] of floats.entries()) view.setFloat64(start + 8 + 8 * i, value, true);
    bytes.set([1, m.model, CAUSES.indexOf(m.cause.kind), m.silent ? 1 : 0], start + 4);
    bytes.set(m.from.bands, start + 64);
    bytes.set(m.to.bands, start + 72);
    for (const [i, value] of [m.due ?? 0, m.next?.at ?? 0, m.cause.time ?? 0].entries())
      view.setFloat64(start + 80 + 8 * i, value, true);
    view.setUint32(start + 104, m.revision, true);
    const channel = m.cause.channel === null ? 255 : channels.numberOf(m.cause.channel);
    bytes.set([m.from.segment ?? 255, m.to.segment ?? 255, m.next?.segment ?? 0, channel], start + 108);
    for (const [i, text] of texts.entries()) view.setUint16(start + 112 + 2 * i, text.length, true);
    for (const [side, v] of [m.before, m.after].entries()) {
      const figures = [v.firstOrder ?? 0, v.lastOrder ?? 0, v.orders, v.spend, v.ordersEver, v.spendEver];
      for (const [i, value] of figures.entries()) view.setFloat64(start + 120 + 48 * side + 8 * i, value, true);
    }
    let end = start + 216;
    for (const text of texts) {
      bytes.set(text, end);
      end += text.length;
    }
    end = (end + 7) & ~7;
    view.setUint32(start, end - start, true);
    start = end;
  }
  const output = new Output(buffer, 0, buffer.byteLength);
  output.rewind(start);
  return output;
}

const kernels = new WeakMap<Settings, Kernel>();

/** One that is only to encode. */
function kernelOf(settings: Settings): Kernel {
  let kernel = kernels.get(settings);
  if (kernel === undefined) {
    const capacity = { customers: 1, entries: 1, idBytes: 256 };
    kernel = new Kernel({
      ...{ wasm: kernelModule("debug"), settings: { ...settings, capacity } },
      ...{ partition: 0, seed: new Uint8Array(16), checksPartition: false },
    });
    kernels.set(settings, kernel);
  }
  return kernel;
}

/** The ledger records of these migrations, through the kernel's own form. */
export function encode(
  migrations: readonly Migration[],
  settings: Settings,
  { partition = 0, former }: { partition?: number; former?: Settings } = {},
): LedgerRecord[] {
  const channels = new Channels();
  const kernel = kernelOf(settings);
  const options = { settings, partition, encoding: kernel.encoding, channelName: channels.nameOf };
  const encoder = new RecordEncoder(former === undefined ? options : { ...options, former });
  return encoder.encode(putOut(kernel, outputOf(migrations, channels)));
}

/** As if the kernel had put this out. */
export function putOut(kernel: Kernel, { bytes, size }: Output): Output {
  const output = kernel.output();
  output.bytes.set(bytes.subarray(0, size));
  output.rewind(size);
  return output;
}

/** The body of one migration's record, as text. */
export function bodyOf(migration: Migration, settings: Settings, former?: Settings): string {
  const [record] = encode([migration], settings, former === undefined ? {} : { former });
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(record?.body);
}
