import { expect, test } from "vitest";
import {
  canonicalJson,
  currencyDecimals,
  fnv1a64,
  formatDuration,
  parseDuration,
  versionOf,
} from "../../runtime/config/index.js";

test("durations are a whole number and a unit", () => {
  expect(parseDuration("30d")).toBe(30 * 86_400_000);
  expect(parseDuration("12h")).toBe(12 * 3_600_000);
  expect(parseDuration("90m")).toBe(90 * 60_000);
  expect(parseDuration("45s")).toBe(45_000);
  expect(parseDuration("500ms")).toBe(500);
  expect(parseDuration("0d")).toBe(0);
  expect(parseDuration("ever")).toBe(Number.POSITIVE_INFINITY);
  expect(parseDuration("36500d")).toBe(36_500 * 86_400_000);
});

test("anything else is none", () => {
  for (const text of [
    "",
    "30",
    "d",
    "30 d",
    "1.5d",
    "-1d",
    "30D",
    "30days",
    "1d12h",
    "ever ",
    "Ever",
    "36501d",
    "9999999999999d",
  ]) {
    expect(parseDuration(text), text).toBeUndefined();
  }
});

test("a duration is written in its largest whole unit", () => {
  for (const text of ["400d", "25h", "90m", "61s", "1500ms", "0ms", "ever"]) {
    expect(formatDuration(parseDuration(text) ?? Number.NaN)).toBe(text);
  }
  expect(formatDuration(86_400_000)).toBe("1d");
});

test("currencies have the decimals of ISO 4217", () => {
  expect(["EUR", "JPY", "KWD", "UYW", "CHF"].map(currencyDecimals)).toEqual([2, 0, 3, 4, 2]);
});

test("currency decimals agree with the platform's, where it follows ISO 4217", () => {
  // CLDR rounds some currencies as they are paid in practice; ISO 4217 says how their minor unit is written.
  const cldr = new Set(
    Intl.supportedValuesOf("currency").filter((currency) => {
      const format = new Intl.NumberFormat("en", { style: "currency", currency });
      return format.resolvedOptions().maximumFractionDigits !== currencyDecimals(currency);
    }),
  );
  for (const code of ["EUR", "USD", "GBP", "JPY", "KRW", "VND", "KWD", "BHD", "TND", "CLP", "ISK"]) {
    expect(cldr.has(code), code).toBe(false);
  }
});

test("fnv1a64 gives the published vectors", () => {
  const hash = (text: string) => fnv1a64(new TextEncoder().encode(text));
  expect(hash("")).toBe("cbf29ce484222325");
  expect(hash("a")).toBe("af63dc4c8601ec8c");
  expect(hash("foobar")).toBe("85944171f73967e8");
});

test("canonical JSON does not depend on the order of keys", () => {
  expect(canonicalJson({ b: [1, { z: null, y: "x" }], a: Number.POSITIVE_INFINITY, c: undefined })).toBe(
    '{"a":"ever","b":[1,{"y":"x","z":null}]}',
  );
  expect(versionOf({ a: 1, b: 2 })).toBe(versionOf({ b: 2, a: 1 }));
  expect(versionOf({ a: 1 })).not.toBe(versionOf({ a: 2 }));
});
