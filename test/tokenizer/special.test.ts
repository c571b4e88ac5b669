// Tokens that only tokenizer_config.json, special_tokens_map.json or added_tokens.json name: ids, flags and names as
// transformers 5 builds them (fixtures/tokenizers/kinds/special.json), and what the ids of a text then are.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { AddedList } from "../../tokenizer/addedlist.ts";
import { Tokenizer } from "../../tokenizer/index.ts";
import { readNamedTokens } from "../../tokenizer/special.ts";
import { readJson, readText } from "./fixtures.ts";

type Flags = [content: string, special: boolean, normalized: boolean, lstrip: boolean, rstrip: boolean, word: boolean];
interface Case {
  config: Record<string, unknown>;
  map: object | null;
  added: object | null;
  tokens: Record<string, Readonly<Flags>>;
  names: Record<string, string>;
  eos: number | null;
  bos: number | null;
  ids: number[][];
  decoded: string[];
  kept: string[];
}

const test = suite("special");
const { texts, ...cases } = readJson("kinds/special.json") as { texts: string[] } & Record<string, Case>;
const tokenizerJson = readText("llama2-legacy/tokenizer.json");
const json = JSON.parse(tokenizerJson) as { model: { vocab: Record<string, number> }; added_tokens: object[] };

/** The added tokens by id, with their flags, as transformers lists them. */
function tokensOf({ config, map, added }: Case): Case["tokens"] {
  const pieces: string[] = [];
  for (const [piece, id] of Object.entries(json.model.vocab)) pieces[id] = piece;
  const list = new AddedList({ vocabulary: new Map(Object.entries(json.model.vocab)), pieces });
  list.read(json.added_tokens);
  list.append(readNamedTokens(config, map ?? undefined, added ?? undefined, list.tokens).added);
  const rows = [...list.tokens.values()].map(
    ({ id, content, special, normalized, lstrip, rstrip, singleWord }) =>
      [id, [content, special, normalized, lstrip, rstrip, singleWord]] as const,
  );
  return Object.fromEntries(rows);
}

for (const [name, expected] of Object.entries(cases)) {
  test(`${name}: tokens, names, ids, text`, () => {
    const listed = structuredClone(expected.tokens);
    // a token that tokenizer.json has as special stays so: the list says otherwise, decoding does not
    for (const id of [0, 1, 2]) listed[id] = [listed[id][0], true, ...listed[id].slice(2)] as Flags;
    assert.equal(tokensOf(expected), listed);
    const { config, map, added } = expected;
    const tokenizer = Tokenizer.fromFiles({
      tokenizerJson,
      tokenizerConfig: config,
      ...(map ? { specialTokensMap: map } : {}),
      ...(added ? { addedTokens: added } : {}),
    });
    assert.equal(tokenizer.specialTokens, expected.names);
    assert.is(tokenizer.eosId, expected.eos ?? undefined);
    assert.is(tokenizer.bosId, expected.bos ?? undefined);
    // of tokens that were ever normalized the library forgets while decoding how they read and that they are special (index.ts)
    const forgets = /"normalized":true/.test(JSON.stringify([config, map]));
    for (const [i, text] of texts.entries()) {
      const ids = [...tokenizer.encode(text, { addSpecialTokens: false })];
      assert.equal(ids, expected.ids[i], text);
      if (forgets) continue;
      assert.is(tokenizer.decode(ids), expected.decoded[i], text);
      assert.is(tokenizer.decode(ids, { skipSpecialTokens: false }), expected.kept[i], text);
    }
  });
}

test.run();
