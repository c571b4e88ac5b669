// The package as it is published: every entry point exists, loads in plain Node, and has types a user's compiler accepts.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { build, tsc } from "../tools/build.ts";
import { read, root } from "../tools/source.ts";

const test = suite("package");

/** A copy of the package inside the project, so that its dependencies are found; built afresh, dist/ stays as it is. */
let folder = "";

const run = (args: readonly string[]): { status: number | null; output: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
  return { status, output: stdout + stderr };
};

test("it builds", () => {
  mkdirSync(join(root, ".cache"), { recursive: true });
  folder = mkdtempSync(join(root, ".cache/package-"));
  copyFileSync(join(root, "package.json"), join(folder, "package.json"));
  assert.is(build(join(folder, "dist")), "");
});

test.after(() => {
  if (folder) rmSync(folder, { recursive: true, force: true });
});

test("every file that package.json points to is built", () => {
  const { exports, bin } = JSON.parse(read("package.json")) as { exports: object; bin: object };
  const targets = (value: unknown): string[] =>
    typeof value === "string" ? [value] : Object.values(value as object).flatMap(targets);
  const missing = [...targets(exports), ...targets(bin)].filter((target) => !existsSync(join(folder, target)));
  assert.equal(missing, []);
});

test("plain Node imports the entry points by name, and the command runs", () => {
  const program = `
    const names = ["llariat", "llariat/kernels", "llariat/tokenizer", "llariat/server"];
    const [llariat, kernels, tokenizer, server] = await Promise.all(names.map((name) => import(name)));
    console.log(typeof llariat.Llama.load, typeof llariat.LlariatError, Object.keys(kernels).length > 5, typeof tokenizer.Tokenizer, typeof server.serve);`;
  assert.equal(run(["--input-type=module", "--eval", program]), {
    status: 0,
    output: "function function true function function\n",
  });
  assert.equal(run(["dist/src/cli/index.js", "--version"]), {
    status: 0,
    output: `${(JSON.parse(read("package.json")) as { version: string }).version}\n`,
  });
});

interface Locked {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

test("README counts the packages that an install brings, as the lock has them", () => {
  const { packages } = JSON.parse(read("package-lock.json")) as { packages: Readonly<Record<string, Locked>> };
  const brought = new Set<string>();
  const add = (at: string): void => {
    const { dependencies, optionalDependencies, peerDependencies = {}, peerDependenciesMeta = {} } = packages[at];
    const peers = Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional);
    for (const name of [...Object.keys({ ...dependencies, ...optionalDependencies }), ...peers]) {
      // As Node looks for it: in the package's own folder, then in those above it.
      let above = at;
      while (above !== "" && !(`${above}/node_modules/${name}` in packages))
        above = above.slice(0, Math.max(0, above.lastIndexOf("/node_modules/")));
      const found = `${above === "" ? "" : `${above}/`}node_modules/${name}`;
      if (brought.has(found)) continue;
      brought.add(found);
      add(found);
    }
  };
  add("");
  const numbers = [
    "no",
    "One",
    "Two",
    "Three",
    "Four",
    "Five",
    "Six",
    "Seven",
    "Eight",
    "Nine",
    "Ten",
    "Eleven",
    "Twelve",
  ];
  const said = /^## What `npm install` brings\n\n(\w+) packages besides llariat, /m.exec(read("README.md"))?.[1];
  assert.is(said, numbers[brought.size], [...brought].sort().join(", "));
});

test("a user's compiler accepts the types, for a browser and for Node, and finds a wrong use", () => {
  writeFileSync(
    join(folder, "user.mts"),
    `import { Llama, LlariatError, type Completion, type GenerateOptions } from "llariat";
     import { Tokenizer } from "llariat/tokenizer";
     const options: GenerateOptions = { temperature: 0, stop: ["x"] };
     export async function use(device: GPUDevice): Promise<Completion> {
       const llama = await Llama.load("folder", { device });
       for await (const { id, text } of llama.generate("prompt", options)) [id satisfies number, text satisfies string];
       if (!(llama.tokenizer instanceof Tokenizer)) throw new LlariatError("tokenizer", "none");
       return llama.complete([1, 2, 3], { maxNewTokens: 4 });
     }
     // @ts-expect-error -- not an option
     export const wrong: GenerateOptions = { temprature: 1 };
`,
  );
  const common = { module: "nodenext", target: "es2023", strict: true, noEmit: true };
  const users = {
    browser: { lib: ["es2023", "dom", "esnext.disposable"], types: [] },
    // @webgpu/types itself compiles with no library but an older dom, so its users skip the check of libraries.
    node: { lib: ["es2023"], types: ["node", "@webgpu/types"], skipLibCheck: true },
  };
  for (const [name, own] of Object.entries(users)) {
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ compilerOptions: { ...common, ...own }, files: ["user.mts"] }),
    );
    const { status, output } = run([tsc, "-p", "tsconfig.json"]);
    assert.is(status, 0, `${name}: ${output}`);
  }
});

test.run();
