/** Drives the hand-written peer of the benches with the inputs of a case, to the oracle's shape of a result. */
import { decode, encode } from "@msgpack/msgpack";
import { readable } from "../../bench/peer/item.js";
import type { Output } from "../../bench/peer/migration.js";
import { bandName, segmentName } from "../../bench/peer/plan.js";
import { type Message, Service } from "../../bench/peer/service.js";
import type { MigrationEvent } from "../../runtime/cloudevent.js";
import type { Settings } from "../../runtime/settings.js";
import { byBytes } from "../oracle/oracle.js";
import type {
  DeadWords,
  Input,
  MigrationWords,
  ModelWords,
  OracleRow,
  Result,
  SettingsWords,
} from "../oracle/words.js";
import { clocks, settingsOf } from "./kernel-driver.js";

/** What its messages are written in. */
export type Format = "json" | "msgpack";

/** All that comes of `inputs`, as the oracle tells it. The states come from services of their own. */
export function peerRun(
  models: readonly ModelWords[],
  words: SettingsWords,
  inputs: readonly Input[],
  instants: readonly number[],
  format: Format,
): Result {
  const settings = settingsOf(models, words);
  const live = words.history !== true;
  const after = clocks(inputs, settings);
  const whole = new Service(settings, live);
  const outputs = inputs.flatMap((input, n) => feed(whole, input, n + 1, settings, format));
  const counts = { ...whole.counts, skipped: 0 };
  outputs.push(...drain(whole, Math.max(whole.clock, ...instants)));

  const states = new Map<number, OracleRow[]>();
  for (const instant of [...new Set(instants)].sort((a, b) => a - b)) {
    const service = new Service(settings, live);
    const later = after.findIndex((clock) => clock > instant);
    for (const [n, input] of inputs.slice(0, later < 0 ? inputs.length : later).entries()) {
      feed(service, input, n + 1, settings, format);
    }
    drain(service, instant);
    states.set(instant, rowsOf(service));
  }
  const isDead = ({ headers }: Output) => "Tidemark-Reason" in headers;
  return {
    states,
    migrations: outputs.filter((output) => !isDead(output)).map(migrationOf),
    dead: outputs.filter(isDead).map(deadOf),
    counts,
  };
}

function feed(service: Service, input: Input, sequence: number, settings: Settings, format: Format): Output[] {
  if ("models" in input) throw new Error("the peer knows no change of models");
  if ("live" in input) return [...service.tick(settings.clock === "event" ? 0 : (input.at ?? 0)), ...service.goLive()];
  if ("tick" in input) return service.tick(input.tick);
  return service.handle(messageOf(input, sequence, format));
}

function messageOf(
  input: Exclude<Input, { tick: number } | { live: true } | { models: ModelWords[] }>,
  sequence: number,
  format: Format,
): Message {
  const { at = 0, silent = false } = input;
  const value = "raw" in input ? undefined : "event" in input ? input.event : input.message;
  // What is given as JSON text is about that text.
  const body =
    "raw" in input || format === "json"
      ? new TextEncoder().encode("raw" in input ? input.raw : JSON.stringify(value))
      : encode(value, { ignoreUndefined: true });
  return { sequence, stamp: at, silent, body };
}

/** Ticks at `instant` until nothing waits. */
function drain(service: Service, instant: number): Output[] {
  const found = service.tick(instant);
  while (service.isBehind) found.push(...service.tick(instant));
  return found;
}

function rowsOf(service: Service): OracleRow[] {
  const rows = [...service.rows()].map(({ plan, customer, row, points }) => ({
    model: plan.name,
    customer,
    last_order_ms: row.lastTime || null,
    first_order_ms: row.firstTime || null,
    orders: row.orders,
    spend: row.spend,
    orders_ever: row.ordersEver,
    spend_ever: row.spendEver,
    recency: bandName(plan.recency, row.recency),
    frequency: bandName(plan.frequency, row.frequency),
    monetary: bandName(plan.monetary, row.monetary),
    tenure: plan.tenure === undefined ? null : bandName(plan.tenure, row.tenure),
    points,
    segment: segmentName(plan, row.segment),
  }));
  return rows.sort((a, b) => byBytes(a.model, b.model) || byBytes(a.customer, b.customer));
}

const ms = (text: string | null): number | null => (text === null ? null : Date.parse(text));

function migrationOf({ body }: Output): MigrationWords {
  const { subject, time, data } = JSON.parse(new TextDecoder().decode(body)) as MigrationEvent;
  const { model, revision, change, silent, from, to, cause, before, after, next, due } = data;
  const values = (of: typeof before) => ({ ...of, firstOrder: ms(of.firstOrder), lastOrder: ms(of.lastOrder) });
  return {
    model,
    customer: subject,
    revision,
    time: Date.parse(time),
    change,
    silent,
    from: { ...from, since: ms(from.since) },
    to: { ...to, since: ms(to.since) },
    cause: { ...cause, time: ms(cause.time), boundaries: [...cause.boundaries] },
    before: values(before),
    after: values(after),
    next: next === null ? null : { at: Date.parse(next.at), segment: next.segment },
    due: ms(due),
  };
}

function deadOf({ headers, body }: Output): DeadWords {
  const customer = headers["Tidemark-Customer"];
  return {
    reason: headers["Tidemark-Reason"] ?? "",
    at: Number(headers["Tidemark-Clock"]),
    index: Number(headers["Tidemark-Index"]),
    id: headers["Tidemark-Reason"] === "undecodable" ? null : readable(decode(body), "id"),
    customer: customer === undefined ? null : decodeURIComponent(customer),
  };
}
