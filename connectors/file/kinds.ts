/** Which rows are orders, refunds and cancels: by the text of the kind column, by the id, by the amount's sign. */
import { InputError } from "../../runtime/errors.js";
import { KINDS, type Kind } from "../../runtime/record.js";

/** `skip`: left out, and counted. */
export type RowKind = Kind | "skip";
const ROW_KINDS: readonly RowKind[] = [...KINDS, "skip"];

export interface KindRules {
  /** By the exact text of the kind column; rows with another text are left out. Undefined: the texts are kinds. */
  readonly texts?: Readonly<Record<string, RowKind>> | undefined;
  /** By the id, the first that matches, before the text. */
  readonly ids?: readonly IdRule[];
  /** What an order of a negative amount is; undefined: an order, which the kernel refuses (`overLimit`). */
  readonly negative?: "refund" | "skip" | undefined;
}

interface IdRule {
  /** As it was written: `C*`. */
  readonly pattern: string;
  readonly matches: RegExp;
  readonly kind: RowKind;
}

const EXPECTED =
  "Expected text=kind for a text of the kind column, kind=PATTERN with a * for ids, or refund=negative; for example " +
  "--kind sale=order,refund=refund or --kind 'refund=C*'. The kinds are";

/** Reads `sale=order,return=refund`, `refund=C*` and `refund=negative`. Throws InputError (USAGE). */
export function parseKinds(texts: readonly string[]): KindRules | undefined {
  if (texts.length === 0) return undefined;
  const byText = Object.create(null) as Record<string, RowKind>;
  const ids: IdRule[] = [];
  let negative: KindRules["negative"];
  for (const pair of texts.flatMap((text) => text.split(","))) {
    const at = pair.lastIndexOf("=");
    const left = pair.slice(0, Math.max(at, 0)).trim();
    const right = pair.slice(at + 1).trim();
    const [kind, kindFirst] = [rowKind(right), rowKind(left)];
    if (at >= 0 && kind !== undefined) byText[left] = kind;
    else if (at >= 0 && kindFirst !== undefined && right.includes("*")) {
      ids.push({ pattern: right, matches: patternOf(right), kind: kindFirst });
    } else if (right === "negative" && (left === "refund" || left === "skip")) negative = left;
    else {
      throw new InputError("USAGE", `--kind ${pair}: expected text=kind or kind=PATTERN`, {
        remedy: `${EXPECTED} ${ROW_KINDS.join(", ")}.`,
      });
    }
  }
  return { texts: Object.keys(byText).length === 0 ? undefined : byText, ids, negative };
}

function rowKind(text: string): RowKind | undefined {
  return ROW_KINDS.find((kind) => kind === text);
}

/** `*` stands for any run of characters, none included; all else for itself. */
function patternOf(text: string): RegExp {
  const parts = text.split(/\*+/).map((part) => part.replace(/[.+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join(".*")}$`, "su");
}

/** What the id says; undefined where no rule matches it. */
export function kindOfId(rules: KindRules | undefined, id: unknown): IdRule | undefined {
  return typeof id !== "string" ? undefined : rules?.ids?.find(({ matches }) => matches.test(id));
}
