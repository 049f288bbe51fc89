/** What comes for a row if nothing more is bought. */
import type { Row } from "./customer.js";
import type { Plan } from "./plan.js";
import { type Bands, boundary, counts, nextTaken, readBands, segmentOf, share } from "./row.js";

export interface Forecast {
  /** The next change of a band; Infinity for none. */
  due: number;
  /** The next change of segment, and the segment then; Infinity for none. */
  at: number;
  segment: number;
}

const bands: Bands = { recency: 0, frequency: 0, monetary: 0, tenure: 0 };

/** Looks ahead from a row that has its bands and segment. Cost: the entries in its windows. */
export function forecast(row: Row, plan: Plan): Forecast {
  const found = { due: Number.POSITIVE_INFINITY, at: Number.POSITIVE_INFINITY, segment: row.segment };
  if (row.lastTime === 0) return found;
  let { recency, tenure, orders, spend, countFrom, sumFrom } = row;
  for (;;) {
    let now = boundary(row, plan, recency, tenure);
    if (countFrom !== undefined) now = Math.min(now, countFrom.time + plan.frequencyMs);
    if (sumFrom !== undefined) now = Math.min(now, sumFrom.time + plan.monetaryMs);
    if (now === Number.POSITIVE_INFINITY) return found;
    while (countFrom !== undefined && countFrom.time + plan.frequencyMs <= now) {
      if (counts(plan, countFrom)) orders--;
      countFrom = nextTaken(plan, countFrom);
    }
    while (sumFrom !== undefined && sumFrom.time + plan.monetaryMs <= now) {
      spend -= share(plan, sumFrom);
      sumFrom = nextTaken(plan, sumFrom);
    }
    readBands(bands, row, plan, orders, spend, now);
    ({ recency, tenure } = bands);
    if (found.due === Number.POSITIVE_INFINITY) {
      const { frequency, monetary } = bands;
      const isSame =
        recency === row.recency && frequency === row.frequency && monetary === row.monetary && tenure === row.tenure;
      if (!isSame) found.due = now;
    }
    const segment = segmentOf(row, plan, bands);
    if (segment !== row.segment) {
      found.at = now;
      found.segment = segment;
      return found;
    }
  }
}
