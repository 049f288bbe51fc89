/** Exact decimals, from their digits to minor units. No value passes through a double on its way. */

/** `units` / 10^`places`; `places` is 0 or more. */
export interface Decimal {
  readonly units: bigint;
  readonly places: number;
}

const PLAIN = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;
/** Digits of one number; a longer text is none. */
const DIGITS_MAX = 400;

/** The value of `-12.30`, `.5`, `5.` or `1.2e3`: digits, a decimal point, an exponent. Null for any other text. */
export function parseDecimal(text: string): Decimal | null {
  if (text.length > DIGITS_MAX) return null;
  const match = PLAIN.exec(text);
  if (match === null) return null;
  const whole = match[2] ?? "";
  const fraction = match[3] ?? "";
  if (whole.length + fraction.length === 0) return null;
  const places = fraction.length - Number(match[4] ?? 0);
  const digits = BigInt(whole + fraction);
  const units = match[1] === "-" ? -digits : digits;
  return places >= 0 ? { units, places } : { units: units * 10n ** BigInt(-places), places: 0 };
}

export function add(a: Decimal, b: Decimal): Decimal {
  if (a.places < b.places) return add(b, a);
  return { units: a.units + b.units * 10n ** BigInt(a.places - b.places), places: a.places };
}

export function multiply(a: Decimal, b: Decimal): Decimal {
  return { units: a.units * b.units, places: a.places + b.places };
}

/** `value` times 10^`scale`, rounded to a whole number, halves away from zero. */
export function rounded({ units, places }: Decimal, scale: number): bigint {
  if (places <= scale) return units * 10n ** BigInt(scale - places);
  const divisor = 10n ** BigInt(places - scale);
  const half = units < 0n ? -divisor / 2n : divisor / 2n;
  return (units + half) / divisor; // division cuts towards zero
}

/**
 * `value` times 10^`scale`, exactly. What cannot be an amount is returned as the order event would carry it, for
 * the kernel to refuse with its reason: a fraction of a minor unit as a number that is not whole, one beyond 2^53
 * as the nearest double.
 */
export function minorUnitsOf({ units, places }: Decimal, scale: number): number {
  if (places <= scale) return Number(units * 10n ** BigInt(scale - places));
  const divisor = 10n ** BigInt(places - scale);
  const value = Number(units / divisor);
  if (units % divisor === 0n || Math.abs(value) >= 2 ** 52) return value;
  // The kernel needs to see that there is a fraction, not which.
  return units < 0n ? value - 0.5 : value + 0.5;
}

/** As `minorUnitsOf`, from a plain text; the text itself where it is no number. */
export function minorUnits(text: string, scale: number): number | string {
  const value = parseDecimal(text);
  return value === null ? text : minorUnitsOf(value, scale);
}

/** `-12.30`: all places, no exponent. */
export function decimalText({ units, places }: Decimal): string {
  const digits = (units < 0n ? -units : units).toString().padStart(places + 1, "0");
  const fraction = places === 0 ? "" : `.${digits.slice(-places)}`;
  return `${units < 0n ? "-" : ""}${digits.slice(0, digits.length - places)}${fraction}`;
}
