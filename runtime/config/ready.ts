/** Ready-made models: a name and, where the data's own are known, the edges. */
import { ageBands, edgesDefault, minimumBands, type ReadyName, rulesThatDecide } from "./edges.js";
import type { ModelConfig, ReadyConfig } from "./schema.js";

type ReadyOptions = Omit<ReadyConfig, "use">;

/** What each makes of a `use:` entry: one model, or, of `levels`, one a channel where channels are named. */
export const readyModels: Readonly<Record<ReadyName, (options: ReadyOptions) => ModelConfig[]>> = {
  threebands: (options) => [threebands(options)],
  points: (options) => [points(options)],
  levels: (options) => {
    if (options.channels === undefined || options.channels === "*") return [levels(options)];
    return options.channels.map((channel) =>
      levels({ ...options, name: `${options.name ?? "levels"}-${channel}`, channels: [channel] }),
    );
  },
  quintiles: (options) => [quintiles(options)],
};

interface Expanded {
  readonly at: number;
  readonly ready: boolean;
  readonly model: ModelConfig;
}

/** The models of a configuration, ready-made ones written out; `at` is the place in the configuration's list. */
export function expandModels(models: readonly (ModelConfig | ReadyConfig)[]): Expanded[] {
  return models.flatMap((entry, at): Expanded[] => {
    if (!("use" in entry)) return [{ at, ready: false, model: entry }];
    const { use, ...options } = entry;
    return readyModels[use](options).map((model) => ({ at, ready: true, model }));
  });
}

/** What a `use:` entry may set, with the model's own name where it sets none. */
function common(
  options: ReadyOptions,
  name: string,
): Omit<ModelConfig, "recency" | "frequency" | "monetary" | "segments"> {
  const { channels, otherCurrency, fullRefund } = options;
  return {
    name: options.name ?? name,
    currency: options.currency,
    ...(channels === undefined ? {} : { channels }),
    ...(otherCurrency === undefined ? {} : { otherCurrency }),
    ...(fullRefund === undefined ? {} : { fullRefund }),
  };
}

/** The model's own edges, in each dimension those of the entry instead where it gives some. */
function edgesOf(use: ReadyName, { currency, edges }: ReadyOptions) {
  const own = edgesDefault(use, currency);
  const { recency = own.recency ?? [], frequency = own.frequency ?? [], monetary = own.monetary ?? [] } = edges ?? {};
  return { recency, frequency, monetary };
}

function threeBandsEach({ recency, frequency, monetary }: ReturnType<typeof edgesOf>) {
  const points = [5, 3, 1];
  return {
    recency: { bands: ageBands(["short", "medium", "long"], points, recency) },
    frequency: { window: "365d", bands: minimumBands(["often", "regular", "casual"], points, [1, ...frequency]) },
    monetary: { window: "365d", bands: minimumBands(["spender", "average", "saver"], points, [1, ...monetary]) },
  };
}

/** Short/medium/long × often/regular/casual × spender/average/saver. */
function threebands(options: ReadyOptions): ModelConfig {
  const current = ["short", "medium"];
  return rulesThatDecide({
    ...common(options, "threebands"),
    ...threeBandsEach(edgesOf("threebands", options)),
    segments: [
      { name: "VIP", when: { recency: ["short"], frequency: ["often"], monetary: ["spender"] } },
      { name: "Loyal", when: { recency: current, frequency: ["often", "regular"] } },
      { name: "Big spender", when: { recency: current, monetary: ["spender"] } },
      { name: "Active", when: { recency: ["short"] } },
      { name: "Cooling", when: { recency: ["medium"] } },
      { name: "At risk", when: { frequency: ["often", "regular"] } },
      { name: "Lost", when: { recency: ["long"] } },
    ],
  });
}

