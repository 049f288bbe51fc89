// An integer as an id: its digits, exactly, however long it is.
import { digitsEnd } from "./scan";
import { FLOAT, Found, INTEGER, NUMBER, UNSIGNED } from "./found";
import { digitCount, digitsStop, exponent, measure } from "./number";

/** No integer: a fraction, not finite, or another type. */
export const NO_DIGITS: u32 = 0;

/** Where the digits written last begin. */
export let digits: usize = 0;

/**
 * Finds the digits of an integer, in the message or else written to `target` (256 bytes), and returns how many
 * bytes they are with their sign: 0 where it is no integer, above `max` where it is longer. `max` is at most 256.
 */
export function findDigits(found: Found, target: usize, max: u32): u32 {
  const type = found.type;
  if (type == NUMBER) return fromText(found.at, found.length, target, max);
  if (type == INTEGER && found.length) {
    digits = found.at;
    return found.length;
  }
  if (type == FLOAT) return fromFloat(reinterpret<f64>(found.bits), target, max);
  const isNegative = type != UNSIGNED && <i64>found.bits < 0;
  return writeInteger(isNegative ? 0 - found.bits : found.bits, isNegative, target);
}

/** Writes an integer of up to 20 digits. */
function writeInteger(value: u64, isNegative: bool, target: usize): u32 {
  const behind = target + 24;
  let at = behind;
  do {
    const rest = value / 10;
    store<u8>(--at, <u8>(value - rest * 10) + 0x30);
    value = rest;
  } while (value);
  if (isNegative) store<u8>(--at, 0x2d);
  digits = at;
  return <u32>(behind - at);
}

/** Most integers stand in the message as they are wanted; of others the point and the exponent are worked in. */
function fromText(text: usize, length: u32, target: usize, max: u32): u32 {
  const end = text + length;
  const isNegative = load<u8>(text) == 0x2d;
  const whole = text + <usize>isNegative;
  digits = text;
  if (digitsEnd(whole, end) == end) {
    if (load<u8>(whole) == 0x30) {
      digits = whole; // -0 is 0
      return 1;
    }
    return length;
  }
  measure(whole, end);
  let kept = digitCount + min<i64>(exponent, 0);
  let count: u32 = 0;
  if (isNegative) store<u8>(target + count++, 0x2d);
  const sign = count;
  for (let p = whole; p < digitsStop; p++) {
    const byte = load<u8>(p);
    if (byte == 0x2e) continue;
    if (kept-- <= 0) {
      if (byte != 0x30) return NO_DIGITS;
    } else if ((byte != 0x30 || count > sign) && count <= max) {
      store<u8>(target + count++, byte);
    }
  }
  if (count == sign) return writeInteger(0, false, target);
  for (let n: i64 = 0; n < exponent && count <= max; n++) store<u8>(target + count++, 0x30);
  digits = target;
  return count;
}

/** An integral float64 may have more digits than 64 bits hold: its mantissa is doubled as often as its exponent says. */
function fromFloat(value: f64, target: usize, max: u32): u32 {
  if (!isFinite(value) || value != nearest(value)) return NO_DIGITS;
  const isNegative = value < 0;
  const size = abs(value);
  if (size < 9007199254740992) return writeInteger(<u64>size, isNegative, target);
  const bits = reinterpret<u64>(size);
  const doublings = <i32>(bits >> 52) - 1075;
  let count = writeInteger((bits & 0x000fffffffffffff) | 0x0010000000000000, false, target);
  memory.copy(target + 1, digits, count); // a place for the sign
  const first = target + 1;
  for (let n = 0; n < doublings; n++) {
    let carry: u32 = 0;
    for (let at = count; at > 0; at--) {
      const twice = <u32>(load<u8>(first + at - 1) - 0x30) * 2 + carry;
      carry = <u32>(twice > 9);
      store<u8>(first + at - 1, <u8>(twice - carry * 10) + 0x30);
    }
    if (carry == 0) continue;
    if (count == max) return max + 1;
    memory.copy(first + 1, first, count++);
    store<u8>(first, 0x31);
  }
  digits = first;
  if (isNegative) {
    store<u8>(target, 0x2d);
    digits = target;
    count++;
  }
  return count;
}
