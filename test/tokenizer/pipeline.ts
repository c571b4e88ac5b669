// pipeline.ts — small tokenizers for tests of single steps: one id per character, so that the ids show the cuts.

import { Tokenizer } from "../../tokenizer/index.ts";

/** Every character its own piece, and every word of `words` reachable by merges from left to right. */
export function vocabularyOf(characters: string, words: readonly string[] = []) {
  const pieces = new Set(characters);
  const merges: [string, string][] = [];
  for (const word of words) {
    const parts = [...word];
    for (const part of parts) pieces.add(part);
    for (let i = 1; i < parts.length; i++) {
      const merge: [string, string] = [parts.slice(0, i).join(""), parts[i]];
      if (!merges.some(([left, right]) => left === merge[0] && right === merge[1])) merges.push(merge);
      pieces.add(parts.slice(0, i + 1).join(""));
    }
  }
  return { vocab: Object.fromEntries([...pieces].map((piece, id) => [piece, id])), merges };
}

export const ASCII = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join("");

/** A tokenizer.json of these parts around a BPE model. */
export function build(model: object, parts: object = {}): Tokenizer {
  return Tokenizer.fromFiles({ tokenizerJson: { added_tokens: [], ...parts, model: { type: "BPE", ...model } } });
}

/** The pieces that `text` becomes. */
export function piecesOf(tokenizer: Tokenizer, text: string): string[] {
  return [...tokenizer.encode(text)].map((id) => tokenizer.idToToken(id)!);
}
