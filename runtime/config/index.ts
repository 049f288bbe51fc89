export { type CellTable, cellTable, type Finding, findings, formatCellTable, type SegmentCells } from "./celltable.js";
export { checkConfig } from "./check.js";
export { compileEdge, compileModel, compileSettings } from "./compile.js";
export { currencyDecimals, currencyExceptions } from "./currency.js";
export { CHANNEL_DEFAULT, defaultConfig, OTHERS } from "./defaults.js";
export {
  type Draft,
  type DraftModel,
  type DraftSource,
  draftConfig,
  draftModels,
  FILL_IN,
  warningLines,
  wrapped,
} from "./draft.js";
export { formatDuration, parseDuration } from "./duration.js";
export { type CheckpointSettings, type EdgeSettings, HOST_DEFAULT, PORT_DEFAULT } from "./edge.js";
export { READY_NAMES, type ReadyName } from "./edges.js";
export { canonicalJson, fnv1a64, versionOf } from "./hash.js";
export { ConfigError, type ConfigIssue, type ConfigPath, formatIssue, formatPath, nearest } from "./issue.js";
export { configJsonSchema } from "./jsonschema.js";
export { type Parsed, parseConfig, parseConfigObject } from "./parse.js";
export { presets } from "./presets.js";
export { expandModels, readyModels } from "./ready.js";
export { type Config, configSchema, type ModelConfig, type ReadyConfig, type SourceConfig } from "./schema.js";
export { type Measures, measuresWarnings, type Suggestion, type SuggestWarning, suggestModel } from "./suggest.js";
export { runningUnder, settingsFromJson, settingsToJson, settingsVersion } from "./wire.js";
