// The rules of the house: who may import whom, how files open, what must not be left lying about.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync, copyFileSync } from "node:fs";
import { posix, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MUTATIONS } from "./mutations/rooms.ts";
import { code, files, imports, read, root } from "./tools/source.ts";

const test = suite("house");

const all = files();
// Generated, and full of programs for browsers: the files that it is made of keep the rules.
const ASSETS = "src/server/assets.ts";
const typescript = all.filter((path) => path.endsWith(".ts") && path !== ASSETS);
const shipped = typescript.filter((path) => /^(kernels|tokenizer|src)\//.test(path));
const kernels = all.filter((path) => /^kernels\/[^/]+\.wgsl$/.test(path)).map((path) => posix.basename(path, ".wgsl"));
const inside = (path: string, folder: string): boolean => path.startsWith(`${folder}/`);

/** Asserts that a list of findings is empty, showing them if not. */
const none = (findings: readonly string[], rule: string): void =>
  assert.is(findings.length, 0, `${rule}:\n  ${findings.join("\n  ")}`);

test("the scanner blanks comments, strings and regular expressions, and nothing else", () => {
  assert.is(code("a // b\nc"), "a     \nc");
  assert.is(code("a /* b\n*/ c"), "a     \n   c");
  assert.is(code('x = "y\\"z" + w'), "x =        + w");
  assert.is(code("`a${b + `c${d}`}e` + f"), "    b +     d      + f");
  assert.is(code("x = /[/\"]'/g.test(y)"), "x =        g.test(y)");
  assert.is(code("a / b / c"), "a / b / c");
  assert.equal(
    imports(
      'import { a } from "./a.ts";\nimport type { B,\n C } from "b";\nexport * from "./c.ts";\nimport "d";\nawait import("e");',
    ),
    ["./a.ts", "b", "./c.ts", "d", "e"],
  );
});

/** The way of the data: a room imports from itself and from the rooms before it, types included. */
const ROOMS = [
  "src/error.ts",
  "src/text",
  "src/rope",
  "tokenizer",
  "src/grammar",
  "kernels",
  "src/checkpoint",
  "src/model",
  "src/device",
  "src/engine",
  "src/generate",
  "src/platform.ts",
  "src/index.ts",
  "src/server/page",
  "src/server",
  "src/retrieval",
  "src/browser",
  "src/node",
  "src/cli",
];
/** Rooms that see less than what stands before them: these import the rooms named here and nothing else of ours. */
const SEES: Readonly<Record<string, readonly string[]>> = {
  "src/server/page": [], // a program of its own, for browsers
  tokenizer: ["src/error.ts", "src/text"],
  kernels: ["src/error.ts"],
  "src/grammar": ["src/error.ts", "src/text"],
  "src/retrieval": ["src/error.ts", "src/text", "src/rope", "src/generate"],
};
const roomOf = (path: string): string | undefined => ROOMS.find((room) => path === room || inside(path, room));
const NODE_ROOMS = ["src/node", "src/cli"];

test("imports point the way the house is built", () => {
  const wrong: string[] = [];
  for (const path of shipped) {
    const room = roomOf(path);
    if (room === undefined) wrong.push(`${path} stands in no room`);
    for (const target of imports(read(path))) {
      const own = target.startsWith(".") ? posix.join(posix.dirname(path), target) : undefined;
      const say = (rule: string): unknown => wrong.push(`${path} imports ${target}: ${rule}`);
      const apart = NODE_ROOMS.some((each) => inside(path, each));
      if ((target.startsWith("node:") || target === "webgpu") && !apart) say("only src/node and src/cli may");
      if (own === undefined || room === undefined) continue;
      if (!existsSync(join(root, own))) say("no such file");
      const other = roomOf(own);
      if (other === undefined) say("shipped code does not reach outside what ships");
      else if (ROOMS.indexOf(other) > ROOMS.indexOf(room)) say(`${other} comes after ${room}`);
      else if (other !== room && room in SEES && !SEES[room].includes(other)) {
        say(`${room} imports of ours only ${SEES[room].join(", ")}`);
      } else if (other === "src/browser" && other !== room) say("one platform does not know the other");
    }
  }
  none(wrong, "import arrows");
});

test("no file imports itself by way of others, types included", () => {
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    if (way.includes(path)) circles.push([...way.slice(way.indexOf(path)), path].join(" → "));
    if (done.has(path) || way.includes(path)) return;
    for (const target of imports(read(path))) {
      const own = posix.join(posix.dirname(path), target);
      if (target.startsWith(".") && shipped.includes(own)) visit(own, [...way, path]);
    }
    done.add(path);
  };
  for (const path of shipped) visit(path, []);
  none(circles, "circles");
});

