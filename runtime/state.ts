/** The state of customers as rows, and as lines of the State CSV. */

/** One customer in one model. Times in ms, money in minor units; a band is its name or `none`. */
export interface StateRow {
  readonly model: string;
  readonly customer: string;
  readonly lastOrder: number | null;
  readonly firstOrder: number | null;
  readonly orders: number;
  readonly spend: number;
  readonly ordersEver: number;
  readonly spendEver: number;
  readonly recency: string | null;
  readonly frequency: string | null;
  readonly monetary: string | null;
  /** Null where the model has none. */
  readonly tenure: string | null;
  readonly points: number;
  /** Null: in no segment. */
  readonly segment: string | null;
}

export const STATE_HEADER =
  "instant,model,customer,last_order_ms,first_order_ms,orders,spend,orders_ever,spend_ever," +
  "recency,frequency,monetary,tenure,points,segment";

/** A line of the State CSV (RFC 4180, without the line's end). `instant` in ms. */
export function stateLine(instant: number, row: StateRow): string {
  return [
    instant,
    field(row.model),
    field(row.customer),
    row.lastOrder ?? "",
    row.firstOrder ?? "",
    row.orders,
    row.spend,
    row.ordersEver,
    row.spendEver,
    field(row.recency),
    field(row.frequency),
    field(row.monetary),
    field(row.tenure),
    row.points,
    field(row.segment),
  ].join(",");
}

function field(text: string | null): string {
  if (text === null) return "";
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Order of the State CSV: by model, then customer, both by the bytes of their UTF-8. */
export function compareRows(a: StateRow, b: StateRow): number {
  return compareUtf8(a.model, b.model) || compareUtf8(a.customer, b.customer);
}

/** Order of the UTF-8 bytes, which is that of code points; `<` alone compares code units. */
export function compareUtf8(a: string, b: string): number {
  if (a === b) return 0;
  const end = Math.min(a.length, b.length);
  let i = 0;
  while (i < end && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  if (i === a.length || i === b.length) return a.length - b.length;
  return rank(a.charCodeAt(i)) - rank(b.charCodeAt(i));
}

/** Surrogates stand for code points above all others of the 16-bit range. */
function rank(unit: number): number {
  return unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
