/** Minor units as people read them. */

/** `48,200.00`, `−3.50`: all decimals of the currency. */
export function money(minor: bigint, decimals: number): string {
  const digits = (minor < 0n ? -minor : minor).toString().padStart(decimals + 1, "0");
  const whole = grouped(digits.slice(0, digits.length - decimals));
  return `${minor < 0n ? "-" : ""}${whole}${decimals === 0 ? "" : `.${digits.slice(-decimals)}`}`;
}

/** `48,200`: rounded to the whole unit, halves away from zero. */
export function wholeMoney(minor: bigint, decimals: number): string {
  const whole = rounded(minor < 0n ? -minor : minor, decimals);
  return money(minor < 0n ? -whole : whole, 0);
}

/** Powers of ten, with what is written for them. */
const SCALES = ["", "k", "M", "B", "T"];

/** `48.2k`, `1.20M`, `312`: rounded to three digits, halves away from zero; at most six columns up to 999T. */
export function shortMoney(minor: bigint, decimals: number): string {
  const size = minor < 0n ? -minor : minor;
  for (const [n, letter] of SCALES.entries()) {
    const power = decimals + 3 * n;
    for (const places of n === 0 ? [0] : [2, 1, 0]) {
      const digits = rounded(size, power - places);
      if (digits >= 1000n) continue;
      return `${minor < 0n && digits > 0n ? "-" : ""}${money(digits, places)}${letter}`;
    }
  }
  return `${minor < 0n ? "-" : ""}${money(rounded(size, decimals + 12), 0)}T`;
}

/** `value / 10^power`, halves up. */
function rounded(value: bigint, power: number): bigint {
  if (power <= 0) return value * 10n ** BigInt(-power);
  const unit = 10n ** BigInt(power);
  return (value + unit / 2n) / unit;
}

function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, ",");
}
