// @ts-check
/** Live counts of one model's segments: a strip of shares, and a row each. */
import { byId, coloured, count, element, share } from "./format.js";

/**
 * @typedef {{ model: string, version: string, customers: number, none: number, segments: { name: string, customers: number }[], cells: number[] }} Counts
 * @typedef {{ name: string, segments: string[] }} SegmentModel
 * @typedef {{ button: HTMLButtonElement, count: HTMLElement, share: HTMLElement, flow: HTMLElement, part: HTMLElement, came: number, left: number }} Row
 */

export const NONE = "No segment";

export class Segments {
  #list = byId("segments");
  #strip = byId("strip");
  #total = byId("customers");
  /** @type {Map<string | null, Row>} */
  #rows = new Map();
  /** @type {string | null | undefined} */
  #picked;
  #pick;
  #asked = false;

  /** @param {(segment: string | null | undefined) => void} pick  Told which segment's moves are wanted; undefined: all. */
  constructor(pick) {
    this.#pick = pick;
  }

  /** @param {SegmentModel} model */
  show({ segments }) {
    this.#rows.clear();
    this.#list.replaceChildren();
    this.#strip.replaceChildren();
    this.#picked = undefined;
    this.#total.textContent = "–";
    for (const [index, name] of segments.entries()) this.#add(name, index, segments.length);
    this.#add(null, null, segments.length);
  }

  /** @param {Counts} counts */
  update({ customers, none, segments }) {
    this.#total.textContent = count(customers);
    const largest = Math.max(1, none, ...segments.map((segment) => segment.customers));
    for (const { name, customers: value } of segments) this.#set(name, value, customers, largest);
    this.#set(null, none, customers, largest);
  }

  /** Counts a move since the page was opened. @param {string | null} from @param {string | null} to */
  moved(from, to) {
    if (from === to) return;
    const left = this.#rows.get(from);
    const came = this.#rows.get(to);
    if (left !== undefined) left.left++;
    if (came !== undefined) came.came++;
    // Moves can come by the thousand a second; a frame shows them all.
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      this.#showFlows();
    });
  }

  #showFlows() {
    for (const row of this.#rows.values()) {
      if (row.came + row.left === 0) continue;
      row.flow.textContent = `+${count(row.came)}  −${count(row.left)}`;
      row.flow.title = `${count(row.came)} came and ${count(row.left)} left since this page was opened`;
    }
  }

  clearPick() {
    this.#choose(undefined);
  }

  /** @param {string | null} name @param {number | null} index @param {number} segments */
  #add(name, index, segments) {
    const fill = element("span", "fill");
    const cells = {
      count: element("span", "count", "–"),
      share: element("span", "share"),
      flow: element("span", "flow"),
    };
    const button = element(
      "button",
      "segment",
      element("span", "swatch"),
      element("span", "name", name ?? NONE),
      element("span", "track", fill),
      cells.count,
      cells.share,
      cells.flow,
    );
    button.type = "button";
    button.title = "Show only the moves from and to here";
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => this.#choose(this.#picked === name ? undefined : name));
    coloured(button, index, segments);
    const part = coloured(element("span", ""), index, segments);
    this.#strip.append(part);
    this.#list.append(element("li", "", button));
    this.#rows.set(name, { button, ...cells, part, came: 0, left: 0 });
  }

  /** @param {string | null} name @param {number} value @param {number} total @param {number} largest */
  #set(name, value, total, largest) {
    const row = this.#rows.get(name);
    if (row === undefined) return;
    row.count.textContent = count(value);
    row.share.textContent = share(value, total);
    row.button.style.setProperty("--share", String(value / largest));
    row.part.style.setProperty("--share", String(total === 0 ? 0 : value / total));
    // In no segment is the exception: it is listed only where it happens.
    if (name === null && row.button.parentElement !== null) row.button.parentElement.hidden = value === 0;
  }

  /** @param {string | null | undefined} name */
  #choose(name) {
    this.#picked = name;
    for (const [key, { button }] of this.#rows) button.setAttribute("aria-pressed", String(key === name));
    this.#pick(name);
  }
}
