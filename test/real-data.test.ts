/** Two real shops through the kernel, against what SQL says of every customer at three instants each. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { assert, describe, test } from "vitest";
import type { InputMessage } from "../runtime/record.js";
import type { ModelWords } from "./oracle/words.js";
import { sharedFolder, warnSkipped } from "./support/cases.js";
import { drain, partitionOf, SEED, settingsOf } from "./support/kernel-driver.js";

const shared = sharedFolder();
if (shared === undefined) warnSkipped("the real shops of shared/data");

/** Rows of a CSV without quotes, as objects. */
function readCsv(file: string): Record<string, string>[] {
  const [head = "", ...lines] = gunzipSync(readFileSync(file)).toString("utf8").trimEnd().split(/\r?\n/);
  const names = head.split(",");
  return lines.map((line) => {
    const cells = line.split(",");
    return Object.fromEntries(names.map((name, n) => [name, cells[n] ?? ""]));
  });
}

function model(name: string, frequency: string, monetary: string): ModelWords {
  return {
    name,
    channels: "*",
    currency: "GBP",
    recency: {
      bands: [{ name: "short", max: "30d" }, { name: "medium", max: "90d" }, { name: "long" }],
    },
    frequency: {
      window: frequency,
      bands: [
        { name: "often", min: 4 },
        { name: "casual", min: 1 },
      ],
    },
    monetary: {
      window: monetary,
      bands: [
        { name: "spender", min: 50_000 },
        { name: "saver", min: 1 },
      ],
    },
    segments: [
      {
        name: "VIP",
        when: {
          recency: ["short"],
          frequency: ["often"],
          monetary: ["spender"],
        },
      },
    ],
  };
}
const models = [model("90-365", "90d", "365d"), model("365-90", "365d", "90d")];

type Row = Record<string, string>;
interface Shop {
  title: string;
  data: string;
  oracle: string;
  /** Undefined: not an order event of a customer. */
  event(row: Row): { time: number; event: object } | undefined;
  events: number;
}
const shops: Shop[] = [
  {
    title: "CDNOW",
    data: "cdnow_orders.csv.gz",
    oracle: "cdnow.csv.gz",
    events: 69_659,
    event: ({ order_id: id, customer_id: customer, ts, amount_cents: cents }) => {
      const time = Date.parse(ts ?? "");
      return { time, event: { id, customer, time, amount: Number(cents) } };
    },
  },
  {
    title: "Online Retail",
    data: "online_retail_invoices.csv.gz",
    oracle: "online_retail.csv.gz",
    events: 18_536 + 3_654,
    event: ({ invoice_no: id, customer_id: customer, ts, amount_pence: pence, kind }) => {
      if (customer === "" || kind === "adjust") return undefined;
      const time = Date.parse(ts ?? "");
      const amount = Math.abs(Number(pence));
      return {
        time,
        event: {
          id,
          customer,
          time,
          amount,
          kind: kind === "refund" ? "refund" : "order",
        },
      };
    },
  },
];

describe.skipIf(shared === undefined)("real shops", () => {
  for (const shop of shops) {
    test(`${shop.title}: last order, orders and spend of every customer at every instant`, () => {
      const folder = shared ?? "";
      const events = readCsv(join(folder, "data", shop.data)).flatMap((row) => shop.event(row) ?? []);
      events.sort((a, b) => a.time - b.time);
      assert.equal(events.length, shop.events);
      const expected = new Map<string, Row[]>();
      for (const row of readCsv(join(folder, "oracle", shop.oracle))) {
        const instant = row["instant"] ?? "";
        expected.set(instant, expected.get(instant) ?? []);
        expected.get(instant)?.push(row);
      }

      const capacity = {
        customers: 30_000,
        entries: 100_000,
        idBytes: 400_000,
      };
      const settings = settingsOf(models, { clock: "event" }, { capacity });
      const partition = partitionOf("release", settings, SEED);
      let next = 0;
      for (const instant of [...expected.keys()].sort()) {
        const at = Date.parse(instant);
        const messages: InputMessage[] = [];
        for (let one = events[next]; one !== undefined && one.time <= at; one = events[++next]) {
          messages.push({
            sequence: partition.position.sequence + messages.length + 1,
            stamp: 0,
            subject: "tidemark.orders.0.web",
            source: 0,
            control: false,
            silent: false,
            body: Buffer.from(JSON.stringify(one.event)),
          });
        }
        let dead = 0;
        for (const records of partition.records(messages)) {
          for (const record of records) if (record.type === "dead") dead++;
        }
        assert.equal(dead, 0, "dead letters");
        drain(partition, at);

        const rows = new Map(partition.state().map((row) => [`${row.model}/${row.customer}`, row]));
        const customers = expected.get(instant) ?? [];
        assert.equal(rows.size, customers.length * models.length, `customers at ${instant}`);
        const wrong: string[][] = [];
        for (const row of customers) {
          const customer = row["customer_id"] ?? "";
          const last = row["last_order_epoch"] === "" ? null : Number(row["last_order_epoch"]) * 1000;
          for (const [name, orders, spend] of [
            ["90-365", "f90", "m365_net"],
            ["365-90", "f365", "m90_net"],
          ] as const) {
            const found = rows.get(`${name}/${customer}`);
            const told = [found?.lastOrder, found?.orders, found?.spend, found?.ordersEver, found?.spendEver];
            const true_ = [last, row[orders], row[spend], row["f_life"], row["m_life_net"]];
            if (told.join() !== true_.join()) wrong.push([name, customer, told.join(), true_.join()]);
          }
        }
        assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} rows at ${instant}`);
      }
    });
  }
});
