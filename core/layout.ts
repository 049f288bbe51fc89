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
//   wheel       WHEEL        6 × (256 × 4 + 32)        timing wheel: list heads and bitmaps      kernel
//   items       ITEMS        ITEMS_MAX × 128           decoded items of the block under way      decoder
//   scratch     SCRATCH      ITEMS_MAX × 2 KiB         unescaped strings and digits of items     decoder
//   output      OUTPUT       1 MiB                     records: migrations and dead letters      kernel
//   input       INPUT        INPUT_BYTES               messages, each behind its header          runtime
//   (sized at start, in this order)
//   idSlots     idSlots      idSlotCount × 8           customer id → customer number             kernel
//   customers   customers    customerMax × stride      head and one row a model                  kernel
//   ids         ids          idBytesMax                customer ids, each behind its length      kernel
//   dueBits     dueBits      about customerMax / 8     who falls due at the instant under way    kernel
//   eventSlots  eventSlots   eventSlotCount × 8        event identity → entry of the log         kernel
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
export const OUTPUT_BYTES: u32 = 0x100000;
export const INPUT_BYTES: u32 = 0x1000000;

export const STATUS: usize = 0x10000;
export const SOURCES: usize = STATUS + 0x1000;
export const MODELS: usize = SOURCES + <usize>SOURCES_MAX * SOURCE_BYTES;
export const CHANNELS: usize = MODELS + <usize>MODELS_MAX * MODEL_BYTES;
export const TAKES: usize = CHANNELS + <usize>CHANNELS_MAX * CHANNEL_BYTES;
export const CELLS: usize = TAKES + <usize>MODELS_MAX * CHANNELS_MAX;
export const COUNTS: usize = CELLS + <usize>MODELS_MAX * CELLS_MAX;
export const WHEEL: usize = COUNTS + <usize>MODELS_MAX * CELLS_MAX * 4;
export const ITEMS: usize = WHEEL + 0x2000;
export const SCRATCH: usize = ITEMS + <usize>ITEMS_MAX * ITEM_BYTES;
export const OUTPUT: usize = SCRATCH + <usize>ITEMS_MAX * SCRATCH_BYTES;
export const INPUT: usize = OUTPUT + OUTPUT_BYTES;
export const SIZED: usize = INPUT + INPUT_BYTES;
