/** An explanation for a terminal: by model the place, the orders, what comes, and what would bring more. */
import { currencyDecimals } from "../../runtime/config/currency.js";
import type { Change, ExplainedDimension, ExplainedModel, OrderInModel, Reach } from "../../runtime/explain.js";
import type { Why } from "../../runtime/modelview.js";
import { instantText } from "../file/index.js";
import type { ExplanationDescription } from "../http/explanation.js";
import { money } from "./money.js";
import { age } from "./statusscreen.js";
import { type Column, count, counted, cut, printable, type Terminal, table, width } from "./terminal.js";

const DAY_MS = 86_400_000;
/** From here on instants are shown to the second in the table, too. */
const WIDE_COLUMNS = 120;
/** Below so many columns the last one is left out. */
const LAST_MIN = 6;
const RIGHT = { right: true } as const;

/** In a few words, and in full where the terminal is wide. */
const WORDS: Readonly<Record<Why, readonly [string, string]>> = {
  counts: ["", ""],
  otherCurrency: ["other currency", "other currency: counts as an order alone"],
  kept: ["refunded, kept", "refunded in full: counts as an order alone"],
  refundAlone: ["refund alone", "refund without order: lowers the sum"],
  refunded: ["no: refunded", "no: refunded in full"],
  cancelled: ["no: cancelled", "no: cancelled"],
  voided: ["no: status", "no: its own status says so"],
  channel: ["no: channel", "no: the model does not take its channel"],
  currency: ["no: currency", "no: the model does not take its currency"],
};

/** No wider than the terminal, but for customers' ids and segments' names. */
export function explanationLines(terminal: Terminal, explanation: ExplanationDescription): string[] {
  const { customer, partition, at, exact, orderCount, orders, models } = explanation;
  const lines = [
    `${terminal.style("bold", printable(customer))}  ${terminal.style("dim", `true at ${instantText(at)}, partition ${partition}`)}`,
  ];
  if (!exact)
    lines.push(
      terminal.style("yellow", "  What fell due is still being worked off: segments shown may be behind the orders."),
    );
  if (models.length === 0) lines.push("  No order of it has come: there is no row.");
  for (const model of models) lines.push("", ...modelLines(terminal, explanation, model));
  if (explanation.waitingCount > 0) lines.push("", ...waitingLines(terminal, explanation));
  if (orders.length < orderCount)
    lines.push(
      "",
      terminal.style(
        "dim",
        `The latest ${count(orders.length)} of ${counted(orderCount, "order")} are listed (--orders); the sums are of all.`,
      ),
    );
  return lines;
}

function modelLines(terminal: Terminal, explanation: ExplanationDescription, model: ExplainedModel): string[] {
  const dim = (text: string) => terminal.style("dim", text);
  const segment = model.segment === null ? "in no segment" : printable(model.segment);
  const since = model.since === null ? "" : dim(` since ${instantText(model.since)}`);
  return [
    `${printable(model.model)}  ${terminal.style("bold", segment)}${since}`,
    ...dimensionLines(terminal, explanation, model),
    ...orderLines(terminal, explanation, model),
    ...nextLines(terminal, explanation.at, model),
    ...reachLines(terminal, model),
  ];
}

function dimensionLines(terminal: Terminal, { at }: ExplanationDescription, model: ExplainedModel): string[] {
  const value = ({ measure, value, windowMs }: ExplainedDimension) => {
    const window = windowMs === null ? "ever" : `in ${duration(windowMs)}`;
    if (measure === "count") return `${counted(value ?? 0, "order")} ${window}`;
    if (measure === "sum") return `${amount(value ?? 0, model.currency)} ${window}`;
    const which = measure === "newest" ? "last order" : "first order";
    if (value === null) return "no order counts";
    return `${which} ${instantText(value)}${value > at ? ", ahead of the clock" : `, ${age(at - value)} ago`}`;
  };
  const names = Math.max(...model.dimensions.map(({ name }) => name.length));
  const bands = Math.max(...model.dimensions.map(({ band }) => width(printable(band))));
  const lines = model.dimensions.map((dimension) => {
    const band = printable(dimension.band);
    const padded = `${band}${" ".repeat(bands - width(band))}`;
    return `  ${terminal.style("dim", dimension.name.padEnd(names))}  ${padded}  ${value(dimension)}`;
  });
  const ever = `${counted(model.ordersEver, "order")} and ${amount(model.spendEver, model.currency)} ever`;
  return [
    ...lines,
    `  ${terminal.style("dim", `${ever}; ${counted(model.points, "point")}; ${counted(model.revision, "migration")} so far`)}`,
  ];
}

