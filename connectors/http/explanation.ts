/** Why a customer is where it is, as the API and the command tell it. */
import type { Explanation } from "../../runtime/explain.js";
import type { WaitingReversal } from "../../runtime/history.js";
import { content } from "../content.js";

/** What waits with its item readable: `item`, or `text`, or `base64`. The item's first 1,024 bytes at most. */
export type WaitingDescription = Omit<WaitingReversal, "item"> & Readonly<Record<string, unknown>>;

export interface ExplanationDescription extends Omit<Explanation, "waiting"> {
  readonly waiting: readonly WaitingDescription[];
}

export function describeExplanation({ waiting, ...explanation }: Explanation): ExplanationDescription {
  return { ...explanation, waiting: waiting.map(({ item, ...one }) => ({ ...one, ...content(item) })) };
}
