/** What has two readings, and the option that settles which. */

export type DoubtAbout =
  | "encoding"
  | "column"
  | "id"
  | "date"
  | "zone"
  | "decimal"
  | "scale"
  | "currency"
  | "lines"
  | "kind"
  | "negative";

export interface Doubt {
  readonly about: DoubtAbout;
  /** What was seen. */
  readonly seen: string;
  /** Ways to read it, each with the option that settles on it; the first is taken where `stops` is false. */
  readonly readings: readonly { readonly reads: string; readonly option: string }[];
  /** The readings give different numbers and nothing speaks for one: nothing goes on before an option settles it. */
  readonly stops: boolean;
}

/** An argument as a shell takes it. */
export function shellWord(text: string): string {
  return /^[\p{L}\p{N}_.,:=/+-]+$/u.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