test("the core uses no name of Node or of browsers", () => {
  const node = ["process", "Buffer", "__dirname", "__filename", "require", "setImmediate", "clearImmediate", "global"];
  const dom = ["document", "window", "navigator", "localStorage", "indexedDB", "HTMLElement", "location", "alert"];
  const wrong: string[] = [];
  for (const path of shipped) {
    const names = [
      ...(NODE_ROOMS.some((room) => inside(path, room)) ? [] : node),
      ...(["src/browser", "src/server/page"].some((room) => inside(path, room)) ? [] : dom),
    ];
    const text = code(read(path));
    for (const name of names) {
      // A use: not a property, not a key, and not a local variable or parameter of that name.
      const used = new RegExp(`(?<![.\\w$])${name}(?![\\w$]|\\s*\\??:)`).test(text);
      const local = new RegExp(
        `(?:const|let|var|function|class|import)\\s+(?:[{[][^=;]*)?\\b${name}\\b|[(,]\\s*${name}\\s*[,:)=]`,
      ).test(text);
      if (used && !local) wrong.push(`${path}: ${name}`);
    }
  }
  none(wrong, "only src/node, src/cli and src/browser know their platform");
});

test("shipped TypeScript is erasable and names its imports with .ts", () => {
  const wrong: string[] = [];
  for (const path of typescript) {
    const text = read(path);
    for (const target of imports(text)) {
      if (target.startsWith(".") && !/\.(ts|mjs|json)$/.test(target))
        wrong.push(`${path} imports ${target} without .ts`);
    }
    if (/^\s*(?:export\s+)?(?:const\s+)?(?:enum|namespace)\s+\w/m.test(code(text)))
      wrong.push(`${path}: enum or namespace`);
  }
  none(wrong, "erasable TypeScript");
});

test("every exported name has a docstring", () => {
  const wrong: string[] = [];
  for (const path of shipped.filter((each) => each !== "kernels/wgsl.ts")) {
    const lines = read(path).split("\n");
    lines.forEach((line, index) => {
      const name = /^export (?:async |abstract |declare )*(?:function\*?|class|interface|type|const|let) (\w+)/.exec(
        line,
      )?.[1];
      if (name !== undefined && !/(\*\/|^\/\/.*)$/.test(lines[index - 1] ?? ""))
        wrong.push(`${path}:${index + 1} ${name}`);
    });
  }
  none(wrong, "docstrings");
});

test("every .wgsl opens with its name, what it does, and where its binding and its test are", () => {
  const wrong: string[] = [];
  for (const path of all.filter((each) => each.endsWith(".wgsl"))) {
    const name = path.slice("kernels/".length);
    const lines = read(path).split("\n");
    const first = lines[0].replace(/^enable \w+;\s*/, "");
    if (!first.startsWith(`// ${name} — `)) wrong.push(`${path}: line 1 does not begin with "// ${name} — "`);
    const end = lines.findIndex((line, index) => index > 0 && !line.startsWith("//"));
    const header = lines.slice(0, end).join("\n");
    if (["lib", "formats", "cache"].some((folder) => inside(path, `kernels/${folder}`))) continue;
    const binding = /(?<![\w/])(\w+\.ts)\b/.exec(header)?.[1];
    const proof = /test\/kernels\/\w+\.test\.ts/.exec(header)?.[0];
    if (binding === undefined || !all.includes(`kernels/${binding}`))
      wrong.push(`${path}: names no binding in kernels/ (${binding})`);
    if (proof === undefined || !all.includes(proof)) wrong.push(`${path}: names no test in test/kernels/ (${proof})`);
    const stage = /@compute[^{]*fn\s+(\w+)/s.exec(read(path))?.[1];
    if (stage !== posix.basename(path, ".wgsl")) wrong.push(`${path}: its entry point is ${stage}`);
    if (/\/\/(?!\s)/.test(header)) wrong.push(`${path}: a comment mark without a space`);
  }
  none(wrong, "WGSL headers");
});

test("every function-scope var in WGSL has an initialiser: Dawn 0.6.2 does not zero one anew in each turn of a loop", () => {
  const wrong: string[] = [];
  for (const path of all.filter((each) => each.endsWith(".wgsl"))) {
    read(path)
      .split("\n")
      .forEach((line, index) => {
        if (/^\s+var \w+(: [^=]*)?;/.test(line)) wrong.push(`${path}:${index + 1}`);
      });
  }
  none(wrong, "variables");
});

test("every kernel has a row in kernels/README.md", () => {
  const table = existsSync(join(root, "kernels/README.md")) ? read("kernels/README.md") : "";
  none(
    kernels.filter((name) => !new RegExp(`\\b${name}\\b`).test(table)),
    "kernels without a row",
  );
});

test("no shipped module is an orphan: each is reached from a test file", () => {
  const reached = new Set<string>();
  const visit = (path: string): void => {
    if (reached.has(path) || !existsSync(join(root, path))) return;
    reached.add(path);
    for (const target of imports(read(path)))
      if (target.startsWith(".")) visit(posix.join(posix.dirname(path), target));
  };
  for (const path of all) if (path.endsWith(".test.ts")) visit(path);
  // The command line and the demo are tested as processes, the browser entry in a browser.
  const apart = /^src\/(cli|browser|server\/page)\//;
  none(
    shipped.filter((path) => !reached.has(path) && !apart.test(path)),
    "modules that no test imports",
  );
});

test("kernels/wgsl.ts is what the .wgsl files say", () => {
  const { status, stderr } = spawnSync(process.execPath, ["kernels/embed.mjs", "--check"], {
    cwd: root,
    encoding: "utf8",
  });
  assert.is(status, 0, stderr);
});

test("src/server/assets.ts is what the files of the chat page say", () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["src/server/page/embed.mjs", "--check"], {
    cwd: root,
    encoding: "utf8",
  });
  assert.is(status, 0, stdout + stderr);
});

