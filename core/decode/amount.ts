// Amounts in minor units: integers as they are, or decimals read by their currency.
import { ESCAPED, FLOAT, Found, INTEGER, NUMBER, TEXT, UNSIGNED } from "./found";
import { numberEnd } from "./json";
import { keep, NO_NUMBER, READ, TOO_HIGH, TOO_LOW, number, readDigits, readFloatScaled, readInteger } from "./number";
import { readWord, text, textLength, WORD_MAX } from "./text";

/** Reads an amount into `number`; statuses as `readInteger`. A decimal one is a text or number in major units. */
export function readAmount(found: Found, isDecimal: bool, decimals: u32): i32 {
  if (!isDecimal) return readInteger(found);
  const type = found.type;
  if (type == NUMBER) return readDigits(found.at, found.length, decimals);
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

// ISO 4217 (2024): the currencies whose minor unit is not the hundredth. Each is a word: its decimals in the
// uppermost byte, its letters from the lowest up.
const OTHERS: usize = memory.data<u32>([
  0x00464942, // BIF
  0x00504c43, // CLP
  0x00464a44, // DJF
  0x00464e47, // GNF
  0x004b5349, // ISK
  0x0059504a, // JPY
  0x00464d4b, // KMF
  0x0057524b, // KRW
  0x00475950, // PYG
  0x00465752, // RWF
  0x00584755, // UGX
  0x00495955, // UYI
  0x00444e56, // VND
  0x00565556, // VUV
  0x00464158, // XAF
  0x00464f58, // XOF
  0x00465058, // XPF
  0x03444842, // BHD
  0x03445149, // IQD
  0x03444f4a, // JOD
  0x0344574b, // KWD
  0x0344594c, // LYD
  0x03524d4f, // OMR
  0x03444e54, // TND
  0x04464c43, // CLF
  0x04575955, // UYW
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
