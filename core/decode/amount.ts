// Amounts in minor units: integers as they are, or decimals read by their currency.
import { ESCAPED, FLOAT, Found, INTEGER, NUMBER, TEXT, UNSIGNED } from "./found";
import { numberEnd } from "./json";
import { keep, NO_NUMBER, READ, TOO_HIGH, TOO_LOW, number, readDigits, readFloatScaled, readInteger } from "./number";
import { readWord, text, textLength, WORD_MAX } from "./text";

/** Reads an amount into `number`; statuses as `readInteger`. A decimal one is a text or number in major units. */
export function readAmount(found: Found, isDecimal: bool, decimals: u32): i32 {
  if (!isDecimal) return readInteger(found);
  const type = found.type;
  if (type == NUMBER) return readDigits(found.text, found.length, decimals);
  if (type == TEXT || type == ESCAPED) return readDecimalText(found, decimals);
  if (type == FLOAT) return readFloatScaled(reinterpret<f64>(found.bits), decimals);
  if (type != INTEGER && type != UNSIGNED) return NO_NUMBER;
  const status = readInteger(found);
  if (status != READ) return status;
  return times(number, decimals);
}

/** A text holds what a JSON number may look like, and nothing else. */
function readDecimalText(found: Found, decimals: u32): i32 {
  if (!readWord(found) || textLength == 0 || textLength > WORD_MAX) return NO_NUMBER;
  if (numberEnd(text, text + textLength) != text + textLength) return NO_NUMBER;
  return readDigits(text, textLength, decimals);
}

/** Beyond this a product would not fit; it is over every limit anyway. */
const FACTOR_MAX: i64 = 100_000_000_000_000;

function times(value: i64, decimals: u32): i32 {
  if (value > FACTOR_MAX) return TOO_HIGH;
  if (value < -FACTOR_MAX) return TOO_LOW;
  for (let n: u32 = 0; n < decimals; n++) value *= 10;
  return keep(value);
}

// ISO 4217 (2024): currencies whose minor unit is not the hundredth, three letters and their decimals.
const OTHERS: usize = memory.data<u8>([
  66, 73, 70, 0, // BIF
  67, 76, 80, 0, // CLP
  68, 74, 70, 0, // DJF
  71, 78, 70, 0, // GNF
  73, 83, 75, 0, // ISK
  74, 80, 89, 0, // JPY
  75, 77, 70, 0, // KMF
  75, 82, 87, 0, // KRW
  80, 89, 71, 0, // PYG
  82, 87, 70, 0, // RWF
  85, 71, 88, 0, // UGX
  85, 89, 73, 0, // UYI
  86, 78, 68, 0, // VND
  86, 85, 86, 0, // VUV
  88, 65, 70, 0, // XAF
  88, 79, 70, 0, // XOF
  88, 80, 70, 0, // XPF
  66, 72, 68, 3, // BHD
  73, 81, 68, 3, // IQD
  74, 79, 68, 3, // JOD
  75, 87, 68, 3, // KWD
  76, 89, 68, 3, // LYD
  79, 77, 82, 3, // OMR
  84, 78, 68, 3, // TND
  67, 76, 70, 4, // CLF
  85, 89, 87, 4, // UYW
]);
const OTHERS_COUNT: usize = 26;

/** Decimals of a packed currency, 2 where it is none or unknown. */
export function decimalsOf(currency: u16): u32 {
  const a = (<u32>currency >> 10) + 64;
  const b = ((<u32>currency >> 5) & 31) + 64;
  const c = (<u32>currency & 31) + 64;
  const letters = a | (b << 8) | (c << 16);
  for (let n: usize = 0; n < OTHERS_COUNT; n++) {
    const other = load<u32>(OTHERS + (n << 2));
    if ((other & 0xffffff) == letters) return other >> 24;
  }
  return 2;
}
