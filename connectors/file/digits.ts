/** Amounts from their decimal digits. No value passes through a double on its way to minor units. */

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;

/**
 * `text` times 10^`scale`, exactly. Returns what cannot be an amount as the order event would carry it, for
 * the kernel to refuse with its reason: a text that is no number as it is, a fraction of a minor unit as a
 * number that is not whole, one beyond 2^53 as the nearest double.
 */
export function minorUnits(text: string, scale: number): number | string {
  const match = DECIMAL.exec(text);
  if (match === null) return text;
  const whole = match[2] ?? "";
  const fraction = match[3] ?? "";
  if (whole.length + fraction.length === 0) return text;
  const sign = match[1] === "-" ? -1 : 1;
  const digits = whole + fraction;
  const shift = scale - fraction.length + Number(match[4] ?? 0);
  if (shift >= 0) return signed(sign, wholeNumber(digits + "0".repeat(shift)));
  const cut = digits.length + shift;
  const kept = cut > 0 ? digits.slice(0, cut) : "0";
  const lost = cut > 0 ? digits.slice(cut) : digits;
  const value = wholeNumber(kept);
  if (/^0*$/.test(lost)) return signed(sign, value);
  // The kernel needs to see that there is a fraction, not which.
  return Number.isSafeInteger(value) && value < 2 ** 52 ? sign * (value + 0.5) : signed(sign, value);
}

/** A whole number from its digits, exact up to 2^53, the nearest double beyond. */
function wholeNumber(digits: string): number {
  return Number(digits);
}

function signed(sign: number, value: number): number {
  return value === 0 ? 0 : sign * value;
}
