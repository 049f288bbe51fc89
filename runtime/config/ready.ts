/**
 * Ready-made models. Sums are edges in minor units of a currency with two decimals; those with three get ten
 * times as much, those without any the same number (50,000 JPY is about what 500.00 EUR is).
 */
import { currencyDecimals } from "./currency.js";
import type { ModelConfig, READY, ReadyConfig } from "./schema.js";

type ReadyName = (typeof READY)[number];
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

function minor(currency: string, amount: number): number {
  return amount * 10 ** Math.max(0, currencyDecimals(currency) - 2);
}

function threeBandsEach(currency: string): Pick<ModelConfig, "recency" | "frequency" | "monetary"> {
  return {
    recency: {
      bands: [
        { name: "short", max: "30d", points: 5 },
        { name: "medium", max: "90d", points: 3 },
        { name: "long", points: 1 },
      ],
    },
    frequency: {
      window: "365d",
      bands: [
        { name: "often", min: 12, points: 5 },
        { name: "regular", min: 4, points: 3 },
        { name: "casual", min: 1, points: 1 },
      ],
    },
    monetary: {
      window: "365d",
      bands: [
        { name: "spender", min: minor(currency, 50_000), points: 5 },
        { name: "average", min: minor(currency, 10_000), points: 3 },
        { name: "saver", min: 1, points: 1 },
      ],
    },
  };
}

/** Short/medium/long × often/regular/casual × spender/average/saver. */
function threebands(options: ReadyOptions): ModelConfig {
  const current = ["short", "medium"];
  return {
    ...common(options, "threebands"),
    ...threeBandsEach(options.currency),
    segments: [
      { name: "VIP", when: { recency: ["short"], frequency: ["often"], monetary: ["spender"] } },
      { name: "Loyal", when: { recency: current, frequency: ["often", "regular"] } },
      { name: "Big spender", when: { recency: current, monetary: ["spender"] } },
      { name: "Active", when: { recency: ["short"] } },
      { name: "Cooling", when: { recency: ["medium"] } },
      { name: "At risk", when: { frequency: ["often", "regular"] } },
      { name: "Lost", when: { recency: ["long"] } },
    ],
  };
}

/** VIP, at risk, new: by points and tenure. */
function points(options: ReadyOptions): ModelConfig {
  return {
    ...common(options, "points"),
    ...threeBandsEach(options.currency),
    tenure: { bands: [{ name: "new", max: "30d" }, { name: "established" }] },
    segments: [
      { name: "VIP", when: { recency: ["short", "medium"], points: { min: 13 } } },
      { name: "At risk", when: { recency: ["long"], points: { min: 7 } } },
      { name: "New", when: { tenure: ["new"] } },
    ],
  };
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
      bands: [
        { name: "top", min: minor(options.currency, 200_000), points: 4 },
        { name: "high", min: minor(options.currency, 50_000), points: 3 },
        { name: "middle", min: minor(options.currency, 20_000), points: 2 },
        { name: "low", min: minor(options.currency, 5_000), points: 1 },
      ],
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
