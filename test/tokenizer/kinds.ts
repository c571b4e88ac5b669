// kinds.ts — the fixtures of fixtures/tokenizers/kinds: texts, and answers to them of which the first are written out and
// the others are in digests.

import { createHash } from "node:crypto";

import * as assert from "uvu/assert";

import type { Tokenizer } from "../../tokenizer/index.ts";
import { readJson } from "./fixtures.ts";

const { block, ...read } = readJson("kinds/texts.json") as { texts: string[]; modern: string[]; block: number };
export const { texts, modern } = read;

export interface Answers<T> {
  readonly full: T[];
  readonly digests: string[];
}

/** Compares the answers of `run` to all texts with the recorded ones. */
export function sameAnswers<T>(expected: Answers<T>, run: (text: string) => T): void {
  for (const [i, answer] of expected.full.entries()) assert.equal(run(texts[i]), answer, JSON.stringify(texts[i]));
  for (const [i, digest] of expected.digests.entries()) {
    const answers = texts.slice(i * block, (i + 1) * block).map((text) => JSON.stringify(run(text)));
    const got = createHash("sha256").update(answers.join("\n")).digest("hex").slice(0, 12);
    assert.is(got, digest, `texts ${i * block} to ${(i + 1) * block - 1}`);
  }
}

/** Ids, and ranges in code points; encode and encodeWithOffsets agree about the ids. */
export function encoded(tokenizer: Tokenizer, text: string, options: object = {}): [number[], number[][]] {
  const { ids, offsets } = tokenizer.encodeWithOffsets(text, { unit: "codePoint", ...options });
  assert.equal([...tokenizer.encode(text, options)], [...ids]);
  return [[...ids], Array.from(ids, (_, i) => [offsets[2 * i], offsets[2 * i + 1]])];
}

const maps = readJson("kinds/maps.json") as Record<string, string>;

/** A step with the names of SentencePiece's maps replaced by the maps, in base64. */
export function withMaps(json: unknown): unknown {
  const text = JSON.stringify(json);
  return JSON.parse(text.replace(/("precompiled_charsmap":)"(\w+)"/g, (_, key, name) => `${key}"${maps[name]}"`));
}

export const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));
export const NMT_NFKC = bytesOf(maps["nmt_nfkc"]);
