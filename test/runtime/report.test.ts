/** The report of a model: against numbers worked by hand, and against rows, records and ticks of the same partition. */
import fc from "fast-check";
import { assert, describe, test } from "vitest";
import { compileSettings } from "../../runtime/config/index.js";
import { DAYS } from "../../runtime/departures.js";
import type { Outlook } from "../../runtime/kernel.js";
import type { MigrationCount } from "../../runtime/partition.js";
import type { Migration, OutputRecord } from "../../runtime/record.js";
import { type ModelReport, reportOf } from "../../runtime/report.js";
import type { Model } from "../../runtime/settings.js";
import type { StateRow } from "../../runtime/state.js";
import { anyStream, changingStream, DAY, eventStream, patience, runs } from "../properties/streams.js";
import { drain, messageOf, partitionOf, settingsOf } from "../support/kernel-driver.js";

const NOW = Date.UTC(2026, 0, 31);

describe("by hand", () => {
  const settings = compileSettings({
    models: [
      {
        name: "retail",
        currency: "EUR",
        recency: { bands: [{ name: "new", max: "30d" }, { name: "old" }] },
        frequency: {
          window: "365d",
          bands: [
            { name: "often", min: 2 },
            { name: "once", min: 1 },
          ],
        },
        monetary: {
          window: "90d",
          bands: [
            { name: "big", min: 1000 },
            { name: "small", min: 1 },
          ],
        },
        segments: [
          { name: "VIP", when: { recency: ["new"], monetary: ["big"] } },
          { name: "Fresh", when: { recency: ["new"] } },
        ],
      },
    ],
  });
  const [VIP, FRESH, OTHERS] = [0, 1, 2];
  /** `rfm`: numbers of the bands, 0 for none. */
  const outlook = (
    segment: number,
    rfm: number[],
    revenue: number,
    nextAt: number | null,
    nextSegment: number,
  ): Outlook => ({
    model: 0,
    segment,
    bands: rfm.reduce((packed, band, d) => packed | (band << (4 * d)), 0),
    revenue,
    nextAt,
    nextSegment,
  });
  const outlooks: Outlook[] = [
    outlook(VIP, [1, 1, 1], 5000, NOW + 1, FRESH), // at once
    outlook(VIP, [1, 1, 1], 3000, NOW + DAY, FRESH), // at the very end of the first day
    outlook(VIP, [1, 2, 1], 2000, NOW + DAY + 1, OTHERS),
    outlook(VIP, [1, 2, 1], 1000, NOW + 30 * DAY, OTHERS),
    outlook(VIP, [1, 2, 1], 1000, NOW + 30 * DAY + 1, OTHERS), // behind the last day
    outlook(FRESH, [1, 2, 2], 10, null, FRESH), // never
    outlook(FRESH, [1, 2, 0], -70, NOW + 2 * DAY, OTHERS), // more was given back than bought
    outlook(OTHERS, [2, 0, 0], 0, null, OTHERS),
    { model: 0, segment: null, bands: 0, revenue: -500, nextAt: null, nextSegment: 255 },
  ];
  const counted = (from: string | null, to: string | null, cause: MigrationCount["cause"], count: number) => ({
    ...{ model: "retail", from, to, cause, count },
  });
  const stats = [
    {
      migrations: [
        counted(null, "Fresh", "order", 7),
        counted("VIP", "Fresh", "window", 2),
        counted("VIP", "VIP", "order", 5),
      ],
    },
    {
      migrations: [
        counted("VIP", "Fresh", "recency", 3),
        counted("Fresh", "VIP", "order", 5),
        counted("VIP", "Fresh", "window", 1),
        { ...counted("VIP", "Fresh", "order", 99), model: "another" },
      ],
    },
  ];
  const [report] = reportOf(settings, NOW, stats, outlooks) as [ModelReport];

  test("segments, customers, revenue", () => {
    assert.deepEqual(report.segments, [
      { segment: "VIP", customers: 5, revenue: 12_000n },
      { segment: "Fresh", customers: 2, revenue: -60n },
      { segment: "Others", customers: 1, revenue: 0n },
      { segment: null, customers: 1, revenue: -500n },
    ]);
    assert.deepEqual([report.customers, report.revenue, report.windowMs], [9, 11_440n, 90 * DAY]);
  });

  test("the three cross-tables, `none` last, without those in no segment", () => {
    const [rf, rm, fm] = report.crosstables;
    assert.deepEqual(rf, {
      rows: { dimension: "recency", bands: ["new", "old", "none"] },
      columns: { dimension: "frequency", bands: ["often", "once", "none"] },
      customers: [
        [2, 5, 0],
        [0, 0, 1],
        [0, 0, 0],
      ],
      revenue: [
        [8000n, 3940n, 0n],
        [0n, 0n, 0n],
        [0n, 0n, 0n],
      ],
    });
    assert.deepEqual(rm?.customers, [
      [5, 1, 1],
      [0, 0, 1],
      [0, 0, 0],
    ]);
    assert.deepEqual(rm?.revenue, [
      [12_000n, 10n, -70n],
      [0n, 0n, 0n],
      [0n, 0n, 0n],
    ]);
    assert.deepEqual(fm?.customers, [
      [2, 0, 0],
      [3, 1, 1],
      [0, 0, 1],
    ]);
    assert.deepEqual(fm?.revenue, [
      [8000n, 0n, 0n],
      [4000n, 10n, -70n],
      [0n, 0n, 0n],
    ]);
  });

  test("moves of all partitions, the commonest first, with what caused them", () => {
    assert.deepEqual(report.moves, [
      { from: null, to: "Fresh", count: 7, causes: { order: 7 } },
      { from: "VIP", to: "Fresh", count: 6, causes: { recency: 3, window: 3 } },
      { from: "Fresh", to: "VIP", count: 5, causes: { order: 5 } },
    ]);
    assert.deepEqual(Object.keys(report.moves[1]?.causes ?? {}), ["recency", "window"]);
    assert.deepEqual(report.migrations, { segment: 18, bands: 5 });
  });

  test("departures by day: who leaves as a day ends leaves on that day, and on the thirtieth the last", () => {
    const [vip, fresh, others] = report.departures;
    const byDay = <T>(zero: T, days: Record<number, T>) => Array.from({ length: DAYS }, (_, day) => days[day] ?? zero);
    assert.deepEqual(vip, {
      segment: "VIP",
      customers: byDay(0, { 0: 2, 1: 1, 29: 1 }),
      revenue: byDay(0n, { 0: 8000n, 1: 2000n, 29: 1000n }),
      to: [
        { segment: "Fresh", customers: byDay(0, { 0: 2 }), revenue: byDay(0n, { 0: 8000n }) },
        { segment: "Others", customers: byDay(0, { 1: 1, 29: 1 }), revenue: byDay(0n, { 1: 2000n, 29: 1000n }) },
      ],
    });
    assert.deepEqual(fresh?.customers, byDay(0, { 1: 1 }));
    assert.deepEqual(fresh?.revenue, byDay(0n, { 1: -70n }));
    assert.deepEqual(others, { segment: "Others", customers: byDay(0, {}), revenue: byDay(0n, {}), to: [] });
  });

  test("sums beyond 2^53 are exact", () => {
    const most = Number.MAX_SAFE_INTEGER;
    const [large] = reportOf(
      settings,
      NOW,
      [],
      [1, 2, 3].map(() => outlook(VIP, [1, 1, 1], most, null, VIP)),
    );
    assert.equal(large?.revenue, 3n * BigInt(most));
  });
});