test("nothing unfinished, and nothing of one machine, is left in the tree", () => {
  // One letter of each word stands in brackets, so that these lines do not find themselves.
  const unfinished = /\b(TO[D]O|FIX[M]E|XX[X])\b/;
  const foreign = /\/wor[k]\/|\.\.\/share[d]|\/roo[t]\/|\/hom[e]\/\w/;
  const only = /\b\w+\.onl[y]\(/;
  const wrong: string[] = [];
  const texts = all.filter(
    (path) => /\.(ts|mjs|js|wgsl|md|json|sh|html)$|^\.ci\/|^\.\w+rc$/.test(path) && path !== "package-lock.json",
  );
  for (const path of texts) {
    read(path)
      .split("\n")
      .forEach((line, index) => {
        if (unfinished.test(line)) wrong.push(`${path}:${index + 1} unfinished: ${line.trim()}`);
        if (foreign.test(line)) wrong.push(`${path}:${index + 1} a path of one machine: ${line.trim()}`);
        if (path.endsWith(".test.ts") && only.test(line)) wrong.push(`${path}:${index + 1} ${line.trim()}`);
      });
  }
  none(wrong, "left-overs");
});

test("package-lock.json holds no registry address, a hash for every package, and the packages of every platform", () => {
  type Locked = { resolved?: string; integrity?: string; optionalDependencies?: Record<string, string> };
  const wrong: string[] = [];
  for (const file of ["package-lock.json", "docs/package-lock.json"]) {
    const { packages } = JSON.parse(read(file)) as { packages: Record<string, Locked> };
    const entries = Object.entries(packages);
    assert.ok(entries.length > 10);
    for (const [path, { resolved, integrity, optionalDependencies = {} }] of entries) {
      if (resolved !== undefined) wrong.push(`${file}: ${path} is resolved to an address`);
      if (path !== "" && integrity === undefined) wrong.push(`${file}: ${path} has no hash`);
      // npm ci refuses a lock file that lacks another platform's package; one made from an incomplete registry does.
      for (const name of Object.keys(optionalDependencies)) {
        if (`${path}/node_modules/${name}` in packages || `node_modules/${name}` in packages) continue;
        wrong.push(`${file}: ${name} of ${path} is missing`);
      }
    }
  }
  none(wrong, "lock files");
});

test("what stands in the folders of tests and benchmarks is named in their READMEs", () => {
  const missing = (folder: string, below: string, skip: RegExp): string[] => {
    const text = read(`${folder}/README.md`);
    return readdirSync(join(root, below))
      .filter((name) => !skip.test(name) && !text.includes(`\`${name}`) && !text.includes(`${below}/${name}`))
      .map((name) => `${folder}/README.md: ${below}/${name}`);
  };
  none(
    [
      ...missing("test", "test/tools", /\.test\.ts$/),
      ...missing("test/fixtures", "test/fixtures", /^(README\.md|goldens|verify_goldens\.py)$/),
      // The programs; what they share stands in the files themselves.
      ...missing("bench", "bench", /^(README\.md|results|harness\.ts)$/),
    ],
    "files without a row",
  );
});

test("links and npm commands in the documents lead somewhere", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const wrong: string[] = [];
  for (const path of all.filter((each) => each.endsWith(".md"))) {
    const text = read(path);
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file, anchor] = target.split("#");
      const full = file === "" ? path : posix.join(posix.dirname(path), file);
      if (!existsSync(join(root, full))) wrong.push(`${path} → ${target}`);
      else if (anchor && full.endsWith(".md") && !anchors(read(full)).includes(anchor))
        wrong.push(`${path} → ${target}: no such heading`);
    }
    for (const [, script] of text.matchAll(/\bnpm run (?:--silent |-s )?([\w:-]+)/g)) {
      if (!(script in scripts)) wrong.push(`${path}: npm run ${script} does not exist`);
    }
  }
  none(wrong, "dead links");
});