/** Windows of a model that are not the same: what leaves is said once for each. */
function windowsOf({ dimensions }: ExplainedModel): { title: string; leaves: (one: OrderInModel) => number | null }[] {
  const lengths = [...new Set(dimensions.flatMap(({ windowMs }) => windowMs ?? []))];
  return lengths.map((length) => ({
    title: `leaves ${duration(length)}`,
    leaves: ({ leaves }) => leaves.find((then, d) => then !== null && dimensions[d]?.windowMs === length) ?? null,
  }));
}

function orderLines(terminal: Terminal, explanation: ExplanationDescription, model: ExplainedModel): string[] {
  const { orders, at } = explanation;
  if (isForeign(explanation, model))
    return [
      "",
      `  ${terminal.style("dim", `None of its ${counted(explanation.orderCount, "order")} is of this model's channels and currency.`)}`,
    ];
  const wide = terminal.columns >= WIDE_COLUMNS;
  const windows = windowsOf(model);
  const left = (then: number | null) => {
    if (then === null) return "";
    if (then > at) return wide ? second(then) : second(then).slice(0, 10);
    return terminal.style("dim", wide ? `left ${second(then)}` : "left");
  };
  const columns: Column[] = [
    { title: "placed" },
    { title: "channel" },
    { title: "amount", ...RIGHT },
    { title: "worth", ...RIGHT },
    ...windows.map(({ title }) => ({ title })),
    { title: "" },
  ];
  const rows = orders.map((order, n) => {
    const view = model.orders[n] as OrderInModel;
    const { why, worth, count } = view;
    const currency = order.currency ?? model.currency;
    const isOut = count === 0 && worth === 0;
    const refunded = order.refunded > 0 && why === "counts" ? `${amount(order.refunded, currency, "")} refunded` : "";
    const word = why === "counts" ? refunded : WORDS[why][wide ? 1 : 0];
    const isReason = isOut && why !== "counts";
    // What has no part in a window says why in its place, where there is little room.
    const inWindows = windows.map(({ leaves }, n) =>
      isReason && !wide && n === 0 ? terminal.style("yellow", word) : left(leaves(view)),
    );
    const note = isReason ? (wide || windows.length === 0 ? terminal.style("yellow", word) : "") : word;
    return [
      wide ? second(order.time) : second(order.time).slice(0, 16),
      cut(printable(order.channel ?? "–"), 12),
      `${order.kind === "refund" ? "-" : ""}${amount(order.amount, currency, currency === model.currency ? "" : currency)}`,
      isOut ? terminal.style("dim", "–") : amount(worth, model.currency, ""),
      ...inWindows,
      [note, order.future ? "ahead" : ""].filter((text) => text !== "").join(", "),
    ];
  });
  const lines = rows.length === 0 ? [] : fitted(terminal, columns, rows);
  const { rest, past } = model;
  if (rest.orders > 0)
    lines.push(
      `  ${terminal.style("dim", `and ${counted(rest.orders, "older one")}: ${count(rest.counting)} count, worth ${amount(rest.worth, model.currency)}`)}`,
    );
  if (past.orders > 0 || past.first !== null) {
    const when = past.last === null ? "" : `, the last on ${second(past.last).slice(0, 10)}`;
    lines.push(
      `  ${terminal.style("dim", `older than the horizon: ${counted(past.orders, "order")} that counted, worth ${amount(past.spend, model.currency)}${when}`)}`,
    );
  }
  return lines.length === 0 ? [] : ["", `  ${terminal.style("bold", "Orders")}`, ...lines];
}

/** Does the model take none of the customer's orders, as far as is known? */
function isForeign(
  { orders }: ExplanationDescription,
  { orders: views, rest, ordersEver, spendEver }: ExplainedModel,
): boolean {
  if (orders.length === 0 || ordersEver !== 0 || spendEver !== 0 || rest.orders > 0) return false;
  return views.every(({ why }) => why === "channel" || why === "currency");
}

