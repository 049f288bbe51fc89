// What a row is worth and where it goes: for each row its place, and its next segment if nothing more is bought. Exact
// while nothing is overdue; nothing changes.
//
// Records lie one behind the other at OUTPUT:
//
//   0  u8  model      4  u32 bands, four bits a dimension
//   1  u8  segment    8  f64 worth in the monetary window, minor units
//   2  u8  the next   16 f64 when it comes into that, ms; 0 for never
import { HAS_ROWS, customerAt, rowAt } from "./customers";
import { forecast, nextAt, nextSegment } from "./forecast";
import { OUTPUT, OUTPUT_BYTES } from "./layout";
import { dimensionAt, modelAt } from "./models";
import { measured } from "./rows";
import { S } from "./status";
import { NEVER } from "./timers";

export const OUTLOOK_BYTES: u32 = 24;

let written: u32 = 0;

export function outlookBytesWritten(): u32 {
  return written;
}

/**
 * Writes the outlooks of customers from number `from` on, up to a full output. Returns the number to go on with, 0 at
 * the end. Cost: the entries in each row's windows, until its segment changes.
 */
export function writeOutlooks(from: u32): u32 {
  written = 0;
  for (let number = from; number <= S.customers; number++) {
    if ((customerAt(number).flags & HAS_ROWS) == 0) continue;
    if (written + S.models * OUTLOOK_BYTES > OUTPUT_BYTES) return number;
    for (let m: u32 = 0; m < S.models; m++) writeOutlook(number, m);
  }
  return 0;
}

function writeOutlook(number: u32, m: u32): void {
  const model = modelAt(m);
  const row = rowAt(customerAt(number), m);
  const at = OUTPUT + written;
  forecast(row, model, m, row.bands, row.segment);
  store<u8>(at, <u8>m);
  store<u8>(at, row.segment, 1);
  store<u8>(at, nextSegment, 2);
  store<u8>(at, 0, 3);
  store<u32>(at, row.bands, 4);
  store<f64>(at, <f64>measured(row, model, dimensionAt(model, model.sumAt)), 8);
  store<f64>(at, nextAt == NEVER ? 0 : <f64>nextAt, 16);
  written += OUTLOOK_BYTES;
}
