// Instants as text: RFC 3339, and the same without an offset where the source has a zone.
import { isDigit } from "./scan";
import { Rule, Table } from "./table";

const DAY_MS: i64 = 86_400_000;

/** The instant read last, ms since 1970 UTC. */
export let instant: i64 = 0;

/** Number of `count` digits at `p`, or a negative one where there are others. */
function digitsAt(p: usize, count: usize): i32 {
  let value = 0;
  for (let at: usize = 0; at < count; at++) {
    const byte = <u32>load<u8>(p + at);
    if (!isDigit(byte)) return -1;
    value = value * 10 + <i32>(byte - 0x30);
  }
  return value;
}

function daysIn(year: i32, month: i32): i32 {
  if (month != 2) return 30 + ((month + (month >> 3)) & 1);
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
}

/** Days since 1970-01-01 of a date (Hinnant, "chrono-compatible low-level date algorithms"). */
function daysOf(year: i32, month: i32, day: i32): i64 {
  const y = month <= 2 ? year - 1 : year;
  const era = (y >= 0 ? y : y - 399) / 400;
  const yearOfEra = y - era * 400;
  const dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
  return <i64>era * 146_097 + <i64>dayOfEra - 719_468;
}

/**
 * Reads `2026-01-02T03:04:05.678+01:00` into `instant`; false where it is none. What is finer than a ms is cut
 * off; second 60 is the next minute's first. Without an offset the time is one of the table's zone: of two
 * equal local times the earlier, and one that the clocks skipped as if they had not yet been moved.
 */
export function readInstant(table: Table, text: usize, length: u32): bool {
  if (length < 19) return false;
  const year = digitsAt(text, 4);
  const month = digitsAt(text + 5, 2);
  const day = digitsAt(text + 8, 2);
  const hour = digitsAt(text + 11, 2);
  const minute = digitsAt(text + 14, 2);
  const second = digitsAt(text + 17, 2);
  if ((year | month | day | hour | minute | second) < 0) return false;
  const between = <u32>load<u8>(text, 10);
  if (between != 0x54 && between != 0x74 && between != 0x20) return false; // T, t or a space
  if (load<u8>(text, 4) != 0x2d || load<u8>(text, 7) != 0x2d) return false;
  if (load<u8>(text, 13) != 0x3a || load<u8>(text, 16) != 0x3a) return false;
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return false;
  if (hour > 23 || minute > 59 || second > 60) return false;
  const end = text + length;
  let p = text + 19;
  let ms: i64 = 0;
  if (p < end && load<u8>(p) == 0x2e) {
    const fraction = ++p;
    for (let unit: i64 = 100; p < end && isDigit(load<u8>(p)); p++, unit /= 10) {
      ms += <i64>(load<u8>(p) - 0x30) * unit;
    }
    if (p == fraction) return false;
  }
  const local = daysOf(year, month, day) * DAY_MS + <i64>((hour * 60 + minute) * 60 + second) * 1000 + ms;
  if (p == end) return fromZone(table, local);
  const sign = <u32>load<u8>(p);
  if (sign == 0x5a || sign == 0x7a) {
    instant = local;
    return p + 1 == end;
  }
  if ((sign != 0x2b && sign != 0x2d) || end - p != 6 || load<u8>(p, 3) != 0x3a) return false;
  const hours = digitsAt(p + 1, 2);
  const minutes = digitsAt(p + 4, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return false;
  const ahead = <i64>(hours * 60 + minutes) * 60_000;
  instant = sign == 0x2b ? local - ahead : local + ahead;
  return true;
}

/** The zone's rule for a local time: the last one that begins at or before it. The first begins before all. */
function fromZone(table: Table, local: i64): bool {
  let low: u32 = 0;
  let high = table.ruleCount;
  if (high == 0) return false;
  const rules = changetype<usize>(table) + table.rules;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (changetype<Rule>(rules + <usize>middle * offsetof<Rule>()).local <= local) low = middle;
    else high = middle;
  }
  instant = local - changetype<Rule>(rules + <usize>low * offsetof<Rule>()).offset;
  return true;
}
