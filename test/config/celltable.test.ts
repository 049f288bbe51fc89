import fc from "fast-check";
import { expect, test } from "vitest";
import {
  cellTable,
  findings,
  formatCellTable,
  type ModelConfig,
  parseConfigObject,
  readyModels,
} from "../../runtime/config/index.js";
import { canOccur } from "../../runtime/config/occur.js";
import type { Model } from "../../runtime/settings.js";
import { retail } from "./retail.js";

const DAY = 86_400_000;
const compiled = (model: object) => {
  const { settings, config } = parseConfigObject({ models: [model] });
  return { model: settings.models[0], config: config.models[0] as ModelConfig };
};
const found = (segments: object[], change: object = {}) =>
  findings(compiled({ ...retail, ...change, segments }).config).map(({ kind, message, by }) => ({ kind, message, by }));
const yearly = { monetary: { ...retail.monetary, window: "365d" } };

test("DESIGN's example, as tidemark check prints it", () => {
  expect(formatCellTable(compiled(retail).model)).toMatchInlineSnapshot(`
    "retail: EUR, channels all, version 86e43ee32d0329ad

      recency           short < 30d (5), medium < 90d (3), long (1)
      frequency  365d   often ≥ 12 (5), regular ≥ 4 (3), casual ≥ 1 (1), none
      monetary   90d    spender ≥ 50000 (5), average ≥ 10000 (3), saver ≥ 1 (1), none
      tenure            new < 30d, established

    40 of 192 cells can occur
      VIP         2   5.0 %  recency short; frequency often; monetary spender
      At risk     0   0.0 %  no cell
      New        11  27.5 %  recency short; frequency often; monetary average, saver, none; tenure new
                             recency short; frequency regular, casual; tenure new
      Others     27  67.5 %  recency short; frequency often; monetary average, saver, none; tenure established
                             recency short; frequency regular, casual; tenure established
                             recency medium; frequency often, regular, casual; tenure established
                             recency long; monetary none; tenure established

    tenure new, monetary across; · can't occur
      recency  frequency  spender  average  saver  none
      short    often      VIP      New      New    New
      short    regular    New      New      New    New
      short    casual     New      New      New    New

    tenure established, monetary across; · can't occur
      recency  frequency  spender  average  saver   none
      short    often      VIP      Others   Others  Others
      short    regular    Others   Others   Others  Others
      short    casual     Others   Others   Others  Others
      medium   often      Others   Others   Others  Others
      medium   regular    Others   Others   Others  Others
      medium   casual     Others   Others   Others  Others
      long     often      ·        ·        ·       Others
      long     regular    ·        ·        ·       Others
      long     casual     ·        ·        ·       Others
      long     none       ·        ·        ·       Others"
  `);
});

test("a model without tenure is one grid; named channels and points are shown", () => {
  const { tenure: _, ...rest } = retail;
  const model = {
    ...rest,
    channels: ["web", "store"],
    recency: { bands: [{ name: "young", max: "36h" }] },
    frequency: { window: "ever", bands: [{ name: "any", min: 1 }] },
    monetary: { window: "ever", bands: [{ name: "much", min: 100, points: 2 }] },
    segments: [{ name: "Good", when: { points: { min: 2 } } }],
  };
  expect(formatCellTable(compiled(model).model)).toMatchInlineSnapshot(`
    "retail: EUR, channels web, store, version afcfb2d639509a0e

      recency           young < 36h, none
      frequency  ever   any ≥ 1, none
      monetary   ever   much ≥ 100 (2), none

    5 of 8 cells can occur
      Good       2  40.0 %  frequency any; monetary much
      Others     3  60.0 %  recency young; frequency any; monetary none
                            recency none; monetary none

    monetary across; · can't occur
      recency  frequency  much  none
      young    any        Good  Others
      none     any        Good  Others
      none     none       ·     Others"
  `);
});

test("the cells of a segment as blocks that hold exactly them", () => {
  for (const config of [retail, { ...retail, ...yearly }, ...readyModels.levels({ currency: "EUR" })]) {
    const { model } = compiled(config);
    const table = cellTable(model);
    let cells = 0;
    for (const { segment, blocks, cells: own } of table.segments) {
      const named = blocks.flatMap((block) =>
        model.dimensions.reduce<number[][]>(
          (list, dimension) =>
            list.flatMap((bands) =>
              block[dimension.name].map((name) => [
                ...bands,
                dimension.bands.findIndex((band) => band.name === name) + 1,
              ]),
            ),
          [[]],
        ),
      );
      expect(named.length).toBe(own);
      for (const bands of named) {
        const cell = bands.reduce((sum, band, d) => sum + band * model.strides[d], 0);
        expect(model.segments[model.cells[cell]]).toBe(segment);
      }
      cells += own;
    }
    expect(cells).toBe(table.cellsPossible);
    expect(table.cells).toBe(model.cells.length);
  }
});

