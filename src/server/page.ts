// page.ts — GET /: the chat page. Its files are part of the program, and its policy lets it reach this server and nothing else.

import type { Hono } from "hono";
import { type Asset, assets } from "./assets.ts";

/** Scripts, styles and pictures of this server alone, none of them inside the page; nobody frames it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS = {
  "content-security-policy": POLICY,
  "cache-control": "no-cache",
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

const answer = ({ type, text }: Asset): Response =>
  new Response(text, { headers: { ...HEADERS, "content-type": type } });

/** Adds the page's routes: `/`, and a route per file, so that no path of a request is looked up anywhere. */
export function pageRoutes(routes: Hono): void {
  const { "index.html": index, ...files } = assets;
  routes.get("/", () => answer(index));
  for (const [name, file] of Object.entries(files)) routes.get(`/page/${name}`, () => answer(file));
}
