import { expect, test } from "vitest";
import {
  controlSubject,
  deadStream,
  deadSubject,
  deadSubjects,
  fnv1a32,
  ledgerStream,
  ledgerSubjects,
  migrationSubject,
  migrationsStream,
  migrationsSubjects,
  nameToken,
  ordersStream,
  ordersSubject,
  ordersSubjects,
  partitionOf,
  sourceOf,
  subjectMatches,
  token,
} from "../../runtime/subjects.js";

const bytes = (text: string) => new TextEncoder().encode(text);

test("fnv1a32 gives the published vectors", () => {
  // From the reference code of Fowler, Noll and Vo (test_fnv.c).
  expect(fnv1a32(bytes(""))).toBe(0x811c9dc5);
  expect(fnv1a32(bytes("a"))).toBe(0xe40c292c);
  expect(fnv1a32(bytes("b"))).toBe(0xe70c2de5);
  expect(fnv1a32(bytes("foo"))).toBe(0xa9f37ed7);
  expect(fnv1a32(bytes("foobar"))).toBe(0xbf9cf968);
  expect(fnv1a32(bytes("chongo was here!\n"))).toBe(0xd49930d5);
});

test("a token keeps plain bytes and writes every other UTF-8 byte as =XX", () => {
  expect(token("AZaz09_-")).toBe("AZaz09_-");
  expect(token("a.b")).toBe("a=2Eb");
  expect(token("a=b")).toBe("a=3Db");
  expect(token("* >\n")).toBe("=2A=20=3E=0A");
  expect(token("jürgen@x.de")).toBe("j=C3=BCrgen=40x=2Ede");
  expect(token("😀")).toBe("=F0=9F=98=80");
  expect(token("\u007f\u0000")).toBe("=7F=00");
});

test("tokens tell apart what differs", () => {
  const all = ["a.b", "a=2Eb", "a b", "A b", "a_b", "ä", "a\u0308"];
  expect(new Set(all.map(token)).size).toBe(all.length);
});

test("a name becomes a token made for reading", () => {
  expect(nameToken("VIP")).toBe("vip");
  expect(nameToken("At risk")).toBe("at-risk");
  expect(nameToken("Größe L")).toBe("gr=C3=B6=C3=9Fe-l");
  expect(nameToken("a.b")).toBe("a=2Eb");
});

test("a customer's partition is the hash of its token", () => {
  for (const customer of ["c1", "10023", "jürgen@x.de", "a b"]) {
    expect(partitionOf(customer, 8)).toBe(fnv1a32(bytes(token(customer))) % 8);
    expect(partitionOf(customer, 1)).toBe(0);
  }
  expect(partitionOf("foobar", 0x100000000)).toBe(0xbf9cf968);
});

test("customers spread evenly", () => {
  const counts = new Array<number>(8).fill(0);
  for (let i = 0; i < 80_000; i++) counts[partitionOf(`customer-${i}`, 8)] += 1;
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
});

test("subjects and streams", () => {
  const shop = { name: "shop", layout: 1 };
  expect(ordersSubject("shop", 3, "web")).toBe("shop.orders.3.web");
  expect(ordersSubject("shop", 3, "market.place")).toBe("shop.orders.3.market=2Eplace");
  expect(ordersSubjects("shop", 3)).toEqual(["shop.orders.3.>"]);
  expect(ordersStream(shop, 3)).toBe("shop_orders_3");
  expect(controlSubject("shop", 3)).toBe("shop.orders.3._control");
  expect(ledgerStream(shop, 0)).toBe("shop_ledger_0");
  expect(ledgerSubjects("shop", 0)).toEqual(["shop.migrations.0.>", "shop.dead.0.>"]);
  expect(migrationsStream(shop)).toBe("shop_migrations");
  expect(migrationsSubjects("shop")).toBe("shop.migrations.>");
  expect(deadStream(shop)).toBe("shop_dead");
  expect(deadSubjects("shop")).toBe("shop.dead.>");
  const second = { name: "shop", layout: 2 };
  expect(ordersStream(second, 3)).toBe("shop_orders_3_l2");
  expect(ledgerStream(second, 0)).toBe("shop_ledger_0_l2");
  expect(migrationsStream(second)).toBe("shop_migrations_l2");
  expect(deadStream(second)).toBe("shop_dead_l2");
  expect(deadSubject("shop", 1, "tooFarAhead")).toBe("shop.dead.1.tooFarAhead");
});

test("a channel called _control does not reach the control subject", () => {
  expect(ordersSubject("shop", 0, "_control")).toBe("shop.orders.0.=5Fcontrol");
});

test("the subject of a migration names both segments", () => {
  expect(migrationSubject("t", 2, "retail", "segment", "At risk", "VIP")).toBe(
    "t.migrations.2.retail.segment.at-risk.vip",
  );
  expect(migrationSubject("t", 2, "Retail EU", "segment", null, "VIP")).toBe(
    "t.migrations.2.retail-eu.segment.null.vip",
  );
  expect(migrationSubject("t", 2, "retail", "segment", "VIP", null)).toBe("t.migrations.2.retail.segment.vip.null");
  expect(migrationSubject("t", 0, "retail", "bands", "VIP", "VIP")).toBe("t.migrations.0.retail.bands.vip.vip");
});

test("subjects match as the broker matches them", () => {
  expect(subjectMatches("a.>", "a.b")).toBe(true);
  expect(subjectMatches("a.>", "a.b.c")).toBe(true);
  expect(subjectMatches("a.>", "a")).toBe(false);
  expect(subjectMatches("a.*.c", "a.b.c")).toBe(true);
  expect(subjectMatches("a.*", "a.b.c")).toBe(false);
  expect(subjectMatches("a.b", "a.b")).toBe(true);
  expect(subjectMatches("a.b", "a.c")).toBe(false);
  expect(subjectMatches("a.b", "a")).toBe(false);
});

test("a message belongs to the later source that names its subject, else to the first", () => {
  const source = (subjects: string[]) => ({ subjects }) as never;
  const settings = { sources: [source(["t.orders.>"]), source(["t.orders.*.store"]), source(["t.orders.*.fair"])] };
  expect(sourceOf(settings, "t.orders.0.web")).toBe(0);
  expect(sourceOf(settings, "t.orders.0.store")).toBe(1);
  expect(sourceOf(settings, "t.orders.7.fair")).toBe(2);
});
