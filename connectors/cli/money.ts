/** Minor units as people read them. */

/** `48,200.00`, `−3.50`: all decimals of the currency. */
export function money(minor: bigint, decimals: number): string {
  const digits = (minor < 0n ? -minor : minor).toString().padStart(decimals + 1, "0");
  const whole = grouped(digits.slice(0, digits.length - decimals));
  return `${minor < 0n ? "-" : ""}${whole}${decimals === 0 ? "" : `.${digits.slice(-decimals)}`}`;
}

/** `48,200`: rounded to the whole unit, halves away from zero. */
export function wholeMoney(minor: bigint, decimals: number): string {
  const unit = 10n ** BigInt(decimals);
  const half = unit / 2n;
  return money((minor + (minor < 0n ? -half : half)) / unit, 0);
}

const SCALES = [
  { unit: 1_000_000_000_000n, letter: "T" },
  { unit: 1_000_000_000n, letter: "B" },
  { unit: 1_000_000n, letter: "M" },
  { unit: 1_000n, letter: "k" },
];

/** `48.2k`, `1.20M`, `312`: three digits that count, cut off below, in at most six columns up to 999T. */
export function shortMoney(minor: bigint, decimals: number): string {
  const sign = minor < 0n ? "-" : "";
  const value = (minor < 0n ? -minor : minor) / 10n ** BigInt(decimals);
  const scale = SCALES.find(({ unit }) => value >= unit);
  if (scale === undefined) return `${value === 0n ? "" : sign}${value}`;
  const hundredths = (value * 100n) / scale.unit;
  const places = hundredths >= 10_000n ? 0 : hundredths >= 1000n ? 1 : 2;
  return `${sign}${money(hundredths / 10n ** BigInt(2 - places), places)}${scale.letter}`;
}

function grouped(digits: string): string {
  return digits.replace(/\B(?=(\d{3})+$)/g, ",");
}
