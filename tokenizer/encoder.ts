// encoder.ts — what every kind of model is to the stages around it: a vocabulary, and words to ids.

import type { Tokens } from "./tokens.ts";

/** Turns words into ids. One instance must not be used for two words at a time (it never is: nothing here waits). */
export interface Encoder {
  /** True where every byte has a piece, named by its character of the byte table. */
  readonly canSpell: boolean;
  /**
   * Appends the ids of `word` to `tokens`, with their spans in it where `tokens` collects spans. `bytes`: the word is plain
   * text and is to be spelt in bytes (needs `canSpell`). No lone surrogates.
   * Throws LlariatError "tokenizer" for a character that has no piece, no bytes and no unknown token to stand for it.
   */
  encode(word: string, bytes: boolean, tokens: Tokens): void;
}

/** A checked model. */
export interface Model {
  /** As tokenizer.json names it, BPE or Unigram; "SentencePiece BPE" or "SentencePiece Unigram" of tokenizer.model. */
  readonly kind: string;
  readonly encoder: Encoder;
  /** Piece → id. */
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Id → piece; undefined where the vocabulary has a gap. */
  readonly pieces: readonly (string | undefined)[];
}
