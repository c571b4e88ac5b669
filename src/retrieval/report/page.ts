// page.ts — the frame of a page that shows figures: one file, nothing loaded from elsewhere, readable without a script.

import type { Child, Markup } from "./markup.ts";
import { el, join, raw } from "./markup.ts";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";

/** A whole page. Colours follow the reader's preference for light or dark; `style` comes after the common one. */
export function page(title: string, body: Child, style = ""): string {
  const head = [
    el("meta", { charset: "utf-8" }),
    el("meta", { name: "viewport", content: "width=device-width, initial-scale=1" }),
    el("title", {}, title),
    el("style", {}, raw(STYLE + style)),
  ];
  const foot = [el("div", { id: "tip", role: "status" }), el("script", {}, raw(SCRIPT))];
  return `<!doctype html>\n${join(el("html", { lang: "en" }, el("head", {}, head), el("body", {}, body, foot)))}\n`;
}

/** A part of a page under its heading, with a sentence on what it shows. */
export const section = (title: string, about: Child, ...children: Child[]): Markup =>
  el("section", {}, el("h2", {}, title), about ? el("p", { class: "about" }, about) : null, children);
