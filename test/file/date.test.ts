import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DATE_FORMS, DateJudge, dateForms, parseDate, readDate } from "../../connectors/file/date.js";
import { Zone } from "../../connectors/file/instant.js";

const utc = new Zone("UTC");
type Name = (typeof DATE_FORMS)[number];

test.each<[string, Name, string]>([
  ["2024-03-04", "iso", "2024-03-04T00:00:00.000Z"],
  ["2024-03-04T14:05:06.789123+01:00", "iso", "2024-03-04T13:05:06.789Z"],
  ["2024-03-04 14:05:00 +0100", "iso", "2024-03-04T13:05:00.000Z"],
  ["2024/3/4", "ymd", "2024-03-04T00:00:00.000Z"],
  ["2024. 03. 04. 14:05:06", "ymd", "2024-03-04T14:05:06.000Z"],
  ["2024.03.04. 9:05", "ymd", "2024-03-04T09:05:00.000Z"],
  ["2024-03-04 14:05:00 UTC", "ymd", "2024-03-04T14:05:00.000Z"],
  ["20240304", "ymd", "2024-03-04T00:00:00.000Z"],
  ["20240304 14:05", "ymd", "2024-03-04T14:05:00.000Z"],
  ["24/03/04", "ymd", "2024-03-04T00:00:00.000Z"],
  ["4.3.2024", "dmy", "2024-03-04T00:00:00.000Z"],
  ["04.03.2024, 14:05", "dmy", "2024-03-04T14:05:00.000Z"],
  ["04/03/2024 14h05", "dmy", "2024-03-04T14:05:00.000Z"],
  ["04/03/2024 à 14:05", "dmy", "2024-03-04T14:05:00.000Z"],
  ["04-03-24", "dmy", "2024-03-04T00:00:00.000Z"],
  ["04.03.99", "dmy", "1999-03-04T00:00:00.000Z"],
  ["3/4/2024 2:05 PM", "mdy", "2024-03-04T14:05:00.000Z"],
  ["3/4/2024, 12:05:06\u202fAM", "mdy", "2024-03-04T00:05:06.000Z"],
  ["3/4/24 12:05 p.m.", "mdy", "2024-03-04T12:05:00.000Z"],
  ["12-mar-2024", "dmy", "2024-03-12T00:00:00.000Z"],
  ["12-Mar-24", "dmy", "2024-03-12T00:00:00.000Z"],
  ["4 marca 2024 14:05", "dmy", "2024-03-04T14:05:00.000Z"],
  ["4 paź 2024", "dmy", "2024-10-04T00:00:00.000Z"],
  ["1er mars 2024", "dmy", "2024-03-01T00:00:00.000Z"],
  ["4 déc. 2024 à 14 h 05", "dmy", "2024-12-04T14:05:00.000Z"],
  ["4 марта 2024 г. 14:05", "dmy", "2024-03-04T14:05:00.000Z"],
  ["4 нояб. 2024 г., 14:05:06", "dmy", "2024-11-04T14:05:06.000Z"],
  ["2024. március 4. 14:05", "ymd", "2024-03-04T14:05:00.000Z"],
  ["2024-szept-04", "ymd", "2024-09-04T00:00:00.000Z"],
  ["March 4, 2024", "mdy", "2024-03-04T00:00:00.000Z"],
  ["March 4, 2024 at 2:05 pm", "mdy", "2024-03-04T14:05:00.000Z"],
  ["March 4, 2024 @ 2:05 pm", "mdy", "2024-03-04T14:05:00.000Z"],
  ["Mar-04-24", "mdy", "2024-03-04T00:00:00.000Z"],
  ["Mon, 04 Mar 2024 14:05:06 GMT", "dmy", "2024-03-04T14:05:06.000Z"],
  ["04 Mar 2024 14:05:06 GMT+0100", "dmy", "2024-03-04T13:05:06.000Z"],
  ["1709561106", "epoch-s", "2024-03-04T14:05:06.000Z"],
  ["1709561106.7899", "epoch-s", "2024-03-04T14:05:06.789Z"],
  ["1709561106789", "epoch-ms", "2024-03-04T14:05:06.789Z"],
  ["45355", "excel", "2024-03-04T00:00:00.000Z"],
  ["45355.5868055556", "excel", "2024-03-04T14:05:00.000Z"],
  ["45355,5868055556", "excel", "2024-03-04T14:05:00.000Z"],
])("%s as %s is %s", (text, name, expected) => {
  const found = parseDate(text, { name }, utc);
  expect(found === null ? null : new Date(found).toISOString()).toBe(expected);
});

