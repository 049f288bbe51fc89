import fc from "fast-check";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { ConfigError, parseConfig, parseConfigObject } from "../../runtime/config/index.js";
import { example } from "./example.js";

type Path = (string | number)[];

/** Every place of a value, from the top down. */
function placesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  return [
    path,
    ...Object.entries(value).flatMap(([key, item]) =>
      placesOf(item, [...path, Array.isArray(value) ? Number(key) : key]),
    ),
  ];
}

function replaced(value: unknown, path: Path, by: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return by;
  const copy = structuredClone(value) as Record<string | number, unknown>;
  copy[key] = replaced(copy[key], rest, by);
  return copy;
}

const whole = parse(example) as unknown;
const change = fc.record({
  path: fc.constantFrom(...placesOf(whole)),
  by: fc.oneof(fc.anything(), fc.constantFrom(null, "", "none", "ever", "0d", "*", -1, 0, 2 ** 60, [], {}, [[]])),
});

test("whatever stands anywhere: settings, or a ConfigError that says where", () => {
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      let config = whole;
      for (const { path, by } of changes) {
        try {
          config = replaced(config, path, by);
        } catch {
          // The place went with an earlier change.
        }
      }
      const read = () => parseConfigObject(config);
      try {
        expect(read().settings.models.length).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
        expect(
          (error as ConfigError).issues.every(({ message }) => message.length > 0 && !message.includes("\n")),
        ).toBe(true);
        expect((error as ConfigError).message).not.toMatch(/Invalid input|undefined/);
      }
    }),
    { numRuns: 250 },
  );
});

test("any text: settings, or a ConfigError whose every line names a line", () => {
  const lines = example.split("\n");
  const cut = fc.tuple(fc.nat(lines.length - 1), fc.nat(example.length), fc.string({ maxLength: 12 }));
  fc.assert(
    fc.property(cut, ([line, at, text]) => {
      for (const broken of [lines.toSpliced(line, 1).join("\n"), example.slice(0, at) + text + example.slice(at)]) {
        try {
          parseConfig(broken);
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
          expect((error as ConfigError).issues.every(({ line: found }) => (found ?? 0) >= 1)).toBe(true);
        }
      }
    }),
    { numRuns: 50 },
  );
});

test("YAML and the object that it stands for give the same settings", () => {
  expect(parseConfig(example).settings).toEqual(parseConfigObject(whole).settings);
  expect(parseConfig(stringify(whole)).settings).toEqual(parseConfigObject(whole).settings);
});