/** VIP, at risk, new: by points and tenure. */
function points(options: ReadyOptions): ModelConfig {
  return rulesThatDecide({
    ...common(options, "points"),
    ...threeBandsEach(edgesOf("points", options)),
    tenure: { bands: [{ name: "new", max: "30d" }, { name: "established" }] },
    segments: [
      { name: "VIP", when: { recency: ["short", "medium"], points: { min: 13 } } },
      { name: "At risk", when: { recency: ["long"], points: { min: 7 } } },
      { name: "New", when: { tenure: ["new"] } },
    ],
  });
}

/** Yearly counts and sums: ordered within 7, 30, 90 or 365 days; 52, 12, 4 or 2 orders. */
function levels(options: ReadyOptions): ModelConfig {
  return {
    ...common(options, "levels"),
    recency: {
      bands: [
        { name: "week", max: "7d", points: 4 },
        { name: "month", max: "30d", points: 3 },
        { name: "quarter", max: "90d", points: 2 },
        { name: "year", max: "365d", points: 1 },
      ],
    },
    frequency: {
      window: "365d",
      bands: [
        { name: "weekly", min: 52, points: 4 },
        { name: "monthly", min: 12, points: 3 },
        { name: "quarterly", min: 4, points: 2 },
        { name: "repeat", min: 2, points: 1 },
      ],
    },
    monetary: {
      window: "365d",
      bands: minimumBands(["top", "high", "middle", "low"], [4, 3, 2, 1], edgesOf("levels", options).monetary),
    },
    segments: [
      { name: "Lapsed", when: { recency: ["none"] } },
      { name: "Platinum", when: { points: { min: 10 } } },
      { name: "Gold", when: { points: { min: 7 } } },
      { name: "Silver", when: { points: { min: 4 } } },
      { name: "Bronze", when: { points: { min: 1 } } },
    ],
  };
}

/**
 * The eleven usual names over recency and the mean of frequency and monetary, each scored 1 to 5 (5 is best; outside
 * the lowest band 0), the mean rounded up and at least 1. Every cell has one name, and each name is one rectangle:
 *
 *      FM 1       FM 2                 FM 3                 FM 4       FM 5
 *  R5  New        Potential loyalists  Potential loyalists  Champions  Champions
 *  R4  Promising  Potential loyalists  Potential loyalists  Loyal      Loyal
 *  R3  About to sleep  About to sleep  Need attention       Loyal      Loyal
 *  R2  Hibernating     Hibernating     At risk              At risk    Cannot lose them
 *  R1  Lost            Lost            At risk              At risk    Cannot lose them
 */
function quintiles(options: ReadyOptions): ModelConfig {
  const { recency, frequency, monetary } = edgesOf("quintiles", options);
  const scores = [5, 4, 3, 2, 1];
  const named = (letter: string) => scores.map((score) => `${letter}${score}`);
  const segment = (name: string, ages: readonly string[], least: number, most: number) => ({
    name,
    when: {
      recency: [...ages],
      // The mean rounded up: a sum of 3 or 4 is 2. Nothing is above 5, and what is below 1 counts as 1.
      points: {
        of: ["frequency" as const, "monetary" as const],
        ...(least > 1 ? { min: 2 * least - 1 } : {}),
        max: 2 * most,
      },
    },
  });
  return rulesThatDecide({
    ...common(options, "quintiles"),
    recency: { bands: ageBands(named("r"), scores, recency) },
    frequency: { window: "365d", bands: minimumBands(named("f"), scores, [1, ...frequency]) },
    monetary: { window: "365d", bands: minimumBands(named("m"), scores, [1, ...monetary]) },
    segments: [
      segment("Champions", ["r5"], 4, 5),
      segment("Loyal", ["r4", "r3"], 4, 5),
      segment("Potential loyalists", ["r5", "r4"], 2, 3),
      segment("New customers", ["r5"], 1, 1),
      segment("Promising", ["r4"], 1, 1),
      segment("Need attention", ["r3"], 3, 3),
      segment("About to sleep", ["r3"], 1, 2),
      segment("Cannot lose them", ["r2", "r1"], 5, 5),
      segment("At risk", ["r2", "r1"], 3, 4),
      segment("Hibernating", ["r2"], 1, 2),
      segment("Lost", ["r1"], 1, 2),
    ],
  });
}