/** Rows whose last cell is cut where it does not fit, or left out where there is no room for it. */
function fitted(terminal: Terminal, columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const before = Math.max(...table(terminal, columns.slice(0, -1), rows).map(width));
  const room = terminal.columns - before - 2;
  if (room < LAST_MIN) return table(terminal, columns.slice(0, -1), rows);
  const last = columns.length - 1;
  const cells = rows.map((row) => row.map((cell, i) => (i === last && width(cell) > room ? cut(cell, room) : cell)));
  return table(terminal, columns, cells);
}

function nextLines(terminal: Terminal, at: number, { next, nextMore }: ExplainedModel): string[] {
  const heading = `  ${terminal.style("bold", "If nothing is bought")}`;
  if (next.length === 0) return ["", heading, "  nothing changes any more"];
  const segment = ({ segment }: Change) =>
    segment === null
      ? ""
      : `${printable(segment.from ?? "(none)")} → ${terminal.style("bold", printable(segment.to ?? "(none)"))}`;
  const columns: Column[] = [{ title: "when" }, { title: "in", ...RIGHT }, { title: "segment" }, { title: "band" }];
  // A line a band; what they have in common stands in the first.
  const rows = next.flatMap((change) =>
    change.bands.map(({ dimension, from, to }, n) => [
      ...(n === 0 ? [instantIn(terminal, change.at), age(change.at - at), segment(change)] : ["", "", ""]),
      `${dimension} ${printable(from)} → ${printable(to)}`,
    ]),
  );
  const more = nextMore ? [`  ${terminal.style("dim", "and so on")}`] : [];
  return ["", heading, ...fitted(terminal, columns, rows), ...more];
}

function reachLines(terminal: Terminal, model: ExplainedModel): string[] {
  if (model.reach.length === 0) return [];
  const what = ({ orders, amount: missing, before }: Reach) => {
    const wanted =
      orders === null
        ? `another ${amount(missing ?? 0, model.currency)}`
        : counted(orders, "more order", "more orders");
    return before === null
      ? wanted
      : `${wanted} before ${terminal.columns >= WIDE_COLUMNS ? second(before) : second(before).slice(0, 16)}`;
  };
  const then = ({ segment }: Reach) =>
    segment === null
      ? ""
      : segment === model.segment
        ? terminal.style("dim", "the same")
        : terminal.style("bold", printable(segment));
  const columns: Column[] = [{ title: "band" }, { title: "what would bring it" }, { title: "segment then" }];
  const rows = model.reach.map((reach) => [`${reach.dimension} ${printable(reach.to)}`, what(reach), then(reach)]);
  return ["", `  ${terminal.style("bold", "What would bring the next band")}`, ...table(terminal, columns, rows)];
}

function waitingLines(terminal: Terminal, { waiting, waitingCount, at }: ExplanationDescription): string[] {
  const rows = waiting.map(({ kind, amount: minor, currency, expiry, item, text, base64 }) => [
    kind,
    kind === "cancel" ? "" : amount(minor, currency ?? "", currency ?? ""),
    `${second(expiry)}, in ${age(expiry - at)}`,
    printable(item === undefined ? String(text ?? base64) : JSON.stringify(item)),
  ]);
  const columns: Column[] = [
    { title: "kind" },
    { title: "amount", ...RIGHT },
    { title: "put aside" },
    { title: "item" },
  ];
  const more = waitingCount - waiting.length;
  return [
    terminal.style("bold", `${counted(waitingCount, "reversal")} whose order has not come`),
    ...fitted(terminal, columns, rows),
    ...(more > 0 ? [`  ${terminal.style("dim", `and ${count(more)} more`)}`] : []),
  ];
}

/** `12.30 EUR`: of a currency that is not known, two decimals. */
function amount(minor: number, currency: string, shown = currency): string {
  const text = money(BigInt(minor), currencyDecimals(currency));
  return shown === "" ? text : `${text} ${shown}`;
}

/** `2026-10-02 10:00:00`, UTC. With what is below a second where there is something. */
function second(ms: number): string {
  return instantText(ms).replace("T", " ").replace("Z", "");
}

/** The same to the second where the terminal is narrow: rounded down, so that `before` holds. */
function instantIn(terminal: Terminal, ms: number): string {
  return terminal.columns >= WIDE_COLUMNS ? second(ms) : second(ms).slice(0, 19);
}

/** `365 d`, `12 h` */
function duration(ms: number): string {
  return ms % DAY_MS === 0 ? `${ms / DAY_MS} d` : age(ms);
}
