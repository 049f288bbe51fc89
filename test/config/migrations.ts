/** Migrations of the model `retail`. */
import type { Migration } from "../../runtime/record.js";

const D0 = Date.UTC(2026, 0, 1);
const DAY = 86_400_000;

/** VIP until the recency boundary of day 41: case `the-designs-example`. */
export const vipNoMore: Migration = {
  type: "migration",
  number: 8,
  previous: 7,
  model: 0,
  customer: "c1",
  revision: 7,
  time: D0 + 41 * DAY,
  silent: false,
  from: { segment: 0, since: D0 + 11 * DAY, bands: [1, 1, 1, 2] },
  to: { segment: 3, since: D0 + 41 * DAY, bands: [2, 1, 1, 2] },
  cause: { kind: "recency", event: null, order: null, channel: null, time: null },
  before: {
    firstOrder: D0,
    lastOrder: D0 + 11 * DAY,
    orders: 12,
    spend: 60000,
    ordersEver: 12,
    spendEver: 60000,
    points: 15,
  },
  after: {
    firstOrder: D0,
    lastOrder: D0 + 11 * DAY,
    orders: 12,
    spend: 60000,
    ordersEver: 12,
    spendEver: 60000,
    points: 13,
  },
  next: null,
  due: D0 + 92 * DAY,
  sequence: 13,
  clock: D0 + 42 * DAY,
};

/** A first order, with what is hard to write. */
export const firstOrder: Migration = {
  ...vipNoMore,
  number: 1,
  previous: 0,
  customer: 'ju"rgen\\\n\u0001 ü😀/ ',
  revision: 1,
  time: D0 + 1,
  silent: true,
  from: { segment: null, since: null, bands: [0, 0, 0, 0] },
  to: { segment: 2, since: D0 + 1, bands: [1, 3, 0, 1] },
  cause: { kind: "order", event: 'o"1', order: null, channel: "wéb", time: D0 - 999 },
  before: { firstOrder: null, lastOrder: null, orders: 0, spend: 0, ordersEver: 0, spendEver: 0, points: 0 },
  after: {
    firstOrder: D0,
    lastOrder: D0,
    orders: 1,
    spend: -9007199254740991,
    ordersEver: 1,
    spendEver: 9007199254740991,
    points: 6,
  },
  next: { at: D0 + 30 * DAY, segment: 3 },
  due: D0 + 30 * DAY,
};

export const bandsOnly: Migration = { ...vipNoMore, to: { ...vipNoMore.to, segment: 0 } };
export const toNull: Migration = {
  ...vipNoMore,
  to: { segment: null, since: D0 + 41 * DAY, bands: [0, 0, 0, 0] },
  cause: { kind: "cancel", event: "x", order: "o", channel: "web", time: D0 },
  after: { ...vipNoMore.after, points: 0 },
  due: null,
};

export const migrations = [vipNoMore, firstOrder, bandsOnly, toNull];
