import { type Browser, chromium, type Page } from "playwright-core";

/** Debian's Chromium, headless, with nothing that would call home. */
export function launchBrowser(): Promise<Browser> {
  const quiet = ["quic", "background-networking", "component-update", "sync", "gpu"].map((name) => `--disable-${name}`);
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--no-first-run", ...quiet],
  });
}

export interface Look {
  readonly page: Page;
  /** Errors and warnings of its console, and what it threw. */
  readonly errors: string[];
}

/** Opens the page and waits until it is live. */
export async function visit(
  browser: Browser,
  url: string,
  options: Parameters<Browser["newPage"]>[0] = {},
): Promise<Look> {
  const page = await browser.newPage({
    viewport: { width: 1280, height: 860 },
    locale: "en-GB",
    timezoneId: "UTC",
    ...options,
  });
  const errors: string[] = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(url);
  await page.locator('#connection[data-state="live"]').waitFor();
  return { page, errors };
}
