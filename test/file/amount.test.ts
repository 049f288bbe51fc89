import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AmountForm, AmountJudge, amountForms, currencyOf, parseAmount } from "../../connectors/file/amount.js";

const POINT: AmountForm = { decimal: ".", group: "," };
const COMMA: AmountForm = { decimal: ",", group: "." };

test.each<[string, AmountForm, number]>([
  ["1,234.50", POINT, 123450],
  ["1.234,50", COMMA, 123450],
  ["1 234,50", COMMA, 123450],
  ["1\u00a0234,50 zł", COMMA, 123450],
  ["1\u202f234,50\u00a0€", COMMA, 123450],
  ["1'234.50", POINT, 123450],
  ["CHF 1’234.50", POINT, 123450],
  ["12 345 678", POINT, 1234567800],
  ["12", COMMA, 1200],
  [",5", COMMA, 50],
  ["5,", COMMA, 500],
  ["1,2E+03", COMMA, 120000],
  ["€12.30", POINT, 1230],
  ["12,30 EUR", COMMA, 1230],
  ["PLN12,30", COMMA, 1230],
  ["12 500 Ft", COMMA, 1250000],
  ["12.500,- Ft", COMMA, 1250000],
  ["12,-", COMMA, 1200],
  ["1 200,00 руб.", COMMA, 120000],
  ["1200 ₽", COMMA, 120000],
  ["US$1,200.00", POINT, 120000],
  ["-12,30", COMMA, -1230],
  ["12,30-", COMMA, -1230],
  ["\u221212,30 zł", COMMA, -1230],
  ["–12,30", COMMA, -1230],
  ["-$12.30", POINT, -1230],
  ["$-12.30", POINT, -1230],
  ["$ (12.30)", POINT, -1230],
  ["(€12.30)", POINT, -1230],
  ["(12.30 USD)", POINT, -1230],
  ["+12.30", POINT, 1230],
  ["0.00", POINT, 0],
  ["-0,00", COMMA, 0],
  ["90071992547409.91", POINT, 9007199254740991],
])("%s", (text, form, units) => {
  expect(parseAmount(text, form, 2)).toBe(units);
});

test.each<[string, AmountForm]>([
  ["", POINT],
  ["-", POINT],
  ["zł", COMMA],
  ["n/a", POINT],
  ["12 pcs", POINT],
  ["1,23", POINT], // a thousands separator comes before three digits
  ["1234,567.00", POINT],
  ["0,234", POINT],
  ["1,234 567", POINT],
  ["1.234.567", POINT],
  ["1.23", COMMA],
  ["--5", POINT],
  ["-(5)", POINT],
  ["(5", POINT],
  ["5)", POINT],
  ["1,234", { decimal: ".", group: "" }],
  ["12:30", POINT],
  ["2024-03-04", POINT],
  ["0x10", POINT],
  ["1e", POINT],
  ["5 EUR 6", POINT],
  [`1${" ".repeat(100)}1`, POINT],
])("%j is no amount and stays as it is", (text, form) => {
  expect(parseAmount(text, form, 2)).toBe(text);
});

test("a fraction of a minor unit is shown to the kernel, not rounded", () => {
  expect(parseAmount("1,005", { decimal: ",", group: "" }, 2)).toBe(100.5);
  expect(parseAmount("-1,005", { decimal: ",", group: "" }, 2)).toBe(-100.5);
  expect(parseAmount("1,500", { decimal: ",", group: "" }, 2)).toBe(150);
});

