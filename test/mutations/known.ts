// known.ts — remembers in .cache/mutations.json which mutation was noticed by which test, for as long as neither changes.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { imports, root } from "../tools/source.ts";
import type { Mutation } from "./mutation.ts";

const FILE = join(root, ".cache/mutations.json");

/** Every file that a test reaches by its imports; kernels/wgsl.ts among them holds the text of all kernels. */
function reached(path: string, seen: Set<string>): Set<string> {
  if (seen.has(path) || !existsSync(path)) return seen;
  seen.add(path);
  for (const target of imports(readFileSync(path, "utf8")))
    if (target.startsWith(".")) reached(join(dirname(path), target), seen);
  return seen;
}

const digest = (texts: Iterable<string | Uint8Array>): string => {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(text).update("\0");
  return hash.digest("hex");
};

/** Every file below a folder: its path and its bytes. */
function* contents(folder: string): Generator<string | Uint8Array> {
  for (const path of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).sort()) {
    const file = join(root, folder, path);
    if (statSync(file).isFile()) yield* [path, readFileSync(file)];
  }
}

/** Verdicts of earlier runs, by what they depend on: the mutation, all that its tests import, fixtures, models, packages, adapter. */
export class Known {
  readonly #verdicts: Record<string, string>;
  readonly #digests = new Map<string, string>();
  readonly #surroundings: string;

  /** `fresh`: forgets what earlier runs found. */
  constructor(fresh: boolean) {
    this.#verdicts = !fresh && existsSync(FILE) ? JSON.parse(readFileSync(FILE, "utf8")) : {};
    this.#surroundings = digest([
      process.version,
      process.env["LLARIAT_ADAPTER"] ?? "",
      readFileSync(join(root, "package-lock.json"), "utf8"),
      ...contents("test/fixtures"),
      ...contents("models"),
    ]);
  }

  #key({ file, find, replace, tests }: Mutation): string {
    const digests = tests.map((name) => {
      const path = join(root, `test/${name}.test.ts`);
      if (!this.#digests.has(name))
        this.#digests.set(name, digest([...reached(path, new Set())].map((each) => readFileSync(each, "utf8"))));
      return this.#digests.get(name)!;
    });
    return digest([this.#surroundings, file, find, replace, ...tests, ...digests]);
  }

  /** The test that noticed, if that is known. */
  get(mutation: Mutation): string | undefined {
    return this.#verdicts[this.#key(mutation)];
  }

  set(mutation: Mutation, test: string): void {
    this.#verdicts[this.#key(mutation)] = test;
  }

  save(): void {
    mkdirSync(dirname(FILE), { recursive: true });
    writeFileSync(FILE, JSON.stringify(this.#verdicts, null, 1));
  }
}
