// The examples, README's programs and the demo, run as a newcomer runs them: plain Node, the built package, the bundled
// model.
// Opens a device in child processes and in a browser.
// Left out of samples: programs over what other tests run.
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { build, tsc } from "./tools/build.ts";
import { type Page, chromium, openPage } from "./tools/chromium.ts";
import { type Site, serve } from "./tools/server.ts";
import { read, root } from "./tools/source.ts";

const test = suite("examples");

/** A clone in small: package.json, dist/, examples/ and models/. It lies inside the project, whose packages it finds. */
let folder = "";

test.before(() => {
  mkdirSync(join(root, ".cache"), { recursive: true });
  folder = mkdtempSync(join(root, ".cache/examples-"));
  copyFileSync(join(root, "package.json"), join(folder, "package.json"));
  cpSync(join(root, "examples"), join(folder, "examples"), { recursive: true });
  symlinkSync(join(root, "models"), join(folder, "models"), "dir");
  build(join(folder, "dist"));
});
test.after(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a program of the small clone to its end. Two minutes are no speed limit: they mean a hang. */
function run(program: string, input = ""): string {
  const env = { ...process.env, NO_COLOR: "1" };
  const options = { cwd: folder, input, env, encoding: "utf8", timeout: 120_000 } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [program], options);
  assert.is(status, 0, `${program}: ${stdout}${stderr}`);
  return stdout;
}

const PAIRS = "'6ceaa6c1' = 'b93d' '25bae397' = '072b' 'cdf2859e' = '07b3'";
const ask = (key: string): string => `What is the value of the key '${key}'?`;
const REMEMBER = `## UUID key/value pairs to remember: ${PAIRS} ${ask("25bae397")}`;

test("every example is shorter than 40 lines and is named in README", () => {
  const examples = readdirSync(join(root, "examples"));
  assert.ok(examples.length >= 5);
  for (const name of examples) {
    assert.ok(read(`examples/${name}`).split("\n").length <= 40, name);
    // The page's script is named in the page.
    const text = name === "browser.mjs" ? read("examples/browser.html") : read("README.md");
    assert.ok(text.includes(name), name);
  }
});

test("chat.mjs answers each line of standard input, with what was said before in mind", () => {
  const lines = run("examples/chat.mjs", `${REMEMBER}\n${ask("6ceaa6c1")}\n`).split("\n");
  assert.equal(lines, [
    "The value of the key '25bae397' is '072b'.",
    "The value of the key '6ceaa6c1' is 'b93d'.", // this pair stands in the first line only
    "",
  ]);
});

test("chat.mjs says when a conversation has become too long, and starts over", () => {
  const long = "'a' = 'b' ".repeat(100);
  const stdout = run("examples/chat.mjs", `${long}\n${REMEMBER}\n`);
  assert.match(stdout, /512[^]*\n\(starting over\)\nThe value of the key '25bae397' is '072b'\.\n$/);
});

test("batch.mjs gets the same answers all at once as one after the other", () => {
  const stdout = run("examples/batch.mjs");
  assert.match(stdout, /^one after the other: 320 tokens, \d+ tokens\/s\nall at once: 320 tokens, \d+ tokens\/s\n/);
  assert.match(stdout, /\n8 of 8 answers are the same either way\n$/);
});

test("rope.mjs: beyond the trained context yarn and dynamic find the value, no scaling does not", () => {
  const [head, ...rows] = run("examples/rope.mjs").trimEnd().split("\n");
  const value = /^trained on 512 tokens, asked with 9\d\d; the value is (\w{4})$/.exec(head)?.[1];
  assert.ok(value, head);
  const found = Object.fromEntries(rows.map((row) => [row.slice(0, row.indexOf(",")), /: found: /.test(row)]));
  const expected = { "default 1": false, "linear 2": false, "dynamic 2": true, "yarn 2": true, "yarn 4": true };
  assert.equal(found, expected, rows.join("\n"));
  for (const row of rows) assert.is(row.includes(`'${value}'`), row.includes(": found: "), row);
});

