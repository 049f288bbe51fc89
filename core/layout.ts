// Where everything of a partition lives in linear memory. No other file knows an address.
//
//   region      first byte   bytes                     holds                                     written by
//   static      0            up to STATUS              constants placed by asc                   compiler
//   status      STATUS       4 KiB                     clock, counters, list heads               kernel
//   sources     SOURCES      SOURCES_MAX × 64 KiB      compiled field tables                     runtime, once
//   models      MODELS       MODELS_MAX × 2 KiB        dimensions, windows, limits               runtime, once
//   channels    CHANNELS     256 × 128                 names and currencies of channels          runtime, kernel
//   takes       TAKES        MODELS_MAX × 256          does model m take channel c               kernel
//   cells       CELLS        MODELS_MAX × 64 Ki        cell → segment                            runtime, once
//   counts      COUNTS       MODELS_MAX × 64 Ki × 4    customers in each cell                    kernel
//   scan        SCAN         0x80000                   a candidate model, its tables and counts  runtime, kernel
//   items       ITEMS        ITEMS_MAX × 128           decoded items of the block under way      decoder
//   scratch     SCRATCH      ITEMS_MAX × 2 KiB         unescaped strings and digits of items     decoder
//   found       FOUND        (FOUND_MAX + 1) × 384     values found in the first items           decoder
//   shapes      SHAPES       20 KiB                    what stands between the values of items   decoder
//   checkpoint  CHECKPOINT   512 KiB                   customers as one holds them               kernel, runtime
//   output      OUTPUT       1 MiB                     records: migrations and dead letters      kernel
//   encoder     ENCODER      1 MiB                     fragments and ledger records, see encode.ts   runtime, kernel
//   input       INPUT        INPUT_BYTES               messages, each behind its header          runtime
//   (sized at start, in this order)
//   idSlots     idSlots      idLineCount × 64          customer id → customer number             kernel
//   customers   customers    customerMax × lines × 64  what an order touches: head, one row a model  kernel
//   colds       colds        customerMax × coldBytes   the rest of both                          kernel
//   ids         ids          idBytesMax                customer ids, each behind its length      kernel
//   timers      timers       about customerMax × 8.6   tree of what falls due next               kernel
//   digests     digests      a model customerMax × 4   what a scan needs of each row             kernel
//   changed     changed      customerMax / 8           whose digests are not made yet            kernel
//   eventSlots  eventSlots   eventLineCount × 64       event identity → entry of the log         kernel
//   log         log          entryMax × 48             orders, reversals and what hangs on them  kernel
//
// Every region up to the input has a compile-time address; the sized ones follow it.
export const SOURCES_MAX: u32 = 16;
export const SOURCE_BYTES: u32 = 0x10000;
export const MODELS_MAX: u32 = 16;
export const MODEL_BYTES: u32 = 2048;
export const CELLS_MAX: u32 = 0x10000;
export const CHANNELS_MAX: u32 = 256;
export const CHANNEL_BYTES: u32 = 128;
export const ITEMS_MAX: u32 = 32;
export const ITEM_BYTES: u32 = 128;
export const SCRATCH_BYTES: u32 = 2048;
export const FOUND_MAX: u32 = 128;
export const FOUND_BYTES: u32 = 384;
export const SHAPES_BYTES: u32 = 0x5000;
export const CHECKPOINT_BYTES: u32 = 0x80000;
export const OUTPUT_BYTES: u32 = 0x100000;
export const ENCODER_BYTES: u32 = 0x100000;
export const INPUT_BYTES: u32 = 0x1000000;

export const STATUS: usize = 0x10000;
export const SOURCES: usize = STATUS + 0x1000;
export const MODELS: usize = SOURCES + <usize>SOURCES_MAX * SOURCE_BYTES;
export const CHANNELS: usize = MODELS + <usize>MODELS_MAX * MODEL_BYTES;
export const TAKES: usize = CHANNELS + <usize>CHANNELS_MAX * CHANNEL_BYTES;
export const CELLS: usize = TAKES + <usize>MODELS_MAX * CHANNELS_MAX;
export const COUNTS: usize = CELLS + <usize>MODELS_MAX * CELLS_MAX;
export const SCAN: usize = COUNTS + <usize>MODELS_MAX * CELLS_MAX * 4;
export const SCAN_LIST: usize = SCAN + 0x1000;
export const SCAN_TABLES: usize = SCAN + 0x8000;
export const SCAN_COUNTS: usize = SCAN + 0x30000;
export const ITEMS: usize = SCAN + 0x80000;
export const SCRATCH: usize = ITEMS + <usize>ITEMS_MAX * ITEM_BYTES;
export const FOUND: usize = SCRATCH + <usize>ITEMS_MAX * SCRATCH_BYTES;
export const SHAPES: usize = FOUND + <usize>(FOUND_MAX + 1) * FOUND_BYTES;
export const CHECKPOINT: usize = SHAPES + SHAPES_BYTES;
export const OUTPUT: usize = CHECKPOINT + CHECKPOINT_BYTES;
export const ENCODER: usize = OUTPUT + OUTPUT_BYTES;
export const INPUT: usize = ENCODER + ENCODER_BYTES;
export const SIZED: usize = INPUT + INPUT_BYTES;

