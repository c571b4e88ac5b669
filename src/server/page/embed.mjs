// embed.mjs — writes src/server/assets.ts from the files of the chat page, whose TypeScript becomes what browsers run, so that the
// server reads no file.
//   node src/server/page/embed.mjs           write assets.ts where it differs
//   node src/server/page/embed.mjs --check   write nothing; exit 1 where it differs (test/house.test.ts)
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "../assets.ts");
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

const built = mkdtempSync(join(tmpdir(), "llariat-page-"));
const files = [];
try {
  const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
  const options = ["-p", join(here, "tsconfig.json"), "--outDir", built, "--noEmit", "false", "--removeComments"];
  execFileSync(process.execPath, [tsc, ...options], { stdio: ["ignore", "inherit", "inherit"] });
  for (const folder of [here, built]) {
    for (const name of readdirSync(folder)) {
      if (extname(name) in TYPES) files.push([name, readFileSync(join(folder, name), "utf8").replaceAll("\r\n", "\n")]);
    }
  }
} finally {
  rmSync(built, { recursive: true, force: true });
}
files.sort(([a], [b]) => (a < b ? -1 : 1));
/** Of types nothing is left, and nobody asks for it. */
const isEmpty = ([, text]) => text.trim() === "export {};";

const literal = (text) => "`" + text.replace(/[`\\]|\$\{/g, "\\$&") + "`";
const entry = ([name, text]) =>
  `  ${JSON.stringify(name)}: { type: ${JSON.stringify(TYPES[extname(name)])}, text: ${literal(text)} },\n`;
const text = `// assets.ts — written by page/embed.mjs from the files in page/; change those, then \`node src/server/page/embed.mjs\`.

/** A file of the page. */
export interface Asset {
  readonly type: string;
  readonly text: string;
}

/** The files of the chat page by name. */
export const assets: Readonly<Record<string, Asset>> = {
${files
  .filter((file) => !isEmpty(file))
  .map(entry)
  .join("")}};
`;

const old = existsSync(target) ? readFileSync(target, "utf8") : "";
if (process.argv.includes("--check")) {
  if (old !== text) {
    console.error("src/server/assets.ts is not what the page's files say; run: node src/server/page/embed.mjs");
    process.exitCode = 1;
  }
} else if (old !== text) {
  // Renamed into place, so that a test run that races with it never reads half a file.
  const draft = `${target}.${process.pid}`;
  writeFileSync(draft, text);
  renameSync(draft, target);
}
