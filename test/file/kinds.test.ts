import { expect, test } from "vitest";
import { kindOfId, parseKinds } from "../../connectors/file/kinds.js";

test("nothing said is no rule", () => {
  expect(parseKinds([])).toBeUndefined();
});

test("texts, patterns of the id and the sign, in one or several options", () => {
  const rules = parseKinds(["sale=order, return=refund", "refund=C*,skip=A*", "refund=negative", "=order,odd=skip"]);
  expect({ ...rules?.texts }).toEqual({ sale: "order", return: "refund", "": "order", odd: "skip" });
  expect(rules?.negative).toBe("refund");
  expect(kindOfId(rules, "C536379")?.kind).toBe("refund");
  expect(kindOfId(rules, "A1")).toMatchObject({ kind: "skip", pattern: "A*" });
  expect(kindOfId(rules, "536379")).toBeUndefined();
  expect(kindOfId(rules, undefined)).toBeUndefined();
});

test("a text that is a kind's name stays a text", () => {
  const rules = parseKinds(["refund=order,C*=refund"]);
  expect({ ...rules?.texts }).toEqual({ refund: "order", "C*": "refund" });
  expect(rules?.ids).toEqual([]);
});

test.each([
  ["C*", "C", true],
  ["C*", "xC1", false],
  ["C*", "c1", false],
  ["*-R", "100-R", true],
  ["*-R", "100-R2", false],
  ["R*-*", "R1-2", true],
  ["a.b*", "axb1", false],
  ["a+(*", "a+(1", true],
  ["*", "any\nthing", true],
])("%s on %s: %s", (pattern, id, expected) => {
  expect(kindOfId(parseKinds([`refund=${pattern}`]), id) !== undefined).toBe(expected);
});

test.each(["sale", "sale=buy", "refund=C", "order=negative", "buy=C*", ""])("%j is refused", (text) => {
  expect(() => parseKinds([text])).toThrow(/expected text=kind/);
});
