/** Migrations of a simulated shop, as the kernel puts them out. */
import { readFileSync } from "node:fs";
import { compileSettings } from "../runtime/config/index.js";
import { RecordEncoder } from "../runtime/encoder.js";
import { Kernel } from "../runtime/kernel.js";
import type { InputMessage, LedgerRecord } from "../runtime/record.js";
import type { Settings } from "../runtime/settings.js";
import { simulateShop } from "../runtime/simulate.js";
import { ordersSubject } from "../runtime/subjects.js";

const DAY = 86_400_000;
const START = Date.UTC(2025, 0, 1);
const DAYS = 400;
const PER_MESSAGE = 100;
/** A customer of CDNOW's kind makes some three orders and moves some four times in 400 days. */
const ORDERS_EACH = 10;

export interface ShopRecords {
  readonly settings: Settings;
  /** The bytes of the kernel's output, one a step. */
  readonly outputs: readonly Uint8Array[];
  readonly count: number;
  /** Encodes such an output: it is put where the kernel had it. */
  readonly newEncoder: () => (output: Uint8Array) => LedgerRecord[];
}

/** All that 400 days of so many customers put out, in ledger order from 1 on: under the model of the defaults. */
export function shopRecords(customers: number): ShopRecords {
  const capacity = { customers: customers + 1, entries: ORDERS_EACH * customers, idBytes: 32 * customers };
  const settings = compileSettings({
    clock: "event",
    partitions: 1,
    capacity,
    models: [{ use: "threebands", currency: "EUR" }],
  });
  const wasm = new WebAssembly.Module(readFileSync(new URL("../core/kernel.wasm", import.meta.url)));
  const kernel = new Kernel({ wasm, settings, partition: 0, seed: new Uint8Array(16), checksPartition: false });
  kernel.goLive();
  const outputs: Uint8Array[] = [];
  let count = 0;
  const keep = () => {
    const output = kernel.output();
    if (!output.more) return;
    let records = 0;
    for (; output.more; output.next()) records++;
    outputs.push(output.bytes.slice(0, output.size));
    count += records;
  };
  for (const { subject, source, silent, sequence, stamp, body } of messages(settings, customers)) {
    const fits = kernel.write(Buffer.from(subject), source, silent, sequence, stamp, body);
    if (!fits || kernel.begin() === undefined) throw new Error("a message does not fit");
    for (let more = 1; more === 1; keep()) more = kernel.run();
  }
  const newEncoder = () => {
    const channelName = (channel: number) => kernel.channelName(channel);
    const encoder = new RecordEncoder({ settings, partition: 0, encoding: kernel.encoding, channelName });
    const records = kernel.output();
    return (output: Uint8Array) => {
      records.bytes.set(output);
      records.rewind(output.length);
      return encoder.encode(records);
    };
  };
  return { settings, outputs, count, newEncoder };
}

function* messages(settings: Settings, customers: number): Generator<InputMessage> {
  let events: unknown[] = [];
  let sequence = 0;
  const message = (stamp: number): InputMessage => {
    const body = Buffer.from(JSON.stringify(events));
    events = [];
    const subject = ordersSubject(settings.name, 0, "web");
    return { sequence: ++sequence, stamp, subject, source: 0, control: false, silent: false, body };
  };
  for (const { at, event } of simulateShop({ seed: 7, customers, start: START, end: START + DAYS * DAY }))
    if (events.push(event) === PER_MESSAGE) yield message(at);
  if (events.length > 0) yield message(START + DAYS * DAY);
}