describe("the form of a column", () => {
  const forms = (...samples: string[]) => amountForms(samples).map(({ decimal, group }) => decimal + group);

  test.each<[string[], string[]]>([
    [["12.50", "3"], ["."]],
    [["12,50", "3"], [","]],
    [["1 234,50", "3"], [", "]],
    [["1'234.50", "3"], [".'"]],
    [["1,234.50"], [".,"]],
    [["1.234,50"], [",."]],
    [["1,234,567"], [".,"]],
    [["1.234", "2,50"], [",."]],
    [["0,234"], [","]],
    [["1234,567"], [","]],
    [["1,234"], [".,", ","]],
    [
      ["1.234", "12 zł"],
      [",.", "."],
    ],
    [
      ["5", "", "12"],
      [".", ","],
    ],
    [
      ["1 234", "5"],
      [". ", ", "],
    ],
    [["12.50", "12,50"], []],
    [["12.50", "soon"], []],
    [["", " "], []],
    [[], []],
  ])("%j: %j", (samples, expected) => {
    expect(forms(...samples)).toEqual(expected);
  });

  test("is in doubt only where the readings give different numbers", () => {
    const doubtOf = (...samples: string[]) => {
      const judge = new AmountJudge();
      for (const sample of samples) judge.add(sample);
      return judge.forms().length > 1 ? judge.doubt : null;
    };
    expect(doubtOf("5", "1 234")).toBeNull();
    expect(doubtOf("5", "1,234")).toBe("1,234");
    expect(doubtOf("5", "1,234", "2.5")).toBeNull();
  });
});

test.each([
  ["12,30 zł", "PLN"],
  ["€12", "EUR"],
  ["12 500 Ft", "HUF"],
  ["usd 5", "USD"],
  ["1 200 руб.", "RUB"],
  ["£5 GBP", "GBP"],
  ["$5 CAD", "CAD"],
  ["$5", undefined],
  ["5 kr", undefined],
  ["€5 USD", undefined],
  ["5", undefined],
  ["five", undefined],
])("the currency of %s is %s", (text, currency) => {
  expect(currencyOf(text)).toBe(currency);
});

/** Minor units in a form, in every way of writing that the form allows. */
function written(
  units: bigint,
  form: AmountForm,
  scale: number,
  style: { sign: number; mark: string; after: boolean },
) {
  const digits = String(units < 0n ? -units : units).padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  const grouped = whole.replace(/\B(?=(?:\d{3})+$)/g, form.group);
  const number = scale === 0 ? grouped : `${grouped}${form.decimal}${digits.slice(-scale)}`;
  const marked = style.mark === "" ? number : style.after ? `${number} ${style.mark}` : `${style.mark}${number}`;
  if (units >= 0n) return marked;
  return [`-${marked}`, `\u2212${marked}`, `${marked}-`, `(${marked})`, `- ${marked}`][style.sign] ?? "";
}

const form = fc.constantFrom<AmountForm[]>(
  { decimal: ".", group: "" },
  { decimal: ".", group: "," },
  { decimal: ".", group: " " },
  { decimal: ".", group: "'" },
  { decimal: ",", group: "" },
  { decimal: ",", group: "." },
  { decimal: ",", group: " " },
  { decimal: ",", group: "'" },
);
const style = fc.record({
  sign: fc.nat(4),
  mark: fc.constantFrom("", "€", "zł", "Ft", "PLN", "$", "руб.", "₽"),
  after: fc.boolean(),
});

test("written in any form, an amount reads back as the same integer", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(10n ** 13n), max: 10n ** 13n }),
      form,
      fc.nat(4),
      style,
      (units, written_, scale, how) => {
        expect(parseAmount(written(units, written_, scale, how), written_, scale)).toBe(Number(units));
      },
    ),
  );
});

test("the form a column was written in is among those found; where there is no doubt, every text reads as it was meant", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.bigInt({ min: -(10n ** 9n), max: 10n ** 9n }), style), { minLength: 1, maxLength: 8 }),
      form,
      fc.nat(3),
      (values, meant, scale) => {
        const texts = values.map(([units, how]) => written(units, meant, scale, how));
        const judge = new AmountJudge();
        for (const text of texts) judge.add(text);
        const found = judge.forms();
        expect(found.map(({ decimal }) => decimal)).toContain(meant.decimal);
        const sure =
          found.length === 1 || judge.doubt === null ? found : found.filter((one) => one.decimal === meant.decimal);
        for (const one of sure) {
          expect(texts.map((text) => parseAmount(text, one, scale))).toEqual(values.map(([units]) => Number(units)));
        }
      },
    ),
  );
});
