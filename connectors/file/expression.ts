/**
 * An amount made of several columns: `Quantity*UnitPrice`, `(Net + Tax) * -1`, `"Unit price" * Qty`. Products, sums,
 * differences and parentheses of columns and constants; a minus between two names has a blank on either side, as
 * names hold hyphens. There is no division: its results are not exact.
 */
import { add, type Decimal, multiply, parseDecimal } from "./decimal.js";

export interface Expression {
  /** Names of the columns, each once, in the order they come. */
  readonly columns: readonly string[];
  /** The exact value, given those of the columns in their order. */
  value(columns: readonly Decimal[]): Decimal;
}

type Node = (columns: readonly Decimal[]) => Decimal;

const TOKEN = /\s*(?:"([^"]+)"|([\p{L}_$][\p{L}\p{N}_$.]*(?:-[\p{L}\p{N}_$.]+)*)|(\d+(?:\.\d+)?)|([-+*()]))/uy;
/** Parentheses and signs within each other. */
const DEPTH_MAX = 32;

/** Null where the text is no expression; one name alone is one. */
export function parseExpression(text: string): Expression | null {
  const tokens = tokensOf(text);
  if (tokens === null) return null;
  const parser = new Parser(tokens);
  const node = parser.sum(0);
  return node === null || !parser.ended || parser.columns.length === 0
    ? null
    : { columns: parser.columns, value: node };
}

interface Token {
  readonly what: "name" | "number" | "sign";
  readonly text: string;
}

function tokensOf(text: string): Token[] | null {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const match = TOKEN.exec(text);
    if (match === null) return null;
    const [, quoted, name, number, sign] = match;
    if (number !== undefined) tokens.push({ what: "number", text: number });
    else if (sign !== undefined) tokens.push({ what: "sign", text: sign });
    else tokens.push({ what: "name", text: quoted ?? name ?? "" });
  }
  return tokens;
}

class Parser {
  readonly columns: string[] = [];
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get ended(): boolean {
    return this.#at === this.#tokens.length;
  }

  sum(depth: number): Node | null {
    let left = this.#product(depth);
    for (let sign = this.#sign("+-"); left !== null && sign !== null; sign = this.#sign("+-")) {
      const [a, b, below] = [left, this.#product(depth), sign === "-"];
      if (b === null) return null;
      left = (columns) => add(a(columns), below ? negative(b(columns)) : b(columns));
    }
    return left;
  }

  #product(depth: number): Node | null {
    let left = this.#factor(depth);
    while (left !== null && this.#sign("*") !== null) {
      const [a, b] = [left, this.#factor(depth)];
      if (b === null) return null;
      left = (columns) => multiply(a(columns), b(columns));
    }
    return left;
  }

  #factor(depth: number): Node | null {
    if (depth > DEPTH_MAX) return null;
    if (this.#sign("-") !== null) {
      const of = this.#factor(depth + 1);
      return of === null ? null : (columns) => negative(of(columns));
    }
    if (this.#sign("(") !== null) {
      const inner = this.sum(depth + 1);
      return this.#sign(")") === null ? null : inner;
    }
    const token = this.#tokens[this.#at];
    if (token === undefined || token.what === "sign") return null;
    this.#at++;
    return token.what === "name" ? this.#column(token.text) : constant(token.text);
  }

  #column(name: string): Node {
    if (!this.columns.includes(name)) this.columns.push(name);
    const column = this.columns.indexOf(name);
    return (columns) => columns[column] as Decimal; // as many as there are columns
  }

  #sign(of: string): string | null {
    const token = this.#tokens[this.#at];
    if (token?.what !== "sign" || !of.includes(token.text)) return null;
    this.#at++;
    return token.text;
  }
}

function constant(text: string): Node | null {
  const value = parseDecimal(text);
  return value === null ? null : () => value;
}

function negative({ units, places }: Decimal): Decimal {
  return { units: -units, places };
}