/** What a report says, from the rows of now and from all records, up to 30 days on: slow and obvious. */
function plainly(
  model: Model,
  rows: readonly StateRow[],
  now: number,
  past: readonly Migration[],
  coming: readonly Migration[],
) {
  const of = rows.filter((row) => row.model === model.name);
  const sum = (some: readonly StateRow[]) => some.reduce((all, { spend }) => all + BigInt(spend), 0n);
  const bandsOf = (name: string) => [
    ...(model.dimensions.find((d) => d.name === name)?.bands.map((band) => band.name) ?? []),
    "none",
  ];
  const table = (down: "recency" | "frequency", across: "frequency" | "monetary") =>
    bandsOf(down).map((row) =>
      bandsOf(across).map((column) =>
        of.filter((one) => one.segment !== null && one[down] === row && one[across] === column),
      ),
    );
  const tables = [table("recency", "frequency"), table("recency", "monetary"), table("frequency", "monetary")];
  const segments = [...model.segments, null].map((segment) => {
    const inIt = of.filter((row) => row.segment === segment);
    return { segment, customers: inIt.length, revenue: sum(inIt) };
  });
  const name = (segment: number | null) => (segment === null ? null : (model.segments[segment] as string));
  const left = new Map<string, Migration>();
  for (const one of coming)
    if (one.from.segment !== one.to.segment && !left.has(one.customer)) left.set(one.customer, one);
  const departures = model.segments.map((segment) => {
    const days = Array.from({ length: DAYS }, (_, day) =>
      [...left.values()].filter(
        ({ from, time }) => name(from.segment) === segment && time > now + day * DAY && time <= now + (day + 1) * DAY,
      ),
    );
    const worth = ({ customer }: Migration) => BigInt(of.find((row) => row.customer === customer)?.spend ?? Number.NaN);
    return {
      segment,
      customers: days.map((day) => day.length),
      revenue: days.map((day) => day.reduce((all, one) => all + worth(one), 0n)),
      to: model.segments
        .filter((next) => days.flat().some(({ to }) => name(to.segment) === next))
        .map((next) => ({
          segment: next,
          customers: days.map((day) => day.filter(({ to }) => name(to.segment) === next).length),
          revenue: days.map((day) =>
            day.filter(({ to }) => name(to.segment) === next).reduce((all, one) => all + worth(one), 0n),
          ),
        })),
    };
  });
  const moves = new Map<string, number>();
  for (const { from, to, cause } of past) {
    if (from.segment === to.segment) continue;
    const key = `${name(from.segment)} ${name(to.segment)} ${cause.kind}`;
    moves.set(key, (moves.get(key) ?? 0) + 1);
  }
  return {
    segments,
    customers: tables.map((rows) => rows.map((row) => row.map((some) => some.length))),
    revenue: tables.map((rows) => rows.map((row) => row.map(sum))),
    moves: [...moves].sort(),
    departures,
  };
}

