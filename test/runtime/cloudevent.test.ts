import { expect, test } from "vitest";
import {
  encodeDeadLetter,
  encodeMigration,
  formatInstant,
  type MigrationEvent,
  migrationBody,
  parseMigration,
} from "../../runtime/cloudevent.js";
import { parseConfigObject } from "../../runtime/config/index.js";
import type { Migration } from "../../runtime/record.js";
import { bandsOnly, firstOrder, migrations, toNull, vipNoMore } from "../config/migrations.js";
import { retail } from "../config/retail.js";

const D0 = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;
const { settings } = parseConfigObject({ models: [retail] });
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

test("a migration by time alone, byte for byte", () => {
  expect(migrationBody(vipNoMore, settings)).toBe(
    '{"specversion":"1.0","type":"dev.tidemark.customer.migrated.v1","source":"/tidemark","id":"retail/c1/7",' +
      '"subject":"c1","time":"2026-02-11T00:00:00.000Z","datacontenttype":"application/json","data":{' +
      `"model":"retail","modelVersion":"${settings.models[0]?.version}","revision":7,"change":"segment","silent":false,"currency":"EUR",` +
      '"from":{"segment":"VIP","since":"2026-01-12T00:00:00.000Z","recency":"short","frequency":"often","monetary":"spender","tenure":"established"},' +
      '"to":{"segment":"Others","since":"2026-02-11T00:00:00.000Z","recency":"medium","frequency":"often","monetary":"spender","tenure":"established"},' +
      '"cause":{"kind":"recency","event":null,"order":null,"channel":null,"time":null,"boundaries":["recency: short → medium"]},' +
      '"before":{"firstOrder":"2026-01-01T00:00:00.000Z","lastOrder":"2026-01-12T00:00:00.000Z","orders":12,"spend":60000,"ordersEver":12,"spendEver":60000,"points":15},' +
      '"after":{"firstOrder":"2026-01-01T00:00:00.000Z","lastOrder":"2026-01-12T00:00:00.000Z","orders":12,"spend":60000,"ordersEver":12,"spendEver":60000,"points":13},' +
      '"next":null,"due":"2026-04-03T00:00:00.000Z"}}',
  );
});

test("the record: subject, headers, number", () => {
  const record = encodeMigration(vipNoMore, settings, 3);
  expect(record.number).toBe(8);
  expect(record.subject).toBe("tidemark.migrations.3.retail.segment.vip.others");
  expect(record.headers).toEqual({
    "Content-Type": "application/cloudevents+json",
    "Tidemark-Position": "13",
    "Tidemark-Clock": String(D0 + 42 * DAY),
    "Tidemark-Previous": "7",
  });
  expect(text(record.body)).toBe(migrationBody(vipNoMore, settings));
});

/** What JSON.stringify makes of the plain object that DESIGN shows: the oracle of the encoder. */
function oracle(m: Migration): MigrationEvent {
  const model = settings.models[m.model];
  const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  const bands = (numbers: readonly number[]) =>
    Object.fromEntries(
      model.dimensions.map((d, i) => [d.name, numbers[i] === 0 ? "none" : d.bands[numbers[i] - 1].name]),
    );
  const place = (p: Migration["from"]) => ({
    segment: p.segment === null ? null : model.segments[p.segment],
    since: iso(p.since),
    ...bands(p.bands),
  });
  const values = (v: Migration["before"]) => ({ ...v, firstOrder: iso(v.firstOrder), lastOrder: iso(v.lastOrder) });
  const from = place(m.from) as MigrationEvent["data"]["from"];
  const to = place(m.to) as MigrationEvent["data"]["to"];
  return {
    specversion: "1.0",
    type: "dev.tidemark.customer.migrated.v1",
    source: "/tidemark",
    id: `retail/${m.customer}/${m.revision}`,
    subject: m.customer,
    time: iso(m.time) ?? "",
    datacontenttype: "application/json",
    data: {
      model: "retail",
      modelVersion: model.version,
      revision: m.revision,
      change: from.segment === to.segment ? "bands" : "segment",
      silent: m.silent,
      currency: "EUR",
      from,
      to,
      cause: {
        kind: m.cause.kind,
        event: m.cause.event,
        order: m.cause.order,
        channel: m.cause.channel,
        time: iso(m.cause.time),
        boundaries: (["recency", "frequency", "monetary", "tenure"] as const)
          .filter((name) => from[name] !== to[name])
          .map((name) => `${name}: ${from[name]} → ${to[name]}`),
      },
      before: values(m.before) as MigrationEvent["data"]["before"],
      after: values(m.after) as MigrationEvent["data"]["after"],
      next: m.next === null ? null : { at: iso(m.next.at) ?? "", segment: model.segments[m.next.segment] },
      due: iso(m.due),
    },
  };
}

test("the encoder writes what JSON.stringify would", () => {
  for (const migration of migrations) {
    expect(migrationBody(migration, settings)).toBe(JSON.stringify(oracle(migration)));
    expect(parseMigration(encodeMigration(migration, settings, 0).body)).toEqual(oracle(migration));
  }
  expect(encodeMigration(bandsOnly, settings, 0).subject).toBe("tidemark.migrations.0.retail.bands.vip.vip");
  expect(encodeMigration(toNull, settings, 0).subject).toBe("tidemark.migrations.0.retail.segment.vip.null");
  expect(encodeMigration(firstOrder, settings, 0).subject).toBe("tidemark.migrations.0.retail.segment.null.new");
});

