// What a scan needs of a row, in four bytes, so that a scan of all customers reads little memory: a column a model.
// A digest says of each measure in what narrow range it lies; where a limit lies within that range, the row is asked.
//
//   | sum 13 | count 5 | newest 14 |
//
//   newest  0: in no segment; PAST: its newest order has left the horizon; else TIMED and the time in units, modulo
//           2^13 of them, which is more than the horizon; UNSURE: further ahead of T than orders now may be
//   count   up to 30, and 31 for all above
//   sum     0 below zero, then 255 values one by one, then ranges of 1/256 of their values, up to about 5 × 10^11
//
// Digests are made when a scan wants them. Until then a change of a row only sets its customer's bit in `changed`,
// which is a small region: an order writes no further line of memory.
import { customerAt, rowAt } from "./customers";
import { changed, digests, digestBytes } from "./layout";
import { entryAddress, timeAt } from "./log";
import { dimensionAt, modelAt } from "./models";
import { isNull, measured } from "./rows";
import { S } from "./status";

export const NEWEST_CODES: u32 = 1 << 14;
export const COUNT_CODES: u32 = 1 << 5;
export const SUM_CODES: u32 = 1 << 13;
export const PAST: u32 = 1;
export const UNSURE: u32 = 2;
export const TIMED: u32 = 1 << 13;
export const COUNT_SHIFT: u32 = 14;
export const SUM_SHIFT: u32 = 19;

const COUNT_MOST: i64 = COUNT_CODES - 1;
const SUM_MOST: u64 = SUM_CODES - 1;

/** Digests of model `model`, by customer number: u32 each. */
@inline export function columnOf(model: u32): usize {
  return digests + <usize>model * digestBytes;
}

/** The word of `changed` that `noteChanged` will write. */
@inline export function changedWord(number: u32): u64 {
  return load<u64>(changed + (<usize>(number >> 6) << 3));
}

/** Notes that a row of this customer is not what its digest says. */
@inline export function noteChanged(number: u32): void {
  const word = changed + (<usize>(number >> 6) << 3);
  store<u64>(word, load<u64>(word) | ((<u64>1) << (number & 63)));
}

/** A unit of `newest` is 2^this ms: so long that 2^13 of them reach from the horizon to what may lie ahead of T. */
export function unitBits(): u32 {
  const span = <u64>(S.horizon + S.tolerance);
  let bits: u32 = 0;
  // Four units stay free between the oldest and the newest.
  while (span >> bits >= TIMED - 4) bits++;
  return bits;
}

@inline export function codeOfTime(time: i64, bits: u32): u32 {
  return TIMED | (<u32>(time >> <i64>bits) & (TIMED - 1));
}

@inline export function codeOfCount(count: i64): u32 {
  return <u32>min(count, COUNT_MOST);
}

@inline function codeOfNewest(time: i64, bits: u32): u32 {
  return time > S.clock + S.tolerance ? UNSURE : codeOfTime(time, bits);
}

/** The lowest count with this code. */
export function leastCount(code: u32): i64 {
  return code;
}

export function codeOfSum(sum: i64): u32 {
  if (sum < 0) return 0;
  const value = <u64>sum;
  if (value < 256) return <u32>value + 1;
  const size: u64 = 63 - clz(value); // from 8 on
  return 1 + <u32>min(((size - 7) << 8) | ((value >> (size - 8)) & 255), SUM_MOST - 1);
}

/** The lowest sum with this code, which is not 0. */
export function leastSum(code: u32): i64 {
  const value: u64 = code - 1;
  return value < 256 ? value : (256 | (value & 255)) << ((value >> 8) - 1);
}

function digestOf(number: u32, m: u32, bits: u32): u32 {
  const model = modelAt(m);
  const row = rowAt(customerAt(number), m);
  if (isNull(row)) return 0;
  const newest = row.newest == 0 ? PAST : codeOfNewest(timeAt(row.newest), bits);
  const count = codeOfCount(measured(row, model, dimensionAt(model, model.countAt)));
  const sum = codeOfSum(measured(row, model, dimensionAt(model, model.sumAt)));
  return newest | (count << COUNT_SHIFT) | (sum << SUM_SHIFT);
}

/** Of the words read ahead, so that no compiler leaves the reading out. */
let touched: u32 = 0;

/** Makes the digests of all customers that changed. Cost: two cache misses for each of them, overlapping. */
export function refreshDigests(): void {
  const bits = unitBits();
  const words = (S.customers + 64) >> 6;
  for (let word: u32 = 0; word < words; word++) {
    const at = changed + (<usize>word << 3);
    const set = load<u64>(at);
    if (set == 0) continue;
    store<u64>(at, 0);
    touchAll(word << 6, set);
    for (let rest = set; rest != 0; rest &= rest - 1) {
      const number = (word << 6) + <u32>ctz(rest);
      for (let m: u32 = 0; m < S.models; m++)
        store<u32>(columnOf(m) + (<usize>number << 2), digestOf(number, m, bits));
    }
  }
}

function touchAll(from: u32, set: u64): void {
  let sum: u32 = 0;
  for (let rest = set; rest != 0; rest &= rest - 1) sum += touchRows(from + <u32>ctz(rest));
  for (let rest = set; rest != 0; rest &= rest - 1) sum += touchNewest(from + <u32>ctz(rest));
  touched = sum;
}

/** Reads a word of a customer's rows. */
@inline export function touchRows(number: u32): u32 {
  return customerAt(number).newest;
}

/** Reads a word of each newest order, once the rows are at hand. */
@inline export function touchNewest(number: u32): u32 {
  const customer = customerAt(number);
  let sum: u32 = 0;
  for (let m: u32 = 0; m < S.models; m++) sum += load<u32>(entryAddress(rowAt(customer, m).newest), 8);
  return sum;
}
