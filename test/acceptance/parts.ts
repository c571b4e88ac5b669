// parts.ts — what the files of the acceptance suite leave for its report, in .cache/acceptance.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EffectiveContext, Perplexity, Report } from "../../src/retrieval/index.ts";
import { root } from "../tools/source.ts";

/** Each part by its name; the report puts together those of a model. */
export interface Parts {
  readonly "rates-kv-llama": Report;
  readonly "rates-kv-llama-pi": Report;
  readonly "perplexity-kv-llama": Perplexity;
  readonly "perplexity-kv-llama-pi": Perplexity;
  readonly "effective-kv-llama": EffectiveContext;
  readonly "effective-kv-llama-pi": EffectiveContext;
}

export const FOLDER = join(root, ".cache/acceptance");
const path = (part: keyof Parts): string => join(FOLDER, `${part}.json`);

/** Removes what an earlier run left: call it before measuring, or the report would show numbers that are not of this run. */
export function forget(...parts: (keyof Parts)[]): void {
  for (const part of parts) rmSync(path(part), { force: true });
}

export function save<P extends keyof Parts>(part: P, value: Parts[P]): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(path(part), JSON.stringify(value));
}

/** A part of this run; undefined if its file was not run, or failed. */
export function part<P extends keyof Parts>(name: P): Parts[P] | undefined {
  try {
    return JSON.parse(readFileSync(path(name), "utf8")) as Parts[P];
  } catch {
    return undefined;
  }
}