test("a model without tenure says nothing of it", () => {
  const { tenure: _, ...rest } = retail;
  const plain = parseConfigObject({ models: [{ ...rest, segments: retail.segments.slice(0, 2) }] }).settings;
  const event = parseMigration(
    migrationBody(
      { ...vipNoMore, from: { ...vipNoMore.from, bands: [1, 1, 1] }, to: { segment: 2, since: D0, bands: [2, 1, 1] } },
      plain,
    ),
  );
  expect(event?.data.from).not.toHaveProperty("tenure");
  expect(event?.data.to).toEqual({
    segment: "Others",
    since: "2026-01-01T00:00:00.000Z",
    recency: "medium",
    frequency: "often",
    monetary: "spender",
  });
});

test("a change of the models speaks of both: the old names and the new ones", () => {
  const { tenure: _, ...rest } = retail;
  const renamed = {
    ...rest,
    recency: { bands: [{ name: "fresh", max: "30d" }, { name: "stale" }] },
    segments: [{ name: "Top", when: { recency: ["fresh"], monetary: ["spender"] } }],
  };
  const now = parseConfigObject({ models: [renamed] }).settings;
  const migration: Migration = {
    ...vipNoMore,
    from: { segment: 0, since: D0, bands: [1, 1, 1, 2] },
    to: { segment: 0, since: D0 + 41 * DAY, bands: [1, 1, 1] },
    cause: { kind: "model", event: null, order: null, channel: null, time: null },
  };
  const event = parseMigration(migrationBody(migration, now, settings));
  expect(event?.data.change).toBe("segment");
  expect(event?.data.modelVersion).toBe(now.models[0]?.version);
  expect(event?.data.from).toMatchObject({ segment: "VIP", recency: "short", tenure: "established" });
  expect(event?.data.to).toEqual({
    segment: "Top",
    since: "2026-02-11T00:00:00.000Z",
    recency: "fresh",
    frequency: "often",
    monetary: "spender",
  });
  expect(event?.data.cause.boundaries).toEqual(["recency: short → fresh", "tenure: established → none"]);
  expect(encodeMigration(migration, now, 0, settings).subject).toBe("tidemark.migrations.0.retail.segment.vip.top");
});

test("a migration that does not fit its settings is refused, not guessed at", () => {
  expect(() => migrationBody({ ...vipNoMore, model: 1 }, settings)).toThrow("no model 1 in the settings");
  const place = { ...vipNoMore.to, segment: 9 };
  expect(() => migrationBody({ ...vipNoMore, to: place }, settings)).toThrow("model retail has no segment 9");
  const bands = { ...vipNoMore.to, bands: [7, 0, 0, 0] };
  expect(() => migrationBody({ ...vipNoMore, to: bands }, settings)).toThrow("recency has no band 7");
});

test("readers take unknown causes and fields, and nothing that is no migration", () => {
  const body = migrationBody(vipNoMore, settings)
    .replace('"kind":"recency"', '"kind":"merge"')
    .replace('"data":{', '"extra":1,"data":{"more":[],');
  expect(parseMigration(body)?.data.cause.kind).toBe("merge");
  expect(parseMigration("{}")).toBeUndefined();
  expect(parseMigration("null")).toBeUndefined();
  expect(parseMigration("{")).toBeUndefined();
  expect(parseMigration(new Uint8Array([0xff, 0x00]))).toBeUndefined();
});

test("a dead letter keeps the bytes; the headers say the rest", () => {
  const bytes = new Uint8Array([0xc1, 0, 255]);
  const dead = {
    type: "dead",
    number: 5,
    reason: "wrongType",
    subject: "tidemark.orders.2.web",
    sequence: 77,
    index: 3,
    length: 100_000,
    bytes,
    customer: "jürgen\r\nX: y",
    clock: D0,
  } as const;
  const record = encodeDeadLetter(dead, settings, 2);
  expect(record).toEqual({
    number: 5,
    subject: "tidemark.dead.2.wrongType",
    headers: {
      "Content-Type": "application/octet-stream",
      "Tidemark-Reason": "wrongType",
      "Tidemark-Subject": "tidemark.orders.2.web",
      "Tidemark-Position": "77",
      "Tidemark-Index": "3",
      "Tidemark-Length": "100000",
      "Tidemark-Clock": String(D0),
      "Tidemark-Customer": "j%C3%BCrgen%0D%0AX%3A%20y",
    },
    body: bytes,
  });
  expect(encodeDeadLetter({ ...dead, customer: null }, settings, 2).headers).not.toHaveProperty("Tidemark-Customer");
});

test("instants are written as Date writes them", () => {
  const instants = [
    0,
    1,
    -1,
    999,
    1000,
    DAY - 1,
    DAY,
    -DAY,
    D0,
    D0 + 12_345_678,
    Date.UTC(2000, 1, 29, 23, 59, 59, 999),
  ];
  for (const ms of [...instants, 253_402_300_799_999, 253_402_300_800_000]) {
    expect(formatInstant(ms)).toBe(new Date(ms).toISOString());
  }
  for (let i = 0; i < 10_000; i++) {
    const ms = i * 86_412_345 + (i % 1000);
    expect(formatInstant(ms)).toBe(new Date(ms).toISOString());
  }
});
