// build.ts — the package as a user gets it: TypeScript's compiler, and dist/ built elsewhere, so that its own stays as it is.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { root } from "./source.ts";

/** The compiler's program, for `node`. */
export const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");

/** Builds the package into a folder; what the compiler prints. Throws if it refuses. */
export const build = (dist: string): string =>
  execFileSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json"), "--outDir", dist], {
    encoding: "utf8",
  });
