// @ts-check
/** How numbers, instants and elements are shown. */

/** The reader's own. */
const LOCALE = undefined;
const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumSignificantDigits: 3 });
const percent = new Intl.NumberFormat(LOCALE, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(LOCALE, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const day = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short", year: "numeric" });
const dayClock = new Intl.DateTimeFormat(LOCALE, {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});

/** 12,345. @param {number} value */
export const count = (value) => whole.format(value);

/** 1,234 or, beyond 9,999, 12.3K: for cells with little room. @param {number} value */
export const shortCount = (value) => (value < 10_000 ? whole.format(value) : compact.format(value));

/** 12.3%. @param {number} part @param {number} total */
export const share = (part, total) => (total === 0 ? "–" : percent.format(part / total));

/** The time of day where it is today, else the day too. @param {string | number} instant */
export function moment(instant) {
  const date = new Date(instant);
  return day.format(date) === day.format(new Date()) ? clock.format(date) : dayClock.format(date);
}

/** @param {string | number} instant */
export const dayOf = (instant) => day.format(new Date(instant));

/** Minor units in a currency. @param {number} minor @param {string} currency */
export function money(minor, currency) {
  const format = new Intl.NumberFormat(LOCALE, { style: "currency", currency });
  return format.format(minor / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
}

/**
 * An element with classes and children. Text stays text: what comes from orders is never read as markup.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {string} classes @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, classes, ...children) {
  const node = document.createElement(tag);
  if (classes !== "") node.className = classes;
  node.append(...children);
  return node;
}

/** @param {string} id */
export function byId(id) {
  const node = document.getElementById(id);
  if (node === null) throw new Error(`the page has no #${id}`);
  return node;
}

// Neighbours in rule order get hues far apart; the first is the tide's own.
const HUES = [190, 85, 30, 300, 145, 255, 345, 115, 225, 60];

/**
 * Gives an element the colour of a segment: the same one everywhere on the page. The last segment is `Others`,
 * null none at all: both without a hue.
 * @template {HTMLElement} T
 * @param {T} node @param {number | null} segment @param {number} segments @returns {T}
 */
export function coloured(node, segment, segments) {
  const plain = segment === null || segment < 0 || segment === segments - 1;
  node.classList.add("swatched");
  node.classList.toggle("plain", plain);
  node.classList.toggle("none", segment === null);
  if (!plain) node.style.setProperty("--hue", String(HUES[segment % HUES.length]));
  return node;
}