// The sized regions. Written once by `plan`, before the first message.
export let customerMax: u32 = 0;
export let entryMax: u32 = 0;
export let idBytesMax: u32 = 0;
export let rowBytes: u32 = 0;
export let customerBytes: u32 = 0;
export let idLineCount: u32 = 0;
export let eventLineCount: u32 = 0;
export let idSlots: usize = 0;
export let customers: usize = 0;
export let colds: usize = 0;
export let coldBytes: u32 = 0;
export let ids: usize = 0;
export let timers: usize = 0;
/** Leaf of customer 0: how many stand above the leaves. */
export let timerLeaf: u32 = 0;
export let digests: usize = 0;
export let digestBytes: u32 = 0; // of a model
export let changed: usize = 0;
export let eventSlots: usize = 0;
export let log: usize = 0;

export const HEAD_BYTES: u32 = 20;
/** Of a row without its windows. */
export const ROW_BYTES: u32 = 24;
/** Of a window that counts, and of one that sums: a cursor and a value. */
export const COUNT_BYTES: u32 = 8;
export const SUM_BYTES: u32 = 12;
export const COLD_HEAD_BYTES: u32 = 12;
export const COLD_ROW_BYTES: u32 = 24;
const LINE_BYTES: u32 = 64;
export const ENTRY_BYTES: u32 = 48;

@inline function linesFor(keys: u32): u32 {
  return (keys + (keys >> 1) + 15) >> 3;
}

/**
 * Lays out the sized regions for `models` models with at most `windowBytes` bytes of windows each. Customers begin at
 * cache lines: of one with one model of two windows an order touches one.
 * Indexes have 1.5 places of 8 bytes for each key: few lines are full and the tables small. Returns the bytes in all.
 */
export function plan(customerCount: u32, entryCount: u32, idBytes: u32, models: u32, windowBytes: u32): f64 {
  customerMax = customerCount;
  entryMax = entryCount;
  idBytesMax = (idBytes + 7) & ~7;
  rowBytes = ROW_BYTES + windowBytes;
  customerBytes = (HEAD_BYTES + rowBytes * models + LINE_BYTES - 1) & ~(LINE_BYTES - 1);
  coldBytes = COLD_HEAD_BYTES + COLD_ROW_BYTES * models;
  idLineCount = linesFor(customerCount);
  eventLineCount = linesFor(entryCount);
  timerLeaf = 1;
  for (let leaves: u64 = 16; leaves <= customerCount; leaves <<= 4) timerLeaf = (timerLeaf << 4) + 1;
  // In f64, so that capacities past 4 GiB are seen and not wrapped.
  let end: f64 = Math.ceil(<f64>SIZED / LINE_BYTES) * LINE_BYTES;
  idSlots = <usize>end;
  end += <f64>idLineCount * LINE_BYTES;
  customers = <usize>end;
  end += (<f64>customerCount + 1) * <f64>customerBytes;
  colds = <usize>end;
  end += (<f64>customerCount + 1) * <f64>coldBytes;
  end = Math.ceil(end / 8) * 8;
  ids = <usize>end;
  end += <f64>idBytesMax;
  // A node is two lines; the root stands alone before the first.
  end = Math.ceil((end + 8) / 128) * 128 - 8;
  timers = <usize>end;
  end += (<f64>timerLeaf + <f64>(customerCount | 15) + 1) * 8;
  digests = <usize>end;
  digestBytes = ((customerCount + 2) & ~1) * 4;
  end += <f64>digestBytes * <f64>models;
  changed = <usize>end;
  end += <f64>((customerCount >> 6) + 1) * 8;
  end = Math.ceil(end / LINE_BYTES) * LINE_BYTES;
  eventSlots = <usize>end;
  end += <f64>eventLineCount * LINE_BYTES;
  log = <usize>end;
  end += (<f64>entryCount + 1) * ENTRY_BYTES;
  return end;
}
