/** The model that DESIGN shows, as a plain object. */
export const retail = {
  name: "retail",
  channels: "*",
  currency: "EUR",
  otherCurrency: "ignore",
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
    window: "90d",
    bands: [
      { name: "spender", min: 50000, points: 5 },
      { name: "average", min: 10000, points: 3 },
      { name: "saver", min: 1, points: 1 },
    ],
  },
  tenure: { bands: [{ name: "new", max: "30d" }, { name: "established" }] },
  segments: [
    { name: "VIP", when: { recency: ["short"], frequency: ["often"], monetary: ["spender"] } },
    { name: "At risk", when: { recency: ["long"], points: { min: 7 } } },
    { name: "New", when: { tenure: ["new"] } },
  ],
};
