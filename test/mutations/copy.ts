// copy.ts — a copy of the project in a temporary folder, in which one mutation at a time is made and taken back.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../tools/source.ts";

/** Longest a test file may take. No speed limit: beyond it something hangs. */
const LIMIT_MS = 180_000;

/** What came of running a test file; `broken`: it failed without saying which test, or because the code does not compile. */
export type Verdict =
  | { readonly kind: "passed" }
  | { readonly kind: "noticed" | "broken"; readonly test: string; readonly output: string };

/** The copy. Whoever makes it removes it. */
export class Copy {
  readonly folder = mkdtempSync(join(tmpdir(), "llariat-mutations-"));
  #child: ChildProcess | undefined;

  constructor() {
    const fixtures = join(root, "test/fixtures");
    for (const name of ["bench", "kernels", "src", "tokenizer", "test", "package.json", "tsconfig.json"])
      cpSync(join(root, name), join(this.folder, name), { recursive: true, filter: (path) => path !== fixtures });
    for (const name of ["node_modules", "models", "test/fixtures"])
      symlinkSync(join(root, name), join(this.folder, name));
  }

  /** Puts a text in place of a file's and gives back what undoes it. */
  replace(file: string, text: string): () => void {
    const path = join(this.folder, file);
    const before = readFileSync(path, "utf8");
    const write = (content: string): void => {
      writeFileSync(path, content);
      if (file.endsWith(".wgsl")) spawnSync(process.execPath, ["kernels/embed.mjs"], { cwd: this.folder });
    };
    write(text);
    return () => write(before);
  }

  /** Runs one test file, named without `test/` and its ending. */
  run(name: string): Promise<Verdict> {
    return new Promise((resolve) => {
      const child = spawn(process.execPath, ["--import", "tsx", `test/${name}.test.ts`], {
        cwd: this.folder,
        env: { ...process.env, FORCE_COLOR: "0" },
        stdio: ["ignore", "pipe", "pipe"],
      });
      this.#child = child;
      let output = "";
      child.stdout.on("data", (data) => (output += data));
      child.stderr.on("data", (data) => (output += data));
      const clock = setTimeout(() => {
        output += `\nno end within ${LIMIT_MS / 1000} s\n`;
        child.kill("SIGKILL");
      }, LIMIT_MS);
      child.on("close", (code) => {
        clearTimeout(clock);
        const failed = /^\s*FAIL\s+(?:\S+\s+)+?"(.*)"/m.exec(output)?.[1];
        const total = Number(/^\s*Total:\s+(\d+)/m.exec(output)?.[1] ?? 0);
        // WGSL or TypeScript that does not compile would fail any test and prove nothing about this one.
        const compiles = !/\.wgsl:\d+:\d+ |(?:Syntax|Reference|Type)Error\b|Transform failed/.test(output);
        if (code === 0 && total > 0) resolve({ kind: "passed" });
        else if (failed !== undefined && compiles) resolve({ kind: "noticed", test: `${name}: ${failed}`, output });
        else resolve({ kind: "broken", test: name, output });
      });
    });
  }

  remove(): void {
    this.#child?.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}
