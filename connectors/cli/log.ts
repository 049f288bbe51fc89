/** What a long-running command says of itself, on stderr: lines for people on a terminal, JSON where it is piped. */
import { type Logger, pino } from "pino";
import { PinoPretty } from "pino-pretty";
import { coloured } from "./terminal.js";

export type LogFormat = "pretty" | "json";
export const LOG_FORMATS: readonly LogFormat[] = ["pretty", "json"];

export function createLog(format: LogFormat | undefined): Logger {
  const pretty = format === undefined ? process.stderr.isTTY === true : format === "pretty";
  const base = { base: null, timestamp: pino.stdTimeFunctions.isoTime };
  if (!pretty) return pino(base, pino.destination({ dest: 2, sync: true }));
  const stream = PinoPretty({
    colorize: coloured(process.stderr),
    translateTime: "HH:MM:ss",
    ignore: "pid,hostname",
    destination: 2,
    sync: true,
  });
  return pino(base, stream);
}