test.each<[string, Name]>([
  ["", "iso"],
  ["soon", "dmy"],
  ["31.02.2024", "dmy"],
  ["13/13/2024", "dmy"],
  ["12/31/2024", "dmy"],
  ["31/12/2024", "mdy"],
  ["01/02-2024", "dmy"],
  ["1/2/204", "dmy"],
  ["4 Foo 2024", "dmy"],
  ["March 4, 2024", "dmy"],
  ["4 March 2024", "mdy"],
  ["04.03.2024 25:00", "dmy"],
  ["04.03.2024 13:00 PM", "dmy"],
  ["04.03.2024 0:30 am", "dmy"],
  ["04.03.2024 14:05 CEST", "dmy"],
  ["04.03.2024 and more", "dmy"],
  ["2024", "epoch-s"],
  ["20240304", "epoch-s"],
  ["1709561106", "epoch-ms"],
  ["1709561106789", "epoch-s"],
  ["12.5", "excel"],
  ["-45355", "excel"],
])("%j is no date as %s", (text, name) => {
  expect(parseDate(text, { name }, utc)).toBeNull();
});

test("a time without an offset needs a zone; numbers since 1970 don't", () => {
  expect(parseDate("04.03.2024 01:00", { name: "dmy" }, undefined)).toBeNull();
  expect(parseDate("04.03.2024 01:00", { name: "dmy" }, new Zone("Europe/Warsaw"))).toBe(Date.UTC(2024, 2, 4));
  expect(parseDate("45355", { name: "excel" }, undefined)).toBeNull();
  expect(parseDate("1709510400", { name: "epoch-s" }, undefined)).toBe(Date.UTC(2024, 2, 4));
});

describe("the form of a column", () => {
  const judged = (...samples: string[]) => {
    const judge = new DateJudge();
    for (const sample of samples) judge.add(sample);
    return judge;
  };
  const names = (...samples: string[]) => dateForms(samples).map(({ name }) => name);

  test.each<[string[], Name[]]>([
    [["2024-03-04", "", "2024-03-04T10:00:00Z"], ["iso"]],
    [["2024-03-04", "2024-3-4"], ["ymd"]],
    [["2024/03/04"], ["ymd"]],
    [["20240304"], ["ymd"]],
    [["04/03/2024"], ["dmy", "mdy"]],
    [["04/03/2024", "25/03/2024"], ["dmy"]],
    [["04/03/2024", "03/25/2024"], ["mdy"]],
    [["04/03/2024 2:00 PM"], ["mdy", "dmy"]],
    [["04-03-2024"], ["dmy", "mdy"]],
    [["04.03.2024"], ["dmy"]],
    [["04/03/24"], ["dmy", "mdy"]],
    [["25/03/24"], ["dmy"]],
    [
      ["24/03/12", "24/03/15", "24/04/02"],
      ["ymd", "dmy"],
    ],
    [["97-12-24", "97-12-25"], ["ymd"]],
    [["12-mar-2024"], ["dmy"]],
    [["March 4, 2024"], ["mdy"]],
    [["1709561106"], ["epoch-s"]],
    [["1709561106789"], ["epoch-ms"]],
    [["45355.58"], ["excel"]],
    [["25/03/2024", "03/25/2024"], []],
    [["536365", "536366"], []],
    [["", " "], []],
  ])("%j: %j", (samples, expected) => {
    expect(names(...samples)).toEqual(expected);
  });

  test("is in doubt only where the readings give different instants", () => {
    expect(judged("04/04/2024", "05/05/2024").doubt).toBeNull();
    expect(judged("04/04/2024", "05/06/2024").doubt).toBe("05/06/2024");
    expect(judged("05/06/2024", "25/06/2024").doubt).toBeNull();
    expect(judged("01/01/24", "02/03/24").doubt).toBe("02/03/24");
    expect(judged("24/03/12", "24/03/15").doubt).toBe("24/03/12");
  });

  test("counts what has no offset, and short years", () => {
    expect(judged("2024-03-04T10:00:00Z", "2024-03-04T10:00:00").zoneless).toBe(1);
    expect(judged("1709561106").zoneless).toBe(0);
    expect(judged("25/03/24", "25/03/2024").shortYears).toBe(1);
  });
});

