/** Control messages: what an owner publishes into its partition's input beside the orders. */
import { settingsFromJson } from "./config/wire.js";
import type { Reason } from "./record.js";
import type { Clock, Settings } from "./settings.js";

export type Control =
  | { readonly type: "tick"; readonly time?: number; readonly fires: number }
  | { readonly type: "live" }
  | { readonly type: "model"; readonly settings: Settings; readonly silent: boolean };

/** Due customers that a tick fires at most, and where it does not say how many. */
export const TICK_FIRES_MAX = 1_024;

/** Reads a control message, or says why it is to be dead-lettered. Never throws. */
export function readControl(body: Uint8Array, clock: Clock): Control | Reason {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return "undecodable"; // not JSON: the reason says so
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "wrongType";
  const control = value as Record<string, unknown>;
  if (control.type === undefined || control.type === null) return "missingField";
  switch (control.type) {
    case "tick":
      return readTick(control, clock);
    case "live":
      return { type: "live" };
    case "model": {
      if (control.settings === undefined) return "missingField";
      const settings = settingsFromJson(control.settings);
      return settings === undefined ? "wrongType" : { type: "model", settings, silent: control.silent === true };
    }
    default:
      return "unsupported";
  }
}

/** Under clock broker the stamp is the tick's instant; under clock event its `time` is. */
function readTick(control: Record<string, unknown>, clock: Clock): Control | Reason {
  const { time } = control;
  const fires = control.fires ?? TICK_FIRES_MAX;
  if (typeof fires !== "number" || !Number.isSafeInteger(fires) || fires < 1) return "wrongType";
  if (fires > TICK_FIRES_MAX) return "overLimit";
  if (clock === "broker") return { type: "tick", fires };
  if (time === undefined || time === null) return "missingField";
  if (typeof time !== "number" || !Number.isSafeInteger(time)) return "wrongType";
  if (time < Date.UTC(1990, 0)) return "timeTooOld";
  if (time > Date.UTC(9999, 11, 31)) return "overLimit";
  return { type: "tick", time, fires };
}
