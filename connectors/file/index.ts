export { BATCH_BYTES, BATCH_EVENTS, Batcher, type BatchOptions, type OutMessage } from "./batch.js";
export { minorUnits } from "./digits.js";
export { FORMATS, type Format, formatOf } from "./format.js";
export { instantText, parseInstant, Zone } from "./instant.js";
export { encodeEvent, type FileItem, Placing, placeEvent } from "./item.js";
export { type ColumnMap, type MappingOptions, type OrderEvent, parseKinds, parseMap } from "./mapping.js";
export { FileReader, type ReadOptions, type ReadTally } from "./read.js";
export { Replay, type ReplayOptions } from "./replay.js";
export { SORT_MEMORY_BYTES } from "./sort.js";
