// embed.mjs — writes kernels/wgsl.ts from the .wgsl files, so that Node, tsc's output and every bundler get the same text.
//   node kernels/embed.mjs           write kernels/wgsl.ts where it differs
//   node kernels/embed.mjs --check   write nothing; exit 1 where it differs (test/house.test.ts)
import { existsSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "wgsl.ts");
const PART_FOLDERS = ["formats", "cache", "lib"];

/** [name, text] of each .wgsl directly in a folder, by name; `prefix` goes before the name. */
function sources(folder, prefix) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(".wgsl"))
    .sort()
    .map((file) => [
      prefix + file.slice(0, -".wgsl".length),
      readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n"),
    ]);
}

const literal = (text) => "`" + text.replace(/[`\\]|\$\{/g, "\\$&") + "`";
const union = (entries) => entries.map(([name]) => JSON.stringify(name)).join(" | ") || "never";
const record = (entries) => entries.map(([name, text]) => `  ${JSON.stringify(name)}: ${literal(text)},\n`).join("");

const TYPES = { uniform: "uniform", "storage, read": "read-only-storage", "storage, read_write": "storage" };

/** The bindings and the overrides that a text declares. */
function declared(text) {
  const bindings = [...text.matchAll(/@group\((\d+)\) @binding\((\d+)\) var<([^>]+)> (\w+)/g)].map(
    ([, group, binding, space, name]) => ({ group: Number(group), binding: Number(binding), type: TYPES[space], name }),
  );
  return { bindings, overrides: [...text.matchAll(/^override (\w+)/gm)].map(([, name]) => name) };
}

const kernels = sources(here, "");
const parts = PART_FOLDERS.flatMap((folder) => sources(join(here, folder), `${folder}/`));

const text = `// wgsl.ts — written by embed.mjs from the .wgsl files beside it; change those, then \`node kernels/embed.mjs\`.

/** A kernel: the name of a .wgsl file in kernels/, its entry point and its GPU label. */
export type KernelName = ${union(kernels)};

/** A part that kernels are linked with: a .wgsl file in kernels/formats, kernels/cache or kernels/lib, by folder and name. */
export type PartName = ${union(parts)};

/** WGSL text of each kernel, without its parts. */
export const kernels: Readonly<Record<KernelName, string>> = {
${record(kernels)}};

/** WGSL text of each part; it is appended after the kernel's own. */
export const parts: Readonly<Record<PartName, string>> = {
${record(parts)}};

/** One buffer as a WGSL text declares it: \`@group(group) @binding(binding) var<…> name\`. */
export interface Binding {
  readonly group: number;
  readonly binding: number;
  readonly type: "uniform" | "read-only-storage" | "storage";
  readonly name: string;
}

/** What each text declares. */
export const declarations: Readonly<
  Record<KernelName | PartName, { readonly bindings: readonly Binding[]; readonly overrides: readonly string[] }>
> = {
${[...kernels, ...parts].map(([name, text]) => `  ${JSON.stringify(name)}: ${JSON.stringify(declared(text))},\n`).join("")}};
`;

const old = existsSync(target) ? readFileSync(target, "utf8") : "";
if (process.argv.includes("--check")) {
  if (old !== text) {
    console.error("kernels/wgsl.ts is not what the .wgsl files say; run: node kernels/embed.mjs");
    process.exitCode = 1;
  }
} else if (old !== text) {
  // Renamed into place, so that a test run that races with it never reads half a file.
  const draft = `${target}.${process.pid}`;
  writeFileSync(draft, text);
  renameSync(draft, target);
}
