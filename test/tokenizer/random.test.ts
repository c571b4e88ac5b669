// Whole tokenizers at random (fixtures/tokenizers/kinds/random.json): small models with rows of steps around them against the
// Rust library, small SentencePiece files with every setting against the SentencePiece library.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { Tokenizer } from "../../tokenizer/index.ts";
import { readJson } from "./fixtures.ts";
import { bytesOf, encoded, withMaps } from "./kinds.ts";

interface File {
  file: { added_tokens: { normalized: boolean }[] };
  rows: [text: string, ids: number[], offsets: number[][], decoded: string, kept: string][];
}
interface Model {
  model: string;
  rows: [text: string, ids: number[]][];
}

const test = suite("random");
const { files, models } = readJson("kinds/random.json") as { files: File[]; models: Model[] };

test(`${files.length} tokenizer.json: ids, offsets and text`, () => {
  for (const [i, { file, rows }] of files.entries()) {
    const tokenizer = Tokenizer.fromFiles({ tokenizerJson: withMaps(file) as object });
    // of such tokens the library forgets while decoding that they are special (index.ts)
    const forgets = file.added_tokens.some(({ normalized }) => normalized);
    for (const [text, ids, offsets, decoded, kept] of rows) {
      const at = `${i}: ${JSON.stringify(text)}`;
      assert.equal(encoded(tokenizer, text), [ids, offsets], at);
      if (forgets) continue;
      assert.is(tokenizer.decode(ids), decoded, at);
      assert.is(tokenizer.decode(ids, { skipSpecialTokens: false }), kept, at);
    }
  }
});

test(`${models.length} tokenizer.model: ids`, () => {
  for (const [i, { model, rows }] of models.entries()) {
    const tokenizer = Tokenizer.fromFiles({ tokenizerModel: bytesOf(model) });
    for (const [text, ids] of rows) {
      const got = tokenizer.encode(text, { addSpecialTokens: false, parseSpecial: false });
      assert.equal([...got], ids, `${i}: ${JSON.stringify(text)}`);
    }
  }
});

test.run();