const seconds = fc.integer({ min: Date.UTC(1990, 0) / 1000, max: Date.UTC(2069, 11) / 1000 });

/** An instant in UTC as programs write it, in each form. */
function written(ms: number, name: Name, separator: string, short: boolean, half: boolean): string {
  const date = new Date(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  const [y, m, d] = [date.getUTCFullYear(), two(date.getUTCMonth() + 1), two(date.getUTCDate())];
  const year = short && name !== "ymd" ? two(y % 100) : String(y);
  const hour = date.getUTCHours();
  const minutes = `${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  const clock = half ? `${hour % 12 || 12}:${minutes} ${hour < 12 ? "AM" : "PM"}` : `${two(hour)}:${minutes}`;
  if (name === "epoch-s") return String(ms / 1000);
  if (name === "epoch-ms") return String(ms);
  if (name === "iso") return date.toISOString();
  if (name === "excel") return ((ms - Date.UTC(1899, 11, 30)) / 86_400_000).toFixed(10);
  const order = { ymd: [year, m, d], dmy: [d, m, year], mdy: [m, d, year] }[name];
  return `${order.join(separator)} ${clock}`;
}

test("written in any form, an instant reads back the same, and its form is among those found", () => {
  fc.assert(
    fc.property(
      fc.array(seconds, { minLength: 1, maxLength: 5 }),
      fc.constantFrom(...DATE_FORMS),
      fc.constantFrom("-", "/", "."),
      fc.boolean(),
      fc.boolean(),
      (instants, name, separator, short, half) => {
        fc.pre(!(name === "mdy" && separator === "."));
        const texts = instants.map((second) => written(second * 1000, name, separator, short, half));
        for (const [i, text] of texts.entries()) expect(parseDate(text, { name }, utc)).toBe((instants[i] ?? 0) * 1000);
        const judge = new DateJudge();
        for (const text of texts) judge.add(text);
        const found = judge.forms();
        const readings = found.map((form) => texts.map((text) => parseDate(text, form, utc)));
        expect(readings).toContainEqual(instants.map((second) => second * 1000));
        if (judge.doubt === null) for (const reading of readings) expect(reading).toEqual(readings[0]);
      },
    ),
  );
});

test.each(["en", "pl", "hu", "fr", "ru"])("months as the platform writes them in %s", (language) => {
  for (const month of ["long", "short"] as const) {
    const format = new Intl.DateTimeFormat(language, { year: "numeric", month, day: "numeric", timeZone: "UTC" });
    for (let m = 0; m < 12; m++) {
      const [form, ...others] = dateForms([format.format(Date.UTC(2024, m, 4))]);
      expect(others).toEqual([]);
      expect(form === undefined ? null : readDate(format.format(Date.UTC(2024, m, 4)), form)?.local).toBe(
        Date.UTC(2024, m, 4),
      );
    }
  }
});
