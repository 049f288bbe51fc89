import fc from "fast-check";
import { expect, test } from "vitest";
import { parseInstant, Zone } from "../../connectors/file/instant.js";

const warsaw = new Zone("Europe/Warsaw");

test.each([
  ["1767225600000", 1767225600000],
  ["2026-01-01T00:00:00Z", 1767225600000],
  ["2026-01-01T01:00:00+01:00", 1767225600000],
  ["2025-12-31T19:00:00-0500", 1767225600000],
  ["2026-01-01 00:00Z", 1767225600000],
  ["2026-01-01T00:00:00.123456Z", 1767225600123],
  ["2026-01-01t00:00:00,9z", 1767225600900],
])("%s", (text, expected) => {
  expect(parseInstant(text)).toBe(expected);
});

test.each(["", "tomorrow", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T25:00:00Z", "01/02/2026"])(
  "%j is no instant",
  (text) => {
    expect(parseInstant(text, warsaw)).toBeNull();
  },
);

test("a time without an offset needs a zone", () => {
  expect(parseInstant("2026-01-01 01:00")).toBeNull();
  expect(parseInstant("2026-01-01 01:00", warsaw)).toBe(Date.UTC(2026, 0, 1));
  expect(parseInstant("2026-07-01", warsaw)).toBe(Date.UTC(2026, 5, 30, 22));
});

test("a repeated hour is the earlier one, a skipped one goes on after the gap", () => {
  expect(parseInstant("2026-10-25T02:30:00", warsaw)).toBe(Date.UTC(2026, 9, 25, 0, 30));
  expect(parseInstant("2026-10-25T03:00:00", warsaw)).toBe(Date.UTC(2026, 9, 25, 2));
  expect(parseInstant("2026-03-29T02:30:00", warsaw)).toBe(Date.UTC(2026, 2, 29, 1, 30));
});

test.each(["Europe/Warsaw", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "UTC"])(
  "%s: the clock on the wall leads back to the instant",
  (name) => {
    const zone = new Zone(name);
    const wall = new Intl.DateTimeFormat("sv-SE", { timeZone: name, dateStyle: "short", timeStyle: "medium" });
    fc.assert(
      fc.property(fc.integer({ min: 631_152_000, max: 2_000_000_000 }), (second) => {
        const text = wall.format(second * 1000);
        const found = zone.toUtc(Date.parse(`${text.replace(" ", "T")}Z`));
        expect(wall.format(found)).toBe(text);
        expect(found).toBeLessThanOrEqual(second * 1000);
      }),
    );
  },
);

test("an unknown zone is the user's mistake", () => {
  expect(() => new Zone("Europe/Atlantis")).toThrow(/no time zone called "Europe\/Atlantis"/);
});