test("a rule that earlier ones leave nothing never decides", () => {
  const segments = [
    { name: "Fresh", when: { recency: ["short"] } },
    { name: "Often", when: { frequency: ["often"] } },
    { name: "VIP", when: { recency: ["short"], frequency: ["often"] } },
  ];
  expect(found(segments, yearly)).toMatchInlineSnapshot(`
    [
      {
        "by": [
          "Fresh",
        ],
        "kind": "shadowed",
        "message": "Often: earlier rules take 8 of its 16 cells (8 by Fresh)",
      },
      {
        "by": [
          "Fresh",
        ],
        "kind": "unreachable",
        "message": "VIP: never decides: earlier rules take all its cells (Fresh)",
      },
    ]
  `);
});

test("a rule whose points can't be reached never matches", () => {
  expect(found([{ name: "Top", when: { points: { min: 16 } } }])).toMatchInlineSnapshot(`
    [
      {
        "by": [],
        "kind": "impossible",
        "message": "Top: can never match: no combination of bands meets all its conditions",
      },
    ]
  `);
});

test("a rule whose bands can't occur together never matches: DESIGN's own At risk, with a window of 90 d", () => {
  const segments = [{ name: "At risk", when: { recency: ["long"], points: { min: 7 } } }];
  expect(found(segments)).toMatchInlineSnapshot(`
    [
      {
        "by": [],
        "kind": "impossible",
        "message": "At risk: can never match: the bands it names can't occur together, given the windows and ages",
      },
    ]
  `);
  expect(found(segments, yearly)).toEqual([]);
  expect(found([{ name: "New", when: { tenure: ["new"], recency: ["long"] } }])).toHaveLength(1);
  expect(found([{ name: "Idle", when: { recency: ["short"], frequency: ["none"] } }])).toHaveLength(1);
});

test("a rule in part behind others says whose cells they are; one alone says nothing", () => {
  const segments = [
    { name: "A", when: { recency: ["short"] } },
    { name: "B", when: { frequency: ["often"] } },
    { name: "C", when: {} },
  ];
  const list = found(segments, yearly);
  expect(list.map(({ kind }) => kind)).toEqual(["shadowed", "shadowed"]);
  expect(list[0]?.by).toEqual(["A"]);
  expect(list[1]?.by).toEqual(["A", "B"]);
  expect(list).toMatchInlineSnapshot(`
    [
      {
        "by": [
          "A",
        ],
        "kind": "shadowed",
        "message": "B: earlier rules take 8 of its 16 cells (8 by A)",
      },
      {
        "by": [
          "A",
          "B",
        ],
        "kind": "shadowed",
        "message": "C: earlier rules take 32 of its 49 cells (24 by A, 8 by B)",
      },
    ]
  `);
});

/** Bands of a customer by the words of DESIGN 3, straight from its orders: an age, a count, a sum, an age. */
function bandsAt(model: Model, events: readonly { time: number; amount: number }[], at: number): number[] {
  // A negative amount is a refund without order.
  const orders = events.filter(({ amount }) => amount >= 0);
  const times = orders.map(({ time }) => time);
  return model.dimensions.map(({ measure, windowMs, bands }) => {
    const within = ({ time }: { time: number }) => at < time + windowMs;
    const inside = orders.filter(within);
    const value = {
      newest: at - Math.max(...times),
      oldest: at - Math.min(...times),
      count: inside.length,
      sum: events.filter(within).reduce((sum, { amount }) => sum + amount, 0),
    }[measure];
    const age = measure === "newest" || measure === "oldest";
    return bands.findIndex(({ limit }) => (age ? value < limit : value >= limit)) + 1;
  });
}

test("no customer is ever in a cell that is said not to occur", () => {
  const models = [
    retail,
    { ...retail, ...yearly },
    { ...retail, frequency: { ...retail.frequency, window: "30d" } },
    { ...retail, frequency: { ...retail.frequency, window: "ever" } },
    ...readyModels.levels({ currency: "EUR" }),
  ].map((config) => compiled(config).model);
  const order = fc.record({
    day: fc.integer({ min: 0, max: 500 }),
    amount: fc.constantFrom(0, 1, 9_999, 60_000, 300_000, -20_000),
  });
  fc.assert(
    fc.property(fc.array(order, { minLength: 1, maxLength: 15 }), fc.integer({ min: 0, max: 900 }), (orders, day) => {
      const placed = orders.map((o, i) => ({ time: o.day * DAY, amount: i === 0 ? Math.abs(o.amount) : o.amount }));
      for (const model of models) {
        expect(canOccur(model.dimensions, bandsAt(model, placed, day * DAY))).toBe(true);
      }
    }),
    { numRuns: 2000 },
  );
});