function told(report: ModelReport): ReturnType<typeof plainly> {
  const moves = report.moves.flatMap(({ from, to, causes }) =>
    Object.entries(causes).map(([cause, count]): [string, number] => [`${from} ${to} ${cause}`, count]),
  );
  return {
    segments: report.segments as never,
    customers: report.crosstables.map(({ customers }) => customers) as never,
    revenue: report.crosstables.map(({ revenue }) => revenue) as never,
    moves: moves.sort(),
    departures: report.departures as never,
  };
}

describe("a report is what rows and records say, and what ticking on brings", () => {
  for (const [name, streams, build] of [
    ["any stream", anyStream, "debug"],
    ["any stream, release build", anyStream, "release"],
    ["clock event", eventStream, "debug"],
    ["models that change", changingStream, "debug"],
  ] as const)
    test(name, patience, () => {
      fc.assert(
        fc.property(streams, (stream) => {
          const settings = settingsOf(stream.models, stream.settings);
          const partition = partitionOf(build, settings);
          const records: OutputRecord[] = [];
          const messages = stream.input.map((input, n) => messageOf(input, n + 1, settings));
          for (const some of partition.records(messages)) records.push(...some);
          records.push(...drain(partition, partition.clock));
          const { clock: now, settings: inForce } = partition;
          const before = partition.stats();
          const counts = partition.counts();
          const reports = reportOf(inForce, now, [before], partition.outlooks());
          assert.deepEqual(partition.stats(), before, "nothing changed");
          const rows = partition.state();
          const coming = drain(partition, now + DAYS * DAY);
          const migrations = (some: readonly OutputRecord[], model: number) =>
            some.filter((record): record is Migration => record.type === "migration" && record.model === model);
          for (const [number, model] of inForce.models.entries()) {
            const plain = plainly(model, rows, now, migrations(records, number), migrations(coming, number));
            const said = told(reports[number] as ModelReport);
            // Segments of a former model may have had other names: their moves are counted where they are made.
            if (streams === changingStream) said.moves = plain.moves;
            assert.deepEqual(said, plain);
            const sizes = said.segments.map(({ customers }) => customers);
            assert.deepEqual(sizes, [...(counts[number]?.segments ?? []), counts[number]?.none]);
          }
        }),
        { numRuns: runs(60) },
      );
    });
});
