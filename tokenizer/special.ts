// special.ts — the tokens that files beside tokenizer.json name, as transformers 5 gathers them:
//   tokenizer_config.json   added_tokens_decoder, then bos_token, eos_token, … , then extra_special_tokens
//   special_tokens_map.json and added_tokens.json   only where the config has no added_tokens_decoder (they are older)
// What comes out is a list to add one after the other: a token that the vocabulary does not have gets the next free id,
// whatever id the config writes beside it.
// Source: transformers 5.12.1, tokenization_utils_base.py _from_pretrained, tokenization_utils_tokenizers.py __init__.

import { count, document, fields, flag, list, MAX_VOCABULARY, refuse, text } from "./read.ts";
import type { Fields } from "./read.ts";

/** A token to be added, without an id of its own. */
export interface NewToken {
  readonly content: string;
  /** Left out of decoded text when specials are skipped; taken as plain text when specials are not parsed. */
  readonly special: boolean;
  /** Found only where no word character touches it. */
  readonly singleWord: boolean;
  /** Takes the white space before (after) it along. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Searched in normalized text, and itself normalized first. */
  readonly normalized: boolean;
}

/** Special tokens by their name in the config: bos_token, eos_token, unk_token, pad_token, … */
export type SpecialTokens = Readonly<Record<string, string>>;

/** What the files beside the vocabulary say about tokens. */
export interface NamedTokens {
  readonly names: SpecialTokens;
  /** To be added, in this order. */
  readonly added: readonly NewToken[];
}

/** The order in which transformers adds them; others that end in _token come after these. */
const NAMES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
/** In one list; published files have up to 100,000. */
const MAX_TOKENS = 2 ** 18;
const CONFIG = "tokenizer_config.json";
const MAP = "special_tokens_map.json";

/** A token written as an object; what it says about being special counts unless `special` is given. Throws LlariatError "tokenizer". */
export function described(value: unknown, where: string, special?: boolean): NewToken {
  const token = fields(value, where);
  const isSpecial = special ?? flag(token["special"], `${where}.special`, false);
  return {
    content: text(token["content"], `${where}.content`),
    special: isSpecial,
    singleWord: flag(token["single_word"], `${where}.single_word`, false),
    lstrip: flag(token["lstrip"], `${where}.lstrip`, false),
    rstrip: flag(token["rstrip"], `${where}.rstrip`, false),
    normalized: flag(token["normalized"], `${where}.normalized`, !isSpecial),
  };
}

/** A special token as these files write it: its text alone, or an object. */
function read(value: unknown, where: string, special?: boolean): NewToken {
  return typeof value === "string" ? described({ content: value }, where, true) : described(value, where, special);
}

/** Whether the value of a key …_token that only some model knows names a token at all (others are numbers and flags). */
const namesToken = (value: unknown): boolean =>
  typeof value === "string" || (typeof value === "object" && value !== null && "content" in value);

/** The named tokens of one file, and its list of further ones. In the older file all are `special`. */
function tokensOf(file: Fields, where: string, special?: boolean) {
  const named = new Map<string, NewToken>();
  for (const [name, value] of Object.entries(file)) {
    if (value === null || !(NAMES.includes(name) || (name.endsWith("_token") && namesToken(value)))) continue;
    named.set(name, read(value, `${where}: ${name}`, special));
  }
  let extra: NewToken[] | undefined;
  const key = (file["extra_special_tokens"] ?? undefined) ? "extra_special_tokens" : "additional_special_tokens";
  const more = file[key] ?? undefined;
  if (more !== undefined && (Array.isArray(more) || key === "additional_special_tokens")) {
    extra = few(list(more, `${where}: ${key}`), `${where}: ${key}`).map((token, i) =>
      read(token, `${where}: ${key}[${i}]`, special),
    );
  } else if (more !== undefined) {
    for (const [name, value] of Object.entries(fields(more, `${where}: ${key}`))) {
      named.set(name, read(value, `${where}: ${key}.${name}`, special));
    }
  }
  return { named, extra, older: key === "additional_special_tokens" };
}

