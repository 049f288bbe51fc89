/** The answer of a replay as it is printed: numbers as people read them, and no line wider than the terminal. */
import { stripVTControlCharacters, styleText } from "node:util";
import { assert, describe, expect, test } from "vitest";
import { printAnswer } from "../../connectors/cli/answer.js";
import { arrange } from "../../connectors/cli/blocks.js";
import { bar, sparkline } from "../../connectors/cli/chart.js";
import { money, shortMoney, wholeMoney } from "../../connectors/cli/money.js";
import { type Summary, summaryJson } from "../../connectors/cli/summary.js";
import { type Terminal, width } from "../../connectors/cli/terminal.js";
import { compileSettings, currencyDecimals } from "../../runtime/config/index.js";
import type { Outlook } from "../../runtime/kernel.js";
import { reportOf } from "../../runtime/report.js";

describe("money", () => {
  test.each([
    [0n, 2, "0.00", "0", "0"],
    [5n, 2, "0.05", "0", "0"],
    [50n, 2, "0.50", "1", "1"],
    [-49n, 2, "-0.49", "0", "0"],
    [-50n, 2, "-0.50", "-1", "-1"],
    [123_456_789n, 2, "1,234,567.89", "1,234,568", "1.23M"],
    [99_949n, 2, "999.49", "999", "999"],
    [99_950n, 2, "999.50", "1,000", "1.00k"],
    [999_499n, 0, "999,499", "999,499", "999k"],
    [999_500n, 0, "999,500", "999,500", "1.00M"],
    [-1_444_170n, 2, "-14,441.70", "-14,442", "-14.4k"],
    [1_234n, 3, "1.234", "1", "1"],
    [5_000_000n, 0, "5,000,000", "5,000,000", "5.00M"],
    [27_021_597_764_222_973n, 2, "270,215,977,642,229.73", "270,215,977,642,230", "270T"],
    [123_456_789_012_345_678n, 0, "123,456,789,012,345,678", "123,456,789,012,345,678", "123457T"],
  ])("%s at %s decimals", (minor, decimals, exact, whole, short) => {
    expect([
      money(minor, decimals),
      wholeMoney(minor, decimals),
      shortMoney(minor, decimals).replaceAll(",", ""),
    ]).toEqual([exact, whole, short]);
  });
});

test("bars and sparklines: the most is full, something is never nothing", () => {
  expect(bar(10, 10, 4)).toBe("████");
  expect([bar(0, 10, 4), bar(1, 1000, 4), bar(0, 0, 4)]).toEqual(["", "▏", ""]);
  expect(sparkline([0, 1, 4, 8])).toBe("·▁▄█");
  expect(sparkline([0, 0])).toBe("··");
});

test("blocks stand side by side where they fit, coloured or not", () => {
  const red = styleText("red", "ab", { validateStream: false });
  expect(arrange([[red, "c"], ["d"], ["eeee"]], 8)).toEqual([`${red}   d`, "c", "", "eeee"]);
  expect(arrange([["a"], ["b"]], 3)).toEqual(["a", "", "b"]);
  expect(arrange([], 10)).toEqual([]);
});

/** What is printed, at so many columns; `colour` as on a terminal. */
function printed(summary: Summary, columns: number, colour = false): string[] {
  const lines: string[] = [];
  const terminal: Terminal = {
    columns,
    isTty: colour,
    style: (style, text) => (colour ? styleText(style, text, { validateStream: false }) : text),
    print: (line = "") => lines.push(line),
    note: () => assert.fail("an answer is no message"),
  };
  printAnswer(terminal, summary);
  return lines;
}

const NOW = Date.UTC(2026, 0, 31, 12);
const DAY = 86_400_000;

