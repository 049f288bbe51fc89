// @ts-check
/** Customers by two dimensions at a time, as heat tables. */
import { byId, count, element, share, shortCount } from "./format.js";

/**
 * @typedef {{ name: string, stride: number, bands: { name: string }[] }} Dimension
 * @typedef {{ body: HTMLTableSectionElement, rows: Dimension, columns: Dimension, cells: HTMLElement[][], lines: HTMLElement[], heads: HTMLElement[] }} Table
 */

const PAIRS = [
  ["recency", "frequency"],
  ["recency", "monetary"],
  ["frequency", "monetary"],
];

export class Crosstables {
  #place = byId("crosstables");
  /** @type {Table[]} */
  #tables = [];

  /** @param {{ dimensions: Dimension[] }} model */
  show({ dimensions }) {
    this.#tables = [];
    this.#place.replaceChildren();
    for (const [first, second] of PAIRS) {
      const rows = dimensions.find(({ name }) => name === first);
      const columns = dimensions.find(({ name }) => name === second);
      if (rows !== undefined && columns !== undefined) this.#add(rows, columns);
    }
  }

  /** @param {{ cells: number[], customers: number }} counts */
  update({ cells, customers }) {
    for (const table of this.#tables) {
      const sums = sumOver(table, cells);
      const largest = Math.max(1, ...sums.flat());
      for (const [r, line] of table.cells.entries()) {
        for (const [c, cell] of line.entries()) {
          const value = sums[r]?.[c] ?? 0;
          cell.textContent = shortCount(value);
          cell.title = `${count(value)} customers, ${share(value, customers)}`;
          cell.classList.toggle("zero", value === 0);
          // By the root: shares of customers are so uneven that a straight scale shows one dark cell and no others.
          cell.style.setProperty("--share", String(Math.sqrt(value / largest)));
        }
      }
      hideEmptyNone(table, sums);
    }
  }

  /** @param {Dimension} rows @param {Dimension} columns */
  #add(rows, columns) {
    const heads = bandsOf(columns).map((name) => header(name, "col"));
    const blank = element("th", "");
    const body = element("tbody", "");
    /** @type {HTMLElement[][]} */
    const cells = [];
    /** @type {HTMLElement[]} */
    const lines = [];
    for (const name of bandsOf(rows)) {
      const line = bandsOf(columns).map(() => element("td", "zero", "–"));
      const row = element("tr", "", header(name, "row"), ...line);
      cells.push(line);
      lines.push(row);
      body.append(row);
    }
    const caption = element("caption", "", title(rows.name), element("span", "", " by "), columns.name);
    const head = element("thead", "", element("tr", "", blank, ...heads));
    this.#place.append(element("div", "card", element("table", "", caption, head, body)));
    this.#tables.push({ body, rows, columns, cells, lines, heads });
  }
}

/** Bands in order, `none` last. @param {Dimension} dimension */
function bandsOf({ bands }) {
  return [...bands.map(({ name }) => name), "none"];
}

/**
 * Sums over the other dimensions; band 0 (`none`) comes last.
 * @param {Table} table @param {number[]} cells @returns {number[][]}
 */
function sumOver({ rows, columns }, cells) {
  const height = rows.bands.length + 1;
  const width = columns.bands.length + 1;
  const sums = Array.from({ length: height }, () => new Array(width).fill(0));
  for (const [cell, customers] of cells.entries()) {
    if (customers === 0) continue;
    const r = Math.floor(cell / rows.stride) % height;
    const c = Math.floor(cell / columns.stride) % width;
    const line = sums[(r + height - 1) % height];
    if (line !== undefined) line[(c + width - 1) % width] += customers;
  }
  return sums;
}

/**
 * The bands `none` are shown only where someone is in them. Customers in no segment have no cell: they are told above.
 * @param {Table} table @param {number[][]} sums
 */
function hideEmptyNone({ cells, lines, heads }, sums) {
  const lastLine = lines.at(-1);
  if (lastLine !== undefined) lastLine.hidden = (sums.at(-1) ?? []).every((value) => value === 0);
  const hidden = sums.every((line) => line.at(-1) === 0);
  for (const node of [heads.at(-1), ...cells.map((line) => line.at(-1))]) if (node !== undefined) node.hidden = hidden;
}

/** @param {string} name @param {string} scope */
function header(name, scope) {
  const node = element("th", "", name);
  node.scope = scope;
  node.title = name;
  return node;
}

/** @param {string} word */
function title(word) {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}