/** A list of tokens that is not too long. Throws LlariatError "tokenizer" for one that is. */
export function few<T>(tokens: readonly T[], where: string): readonly T[] {
  if (tokens.length > MAX_TOKENS) refuse(`${where} has ${tokens.length} tokens, needed at most ${MAX_TOKENS}`);
  return tokens;
}

/** added_tokens_decoder, by rising id. */
function decoderTokens(json: unknown): NewToken[] {
  const where = `${CONFIG}: added_tokens_decoder`;
  const entries = few(Object.entries(fields(json, where)), where).map(([id, token]) => {
    if (!/^\d{1,10}$/.test(id)) refuse(`${where} has the key ${JSON.stringify(id.slice(0, 60))}, needed an id`);
    return [Number(id), described(token, `${where}.${id}`)] as const;
  });
  return entries.sort((a, b) => a[0] - b[0]).map(([, token]) => token);
}

/** added_tokens.json, content → id, by rising id; those that are named elsewhere are special. */
function addedJsonTokens(json: unknown, isSpecial: (content: string) => boolean): NewToken[] {
  const file = "added_tokens.json";
  const entries = few(Object.entries(fields(json, file)), file).map(([content, id]) => {
    const where = `${file}: ${JSON.stringify(content.slice(0, 60))}`;
    return [content, count(id, where, MAX_VOCABULARY)] as const;
  });
  return entries
    .sort((a, b) => a[1] - b[1])
    .map(([content]) => {
      const special = isSpecial(content);
      return { content, special, singleWord: false, lstrip: false, rstrip: false, normalized: !special };
    });
}

const same = (a: NewToken, b: NewToken | undefined): boolean =>
  b !== undefined && (Object.keys(a) as (keyof NewToken)[]).every((key) => a[key] === b[key]);

/**
 * Reads the names and the tokens to add. `known`: the added tokens of tokenizer.json, by content. Throws LlariatError
 * "tokenizer" naming file and key.
 */
export function readNamedTokens(
  config: Fields,
  specialTokensMap: unknown,
  addedTokensJson: unknown,
  known: ReadonlyMap<string, NewToken>,
): NamedTokens {
  const { named, ...ours } = tokensOf(config, CONFIG);
  let { extra } = ours;
  let listed: NewToken[];
  /** A token that is named by its text only is the one that is described elsewhere under that text. */
  let descriptions: Map<string, NewToken>;
  const decoder = config["added_tokens_decoder"] ?? undefined;
  if (decoder === undefined) {
    const map = tokensOf(document(specialTokensMap ?? {}, MAP), MAP, true);
    for (const [name, token] of map.named) named.set(name, token);
    if (map.extra) extra = map.older ? (extra ?? map.extra) : [...(extra ?? []), ...map.extra];
    const names = new Set([...named.values(), ...(extra ?? [])].map((token) => token.content));
    listed = addedJsonTokens(document(addedTokensJson ?? {}, "added_tokens.json"), (content) => names.has(content));
    descriptions = new Map([...byContent(listed), ...known]);
  } else {
    listed = decoderTokens(decoder);
    descriptions = byContent(listed);
  }
  const order = [
    ...NAMES.filter((name) => named.has(name)),
    ...[...named.keys()].filter((name) => !NAMES.includes(name)),
  ];
  const chosen = order.map((name) => {
    const token = named.get(name)!;
    return NAMES.includes(name) ? (descriptions.get(token.content) ?? token) : token;
  });
  const special = new Set(chosen.map((token) => token.content));
  const added = listed
    .filter((token) => !same(token, known.get(token.content)))
    .map((token) => ({ ...token, special: token.special || special.has(token.content) }));
  const there = new Set([...known.keys(), ...added.map((token) => token.content)]);
  for (const token of [...chosen.map((token) => ({ ...token, special: true })), ...(extra ?? [])]) {
    if (!there.has(token.content)) added.push(token);
  }
  return {
    names: Object.fromEntries(order.map((name) => [name, named.get(name)!.content])),
    added: added.filter((token) => token.content !== ""),
  };
}

function byContent(tokens: readonly NewToken[]): Map<string, NewToken> {
  return new Map(tokens.map((token) => [token.content, token]));
}
