import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { createHttp, type Http } from "../../connectors/http/server.js";
import { type Look, launchBrowser, visit as open } from "./chromium.js";
import { MemorySource } from "./source.js";

// Where set, every look at the page is kept there as a picture.
const shots = process.env.PAGE_SHOTS;
let browser: Browser;
let source: MemorySource;
let http: Http;
let url: string;
let port = 0;
const pages: Page[] = [];

beforeAll(async () => {
  browser = await launchBrowser();
  if (shots !== undefined) await mkdir(shots, { recursive: true });
});

afterAll(async () => {
  await browser?.close();
});

beforeEach(async () => {
  source = new MemorySource();
  port = 0;
  fill(source);
  await start();
});

afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
  await http.close();
});

async function start(): Promise<void> {
  http = await createHttp(source, { version: "0.1.0" });
  ({ url, port } = await http.listen(port));
}

/** A plausible shop: most customers sleep, few spend. */
function fill(memory: MemorySource): void {
  for (let cell = 1; cell < 64; cell++) {
    const [r, f, m] = [cell % 4, Math.floor(cell / 4) % 4, Math.floor(cell / 16)] as const;
    if (r === 0 || f === 0) continue;
    const weight = [0, 3, 5, 14][r]! * [0, 1, 6, 22][f]! * [9, 1.4, 4, 11][m];
    memory.count(0, cell, Math.round(weight * 3.7));
    memory.count(1, cell, Math.round(weight));
  }
  memory.count(0, 0, 57);
}

async function visit(options: Parameters<Browser["newPage"]>[0] = {}): Promise<Look> {
  const look = await open(browser, url, options);
  pages.push(look.page);
  return look;
}

async function shoot(page: Page, name: string): Promise<void> {
  if (shots !== undefined)
    await page.screenshot({
      path: `${shots}/${name}.png`,
      fullPage: name.endsWith("full"),
      ...(name.startsWith("phone") ? { clip: { x: 0, y: 0, width: 390, height: 1900 } } : {}),
    });
}

const count = (value: number) => value.toLocaleString("en");

async function moves(memory: MemorySource, howMany: number): Promise<void> {
  const causes = ["order", "order", "recency", "window", "refund", "order", "amend"];
  const segments = ["Loyal", "VIP", "At risk", "Sleeping", "Others", null] as const;
  for (let i = 0; i < howMany; i++) {
    const from = segments[(i * 5 + 1) % 6];
    const to = segments[(i * 5 + 2) % 6];
    memory.move(
      `customer-${10_000 + ((i * 7919) % 9000)}`,
      { from, to, cause: causes[i % 7], at: Date.now() - (howMany - i) * 47_000 },
      i % 2,
    );
  }
}

test("counts, shares and the three cross-tables are those of the engine, and stay so", async () => {
  await moves(source, 24);
  const { page, errors } = await visit();
  const [retail] = await source.counts();
  await expect.poll(() => page.locator("#customers").textContent()).toBe(count(retail.customers));
  const rows = await page.locator("#segments li:visible").allInnerTexts();
  expect(rows).toHaveLength(6);
  expect(rows[0]).toContain("VIP");
  expect(rows[0]).toContain(count(retail.segments[0]));
  expect(rows[0]).toContain(`${((100 * retail.segments[0]) / retail.customers).toFixed(1)}%`);
  expect(rows[5]).toContain("No segment");
  const captions = await page.locator("#crosstables caption").allInnerTexts();
  expect(captions).toEqual(["Recency by frequency", "Recency by monetary", "Frequency by monetary"]);
  const sum = (recency: number, frequency: number) =>
    [...retail.cells].reduce(
      (all, value, cell) => (cell % 4 === recency && Math.floor(cell / 4) % 4 === frequency ? all + value : all),
      0,
    );
  const cells = page.locator("#crosstables table").first().locator("tbody tr");
  expect(await cells.first().locator("td").first().getAttribute("title")).toContain(`${count(sum(1, 1))} customers`);
  expect(await cells.nth(2).locator("td").nth(2).getAttribute("title")).toContain(`${count(sum(3, 3))} customers`);
  expect(await page.locator("#moves li").count()).toBe(24);
  await expect.poll(() => page.locator("#position").textContent()).toMatch(/Message\s+180, 20 to go/);
  expect(await page.locator("#clock").textContent()).toMatch(/Exact at\s+1 Jan 2026, 00:00/);
  await shoot(page, "light-1280");
  await shoot(page, "light-1280-full");
  source.count(0, 21, 1000);
  await expect.poll(() => page.locator("#customers").textContent()).toBe(count(retail.customers + 1000));
  expect(errors).toEqual([]);
});