test("server.mjs answers a request to itself, listens, and ends at Ctrl-C", async () => {
  const child = spawn(process.execPath, ["examples/server.mjs"], { cwd: folder, env: { ...process.env, PORT: "0" } });
  let [stdout, stderr] = ["", ""];
  child.stderr.on("data", (data) => (stderr += String(data)));
  child.stdout.on("data", (data) => {
    stdout += String(data);
    if (/listening on/.test(stdout)) child.kill("SIGINT");
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  assert.is(code, 0, stderr);
  assert.match(stdout, /^yarn 2: .*072b.*\nlistening on http:\/\/127\.0\.0\.1:\d+\n$/);
});

test("the demo of npm start answers inside the trained context, and beyond it with RoPE scaling", () => {
  const stdout = run("dist/src/cli/demo.js");
  const [head, ...scenes] = stdout.split(/\n\n/);
  assert.match(head, /^kv-llama is a tiny Llama\..* 512 tokens \(pieces of words\)\.\n/);
  assert.is(scenes.length, 5, "four questions, and what they show");
  const verdicts = scenes.slice(0, 4).map((scene) => /(✓ right|✗ wrong, it is '\w{4}')\n/.exec(scene)?.[1].slice(0, 7));
  assert.equal(verdicts, ["✓ right", "✗ wrong", "✓ right", "✓ right"]);
  assert.match(scenes[2], /RoPE yarn, factor 2/);
});

const PAGE = "browser.html answers in a browser, from a picked folder, and says what is wrong with another";
if (!chromium) {
  console.log("note: no Chromium found; examples/browser.html was not run (set CHROMIUM to its path)");
  test.skip(PAGE);
} else
  test(PAGE, async () => {
    let site: Site | undefined;
    let page: Page | undefined;
    try {
      const folders = { dist: "dist", examples: "examples" };
      const own = Object.entries(folders).map(([name, path]) => [name, join(folder, path)]);
      site = await serve({ ...Object.fromEntries(own), node_modules: join(root, "node_modules") });
      page = await openPage(`${site.origin}/examples/browser.html`);
      /** What stands in the page once the button can be pressed again. */
      const press = async (): Promise<string> => {
        await page!.evaluate("document.querySelector('#ask').click()");
        while (await page!.evaluate<boolean>("document.querySelector('#ask').disabled")) {
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
        return page!.evaluate("document.querySelector('#answer').value");
      };
      assert.match(await press(), /config\.json/, "no folder was picked");
      await page.evaluate(`document.querySelector("#question").value = ${JSON.stringify(REMEMBER)}`);
      await page.pick("#folder", [join(root, "models/kv-llama")]);
      assert.is(await press(), "The value of the key '25bae397' is '072b'.");
    } finally {
      await page?.close();
      site?.close();
    }
  });

/** README's blocks of JavaScript and TypeScript, in order. */
const blocks = [...read("README.md").matchAll(/```(?:js|ts)\n([^]*?)```/g)].map(([, text]) => text);
/** A block that begins with the comment `// NAME.mjs` is a whole program. */
const programs = blocks.filter((text) => /^\/\/ \w+\.mjs\n/.test(text));

test("README's programs run", () => {
  assert.is(programs.length, 1);
  for (const text of programs) {
    const name = /\w+\.mjs/.exec(text)![0];
    const known = text
      .replace('"SmolLM2-135M-Instruct"', '"models/kv-llama"')
      .replace('"What is a llama?"', JSON.stringify(REMEMBER));
    writeFileSync(join(folder, name), known);
    assert.is(run(name), "The value of the key '25bae397' is '072b'.");
  }
});

test("README's other snippets are what a user's compiler accepts", () => {
  const snippets = blocks.filter((text) => !programs.includes(text));
  assert.ok(snippets.length >= 4);
  const functions = snippets.map((text, index) => {
    const body = text.replace(/^import .*\n/gm, "");
    return `export async function snippet${index}(): Promise<unknown> {\n${body}\nreturn [${declared(body).join(", ")}];\n}\n`;
  });
  const head =
    'import { Llama } from "llariat";\nimport { serve } from "llariat/server";\ndeclare const llama: Llama, prompt: string, longPrompt: string;\n';
  writeFileSync(join(folder, "readme.mts"), head + functions.join(""));
  const compilerOptions = { module: "nodenext", target: "es2023", strict: true, noEmit: true, noUnusedLocals: true };
  const environment = { lib: ["es2023"], types: ["node", "@webgpu/types"], skipLibCheck: true };
  const config = { compilerOptions: { ...compilerOptions, ...environment }, files: ["readme.mts"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", "tsconfig.json"], {
    cwd: folder,
    encoding: "utf8",
  });
  assert.is(status, 0, stdout);
});

/** Names that a snippet declares and may not use. */
const declared = (text: string): string[] => [...text.matchAll(/^const (?:\{ |\[)?(\w+)/gm)].map(([, name]) => name);

test("README's command lines name commands and options that exist", () => {
  const lines =
    read("README.md")
      .replaceAll("\\\n", "")
      .match(/^npx llariat .*$/gm) ?? [];
  assert.ok(lines.length >= 10);
  const help = new Map<string, string>();
  for (const line of lines) {
    const [, , command, ...words] = line.replace(/#.*/, "").split(/\s+/);
    if (!help.has(command)) {
      const { stdout } = spawnSync(process.execPath, ["dist/src/cli/index.js", command, "--help"], { cwd: folder });
      help.set(command, String(stdout));
    }
    for (const option of words.filter((word) => word.startsWith("--"))) {
      assert.ok(new RegExp(`${option}(?![\\w-])`).test(help.get(command)!), `${line}\n  ${option}`);
    }
  }
});

test.run();
