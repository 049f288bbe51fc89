// @ts-check
/** The moves, newest first: a bounded list that can be paused. */
import { byId, coloured, count, dayOf, element, moment, money } from "./format.js";
import { NONE } from "./segments.js";

/**
 * @typedef {{ segment: string | null, [dimension: string]: string | null }} Place
 * @typedef {{ kind: string, event: string | null, order: string | null, channel: string | null, time: string | null, boundaries: string[] }} Cause
 * @typedef {{ firstOrder: string | null, lastOrder: string | null, orders: number, spend: number, ordersEver: number, spendEver: number, points: number }} Values
 * @typedef {{ id: string, subject: string, time: string, data: { model: string, revision: number, change: string, currency: string,
 *   from: Place, to: Place, cause: Cause, before: Values, after: Values, next: { at: string, segment: string } | null, due: string | null } }} MigrationEvent
 */

const SHOWN_MAX = 100;
/** In a flood the list is drawn so often and no more. */
const DRAW_MS = 200;

export class Stream {
  #list = byId("moves");
  #empty = byId("empty");
  #pause = byId("pause");
  #paused = false;
  /** @type {(MigrationEvent | null)[]} what waits for the next frame, or for the end of a pause; null: a gap */
  #waiting = [];
  #missed = 0;
  #asked = false;
  #drawn = 0;
  /** @type {string[]} */
  #segments = [];
  /** @type {string | null | undefined} */
  #only;

  constructor() {
    this.#pause.addEventListener("click", () => this.#toggle());
  }

  /** @param {{ segments: string[] }} model */
  show({ segments }) {
    this.#segments = segments;
    this.#waiting = [];
    this.#missed = 0;
    this.#list.replaceChildren();
    this.#only = undefined;
    this.#label();
    this.#emptiness();
  }

  /** @param {MigrationEvent} event */
  add(event) {
    this.#queue(event);
  }

  gap() {
    this.#queue(null);
  }

  /** Only moves from or to this segment; undefined: all. @param {string | null | undefined} segment */
  only(segment) {
    this.#only = segment;
    for (const item of this.#list.children) {
      if (item instanceof HTMLElement) item.hidden = !this.#wanted(item);
    }
    this.#emptiness();
  }