test("a migration arrives while one looks, newest first, with its reason and what comes next", async () => {
  const { page, errors } = await visit();
  await page.getByText("Nobody has moved yet").waitFor();
  await shoot(page, "empty");
  source.move("<b>anna</b>", { from: "Loyal", to: "VIP" });
  source.move("bert", { from: "VIP", to: "At risk", cause: "recency" });
  await page.locator("#moves li").nth(1).waitFor();
  const items = await page.locator("#moves li").allInnerTexts();
  expect(items[0]).toMatch(
    /bert[\s\S]*VIP[\s\S]*→[\s\S]*At risk[\s\S]*Time passed without an order\s+recency: short → medium[\s\S]*then At risk on/,
  );
  expect(items[1]).toMatch(/<b>anna<\/b>[\s\S]*Order order-1 on web\s+frequency: regular → often/);
  await page.locator("#moves summary").nth(1).click();
  expect(await page.locator("#moves .more").innerText()).toMatch(/Spend in the window\s+€420\.00\s+€559\.00/);
  expect(await page.locator("#segments .flow").first().innerText()).toMatch(/\+1\s+−1/);
  expect(errors).toEqual([]);
});

test("models, pause, bands and one segment's moves, all from the keyboard", async () => {
  const { page, errors } = await visit();
  await page.locator("#pause").focus();
  await page.keyboard.press("Space");
  source.move("anna");
  source.move("bert", { from: "Others", to: "Sleeping" });
  await page.getByRole("button", { name: "Resume · 2 new" }).waitFor();
  expect(await page.locator("#moves li").count()).toBe(0);
  await page.keyboard.press("Enter");
  await expect.poll(() => page.locator("#moves li").count()).toBe(2);
  await page.getByRole("button", { name: /^Sleeping/ }).focus();
  await page.keyboard.press("Enter");
  await expect.poll(() => page.locator("#moves li:visible").count()).toBe(1);
  await page.getByRole("button", { name: "Show all" }).click();
  await expect.poll(() => page.locator("#moves li:visible").count()).toBe(2);
  await page.locator("#bands").focus();
  await page.keyboard.press("Space");
  source.move("cleo", { change: "bands", from: "VIP", to: "VIP" });
  await page.getByText("cleo").waitFor();
  const [, stores] = await source.counts();
  await page.locator("#model").selectOption("stores");
  await expect.poll(() => page.locator("#customers").textContent()).toBe(count(stores.customers));
  source.move("elsewhere", { model: "retail" });
  source.move("dora", { model: "stores" });
  await page.getByText("dora").waitFor();
  expect(await page.getByText("elsewhere").count()).toBe(0);
  await page.reload();
  await expect.poll(() => page.locator("#customers").textContent()).toBe(count(stores.customers));
  expect(errors).toEqual([]);
});

test("after the server has been away the page goes on where it was", async () => {
  const { page, errors } = await visit();
  source.move("before");
  await page.getByText("before").first().waitFor();
  expect(errors).toEqual([]);
  await http.close();
  await page.locator('#connection[data-state="lost"]').waitFor();
  await shoot(page, "lost");
  source.move("meanwhile");
  source.count(0, 21, 500);
  await start();
  await page.locator('#connection[data-state="live"]').waitFor();
  await page.getByText("meanwhile").waitFor();
  source.move("after");
  await page.getByText("after", { exact: true }).waitFor();
  const names = await page.locator("#moves .customer").allInnerTexts();
  expect(names).toEqual(["after", "meanwhile", "before"]);
  const [retail] = await source.counts();
  expect(await page.locator("#customers").textContent()).toBe(count(retail.customers));
  // What the browser itself says of refused connections meanwhile, and nothing else.
  expect(errors.filter((text) => !/ERR_CONNECTION_REFUSED|WebSocket connection to/.test(text))).toEqual([]);
});

test("four thousand moves at once: the list stays short and the page alive", async () => {
  const { page, errors } = await visit();
  for (let i = 0; i < 4_000; i++) source.move(`c-${i}`, {}, i % 2);
  await page.getByText("c-3999").waitFor();
  expect(await page.locator("#moves li").count()).toBeLessThanOrEqual(100);
  expect(errors).toEqual([]);
});

test.each([
  ["phone", { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true }],
  ["phone-dark", { viewport: { width: 390, height: 844 }, isMobile: true, colorScheme: "dark" }],
  ["dark-1280", { colorScheme: "dark" }],
  ["wide-1700", { viewport: { width: 1700, height: 1000 } }],
] as const)("nothing is wider than the window (%s)", async (name, options) => {
  await moves(source, 30);
  const { page, errors } = await visit(options);
  await page.locator("#moves li").first().waitFor();
  await expect.poll(() => page.locator("#customers").textContent()).not.toBe("–");
  expect(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)).toBeLessThanOrEqual(0);
  await page.waitForTimeout(shots === undefined ? 0 : 800);
  await shoot(page, name.startsWith("phone") ? `${name}-full` : name);
  expect(errors).toEqual([]);
});

test("the page's own modules pass the type checker", async () => {
  const flags =
    "--noEmit --allowJs --checkJs --strict --noUncheckedIndexedAccess --skipLibCheck --target es2023 --module nodenext --lib es2023,dom,dom.iterable";
  const run = promisify(execFile)("node_modules/.bin/tsc", [...flags.split(" "), "connectors/dashboard/page/main.js"]);
  await expect(run).resolves.toMatchObject({ stdout: "" });
});
