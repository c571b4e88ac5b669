// addedlist.ts — the list of added tokens: those of tokenizer.json with their ids, then those that only other files name,
// each with the next free id (special.ts).

import type { AddedToken } from "./added.ts";
import { checkGrowth, longestFrom } from "./growth.ts";
import type { Model } from "./encoder.ts";
import type { Normalizer } from "./normalize.ts";
import { original } from "./piece.ts";
import { count, fields, list, MAX_VOCABULARY, refuse } from "./read.ts";
import { described, few } from "./special.ts";
import type { NewToken } from "./special.ts";

/** Published ones have up to 60 characters. */
const MAX_CONTENT = 4096;

/** The model's vocabulary: piece → id and back. */
type Vocabulary = Pick<Model, "vocabulary" | "pieces">;

/** Collects added tokens: one for each content, in the order they came, the later flags counting. */
export class AddedList {
  readonly #model: Vocabulary;
  readonly #tokens = new Map<string, NewToken & { readonly id: number }>();
  readonly #owners = new Map<number, string>();
  /** The id after all that are in use. */
  #next: number;

  constructor(model: Vocabulary) {
    this.#model = model;
    this.#next = model.pieces.length;
  }

  /** By content. */
  get tokens(): ReadonlyMap<string, NewToken & { readonly id: number }> {
    return this.#tokens;
  }

  /**
   * Reads "added_tokens" of tokenizer.json. A token whose content is a piece must have that piece's id, and a new one must
   * not take an id that is in use.
   */
  read(json: unknown): void {
    for (const [i, entry] of few(list(json ?? [], "added_tokens"), "added_tokens").entries()) {
      const where = `added_tokens[${i}]`;
      const token = described(entry, where);
      const id = count(fields(entry, where)["id"], `${where}.id`, MAX_VOCABULARY);
      const { content } = token;
      if (content === "") continue;
      if (content.length > MAX_CONTENT) {
        refuse(`${where}.content has ${content.length} characters, needed at most ${MAX_CONTENT}`);
      }
      const owner = this.#owners.get(id) ?? this.#model.pieces[id];
      if (owner !== undefined && owner !== content) {
        refuse(`${where} ("${content}") has the id ${id}, which "${owner}" has already; needed an id of its own`);
      }
      const known = this.#idOf(content);
      if (known !== undefined && known !== id) {
        refuse(`${where} ("${content}") has the id ${id}, but the vocabulary gives it ${known}; needed one id`);
      }
      this.#set(id, token);
    }
  }

  /** Adds tokens of other files. One that was special stays so. */
  append(tokens: readonly NewToken[]): void {
    for (const token of tokens) {
      const special = token.special || this.#tokens.get(token.content)?.special === true;
      const id = this.#idOf(token.content) ?? this.#next;
      if (id >= MAX_VOCABULARY) refuse(`the vocabulary has no room for another token below ${MAX_VOCABULARY}`);
      this.#set(id, { ...token, special });
    }
  }

  #idOf(content: string): number | undefined {
    return this.#tokens.get(content)?.id ?? this.#model.vocabulary.get(content);
  }

  #set(id: number, token: NewToken): void {
    this.#owners.set(id, token.content);
    this.#next = Math.max(this.#next, id + 1);
    this.#tokens.set(token.content, { ...token, id });
  }

  /** The tokens with what they read in normalized text. */
  written(normalize: Normalizer | undefined): AddedToken[] {
    const most = longestFrom([...this.#tokens.values()].reduce((sum, { content }) => sum + content.length, 0));
    let made = 0;
    return [...this.#tokens.values()].map((token) => {
      const { content, normalized } = token;
      const written = normalized ? (normalize?.(original(content, 0, content.length, false)).text ?? content) : content;
      if (written === "") {
        refuse(`the added token "${content}" is empty after the normalizer, needed something to look for`);
      }
      made += written.length;
      checkGrowth("normalizer", made, most);
      return { ...token, written };
    });
  }
}
