// The bytes of tokens, put together, are the text that the tokenizer decodes them to.
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Tokenizer } from "../../tokenizer/index.ts";
import { whole } from "../tools/random.ts";

const tests = suite("tokenbytes");
const NAMES = [
  "llama3",
  "smollm",
  "llama2-legacy",
  "llama2-metaspace",
  "mistral-v0.3-like",
  "added-tokens",
  "kv-llama",
];
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const read = (name: string): Tokenizer => {
  const text = (file: string) =>
    readFileSync(new URL(`../fixtures/tokenizers/${name}/${file}`, import.meta.url), "utf8");
  return Tokenizer.fromFiles({ tokenizerJson: text("tokenizer.json"), tokenizerConfig: text("tokenizer_config.json") });
};

const joined = (tokenizer: Tokenizer, ids: Iterable<number>): Uint8Array =>
  Uint8Array.from([...ids].flatMap((id) => [...(tokenizer.tokenBytes(id) ?? [])]));

/** Equal, but for the one space that a decoder may take off the front of a whole text. */
const same = (bytes: string, text: string, what: string): void =>
  assert.is(bytes, bytes.startsWith(" ") && !text.startsWith(bytes) ? ` ${text}` : text, what);

for (const name of NAMES) {
  const tokenizer = read(name);

  tests(`${name}: the bytes of a text's ids are the text's`, () => {
    for (const text of ['{"a": [1, 2.5e3], "é": "日本 \\n"}', "naïve 👍🏽\n\tend", "  two spaces", "\u0001\u007f"]) {
      const ids = tokenizer.encode(text, { addSpecialTokens: false });
      same(utf8.decode(joined(tokenizer, ids)), tokenizer.decode(ids), text);
    }
  });

  tests(`${name}: so are those of any ids, where they are characters at all`, () => {
    const next = whole(7);
    let compared = 0;
    for (let i = 0; i < 3000; i++) {
      const ids = Array.from({ length: 1 + next(4) }, () => next(tokenizer.idEnd));
      let text: string;
      try {
        text = utf8.decode(joined(tokenizer, ids));
      } catch {
        continue; // half a character
      }
      compared++;
      same(text, tokenizer.decode(ids), `${ids}`);
    }
    assert.ok(compared > 500);
  });

  tests(`${name}: special tokens have none, and every byte is some token's`, () => {
    for (const id of tokenizer.specialIds) assert.is(tokenizer.tokenBytes(id), undefined);
    assert.is(tokenizer.tokenBytes(tokenizer.idEnd), undefined);
    assert.is(tokenizer.tokenBytes(-1), undefined);
  });
}

tests(
  "a decoder that puts spaces between tokens gives none their bytes; one of two characters at a time neither",
  () => {
    const json = {
      model: { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] },
      decoder: null as unknown,
    };
    assert.is(Tokenizer.fromFiles({ tokenizerJson: json }).tokenBytes(0), undefined);
    const replace = (pattern: string) => ({ type: "Replace", pattern: { String: pattern }, content: "x" });
    const after = (pattern: string) => ({ type: "Sequence", decoders: [{ type: "Fuse" }, replace(pattern)] });
    const bytes = (pattern: string) =>
      Tokenizer.fromFiles({ tokenizerJson: { ...json, decoder: after(pattern) } }).tokenBytes(0);
    assert.is(bytes("ab"), undefined);
    assert.equal(bytes("a"), Uint8Array.of("x".charCodeAt(0)));
  },
);

tests.run();