/** Customers in every cell, worth more the better it is, many of whom leave soon. */
function summaryOf(use: "threebands" | "quintiles" | "levels", currency: string): Summary {
  const settings = compileSettings({ models: [{ use, currency }] });
  const [model] = settings.models;
  assert(model !== undefined);
  const outlooks = model.cells.flatMap((segment, cell): Outlook[] => {
    const bands = model.strides.map(
      (stride, d) => Math.floor(cell / stride) % ((model.dimensions[d]?.bands.length ?? 0) + 1),
    );
    const packed = bands.reduce((all, band, d) => all | (band << (4 * d)), 0);
    return Array.from({ length: 1 + ((cell * 7) % 50) }, (_, n) => ({
      model: 0,
      segment,
      bands: packed,
      revenue: 1_234_567 * (n + 1),
      nextAt: NOW + ((cell + n) % 40) * DAY + 1,
      nextSegment: (segment + 1) % model.segments.length,
    }));
  });
  const migrations = model.segments.map((from, s) => ({
    ...{ model: model.name, from, to: model.segments[(s + 1) % model.segments.length] ?? null },
    ...{ cause: "recency" as const, count: 100_000 * (s + 1) },
  }));
  const [report] = reportOf(settings, NOW, [{ migrations }], outlooks);
  assert(report !== undefined);
  return {
    clock: new Date(NOW).toISOString(),
    rows: 1_234_567,
    leftOut: { kind: { adjust: 3, "": 1 }, afterUntil: 12, beforeAfter: 0 },
    events: { order: { applied: 1_000_000, rejected: 182 } },
    deadLetters: { missingField: 181, fraction: 1 },
    models: [{ ...report, decimals: currencyDecimals(currency) }],
  };
}

describe("an answer", () => {
  for (const use of ["threebands", "quintiles", "levels"] as const)
    for (const currency of ["EUR", "JPY"])
      test.each([60, 80, 100, 160])(`${use} in ${currency} fits into %i columns`, (columns) => {
        const lines = printed(summaryOf(use, currency), columns);
        const wide = lines.filter((line) => width(line) > columns);
        expect(wide).toEqual([]);
        const coloured = printed(summaryOf(use, currency), columns, true);
        expect(coloured.join("")).toContain("\x1b[");
        expect(coloured.map((line) => stripVTControlCharacters(line).trimEnd())).toEqual(lines);
      });

  test("tables stand side by side on a wide terminal, and one below the other on a narrow one", () => {
    const tables = (columns: number) =>
      printed(summaryOf("threebands", "EUR"), columns).filter((line) => / × .*: customers/.test(line));
    expect([tables(80).length, tables(160).length]).toEqual([3, 1]);
  });

  test("says who leaves in the coming week, the greatest worth first, and counts the same in table and JSON", () => {
    const summary = summaryOf("threebands", "EUR");
    const lines = printed(summary, 80);
    const found = lines.flatMap((line) => /^ {2}(\S+) customers worth (\S+) EUR/.exec(line)?.slice(1) ?? []);
    expect(found).toHaveLength(6);
    const worth = found.filter((_, n) => n % 2 === 1).map((text) => Number(text.replaceAll(",", "")));
    expect(worth).toEqual([...worth].sort((a, b) => b - a));
    const vip = summary.models[0]?.departures[0];
    const week = vip?.customers.slice(0, 7).reduce((sum, n) => sum + n, 0);
    const row = lines.find((line) => /^ {2}VIP +(\d|·)/.test(line) && line.trim().split(/ +/).length === 10);
    expect(Number(row?.trim().split(/ +/)[8])).toBe(week);
    const json = JSON.parse(summaryJson(summary, 0)) as {
      models: { departures: { customers: number[]; revenue: number[] }[] }[];
    };
    expect(json.models[0]?.departures[0]?.customers).toEqual(vip?.customers);
    expect(json.models[0]?.departures[0]?.revenue).toEqual(vip?.revenue.map(Number));
  });

  test("nothing came, or nobody leaves: it says so", () => {
    const summary = summaryOf("threebands", "EUR");
    const [model] = summary.models;
    assert(model !== undefined);
    const nobody = { customers: model.departures[0]?.customers.map(() => 0) ?? [], revenue: [], to: [] };
    const still = { ...model, departures: model.departures.map(({ segment }) => ({ segment, ...nobody })) };
    expect(printed({ ...summary, models: [still] }, 80).join("\n")).toContain(
      "Nobody leaves a segment in the coming 30 days.",
    );
    expect(printed({ ...summary, clock: null, models: [] }, 80).at(-1)).toBe("There was nothing to apply.");
  });

  test("a sum beyond 2^53 is text in JSON, a window without end null", () => {
    const summary = summaryOf("threebands", "EUR");
    const [model] = summary.models;
    assert(model !== undefined);
    const large = { ...model, revenue: 2n ** 53n, windowMs: Number.POSITIVE_INFINITY };
    const json = JSON.parse(summaryJson({ ...summary, models: [large] }, 0)) as { models: object[] };
    expect(json.models[0]).toMatchObject({ revenue: "9007199254740992", windowMs: null });
  });
});
