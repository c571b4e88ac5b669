// setup.mjs — installs the npm packages this checkout needs, if they are missing or older than package-lock.json.
// `npm test` and `npm start` run it first, so that both work on a fresh clone; `npm run docs` with the folder docs, whose
// packages are its own.
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", process.argv[2] ?? "");
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 11)) {
  console.error(`llariat needs Node 20.11 or newer, this is ${process.versions.node}; get one from https://nodejs.org`);
  process.exit(1);
}

/** npm writes this file last, so a broken-off install does not count as one. */
const installed = join(root, "node_modules", ".package-lock.json");
const lock = join(root, "package-lock.json");
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lock).mtimeMs) {
  console.error("installing npm packages (npm ci) …");
  // npm's own entry point where npm started this script: on Windows `npm` is a .cmd file that spawn does not find.
  const npm = process.env["npm_execpath"];
  const [command, first] = npm ? [process.execPath, [npm]] : ["npm", []];
  const result = spawnSync(command, [...first, "ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (result.error) console.error(`npm cannot be started: ${result.error.message}`);
  process.exitCode = result.status ?? 1;
}