  /** @param {MigrationEvent | null} event */
  #queue(event) {
    this.#waiting.push(event);
    if (this.#waiting.length > SHOWN_MAX) {
      this.#waiting.shift();
      this.#missed++;
    }
    if (this.#paused) return this.#label();
    if (this.#asked) return;
    this.#asked = true;
    const draw = () => {
      this.#asked = false;
      this.#drawn = Date.now();
      if (!this.#paused) this.#flush();
    };
    setTimeout(() => requestAnimationFrame(draw), Math.max(0, this.#drawn + DRAW_MS - Date.now()));
  }

  #flush() {
    const fresh = this.#list.childElementCount > 0 && this.#waiting.length <= 10;
    for (const event of this.#waiting) {
      const item = event === null ? element("li", "gap", "Some moves before this are not shown") : this.#item(event);
      if (fresh && event !== null) item.classList.add("new");
      item.hidden = !this.#wanted(item);
      this.#list.prepend(item);
    }
    this.#waiting = [];
    this.#missed = 0;
    while (this.#list.childElementCount > SHOWN_MAX) this.#list.lastElementChild?.remove();
    this.#label();
    this.#emptiness();
  }

  #toggle() {
    this.#paused = !this.#paused;
    this.#pause.setAttribute("aria-pressed", String(this.#paused));
    if (!this.#paused) this.#flush();
    this.#label();
  }

  #label() {
    const waiting = this.#waiting.length + this.#missed;
    this.#pause.textContent = !this.#paused ? "Pause" : waiting === 0 ? "Resume" : `Resume · ${count(waiting)} new`;
  }

  #emptiness() {
    const shown = [...this.#list.children].some((item) => item instanceof HTMLElement && !item.hidden);
    this.#empty.hidden = shown;
    this.#list.hidden = !shown;
    this.#empty.textContent =
      this.#only === undefined
        ? "Nobody has moved yet. Moves appear here the moment they happen."
        : "None of the latest moves went from or to here.";
  }

  /** @param {HTMLElement} item */
  #wanted(item) {
    if (this.#only === undefined) return true;
    const name = this.#only ?? "";
    return item.dataset.from === name || item.dataset.to === name;
  }

  /** @param {MigrationEvent} event */
  #item({ subject, time, data }) {
    const { from, to, cause, next } = data;
    const when = element("time", "", moment(time));
    when.dateTime = time;
    when.title = time;
    const customer = element("span", "customer", subject);
    customer.title = subject;
    const path = element("div", "path", this.#place(from.segment));
    if (from.segment !== to.segment) path.append(element("span", "arrow", "→"), this.#place(to.segment));
    const summary = element(
      "summary",
      "",
      element("div", "line", customer, when),
      path,
      why(cause, from.segment !== null),
    );
    if (next !== null) {
      summary.append(element("div", "then", `then ${next.segment} on ${dayOf(next.at)}, if nothing is bought`));
    }
    const details = element("details", "", summary);
    // Built when it is looked at: most moves never are.
    details.addEventListener("toggle", () => details.open && details.append(more(data)), { once: true });
    const item = element("li", "", details);
    item.dataset.from = from.segment ?? "";
    item.dataset.to = to.segment ?? "";
    return item;
  }

  /** @param {string | null} segment */
  #place(segment) {
    const index = segment === null ? null : this.#segments.indexOf(segment);
    return coloured(element("span", "place", segment ?? NONE), index, this.#segments.length);
  }
}

/** What did it, and which bands changed. @param {Cause} cause @param {boolean} bands */
function why({ kind, event, order, channel, boundaries }, bands) {
  const where = channel === null ? "" : ` on ${channel}`;
  const about = order === null || order === event ? "" : ` of order ${order}`;
  /** @type {Record<string, string>} */
  const words = {
    order: `Order ${event}${where}`,
    refund: `Refund ${event}${about}${where}`,
    cancel: `Cancel ${event}${about}${where}`,
    amend: `Order ${order ?? event} changed${where}`,
    recency: "Time passed without an order",
    window: "An order left the window",
    tenure: "Longer a customer",
    model: "The model changed",
  };
  const changes = (bands ? boundaries : []).map((text) => element("span", "boundary", text));
  return element("div", "why", element("span", "", words[kind] ?? kind), ...changes);
}

/** @param {MigrationEvent["data"]} data */
function more({ before, after, currency, revision, due }) {
  /** @type {[string, string, string][]} */
  const lines = [
    ["Orders in the window", count(before.orders), count(after.orders)],
    ["Spend in the window", money(before.spend, currency), money(after.spend, currency)],
    ["Orders ever", count(before.ordersEver), count(after.ordersEver)],
    ["Spend ever", money(before.spendEver, currency), money(after.spendEver, currency)],
    ["Points", count(before.points), count(after.points)],
    [
      "Last order",
      .../** @type {[string, string]} */ (
        [before, after].map((v) => (v.lastOrder === null ? "–" : dayOf(v.lastOrder)))
      ),
    ],
  ];
  const rows = lines.map(([name, was, is]) => {
    const head = element("th", "", name);
    head.scope = "row";
    return element("tr", "", head, element("td", "", was), element("td", "", is));
  });
  const heads = ["", "before", "after"].map((name) => element("th", "", name));
  for (const head of heads.slice(1)) head.style.textAlign = "right";
  const table = element("table", "", element("thead", "", element("tr", "", ...heads)), element("tbody", "", ...rows));
  const foot = `Revision ${count(revision)}${due === null ? "" : ` · next change of a band ${dayOf(due)}`}`;
  return element("div", "more", table, element("p", "then", foot));
}
