/** The files of the page, read once at start: they lie beside this module, in the sources and in the build. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

export interface Asset {
  readonly body: Buffer;
  readonly contentType: string;
  readonly etag: string;
}

const FILES = {
  "index.html": "text/html; charset=utf-8",
  "style.css": "text/css; charset=utf-8",
  "main.js": "text/javascript; charset=utf-8",
  "connection.js": "text/javascript; charset=utf-8",
  "format.js": "text/javascript; charset=utf-8",
  "segments.js": "text/javascript; charset=utf-8",
  "crosstables.js": "text/javascript; charset=utf-8",
  "stream.js": "text/javascript; charset=utf-8",
  "icon.svg": "image/svg+xml",
} as const;

/** By path: `/` is the page itself. Rejects where a file is missing: the installation is broken. */
export async function loadPage(): Promise<ReadonlyMap<string, Asset>> {
  const assets = new Map<string, Asset>();
  await Promise.all(
    Object.entries(FILES).map(async ([name, contentType]) => {
      const body = await readFile(new URL(`./page/${name}`, import.meta.url));
      const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
      assets.set(name === "index.html" ? "/" : `/${name}`, { body, contentType, etag });
    }),
  );
  return assets;
}

/** Nothing but this server's own files: no inline script or style, no frame, no form. */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");