test("README and CONTRIBUTING.md fit a terminal: 120 columns, tables apart", () => {
  const long = ["README.md", "CONTRIBUTING.md"].flatMap((path) =>
    read(path)
      .split("\n")
      .flatMap((line, index) => (line.length > 120 && !line.startsWith("|") ? [`${path}:${index + 1}`] : [])),
  );
  none(long, "long lines");
});

test("paths in backticks in the documents for contributors exist", () => {
  const wrong: string[] = [];
  const documents = ["CONTRIBUTING.md", "ARCHITECTURE.md"];
  documents.push(...["kernels", "bench", "test", "test/fixtures", "models"].map((folder) => `${folder}/README.md`));
  for (const document of documents.filter((path) => all.includes(path))) {
    const prose = read(document).replace(/^```[^]*?^```/gm, "");
    for (const [, path] of prose.matchAll(/`([^`\s]+)`/g)) {
      const isPath = /^[\w.-]+(\/[\w.-]*)+$|^[\w-][\w.-]*\.(ts|mjs|wgsl|md|json|html|svg|sh|py)$/.test(path);
      // A lone capital stands for a name of the reader's choice; what the programs write is not in the tree.
      if (!isPath || /(^|\/)[A-Z](\.\w+)*($|\/)|NAME/.test(path) || path.startsWith(".cache/")) continue;
      const beside = posix.join(posix.dirname(document), path);
      // `lib/step` is the name of a part, `topk.wgsl` of a file whose folder the sentence gives.
      const places = [path, beside, `${beside}.wgsl`].some((each) => existsSync(join(root, each)));
      const byName = !path.includes("/") && all.some((each) => posix.basename(each) === path);
      if (!places && !byName) wrong.push(`${document}: ${path}`);
    }
  }
  none(wrong, "paths that lead nowhere");
});

/** Anchors that a Markdown file's headings get. */
const anchors = (text: string): string[] =>
  [...text.matchAll(/^#+\s+(.*)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replace(/\s/g, "-"),
  );

test("the test runner fails what uvu alone would pass", () => {
  const cache = join(root, ".cache");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "runner-"));
  try {
    mkdirSync(join(folder, "test"));
    mkdirSync(join(folder, "test/tools"));
    for (const file of ["run.ts", "tools/source.ts", "tools/parallel.ts"])
      copyFileSync(join(root, "test", file), join(folder, "test", file));
    const head = 'import { suite } from "uvu";\nconst test = suite("s");\ntest("a", () => {});\n';
    const filter = "only";
    const cases = {
      good: `${head}test.run();`,
      skips: `${head}test.skip("b", () => {});\ntest.run();`,
      forgot: head,
      only: `${head}test.${filter}("b", () => {});\ntest.run();`,
      fails: `${head}test("b", () => { throw new Error("b"); });\ntest.run();`,
      exits: `${head}test.run();\nprocess.on("exit", () => { process.exitCode = 7; });`,
      crashes: `${head}test.run();\nsetTimeout(() => process.kill(process.pid, "SIGSEGV"), 50);`,
      adapter: `${head}test("b", () => { if (process.env.LLARIAT_ADAPTER !== "A B") throw new Error(); });\ntest.run();`,
    };
    for (const [name, text] of Object.entries(cases)) writeFileSync(join(folder, `test/${name}.test.ts`), text);
    const run = (...parts: string[]): { status: number | null; last: string; stdout: string } => {
      const { status, stdout } = spawnSync(
        process.execPath,
        ["--import", "tsx", join(folder, "test/run.ts"), ...parts],
        {
          cwd: root,
          encoding: "utf8",
        },
      );
      return { status, stdout, last: stdout.trimEnd().split("\n").at(-1) ?? "" };
    };
    // One says that it opens a device, one imports what does.
    writeFileSync(join(folder, "test/opens.test.ts"), `// Opens a device in a browser.\n${head}test.run();`);
    mkdirSync(join(folder, "src/node"), { recursive: true });
    writeFileSync(join(folder, "src/node/gpu.ts"), "export {};\n");
    writeFileSync(join(folder, "test/tools/through.ts"), 'import "../../src/node/gpu.ts";\n');
    writeFileSync(join(folder, "test/imports.test.ts"), `import "./tools/through.ts";\n${head}test.run();`);
    const left = join(folder, "left");
    writeFileSync(
      join(folder, "test/aaa.test.ts"),
      `// Runs last.\nimport { existsSync } from "node:fs";\n${head}test("b", () => { if (!existsSync(${JSON.stringify(left)})) throw new Error(); });\ntest.run();`,
    );
    writeFileSync(
      join(folder, "test/zzz.test.ts"),
      `import { writeFileSync } from "node:fs";\n${head}test("b", () => writeFileSync(${JSON.stringify(left)}, ""));\ntest.run();`,
    );
    const whole = run("--adapter", "A B");
    assert.is(whole.status, 1);
    assert.is(whole.last, "13 passed, 5 failed", whole.stdout);
    assert.match(whole.stdout, /forgot\.test\.ts: no test ran/);
    assert.match(whole.stdout, /1 skipped/);
    const good = run("good");
    assert.is(good.status, 0);
    assert.is(good.last, "1 passed, 0 failed");
    assert.is(run("absent").status, 1);
    for (const jobs of ["x", "0", "-1", "1.5", ""]) {
      const wrong = run("good", `--jobs=${jobs}`);
      assert.is(wrong.status, 1, jobs);
      assert.not.match(wrong.stdout, /passed/, jobs);
    }
    assert.is(run("--device").last, "2 passed, 0 failed");
    assert.is(run("--host", "good", "opens", "imports").last, "1 passed, 0 failed");
    // Samples leave a file out that says so, and name it; with --all, and by its name, it runs.
    const heavy = join(folder, "test/heavy.test.ts");
    writeFileSync(heavy, `// Opens a device.\n// Left out of samples: why.\n${head}test.run();`);
    process.env["LLARIAT_SAMPLE"] = "1";
    const sample = run("--device");
    assert.is(sample.last, "2 passed, 0 failed");
    assert.match(sample.stdout, /^left out on this adapter: .*heavy\.test\.ts; npm test -- --all runs them$/m);
    assert.is(run("heavy").last, "1 passed, 0 failed");
    assert.is(run("--device", "--all").last, "3 passed, 0 failed");
    delete process.env["LLARIAT_SAMPLE"];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("every mutation changes a text that its file has once, and names tests that there are", () => {
  const wrong = Object.values(MUTATIONS)
    .flat()
    .flatMap(({ name, file, find, replace, tests }) => [
      ...(read(file).split(find).length === 2 ? [] : [`${name}: ${file} has not once: ${find}`]),
      ...(find === replace ? [`${name}: changes nothing`] : []),
      ...tests.filter((each) => !all.includes(`test/${each}.test.ts`)).map((each) => `${name}: no test ${each}`),
    ]);
  none(wrong, "mutations");
});

test("the mutation runner refuses numbers that are none, and fails where it has tried nothing", () => {
  const run = (...words: string[]): { status: number | null; stdout: string } =>
    spawnSync(process.execPath, ["--import", "tsx", "test/mutations/run.ts", ...words], {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, LLARIAT_ADAPTER: "none that has tried it" },
    });
  for (const wrong of ["--jobs=x", "--jobs=0", "--budget=x", "--budget=0"]) {
    const { status, stdout } = run("queue: no bound", wrong);
    assert.is(status, 1, wrong);
    assert.not.match(stdout, /passed/, wrong);
  }
  const { status, stdout } = run("queue: no bound", "--budget=0.001");
  assert.is(status, 1, stdout);
  assert.match(stdout, /not one was tried[^]*left out: queue: no bound[^]*\n1 passed, 1 failed\n$/);
  assert.is(run("no such mutation").status, 1);
});

test("no shipped file is longer than the house bears", () => {
  // 300 lines is what the house likes; above 400 a file is two.
  const long = shipped
    .filter((path) => path !== "kernels/wgsl.ts")
    .map((path) => [path, read(path).split("\n").length - 1] as const)
    .filter(([, lines]) => lines > 400);
  none(
    long.map(([path, lines]) => `${path} ${lines}`),
    "long files",
  );
});

test.run();
