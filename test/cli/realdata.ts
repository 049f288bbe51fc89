/** The real data sets, how to read them, and what two SQL engines found in them at three instants. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { sharedFolder, warnSkipped } from "../support/cases.js";

const SHARED = sharedFolder() ?? "";

export interface DataSet {
  readonly name: string;
  readonly currency: string;
  readonly file: string;
  readonly oracle: string;
  readonly options: readonly string[];
}

export const DATA_SETS: readonly DataSet[] = [
  {
    name: "cdnow",
    currency: "USD",
    file: join(SHARED, "data/cdnow_orders.csv.gz"),
    oracle: join(SHARED, "oracle/cdnow.csv.gz"),
    options: ["--map", "id=order_id,customer=customer_id,time=ts,amount=amount_cents"],
  },
  {
    name: "online_retail",
    currency: "GBP",
    file: join(SHARED, "data/online_retail_invoices.csv.gz"),
    oracle: join(SHARED, "oracle/online_retail.csv.gz"),
    options: [
      "--map",
      "id=invoice_no,customer=customer_id,time=ts,amount=amount_pence",
      "--kind",
      "sale=order,refund=refund",
    ],
  },
];

/** The invoices as they were published, line by line: the same oracle. */
export const LINES: DataSet = {
  name: "online_retail_lines",
  currency: "GBP",
  file: join(SHARED, "data/online_retail_lines.csv.gz"),
  oracle: join(SHARED, "oracle/online_retail.csv.gz"),
  options: [
    ...["--map", "id=InvoiceNo,customer=CustomerID,time=InvoiceDate,amount=Quantity*UnitPrice"],
    ...["--lines", "--whole-ids", "--scale", "2", "--zone", "UTC", "--kind", "refund=C*,skip=A*"],
    ...["--memory", "2"], // on disk
  ],
};

/** Says by name what is left out where it is absent. */
export function isPresent({ name, file, oracle }: DataSet): boolean {
  const present = existsSync(file) && existsSync(oracle);
  if (!present) warnSkipped(`${name} on the command line`);
  return present;
}

/** Windows of 90 and 365 days, each in both roles. */
export function configuration(name: string, currency: string, clock = "event"): string {
  const model = (title: string, frequency: string, monetary: string) => `
  - name: ${title}
    currency: ${currency}
    recency:   { bands: [{ name: short, max: 30d, points: 5 }, { name: medium, max: 90d, points: 3 }, { name: long, points: 1 }] }
    frequency: { window: ${frequency}, bands: [{ name: often, min: 12, points: 5 }, { name: regular, min: 4, points: 3 }, { name: casual, min: 1, points: 1 }] }
    monetary:  { window: ${monetary}, bands: [{ name: spender, min: 50000, points: 5 }, { name: average, min: 10000, points: 3 }, { name: saver, min: 1, points: 1 }] }
    segments:
      - { name: VIP,     when: { recency: [short], frequency: [often], monetary: [spender] } }
      - { name: At risk, when: { recency: [long], points: { min: 5 } } }`;
  return `name: ${name}\nclock: ${clock}\npartitions: 4\nmodels:${model("w90", "90d", "365d")}${model("w365", "365d", "90d")}\n`;
}

/** What the oracle says, in the form of `found`: sorted lines `instant,model,customer,last,orders,spend,ordersEver,spendEver`. */
export function expected(set: DataSet): { instants: string[]; lines: string[] } {
  const [header = "", ...rows] = gunzipSync(readFileSync(set.oracle)).toString().trim().split("\n");
  const names = header.split(",");
  const instants = new Set<string>();
  const lines = rows.flatMap((row) => {
    const cells = row.split(",");
    const cell = (name: string) => cells[names.indexOf(name)] ?? "";
    instants.add(cell("instant"));
    const last = cell("last_order_epoch") === "" ? "" : Number(cell("last_order_epoch")) * 1000;
    const place = (model: string) => `${Date.parse(cell("instant"))},${model},${cell("customer_id")},${last}`;
    const ever = `${cell("f_life")},${cell("m_life_net")}`;
    return [
      `${place("w90")},${cell("f90")},${cell("m365_net")},${ever}`,
      `${place("w365")},${cell("f365")},${cell("m90_net")},${ever}`,
    ];
  });
  return { instants: [...instants].sort(), lines: lines.sort() };
}

/** Of a State CSV, the columns that the oracle knows. */
export function found(csv: string): string[] {
  const [, ...rows] = csv.trim().split("\n");
  return rows
    .map((row) => {
      const [instant, model, customer, last, , orders, spend, ordersEver, spendEver] = row.split(",");
      return [instant, model, customer, last, orders, spend, ordersEver, spendEver].join(",");
    })
    .sort();
}

/** Instants of a State CSV in their order, and whether its rows are sorted by instant, model, customer. */
export function isSorted(csv: string): boolean {
  const keys = csv
    .trim()
    .split("\n")
    .slice(1)
    .map((row) => row.split(","))
    .map(([instant, model, customer]) => Buffer.from(`${instant}\u0000${model}\u0000${customer}`));
  return keys.every((key, i) => i === 0 || Buffer.compare(keys[i - 1] as Buffer, key) < 0);
}
