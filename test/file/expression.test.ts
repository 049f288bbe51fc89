import fc from "fast-check";
import { expect, test } from "vitest";
import { parseDecimal, rounded } from "../../connectors/file/decimal.js";
import { parseExpression } from "../../connectors/file/expression.js";

function evaluated(text: string, row: Readonly<Record<string, string>>): bigint | null {
  const expression = parseExpression(text);
  if (expression === null) return null;
  const columns = expression.columns.map((column) => parseDecimal(row[column] ?? "") ?? { units: -999n, places: 0 });
  return rounded(expression.value(columns), 2);
}

const row = { Quantity: "6", UnitPrice: "2.55", Tax: "0.45", "Unit price": "0.335", "a-b": "7", Цена: "1.5", zł: "3" };

test.each([
  ["Quantity*UnitPrice", 1530n],
  ["UnitPrice", 255n],
  [" Quantity * ( UnitPrice + Tax ) ", 1800n],
  ["Quantity*UnitPrice+Tax", 1575n],
  ["Tax+Quantity*UnitPrice", 1575n],
  ["Quantity - UnitPrice - Tax", 300n],
  ["-Quantity", -600n],
  ["Quantity * -1", -600n],
  ["- -Quantity", 600n],
  ['"Unit price"*Quantity', 201n],
  ['"Unit price"', 34n],
  ["a-b", 700n],
  ["a-b*2", 1400n],
  ["Цена*zł", 450n],
  ["Quantity*1.005", 603n],
  ["Quantity*Quantity*Quantity", 21600n],
])("%s", (text, expected) => {
  expect(evaluated(text, row)).toBe(expected);
});

test.each([
  "",
  " ",
  "*",
  "Quantity*",
  "*Quantity",
  "Quantity UnitPrice",
  "(Quantity",
  "Quantity)",
  "Quantity/2",
  "2*3",
  'Quantity*"Unit price',
  "Amount (EUR)",
  "Total, net",
  "#1",
  `${"(".repeat(100)}a${")".repeat(100)}`,
])("%j is no expression", (text) => {
  expect(parseExpression(text)).toBeNull();
});

test("each column is looked up once", () => {
  expect(parseExpression("a*b + a*c")?.columns).toEqual(["a", "b", "c"]);
});

test("products and sums are exact, and rounded once, halves away from zero", () => {
  const cents = fc.bigInt({ min: -(10n ** 9n), max: 10n ** 9n });
  fc.assert(
    fc.property(cents, cents, fc.bigInt({ min: -999n, max: 999n }), (a, b, quantity) => {
      const decimal = (units: bigint) => {
        const digits = String(units < 0n ? -units : units).padStart(5, "0");
        return `${units < 0n ? "-" : ""}${digits.slice(0, -4)}.${digits.slice(-4)}`;
      };
      const found = evaluated("(a+b)*n", { a: decimal(a), b: decimal(b), n: String(quantity) });
      const exact = (a + b) * quantity; // ten-thousandths
      const whole = (exact < 0n ? -exact : exact) / 100n;
      const rest = (exact < 0n ? -exact : exact) % 100n;
      const up = rest >= 50n ? whole + 1n : whole;
      expect(found).toBe(exact < 0n ? -up : up);
    }),
  );
});
