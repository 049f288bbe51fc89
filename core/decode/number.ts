// Numbers as integers, read from their digits or bits and never through a float64 that could round them.
import { digitsEnd } from "./scan";
import { FLOAT, Found, INTEGER, NUMBER, UNSIGNED } from "./found";

/** What reading a number gave. */
export const READ: i32 = 0;
export const NO_NUMBER: i32 = 1; // another type, or not finite
export const HAS_FRACTION: i32 = 2;
export const TOO_HIGH: i32 = 3; // beyond 2^62 or so: over every limit
export const TOO_LOW: i32 = 4;

/** Integers read are at most this far from zero. */
const FAR: i64 = 4_000_000_000_000_000_000;
const DIGITS_SAFE: usize = 18;

/** The number read last. */
export let number: i64 = 0;

/** Reads an integer (`12`, `12.0`, `1e3`, a float64 of integral value). */
export function readInteger(found: Found): i32 {
  const type = found.type;
  if (type == INTEGER) return keep(<i64>found.bits);
  if (type == NUMBER) return readDigits(found.at, found.length, 0);
  if (type == UNSIGNED) return TOO_HIGH;
  if (type == FLOAT) return readFloat(reinterpret<f64>(found.bits));
  return NO_NUMBER;
}

/** Reads an integral float64. */
function readFloat(value: f64): i32 {
  if (!isFinite(value)) return NO_NUMBER;
  if (value != nearest(value)) return HAS_FRACTION;
  if (abs(value) >= <f64>FAR) return value > 0 ? TOO_HIGH : TOO_LOW;
  return keep(<i64>value);
}

/** Takes a value as the number read, where it is not too far from zero. */
export function keep(value: i64): i32 {
  if (value > FAR) return TOO_HIGH;
  if (value < -FAR) return TOO_LOW;
  number = value;
  return READ;
}

/** Reads a float64 of `decimals` decimals as that many times ten: what is no nearest float64 of such a number has a fraction. */
export function readFloatScaled(value: f64, decimals: u32): i32 {
  if (!isFinite(value)) return NO_NUMBER;
  let power: f64 = 1;
  for (let n: u32 = 0; n < decimals; n++) power *= 10;
  const scaled = nearest(value * power);
  if (scaled / power != value) return HAS_FRACTION;
  return readFloat(scaled);
}

const ZEROS: u64 = 0x3030303030303030;

/** Value of eight digits at once (Lemire): pairs, then fours, then all, each by one multiplication. The first is in the lowest byte. */
@inline function eightDigits(digits: u64): u64 {
  const pairs = digits * 10 + (digits >> 8);
  return (
    ((pairs & 0x000000ff000000ff) * 0x000f424000000064 + ((pairs >> 16) & 0x000000ff000000ff) * 0x0000271000000001) >>
    32
  );
}

/** Value of 1 to 8 digits at `p`; 8 bytes can be read. */
@inline function fewDigits(p: usize, length: u32): u64 {
  return eightDigits((load<u64>(p) ^ ZEROS) << (64 - (<u64>length << 3)));
}

/** Value of 1 to 16 digits at `p`; 8 bytes can be read. */
@inline export function runValue(p: usize, length: u32): u64 {
  if (length <= 8) return fewDigits(p, length);
  return fewDigits(p, length - 8) * 100_000_000 + eightDigits(load<u64>(p + length - 8) ^ ZEROS);
}

/** Value of `length` digits, at most 18. */
function plainDigits(p: usize, length: usize): i64 {
  let value: i64 = 0;
  for (; length >= 8; length -= 8, p += 8) value = value * 100_000_000 + <i64>eightDigits(load<u64>(p) ^ ZEROS);
  for (; length > 0; length--, p++) value = value * 10 + <i64>(load<u8>(p) - 0x30);
  return value;
}

/** Reads the JSON number in the text, times 10^decimals. */
export function readDigits(text: usize, length: u32, decimals: i32): i32 {
  const end = text + length;
  const isNegative = load<u8>(text) == 0x2d;
  const whole = text + <usize>isNegative;
  const point = digitsEnd(whole, end);
  if (point != end || point - whole > DIGITS_SAFE || decimals) return readScaled(whole, end, isNegative, decimals);
  const value = plainDigits(whole, point - whole);
  number = isNegative ? -value : value;
  return READ;
}

/** The general case: digits, a point, an exponent. */
function readScaled(whole: usize, end: usize, isNegative: bool, decimals: i32): i32 {
  measure(whole, end);
  const scale = exponent + decimals; // by so many tens are the digits, without their point, multiplied
  let kept = digitCount + min<i64>(scale, 0); // of them: the others are behind the point
  let value: i64 = 0;
  for (let p = whole; p < digitsStop; p++) {
    const byte = load<u8>(p);
    if (byte == 0x2e) continue;
    if (kept-- <= 0) {
      if (byte != 0x30) return HAS_FRACTION;
    } else if (value < FAR / 10) {
      value = value * 10 + <i64>(byte - 0x30);
    } else {
      value = FAR; // saturated
    }
  }
  for (let n: i64 = 0; n < scale && value > 0 && value < FAR; n++) value = value < FAR / 10 ? value * 10 : FAR;
  if (value >= FAR) return isNegative ? TOO_LOW : TOO_HIGH;
  number = isNegative ? -value : value;
  return READ;
}

/** Of the number measured last: its digits without the point, where they stop, and the ten's exponent of their last one. */
export let digitCount: i64 = 0;
export let digitsStop: usize = 0;
export let exponent: i64 = 0;

/** Beyond this an exponent decides by its sign alone: no message has as many digits. */
const EXPONENT_MAX: i64 = 1_000_000_000;

/** Measures the JSON number, without its sign, from `p` to `end`. */
export function measure(p: usize, end: usize): void {
  const point = digitsEnd(p, end);
  digitCount = <i64>(point - p);
  digitsStop = point;
  exponent = 0;
  if (point < end && load<u8>(point) == 0x2e) {
    digitsStop = digitsEnd(point + 1, end);
    exponent = -(<i64>(digitsStop - point) - 1);
    digitCount -= exponent;
  }
  if (digitsStop == end) return;
  let at = digitsStop + 1; // behind the e
  const isNegative = load<u8>(at) == 0x2d;
  if (isNegative || load<u8>(at) == 0x2b) at++;
  let power: i64 = 0;
  for (; at < end; at++) power = min<i64>(power * 10 + <i64>(load<u8>(at) - 0x30), EXPONENT_MAX);
  exponent += isNegative ? -power : power;
}
