import fc from "fast-check";
import { expect, test } from "vitest";
import { minorUnits } from "../../connectors/file/decimal.js";

test.each([
  ["59.99", 2, 5999],
  ["59.9", 2, 5990],
  ["59", 2, 5900],
  ["0.07", 2, 7],
  [".5", 2, 50],
  ["5.", 2, 500],
  ["-12.34", 2, -1234],
  ["+1", 0, 1],
  ["1.2e3", 0, 1200],
  ["1234e-2", 2, 1234],
  ["59.990", 2, 5999],
  ["0.1234", 4, 1234],
  ["90071992547409.91", 2, 9007199254740991],
  ["-0", 2, 0],
])("%s at scale %i is %i minor units", (text, scale, expected) => {
  expect(minorUnits(text, scale)).toBe(expected);
});

test.each(["", "abc", "1,5", "1 000", "0x10", "NaN", "Infinity", ".", "-", "1.2.3", "e5"])(
  "%j is no number and stays as it is",
  (text) => {
    expect(minorUnits(text, 2)).toBe(text);
  },
);

test.each([
  ["12.345", 2],
  ["0.001", 2],
  ["5.00000000000000000001", 2],
  ["1", -1],
  ["1e-9", 2],
])("%s at scale %i shows its fraction", (text, scale) => {
  const value = minorUnits(text, scale);
  expect(typeof value).toBe("number");
  expect(Number.isInteger(value)).toBe(false);
});

test("beyond 2^53 an amount stays beyond every limit", () => {
  expect(minorUnits("123456789012345678901234567890", 2)).toBeGreaterThan(1e13);
  expect(minorUnits("12345678901234567890.001", 2)).toBeGreaterThan(1e13);
});

test("any integer of minor units comes back from its decimals", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1e13 }),
      fc.integer({ min: 0, max: 4 }),
      fc.boolean(),
      (units, scale, below) => {
        const digits = String(units).padStart(scale + 1, "0");
        const point = digits.length - scale;
        const text = scale === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
        expect(minorUnits(below && units > 0 ? `-${text}` : text, scale)).toBe(below && units > 0 ? -units : units);
      },
    ),
  );
});
