// source.ts — reads the project's own files: which exist, what they import, what in them is code, which tests open a device.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

const SKIP = new Set(["node_modules", "dist", "fixtures", "coverage", ".git", ".cache", ".offline"]);

/** Every file of the project below `folder` (relative to the root), as paths with forward slashes; no fixtures. */
export function files(folder = ""): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return SKIP.has(entry.name) || path === join("docs", "api") ? [] : files(path);
      return entry.isFile() ? [relative(".", path).split(sep).join("/")] : [];
    })
    .sort();
}

export const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** Modules that a TypeScript or JavaScript file imports, types included. */
export function imports(text: string): string[] {
  const found = [
    ...text.matchAll(/^\s*(?:import|export)\b[^;'"]*?\bfrom\s*["']([^"']+)["']/gm),
    ...text.matchAll(/^\s*import\s*["']([^"']+)["']/gm),
    ...text.matchAll(/\bimport\(\s*["']([^"']+)["']\s*\)/g),
  ];
  return found.map((match) => match[1]);
}

/** What a test file says on a line of its own if a process that it starts (a browser, a program) opens a device. */
const SAYS_SO = /^\/\/ Opens a device\b/m;

/** Does a test file (an absolute path) open a device: by way of any of its imports, or because it says so? */
export function opensDevice(path: string, seen = new Set<string>()): boolean {
  if (path.endsWith(join("src", "node", "gpu.ts"))) return true;
  if (seen.has(path) || !existsSync(path)) return false;
  seen.add(path);
  const text = readFileSync(path, "utf8");
  if (path.endsWith(".test.ts") && SAYS_SO.test(text)) return true;
  return imports(text).some((target) => target.startsWith(".") && opensDevice(join(path, "..", target), seen));
}

/**
 * The text with comments, strings and regular expressions blanked out, line breaks kept: what is left is code.
 * Expressions inside `${…}` stay.
 */
export function code(text: string): string {
  let out = "";
  let at = 0;
  /** Brace depth at which each open template expression ends. */
  const templates: number[] = [];
  let depth = 0;
  const blank = (to: number): void => {
    out += text.slice(at, to).replace(/[^\n]/g, " ");
    at = to;
  };
  const template = (): void => {
    let end = at;
    while (end < text.length && text[end] !== "`" && !text.startsWith("${", end)) end += text[end] === "\\" ? 2 : 1;
    if (text[end] === "`") return blank(end + 1);
    blank(Math.min(end + 2, text.length));
    templates.push(depth);
  };
  while (at < text.length) {
    const char = text[at];
    const pair = text.slice(at, at + 2);
    if (pair === "//") blank(indexOr(text, "\n", at));
    else if (pair === "/*") blank(Math.min(indexOr(text, "*/", at + 2) + 2, text.length));
    else if (char === '"' || char === "'") {
      let end = at + 1;
      while (end < text.length && text[end] !== char) end += text[end] === "\\" ? 2 : 1;
      blank(end + 1);
    } else if (char === "`") {
      blank(at + 1);
      template();
    } else if (char === "}" && templates.at(-1) === depth) {
      templates.pop();
      blank(at + 1);
      template();
    } else if (char === "/" && /(?:[=(,:;[!&|?{}\n]|\breturn|^)\s*$/.test(out.slice(-40))) {
      let end = at + 1;
      let set = false;
      while (end < text.length && (set || text[end] !== "/")) {
        if (text[end] === "[") set = true;
        if (text[end] === "]") set = false;
        end += text[end] === "\\" ? 2 : 1;
      }
      blank(end + 1);
    } else {
      if (char === "{") depth++;
      if (char === "}") depth--;
      out += char;
      at++;
    }
  }
  return out;
}

const indexOr = (text: string, part: string, from: number): number => {
  const found = text.indexOf(part, from);
  return found < 0 ? text.length : found;
};
